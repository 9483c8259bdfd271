"""Who comes while nobody can be let in waits, and costs nothing meanwhile."""

import asyncio
import errno
import os
import socket
from typing import Any

from handlers.gate import Gate


class Scarce:
    """A listening socket of a system that has no room for some time."""

    def __init__(self, refusals):
        self.refusals = refusals
        self.asked = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address = self._socket.getsockname()
        self.fileno = self._socket.fileno
        self.close = self._socket.close

    def accept(self):
        self.asked += 1
        if self.asked <= self.refusals:
            raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))
        return self._socket.accept()


class Server:
    def __init__(self):
        self.came = asyncio.Event()

    def handle_stream(self, stream, address):
        stream.close()
        self.came.set()


async def test_a_system_without_room_is_asked_again_after_a_while(caplog):
    """Fails when the error is left to the loop, which asks again at once and logs each answer."""
    listening: Any = Scarce(refusals=3)
    server: Any = Server()
    gate = Gate(server, [listening])
    loop = asyncio.get_running_loop()
    begun = loop.time()
    _, visitor = await asyncio.open_connection(*listening.address)
    await asyncio.wait_for(server.came.wait(), 10)
    assert loop.time() - begun > 0.25
    assert [record.getMessage() for record in caplog.records] == [
        "visitors wait: the system lets nobody in: Too many open files in system"
    ]
    gate.close()
    visitor.close()
