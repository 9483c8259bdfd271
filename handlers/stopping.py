"""How the server ends: asked by a signal, politely, and within ten seconds whatever hangs.

CONTRACT section 1: no new connections, every accepted message stored and acknowledged, sockets
closed with 1012. What happens in which order is ``stop_politely``'s.
"""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from tornado.httpserver import HTTPServer

from handlers.base import Parts
from handlers.gate import Gate
from handlers.terminal import WRONG
from models.errors import Unavailable
from models.hub import Hub

# CONTRACT section 1: it has stopped within 10 s. At the worst ``Shop.drain`` takes 5.5, the rest of
# it 3, and the embedded database what is left, down to a moment.
FORCED_SECONDS: Final = 9.5
ENGINE_SECONDS: Final = (0.3, 3.0)
RESERVE_SECONDS: Final = 1.0  # for ending what did not go politely
ANSWERS_SECONDS: Final = 0.5  # for the last answers to be taken
SPREAD_SECONDS: Final = 1.5  # over which many sockets are closed
SPREAD_SOCKETS: Final = 1000  # in a second: each of them comes back and asks for what it missed
GOODBYE_SECONDS: Final = 0.5  # for clients to answer the close of their socket
RESTARTING: Final = 1012  # RFC 6455 registry: service restart

logger = logging.getLogger("shopbell.server")


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
        self._forced_at = 0.0
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._heed, number)

    @property
    def engine_seconds(self) -> float:
        """How long the embedded database may take to end, of what is left of the time."""
        if not self.asked.is_set():
            return ENGINE_SECONDS[1]
        left = self._forced_at - self._loop.time() - RESERVE_SECONDS
        return min(max(ENGINE_SECONDS[0], left), ENGINE_SECONDS[1])

    def run_beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Starts a task; it is cancelled with the loop."""
        task = self._loop.create_task(work, name=name)
        self._beside.add(task)
        task.add_done_callback(self._notice)

    def ask(self) -> None:
        """Asks for the stop, as a signal does."""
        if not self.asked.is_set():
            self.asked.set()
            self._forced_at = self._loop.time() + FORCED_SECONDS
            self._loop.call_at(self._forced_at, self._force, "Stopping took too long.")

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


async def stop_politely(gate: Gate, server: HTTPServer, parts: Parts) -> None:
    """Nothing new comes in, what was accepted is stored and answered, then the sockets go."""
    gate.close()
    hub = parts.shop.hub
    try:
        await parts.shop.drain()
    except Unavailable:
        logger.warning("The database does not answer; the next start finds what was stored.")
    await _until(lambda: hub.is_quiet and not parts.unanswered, ANSWERS_SECONDS)
    await _dismiss(hub)
    with suppress(TimeoutError):
        await asyncio.wait_for(server.close_all_connections(), GOODBYE_SECONDS)


async def _dismiss(hub: Hub) -> None:
    """Closes all sockets with 1012, many of them in random order over a while: what they all do
    then, in their pages and on the next server, they do not do in the same moment."""
    loop = asyncio.get_running_loop()
    spread = min(SPREAD_SECONDS, hub.count / SPREAD_SOCKETS)
    for connection in hub.everybody():
        wait = random.uniform(0, spread)
        loop.call_later(wait, connection.close, RESTARTING, "the server restarts")
    await _until(lambda: not hub.count, spread + GOODBYE_SECONDS)


async def _until(is_so: Callable[[], bool], seconds: float) -> None:
    """Waits for what clients do in their own time, but not for long."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + seconds
    while not is_so() and loop.time() < limit:  # noqa: ASYNC110  # asked twice in a life
        await asyncio.sleep(0.02)
