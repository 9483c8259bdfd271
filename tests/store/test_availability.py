"""What is counted of sellers, from a message to the record that survives a restart."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from models.errors import Unavailable
from models.events import Availability
from tests.store.cast import LENA, MAYA, NILS, OMAR, draft

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING = Availability(replies_in=None, back_at=None)


class Clock:
    def __init__(self):
        self.at = NOON

    def __call__(self):
        return self.at.timestamp()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_timed(open_shop, clock):
    """Opens shops that go by the test's clock."""

    async def open_timed(*arguments, **options):
        opened = await open_shop(*arguments, now=clock, **options)
        await opened.store.introduce(OMAR.key, "Omar", NOON)
        return opened

    return open_timed


@pytest.fixture
async def shop(open_timed):
    return await open_timed()


def come(shop, status="online"):
    """Omar has a socket and is seen like this."""
    live = shop.chat._live
    listener = shop.listen(OMAR)
    live.arrive(listener, [])
    live.set_status(OMAR.key, status)
    return listener


async def days(shop):
    """What is stored of Omar."""
    await shop.availability.settle()
    return (await shop.store.timesheet(OMAR.key)).days


async def was_here(shop, clock, *, on=5, hours=(9, 10)):
    """Omar was online on so many days before today, in these hours."""
    listener, now = come(shop), clock.at
    for day in range(on, 0, -1):
        for hour in hours:
            clock.at = (now - day * DAY).replace(hour=hour)
            await shop.availability.settle()
    clock.at = now
    go(shop, listener)


def go(shop, listener):
    """Omar's last socket is gone, and so is the grace."""
    shop.chat.disconnect(listener)
    del shop.chat._live.presence._here[OMAR.key]


async def answer(shop, clock, *waits):
    """Maya asks as often, and Omar lets her wait for so long."""
    for wait in waits:
        await shop.append(draft("Is it there?"))
        clock.at += wait
        await shop.append(draft("It is.", OMAR, MAYA))


# --- Answers ------------------------------------------------------------------------------------


async def test_an_answer_is_timed_from_the_first_message_that_it_answers(shop, clock):
    for _ in range(5):
        await shop.append(draft("Hello?"))
        clock.at += 20 * MINUTE
        await shop.append(draft("Anybody?"))
        clock.at += 5 * MINUTE
        await shop.append(draft("Yes.", OMAR, MAYA))
        clock.at += MINUTE
        await shop.append(draft("I was in the workshop.", OMAR, MAYA))
    assert (await days(shop))[NOON.date()].replies == {30 * 60: 5}
    assert (await shop.availability.of("omar")).replies_in == 30 * 60


async def test_four_answers_tell_nothing_and_the_fifth_does(shop, clock):
    await answer(shop, clock, *[MINUTE] * 4)
    assert await shop.availability.of("omar") == NOTHING
    await answer(shop, clock, MINUTE)
    assert (await shop.availability.of("omar")).replies_in == 60


async def test_an_answer_that_comes_again_is_one(shop, clock):
    await shop.append(draft("Is it there?"))
    clock.at += MINUTE
    for _ in range(9):
        await shop.append(draft("It is.", OMAR, MAYA, client_id="said"))
    assert (await days(shop))[NOON.date()].replies == {60: 1}


async def test_only_what_a_seller_answers_to_a_buyer_counts(shop, clock):
    await shop.append(draft("Have you any clay?", NILS, OMAR))
    await shop.append(draft("Enough.", OMAR, NILS))
    await shop.append(draft("New bowls are here.", OMAR, LENA))
    await shop.append(draft("How nice!", LENA, OMAR))
    assert not shop.availability._sheets
    await shop.append(draft("Are they not?", OMAR, LENA))
    assert set(shop.availability._sheets) == {OMAR.key}


async def test_a_guest_s_wait_goes_on_when_they_turn_out_to_be_a_buyer(shop, clock):
    token, guest = shop.tokens.issue_guest()
    await shop.append(draft("Written long ago"), draft("Long ago", OMAR, MAYA))
    await shop.append(draft("As a guest", guest))
    clock.at += 10 * MINUTE
    seconds = int(shop.tokens._now())
    claims = {"sub": "maya", "name": "Maya", "iat": seconds, "exp": seconds + 60}
    identity = jwt.encode(claims, shop.settings.identity_secret, "HS256")
    await shop.guests.identify(identity, token)
    await shop.append(draft("To a buyer", OMAR, MAYA))
    assert (await days(shop))[NOON.date()].replies == {60: 1, 10 * 60: 1}


