"""A circuit breaker: whoever asks something that hangs is told so at once, instead of waiting.

Knows nothing of what it guards but that it may time out. In front of a driver with few threads it
also bounds who waits for one, so that calls which nobody waits for any more are never queued.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from models.errors import Unavailable

TIMEOUTS: Final = 3  # in a row, and it opens; one may be a slow disk
NEARLY: Final = 0.9  # of a call's time: sockets' calls are given up just before the driver does
PROBE_SECONDS: Final = 1.0  # between two questions whether it answers again
WAITING: Final = 2_000  # callers without a place; as many as there may be sockets
WAIT_SECONDS: Final = 4.5  # for a place; CONTRACT section 4: `unavailable` comes within 5 s

log = logging.getLogger("shopbell.breaker")


class TimedOut(Unavailable):
    """No answer came in time: the outcome is unknown."""


class Breaker:
    """Lets ``places`` calls through at a time, and none while it is open.

    It opens after ``TIMEOUTS`` calls in a row that raised ``TimedOut``, or were given up after
    nearly that time. While it is open it asks ``probe`` once a second and closes as soon as that
    returns. ``seconds`` is how long a call can take at most: one that was cancelled goes on in the
    driver, and keeps its place until then.
    """

    def __init__(
        self, probe: Callable[[], Awaitable[None]], *, places: int, seconds: float
    ) -> None:
        self.waiting = 0  # callers without a place
        self.times_opened = 0
        self._probe = probe
        self._places = asyncio.Semaphore(places)
        self._seconds = seconds
        self._timeouts = 0
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are refused just now."""
        return self._probing is not None

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """To be held during a call. Raises ``Unavailable`` at once while it is open, or where too
        many wait, and after ``WAIT_SECONDS`` without a place."""
        await self._enter()
        started = time.monotonic()
        goes_on_for = 0.0
        try:
            yield
        except TimedOut:
            self._count_timeout()
            raise
        except asyncio.CancelledError:
            taken = time.monotonic() - started
            goes_on_for = self._seconds - taken
            if taken > NEARLY * self._seconds:
                self._count_timeout()
            raise
        else:
            self._timeouts = 0
        finally:
            if goes_on_for > 0:
                asyncio.get_running_loop().call_later(goes_on_for, self._places.release)
            else:
                self._places.release()

    def close(self) -> None:
        """Asks no more."""
        if self._probing is not None:
            self._probing.cancel()

    async def _enter(self) -> None:
        self._refuse_while_open()
        if self.waiting >= WAITING:
            raise Unavailable("Too many wait for the database. Please try again.")
        self.waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise Unavailable from None
        finally:
            self.waiting -= 1
        try:
            self._refuse_while_open()  # it may have opened meanwhile
        except Unavailable:
            self._places.release()  # which wakes the next one, to be told the same
            raise

    def _refuse_while_open(self) -> None:
        if self.is_open:
            raise Unavailable

    def _count_timeout(self) -> None:
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS and not self.is_open:
            self._open()

    def _open(self) -> None:
        self.times_opened += 1
        log.warning("the database does not answer; it is asked once a second until it does")
        self._probing = asyncio.get_running_loop().create_task(self._probe_until_answered())

    async def _probe_until_answered(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            try:
                await self._probe()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is not an answer
                log.debug("no answer yet: %r", error)
            else:
                break
        self._timeouts = 0
        self._probing = None
        log.warning("the database answers again")
