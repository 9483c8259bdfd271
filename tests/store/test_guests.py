import asyncio
from contextlib import suppress
from dataclasses import replace

import jwt
import pytest

from models import guests as guests_module
from models.conversation import Participant
from models.errors import Unauthorized, Unavailable
from models.events import MarkAsRead, SendMessage
from models.tokens import HOUR_SECONDS
from tests.store.cast import LENA, MAYA, NILS, NOON, OMAR, Listener, draft, identity


@pytest.fixture
async def shop(open_shop):
    """One in which everybody is known who is written to."""
    return await open_shop()


class Guest:
    """Somebody without a name, with a token."""

    def __init__(self, shop):
        self.token, self.who = shop.shop.guests._tokens.issue_guest()

    @property
    def key(self):
        return self.who.key


@pytest.fixture
def guest(shop):
    return Guest(shop)


def vouch(shop, who=MAYA, **claims):
    """What the shop's own back end says of a buyer."""
    now = int(shop.shop.tokens._now())
    claims = {"sub": who.participant.id, "name": who.name, "iat": now, "exp": now + 60, **claims}
    return jwt.encode(claims, shop.settings.identity_secret, algorithm="HS256")


async def identify(shop, guest, who=MAYA):
    token = guest if guest is None or isinstance(guest, str) else guest.token
    return await asyncio.wait_for(shop.guests.identify(vouch(shop, who), token), 15)


async def say(shop, *said):
    """Says one after the other: sender, recipient, text."""
    done = []
    for *pair, text in said:
        sender, to = (one.who if isinstance(one, Guest) else one for one in pair)
        done.append(await shop.append(draft(text, sender, to, client_id=f"id of {text}")))
    return done


async def talk_of(shop, who, other=OMAR):
    """A conversation as it is stored: who says what, by ``seq``; and the live one."""
    await shop.ledger.settle()
    live = await shop.ledger.between(who.key, other.key)
    if live is None:
        return [], None
    messages = await shop.store.messages_between(live.id, 1, 999)
    assert [m.seq for m in messages] == list(range(1, live.last_seq + 1))
    times = [m.at for m in messages]
    assert times == sorted(times)
    stored = await shop.store.conversation(live.id)
    assert stored == live, "the summary says what is live"
    assert live.last == messages[-1]
    return [(m.sender.partition(":")[2], m.text) for m in messages], live


async def named(shop, key):
    """Where somebody's key still stands in the database."""
    return await shop.store.conversations_naming(key)


# --- The new token ------------------------------------------------------------------------------


async def test_the_shops_word_makes_a_verified_buyer(shop):
    token, who = await identify(shop, None)
    assert who.participant == MAYA.participant
    assert who.name == "Maya"
    assert shop.accounts.authenticate(token) == who


@pytest.mark.parametrize(
    "claims", [{"sub": "guest-1"}, {"type": "Seller"}, {"exp": 1}, {"sub": "a b"}]
)
async def test_a_bad_word_changes_nothing(shop, guest, claims):
    await say(shop, (guest, OMAR, "Hello"))
    with pytest.raises(Unauthorized):
        await shop.guests.identify(vouch(shop, **claims), guest.token)
    assert shop.accounts.authenticate(guest.token) == guest.who
    assert (await talk_of(shop, guest.who))[0] == [(guest.who.participant.id, "Hello")]


async def test_a_bad_guest_token_changes_nothing_else(shop):
    seller = shop.tokens.issue(OMAR.participant, "Omar", seconds=HOUR_SECONDS)
    for token in ("nonsense", "", seller):
        _, who = await identify(shop, token)
        assert who.participant == MAYA.participant
    assert shop.accounts.authenticate(seller)


# --- Handing over -------------------------------------------------------------------------------


