import asyncio
import base64
import json
from datetime import timedelta
from unittest.mock import Mock

import pytest

from models.codec import encode
from models.conversation import Participant
from models.errors import Invalid, NotFound, NotYours
from models.store import new_id
from tests.store.cast import LENA, MAYA, NILS, NOON, OMAR, draft, message


@pytest.fixture
async def talk(shop):
    """Twenty-five messages between Maya and Omar, every fifth one Omar's."""
    drafts = [
        draft(f"{n}", OMAR, MAYA) if n % 5 == 0 else draft(f"{n}", MAYA, OMAR) for n in range(1, 26)
    ]
    done = await shop.append(*drafts)
    return done[0].conversation


def seqs(page):
    return [m.seq for m in page.messages]


async def whole(ask, **options):
    """Every page of a list, from the newest on."""
    found, before = [], None
    for _ in range(100):
        page = await ask(before=before, **options)
        entries = page.messages if hasattr(page, "messages") else page.conversations
        assert len(entries) <= options["limit"]
        found += entries
        before = page.next
        if before is None:
            return found
    pytest.fail("The list has no end.")


# --- One conversation ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "limit", "expected", "has_more"),
    [
        (None, None, 10, range(16, 26), True),
        (None, None, 25, range(1, 26), False),
        (None, None, 100, range(1, 26), False),
        (16, None, 10, range(6, 16), True),
        (6, None, 10, range(1, 6), False),
        (6, None, 5, range(1, 6), False),
        (7, None, 5, range(2, 7), True),
        (1, None, 10, [], False),
        (26, None, 1, [25], True),
        (10**30, None, 1, [25], True),
        (None, 0, 10, range(1, 11), True),
        (None, 15, 10, range(16, 26), False),
        (None, 20, 10, range(21, 26), False),
        (None, 25, 10, [], False),
        (None, 10**30, 10, [], False),
        (12, 3, 5, range(4, 9), True),
        (12, 3, 50, range(4, 12), False),
        (4, 3, 5, [], False),
        (3, 9, 5, [], False),
    ],
)
async def test_a_page_has_what_was_asked_for_oldest_first(
    shop, talk, before, after, limit, expected, has_more
):
    page = await shop.history.conversation(
        MAYA, OMAR.participant, before=before, after=after, limit=limit
    )
    assert seqs(page) == list(expected)
    assert page.has_more == has_more
    assert page.conversation.id == talk.id
    by_id = await shop.history.conversation_by_id(
        OMAR, talk.id, before=before, after=after, limit=limit
    )
    assert by_id.messages == page.messages


@pytest.mark.parametrize("limit", [1, 4, 25])
async def test_paging_finds_everything_once_in_both_directions(shop, talk, limit):
    back, forth, before, after = [], [], None, 0
    for _ in range(30):
        page = await shop.history.conversation_by_id(MAYA, talk.id, before=before, limit=limit)
        back = seqs(page) + back
        if not page.has_more:
            break
        before = page.messages[0].seq
    for _ in range(30):
        page = await shop.history.conversation_by_id(MAYA, talk.id, after=after, limit=limit)
        forth += seqs(page)
        if not page.has_more:
            break
        after = page.messages[-1].seq
    assert back == forth == list(range(1, 26))


async def test_of_two_who_never_spoke_there_is_nothing_and_nothing_is_stored(shop):
    page = await shop.history.conversation(MAYA, OMAR.participant)
    assert (page.conversation, page.messages, page.has_more) == (None, [], False)
    assert await shop.store.conversation_by_pair(f"{MAYA.key}|{OMAR.key}") is None


async def test_a_conversation_without_a_message_is_as_none(shop):
    pairs = {(MAYA.key, OMAR.key): ("Maya", "Omar")}
    [opened] = (await shop.ledger.opened(pairs)).values()
    assert (await shop.history.conversation(MAYA, OMAR.participant)).conversation is None
    with pytest.raises(NotYours):
        await shop.history.own(MAYA, opened.id)


async def test_what_is_not_yours_is_as_what_does_not_exist(shop, talk):
    for id_ in (talk.id, new_id()):
        for question in (
            shop.history.own(LENA, id_),
            shop.history.conversation_by_id(LENA, id_),
            shop.history.message(LENA, talk.last.id if id_ == talk.id else new_id()),
        ):
            with pytest.raises(NotYours) as refusal:
                await question
            assert refusal.value.message == NotYours().message
    assert (await shop.history.own(MAYA, talk.id)) is talk
    assert (await shop.history.message(OMAR, talk.last.id)).seq == 25


