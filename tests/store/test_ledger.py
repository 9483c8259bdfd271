import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta

import pytest

from models import ledger as ledger_module
from models.conversation import Place, Step
from models.errors import Unavailable
from models.ledger import Ledger
from models.store import Cursor, Erasure
from tests.store.cast import LENA, MAYA, NILS, OMAR, conversation, eventually, message

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)


class Clock:
    def __init__(self):
        self.now = NOW.timestamp()

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(ledger_module, "PAGE", 10)


@pytest.fixture
def clock():
    return Clock()


class Told(Ledger):
    """A ledger that keeps the ``seq`` of every message it told of."""

    def __init__(self, store, clock):
        super().__init__(store, now=clock)
        self.told = []
        self.on_entry = lambda entry: self.told.append(entry.message.seq)


@pytest.fixture
def open_ledger(store, clock):
    """Opens ledgers as processes of their own would, on the one database."""
    return lambda: Told(store, clock)


@pytest.fixture
def ledger(open_ledger):
    return open_ledger()


async def opened(ledger, one=MAYA, other=OMAR):
    [found] = (await ledger.opened({(one.key, other.key): (one.name, other.name)})).values()
    return found


async def store_messages(store, talk, *seqs, sender=MAYA, to=OMAR, at=NOW):
    """Messages that were stored, and whose process was killed before it told anybody."""
    stored = [message(talk.id, seq, sender=sender, to=to, at=at) for seq in seqs]
    await store.insert_messages(stored)
    return stored


def newest(ledger, who, **options):
    return ledger.newest_of(who.key, **{"before": None, "limit": 9, "unread": False, **options})


# --- Looking up ---------------------------------------------------------------------------------


async def test_a_conversation_is_one_object_for_all_who_ask(ledger):
    talk = await opened(ledger)
    assert await opened(ledger, OMAR, MAYA) is talk
    assert await ledger.get(talk.id) is talk
    assert await ledger.between(OMAR.key, MAYA.key) is talk
    assert await ledger.get_all([talk.id]) == [talk]


async def test_many_who_ask_at_once_get_one_object(store, open_ledger):
    talk = await opened(open_ledger())
    await store_messages(store, talk, 1, 2)
    ledger = open_ledger()
    asked = [ledger.get(talk.id) for _ in range(5)]
    asked += [ledger.between(MAYA.key, OMAR.key) for _ in range(5)]
    found = await asyncio.gather(*asked)
    assert all(one is found[0] for one in found)
    assert found[0].last_seq == 2
    assert ledger.told == [1, 2]


async def test_who_never_spoke_has_none(ledger):
    assert await ledger.between(MAYA.key, OMAR.key) is None
    assert await ledger.get("a" * 24) is None
    assert await ledger.get_all(["a" * 24]) == []


async def test_two_processes_open_one_conversation(open_ledger):
    one, other = await asyncio.gather(opened(open_ledger()), opened(open_ledger()))
    assert one.id == other.id
    assert one.keys == (MAYA.key, OMAR.key)


async def test_opening_many_at_once_makes_what_is_missing(ledger):
    known = await opened(ledger)
    pairs = {(who.key, OMAR.key): (who.name, "Omar") for who in (MAYA, LENA)}
    pairs[LENA.key, NILS.key] = ("Lena", "Nils")
    found = await ledger.opened(pairs)
    assert found["|".join(known.keys)] is known
    assert len({talk.id for talk in found.values()}) == 3
    assert found[f"{LENA.key}|{NILS.key}"].place_of(NILS.key).name == "Nils"


async def test_nobody_sees_a_conversation_before_it_is_whole(store, open_ledger, proxy, open_store):
    talk = await opened(open_ledger())
    await store_messages(store, talk, *range(1, 45))
    ledger = open_ledger()
    first = asyncio.create_task(ledger.get(talk.id))
    while not first.done():
        await asyncio.sleep(0)
        for live in ledger._live.values():
            assert live.last_seq == 44
    assert (await first).last_seq == 44


async def test_a_conversation_that_could_not_be_read_to_its_end_is_not_kept(store, open_ledger):
    talk = await opened(open_ledger())
    await store_messages(store, talk, 1)
    ledger = open_ledger()
    ledger._store = Failing(store, "messages_between")
    with pytest.raises(Unavailable):
        await ledger.get(talk.id)
    ledger._store = store
    assert (await ledger.get(talk.id)).last_seq == 1


