import asyncio
import time
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import journal as journal_module
from models import store_connection
from models.conversation import pair_of
from models.errors import Conflict, NotYours, Unavailable
from models.journal import ROUND_SIZE
from models.store import Taken
from models.store_documents import message_from
from tests.store.cast import LENA, MAYA, NILS, OMAR, draft, eventually, message

CAST = [MAYA, LENA, OMAR, NILS]


async def truth(shop):
    """All that is stored, by conversation, in order."""
    found = defaultdict(list)
    for document in await shop.store._db.messages.find({}).to_list(None):
        found[str(document["conversation"])].append(message_from(document))
    return {id_: sorted(stored, key=lambda m: m.seq) for id_, stored in found.items()}


async def check_stored(shop, acknowledged=(), listeners=()):
    """The promises that hold whatever went wrong. Returns what is stored, by conversation."""
    stored = await truth(shop)
    for messages in stored.values():
        assert [m.seq for m in messages] == list(range(1, len(messages) + 1)), "dense"
        times = [m.at for m in messages]
        assert times == sorted(times), "no time runs backwards"
    everything = [m for messages in stored.values() for m in messages]
    names = [(m.sender, m.client_id) for m in everything]
    assert len(names) == len(set(names)), "no client_id twice"
    for one in acknowledged:
        assert one.message in everything, "what was acknowledged is stored"
    for listener in listeners:
        check_heard(listener.heard("new_message"))
    return stored


def check_heard(messages):
    """A listener heard each conversation from some point on, in order and without a hole."""
    by_conversation = defaultdict(list)
    for one in messages:
        by_conversation[one["conversation_id"]].append(one["seq"])
    for seqs in by_conversation.values():
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def texts(stored):
    return [m.text for m in stored]


async def settled(futures):
    """What became of each: a ``Stored`` or an error."""
    return await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 20)


class Watched:
    """A store that counts its calls, and lets a test fail or stop some of them.

    ``before`` and ``after`` are called with the method's name and its arguments; what they raise
    is raised, what they return is awaited.
    """

    def __init__(self, store, before=None, after=None):
        self.calls = defaultdict(int)
        self._store, self._before, self._after = store, before, after

    def __getattr__(self, name):
        method = getattr(self._store, name)

        async def watched(*arguments, **options):
            self.calls[name] += 1
            if self._before and (work := self._before(name, *arguments)):
                await work
            found = await method(*arguments, **options)
            if self._after and (work := self._after(name, *arguments)):
                await work
            return found

        return watched


def watch(process, **hooks):
    """Puts a watch between the journal and its store."""
    process.shop.journal._store = watched = Watched(process.shop.store, **hooks)
    return watched


# --- Rounds -------------------------------------------------------------------------------------


async def test_a_lone_message_is_stored_when_it_is_answered(shop):
    done = await shop.append(draft("Hello", client_id="c"))
    assert (done.message.seq, done.message.text, done.duplicate) == (1, "Hello", False)
    assert done.message.conversation_id == done.conversation.id
    assert done.conversation.last == done.message
    assert await shop.store.message(done.message.id) == done.message