async def test_a_buyer_of_the_same_id_as_a_seller_sees_nothing_of_theirs(shop, talk):
    namesake = LENA.__class__(Participant("Buyer", "omar"), "Omar", "s", 0, 2**40)
    with pytest.raises(NotYours):
        await shop.history.own(namesake, talk.id)
    assert (await shop.history.received(namesake, limit=9)).messages == []


async def test_a_message_past_the_last_counts_as_the_last(shop, talk):
    for seq, expected in ((1, 1), (24, 24), (25, 25), (26, 25), (10**30, 25)):
        assert (await shop.history.message_at(talk, seq)).seq == expected


# --- Lists of messages --------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_received_and_sent_are_all_once_newest_first(shop, talk, limit):
    other = await shop.append(*(draft(f"to nils {n}", MAYA, NILS) for n in range(3)))
    inbox = await whole(shop.history.received, who=OMAR, limit=limit)
    assert sorted(m.seq for m in inbox) == [n for n in range(1, 26) if n % 5]
    times = [(m.created_at, m.id) for m in inbox]
    assert times == sorted(times, reverse=True)
    sent = await whole(shop.history.sent, who=MAYA, limit=limit)
    assert {m.id for m in sent} == {m.id for m in inbox} | {one.message.id for one in other}
    assert len(sent) == 23
    assert await whole(shop.history.received, who=LENA, limit=limit) == []


async def test_a_page_of_messages_may_end_within_a_millisecond(shop):
    shop.journal._now = NOON.timestamp
    await shop.append(*(draft(f"{n}", [MAYA, LENA][n % 2], OMAR) for n in range(10)))
    inbox = await whole(shop.history.received, who=OMAR, limit=3)
    assert sorted(m.message for m in inbox) == [f"{n}" for n in range(10)]


async def test_only_what_is_unread_where_that_is_asked(shop, talk):
    other = await shop.append(*(draft(f"other {n}", LENA, OMAR) for n in range(4)))
    stored = await shop.store.messages_between(talk.id, 23, 23)
    await shop.journal.mark(talk, MAYA.key, "read", talk.last)
    unread = await whole(shop.history.received, who=OMAR, unread=True, limit=2)
    assert {m.message for m in unread} == {f"other {n}" for n in range(4)}, "25 was Omar's own"
    await shop.journal.mark(other[0].conversation, OMAR.key, "read", other[1].message)
    unread = await whole(shop.history.received, who=OMAR, unread=True, limit=2)
    assert {m.message for m in unread} == {"other 2", "other 3"}
    assert await whole(shop.history.received, who=MAYA, unread=True, limit=2) == []
    assert stored


async def test_what_is_unread_is_looked_for_until_it_is_found(shop, monkeypatch):
    """One of many. Fails where a page is looked for that cannot be filled, back to the beginning,
    or among all that were read."""
    talk = (await shop.append(*(draft(f"{n}", MAYA, OMAR) for n in range(250))))[0].conversation
    last_but_one = (await shop.store.messages_between(talk.id, 249, 249))[0]
    await shop.journal.mark(talk, OMAR.key, "read", last_but_one)
    await shop.history.unread_count(OMAR)
    looks = Mock(wraps=shop.store._driver)
    monkeypatch.setattr(shop.store, "_driver", looks)
    found = await shop.history.received(OMAR, limit=50, unread=True)
    assert [m.seq for m in found.messages] == [250]
    assert looks.call_count <= 3


async def test_what_is_stored_but_not_yet_visible_in_its_order_is_not_shown(shop, talk):
    early = message(talk.id, 27, sender=MAYA, to=OMAR, at=talk.updated_at)
    await shop.store.insert_messages([early])
    assert early.id not in {m.id for m in (await shop.history.received(OMAR, limit=9)).messages}
    with pytest.raises(NotYours):
        await shop.history.message(OMAR, early.id)
    assert seqs(await shop.history.conversation_by_id(OMAR, talk.id, limit=2)) == [24, 25]


async def test_an_answer_and_an_event_say_the_same_of_a_message(shop):
    omar = shop.listen(OMAR)
    done = await shop.append(draft("Hello", MAYA, OMAR))
    [heard] = omar.heard("new_message")
    answered = await shop.history.message(OMAR, done.message.id)
    assert json.loads(encode(answered)) == heard


# --- Lists of conversations ---------------------------------------------------------------------


@pytest.fixture
async def seven(shop):
    """Seven buyers, who wrote to Omar one after the other."""
    buyers = [
        LENA.__class__(Participant("Buyer", f"b{n}"), f"B{n}", "s", 0, 2**40) for n in range(7)
    ]
    now = NOON.timestamp()
    for number, buyer in enumerate(buyers):
        shop.journal._now = shop.ledger._now = lambda number=number: now + number
        await shop.append(draft("Hello", buyer, OMAR))
    return buyers


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("is_settled", [True, False])
async def test_conversations_are_all_once_newest_first(shop, seven, limit, is_settled):
    if is_settled:
        await shop.ledger.settle()
    found = await whole(shop.history.conversations, who=OMAR, limit=limit)
    assert [c.participants[0].id for c in found] == [f"b{n}" for n in reversed(range(7))]
    assert {c.unread for c in found} == {1}


