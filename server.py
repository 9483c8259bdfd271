"""Shopbell's front door: reads what is asked for, puts the parts together, listens, stops politely.

``python server.py --help`` says what can be asked for. Imported by nobody.
"""

import asyncio
import errno
import getpass
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from handlers.base import Parts
from handlers.languages import LANGUAGES, spoken
from handlers.listener import listener
from models import checks, logs
from models.accounts import Accounts
from models.commandline import (
    AddSeller,
    Check,
    Command,
    DisableSeller,
    EnableSeller,
    Help,
    Serve,
    SetPassword,
    Token,
    help_text,
    read_command_line,
)
from models.conversation import Participant
from models.demo import prepare_demo
from models.engine import Engine, EngineError, running_uri
from models.errors import ChatError, Invalid, Unavailable
from models.options import SettingsError
from models.pace import Pace
from models.passwords import PASSWORD_CHARACTERS, checked_password
from models.settings import Settings
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

WRONG: Final = 1  # exit status: it was understood, and could not be done
IMPOSSIBLE: Final = 2  # exit status: an unknown setting or an impossible value, nothing was started

STOP_SECONDS: Final = 9.5  # CONTRACT section 1: it has stopped within 10
GOODBYE_SECONDS: Final = 1.0  # for clients to answer the close of their socket
RESTARTING: Final = 1012  # RFC 6455 registry: service restart

logger = logging.getLogger("shopbell.server")


def main(arguments: Sequence[str]) -> int:
    """Does what the words on the command line ask for, and returns the exit status."""
    try:
        command, settings = read_command_line(arguments, os.environ)
        is_server = isinstance(command, Serve)
        logs.set_up(settings.log_format, level=logging.INFO if is_server else logging.WARNING)
        if faults := checks.faults_of_program():
            return _refused(*faults)
        return asyncio.run(_done(command, settings))
    except SettingsError as error:
        return _refused(str(error), status=IMPOSSIBLE)
    except UriRefused as error:
        return _refused(f"The database's URI is wrong: {error}", status=IMPOSSIBLE)
    except ChatError as error:
        return _refused(error.message)
    except (EngineError, PortTaken, SchemaTooNew, RestoreUnfinished) as error:
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
    """Says what is wrong, a line each, and returns the exit status."""
    now = datetime.now(UTC)
    faults = [*checks.faults_of_settings(settings), *checks.faults_of_clock(now)]
    try:
        async with opened_store(settings) as store:
            greeting, newest = await store.greeting(), await store.settled_at()
            now = datetime.now(UTC)
            is_embedded = settings.mongodb_uri is None
            faults += checks.faults_of_database(greeting, newest, now, is_embedded=is_embedded)
            await store.probe()
    except (ChatError, EngineError, SchemaTooNew, RestoreUnfinished) as error:
        faults.append(str(error))
    _say("\n".join(faults) or "Settings, database and clock are as they should be.")
    return WRONG if faults else 0


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
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """The shop's database for the while of a command: the one that ``settings`` name, the embedded
    one of the server that is running, or else the embedded one, started for it."""
    async with AsyncExitStack() as parts:
        uri = settings.mongodb_uri or await running_uri(settings.data_dir)
        if uri is None:
            engine = Engine(settings.data_dir, create_user=create_user, probe=probe)
            uri = await engine.start()
            parts.push_async_callback(engine.stop)
        store = Store(uri, settings.database)
        parts.callback(store.close)
        await store.prepare()
        yield store


# --- Serving --------------------------------------------------------------------------------------


async def serve(settings: Settings) -> int:
    """Runs the server until it is told to stop, and returns the exit status."""
    stopping = Stopping()
    sockets = listening_sockets(settings)
    settings = settings.listening_on(sockets[0].getsockname()[1]).with_secrets()
    async with AsyncExitStack() as parts:
        uri = settings.mongodb_uri
        if uri is None:
            engine = Engine(settings.data_dir, create_user=create_user, probe=probe)
            uri = await engine.start()
            parts.push_async_callback(engine.stop)
            stopping.run_beside(engine.watch(), "engine")
        shop = Shop(settings, Store(uri, settings.database))
        parts.callback(shop.close)
        await shop.open()
        for name, work in shop.work().items():
            stopping.run_beside(work, name)
        if settings.demo:
            await prepare_demo(shop)
        server = http_server(shop, stopping)
        server.add_sockets(sockets)
        if not stopping.asked.is_set():
            _say(ready_line(settings))
        await stopping.asked.wait()
        await stop_politely(server, shop)
    return stopping.status


def http_server(shop: Shop, stopping: "Stopping") -> HTTPServer:
    """The doors, ready to be opened."""
    for code in LANGUAGES:
        spoken(code)  # now, and not while somebody waits for the first page in it
    return listener(Parts(shop, lambda: not stopping.asked.is_set()))


async def stop_politely(server: HTTPServer, shop: Shop) -> None:
    """Nothing new comes in, what was accepted is stored and answered, then the sockets go."""
    server.stop()
    try:
        await shop.drain()
    except Unavailable:
        logger.warning("The database does not answer; the next start finds what was stored.")
    await _until(lambda: shop.hub.is_quiet)
    for connection in shop.hub.everybody():
        connection.close(RESTARTING, "the server restarts")
    await _until(lambda: not shop.hub.count)
    with suppress(TimeoutError):
        await asyncio.wait_for(server.close_all_connections(), GOODBYE_SECONDS)


async def _until(is_so: Callable[[], bool]) -> None:
    """Waits for what clients do in their own time, but not for long."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + GOODBYE_SECONDS
    while not is_so() and loop.time() < limit:  # noqa: ASYNC110  # asked twice in a life
        await asyncio.sleep(0.02)


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


class Stopping:
    """When the server has to stop, and with which exit status.

    The first SIGTERM or SIGINT asks for it, the second one ends the process at once; so does the
    end of the time that stopping may take. What runs beside is for the whole life of the server: if
    it fails, the server stops as well.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.status = 0
        self._beside: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._heed, number)

    def run_beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Starts a task; it is cancelled with the loop."""
        task = self._loop.create_task(work, name=name)
        self._beside.add(task)
        task.add_done_callback(self._notice)

    def ask(self) -> None:
        """Asks for the stop, as a signal does."""
        if not self.asked.is_set():
            self.asked.set()
            self._loop.call_later(STOP_SECONDS, self._force, "Stopping took too long.")

    def _heed(self, number: signal.Signals) -> None:
        if self.asked.is_set():
            self._force(f"A second {number.name} came.")
        logger.info("Stopping, as %s came.", number.name)
        self.ask()

    def _notice(self, task: asyncio.Task[None]) -> None:
        self._beside.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.critical("%s failed; the server stops.", task.get_name(), exc_info=error)
            self.status = WRONG
            self.ask()

    def _force(self, why: str) -> None:
        logger.warning("%s The process ends at once.", why)
        os._exit(WRONG)  # the embedded database goes with us


# --- Saying things --------------------------------------------------------------------------------


def _say(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def _refused(*sentences: str, status: int = WRONG) -> int:
    for sentence in sentences:
        sys.stderr.write(f"server.py: {' '.join(sentence.split())}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
