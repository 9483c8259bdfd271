"""Many clients are dropped at the same moment: how they come back, and who is disturbed by it."""

import asyncio
from collections import Counter
from typing import Any, Final, NamedTuple

from tests.chaos.crowd import Traffic
from tests.chaos.history import History
from tests.chaos.load import percentile
from tests.chaos.proxy import Proxy
from tests.chaos.tabs import Tabs

PATIENCE: Final = 60  # seconds for all to be back: two of the longest waits
PACE: Final = 20  # the neighbour's messages a second
OPENED_AT_ONCE: Final = 25


class Seen(NamedTuple):
    """How many came ``back`` in how many ``seconds``, how many at most within one second, and the
    neighbour's p99 from sending to the ack, in seconds."""

    back: int
    seconds: float
    most_in_a_second: int
    neighbour: float


async def storm(server: Any, clients: int, *, seed: int, seconds: float = 20) -> Seen:
    """Connects clients of the real ``realtime.js`` through a proxy, resets all their connections
    at once, and watches; somebody whose connection holds writes for so many ``seconds``."""
    loop = asyncio.get_running_loop()
    proxy = Proxy.before(server.url, seed=seed)
    await proxy.start()
    neighbour = Traffic(server, buyers=1, called="neighbour")
    try:
        async with Tabs(History(), seed=seed, hurried=False) as browser:
            url = proxy.uri(server.url)
            names: list[str] = []
            for number in range(clients):
                names.append(browser.open(server, "Buyer", f"client-{number}", "tab", url=url))
                if len(names) % OPENED_AT_ONCE == 0 or len(names) == clients:
                    expected = len(names)
                    await browser.until(lambda: _registered(browser) == expected)  # noqa: B023
            await neighbour.open()
            dropped_at = loop.time()
            proxy.reset()
            back_at: list[float] = []
            writing = asyncio.ensure_future(neighbour.run(PACE, seconds))
            while len(back_at) < clients and loop.time() < dropped_at + PATIENCE:
                back_at += [loop.time() - dropped_at] * (
                    _registered(browser) - clients - len(back_at)
                )
                await asyncio.sleep(0.02)
            await writing
    finally:
        neighbour.close()
        await proxy.stop()
    most = max(Counter(map(int, back_at)).values(), default=0)
    return Seen(len(back_at), max(back_at, default=0), most, percentile(neighbour.acked, 99))


def _registered(browser: Tabs) -> int:
    return browser.counts["registered"]
