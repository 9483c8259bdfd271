"""The commands of the command line but for serving: each beside a server that runs, or alone."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from handlers.outside import faults_from_outside, is_running
from handlers.terminal import WRONG, asked_password, say, warn
from models import checks
from models.accounts import Accounts
from models.backup import BackupRefused, back_up, checked_backup, mark_of_secret, restore
from models.commandline import (
    AddSeller,
    Backup,
    Check,
    Command,
    DisableSeller,
    EnableSeller,
    Erase,
    Export,
    Help,
    Restore,
    SetPassword,
    Token,
    help_text,
)
from models.conversation import Participant
from models.engine import Engine, EngineError, has_database, running_uri
from models.erasure import carried_out, ordered
from models.errors import ChatError, Invalid, NotFound
from models.export import exported
from models.options import SettingsError
from models.pace import Pace
from models.settings import SECRET_FILES, Settings
from models.store import Store, create_user, probe
from models.tokens import Tokens


async def carry_out(command: Command, settings: Settings) -> int:
    """Does what a command says, and returns the exit status. ``Serve`` is none of them.

    Raises the ``ChatError`` or the error of the engine, the store or the backup that says in words
    why it cannot be done.
    """
    match command:
        case Help():
            say(help_text())
        case Check():
            return await check(settings)
        case Token():
            say(signed_token(command, settings.with_secrets()))
        case AddSeller(id=id_, name=name, email=email):
            password = asked_password()
            async with opened_accounts(settings) as accounts:
                await accounts.add_seller(id_, name, email, password)
            say(f"{id_} can sign in now.")
        case SetPassword(id=id_):
            password = asked_password()
            async with opened_accounts(settings) as accounts:
                await accounts.set_password(id_, password)
            say(f"{id_} has a new password.")
        case DisableSeller(id=id_):
            async with opened_accounts(settings) as accounts:
                await accounts.set_disabled(id_, True)
            say(f"{id_} cannot sign in any more.")
        case EnableSeller(id=id_):
            async with opened_accounts(settings) as accounts:
                await accounts.set_disabled(id_, False)
            say(f"{id_} can sign in again.")
        case Backup(file=file):
            await write_backup(file, settings)
        case Restore(file=file):
            await put_backup_back(file, settings)
        case Export(id=id_, type=type_):
            await export(Participant(type_, id_), settings)
        case Erase(id=id_, type=type_):
            await erase(Participant(type_, id_), settings)
    return 0


def signed_token(asked: Token, settings: Settings) -> str:
    """The token that the command asks for. Raises ``Invalid``."""
    tokens = Tokens(settings.secret, settings.identity_secret)
    name = asked.name or asked.id
    token = tokens.issue(Participant(asked.type, asked.id), name, seconds=asked.expires)
    try:
        tokens.read(token)
    except ChatError:
        raise Invalid("No seller may have this ID.", field="id") from None
    return token


async def check(settings: Settings) -> int:
    """Says what is wrong, a line each, and returns the exit status. Changes nothing, but for making
    the embedded database where there is none yet: nothing else tells whether it can be had."""
    faults = [
        *checks.faults_of_settings(settings),
        *checks.faults_of_clock(datetime.now(UTC)),
        *await faults_of_database(settings),
    ]
    looked_at = "Settings, database and clock"
    if await runs_beside(settings):
        faults += await faults_from_outside(settings.with_secrets())
        looked_at = "Settings, database, clock and the way from browsers"
    say("\n".join(faults) or f"{looked_at} are as they should be.")
    return WRONG if faults else 0


async def faults_of_database(settings: Settings) -> list[str]:
    """What is wrong with the shop's database, in words."""
    try:
        async with opened_store(settings, is_to_serve=False) as store:
            is_embedded = settings.mongodb_uri is None
            return await checks.faults_of_database(store, is_embedded=is_embedded)
    except EngineError as error:
        return [str(error)]


