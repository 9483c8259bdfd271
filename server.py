"""Shopbell's front door: reads what is asked for, puts the parts together, listens, stops politely.

``python server.py --help`` says what can be asked for. Imported by nobody.
"""

import asyncio
import errno
import gc
import logging
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from handlers.base import Parts
from handlers.commands import carry_out
from handlers.gate import BACKLOG, Gate, raise_descriptor_limit
from handlers.languages import LANGUAGES, spoken
from handlers.listener import listener
from handlers.stopping import Stopping, stop_politely
from handlers.terminal import IMPOSSIBLE, WRONG, say, warn
from models import checks, logs
from models.backup import BackupRefused
from models.commandline import Serve, read_command_line
from models.demo import prepare_demo
from models.engine import Engine, EngineError
from models.errors import ChatError
from models.options import SettingsError
from models.settings import Settings
from models.shop import Shop
from models.store import RestoreUnfinished, SchemaTooNew, Store, UriRefused, create_user, probe


def main(arguments: Sequence[str]) -> int:
    """Does what the words on the command line ask for, and returns the exit status."""
    try:
        command, settings = read_command_line(arguments, os.environ)
        is_server = isinstance(command, Serve)
        logs.set_up(settings.log_format, level=logging.INFO if is_server else logging.WARNING)
        if faults := checks.faults_of_program():
            return _refused(*faults)
        if is_server:
            return _left(asyncio.run(serve(settings)))
        return asyncio.run(carry_out(command, settings))
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
    except BrokenPipeError:  # who reads what we print has had enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at its end
        return WRONG


def _refused(*sentences: str, status: int = WRONG) -> int:
    warn(*sentences)
    return status


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
        doors = Parts(shop, lambda: not stopping.asked.is_set())
        server = http_server(doors)
        gate = Gate(server, sockets)
        gc.collect()
        gc.freeze()  # what lives as long as the server does not lengthen the collector's pauses
        if not stopping.asked.is_set():
            say(ready_line(settings))
        await stopping.asked.wait()
        await stop_politely(gate, server, doors)
    return stopping.status


def _left(status: int) -> int:
    """Ends the process. The interpreter would wait for threads of the driver that wait, up to five
    seconds, for a database that hangs."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


def http_server(parts: Parts) -> HTTPServer:
    """The doors, ready to be opened."""
    for code in LANGUAGES:
        spoken(code)  # now, and not while somebody waits for the first page in it
    return listener(parts)


def listening_sockets(settings: Settings) -> list[socket.socket]:
    """Takes the port, before anything is started: what comes early waits until it is served, and so
    does a crowd that comes back at once, where the system has no lower limit (Linux:
    ``net.core.somaxconn``).

    Raises ``PortTaken``, or ``SettingsError``.
    """
    try:
        return bind_sockets(settings.port, settings.address, backlog=BACKLOG)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
