"""CONTRACT section 3: retention removes from the front, and ``first_seq`` says how far."""

import asyncio
import time
from datetime import timedelta

import pytest

from models.errors import NotYours, Unavailable
from models.events import MarkAsDelivered, MarkAsRead
from models.retention import Retention
from tests.store.cast import LENA, MAYA, NOON, OMAR, draft, eventually

DAYS = 30
DAY_SECONDS = 24 * 60 * 60


class Clock:
    """Days can be let pass."""

    def __init__(self):
        self.days = 0

    def __call__(self):
        return time.time() + self.days * DAY_SECONDS


@pytest.fixture
def clock(monkeypatch):
    for module in ("store", "store_windows"):  # lists look that far ahead
        monkeypatch.setattr(f"models.{module}.AHEAD", timedelta(days=5000))
    return Clock()


@pytest.fixture
def open_timed(open_shop, clock):
    async def open_timed(*arguments, **options):
        shop = await open_shop(*arguments, now=clock, **options)
        await shop.store.introduce(OMAR.key, OMAR.name, NOON)
        return shop

    return open_timed


@pytest.fixture
async def shop(open_timed):
    return await open_timed()


def retention(shop, clock, days=DAYS):
    return Retention(shop.store, shop.ledger, shop.journal, shop.hub, days, now=clock)


async def clean(shop, clock):
    """Removes all that is too old."""
    work = retention(shop, clock)
    while await work.remove_some():
        pass


async def say(shop, clock, *days, sender=MAYA, to=OMAR):
    """One message on each of these days."""
    done = []
    for day in days:
        clock.days = day
        done.append(await shop.append(draft(f"on day {day}", sender, to)))
    return done


async def stored(shop, conversation):
    return [m.seq for m in await shop.store.messages_between(conversation.id, 1, 1000)]


async def page(shop, who=OMAR, other=MAYA, **how):
    found = await shop.history.conversation(who, other.participant, **how)
    return [m.seq for m in found.messages], found.has_more, found.conversation


async def test_the_oldest_go_and_the_rest_stays_as_it_was(shop, clock):
    """Fails when ``first_seq`` is not moved, or messages of other days are removed."""
    conversation = (await say(shop, clock, 0, 1, 2, 20, 31))[0].conversation
    await clean(shop, clock)
    assert await stored(shop, conversation) == [3, 4, 5]
    assert conversation.first_seq == 3
    seqs, has_more, shown = await page(shop)
    assert (seqs, has_more) == ([3, 4, 5], False)
    assert (shown.first_seq, shown.last_seq, shown.last_message.seq) == (3, 5, 5)
    for how in ({"before": 3}, {"before": 1}, {"after": 5}):
        assert (await page(shop, **how))[:2] == ([], False)
    assert (await page(shop, after=0, limit=2))[:2] == ([3, 4], True)
    assert (await page(shop, before=5, limit=1))[:2] == ([4], True)


async def test_nothing_goes_by_default(shop, clock):
    conversation = (await say(shop, clock, 0, 100, 4000))[0].conversation
    assert shop.settings.retention_days == 0
    await asyncio.wait_for(shop.shop.retention.keep(), 5)
    assert await stored(shop, conversation) == [1, 2, 3]


async def test_a_server_removes_by_itself_a_little_at_a_time(shop, clock, monkeypatch):
    """Fails without ``Retention.keep``."""
    for name, value in (("ROUND", 2), ("PAUSE_SECONDS", 0.0), ("REST_SECONDS", 0.01)):
        monkeypatch.setattr(f"models.retention.{name}", value)
    conversation = (await say(shop, clock, 0, 0, 0, 0, 0, 40))[0].conversation
    working = asyncio.create_task(retention(shop, clock).keep())
    await eventually(lambda: conversation.first_seq == 6, 30)
    clock.days = 71
    await eventually(lambda: conversation.first_seq == 7, 30)
    working.cancel()
    await shop.append(draft("Still here", MAYA, OMAR))
    assert conversation.last_seq == 7


