"""Shopbell's front door: reads what is asked for, puts the parts together, listens, stops politely.

``python server.py --help`` says what can be asked for. Imported by nobody.
"""

import asyncio
import errno
import getpass
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from handlers.base import Parts
from handlers.gate import Gate, raise_descriptor_limit
from handlers.languages import LANGUAGES, spoken
from handlers.listener import listener
from handlers.outside import faults_from_outside, is_running
from handlers.stopping import WRONG, Stopping, stop_politely
from models import checks, logs
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
    Serve,
    SetPassword,
    Token,
    help_text,
    read_command_line,
)
from models.conversation import Participant
from models.demo import prepare_demo
from models.engine import Engine, EngineError, has_database, running_uri
from models.erasure import carried_out, ordered
from models.errors import ChatError, Invalid, NotFound
from models.export import exported
from models.options import SettingsError
from models.pace import Pace
from models.passwords import PASSWORD_CHARACTERS, checked_password
from models.settings import SECRET_FILES, Settings
from models.shop import Shop
from models.store import (
    RestoreUnfinished,
    SchemaTooNew,
    Store,
    UriRefused,
    create_user,
    probe,
)
from models.tokens import Tokens

IMPOSSIBLE: Final = 2  # exit status: an unknown setting or an impossible value, nothing was started


logger = logging.getLogger("shopbell.server")


def main(arguments: Sequence[str]) -> int:
    """Does what the words on the command line ask for, and returns the exit status."""
    try:
        command, settings = read_command_line(arguments, os.environ)
        is_server = isinstance(command, Serve)
        logs.set_up(settings.log_format, level=logging.INFO if is_server else logging.WARNING)
        if faults := checks.faults_of_program():
            return _refused(*faults)
        status = asyncio.run(_done(command, settings))
        return _left(status) if is_server else status
    except SettingsError as error:
        return _refused(str(error), status=IMPOSSIBLE)
    except UriRefused as error:
        return _refused(f"The database's URI is wrong: {error}", status=IMPOSSIBLE)
    except ChatError as error:
        return _refused(error.message)
    except (EngineError, PortTaken, SchemaTooNew, RestoreUnfinished, BackupRefused) as error:
        return _refused(str(error))
    except KeyboardInterrupt:
        return _refused("Stopped.")


async def _done(command: Command, settings: Settings) -> int:
    match command:
        case Serve():
            return await serve(settings)
        case Help():
            _say(help_text())
        case Check():
            return await check(settings)
        case Token():
            _say(signed_token(command, settings.with_secrets()))
        case AddSeller(id=id_, name=name, email=email):
            password = asked_password()
            async with opened_accounts(settings) as accounts:
                await accounts.add_seller(id_, name, email, password)
            _say(f"{id_} can sign in now.")
        case SetPassword(id=id_):
            password = asked_password()
            async with opened_accounts(settings) as accounts:
                await accounts.set_password(id_, password)
            _say(f"{id_} has a new password.")
        case DisableSeller(id=id_):
            async with opened_accounts(settings) as accounts:
                await accounts.set_disabled(id_, True)
            _say(f"{id_} cannot sign in any more.")
        case EnableSeller(id=id_):
            async with opened_accounts(settings) as accounts:
                await accounts.set_disabled(id_, False)
            _say(f"{id_} can sign in again.")
        case Backup(file=file):
            await write_backup(file, settings)
        case Restore(file=file):
            await put_backup_back(file, settings)
        case Export(id=id_, type=type_):
            await export(Participant(type_, id_), settings)
        case Erase(id=id_, type=type_):
            await erase(Participant(type_, id_), settings)
    return 0


# --- Commands -------------------------------------------------------------------------------------


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
    """Says what is wrong, a line each, and returns the exit status. Changes nothing."""
    faults = [
        *checks.faults_of_settings(settings),
        *checks.faults_of_clock(datetime.now(UTC)),
        *await faults_of_database(settings),
    ]
    looked_at = "Settings, database and clock"
    if await runs_beside(settings):
        faults += await faults_from_outside(settings.with_secrets())
        looked_at = "Settings, database, clock and the way from browsers"
    _say("\n".join(faults) or f"{looked_at} are as they should be.")
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
    _say(f"{path} holds all that is stored. The secrets are not in it: keep a copy of them apart.")


