"""Real processes die, or are stopped, under load, and come back."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from tests.chaos.history import History
from tests.chaos.people import Device, read_all
from tests.chaos.processes import Part, ServerProcess, running

WRITERS: Final = ["maya", "lena", "nina", "tara", "vera", "rosa", "dora", "cora"]
PARTS: Final[tuple[Part, ...]] = ("server", "engine", "both")
OMAR: Final = ("Seller", "omar")


async def kill_loop(
    directory: Path, chance: random.Random, *, kills: int, note: Callable[[str], None] = print
) -> History:
    """``kills`` times the server, its database or both are killed under load. Returns what
    happened."""

    async def kill(server: ServerProcess, history: History) -> None:
        for number in range(kills):
            await _some_more(history)
            await asyncio.sleep(chance.uniform(0, 0.5))
            part = PARTS[number % 3]
            await server.kill(part)
            note(f"kill {number + 1} of {kills}: {part}, {history.acknowledged} acknowledged")

    return await under_load(directory, kill)


async def restart_loop(
    directory: Path, *, restarts: int, seconds: float, note: Callable[[str], None] = print
) -> History:
    """Every few ``seconds`` the server is stopped politely under load and started again; each stop
    must end with status 0. Returns what happened."""

    async def restart(server: ServerProcess, history: History) -> None:
        for number in range(restarts):
            begun = time.monotonic()
            await _some_more(history)
            await asyncio.sleep(seconds - (time.monotonic() - begun))
            begun = time.monotonic()
            assert await server.stop() == 0, server.log.read_text()[-2_000:]
            took = time.monotonic() - begun
            await server.start()
            note(f"restart {number + 1} of {restarts}: {took:.1f} s to stop")

    return await under_load(directory, restart)


async def under_load(
    directory: Path, strike: Callable[[ServerProcess, History], Awaitable[None]]
) -> History:
    """Eight people write to Omar, every second one by HTTP, while ``strike`` does its worst to the
    server; then all is read again by everybody. Returns what happened."""
    history = History()
    async with running(directory) as server:
        readers = [
            Device(server, history, *OMAR, name="1", reads=True),
            Device(server, history, *OMAR, name="2"),
        ]
        writers = [Device(server, history, "Buyer", name) for name in WRITERS]
        enough = asyncio.Event()
        try:
            readers[0].start()
            await readers[0].connected.wait()  # now he is known
            for device in [readers[1], *writers]:
                device.start()
            writing = [
                asyncio.ensure_future(_write(writer, "http" if number % 2 else "socket", enough))
                for number, writer in enumerate(writers)
            ]
            await strike(server, history)
            enough.set()
            async with asyncio.timeout(60):
                await asyncio.gather(*writing)
            last = await read_all(server, history, *OMAR)
            await asyncio.gather(*(device.end(last) for device in [*readers, *writers]))
        finally:
            enough.set()
            for device in [*readers, *writers]:
                await device.stop()
    return history


async def _write(writer: Device, door: str, enough: asyncio.Event) -> None:
    number = 0
    while not enough.is_set():
        number += 1
        await writer.send(OMAR, f"number {number}", f"{writer.id}-{number}", door=door)
        await asyncio.sleep(0.01)


async def _some_more(history: History) -> None:
    """Waits until it serves again: it is under load that it dies."""
    before = history.acknowledged
    async with asyncio.timeout(30):
        while history.acknowledged < before + len(WRITERS):
            await asyncio.sleep(0.02)
