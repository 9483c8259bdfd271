"""Everybody comes back at once, and wants to know what was said meanwhile."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from tests.bench.people import Person
from tests.bench.sockets import PAUSE_SECONDS, PROTOCOLS, Message, Socket

SECONDS: Final = 60


class Away(NamedTuple):
    """Somebody who was away: the one conversation, how far they know it, what is missing."""

    person: Person
    conversation_id: str
    known_seq: int
    missed: int
    history: str  # the peer's address of the conversation, where everything is fetched again


@dataclass(frozen=True)
class Storm:
    """How long each took until they knew everything, in seconds from the moment of the storm."""

    seconds: Sequence[float]


async def storm(protocol: str, url: str, crowd: Sequence[Away]) -> Storm:
    """All connect at once. Shopbell is told the position and sends the rest; of the peer, which
    knows no positions, each loads the newest page, as its pages do. Raises ``TimeoutError``."""
    begun = time.perf_counter()
    come_back = _by_since if protocol == "shopbell" else _by_page
    async with asyncio.timeout(SECONDS):
        sockets = await asyncio.gather(*(come_back(protocol, url, one) for one in crowd))
    seconds = [at - begun for _, at in sockets]
    for socket, _ in sockets:
        socket.close()
    return Storm(seconds)


async def _by_since(protocol: str, url: str, away: Away) -> tuple[Socket, float]:
    missing = set(range(away.known_seq + 1, away.known_seq + away.missed + 1))
    while True:  # until the storm's time is over: who is refused tries again
        complete = asyncio.get_running_loop().create_future()
        came, ended = partial(_came, missing, complete), partial(_ended, complete)
        since: Mapping[str, int] = {away.conversation_id: away.known_seq}
        socket = await PROTOCOLS[protocol].open(url, away.person, dict(since), came)
        socket.on_end = ended
        try:
            return socket, await complete
        except ConnectionError:
            await asyncio.sleep(PAUSE_SECONDS)


def _came(missing: set[int], complete: asyncio.Future[float], message: Message) -> None:
    missing.discard(message.seq)
    if not missing and not complete.done():
        complete.set_result(time.perf_counter())


def _ended(complete: asyncio.Future[float], trouble: str) -> None:
    if not complete.done():
        complete.set_exception(ConnectionError(trouble))


async def _by_page(protocol: str, url: str, away: Away) -> tuple[Socket, float]:
    socket = await PROTOCOLS[protocol].open(url, away.person)
    page = json.loads(await _fetched(url, away.history, away.person.token))
    assert len(page["messages"]) >= away.missed, f"{away.person.key} misses messages."
    return socket, time.perf_counter()


async def _fetched(url: str, path: str, token: str) -> bytes:
    """The body of one answer, over a connection of its own."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n"
        writer.write(f"{head}Authorization: Bearer {token}\r\n\r\n".encode())
        answer = await reader.read()
    finally:
        writer.close()
    status, _, rest = answer.partition(b"\r\n")
    assert b" 200 " in status, status
    return rest.partition(b"\r\n\r\n")[2]