async def put_backup_back(path: Path, settings: Settings) -> None:
    """Restores a backup into an empty place. Raises ``BackupRefused``."""
    is_embedded = settings.mongodb_uri is None
    if is_embedded and await running_uri(settings.data_dir):
        raise BackupRefused(f"A server runs on {settings.data_dir}; stop it first.")
    with checked_backup(path) as backup:
        async with opened_store(settings, is_to_serve=False) as store:
            await restore(store.archive, backup, alone=is_embedded)
        header = backup.contents.header
    _say(f"All is as it was at {header.begun_at:%Y-%m-%d %H:%M} UTC. Sellers sign in anew.")
    if header.secret != mark_of_secret(settings.known_secret()):
        _warn(
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
    _say(f"{participant.type} {participant.id} is erased.")


def check_there_is_a_database(settings: Settings) -> None:
    """So that none is made where nobody can be found. Raises ``NotFound``."""
    if settings.mongodb_uri is None and not has_database(settings.data_dir):
        raise NotFound(f"There is no database in {settings.data_dir}.")


def asked_password() -> str:
    """A new password, typed twice at a terminal, else the first line of standard input.

    Raises ``Invalid``.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise Invalid("The two passwords differ.", field="password")
        return checked_password(password)
    line = sys.stdin.buffer.readline(8 * PASSWORD_CHARACTERS)
    try:
        return checked_password(line.decode().rstrip("\r\n"))
    except UnicodeDecodeError:
        raise Invalid("The password is not in UTF-8.", field="password") from None


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


# --- Serving --------------------------------------------------------------------------------------


async def serve(settings: Settings) -> int:
    """Runs the server until it is told to stop, and returns the exit status."""
    stopping = Stopping()
    raise_descriptor_limit()
    sockets = listening_sockets(settings)
    settings = settings.listening_on(sockets[0].getsockname()[1]).with_secrets()
    async with AsyncExitStack() as parts:
        uri = settings.mongodb_uri
        if uri is None:
            engine = Engine(settings.data_dir, create_user=create_user, probe=probe)
            uri = await engine.start()
            parts.push_async_callback(lambda: engine.stop(stopping.engine_seconds))
            stopping.run_beside(engine.watch(), "engine")
        shop = Shop(settings, Store(uri, settings.database))
        parts.callback(shop.close)
        await shop.open()
        for name, work in shop.work().items():
            stopping.run_beside(work, name)
        if settings.demo:
            await prepare_demo(shop)
        server = http_server(shop, stopping)
        gate = Gate(server, sockets)
        if not stopping.asked.is_set():
            _say(ready_line(settings))
        await stopping.asked.wait()
        await stop_politely(gate, server, shop)
    return stopping.status


def _left(status: int) -> int:
    """Ends the process. The interpreter would wait for threads of the driver that wait, up to five
    seconds, for a database that hangs."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


def http_server(shop: Shop, stopping: Stopping) -> HTTPServer:
    """The doors, ready to be opened."""
    for code in LANGUAGES:
        spoken(code)  # now, and not while somebody waits for the first page in it
    return listener(Parts(shop, lambda: not stopping.asked.is_set()))


def listening_sockets(settings: Settings) -> list[socket.socket]:
    """Takes the port, before anything is started: what comes early waits until it is served.

    Raises ``PortTaken``, or ``SettingsError``.
    """
    try:
        return bind_sockets(settings.port, settings.address)
    except OSError as error:
        sentence = f"{settings.address}, port {settings.port}, cannot be listened on: "
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"{sentence}somebody else does.") from None
        raise SettingsError(f"{sentence}{error.strerror}.") from None


def ready_line(settings: Settings) -> str:
    """What is said on standard output when it can serve; nothing else ever is."""
    line = f"Shopbell is listening on {settings.listening_url}"
    return line if settings.origin == settings.listening_url else f"{line} for {settings.origin}"


class PortTaken(Exception):
    """Somebody else listens where we were to listen."""


# --- Saying things --------------------------------------------------------------------------------


def _say(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def _warn(*sentences: str) -> None:
    for sentence in sentences:
        sys.stderr.write(f"server.py: {' '.join(sentence.split())}\n")


def _refused(*sentences: str, status: int = WRONG) -> int:
    _warn(*sentences)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