async def test_a_guests_conversation_becomes_the_buyers(shop, guest):
    before = await say(shop, (guest, OMAR, "Hello"), (OMAR, guest, "Hi"), (guest, OMAR, "Blue?"))
    maya, omar = shop.listen(MAYA), shop.listen(OMAR)
    await identify(shop, guest)
    said, live = await talk_of(shop, MAYA)
    assert said == [("maya", "Hello"), ("omar", "Hi"), ("maya", "Blue?")]
    assert live.id == before[0].conversation.id
    assert live.place_of(MAYA.key).name == "Maya"
    assert live.unread_of(OMAR.key) == 1
    assert live.unread_of(MAYA.key) == 0
    for listener in (maya, omar):
        assert listener.heard("reset") == [{"conversation_id": live.id}]
    assert await named(shop, guest.key) == set()
    assert (await shop.history.unread_count(OMAR)).conversations == {live.id: 1}


async def test_it_is_the_same_after_a_restart(shop, guest, open_shop):
    await say(shop, (guest, OMAR, "Hello"), (OMAR, guest, "Hi"), (OMAR, guest, "Are you there?"))
    await identify(shop, guest)
    await shop.kill()
    restarted = await open_shop()
    said, live = await talk_of(restarted, MAYA)
    assert said == [("maya", "Hello"), ("omar", "Hi"), ("omar", "Are you there?")]
    assert (await restarted.history.unread_count(MAYA)).conversations == {live.id: 2}
    [shown] = (await restarted.history.conversations(MAYA, limit=9)).conversations
    assert shown.last_message.recipient_id == "maya"


async def test_a_guests_messages_follow_those_of_an_older_conversation(shop, guest):
    await say(shop, (MAYA, OMAR, "Long ago"), (OMAR, MAYA, "Indeed"))
    before = await say(shop, (guest, OMAR, "Hello"), (OMAR, guest, "Hi"), (guest, OMAR, "Blue?"))
    maya = shop.listen(MAYA)
    await identify(shop, guest)
    said, live = await talk_of(shop, MAYA)
    assert said == [
        *(("maya", "Long ago"), ("omar", "Indeed")),
        *(("maya", "Hello"), ("omar", "Hi"), ("maya", "Blue?")),
    ]
    gone = before[0].conversation.id
    assert {m["conversation_id"] for m in maya.heard("reset")} == {gone, live.id}
    assert await shop.store.conversation(gone) is None
    assert await shop.ledger.get(gone) is None
    assert await named(shop, guest.key) == set()
    [shown] = (await shop.history.conversations(OMAR, limit=9)).conversations
    assert shown.id == live.id


@pytest.mark.parametrize("length", [9, 10, 11, 25])
@pytest.mark.parametrize("case", ["rename", "append"])
async def test_long_conversations_are_moved_whole(shop, guest, length, case, monkeypatch):
    monkeypatch.setattr(guests_module, "PAGE", 10)
    if case == "append":
        await say(shop, (MAYA, OMAR, "Long ago"))
    await shop.append(*(draft(f"{n}", guest.who, OMAR) for n in range(length)))
    await identify(shop, guest)
    said, _ = await talk_of(shop, MAYA)
    expected = [("maya", f"{n}") for n in range(length)]
    assert said == ([("maya", "Long ago")] if case == "append" else []) + expected


async def test_every_seller_the_guest_spoke_with_is_taken_along(shop, guest):
    await say(shop, (MAYA, NILS, "Long ago"), (guest, OMAR, "Hello"), (guest, NILS, "You, too"))
    await identify(shop, guest)
    assert (await talk_of(shop, MAYA, OMAR))[0] == [("maya", "Hello")]
    assert (await talk_of(shop, MAYA, NILS))[0] == [("maya", "Long ago"), ("maya", "You, too")]