class Failing:
    """A store of which one method does not answer any more; or answers only when let."""

    def __init__(self, store, name, gate=None):
        self._store, self._name, self._gate = store, name, gate

    def __getattr__(self, name):
        method = getattr(self._store, name)
        if name != self._name:
            return method

        async def stand_in(*arguments, **options):
            if self._gate is None:
                raise Unavailable
            found = await method(*arguments, **options)
            await self._gate.wait()
            return found

        return stand_in


# --- What a killed process left -----------------------------------------------------------------


async def test_messages_without_a_summary_are_found_when_asked_for(store, open_ledger):
    talk = await opened(open_ledger())
    stored = await store_messages(store, talk, 1, 2, 3)
    ledger = open_ledger()
    found = await ledger.get(talk.id)
    assert (found.last_seq, found.last) == (3, stored[-1])
    assert found.unread_of(OMAR.key) == 3
    assert found.unread_of(MAYA.key) == 0, "sending reads all before"
    assert ledger.told == [1, 2, 3]


async def test_messages_without_a_summary_are_in_every_list_after_a_restart(store, open_ledger):
    await store.introduce(OMAR.key, "Omar", NOW)  # a start looks at the sellers' messages
    before = open_ledger()
    await before.mend()
    talk = await opened(before)
    await store_messages(store, talk, 1, 2, 3)
    after = open_ledger()
    await after.mend()
    assert [c.id for c in await newest(after, OMAR)] == [talk.id]
    assert await after.unread_of(OMAR.key) == {talk.id: 3}
    assert await store.unread_of(OMAR.key) == {talk.id: 3}


async def test_messages_of_a_seller_who_was_erased_are_in_their_buyers_list_after_a_restart(
    store, open_ledger, clock
):
    """A server was killed between the two. Fails where only those who sell now are asked about."""
    await store.introduce(OMAR.key, "Omar", NOW)
    before = open_ledger()
    await before.mend()
    talk = await opened(before)
    await store_messages(store, talk, 1, 2, 3)
    await store.order_erasure(Erasure(OMAR.key, NOW, int(clock.now), is_done=False), None)
    await store.forget_participant(OMAR.key)
    after = open_ledger()
    await after.mend()
    assert [c.last_seq for c in await newest(after, MAYA)] == [3]


async def test_a_restart_mends_only_what_needs_it(store, open_ledger, clock):
    before = open_ledger()
    await before.mend()
    talk = await opened(before)
    for stored in await store_messages(store, talk, 1, 2):
        before.add(talk, stored, None)
    await before.settle()
    after = open_ledger()
    await after.mend()
    assert after.told == []
    assert await after.unread_of(OMAR.key) == {talk.id: 2}


async def test_a_clock_that_was_stepped_back_hides_nothing_from_a_restart(
    store, open_ledger, clock
):
    await store.introduce(OMAR.key, "Omar", NOW)
    before = open_ledger()
    clock.now += 24 * 3600
    await before.mend()
    clock.now -= 24 * 3600
    await before.settle()
    talk = await opened(before)
    await store_messages(store, talk, 1)
    after = open_ledger()
    await after.mend()
    assert await after.unread_of(OMAR.key) == {talk.id: 1}


async def test_a_killed_handover_does_not_keep_a_shop_from_opening(store, open_ledger):
    """The place had its new name, the messages still had the old one."""
    before = open_ledger()
    await before.mend()
    await store.introduce(OMAR.key, "Omar", NOW)
    talk = await opened(before, LENA)
    await store_messages(store, talk, 1, 2, sender=LENA)
    await store.rename_place(talk, LENA.key, Place(MAYA.key, "Maya"))
    after = open_ledger()
    await after.mend()
    assert (await after.get(talk.id)).last_seq == 2


# --- Rechecking ---------------------------------------------------------------------------------


async def test_a_recheck_takes_in_what_another_process_stored(store, ledger):
    talk = await opened(ledger)
    await store_messages(store, talk, *range(1, 14))
    await ledger.recheck(talk)
    assert talk.last_seq == 13
    assert ledger.told == list(range(1, 14))
    await ledger.recheck(talk)
    assert len(ledger.told) == 13


async def test_rechecks_at_once_tell_everything_once(store, ledger):
    talk = await opened(ledger)
    await store_messages(store, talk, *range(1, 30))
    await asyncio.gather(*(ledger.recheck(talk) for _ in range(5)))
    assert ledger.told == list(range(1, 30))


