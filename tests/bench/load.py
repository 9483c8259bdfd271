"""The loads that are put on a server: so many messages at once, or so many a second.

A closed loop (``saturate``) keeps a number of messages under way and counts what is answered: what
a server can do. An open loop (``offer``) sends when a message is due, whatever became of those
before it, and counts from the moment it was due: what people would see (no coordinated omission).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Literal

from tests.bench.measuring import cpu_seconds, percentile, schedule
from tests.bench.people import Person
from tests.bench.sockets import PROTOCOLS, Message, Socket

AT_ONCE: Final = 25  # handshakes under way
WAIT_SECONDS: Final = 2.0  # for what was sent last; later it counts as it stands then

What = Literal["messages", "typing", "receipts"]

_numbers = count(1)


@dataclass(frozen=True)
class Work:
    """What a round does. ``pids`` are whose processor time is noted; the first ``warm`` seconds
    are not counted."""

    what: What
    seconds: float
    pids: Sequence[int] = ()
    warm: float = 0.5
    outstanding: int = 0  # for each writer, of a closed loop
    per_second: float = 0  # of an open loop
    seed: int = 1


@dataclass
class Outcome:
    """What a round gave. Latencies are in seconds, from when it was due to when it was seen.

    ``count`` are those that were answered (messages) or seen (typing, receipts) in time;
    ``missing`` were never seen, and stand among the latencies with the time they had waited.
    """

    seconds: float = 0.0
    count: int = 0
    missing: int = 0
    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)  # how late the generator itself was
    cpu: list[float] = field(default_factory=list)  # of each pid, in seconds
    own_share: float = 0.0  # of one core, taken by the generator

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    def at(self, percent: float) -> float:
        """A latency in milliseconds."""
        return 1000 * percentile(self.latencies, percent)

    def cpu_each(self, *which: int) -> float:
        """Milliseconds of processor time for each that was counted."""
        return 1000 * sum(self.cpu[one] for one in which) / max(1, self.count)


class Crowd:
    """People with sockets on one server, in pairs of who writes and who reads."""

    def __init__(self, protocol: str, url: str) -> None:
        self.sockets: dict[str, Socket] = {}
        self._protocol = PROTOCOLS[protocol]
        self._is_floor = protocol == "echo"  # there a writer reads what comes back to it
        self._url = url
        self._pairs: list[tuple[Socket, Socket]] = []
        self._due: dict[int, float] = {}
        self._typed: dict[str, deque[float]] = {}
        self._outcome = Outcome()
        self._begun = self._over = 0.0
        self._next: Callable[[Socket, Socket], None] = lambda writer, reader: None

    async def open(self, people: Iterable[Person]) -> None:
        """Opens a socket for each who has none yet."""
        waiting = iter([person for person in people if person.key not in self.sockets])

        async def open_some() -> None:
            for person in waiting:
                self.sockets[person.key] = await self._protocol.open(self._url, person)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(open_some())

    async def pair(self, pairs: Sequence[tuple[Person, Person]]) -> None:
        """Opens their sockets; from now on the first of each writes to the second."""
        people = {person.key: person for one, two in pairs for person in (one, two)}
        await self.open(people.values())
        for writer, reader in pairs:
            receiver = self.sockets[writer.key if self._is_floor else reader.key]
            self._pairs.append((self.sockets[writer.key], receiver))

    def close(self) -> None:
        for socket in self.sockets.values():
            socket.close()
        self.sockets.clear()
        self._pairs.clear()

    # --- A round --------------------------------------------------------------------------------

    async def run(self, work: Work) -> Outcome:
        """Does a round, and returns when all of it was seen or waited for long enough."""
        self._due.clear()
        self._typed.clear()
        outcome = self._outcome = Outcome()
        start = {"messages": self._send, "typing": self._type, "receipts": self._send}[work.what]
        for writer, reader in self._pairs:
            self._hear(work.what, writer, reader)
        clock = time.perf_counter
        self._begun = clock() + work.warm
        self._over = self._begun + work.seconds
        noting = asyncio.create_task(self._note(work.pids))
        if work.outstanding:
            self._next = start
            for writer, reader in self._pairs:
                for _ in range(work.outstanding):
                    start(writer, reader)
            await asyncio.sleep(self._over - clock())
            self._next = lambda writer, reader: None
        else:
            self._next = lambda writer, reader: None
            await self._offer(work, start)
        await noting
        outcome.seconds = work.seconds
        await self._settle(WAIT_SECONDS)
        self._count_missing()
        self._check()
        return outcome

    async def _note(self, pids: Sequence[int]) -> None:
        """Looks at the processor time at the beginning and the end of what is counted."""
        clock, outcome = time.perf_counter, self._outcome
        await asyncio.sleep(self._begun - clock())
        before, own, begun = [cpu_seconds(pid) for pid in pids], time.process_time(), clock()
        await asyncio.sleep(self._over - clock())
        after = [cpu_seconds(pid) for pid in pids]
        outcome.cpu = [late - early for early, late in zip(before, after, strict=True)]
        outcome.own_share = (time.process_time() - own) / (clock() - begun)

    async def _offer(self, work: Work, start: Callable[..., None]) -> None:
        clock = time.perf_counter
        first = clock()
        pairs = self._pairs
        for place, after in enumerate(
            schedule(work.per_second, work.warm + work.seconds, work.seed)
        ):
            due = first + after
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            writer, reader = pairs[place % len(pairs)]
            if due >= self._begun:
                self._outcome.late.append(clock() - due)
            start(writer, reader, due)

    async def _settle(self, seconds: float) -> None:
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline and (self._due or any(self._typed.values())):
            await asyncio.sleep(0.01)

    def _check(self) -> None:
        """Raises ``AssertionError`` if a server has refused anything or dropped anybody."""
        for socket in self.sockets.values():
            assert socket.is_open, f"{socket.person.key} lost the socket. {socket.trouble}"

    def _count_missing(self) -> None:
        now = time.perf_counter()
        waiting = [*self._due.values(), *(due for line in self._typed.values() for due in line)]
        missing = [now - due for due in waiting if self._begun <= due < self._over]
        self._outcome.missing = len(missing)
        self._outcome.latencies += missing

    # --- Acting and hearing ---------------------------------------------------------------------

    def _hear(self, what: What, writer: Socket, reader: Socket) -> None:
        reading: dict[str, tuple[int, float]] = {}

        def acked(number: int) -> None:
            self._count()
            self._next(writer, reader)

        def came(message: Message) -> None:
            if (due := self._due.pop(message.number, None)) is not None:
                self._note_latency(due)

        def came_to_be_read(message: Message) -> None:
            if (due := self._due.get(message.number)) is not None:
                reading["now"] = (message.number, due)
                reader.read(message)

        def was_read() -> None:
            number, due = reading.pop("now", (0, 0.0))
            if self._due.pop(number, None) is not None:
                self._note_latency(due)
                self._count()
                self._next(writer, reader)

        def typed(sender_id: str) -> None:
            line = self._typed.get(f"{sender_id} {reader.person.key}")
            if line:
                self._note_latency(line.popleft())
                self._count()
                self._next(writer, reader)

        writer.on_ack = acked if what == "messages" else lambda number: None
        writer.on_read = was_read
        reader.on_message = came_to_be_read if what == "receipts" else came
        reader.on_typing = typed

    def _count(self) -> None:
        if self._begun <= time.perf_counter() < self._over:
            self._outcome.count += 1

    def _note_latency(self, due: float) -> None:
        if self._begun <= due < self._over:
            self._outcome.latencies.append(time.perf_counter() - due)

    def _send(self, writer: Socket, reader: Socket, due: float = 0.0) -> None:
        number = next(_numbers)
        self._due[number] = due or time.perf_counter()
        writer.send(number, reader.person)

    def _type(self, writer: Socket, reader: Socket, due: float = 0.0) -> None:
        line = self._typed.setdefault(f"{writer.person.id} {reader.person.key}", deque())
        line.append(due or time.perf_counter())
        writer.type(reader.person)
