"""The dead and the stuck at length, on a real server with its real times."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.chaos.crowd import LightSocket, Traffic
from tests.chaos.load import MEBIBYTE, metric, percentile, sample
from tests.chaos.proxy import Proxy

PATIENCE: Final = 90  # seconds for a silent death to be noticed
LARGE: Final = "🛎" * 3_900  # 31 kB as an event
PACE: Final = 20  # the neighbour's messages a second
NARROW: Final = 32 * 1024


class Silence(NamedTuple):
    """After how many seconds the server ``closed``, and told others that somebody is offline."""

    closed: float
    offline: float


async def silence(server: Any) -> Silence:
    """Maya's way goes dead while Omar watches."""
    loop = asyncio.get_running_loop()
    offline: asyncio.Future[float] = loop.create_future()

    def omar_hears(frame: dict[str, Any]) -> None:
        gone = frame["event"] == "user_status_changed" and frame["data"]["status"] == "offline"
        if gone and not offline.done():
            offline.set_result(loop.time())

    door = Proxy.before(server.url)
    await door.start()
    omar = await LightSocket.open(server.url, server.token("Seller", "omar"), omar_hears)
    maya = await LightSocket.open(door.uri(server.url), server.token("Buyer", "maya"))
    try:
        maya.tell("send_message", _message("Hello", "silent-1"), 1)
        await asyncio.sleep(1)
        before = await metric(server, "shopbell_sockets_open")
        door.swallow()
        dead_at = loop.time()
        async with asyncio.timeout(PATIENCE):
            while await metric(server, "shopbell_sockets_open") >= before:
                await asyncio.sleep(0.2)
            closed_at = loop.time()
            return Silence(closed_at - dead_at, await offline - dead_at)
    finally:
        omar.close()
        maya.close()
        door.heal()
        await door.stop()


class Stuck(NamedTuple):
    """How many ``readers`` it took to swallow the traffic, how many of them were let go with 1013,
    by how many bytes the server has ``grown``, how many waited at most, the log ``lines`` of their
    sockets, and the neighbour's p99 to the ack in seconds."""

    readers: int
    slow_closes: int
    grown: float
    outbox: float
    lines: int
    neighbour: float


async def stuck_readers(server: Any, megabytes: int) -> Stuck:
    """Omar writes large messages to Maya, whose socket is open and never read; when it is closed,
    she opens the next one. A neighbour writes at a steady pace all the while."""
    neighbour = Traffic(server, buyers=1, called="neighbour")
    await neighbour.open()
    answered = asyncio.Event()
    writer = await LightSocket.open(
        server.url,
        server.token("Seller", "nils"),
        lambda frame: answered.set() if frame["event"] in {"ack", "error"} else None,
    )
    maya = await LightSocket.open(server.url, server.token("Buyer", "maya"))
    maya.tell("send_message", _message("Hello", "stuck-1"), 1)  # now she is known
    sent, readers, number, outbox = 0, 0, 0, 0.0
    first = await sample(server, 0)
    writing = asyncio.ensure_future(_write_until_cancelled(neighbour))
    try:
        while sent < megabytes * MEBIBYTE:
            readers += 1
            reader = await _open_and_never_read(server)
            closes = await _slow_closes(server)
            while await _slow_closes(server) == closes and sent < 2 * megabytes * MEBIBYTE:
                for _ in range(10):
                    number += 1
                    answered.clear()
                    data = {**_message(LARGE, f"large-{number}"), "recipient_id": "maya"}
                    writer.tell("send_message", {**data, "recipient_type": "Buyer"}, number)
                    async with asyncio.timeout(PATIENCE):
                        await answered.wait()
                    sent += 4 * len(LARGE) * 2  # as text and as HTML
                outbox = max(outbox, await metric(server, "shopbell_outbox_bytes"))
            reader.close()
        last = await sample(server, 0)
        closed = int(await _slow_closes(server))
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        neighbour.close()
        writer.close()
        maya.close()
    lines = [line for line in Path(server.log).read_text().splitlines() if "Buyer:maya" in line]
    sockets = sum("shopbell.socket" in line for line in lines)
    p99 = percentile(neighbour.acked, 99)
    return Stuck(readers, closed, last.memory - first.memory, outbox, sockets, p99)


async def _write_until_cancelled(neighbour: Traffic) -> None:
    while True:
        await neighbour.run(PACE, 5)


async def _open_and_never_read(server: Any) -> LightSocket:
    reader = await LightSocket.open(server.url, server.token("Buyer", "maya"))
    reader.pause(NARROW)
    return reader


async def _slow_closes(server: Any) -> float:
    return await metric(server, r'shopbell_sockets_closed_total\{code="1013"\}')


def _message(text: str, client_id: str) -> dict[str, Any]:
    recipient = {"recipient_id": "omar", "recipient_type": "Seller"}
    return {**recipient, "message": text, "client_id": client_id}
