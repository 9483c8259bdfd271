"""A network that fails on request: a TCP relay on loopback, before the server's door or before the
database.

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
Filter = Callable[[bytes], bytes]  # what becomes of the bytes of one connection, chunk by chunk

LINK: Final = "a proxy's link"  # what its tasks are called
CHUNK_BYTES: Final = 16 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER, zero seconds: a RST instead of a FIN
TURNS: Final = 10  # of the loop, in which asyncio makes an accepted connection, or ends one


class Proxy:
    """Relays to ``port`` on loopback. ``heal`` ends every fault."""

    def __init__(self, port: int, *, seed: int = 0) -> None:
        self.port = 0
        self.carried: dict[Direction, int] = {"up": 0, "down": 0}  # bytes, since the start
        self.random = random.Random(seed)
        self._server_port = port
        self._listener: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], _Link] = {}
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
        self._refusing = True  # also whom the listener has let in this moment
        if self._listener is not None:
            # Python 3.11 forgets whom it has accepted and not yet made a transport of, if the
            # listener is closed in between: so it accepts nobody, they come in, and it is closed.
            for listening in self._listener.sockets:
                asyncio.get_running_loop().remove_reader(listening)
            await _turns()
            self._listener.close()
        links = dict(self._links)
        for task in links:
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        for link in links.values():  # one that was cancelled before it began has closed nothing
            link.reset()
        await _turns()  # in which what was aborted is closed

    # --- Faults ---------------------------------------------------------------------------------

    def heal(self) -> None:
        """Ends every fault. What was held flows on, what was swallowed is lost."""
        self._refusing = False
        self._delay = 0.0
        self._pace: dict[Direction, float] = {}
        self._filters: dict[Direction, Callable[[], Filter]] = {}
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

    def throttle(self, bytes_per_second: float, *directions: Direction) -> None:
        """Lets no connection carry more than this."""
        for direction in directions or ("up", "down"):
            self._pace[direction] = bytes_per_second

    def filter(self, direction: Direction, new: Callable[[], Filter]) -> None:
        """Changes what new connections carry: ``new`` makes each its filter."""
        self._filters[direction] = new

    def cut_after(self, count: int, direction: Direction) -> None:
        """Resets the connection that carries the ``count``-th byte from now on, behind it."""
        self._left[direction] = count

    def reset(self) -> None:
        """Resets every open connection."""
        for link in list(self._links.values()):
            link.reset()

    def half_close(self, direction: Direction) -> None:
        """Tells the far end of every open connection that nothing more comes this way, and loses
        what does; the other way goes on."""
        for link in self._links.values():
            link.close(direction)

    def strike(self) -> str:
        """Does one thing out of what networks do, by chance, and returns its name: a reset, a cut
        inside of something, a half-close, or a delay from now on."""
        direction: Direction = self.random.choice(["up", "down"])
        fault = self.random.choice(["reset", "cut", "cut", "half-close", "delay"])
        if fault == "reset":
            self.reset()
        elif fault == "cut":
            self.cut_after(self.random.randrange(1, 3_000), direction)
        elif fault == "half-close":
            self.half_close(direction)
        else:
            self.delay(self.random.uniform(0, 0.05))
        return f"{fault} {direction}"

    def refuse(self) -> None:
        """Resets every open connection, and each new one at once."""
        self._refusing = True
        self.reset()

    # --- Relaying -------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        link = _Link({"down": to_client})
        if self._refusing:
            link.reset()
            return
        task = asyncio.get_running_loop().create_task(self._run(client, link), name=LINK)
        self._links[task] = link
        task.add_done_callback(self._links.pop)

    async def _run(self, client: asyncio.StreamReader, link: "_Link") -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
            link.writers["up"] = to_server
            async with asyncio.TaskGroup() as both:
                both.create_task(self._relay("up", client, link), name=LINK)
                both.create_task(self._relay("down", server, link), name=LINK)
        except OSError:
            pass  # the server is away, and so is the connection
        finally:
            for writer in link.writers.values():
                writer.transport.abort()

    async def _relay(
        self, direction: Direction, reader: asyncio.StreamReader, link: "_Link"
    ) -> None:
        writer = link.writers[direction]
        new_filter = self._filters.get(direction)
        change = new_filter() if new_filter else None
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                if self._delay:
                    await asyncio.sleep(self.random.uniform(0, self._delay))
                if pace := self._pace.get(direction):
                    await asyncio.sleep(len(chunk) / pace)
                await self._open[direction].wait()
                self.on_bytes(direction, chunk)
                if direction in self._swallowed or direction in link.closed:
                    continue
                left = self._left[direction]
                if left is not None and left <= len(chunk):
                    self._left[direction] = None
                    writer.write(chunk[:left])
                    await writer.drain()
                    link.reset()
                    return
                if left is not None:
                    self._left[direction] = left - len(chunk)
                self.carried[direction] += len(chunk)
                writer.write(change(chunk) if change else chunk)
                await writer.drain()
            await self._open[direction].wait()
            link.close(direction)
        except OSError:
            link.reset()


async def _turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


class _Link:
    """One connection through here: who is written to in each direction."""

    def __init__(self, writers: dict[Direction, asyncio.StreamWriter]) -> None:
        self.writers = writers
        self.closed: set[Direction] = set()

    def close(self, direction: Direction) -> None:
        writer = self.writers.get(direction)
        if writer is not None and direction not in self.closed and not writer.is_closing():
            self.closed.add(direction)
            writer.write_eof()

    def reset(self) -> None:
        for writer in self.writers.values():
            raw: socket.socket | None = writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()
