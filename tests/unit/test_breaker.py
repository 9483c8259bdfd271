import asyncio

import pytest

from models import breaker as module
from models.breaker import TIMEOUTS, Breaker, TimedOut
from models.errors import Unavailable


class Database:
    """Answers, fails or hangs as a test tells it, and counts who came through to it."""

    def __init__(self):
        self.error = None
        self.asked = self.probed = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def probe(self):
        self.probed += 1
        self._answer()

    async def call(self, breaker):
        async with breaker.guard():
            self.asked += 1
            await self.gate.wait()
            self._answer()

    def _answer(self):
        if self.error is not None:
            raise self.error


@pytest.fixture
async def database():
    return Database()


@pytest.fixture
async def breaker(database, monkeypatch):
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.02)
    breaker = Breaker(database.probe, places=2, seconds=0.1)
    yield breaker
    breaker.close()


async def fail(database, breaker, error, times):
    database.error = error
    for _ in range(times):
        with pytest.raises(Unavailable):
            await database.call(breaker)


async def until(claim):
    async with asyncio.timeout(5):
        while not claim():
            await asyncio.sleep(0.005)


async def test_three_timeouts_in_a_row_open_it_and_nobody_comes_through(database, breaker):
    await fail(database, breaker, TimedOut(), TIMEOUTS - 1)
    assert not breaker.is_open
    await fail(database, breaker, TimedOut(), 1)
    assert (breaker.is_open, breaker.times_opened) == (True, 1)
    with pytest.raises(Unavailable):
        await database.call(breaker)
    assert database.asked == TIMEOUTS


async def test_an_answer_in_between_starts_the_count_anew(database, breaker):
    for _ in range(3):
        await fail(database, breaker, TimedOut(), TIMEOUTS - 1)
        database.error = None
        await database.call(breaker)
    assert not breaker.is_open


async def test_a_refusal_is_no_timeout(database, breaker):
    await fail(database, breaker, Unavailable(), 3 * TIMEOUTS)
    assert not breaker.is_open


async def test_it_asks_by_itself_and_closes_at_the_first_answer(database, breaker):
    await fail(database, breaker, TimedOut(), TIMEOUTS)
    await until(lambda: database.probed >= 3)
    assert breaker.is_open
    database.error = RuntimeError("whatever goes wrong in a probe")
    probed = database.probed
    await until(lambda: database.probed > probed)
    assert breaker.is_open
    database.error = None
    await until(lambda: not breaker.is_open)
    await database.call(breaker)
    await fail(database, breaker, TimedOut(), TIMEOUTS - 1)
    assert not breaker.is_open, "the count began anew"


async def test_those_who_wait_for_a_place_are_told_when_it_opens(database, breaker):
    database.gate.clear()
    calls = [asyncio.ensure_future(database.call(breaker)) for _ in range(50)]
    await until(lambda: database.asked == 2 and breaker.waiting == 48)
    database.error = TimedOut()
    database.gate.set()
    async with asyncio.timeout(1):
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(error, Unavailable) for error in ended)
    assert (database.asked, breaker.waiting) == (TIMEOUTS, 0)


async def test_too_many_who_wait_are_refused_at_once(database, breaker, monkeypatch):
    monkeypatch.setattr(module, "WAITING", 3)
    database.gate.clear()
    calls = [asyncio.ensure_future(database.call(breaker)) for _ in range(5)]
    await until(lambda: breaker.waiting == 3)
    with pytest.raises(Unavailable, match="Too many"):
        await database.call(breaker)
    database.gate.set()
    await asyncio.gather(*calls)
    assert database.asked == 5


async def test_nobody_waits_for_a_place_longer_than_for_an_answer(database, breaker, monkeypatch):
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.02)
    database.gate.clear()
    calls = [asyncio.ensure_future(database.call(breaker)) for _ in range(2)]
    await until(lambda: database.asked == 2)
    with pytest.raises(Unavailable):
        await database.call(breaker)
    database.gate.set()
    await asyncio.gather(*calls)
    await database.call(breaker)
    assert database.asked == 3


async def test_a_call_that_was_given_up_keeps_its_place_while_the_driver_may_be_at_it(
    database, breaker
):
    """Fails when the place is free at once: calls would then queue in the driver, unseen."""
    database.gate.clear()
    calls = [asyncio.ensure_future(database.call(breaker)) for _ in range(2)]
    await until(lambda: database.asked == 2)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    database.gate.set()
    third = asyncio.ensure_future(database.call(breaker))
    await asyncio.sleep(0.02)
    assert database.asked == 2
    await third
    assert database.asked == 3


async def test_calls_that_were_given_up_late_open_it_and_free_their_places(database, breaker):
    """Whoever waits gives up a little before the driver does.

    Fails when a call that was cancelled counts for nothing, and when its place is kept longer than
    the driver may be at it: then all places are taken by calls that nobody waits for.
    """
    database.gate.clear()
    for _ in range(TIMEOUTS):
        assert not breaker.is_open
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.095):
                await database.call(breaker)
    assert breaker.is_open
    database.gate.set()
    await until(lambda: not breaker.is_open)
    async with asyncio.timeout(0.05):
        await asyncio.gather(*(database.call(breaker) for _ in range(2)))


async def test_a_call_that_was_given_up_soon_is_no_timeout(database, breaker):
    database.gate.clear()
    for _ in range(TIMEOUTS):
        call = asyncio.ensure_future(database.call(breaker))
        await asyncio.sleep(0.01)
        call.cancel()
    assert not breaker.is_open