async def test_a_new_message_takes_its_conversation_to_the_top(shop, seven):
    shop.journal._now = lambda: NOON.timestamp() + 60
    await shop.append(draft("Again", seven[2], OMAR))
    found = (await shop.history.conversations(OMAR, limit=3)).conversations
    assert [c.participants[0].id for c in found] == ["b2", "b6", "b5"]


async def test_unread_ones_are_those_with_something_unread(shop, seven):
    await shop.append(draft("Answer", OMAR, seven[3]))
    live = await shop.ledger.between(seven[5].key, OMAR.key)
    await shop.journal.mark(live, OMAR.key, "read", live.last)
    for _ in ("behind", "settled"):
        found = await whole(shop.history.conversations, who=OMAR, filter="unread", limit=2)
        assert [c.participants[0].id for c in found] == ["b6", "b4", "b2", "b1", "b0"]
        count = await shop.history.unread_count(OMAR)
        assert (count.count, set(count.conversations)) == (5, {c.id for c in found})
        await shop.ledger.settle()


async def test_a_list_read_while_everybody_writes_never_lacks_anybody(shop, seven):
    """Summaries are written all the time, and conversations move up."""

    async def write():
        for number in range(12):
            await shop.append(draft(f"{number}", seven[number % 7], OMAR))

    async def settle():
        for _ in range(12):
            await shop.ledger.settle()

    writing = asyncio.gather(write(), settle())
    while not writing.done():
        found = (await shop.history.conversations(OMAR, limit=7)).conversations
        assert {c.participants[0].id for c in found} == {f"b{n}" for n in range(7)}
        assert len((await shop.history.unread_count(OMAR)).conversations) == 7
    await writing


async def test_a_conversation_shows_both_with_how_far_they_are(shop, talk):
    await shop.store.introduce(OMAR.key, "Omar", NOON)
    await shop.journal.mark(talk, MAYA.key, "delivered", talk.last)
    [shown] = (await shop.history.conversations(MAYA, limit=1)).conversations
    maya, omar = shown.participants
    assert (maya.id, maya.delivered_seq, maya.read_seq) == ("maya", 25, 24)
    assert (omar.id, omar.delivered_seq, omar.read_seq) == ("omar", 25, 25)
    assert omar.first_seen == "2026-01-02T12:00:00.000Z"
    assert maya.first_seen is None
    assert (shown.unread, shown.last_seq, shown.first_seq) == (1, 25, 1)
    assert shown.last_message.message == "25"


# --- Cursors ------------------------------------------------------------------------------------


def cursor(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "nonsense", "=", "ä", cursor(""), cursor("1767355200000")),
        *(cursor("1767355200000.abc"), cursor("." + "a" * 24), cursor("x." + "a" * 24)),
        *(cursor("9" * 30 + "." + "a" * 24), cursor("-1." + "a" * 24), cursor("1e3." + "a" * 24)),
        cursor("99999999999999." + "a" * 24),
    ],
)
async def test_a_cursor_that_is_not_ours_is_invalid(shop, text):
    for ask in (shop.history.received, shop.history.sent, shop.history.conversations):
        with pytest.raises(Invalid) as refusal:
            await ask(OMAR, limit=5, before=text)
        assert refusal.value.field == "before"


async def test_a_made_up_cursor_leads_to_nothing_of_others(shop, talk):
    ahead = int((NOON + timedelta(days=300_000)).timestamp() * 1000)
    made_up = cursor(f"{ahead}.{'f' * 24}")
    assert (await shop.history.received(LENA, limit=9, before=made_up)).messages == []
    assert len((await shop.history.received(OMAR, limit=100, before=made_up)).messages) == 20


# --- Sellers ------------------------------------------------------------------------------------


async def test_a_seller_is_shown_to_everybody_and_others_are_not_found(shop):
    with pytest.raises(NotFound):
        await shop.history.seller("omar")
    await shop.store.introduce(OMAR.key, "Omar", NOON)
    await shop.store.introduce(MAYA.key, "Maya", NOON)
    seller = await shop.history.seller("omar")
    assert (seller.name, seller.status, seller.last_seen) == (
        "Omar",
        "offline",
        "2026-01-02T12:00:00.000Z",
    )
    with pytest.raises(NotFound):
        await shop.history.seller("maya")