# --- Hours --------------------------------------------------------------------------------------


async def test_who_is_usually_here_is_expected_back(shop, clock):
    await was_here(shop, clock)
    assert (await shop.availability.of("omar")).back_at == "2026-11-21T09:00:00.000Z"
    clock.at = clock.at.replace(hour=8)
    assert (await shop.availability.of("omar")).back_at == "2026-11-20T09:00:00.000Z"
    come(shop)
    assert await shop.availability.of("omar") == NOTHING


@pytest.mark.parametrize("status", ["away", "offline"])
async def test_who_is_not_seen_online_is_not_here(shop, clock, status):
    await was_here(shop, clock)
    before = await days(shop)
    come(shop, status)
    assert await days(shop) == before
    assert (await shop.availability.of("omar")).back_at == "2026-11-21T09:00:00.000Z"


async def test_buyers_have_no_timesheets(shop):
    shop.chat._live.arrive(shop.listen(MAYA), [])
    await shop.availability.settle()
    assert not shop.availability._sheets


# --- The record ---------------------------------------------------------------------------------


async def test_what_was_counted_survives_a_restart_and_goes_on(shop, open_timed, clock):
    await was_here(shop, clock)
    await answer(shop, clock, *[14 * MINUTE] * 4)
    told = await shop.availability.of("omar")
    await shop.shop.drain()
    await shop.kill()
    restarted = await open_timed()
    assert not restarted.availability._sheets
    assert await restarted.availability.of("omar") == told
    assert told.replies_in is None
    await answer(restarted, clock, 14 * MINUTE)
    assert (await restarted.availability.of("omar")).replies_in == 15 * 60
    assert len(await days(restarted)) == 6


async def test_who_waits_when_the_server_stops_has_waited_from_the_beginning(
    shop, open_timed, clock
):
    await shop.append(draft("Is it there?"))
    await shop.kill()
    clock.at += HOUR
    restarted = await open_timed()
    await restarted.append(draft("It is.", OMAR, MAYA))
    assert (await days(restarted))[NOON.date()].replies == {60 * 60: 1}


async def test_a_conversation_from_before_there_was_any_count_begins_with_the_next_message(
    shop, store
):
    talk = await shop.append(draft())
    talk.conversation.turn_at = None
    await shop.append(draft("It is.", OMAR, MAYA))
    assert not shop.availability._sheets
    assert talk.conversation.turn_at is not None


async def test_nothing_is_written_of_who_was_not_there(shop, store, monkeypatch):
    written = []
    monkeypatch.setattr(shop.store, "write_timesheet", lambda *sheet: written.append(sheet))
    await shop.availability.of("omar")
    await shop.availability.settle()
    assert written == []


async def test_what_is_known_already_is_not_written_again(shop, clock, monkeypatch):
    come(shop)
    await shop.availability.settle()
    monkeypatch.delattr(shop.store.__class__, "write_timesheet")
    clock.at += MINUTE
    await shop.availability.settle()


async def test_what_the_database_refuses_is_written_later(shop, clock, monkeypatch):
    await answer(shop, clock, MINUTE)
    with monkeypatch.context() as patch:

        async def fail(*_):
            raise Unavailable

        patch.setattr(shop.store, "write_timesheet", fail)
        with pytest.raises(Unavailable):
            await shop.availability.settle()
    assert (await days(shop))[NOON.date()].replies == {60: 1}


async def test_what_is_older_than_thirty_days_goes(shop, clock):
    await was_here(shop, clock, on=6)
    clock.at += 25 * DAY
    come(shop)
    assert sorted(await days(shop)) == [NOON.date() - n * DAY for n in (4, 3, 2, 1)] + [
        clock.at.date()
    ]


async def test_lists_of_people_are_read_without_timesheets(shop, clock, store):
    await was_here(shop, clock)
    assert (await store.participant(OMAR.key)).name == "Omar"
    assert [person.key for person in await store.sellers()] == [OMAR.key]
    assert (await store.timesheet(OMAR.key)).days
    assert (await store.timesheet(LENA.key)).days == {}
