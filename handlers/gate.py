"""Takes connections in for an HTTP server, as long as there are descriptors to spare.

Tornado's own way raises where there are none left, and is called again at once, without end.
"""

import asyncio
import logging
import os
import resource
import socket
import time
from collections.abc import Sequence
from typing import Final

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

DESCRIPTORS: Final = (
    8192  # 2,000 sockets (CONTRACT section 4), the pages beside them, and a reserve
)
SPARE: Final = 64  # for the database's connections, its restart, and files; a quarter of few
PAUSE_SECONDS: Final = 0.1  # between two looks whether there are some again
BACKLOG: Final = 4096  # connections that wait to be taken in; further ones try again in 1, 3, 7 s
AT_ONCE: Final = 128  # taken in; then others get their turn
QUIET_SECONDS: Final = 60.0  # between two lines in the log

log = logging.getLogger("shopbell.gate")


def raise_descriptor_limit() -> None:
    """Asks the system for as many descriptors as it lets this process have, up to what we need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Gate:
    """Hands the connections of bound sockets to ``server``.

    Whoever comes while no descriptor is to spare waits in the system's queue until one is.
    """

    def __init__(self, server: HTTPServer, sockets: Sequence[socket.socket]) -> None:
        self._server = server
        self._sockets = sockets
        self._loop = asyncio.get_running_loop()
        self._told_at = -QUIET_SECONDS
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._highest = limit - min(SPARE, limit // 4)
        self._is_limited = limit != resource.RLIM_INFINITY
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        for listening in sockets:
            self._listen(listening)

    def close(self) -> None:
        """Takes nobody in any more; open connections go on."""
        for pause in self._pauses.values():
            pause.cancel()
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()

    def _listen(self, listening: socket.socket) -> None:
        self._pauses.pop(listening, None)
        self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            if not self._has_descriptors(listening):
                self._pause(listening, "no descriptors to spare; raise the limit (ulimit -n)")
                return
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return  # nobody else is there
            except ConnectionAbortedError:
                continue  # gone before its turn came
            except OSError as error:  # accept(2): the system as a whole has no more
                self._pause(listening, f"the system lets nobody in: {error.strerror}")
                return
            self._server.handle_stream(IOStream(connection), address)

    def _pause(self, listening: socket.socket, why: str) -> None:
        """Asked again at once, the system would say the same, without end."""
        self._loop.remove_reader(listening)
        self._pauses[listening] = self._loop.call_later(PAUSE_SECONDS, self._listen, listening)
        if time.monotonic() - self._told_at >= QUIET_SECONDS:
            self._told_at = time.monotonic()
            log.warning("visitors wait: %s", why)

    def _has_descriptors(self, listening: socket.socket) -> bool:
        """Whether enough are left. A new one gets the lowest number that is free."""
        if not self._is_limited:
            return True
        try:
            lowest = os.dup(listening.fileno())
        except OSError:
            lowest = self._highest
        else:
            os.close(lowest)
        return lowest < self._highest
