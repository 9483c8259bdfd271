"""How late an event loop is, beside how late this machine is anyway."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

LAG_SECONDS: Final = 0.1  # P15: what no fault of the database may cost everybody
_STEP: Final = 0.01


class Lag:
    """The worst lateness so far, in seconds: the loop's, and a plain thread's, which a busy machine
    delays as well but a blocked loop does not."""

    def __init__(self) -> None:
        self.loop = self.machine = 0.0

    @property
    def is_small(self) -> bool:
        return self.loop < LAG_SECONDS + 2 * self.machine


@asynccontextmanager
async def lag_watched() -> AsyncIterator[Lag]:
    lag, enough = Lag(), threading.Event()

    def watch_machine() -> None:
        while not enough.is_set():
            begun = time.monotonic()
            time.sleep(_STEP)
            lag.machine = max(lag.machine, time.monotonic() - begun - _STEP)

    async def watch_loop() -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(_STEP)
            lag.loop = max(lag.loop, time.monotonic() - begun - _STEP)

    thread = threading.Thread(target=watch_machine)
    thread.start()
    task = asyncio.ensure_future(watch_loop())
    try:
        yield lag
    finally:
        enough.set()
        task.cancel()
        thread.join()
