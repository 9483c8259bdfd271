"""The command line: which commands there are, what each takes, and the help.

Turns words into typed values and does nothing with them; that is ``handlers/commands.py``'s.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Final

import msgspec

from models.events import ParticipantId, ParticipantType
from models.options import (
    SettingsError,
    default_of,
    did_you_mean,
    name_of,
    one_of,
    option,
    read_options,
    some_path,
    some_text,
    usage_of,
    whole_number,
)
from models.settings import Settings, read_settings, variable_of
from models.tokens import DAY_SECONDS, LONGEST_SECONDS


def _participant_id(text: str) -> str:
    try:
        return msgspec.convert(text, ParticipantId)
    except msgspec.ValidationError:
        raise ValueError("must be 1 to 64 characters out of A-Z a-z 0-9 _ . @ -") from None


def _email(text: str) -> str:
    if len(text) > 254 or not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("must be an e-mail address")
    return text


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Runs the server; so does no command at all."""


@dataclass(frozen=True, kw_only=True)
class AddSeller:
    """Makes a seller. The password, 12 to 128 characters, comes from standard input."""

    id: str = option(MISSING, "what the seller signs in with", _participant_id, bare=True)
    name: str = option(MISSING, "what buyers see", some_text, value="NAME")
    email: str | None = option(
        None, "where to write to the seller; nobody else sees it", _email, value="MAIL"
    )


@dataclass(frozen=True, kw_only=True)
class SetPassword:
    """Changes a seller's password, read from standard input, and ends all their sessions."""

    id: str = option(MISSING, "the seller", _participant_id, bare=True)


@dataclass(frozen=True, kw_only=True)
class DisableSeller:
    """Locks a seller out and ends all their sessions. What they wrote stays."""

    id: str = option(MISSING, "the seller", _participant_id, bare=True)


@dataclass(frozen=True, kw_only=True)
class EnableSeller:
    """Lets a disabled seller in again, with the password they had."""

    id: str = option(MISSING, "the seller", _participant_id, bare=True)


@dataclass(frozen=True, kw_only=True)
class Token:
    """Prints a signed token for a participant."""

    id: str = option(MISSING, "whom it introduces", _participant_id, bare=True)
    type: ParticipantType = option(  # noqa: RUF009 a field, as by dataclasses.field
        MISSING, "Buyer or Seller", one_of("Buyer", "Seller"), value="Buyer|Seller"
    )
    name: str | None = option(
        None, "what others see; the ID, if none is given", some_text, value="NAME"
    )
    expires: int = option(
        DAY_SECONDS,
        "after how many seconds it ends",
        whole_number(1, LONGEST_SECONDS),
        value="SECONDS",
    )


@dataclass(frozen=True, kw_only=True)
class Backup:
    """Writes all that is stored into a file, also while the server runs. The secrets in data-dir
    are not in it: keep a copy of them apart."""

    file: Path = option(  # noqa: RUF009 a field, as by dataclasses.field
        MISSING, "where to; one that is there is replaced", some_path, bare=True
    )


@dataclass(frozen=True, kw_only=True)
class Restore:
    """Puts a backup back, into an empty database only and while no server runs. Clients load their
    conversations anew, sellers sign in anew."""

    file: Path = option(  # noqa: RUF009 a field, as by dataclasses.field
        MISSING, "a backup", some_path, bare=True
    )


@dataclass(frozen=True, kw_only=True)
class Export:
    """Prints all that a participant wrote and received, and what is kept of them, as JSON."""

    id: str = option(MISSING, "the participant", _participant_id, bare=True)
    type: ParticipantType = option(  # noqa: RUF009 a field, as by dataclasses.field
        MISSING, "Buyer or Seller", one_of("Buyer", "Seller"), value="Buyer|Seller"
    )


@dataclass(frozen=True, kw_only=True)
class Erase:
    """Removes a participant for good: name, record, sessions, and the texts they wrote."""

    id: str = option(MISSING, "the participant", _participant_id, bare=True)
    type: ParticipantType = option(  # noqa: RUF009 a field, as by dataclasses.field
        MISSING, "Buyer or Seller", one_of("Buyer", "Seller"), value="Buyer|Seller"
    )


@dataclass(frozen=True, kw_only=True)
class Check:
    """Says what is wrong with settings, database, clock and, beside a running server, the way from
    browsers to it; exit status 1 if anything is."""


@dataclass(frozen=True, kw_only=True)
class Help:
    """Prints this help."""


Command = (
    Serve
    | AddSeller
    | SetPassword
    | DisableSeller
    | EnableSeller
    | Token
    | Backup
    | Restore
    | Export
    | Erase
    | Check
    | Help
)

COMMANDS: Final[dict[str, type[Command]]] = {
    "serve": Serve,
    "add-seller": AddSeller,
    "set-password": SetPassword,
    "disable-seller": DisableSeller,
    "enable-seller": EnableSeller,
    "token": Token,
    "backup": Backup,
    "restore": Restore,
    "export": Export,
    "erase": Erase,
    "check": Check,
    "help": Help,
}


def read_command_line(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[Command, Settings]:
    """What is asked for, and with which settings. Raises ``SettingsError``.

    Help comes with the default settings: it must come when the settings are what is wrong.
    """
    words, flags = _sorted_out(arguments)
    name, *bare = words or ["serve"]
    if name == "help" or "help" in flags:
        return Help(), Settings()
    if name not in COMMANDS:
        raise SettingsError(f"{name!a} is no command.{did_you_mean(name, COMMANDS)}")
    kind = COMMANDS[name]
    places = [name_of(field) for field in fields(kind) if field.metadata["bare"]]
    if len(bare) > len(places):
        raise SettingsError(f"{name} takes no {bare[len(places)]!a}: {_usage(name)}.")
    own = {name_of(field) for field in fields(kind)} - set(places)
    settings = read_settings({k: v for k, v in flags.items() if k not in own}, environment)
    given = {k: v for k, v in flags.items() if k in own}
    given |= dict(zip(places, bare, strict=False))
    return read_options(kind, given), settings


def _sorted_out(arguments: Sequence[str]) -> tuple[list[str], dict[str, str | None]]:
    """The bare words, and the flags with their texts. All after ``--`` is bare."""
    words: list[str] = []
    flags: dict[str, str | None] = {}
    for position, argument in enumerate(arguments):
        if argument == "--":
            return words + list(arguments[position + 1 :]), flags
        if argument == "-h":
            flags["help"] = None
        elif argument.startswith("--"):
            name, equals, text = argument.removeprefix("--").partition("=")
            flags[name] = text if equals else None
        else:
            words.append(argument)
    return words, flags


# --- The help -----------------------------------------------------------------------------------


def help_text() -> str:
    """What ``--help`` prints."""
    lines = ["python server.py [command] [--setting=value …]", "", "Commands", ""]
    for name, kind in COMMANDS.items():
        lines += [f"  {_usage(name)}", *_indented(kind.__doc__ or "")]
        for field in fields(kind):
            if not field.metadata["bare"]:
                lines += _indented(f"--{name_of(field)}: {field.metadata['help']}")
    lines += ["", "Settings", ""]
    for field in fields(Settings):
        lines.append(f"  --{name_of(field)}, or {variable_of(field)}; default: {default_of(field)}")
        lines += _indented(field.metadata["help"])
    return "\n".join(lines) + "\n"


def _usage(name: str) -> str:
    words = [
        usage_of(field) if field.default is MISSING else f"[{usage_of(field)}]"
        for field in fields(COMMANDS[name])
    ]
    return " ".join([name, *words])


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, width=92, initial_indent="      ", subsequent_indent="      ")
