"""Fields of dataclasses that can be asked for as text: settings and the arguments of commands.

Each carries its default, its check and its help; reading them is one function, and every fault is
one sentence. Which there are is said in ``settings.py`` and ``commandline.py``.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Asked = TypeVar("_Asked", bound="DataclassInstance")


class SettingsError(Exception):
    """Something asked for is unknown or impossible; one clear sentence for whoever starts us.

    Never holds the value of a secret.
    """


def option(
    default: Any,
    help_text: str,
    check: Callable[[str], Any],
    *,
    shown: str | None = None,
    value: str | None = None,
    bare: bool = False,
    repr: bool = True,  # noqa: A002 the dataclass's own word
) -> Any:
    """A dataclass field that can be asked for as text.

    ``check`` turns text into the value; its ``ValueError`` goes on from the field's name: "must be
    …". ``shown`` is the default as people read it, ``value`` stands for the value in the help. A
    ``bare`` one is written without its name. A default of ``MISSING`` means: has to be given.
    """
    metadata = {"help": help_text, "check": check, "shown": shown, "value": value, "bare": bare}
    return field(default=default, repr=repr, metadata=metadata)


# --- Checks -------------------------------------------------------------------------------------


def on_or_off(text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise ValueError("must be on or off")
    return text.lower() == "on"


def some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def some_path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("is no file")
    return Path(some_text(text)).expanduser()


def one_of(*choices: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")
        return text

    return check


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        # int() would also take "1_000", "+1" and digits of other scripts.
        if not re.fullmatch(r"[0-9]{1,18}", text.strip()) or not lowest <= int(text) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(text)

    return check


# --- Reading them -------------------------------------------------------------------------------


def read_options(
    kind: type[_Asked],
    flags: Mapping[str, str | None],
    otherwise: Mapping[str, tuple[str, str]] | None = None,
) -> _Asked:
    """An object of a dataclass of ``option`` fields, from texts.

    ``otherwise`` holds, by name, where a text comes from and the text, for those without a flag.
    Raises ``SettingsError`` for an unknown flag, a missing or an impossible value.
    """
    options = {name_of(option): option for option in fields(kind)}
    for name in flags:
        if name not in options:
            raise SettingsError(
                f"{f'--{name}'!a} is no setting.{did_you_mean(name, options, '--')}"
            )
    values: dict[str, Any] = {}
    for name, option in options.items():
        check = option.metadata["check"]
        if name in flags:
            source, text = name.upper() if option.metadata["bare"] else f"--{name}", flags[name]
            if text is None and check is not on_or_off:
                raise SettingsError(f"{source} needs a value: {usage_of(option)}.")
        elif otherwise and name in otherwise:
            source, text = otherwise[name]
        elif option.default is MISSING:
            raise SettingsError(f"{usage_of(option)} is missing: {option.metadata['help']}.")
        else:
            continue
        try:
            values[option.name] = check("on" if text is None else text)
        except ValueError as error:
            raise SettingsError(f"{source} {error}.") from None
    return kind(**values)


# --- Telling about them -------------------------------------------------------------------------


def name_of(option: "Field[Any]") -> str:
    """As on the command line: ``data-dir``."""
    return option.name.replace("_", "-")


def usage_of(option: "Field[Any]") -> str:
    """How it is written: ``--data-dir=VALUE``, or ``ID``."""
    if option.metadata["bare"]:
        return option.name.upper()
    return f"--{name_of(option)}={option.metadata['value'] or 'VALUE'}"


def default_of(option: "Field[Any]") -> str:
    """The default as people read it."""
    if option.metadata["shown"]:
        return str(option.metadata["shown"])
    if isinstance(option.default, bool):
        return "on" if option.default else "off"
    return "none" if option.default in (None, "", ()) else str(option.default)


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """A hint at the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {prefix}{near[0]}?" if near else ""