async def test_what_lies_behind_a_hole_is_not_shown(store, ledger):
    talk = await opened(ledger)
    await store_messages(store, talk, 1, *range(3, 45))
    await asyncio.wait_for(ledger.recheck(talk), 5)
    assert (talk.last_seq, ledger.told) == (1, [1])


async def test_a_fault_in_telling_loses_no_message(store, ledger, expected_errors):
    expected_errors("could not be told")
    talk = await opened(ledger)
    stored = await store_messages(store, talk, 1, 2)

    def fail(entry):
        raise ZeroDivisionError

    ledger.on_entry = fail
    await ledger.recheck(talk)
    assert talk.last == stored[-1]


async def test_an_entry_says_how_far_the_sender_had_read(ledger, store):
    talk = await opened(ledger)
    entries = []
    ledger.on_entry = entries.append
    first, second = await store_messages(store, talk, 1, 2)
    [answer] = await store_messages(store, talk, 3, sender=OMAR, to=MAYA)
    for one in (first, second, answer):
        ledger.add(talk, one, "origin")
    assert [entry.read_before for entry in entries] == [0, 1, 0]
    assert [entry.previous for entry in entries] == [None, first, second]
    assert entries[-1].origin == "origin"
    assert talk.place_of(OMAR.key).read_seq == 3


# --- Summaries that are behind ------------------------------------------------------------------


async def test_lists_and_counts_show_what_no_summary_says_yet(store, ledger):
    talk = await opened(ledger)
    [stored] = await store_messages(store, talk, 1)
    ledger.add(talk, stored, None)
    assert (await store.conversation(talk.id)).last_seq == 0
    assert await newest(ledger, OMAR) == [talk]
    assert await newest(ledger, OMAR, unread=True) == [talk]
    assert await newest(ledger, MAYA, unread=True) == []
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}
    assert await newest(ledger, LENA) == []


async def test_a_conversation_without_a_message_is_in_no_list(ledger):
    await opened(ledger)
    assert await newest(ledger, MAYA) == []
    assert await ledger.unread_of(OMAR.key) == {}


@pytest.mark.parametrize("answered_first", ["the list", "the summary"])
async def test_a_list_is_whole_while_its_summaries_are_being_written(store, ledger, answered_first):
    """The list is read from the database before the summary lies there, or is shown before that
    is known."""
    talk = await opened(ledger)
    [stored] = await store_messages(store, talk, 1)
    ledger.add(talk, stored, None)
    gate = asyncio.Event()
    slow = "unread_of" if answered_first == "the summary" else "write_summaries"
    ledger._store = Failing(store, slow, gate)
    listing = asyncio.create_task(ledger.unread_of(OMAR.key))
    settling = asyncio.create_task(ledger.settle())
    await (settling if answered_first == "the summary" else listing)
    gate.set()
    await settling
    assert await listing == {talk.id: 1}


@pytest.fixture
async def eight(store):
    """Eight conversations of Omar's, the newest first."""
    talks = [conversation(MAYA, OMAR, messages=1, at=NOW - n * MINUTE) for n in range(8)]
    for number, talk in enumerate(talks):
        talk.places[0].key = f"Buyer:b{number}"
    await store.insert_conversations(talks)
    return talks


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_a_page_is_full_and_in_order_whatever_moves_while_it_is_read(
    store, ledger, eight, monkeypatch, limit
):
    """Two of it get a newer message, and the oldest of all, which is in memory, is read."""
    oldest = await ledger.get(eight[-1].id)
    ledger.advance(oldest, oldest.place_of(OMAR.key), "read", Step(1, NOW))
    read = store.conversations_of

    async def and_meanwhile(*arguments, **options):
        found = await read(*arguments, **options)
        for talk in eight[2:4]:
            live = await ledger.get(talk.id)
            live.updated_at = NOW + MINUTE
            ledger.touch(live)
        return found

    monkeypatch.setattr(store, "conversations_of", and_meanwhile)
    before = Cursor(NOW - MINUTE, eight[1].id)
    page = await newest(ledger, OMAR, before=before, limit=limit)
    assert [c.id for c in page] == [c.id for c in eight[4:]][:limit]


