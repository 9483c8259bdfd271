"""How much is unread, as whoever asks again and again is told: read once, and true all the same."""

import asyncio
from datetime import UTC, datetime

import pytest

from models import unread as unread_module
from models.conversation import Place, Step
from models.errors import Unavailable
from models.ledger import Ledger
from models.store import Advance
from tests.store.cast import LENA, MAYA, NILS, OMAR, draft, eventually, identity, message

NOW = datetime.now(UTC).replace(microsecond=0)


class Watched:
    """A store that counts the looks for what is unread, holds their answers back while ``gate`` is
    closed, and fails while ``is_away``."""

    def __init__(self, store):
        self._store = store
        self.looks = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_away = False
        self.looked = False

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def unread_of(self, key):
        self.looks += 1
        if self.is_away:
            raise Unavailable
        found = await self._store.unread_of(key)
        self.looked = True
        await self.gate.wait()
        return found


@pytest.fixture
def watched(store):
    return Watched(store)


@pytest.fixture
def ledger(watched):
    return Ledger(watched, now=NOW.timestamp)


async def talk_between(ledger, one=MAYA, other=OMAR):
    [talk] = (await ledger.opened({(one.key, other.key): (one.name, other.name)})).values()
    return talk


async def say(ledger, watched, talk, *, sender=MAYA, to=OMAR):
    said = message(talk.id, talk.last_seq + 1, sender=sender, to=to, at=NOW)
    await watched.insert_messages([said])
    ledger.add(talk, said, None)


def read(ledger, talk, seq, who=OMAR):
    ledger.advance(talk, talk.place_of(who.key), "read", Step(seq, NOW))


@pytest.fixture
def grown_old(monkeypatch):
    """Lets what is known be read again at each question."""
    return lambda: monkeypatch.setattr(unread_module, "FRESH_SECONDS", -1)


async def looking(ledger, watched, who=OMAR):
    """A first question whose answer the database has given, and that has not arrived."""
    watched.gate.clear()
    watched.looked = False
    asked = asyncio.create_task(ledger.unread_of(who.key))
    await eventually(lambda: watched.looked)
    return asked


# --- Read once ----------------------------------------------------------------------------------


async def test_who_asks_again_is_answered_without_a_look(ledger, watched):
    talk = await talk_between(ledger)
    assert await ledger.unread_of(OMAR.key) == {}
    for expected in (1, 2, 3):
        await say(ledger, watched, talk)
        assert await ledger.unread_of(OMAR.key) == {talk.id: expected}
        await ledger.settle()
        assert await ledger.unread_of(OMAR.key) == {talk.id: expected}
    read(ledger, talk, 2)
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}
    await say(ledger, watched, talk, sender=OMAR, to=MAYA)
    assert await ledger.unread_of(OMAR.key) == {}
    assert watched.looks == 1


async def test_those_who_ask_at_once_share_a_look(ledger, watched):
    talk = await talk_between(ledger)
    await say(ledger, watched, talk)
    found = await asyncio.gather(*(ledger.unread_of(OMAR.key) for _ in range(5)))
    assert found == 5 * [{talk.id: 1}]
    assert watched.looks == 1


async def test_an_answer_is_the_asker_s_own(ledger, watched):
    talk = await talk_between(ledger)
    await say(ledger, watched, talk)
    first = await ledger.unread_of(OMAR.key)
    await say(ledger, watched, talk)
    assert first == {talk.id: 1}


async def test_a_conversation_that_was_in_no_memory_counts(ledger, watched):
    before = Ledger(watched, now=NOW.timestamp)
    talk = await talk_between(before)
    await say(before, watched, talk)
    await before.settle()
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}
    again = await ledger.get(talk.id)
    await say(ledger, watched, again)
    assert await ledger.unread_of(OMAR.key) == {talk.id: 2}


# --- While it is read ---------------------------------------------------------------------------