async def test_a_conversation_without_messages_stays_and_numbers_go_on(shop, clock, open_timed):
    """No number is given out twice. Fails when ``Store.cut`` does not store ``last_seq``, or the
    ledger numbers from the messages that are left."""
    conversation = (await say(shop, clock, 0, 1))[0].conversation
    clock.days = 60
    await clean(shop, clock)
    assert await stored(shop, conversation) == []
    seqs, has_more, shown = await page(shop)
    assert (seqs, has_more, shown.last_message, shown.unread) == ([], False, None, 0)
    assert (shown.first_seq, shown.last_seq) == (3, 2)
    listed = await shop.history.conversations(OMAR, limit=9)
    assert [c.id for c in listed.conversations] == [conversation.id]
    assert (await shop.history.received(OMAR, limit=9)).messages == []
    await shop.kill()
    again = await open_timed()
    assert (await again.append(draft("Hello again", MAYA, OMAR))).message.seq == 3
    assert (await page(again))[0] == [3]


async def test_what_is_stored_says_so_before_anything_is_removed(shop, clock, open_timed):
    """Killed between the two: fails when messages go first, as a hole would be left, and when the
    leftovers are shown or stay."""
    done = await say(shop, clock, 0, 1, 2, 40)
    conversation = done[0].conversation
    remove = shop.store.remove_messages

    async def broken_off(*place):
        raise Unavailable

    shop.store.remove_messages = broken_off
    with pytest.raises(Unavailable):
        await retention(shop, clock).remove_some()
    shop.store.remove_messages = remove
    found = await shop.store.conversation(conversation.id)
    assert (found.first_seq, found.last_seq) == (4, 4)
    await shop.kill()
    again = await open_timed(asleep=("retention",))
    assert (await page(again))[0] == [4]
    with pytest.raises(NotYours):
        await again.history.message(OMAR, done[0].message.id)
    assert [m.seq for m in (await again.history.received(OMAR, limit=9)).messages] == [4]
    await clean(again, clock)
    assert await stored(again, conversation) == [4]


async def test_nobody_is_left_with_something_unread_that_is_gone(shop, clock):
    """Fails when watermarks stay behind the front: nobody could ever read that away."""
    omar = shop.listen(OMAR)
    await say(shop, clock, 0, 1, 2, 40)
    await say(shop, clock, 40, sender=LENA)
    assert (await shop.history.unread_count(OMAR)).count == 5
    omar.heard()
    await clean(shop, clock)
    assert (await shop.history.unread_count(OMAR)).count == 2
    _, _, shown = await page(shop)
    assert shown.unread == 1
    places = {p.type: (p.delivered_seq, p.read_seq) for p in shown.participants}
    assert places == {"Seller": (3, 3), "Buyer": (4, 4)}
    assert [data["conversation_id"] for data in omar.heard("reset")] == [shown.id]
    await shop.chat.mark_read(OMAR, MarkAsRead(conversation_id=shown.id, seq=2))
    answer = await shop.chat.mark_read(OMAR, MarkAsRead(conversation_id=shown.id, seq=4))
    assert (answer.read_seq, answer.unread) == (4, 0)


async def test_receipts_for_what_is_gone_change_nothing(shop, clock):
    conversation = (await say(shop, clock, 0, 1))[0].conversation
    clock.days = 60
    await clean(shop, clock)
    read = await shop.chat.mark_read(OMAR, MarkAsRead(conversation_id=conversation.id, seq=9))
    assert (read.read_seq, read.unread) == (2, 0)
    told = MarkAsDelivered(conversation_id=conversation.id, seq=1)
    assert (await shop.chat.mark_delivered(OMAR, told)).delivered_seq == 2


async def test_what_is_written_meanwhile_has_its_place(shop, clock, monkeypatch):
    monkeypatch.setattr("models.retention.ROUND", 3)
    conversation = (await say(shop, clock, *[0] * 20))[0].conversation
    clock.days = 40
    both = clean(shop, clock), *(shop.append(draft(f"{n}", MAYA, OMAR)) for n in range(20))
    await asyncio.gather(*both)
    assert await stored(shop, conversation) == list(range(21, 41))
    assert (await shop.store.conversation(conversation.id)).first_seq == 21