async def test_reading_takes_a_conversation_off_the_unread_ones_at_once(store, ledger):
    talk = await opened(ledger)
    [stored] = await store_messages(store, talk, 1)
    ledger.add(talk, stored, None)
    await ledger.settle()
    ledger.advance(talk, talk.place_of(OMAR.key), "read", Step(1, NOW))
    assert await ledger.unread_of(OMAR.key) == {}
    assert await newest(ledger, OMAR, unread=True) == []
    await ledger.settle()
    assert await store.unread_of(OMAR.key) == {}


# --- Settling -----------------------------------------------------------------------------------


async def test_settling_writes_all_that_is_behind(store, ledger):
    talk = await opened(ledger)
    for stored in await store_messages(store, talk, 1, 2):
        ledger.add(talk, stored, None)
    await ledger.settle()
    found = await store.conversation(talk.id)
    assert found == talk
    assert not ledger._behind


async def test_what_comes_while_a_summary_is_written_is_written_after_it(store, ledger):
    talk = await opened(ledger)
    first, second = await store_messages(store, talk, 1, 2)
    ledger.add(talk, first, None)
    settling = asyncio.create_task(ledger.settle())
    await asyncio.sleep(0)
    ledger.add(talk, second, None)
    ledger.advance(talk, talk.place_of(OMAR.key), "delivered", Step(2, NOW))
    await settling
    await ledger.settle()
    assert await store.conversation(talk.id) == talk


@pytest.mark.parametrize("kind", ["delivered", "read"])
async def test_a_step_that_was_stored_meanwhile_is_not_overwritten(store, ledger, kind):
    talk = await opened(ledger)
    [stored] = await store_messages(store, talk, 1)
    ledger.add(talk, stored, None)
    await ledger.settle()
    ledger.touch(talk)
    place, step = talk.place_of(OMAR.key), Step(1, NOW)
    snapshot = asyncio.create_task(ledger.settle())
    await asyncio.sleep(0)
    ledger.advance(talk, place, kind, step)
    await snapshot
    await ledger.settle()
    found = (await store.conversation(talk.id)).place_of(OMAR.key)
    assert getattr(found, kind) == [step]


async def test_settling_fails_without_a_loss_and_goes_on_later(store, ledger):
    talk = await opened(ledger)
    [stored] = await store_messages(store, talk, 1)
    ledger.add(talk, stored, None)
    ledger._store = Failing(store, "write_summaries")
    with pytest.raises(Unavailable):
        await ledger.settle()
    assert await ledger.unread_of(OMAR.key) == {talk.id: 1}
    ledger._store = store
    await ledger.settle()
    assert (await store.conversation(talk.id)).last_seq == 1