@pytest.mark.parametrize("settled", [True, False])
async def test_a_message_during_the_look_counts(ledger, watched, settled):
    """Its summary may even be written by the time the answer comes."""
    talk = await talk_between(ledger)
    asked = await looking(ledger, watched)
    await say(ledger, watched, talk)
    if settled:
        await ledger.settle()
    watched.gate.set()
    assert await asked == {talk.id: 1}
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}


@pytest.mark.parametrize("settled", [True, False])
async def test_what_is_read_during_the_look_does_not_count(ledger, watched, settled):
    talk = await talk_between(ledger)
    await say(ledger, watched, talk)
    await ledger.settle()
    asked = await looking(ledger, watched)
    read(ledger, talk, 1)
    if settled:
        await ledger.settle()
    watched.gate.set()
    assert await asked == {}
    assert await ledger.unread_of(OMAR.key) == {}


async def test_what_the_database_knows_to_be_read_counts_until_it_is_told(ledger, watched):
    """A watermark is stored first and told then; list and sum say the same in between."""
    talk = await talk_between(ledger)
    await say(ledger, watched, talk)
    await ledger.settle()
    place = talk.keys.index(OMAR.key)
    await watched.advance([Advance(talk.id, place, "read", Step(1, NOW))])
    assert await ledger.unread_of(OMAR.key) == {talk.id: talk.unread_of(OMAR.key)} == {talk.id: 1}
    read(ledger, talk, 1)
    assert await ledger.unread_of(OMAR.key) == {}


async def test_what_was_behind_and_is_settled_during_the_look_counts(ledger, watched):
    talk = await talk_between(ledger)
    await say(ledger, watched, talk)
    asked = await looking(ledger, watched)
    await ledger.settle()
    watched.gate.set()
    assert await asked == {talk.id: 1}


async def test_a_conversation_that_is_gone_after_the_look_does_not_count(ledger, watched):
    talk = await talk_between(ledger)
    await say(ledger, watched, talk)
    await ledger.settle()
    asked = await looking(ledger, watched)
    await watched.delete_conversation(talk.id)
    ledger.forget(talk)
    watched.gate.set()
    assert await asked == {}


async def test_a_conversation_that_changes_hands_during_the_look_counts_for_its_new_owner(
    ledger, watched
):
    talk = await talk_between(ledger, LENA)
    await say(ledger, watched, talk, sender=OMAR, to=LENA)
    await ledger.settle()
    lena, maya = await looking(ledger, watched, LENA), await looking(ledger, watched, MAYA)
    place = Place(MAYA.key, "Maya")
    await watched.rename_place(talk, LENA.key, place)
    ledger.rename(talk, LENA.key, place)
    await ledger.settle()
    watched.gate.set()
    assert (await lena, await maya) == ({}, {talk.id: 1})
    assert await ledger.unread_of(LENA.key) == {}
    assert await ledger.unread_of(MAYA.key) == {talk.id: 1}


async def test_the_number_is_right_at_any_moment_of_a_busy_shop(open_shop, grown_old):
    """Everybody writes, Omar reads and answers, summaries are written, and it is read again all
    the time."""
    shop = await open_shop()
    grown_old()
    buyers = [identity("Buyer", f"b{n}") for n in range(5)]

    async def write(buyer):
        for number in range(12):
            await shop.append(draft("Hello", buyer, OMAR))
            talk = await shop.ledger.between(buyer.key, OMAR.key)
            if number % 4 == 2:
                await shop.journal.mark(talk, OMAR.key, "read", talk.last)
            if number % 5 == 4:
                await shop.append(draft("Yes", OMAR, buyer))

    async def settle():
        for _ in range(20):
            await shop.ledger.settle()
            await asyncio.sleep(0.01)

    work = asyncio.gather(settle(), *(write(buyer) for buyer in buyers))
    while not work.done():
        found = await shop.ledger.unread_of(OMAR.key)
        live = shop.ledger._live.values()
        assert found == {c.id: c.unread_of(OMAR.key) for c in live if c.unread_of(OMAR.key)}
        await asyncio.sleep(0.001)
    await work
    await shop.ledger.settle()
    assert await shop.ledger.unread_of(OMAR.key) == await shop.store.unread_of(OMAR.key)