async def test_a_client_id_that_both_have_used_stays_the_buyers(shop, guest):
    first = await shop.append(draft("Long ago", MAYA, NILS, client_id="same"))
    await shop.append(
        draft("One", guest.who, OMAR, client_id="a"),
        draft("Two", guest.who, OMAR, client_id="b"),
        draft("Three", guest.who, OMAR, client_id="same"),
    )
    await identify(shop, guest)
    assert (await talk_of(shop, MAYA))[0] == [("maya", "One"), ("maya", "Two"), ("maya", "Three")]
    again = await shop.append(draft("Long ago", MAYA, NILS, client_id="same"))
    assert (again.message, again.duplicate) == (first.message, True)


async def test_a_clash_of_client_ids_leaves_no_hole_in_an_older_conversation(shop, guest):
    await say(shop, (MAYA, OMAR, "same"))
    await shop.append(
        draft("One", guest.who, OMAR, client_id="a"),
        draft("Two", guest.who, OMAR, client_id="id of same"),
        draft("Three", guest.who, OMAR, client_id="b"),
    )
    await identify(shop, guest)
    said, _ = await talk_of(shop, MAYA)
    assert said == [("maya", text) for text in ("same", "One", "Two", "Three")]


async def test_a_repeat_after_the_handover_finds_the_moved_message(shop, guest):
    await say(shop, (guest, OMAR, "Hello"), (OMAR, guest, "Hi"))
    await identify(shop, guest)
    to_maya = await shop.append(draft("Hi", OMAR, MAYA, client_id="id of Hi"))
    assert to_maya.duplicate


async def test_the_handover_of_somebody_who_wrote_nothing_is_quick_and_done(shop, guest):
    await identify(shop, guest)
    assert await shop.store.open_handovers() == []
    with pytest.raises(Unauthorized):
        shop.accounts.authenticate(guest.token)


# --- Watermarks ---------------------------------------------------------------------------------


async def marked(shop, done, who, kind):
    await shop.journal.mark(done.conversation, who.key, kind, done.message)


@pytest.mark.parametrize("case", ["rename", "append"])
async def test_what_was_read_and_delivered_stays_so(shop, guest, case):
    if case == "append":
        [old] = await say(shop, (MAYA, OMAR, "Long ago"))
        await marked(shop, old, OMAR, "read")
    first, second, _ = await say(
        shop, (guest, OMAR, "One"), (guest, OMAR, "Two"), (guest, OMAR, "Three")
    )
    await marked(shop, first, OMAR, "read")
    await marked(shop, second, OMAR, "delivered")
    await identify(shop, guest)
    page = await shop.history.conversation(MAYA, OMAR.participant)
    status = {m.message: m.status for m in page.messages}
    status.pop("Long ago", None)
    assert status == {"One": "read", "Two": "delivered", "Three": "sent"}
    assert page.messages[-3].read_at is not None
    assert (await shop.history.unread_count(OMAR)).count == 2


async def test_what_the_seller_has_not_read_in_the_older_one_is_not_skipped(shop, guest):
    await say(shop, (MAYA, OMAR, "Long ago"))
    [first] = await say(shop, (guest, OMAR, "One"))
    await marked(shop, first, OMAR, "read")
    await identify(shop, guest)
    _, live = await talk_of(shop, MAYA)
    assert live.unread_of(OMAR.key) == 2


async def test_what_the_buyer_has_not_read_there_stays_unread(shop, guest):
    await say(shop, (MAYA, OMAR, "Long ago"), (guest, OMAR, "One"), (OMAR, guest, "Two"))
    await identify(shop, guest)
    _, live = await talk_of(shop, MAYA)
    assert live.unread_of(MAYA.key) == 1


# --- Once, and only the own ---------------------------------------------------------------------


async def test_a_guest_is_handed_over_once(shop, guest):
    await say(shop, (guest, OMAR, "Hello"))
    socket = shop.listen(guest.who)
    await identify(shop, guest, MAYA)
    assert socket.closed == [4401]
    with pytest.raises(Unauthorized):
        shop.accounts.authenticate(guest.token)
    _, lena = await identify(shop, guest, LENA)
    assert lena.participant == LENA.participant
    assert (await talk_of(shop, MAYA))[0] == [("maya", "Hello")]
    assert (await talk_of(shop, LENA))[0] == []