async def runs_beside(settings: Settings) -> bool:
    """Whether this shop's server runs; one that never did has made no secrets."""
    try:
        return checks.has_secrets(settings) and await is_running(settings.with_secrets())
    except (OSError, SettingsError):
        return False  # which has been told


async def write_backup(path: Path, settings: Settings) -> None:
    """Writes a backup, also of a server that is running. Raises ``BackupRefused``."""
    if settings.mongodb_uri is None and not has_database(settings.data_dir):
        raise BackupRefused(f"There is no database in {settings.data_dir}.")
    async with opened_store(settings, is_to_serve=False) as store:
        await back_up(store.archive, path, secret=settings.known_secret())
    say(f"{path} holds all that is stored. The secrets are not in it: keep a copy of them apart.")


async def put_backup_back(path: Path, settings: Settings) -> None:
    """Restores a backup into an empty place. Raises ``BackupRefused``."""
    is_embedded = settings.mongodb_uri is None
    if is_embedded and await running_uri(settings.data_dir):
        raise BackupRefused(f"A server runs on {settings.data_dir}; stop it first.")
    with checked_backup(path) as backup:
        async with opened_store(settings, is_to_serve=False) as store:
            await restore(store.archive, backup, alone=is_embedded)
        header = backup.contents.header
    say(f"All is as it was at {header.begun_at:%Y-%m-%d %H:%M} UTC. Sellers sign in anew.")
    if header.secret != mark_of_secret(settings.known_secret()):
        warn(
            f"{settings.data_dir / SECRET_FILES[0]} is not the one that signed the tokens of this"
            " backup: put that in its place before you start, or guests cannot come back."
        )


async def export(participant: Participant, settings: Settings) -> None:
    """Prints what is kept of somebody. Raises ``NotFound``, ``Unavailable``."""
    check_there_is_a_database(settings)
    async with opened_store(settings) as store:
        async for piece in exported(store, participant, datetime.now(UTC)):
            sys.stdout.buffer.write(piece)
    sys.stdout.flush()


async def erase(participant: Participant, settings: Settings) -> None:
    """Removes somebody from the database; a server that is running follows by itself.

    Raises ``NotFound``, ``Unavailable``.
    """
    check_there_is_a_database(settings)
    async with opened_store(settings) as store:
        order = await ordered(store, participant)
        async for _ in carried_out(store, order):
            pass
    await asyncio.sleep(max(0.0, order.valid_from - time.time()))  # whoever comes now is new
    say(f"{participant.type} {participant.id} is erased.")


def check_there_is_a_database(settings: Settings) -> None:
    """So that none is made where nobody can be found. Raises ``NotFound``."""
    if settings.mongodb_uri is None and not has_database(settings.data_dir):
        raise NotFound(f"There is no database in {settings.data_dir}.")


# --- The database of a command -------------------------------------------------------------------


@asynccontextmanager
async def opened_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The sellers' accounts for the while of a command, also while the server runs."""
    settings = settings.with_secrets()
    tokens = Tokens(settings.secret, settings.identity_secret)
    async with opened_store(settings) as store:
        accounts = Accounts(store, tokens, Pace())
        try:
            yield accounts
        finally:
            accounts.close()


@asynccontextmanager
async def opened_store(settings: Settings, *, is_to_serve: bool = True) -> AsyncIterator[Store]:
    """The shop's database for the while of a command: the one that ``settings`` name, the embedded
    one of the server that is running, or else the embedded one, started for it. One that is not to
    serve is left as it is."""
    async with AsyncExitStack() as parts:
        uri = settings.mongodb_uri or await running_uri(settings.data_dir)
        if uri is None:
            engine = Engine(settings.data_dir, create_user=create_user, probe=probe)
            uri = await engine.start()
            parts.push_async_callback(engine.stop)
        store = Store(uri, settings.database)
        parts.callback(store.close)
        if is_to_serve:
            await store.prepare()
        yield store