# --- When the database is away ------------------------------------------------------------------


async def test_a_look_that_fails_leaves_nothing_half(ledger, watched):
    talk = await talk_between(ledger)
    watched.is_away = True
    asked = [asyncio.create_task(ledger.unread_of(OMAR.key)) for _ in range(3)]
    assert {type(e) for e in await asyncio.gather(*asked, return_exceptions=True)} == {Unavailable}
    await say(ledger, watched, talk)
    await ledger.settle()
    watched.is_away = False
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}


async def test_who_does_not_wait_for_a_look_finds_its_answer_later(ledger, watched):
    asked = await looking(ledger, watched)
    asked.cancel()
    await asyncio.wait([asked])
    watched.gate.set()
    assert await ledger.unread_of(OMAR.key) == {}
    assert watched.looks == 1


# --- Another process ----------------------------------------------------------------------------


async def test_what_another_process_changed_is_found_behind_an_answer(ledger, watched, grown_old):
    assert await ledger.unread_of(OMAR.key) == {}
    other = Ledger(watched, now=NOW.timestamp)
    talk = await talk_between(other)
    await say(other, watched, talk)
    await other.settle()
    assert await ledger.unread_of(OMAR.key) == {}
    grown_old()
    assert await ledger.unread_of(OMAR.key) == {}, "nobody waits for it"
    await eventually(lambda: watched.looks == 2 and not ledger._unread._known[OMAR.key].reading)
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}


async def test_what_is_known_stays_while_the_database_is_away(ledger, watched, grown_old):
    talk = await talk_between(ledger)
    await say(ledger, watched, talk)
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}
    grown_old()
    watched.is_away = True
    for _ in range(3):
        assert await ledger.unread_of(OMAR.key) == {talk.id: 1}
        await eventually(lambda: not ledger._unread._known[OMAR.key].reading)
    assert watched.looks > 2


async def test_a_conversation_that_is_taken_up_counts_as_it_is_shown(ledger, watched):
    other = Ledger(watched, now=NOW.timestamp)
    assert await ledger.unread_of(OMAR.key) == {}
    talk = await talk_between(other)
    await say(other, watched, talk)
    await ledger.get(talk.id)
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}


# --- Memory -------------------------------------------------------------------------------------


async def test_those_who_asked_longest_ago_are_forgotten(ledger, watched, monkeypatch):
    monkeypatch.setattr(unread_module, "KEPT", 2 * unread_module.KEPT_FOR_ONE)
    for who in (MAYA, OMAR, MAYA, NILS):
        await ledger.unread_of(who.key)
    assert list(ledger._unread._known) == [MAYA.key, NILS.key]
    talk = await talk_between(ledger)
    await say(ledger, watched, talk)
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}


async def test_what_has_been_read_takes_no_room(ledger, watched, monkeypatch):
    # Three people fit as long as nothing is unread: a sum kept wrong would forget one of them.
    monkeypatch.setattr(unread_module, "KEPT", 3 * unread_module.KEPT_FOR_ONE)
    talk = await talk_between(ledger)
    for who in (OMAR, MAYA):
        await ledger.unread_of(who.key)
    for seq in (1, 2):
        await say(ledger, watched, talk)
        read(ledger, talk, seq)
    await ledger.unread_of(NILS.key)
    assert list(ledger._unread._known) == [OMAR.key, MAYA.key, NILS.key]
    # Four do not where one of them has something unread.
    monkeypatch.setattr(unread_module, "KEPT", 4 * unread_module.KEPT_FOR_ONE)
    await say(ledger, watched, talk)
    await ledger.unread_of(LENA.key)
    assert list(ledger._unread._known) == [MAYA.key, NILS.key, LENA.key]