async def test_of_two_who_claim_a_guest_at_once_one_gets_all(shop, guest):
    await say(shop, (guest, OMAR, "Hello"), (guest, NILS, "Hello there"))
    await asyncio.gather(*(identify(shop, guest, who) for who in (MAYA, LENA, MAYA)))
    found = {
        who.participant.id: [(await talk_of(shop, who, other))[0] for other in (OMAR, NILS)]
        for who in (MAYA, LENA)
    }
    winner = "maya" if found["maya"][0] else "lena"
    loser = "lena" if winner == "maya" else "maya"
    assert found[winner] == [[(winner, "Hello")], [(winner, "Hello there")]]
    assert found[loser] == [[], []]


async def test_a_buyer_hands_over_nothing(shop):
    await say(shop, (LENA, OMAR, "Mine"))
    token = shop.tokens.issue(LENA.participant, "Lena", seconds=HOUR_SECONDS)
    await identify(shop, token, MAYA)
    assert (await talk_of(shop, LENA))[0] == [("lena", "Mine")]
    assert (await talk_of(shop, MAYA))[0] == []
    assert shop.accounts.authenticate(token)


async def test_others_conversations_stay_as_they_were(shop, guest):
    other = Guest(shop)
    await say(shop, (LENA, OMAR, "Mine"), (other, OMAR, "Mine, too"), (guest, OMAR, "Hello"))
    await identify(shop, guest)
    assert (await talk_of(shop, LENA))[0] == [("lena", "Mine")]
    assert (await talk_of(shop, other.who))[0] == [(other.who.participant.id, "Mine, too")]
    assert shop.accounts.authenticate(other.token) == other.who


# --- Whoever still answers the guest ------------------------------------------------------------


async def test_a_reply_to_the_guest_reaches_the_buyer(shop, guest):
    await say(shop, (guest, OMAR, "Hello"))
    await identify(shop, guest)
    maya = shop.listen(MAYA)
    reply = SendMessage(guest.who.participant.id, "Buyer", "Hi")
    sent = await shop.chat.send(OMAR, reply)
    assert sent.message.recipient_id == "maya"
    assert [m["message"] for m in maya.heard("new_message")] == ["Hi"]
    assert (await talk_of(shop, MAYA))[0] == [("maya", "Hello"), ("omar", "Hi")]


async def test_a_reader_of_the_open_page_goes_on_reading(shop, guest):
    [done] = await say(shop, (guest, OMAR, "Hello"))
    await identify(shop, guest)
    read = await shop.chat.mark_read(OMAR, MarkAsRead(message_id=done.message.id))
    assert (read.read_seq, read.unread) == (1, 0)


@pytest.mark.parametrize("case", ["rename", "append"])
async def test_who_talks_on_during_the_handover_loses_nothing_and_finds_the_buyer(
    shop, guest, case
):
    await shop.store.introduce(OMAR.key, "Omar", NOON)
    if case == "append":
        await say(shop, (MAYA, OMAR, "Long ago"))
    await shop.append(*(draft(f"{n}", guest.who, OMAR) for n in range(100)))
    acknowledged = []

    async def talk_on(who, to):
        for number in range(400):
            command = SendMessage(to.id, to.type, f"{who.name} {number}", client_id=f"on {number}")
            for _ in range(100):
                with suppress(Unavailable):
                    await shop.chat.send(who, command)
                    break
                await asyncio.sleep(0.01)
            acknowledged.append((who.participant.id, command.message))
            if handover.done() and len(acknowledged) > 20:
                return

    async def guest_talks_on():
        for number in range(400):
            with suppress(Unavailable):
                await shop.append(draft(f"last {number}", guest.who, OMAR))
                acknowledged.append(("maya", f"last {number}"))
            if handover.done():
                return

    handover = asyncio.create_task(identify(shop, guest))
    await asyncio.gather(
        talk_on(OMAR, guest.who.participant), talk_on(MAYA, OMAR.participant), guest_talks_on()
    )
    await handover
    said, _ = await talk_of(shop, MAYA)
    assert set(acknowledged) <= set(said)
    assert len(said) == len(set(said))
    assert await named(shop, guest.key) == set()