async def test_a_crowd_shares_a_round(shop):
    watched = watch(shop)
    crowd = [draft(f"{n}", CAST[n % 2], [OMAR, NILS][n // 2 % 2]) for n in range(200)]
    done = await shop.append(*crowd)
    assert [one.message.text for one in done] == [f"{n}" for n in range(200)]
    assert watched.calls["insert_messages"] == 1
    assert {len(messages) for messages in (await check_stored(shop, done)).values()} == {50}


async def test_a_round_asks_the_database_once(shop):
    """Repeats are rare: the index finds them, where a look would take as long as the insert."""
    await shop.append(draft("first"))
    watched = watch(shop)
    await shop.append(draft("second"), draft("third"))
    assert watched.calls == {"insert_messages": 1}


async def test_a_repeat_among_a_crowd_costs_one_more_round(shop):
    first, _ = await shop.append(draft("first", client_id="c"), draft("other side", LENA))
    watched = watch(shop)
    crowd = [draft(f"{n}", [MAYA, LENA][n % 2]) for n in range(20)]
    crowd[7] = draft("first", client_id="c")
    crowd[12] = draft("changed", client_id="c")
    done = await settled([shop.journal.append(one) for one in crowd])
    assert (done[7].message, done[7].duplicate) == (first.message, True)
    assert isinstance(done[12], Conflict)
    fresh = [one for place, one in enumerate(done) if place not in (7, 12)]
    assert not any(one.duplicate for one in fresh)
    assert [one.message.text for one in fresh] == [f"{n}" for n in range(20) if n not in (7, 12)]
    assert watched.calls["messages_sent_as"] == 1
    assert watched.calls["insert_messages"] == 2
    await check_stored(shop, [first, done[7], *fresh])
    await shop.append(draft("after"))
    assert watched.calls["messages_sent_as"] == 1


async def test_a_conflict_begins_no_conversation(shop):
    await shop.append(draft("Hello", client_id="c"))
    [refused] = await settled([shop.journal.append(draft("Hello", to=NILS, client_id="c"))])
    assert isinstance(refused, Conflict)
    assert await shop.store.conversation_by_pair(pair_of(MAYA.key, NILS.key)) is None


async def test_a_round_has_an_end(shop):
    watched = watch(shop)
    done = await shop.append(*(draft(f"{n}") for n in range(ROUND_SIZE + 1)))
    assert watched.calls["insert_messages"] == 2
    [stored] = (await check_stored(shop, done)).values()
    assert texts(stored) == [f"{n}" for n in range(ROUND_SIZE + 1)]


async def test_while_a_round_is_under_way_the_next_one_gathers(shop):
    gate, begun = asyncio.Event(), asyncio.Event()

    async def wait():
        begun.set()
        await gate.wait()

    watched = watch(shop, before=lambda name, *_: wait() if name == "insert_messages" else None)
    first = shop.journal.append(draft())
    await begun.wait()
    rest = [shop.journal.append(draft()) for _ in range(20)]
    gate.set()
    await settled([first, *rest])
    assert watched.calls["insert_messages"] == 2


async def test_messages_of_a_sender_are_numbered_in_the_order_they_were_appended(shop):
    senders = {who.key: [] for who in CAST}
    futures = []
    for number in range(120):
        sender = CAST[number * 7 % 4]
        to = OMAR if sender in (MAYA, LENA) else MAYA
        senders[sender.key].append(f"{number}")
        futures.append(shop.journal.append(draft(f"{number}", sender, to)))
        if number % 13 == 0:
            await asyncio.sleep(0.002)
    await settled(futures)
    for messages in (await check_stored(shop)).values():
        for key in {m.sender for m in messages}:
            said = [m.text for m in messages if m.sender == key]
            assert said == [text for text in senders[key] if text in said]


async def test_everybody_is_told_in_order_and_before_the_sender_is_answered(shop):
    order = []
    entries = shop.shop.ledger.on_entry

    def tell(entry):
        order.append(("told", entry.message.seq))
        entries(entry)

    shop.shop.ledger.on_entry = tell
    omar = shop.listen(OMAR)
    futures = [shop.journal.append(draft(f"{n}")) for n in range(3)]
    for number, future in enumerate(futures, 1):
        future.add_done_callback(lambda _, number=number: order.append(("answered", number)))
    await settled(futures)
    assert [one for one in order if one[0] == "told"] == [("told", n) for n in (1, 2, 3)]
    assert all(order.index(("told", n)) < order.index(("answered", n)) for n in (1, 2, 3))
    assert [one["message"] for one in omar.heard("new_message")] == ["0", "1", "2"]


async def test_a_slow_telling_does_not_go_to_whoever_asked(shop):
    phone, desk = shop.listen(MAYA), shop.listen(MAYA)
    await shop.append(draft(origin=phone))
    assert phone.heard("new_message") == []
    assert len(desk.heard("new_message")) == 1


# --- Repeats ------------------------------------------------------------------------------------


async def test_the_same_again_is_the_stored_one_however_long_after(shop, open_shop):
    first = await shop.append(draft(client_id="c"))
    again = await shop.append(draft(client_id="c"))
    assert (again.message, again.duplicate) == (first.message, True)
    await shop.kill()
    restarted = await open_shop()
    much_later = await restarted.append(draft(client_id="c"))
    assert (much_later.message, much_later.duplicate) == (first.message, True)
    assert len((await check_stored(restarted, [first]))[first.conversation.id]) == 1


async def test_ten_copies_at_once_are_one_message(shop):
    omar = shop.listen(OMAR)
    done = await shop.append(*(draft(client_id="c") for _ in range(10)))
    assert len({one.message.id for one in done}) == 1
    assert [one.duplicate for one in done] == [False] + [True] * 9
    assert len(omar.heard("new_message")) == 1


@pytest.mark.parametrize("again", [{"text": "Bye"}, {"to": NILS}])
@pytest.mark.parametrize("when", ["in the same round", "later"])
async def test_a_client_id_of_another_message_is_a_conflict(shop, again, when):
    first = shop.journal.append(draft(client_id="c"))
    if when == "later":
        await first
    other = shop.journal.append(draft(**again, client_id="c"))
    done, refused = await settled([first, other])
    assert done.message.text == "Hello"
    assert isinstance(refused, Conflict)
    assert refused.field == "client_id"
    assert len(await check_stored(shop, [done])) == 1


async def test_a_client_id_is_its_senders_own(shop):
    done = await shop.append(
        draft(client_id="c"),
        draft(sender=LENA, client_id="c"),
        draft("x", OMAR, MAYA, client_id="c"),
    )
    assert len({one.message.id for one in done}) == 3


async def test_a_repeat_of_what_a_killed_process_stored_is_told_and_answered(shop, open_shop):
    """It died between the commit and the acknowledgement."""
    gate = asyncio.Event()
    watched = watch(shop, after=lambda name, *_: gate.wait() if name == "insert_messages" else None)
    shop.journal.append(draft(client_id="c"))
    await eventually(lambda: watched.calls["insert_messages"])
    while not await shop.store.messages_sent_as([(MAYA.key, "c")]):
        pass
    await shop.kill()
    restarted = await open_shop()
    done = await restarted.append(draft(client_id="c"))
    assert (done.message.seq, done.duplicate) == (1, True)
    following = await restarted.append(draft("and then"))
    assert following.message.seq == 2
    await check_stored(restarted, [done, following])


# --- Unknown outcomes ---------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(store_connection, "OPERATION_MILLISECONDS", 1000)
    monkeypatch.setattr(journal_module, "LOOK_AGAIN_SECONDS", 0.05)


@pytest.fixture
async def far_shop(shop, open_shop, proxy, engine_uri, impatient):
    """A shop whose way to the database is the proxy; the other one has made the indexes."""
    return await open_shop(proxy.uri(engine_uri))


async def until_stored(process, *drafts):
    """Sends the same drafts again until each is stored, as clients do."""
    done = []
    for one in drafts:
        for _ in range(40):
            try:
                done.append(await process.append(one))
                break
            except Unavailable:
                await asyncio.sleep(0.05)
        else:
            pytest.fail("The journal does not recover.")
    return done


@pytest.mark.parametrize("fault", ["refuse", "reset", "swallow up", "swallow down", "hold up"])
async def test_a_fault_in_a_round_loses_and_doubles_nothing(far_shop, shop, proxy, fault):
    maya, omar = far_shop.listen(MAYA), far_shop.listen(OMAR)
    before = await far_shop.append(draft("before"))
    name, _, direction = fault.partition(" ")
    hit = asyncio.Event()

    def strike(call, *_):
        if call == "insert_messages" and not hit.is_set():
            hit.set()
            getattr(proxy, name)(*[direction] if direction else [])

    watch(far_shop, before=strike)
    drafts = [draft(f"{n}", CAST[n % 2], OMAR) for n in range(6)]
    outcomes = await settled([far_shop.journal.append(one) for one in drafts])
    acknowledged = [one for one in outcomes if not isinstance(one, BaseException)]
    assert all(isinstance(one, Unavailable) for one in outcomes if one not in acknowledged)
    if fault != "reset":  # after which the driver's second try may succeed
        assert not acknowledged
    assert hit.is_set()
    proxy.heal()
    done = await until_stored(far_shop, *drafts)
    done.append(await far_shop.append(draft("after")))
    stored = await check_stored(shop, [before, *acknowledged, *done])
    assert sorted(t for messages in stored.values() for t in texts(messages)) == sorted(
        ["before", "after", *(f"{n}" for n in range(6))]
    )
    for listener in (maya, omar):
        heard = listener.heard("new_message")
        own = [m for m in heard if m["conversation_id"] == before.conversation.id]
        assert [m["seq"] for m in own] == list(range(1, len(own) + 1))
        assert {m["message"] for m in own} == {"before", "after", "0", "2", "4"}


async def test_a_write_that_lands_late_is_told_by_itself(far_shop, shop, proxy):
    omar = far_shop.listen(OMAR)
    talk = (await far_shop.append(draft("first"))).conversation
    omar.heard()
    watch(far_shop, before=lambda name, *_: proxy.hold("up") if name == "insert_messages" else None)
    [refused] = await settled([far_shop.journal.append(draft("late", client_id="late"))])
    assert isinstance(refused, Unavailable)
    watch(far_shop)
    assert await shop.store.messages_sent_as([(MAYA.key, "late")]) == []
    proxy.heal()
    await eventually(lambda: talk.last_seq == 2)
    assert [m["message"] for m in omar.heard("new_message")] == ["late"]
    again = await far_shop.append(draft("late", client_id="late"))
    assert again.duplicate
    await check_stored(shop, [again])


async def test_doubt_lasts_while_the_database_is_away(far_shop, proxy, monkeypatch):
    """However long that takes: it is counted from when the database answers again."""
    monkeypatch.setattr(journal_module, "DOUBT_SECONDS", 1.0)
    talk = (await far_shop.append(draft("first"))).conversation
    watch(far_shop, before=lambda name, *_: proxy.hold("up") if name == "insert_messages" else None)
    await settled([far_shop.journal.append(draft("late"))])
    watch(far_shop)
    await asyncio.sleep(1.2)
    proxy.heal()
    await eventually(lambda: talk.last_seq == 2)
    await eventually(lambda: not far_shop.journal._doubtful)


async def test_doubt_lasts_for_a_while_after_the_database_answers(shop, monkeypatch):
    """What was given up may lie in some buffer on the way."""
    monkeypatch.setattr(journal_module, "LOOK_AGAIN_SECONDS", 0.01)
    talk = (await shop.append(draft("first"))).conversation
    given_up = []

    def give_up(name, messages=(), *_):
        if name == "insert_messages":
            given_up.extend(messages)
            raise Unavailable

    watched = watch(shop, before=give_up)
    await settled([shop.journal.append(draft("late"))])
    await eventually(lambda: watched.calls["messages_sent_as"] > 5)
    await shop.store.insert_messages(given_up)
    await eventually(lambda: talk.last_seq == 2)


async def test_a_write_that_lands_late_gives_way_to_what_was_numbered_meanwhile(shop):
    """Its place was given to another message, which is stored by now."""
    talk = (await shop.append(draft("first"))).conversation
    given_up = []

    def give_up(name, messages=(), *_):
        if name == "insert_messages" and not given_up:
            given_up.extend(messages)
            raise Unavailable

    watch(shop, before=give_up)
    late = [draft("late 1", client_id="l1"), draft("late 2", client_id="l2")]
    await settled([shop.journal.append(one) for one in late])
    between = await shop.append(draft("between"))
    assert between.message.seq == 2
    with pytest.raises(Taken):
        await shop.store.insert_messages(given_up)
    done = await until_stored(shop, *late)
    assert [one.message.seq for one in done] == [3, 4]
    await check_stored(shop, [between, *done])
    assert talk.last_seq == 4


async def test_a_write_that_lands_between_the_look_and_the_insert_is_found(shop):
    omar = shop.listen(OMAR)
    talk = (await shop.append(draft("first"))).conversation
    late = message(talk.id, 2, text="late", client_id="late", at=talk.updated_at)

    def land(name, *_):
        if name == "insert_messages" and talk.last_seq == 1:
            return shop.store.insert_messages([late])
        return None

    watch(shop, before=land)
    done = await shop.append(
        draft("elsewhere", LENA, NILS), draft("new"), draft("late", client_id="late")
    )
    assert [one.message.seq for one in done] == [1, 3, 2]
    assert [one.duplicate for one in done] == [False, False, True]
    assert [m["message"] for m in omar.heard("new_message")] == ["first", "late", "new"]


@pytest.mark.parametrize("stored", [0, 1, 2, 3, 4])
async def test_a_round_broken_at_any_point_leaves_no_hole(shop, stored):
    omar = shop.listen(OMAR)
    drafts = [draft(f"{n}", [MAYA, LENA][n % 2]) for n in range(4)]
    broken = []

    def break_off(name, messages=(), *_):
        async def part():
            await shop.store.insert_messages(messages[:stored])
            raise Unavailable

        if name == "insert_messages" and not broken:
            broken.append(name)
            return part() if stored else asyncio.sleep(0)
        return None

    watch(shop, before=break_off)
    outcomes = await settled([shop.journal.append(one) for one in drafts])
    if stored:
        assert all(isinstance(one, Unavailable) for one in outcomes)
    done = await until_stored(shop, *drafts)
    assert sum(one.duplicate for one in done) == (stored or 4)
    await check_stored(shop, done, [omar])


async def test_a_fault_of_ours_answers_everybody_and_the_next_round_comes(shop, expected_errors):
    expected_errors("a round of the journal failed")

    def fail(name, *_):
        if name == "insert_messages":
            raise ZeroDivisionError

    watch(shop, before=fail)
    outcomes = await settled([shop.journal.append(draft(f"{n}")) for n in range(3)])
    assert {one.code for one in outcomes} == {"internal"}
    watch(shop)
    done = await shop.append(draft("after"))
    assert done.message.seq == 1


async def test_a_poisoned_repeat_spoils_nobody_elses_round(shop):
    """A message whose conversation was merged away: it landed after the handover."""
    orphan = message("a" * 24, 1, client_id="orphan")
    await shop.store.insert_messages([orphan])
    refused, done = await settled(
        [shop.journal.append(draft(client_id="orphan")), shop.journal.append(draft(sender=LENA))]
    )
    assert isinstance(refused, Unavailable)
    assert done.message.seq == 1


async def test_too_much_waiting_is_refused_at_once(shop, monkeypatch):
    monkeypatch.setattr(journal_module, "WAITING", 10)
    outcomes = await settled([shop.journal.append(draft()) for _ in range(12)])
    assert [isinstance(one, Unavailable) for one in outcomes] == [False] * 10 + [True] * 2


async def test_who_has_waited_too_long_is_refused_and_nothing_of_theirs_is_stored(
    open_shop, monkeypatch
):
    monkeypatch.setattr(journal_module, "PATIENCE_SECONDS", 0.05)
    shop = await open_shop(asleep=["journal"])
    old = shop.journal.append(draft("old"))
    await asyncio.sleep(0.06)
    new = shop.journal.append(draft("new"))
    shop.tasks.append(asyncio.create_task(shop.journal.run()))
    refused, done = await settled([old, new])
    assert isinstance(refused, Unavailable)
    [stored] = (await check_stored(shop, [done])).values()
    assert texts(stored) == ["new"]


# --- Two processes ------------------------------------------------------------------------------


async def test_two_processes_on_one_database_only_cost_each_other_retries(open_shop):
    shops = [await open_shop(), await open_shop()]
    listeners = [[shop.listen(OMAR), shop.listen(NILS)] for shop in shops]
    done = []

    async def talk(shop, name):
        for number in range(15):
            crowd = [
                draft(f"{name}{number} to {to.name}", sender, to)
                for sender in (MAYA, LENA)
                for to in (OMAR, NILS)
            ]
            done.extend(await until_stored(shop, *crowd[:1]))
            done.extend(await shop.append(*crowd[1:]))

    await asyncio.wait_for(asyncio.gather(talk(shops[0], "a"), talk(shops[1], "b")), 30)
    assert len(done) == 120
    stored = await check_stored(shops[0], done)
    assert {len(messages) for messages in stored.values()} == {30}
    for messages in stored.values():
        for name in ("a", "b"):  # first in, first out, for each sender in each process
            for sender in {m.sender for m in messages}:
                said = [m.text for m in messages if m.sender == sender and m.text[0] == name]
                assert said == sorted(said, key=lambda text: int(text[1:].partition(" ")[0]))
    for shop, pair in zip(shops, listeners, strict=True):
        for id_, messages in stored.items():
            live = await shop.ledger.get(id_)
            await shop.ledger.recheck(live)
            assert live.last == messages[-1], "both have learnt of everything"
        for listener in pair:
            check_heard(listener.heard("new_message"))


async def test_one_client_id_in_two_processes_is_one_message(open_shop):
    shops = [await open_shop(), await open_shop()]
    for number in range(10):
        same = [draft(client_id=f"{number}") for _ in range(2)]
        done = await asyncio.gather(*(s.append(d) for s, d in zip(shops, same, strict=True)))
        assert done[0].message == done[1].message
        assert {one.duplicate for one in done} == {False, True}
    [stored] = (await check_stored(shops[0])).values()
    assert len(stored) == 10


async def test_a_lost_race_costs_the_loser_alone_a_try(shop, monkeypatch):
    """Others in its round wait a little; however many races are lost, they are not refused."""
    monkeypatch.setattr(journal_module, "PATIENCE_SECONDS", 60.0)  # on a busy machine, too
    talk = (await shop.append(draft("first", LENA, NILS))).conversation
    rival = iter(range(2, 99))

    def win(name, messages=(), *_):
        if name == "insert_messages" and messages[0].conversation_id == talk.id:
            seq = next(rival)
            return shop.store.insert_messages(
                [message(talk.id, seq, sender=NILS, to=LENA, at=talk.updated_at)]
            )
        return None

    watch(shop, before=win)
    loser, other = await settled(
        [shop.journal.append(draft("x", LENA, NILS)), shop.journal.append(draft("y"))]
    )
    assert isinstance(loser, Unavailable)
    assert other.message.text == "y"
    watch(shop)
    await check_stored(shop, [other])


# --- Watermarks ---------------------------------------------------------------------------------


def mark(shop, conversation, who, kind, stored):
    return shop.journal.mark(conversation, who.key, kind, stored)


@pytest.fixture
async def talk(shop):
    """A conversation of three messages of Maya's."""
    done = await shop.append(*(draft(f"{n}") for n in range(3)))
    return done[0].conversation, [one.message for one in done]


async def test_the_highest_of_many_marks_counts_and_is_one_write(shop, talk):
    conversation, messages = talk
    maya = shop.listen(MAYA)
    watched = watch(shop)
    marks = [mark(shop, conversation, OMAR, "delivered", m) for m in (*messages, messages[0])]
    assert await settled(marks) == [3, 3, 3, 3]
    assert watched.calls["advance"] == 1
    assert [event["seq"] for event in maya.heard("message_delivered")] == [3]


async def test_watermarks_never_go_back(shop, talk, open_shop):
    conversation, messages = talk
    maya = shop.listen(MAYA)
    watched = watch(shop)
    assert await mark(shop, conversation, OMAR, "read", messages[1]) == 2
    assert await mark(shop, conversation, OMAR, "read", messages[0]) == 2
    assert await mark(shop, conversation, OMAR, "delivered", messages[0]) == 2
    assert len(maya.heard("message_read")) == 1
    assert watched.calls["advance"] == 1
    await shop.kill()
    restarted = await open_shop()
    again = await restarted.ledger.get(conversation.id)
    assert again.place_of(OMAR.key).read_seq == 2
    assert await mark(restarted, again, OMAR, "delivered", messages[0]) == 2
    assert await mark(restarted, again, OMAR, "delivered", messages[2]) == 3
    assert again.place_of(OMAR.key).read_seq == 2


async def test_reading_takes_delivery_along_in_one_round(shop, talk):
    conversation, messages = talk
    maya = shop.listen(MAYA)
    marks = [
        mark(shop, conversation, OMAR, "read", messages[2]),
        mark(shop, conversation, OMAR, "delivered", messages[1]),
    ]
    assert await settled(marks) == [3, 3]
    assert [m["seq"] for m in maya.heard("message_read")] == [3]
    assert conversation.unread_of(OMAR.key) == 0


async def test_sending_reads_all_before_and_tells_it(shop, talk):
    conversation, _ = talk
    maya = shop.listen(MAYA)
    await shop.append(draft("answer", OMAR, MAYA))
    assert conversation.unread_of(OMAR.key) == 0
    assert [(m["seq"], m["user_id"]) for m in maya.heard("message_read")] == [(3, "omar")]


async def test_a_mark_of_somebody_who_changed_hands_spoils_nobody_elses(shop, talk):
    conversation, messages = talk
    marks = [
        mark(shop, conversation, LENA, "read", messages[2]),
        mark(shop, conversation, OMAR, "read", messages[2]),
    ]
    refused, seq = await settled(marks)
    assert isinstance(refused, NotYours)
    assert seq == 3


async def test_a_mark_that_could_not_be_stored_is_unavailable_and_shows_nowhere(far_shop, proxy):
    done = await far_shop.append(draft())
    maya = far_shop.listen(MAYA)
    proxy.refuse()
    with pytest.raises(Unavailable):
        await mark(far_shop, done.conversation, OMAR, "read", done.message)
    assert done.conversation.unread_of(OMAR.key) == 1
    assert maya.heard("message_read") == []
    proxy.heal()
    for _ in range(40):
        try:
            assert await mark(far_shop, done.conversation, OMAR, "read", done.message) == 1
            break
        except Unavailable:
            await asyncio.sleep(0.05)
    assert done.conversation.unread_of(OMAR.key) == 0


async def test_a_mark_follows_the_messages_appended_before_it(shop):
    first = await shop.append(draft("1"))
    second = shop.journal.append(draft("2", OMAR, MAYA))
    read = mark(shop, first.conversation, MAYA, "read", first.message)
    await settled([second, read])
    assert first.conversation.place_of(OMAR.key).read_seq == 2
    assert first.conversation.place_of(MAYA.key).read_seq == 1


# --- Time ---------------------------------------------------------------------------------------


async def test_time_stands_still_where_the_clock_is_stepped_back(shop):
    now = datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp()  # a leap day
    shop.journal._now = lambda: now
    first = await shop.append(draft())
    now -= 3600
    second, third = await shop.append(draft(), draft("answer", OMAR, MAYA))
    assert first.message.at == second.message.at == third.message.at
    now += 3601
    fourth = await shop.append(draft())
    assert fourth.message.at > third.message.at
    await check_stored(shop, [first, second, third, fourth])


async def test_time_stands_still_across_a_restart_as_well(shop, open_shop):
    ahead = time.time() + 3600
    shop.journal._now = lambda: ahead
    first = await shop.append(draft())
    await shop.kill()
    restarted = await open_shop()
    second = await restarted.append(draft())
    assert second.message.at == first.message.at


# --- Stopping -----------------------------------------------------------------------------------


async def test_a_stop_refuses_what_is_new_and_stores_what_was_accepted(shop):
    accepted = [shop.journal.append(draft(f"{n}")) for n in range(50)]
    draining = asyncio.create_task(shop.journal.drain(5))
    await asyncio.sleep(0)
    late = shop.journal.append(draft("late"))
    await asyncio.wait_for(draining, 5)
    assert all(future.done() for future in accepted)
    done = await settled(accepted)
    with pytest.raises(Unavailable):
        await late
    with pytest.raises(Unavailable):
        await mark(shop, done[0].conversation, OMAR, "read", done[0].message)
    [stored] = (await check_stored(shop, done)).values()
    assert len(stored) == 50


async def test_a_stop_does_not_wait_for_ever(shop):
    gate = asyncio.Event()
    watch(shop, before=lambda name, *_: gate.wait() if name == "insert_messages" else None)
    stuck = shop.journal.append(draft())
    started = time.monotonic()
    await shop.journal.drain(0.1)
    assert time.monotonic() - started < 1
    assert not stuck.done()
    gate.set()
    await stuck


async def test_an_idle_journal_stops_at_once(shop):
    await asyncio.wait_for(shop.journal.drain(5), 1)


# --- Anything at all ----------------------------------------------------------------------------

PEOPLE = st.sampled_from([(MAYA, OMAR), (OMAR, MAYA), (LENA, OMAR), (MAYA, NILS), (NILS, OMAR)])
STEPS = st.one_of(
    st.tuples(st.just("send"), PEOPLE, st.integers(0, 12)),
    st.tuples(st.just("mark"), PEOPLE, st.sampled_from(["delivered", "read"])),
    st.tuples(st.just("pause"), st.sampled_from([0, 0, 0.003]), st.none()),
    st.tuples(st.just("fail"), st.sampled_from(["nothing", "half", "all"]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


@pytest.fixture
def scenario(open_shop, io_loop):
    """Does one example's steps on an emptied database."""
    current = []

    async def prepare():
        if not current:
            current.append(await open_shop())
        shop = current[0]
        for name in ("messages", "conversations", "meta"):
            await shop.store._db[name].delete_many({})
        await restart()

    async def restart():
        await current[0].kill()
        current[0] = await open_shop()

    async def run(steps):
        await prepare()
        acknowledged, watermarks, pending = [], {}, []
        failing = []

        def fail(name, messages=(), *_):
            if name != "insert_messages" or not failing:
                return None
            share = {"nothing": 0, "half": len(messages) // 2, "all": len(messages)}[failing.pop()]

            async def part():
                if share:
                    await current[0].store.insert_messages(messages[:share])
                raise Unavailable

            return part()

        async def collect():
            for future in pending:
                try:
                    acknowledged.append(await future)
                except (Unavailable, Conflict):
                    continue
            pending.clear()

        watch(current[0], before=fail)
        for kind, first, second in steps:
            shop = current[0]
            if kind == "send":
                sender, to = first
                one = draft(f"{second % 2}", sender, to, client_id=f"{second}")
                pending.append(shop.journal.append(one))
            elif kind == "mark":
                reader, other = first
                conversation = await shop.ledger.between(reader.key, other.key)
                if conversation is not None and conversation.last is not None:
                    try:
                        seq = await mark(shop, conversation, reader, second, conversation.last)
                    except Unavailable:
                        continue
                    known = watermarks.get((conversation.id, reader.key, second), 0)
                    assert seq >= known
                    watermarks[conversation.id, reader.key, second] = seq
            elif kind == "pause":
                await asyncio.sleep(first)
            elif kind == "fail":
                failing[:] = [first]
            else:
                await collect()
                await restart()
                watch(current[0], before=fail)
        failing.clear()
        await collect()
        stored = await check_stored(current[0], acknowledged)
        for (id_, key, kind), seq in watermarks.items():
            place = (await current[0].ledger.get(id_)).place_of(key)
            assert seq <= getattr(place, f"{kind}_seq") <= len(stored[id_])
        for id_, messages in stored.items():
            live = await current[0].ledger.get(id_)
            await current[0].ledger.recheck(live)
            assert (live.last_seq, live.last) == (len(messages), messages[-1])

    return lambda steps: io_loop.run_sync(lambda: run(steps), timeout=30)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=5, max_size=20))
def test_whatever_happens_the_order_is_dense_and_nothing_is_lost_or_doubled(scenario, steps):
    scenario(steps)


async def test_on_a_full_disk_nothing_new_is_stored_and_a_repeat_is_still_answered(shop):
    """P16. Fails when a round does not ask for room."""
    await shop.append(draft("One", client_id="c1"))
    shop.journal._has_room = lambda: False
    refused = shop.journal.append(draft("Two", client_id="c2"))
    with pytest.raises(Unavailable, match="disk"):
        await asyncio.wait_for(refused, 5)
    again = await asyncio.wait_for(shop.append(draft("One", client_id="c1")), 5)
    assert again.duplicate
    shop.journal._has_room = lambda: True
    stored = await asyncio.wait_for(shop.append(draft("Two", client_id="c2")), 5)
    assert (stored.message.seq, stored.duplicate) == (2, False)
