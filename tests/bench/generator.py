"""The load generator: a process of its own, so that neither the servers nor the report share it.

Its sockets stay open between rounds, and its loop goes on then, as servers ping. Asked for by
name: each public method of ``_Work`` is one thing that it does.
"""

import asyncio
import gc
import multiprocessing
import os
import resource
import signal
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

import uvloop

from tests.bench.limit import Limit
from tests.bench.load import Crowd, Outcome, Work
from tests.bench.people import Person
from tests.bench.storm import Away, Storm, storm

STOP_SECONDS: Final = 1

Pairs = Sequence[tuple[Person, Person]]


class GeneratorFailed(Exception):
    """A load could not be put on a server; the message is the traceback over there."""


class Generator:
    """The process, as those see it who want a load."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def pair(self, crowd: str, protocol: str, url: str, pairs: Pairs) -> None:
        """Opens sockets under the name of a crowd: each first writes to the second."""
        self._ask("pair", crowd, protocol, url, pairs)

    def open(self, crowd: str, protocol: str, url: str, people: Sequence[Person]) -> None:
        """Opens sockets that do nothing."""
        self._ask("open", crowd, protocol, url, people)

    def run(self, crowd: str, work: Work) -> Outcome:
        outcome: Outcome = self._ask("run", crowd, work)
        return outcome

    def storm(self, protocol: str, url: str, crowd: Sequence[Away]) -> Storm:
        result: Storm = self._ask("storm", protocol, url, crowd)
        return result

    def limit(self, uri: str, database: str, conversations: int) -> None:
        """Makes ready to ask the database itself."""
        self._ask("limit", uri, database, conversations)

    def limit_rate(self, batch: int, seconds: float) -> float:
        rate: float = self._ask("limit_rate", batch, seconds)
        return rate

    def leave(self, crowd: str = "") -> None:
        """Closes the sockets of one crowd, or all of them."""
        self._ask("leave", crowd)

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _ask(self, name: str, *arguments: Any) -> Any:
        self._pipe.send((name, arguments))
        failure, result = self._pipe.recv()
        if failure:
            raise GeneratorFailed(failure)
        return result


class _Work:
    """What goes on in the process."""

    def __init__(self) -> None:
        self._crowds: dict[str, Crowd] = {}
        self._limit: Limit | None = None

    def _crowd(self, name: str, protocol: str, url: str) -> Crowd:
        return self._crowds.setdefault(name, Crowd(protocol, url))

    async def pair(self, name: str, protocol: str, url: str, pairs: Pairs) -> None:
        await self._crowd(name, protocol, url).pair(pairs)

    async def open(self, name: str, protocol: str, url: str, people: Sequence[Person]) -> None:
        await self._crowd(name, protocol, url).open(people)

    async def run(self, name: str, work: Work) -> Outcome:
        return await self._crowds[name].run(work)

    async def storm(self, protocol: str, url: str, crowd: Sequence[Away]) -> Storm:
        return await storm(protocol, url, crowd)

    async def limit(self, uri: str, database: str, conversations: int) -> None:
        self._limit = Limit(uri, database, conversations)

    async def limit_rate(self, batch: int, seconds: float) -> float:
        assert self._limit
        return self._limit.rate(batch, seconds)

    async def leave(self, name: str) -> None:
        for one in [name] if name else list(self._crowds):
            self._crowds.pop(one).close()
        if self._limit and not name:
            self._limit.close()
            self._limit = None


def _main(pipe: Connection) -> None:
    gc.disable()  # a pause of ours would count as the server's
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end decides, and closes the pipe
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(_serve(pipe))
    os._exit(0)


async def _serve(pipe: Connection) -> None:
    """Does what is asked, until nobody is there to ask."""
    work, loop = _Work(), asyncio.get_running_loop()
    while True:
        try:
            name, arguments = await loop.run_in_executor(None, pipe.recv)
        except (EOFError, OSError):
            return
        try:
            result = "", await getattr(work, name)(*arguments)
        except Exception:  # noqa: BLE001  # it is told to whoever asked
            result = traceback.format_exc(), None
        pipe.send(result)