async def test_settling_goes_on_by_itself_when_the_database_is_back(store, ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(ledger_module, "REST_SECONDS", 0.01)
    talk = await opened(ledger)
    [stored] = await store_messages(store, talk, 1)
    ledger.add(talk, stored, None)
    ledger._store = Failing(store, "write_summaries")
    work = asyncio.create_task(ledger.keep_settling())
    await asyncio.sleep(0.05)
    ledger._store = store
    await eventually(lambda: not ledger._behind)
    work.cancel()
    assert (await store.conversation(talk.id)).last_seq == 1


async def test_many_summaries_are_written_in_pieces_with_rests_in_between(
    store, ledger, monkeypatch
):
    """An engine that does one thing at a time keeps a message waiting for as long as it writes.
    Fails when all that are behind go into one write, and when the rests are left out."""
    monkeypatch.setattr(ledger_module, "SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(ledger_module, "SETTLE_PIECE", 2)
    for one, other in [(MAYA, OMAR), (MAYA, NILS), (LENA, OMAR)]:
        talk = await opened(ledger, one, other)
        [stored] = await store_messages(store, talk, 1, sender=one, to=other)
        ledger.add(talk, stored, None)
    write_summaries, pieces = store.write_summaries, []

    async def noted(conversations):
        begun = time.monotonic()
        await write_summaries(conversations)
        pieces.append((len(conversations), begun, time.monotonic()))

    monkeypatch.setattr(store, "write_summaries", noted)
    work = asyncio.create_task(ledger.keep_settling())
    await eventually(lambda: not ledger._behind)
    work.cancel()
    assert [size for size, _, _ in pieces] == [2, 1]
    for (_, begun, done), (_, begun_next, _) in itertools.pairwise(pieces):
        assert begun_next - done > 5 * (done - begun)


async def test_a_start_looks_back_to_what_has_been_behind_for_longest(
    store, ledger, clock, monkeypatch
):
    """A pass over many takes minutes, and one that fails must not begin anew. Fails when only a
    whole pass moves the mark, and when one that never rests holds it fast."""
    monkeypatch.setattr(ledger_module, "SETTLE_BATCH", 1)
    talks = [await opened(ledger), await opened(ledger, MAYA, NILS)]
    for talk, to in zip(talks, (OMAR, NILS), strict=True):
        clock.now += 60
        [stored] = await store_messages(store, talk, 1, to=to)
        ledger.add(talk, stored, None)
    write_summaries, marks = store.write_summaries, []

    async def busy(conversations):
        clock.now += 60
        ledger.touch(talks[0])  # while it is written
        await write_summaries(conversations)
        marks.append(await store.settled_at())

    monkeypatch.setattr(store, "write_summaries", busy)
    await ledger.settle()
    assert marks == [None, NOW + 2 * MINUTE]
    assert await store.settled_at() == NOW + 2 * MINUTE


async def test_two_ledgers_that_settle_one_conversation_take_nothing_back(store, open_ledger):
    one, other = open_ledger(), open_ledger()
    mine, theirs = await opened(one), await opened(other)
    first, second = await store_messages(store, mine, 1, 2)
    for stored in (first, second):
        one.add(mine, stored, None)
    other.add(theirs, first, None)
    await one.settle()
    await other.settle()
    assert (await store.conversation(mine.id)).last_seq == 2


# --- Memory -------------------------------------------------------------------------------------


async def test_the_least_used_are_forgotten_but_none_that_is_behind(store, ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "KEPT", 3)
    talks = [conversation(MAYA, OMAR) for _ in range(8)]
    for number, talk in enumerate(talks):
        talk.places[0].key = f"Buyer:b{number}"
    await store.insert_conversations(talks)
    for talk in talks:
        await ledger.get(talk.id)
    await ledger.get(talks[0].id)
    [stored] = await store_messages(store, talks[1], 1)
    await ledger.settle()
    assert set(ledger._live) == {talks[0].id, talks[6].id, talks[7].id}
    assert len(ledger._ids) == 3
    behind = await ledger.get(talks[1].id)
    for talk in talks[2:]:
        await ledger.get(talk.id)
    assert ledger._behind
    ledger._forget_the_oldest()
    assert await ledger.get(behind.id) is behind
    assert behind.last == stored


# --- Changing hands -----------------------------------------------------------------------------


async def test_a_renamed_conversation_is_found_under_its_new_pair_only(store, ledger):
    talk = await opened(ledger, LENA)
    place = Place(MAYA.key, "Maya")
    await store.rename_place(talk, LENA.key, place)
    ledger.rename(talk, LENA.key, place)
    assert await ledger.between(MAYA.key, OMAR.key) is talk
    assert await ledger.between(LENA.key, OMAR.key) is None
    assert talk.place_of(MAYA.key).name == "Maya"


async def test_what_was_read_before_a_renaming_is_not_taken_up_after_it(store, open_ledger):
    talk = await opened(open_ledger(), LENA)
    await store_messages(store, talk, 1, sender=LENA)
    ledger = open_ledger()
    gate = asyncio.Event()
    ledger._store = Failing(store, "conversation", gate)
    early = asyncio.create_task(ledger.get(talk.id))
    await asyncio.sleep(0.05)
    live = await ledger.between(LENA.key, OMAR.key)
    place = Place(MAYA.key, "Maya")
    await store.rename_place(live, LENA.key, place)
    ledger.rename(live, LENA.key, place)
    await ledger.settle()
    ledger.forget(live)
    gate.set()
    assert (await early).keys == (MAYA.key, OMAR.key)


async def test_a_forgotten_conversation_leaves_no_trace(store, ledger):
    talk = await opened(ledger)
    [stored] = await store_messages(store, talk, 1)
    ledger.add(talk, stored, None)
    await store.delete_conversation(talk.id)
    ledger.forget(talk)
    ledger.touch(talk)
    assert await ledger.get(talk.id) is None
    assert await newest(ledger, OMAR) == []
    assert (len(ledger._live), len(ledger._ids), len(ledger._behind)) == (0, 0, 0)
    await ledger.settle()