# --- Cut at each step ---------------------------------------------------------------------------


class Killed(Exception):
    """The process is no more."""


class Mortal:
    """A store whose process dies after its n-th write."""

    def __init__(self, store, number, death):
        self.left = number
        self._store, self._death = store, death

    def __getattr__(self, name):
        method = getattr(self._store, name)
        if not name.startswith(("begin", "end", "write", "rename", "rewrite", "delete", "revoke")):
            return method

        async def mortal(*arguments):
            self.left -= 1
            is_last = self.left == 0
            try:
                return await method(*arguments)
            finally:
                if is_last:
                    raise self._death

        return mortal


def make_mortal(shop, number, death):
    mortal = Mortal(shop.store, number, death)
    for part in (shop.shop.guests, shop.shop.ledger, shop.shop.accounts):
        part._store = mortal
    return mortal


def make_immortal(shop):
    for part in (shop.shop.guests, shop.shop.ledger, shop.shop.accounts):
        part._store = shop.store


class Plot:
    """Conversations of every kind: read, delivered, unread, answered, with a client_id in use.

    Each has a cast of its own.
    """

    def __init__(self, shop, case, number=0):
        self.case = case
        self.guest = Guest(shop)
        self.maya = identity("Buyer", f"maya{number}")
        self.omar, self.nils, self.lars = (
            identity("Seller", f"{name}{number}") for name in ("omar", "nils", "lars")
        )

    async def begin(self, shop):
        maya, omar, guest = self.maya, self.omar, self.guest
        if self.case == "append":
            [old, *_] = await say(shop, (maya, omar, "Long ago"), (omar, maya, "Indeed"))
            await marked(shop, old, omar, "read")
        await say(shop, (maya, self.nils, "Used"))
        await say(shop, (guest, self.lars, "Anybody?"), (self.lars, guest, "Yes?"))
        await say(shop, (guest, omar, "Hello"), (omar, guest, "Hi"), (omar, guest, "Blue?"))
        done = await shop.append(
            draft("Yes", guest.who, omar, client_id="id of Used"), draft("Bye", guest.who, omar)
        )
        await marked(shop, done[0], omar, "read")
        await marked(shop, done[1], omar, "delivered")

    async def check_end(self, shop):
        said, live = await talk_of(shop, self.maya, self.omar)
        maya, omar = self.maya.participant.id, self.omar.participant.id
        assert said == [
            *([(maya, "Long ago"), (omar, "Indeed")] if self.case == "append" else []),
            *((maya, "Hello"), (omar, "Hi"), (omar, "Blue?"), (maya, "Yes"), (maya, "Bye")),
        ]
        assert live.unread_of(self.omar.key) == 1
        assert live.unread_of(self.maya.key) == 0
        page = await shop.history.conversation(self.maya, self.omar.participant)
        assert [m.status for m in page.messages[-2:]] == ["read", "delivered"]
        assert (await shop.history.unread_count(self.omar)).conversations == {live.id: 1}
        [shown] = (await shop.history.conversations(self.omar, limit=9)).conversations
        assert shown.id == live.id
        said, lars = await talk_of(shop, self.maya, self.lars)
        assert [text for _, text in said] == ["Anybody?", "Yes?"]
        assert (await shop.history.unread_count(self.maya)).conversations == {lars.id: 1}
        assert await named(shop, self.guest.key) == set()
        assert await shop.store.open_handovers() == []
        with pytest.raises(Unauthorized):
            shop.accounts.authenticate(self.guest.token)


