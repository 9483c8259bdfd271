"""A network that fails on request: a TCP relay on loopback between a client and its server.

Faults are switched while it runs and hold for connections that are open as well as for new ones.
Chance (``Proxy(seed=…)``) only decides where a fault hits, so a failure can be repeated.
"""

import asyncio
import random
import re
import socket
import struct
from collections.abc import Callable
from typing import Final, Literal

Direction = Literal["up", "down"]  # towards the server, and back to the client

CHUNK_BYTES: Final = 16 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER, zero seconds: a RST instead of a FIN


class Proxy:
    """Relays to ``port`` on loopback. ``heal`` ends every fault."""

    def __init__(self, port: int, *, seed: int = 0) -> None:
        self.port = 0
        self.carried: dict[Direction, int] = {"up": 0, "down": 0}  # bytes, since the start
        self.random = random.Random(seed)
        self._server_port = port
        self._listener: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._open = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.heal()

    @classmethod
    def before(cls, uri: str, *, seed: int = 0) -> "Proxy":
        """A proxy to the server that a URI names."""
        port = re.search(r"127\.0\.0\.1:(\d+)", uri)
        if port is None:
            raise ValueError("Only a server on loopback can be put behind a proxy.")
        return cls(int(port[1]), seed=seed)

    def uri(self, uri: str) -> str:
        """The server's URI, leading through here."""
        return uri.replace(f":{self._server_port}", f":{self.port}")

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    # --- Faults ---------------------------------------------------------------------------------

    def heal(self) -> None:
        """Ends every fault. What was held flows on, what was swallowed is lost."""
        self._refusing = False
        self._delay = 0.0
        self._swallowed: set[Direction] = set()
        self._left: dict[Direction, int | None] = {"up": None, "down": None}
        self.on_bytes: Callable[[Direction, bytes], None] = lambda direction, chunk: None
        for gate in self._open.values():
            gate.set()

    def hold(self, *directions: Direction) -> None:
        """Keeps bytes back, as a paused process does: they arrive when it is healed, even if
        whoever sent them has gone."""
        for direction in directions or ("up", "down"):
            self._open[direction].clear()

    def swallow(self, *directions: Direction) -> None:
        """Loses bytes for good, as a dead route does; connections stay open."""
        self._swallowed |= set(directions or ("up", "down"))

    def delay(self, seconds: float) -> None:
        """Lets every chunk take up to this long."""
        self._delay = seconds

    def cut_after(self, count: int, direction: Direction) -> None:
        """Resets the connection that carries the ``count``-th byte from now on, behind it."""
        self._left[direction] = count

    def reset(self) -> None:
        """Resets every open connection."""
        for writers in self._links.values():
            _reset(writers)

    def refuse(self) -> None:
        """Resets every open connection, and each new one at once."""
        self._refusing = True
        self.reset()

    # --- Relaying -------------------------------------------------------------------------------

    def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self._refusing:
            _reset([to_client])
            return
        writers = [to_client]
        link = asyncio.get_running_loop().create_task(self._link(client, writers))
        self._links[link] = writers
        link.add_done_callback(self._links.pop)

    async def _link(
        self, client: asyncio.StreamReader, writers: list[asyncio.StreamWriter]
    ) -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
            writers.append(to_server)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._relay("up", client, to_server, writers))
                both.create_task(self._relay("down", server, writers[0], writers))
        except OSError:
            pass  # the server is away, and so is the connection
        finally:
            for writer in writers:
                writer.transport.abort()

    async def _relay(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: list[asyncio.StreamWriter],
    ) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                if self._delay:
                    await asyncio.sleep(self.random.uniform(0, self._delay))
                await self._open[direction].wait()
                self.on_bytes(direction, chunk)
                if direction in self._swallowed:
                    continue
                left = self._left[direction]
                if left is not None and left <= len(chunk):
                    self._left[direction] = None
                    writer.write(chunk[:left])
                    await writer.drain()
                    _reset(both)
                    return
                if left is not None:
                    self._left[direction] = left - len(chunk)
                self.carried[direction] += len(chunk)
                writer.write(chunk)
                await writer.drain()
            await self._open[direction].wait()
            if not writer.is_closing():
                writer.write_eof()
        except OSError:
            _reset(both)


def _reset(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        raw: socket.socket | None = writer.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()