@pytest.mark.parametrize("case", ["rename", "append"])
async def test_a_handover_that_is_killed_at_any_step_is_finished_by_the_next_start(open_shop, case):
    shop = await open_shop(asleep=["ledger", "accounts"])
    for number in range(1, 25):
        plot = Plot(shop, case, number)
        await plot.begin(shop)
        mortal = make_mortal(shop, number, Killed())
        try:
            await identify(shop, plot.guest, plot.maya)
        except Killed:
            await shop.kill()
        else:
            assert mortal.left > 0
            assert number > 5
            return
        shop = await open_shop(asleep=["ledger", "accounts"])
        await plot.check_end(shop)
    pytest.fail("It has more steps than thought.")


@pytest.mark.parametrize("case", ["rename", "append"])
async def test_a_handover_goes_on_by_itself_when_the_database_is_back(shop, case, monkeypatch):
    monkeypatch.setattr(guests_module, "RETRY_SECONDS", 0.01)
    plot = Plot(shop, case)
    await plot.begin(shop)
    mortal = make_mortal(shop, 4, Unavailable())
    await identify(shop, plot.guest, plot.maya)
    assert mortal.left < 0
    await plot.check_end(shop)


async def test_who_looks_on_is_told_though_the_last_answer_is_lost(shop, guest, monkeypatch):
    """Fails where only a move that was answered is told: the next try finds nothing to move."""
    monkeypatch.setattr(guests_module, "RETRY_SECONDS", 0.01)
    await say(shop, (MAYA, OMAR, "Long ago"), (guest, OMAR, "Hello"))
    desk = Listener(OMAR)
    shop.shop.hub.connect(desk)
    delete = shop.store.delete_conversation

    async def unanswered(conversation_id):
        monkeypatch.setattr(shop.store, "delete_conversation", delete)
        await delete(conversation_id)
        raise Unavailable

    monkeypatch.setattr(shop.store, "delete_conversation", unanswered)
    await identify(shop, guest)
    said, live = await talk_of(shop, MAYA)
    assert said == [("maya", "Long ago"), ("maya", "Hello")]
    assert live.id in {reset["conversation_id"] for reset in desk.heard("reset")}


async def test_an_unknown_outcome_of_the_first_step_does_not_lose_the_guest(shop):
    plot = Plot(shop, "rename")
    await plot.begin(shop)
    make_mortal(shop, 1, Unavailable())
    with pytest.raises(Unavailable):
        await identify(shop, plot.guest, plot.maya)
    make_immortal(shop)
    await identify(shop, plot.guest, LENA)
    assert (await talk_of(shop, LENA, plot.omar))[0] == []
    await identify(shop, plot.guest, plot.maya)
    await plot.check_end(shop)


async def test_a_write_of_the_guests_that_lands_during_the_handover_is_moved_too(shop, guest):
    """Its outcome was unknown, so nobody has been told of it yet."""
    [done] = await say(shop, (guest, OMAR, "Hello"))
    numbered = replace(done.message, id="f" * 24, seq=2, client_id="late", text="Late")
    await shop.store.insert_messages([numbered])
    await identify(shop, guest)
    assert (await talk_of(shop, MAYA))[0] == [("maya", "Hello"), ("maya", "Late")]


async def test_current_knows_everybody_who_is_somebody_else_by_now(shop, guest):
    stranger = Participant("Buyer", "guest-unknown")
    assert await shop.guests.current(OMAR, stranger) == stranger
    assert await shop.guests.current(OMAR, MAYA.participant) == MAYA.participant
    await say(shop, (guest, OMAR, "Hello"))
    assert await shop.guests.current(OMAR, guest.who.participant) == guest.who.participant
    await identify(shop, guest)
    assert await shop.guests.current(OMAR, guest.who.participant) == MAYA.participant
