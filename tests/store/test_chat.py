"""What happens between the doors and the database. What clients see is shown at the doors."""

import asyncio
from unittest.mock import AsyncMock, Mock

import pytest

from models import chat as chat_module
from models.errors import NotFound, Unavailable
from models.events import MarkAsDelivered, MarkAsRead, RegisterUser, SendMessage
from tests.store.cast import LENA, MAYA, NILS, NOON, OMAR, Listener


def to(who, text="Hello", **more):
    return SendMessage(who.participant.id, who.participant.type, text, **more)


@pytest.fixture
async def chat(shop):
    await shop.store.introduce(OMAR.key, "Omar", NOON)
    return shop.chat


class Introductions:
    """Counts them, and lets a test make them fail."""

    def __init__(self, shop, monkeypatch):
        self.count = 0
        self.fails = False
        self.hangs = False
        self._introduce = shop.store.introduce
        monkeypatch.setattr(shop.store, "introduce", self.introduce)

    async def introduce(self, *arguments):
        self.count += 1
        if self.fails:
            raise Unavailable
        if self.hangs:
            await asyncio.Event().wait()
        await self._introduce(*arguments)


@pytest.fixture
def introductions(shop, chat, monkeypatch):
    return Introductions(shop, monkeypatch)


async def test_who_has_written_is_known_from_then_on(shop, chat, introductions):
    with pytest.raises(NotFound):
        await chat.send(OMAR, to(MAYA))
    assert await shop.store.participant(MAYA.key) is None, "nothing before the first message"
    await chat.send(MAYA, to(OMAR))
    assert (await shop.store.participant(MAYA.key)).name == "Maya"
    await chat.send(MAYA, to(OMAR))
    assert introductions.count == 1


async def test_a_seller_is_known_before_what_they_write_is_stored(shop, chat, introductions):
    """A start after a kill asks who sells, and looks for their messages. Fails where a seller is
    introduced afterwards, as buyers are: with a database that is away in between not at all."""
    await chat.send(MAYA, to(OMAR))
    introductions.fails = True
    with pytest.raises(Unavailable):
        await chat.send(NILS, to(MAYA))
    assert await shop.ledger.newest_of(NILS.key, before=None, limit=9, unread=False) == []
    introductions.fails = False
    await chat.send(NILS, to(MAYA))
    assert NILS.key in await shop.store.seller_keys()


async def test_many_first_messages_at_once_introduce_once(chat, introductions):
    await asyncio.gather(*(chat.send(MAYA, to(OMAR, f"{n}")) for n in range(20)))
    assert introductions.count == 1


async def test_a_stored_message_is_acknowledged_though_its_sender_could_not_be_recorded(
    shop, chat, introductions
):
    introductions.fails = True
    first = await chat.send(MAYA, to(OMAR))
    assert first.message.seq == 1
    introductions.fails = False
    await chat.send(MAYA, to(OMAR))
    assert (await shop.store.participant(MAYA.key)).name == "Maya"


async def test_a_seller_whose_first_registration_was_given_up_is_known_after_the_next(
    shop, chat, introductions
):
    """The database hangs, and the door waits no longer. Fails when ``_introduce`` takes somebody
    for recorded whose record nobody wrote."""
    nils = Listener(NILS)
    shop.hub.connect(nils)
    introductions.hangs = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(chat.register(NILS, RegisterUser(), nils), 0.1)
    introductions.hangs = False
    await chat.register(NILS, RegisterUser(), nils)
    assert (await shop.store.participant(NILS.key)).name == "Nils"


async def test_a_new_name_is_told_and_kept(shop, chat):
    await chat.send(MAYA, to(OMAR))
    married = MAYA.__class__(MAYA.participant, "Maya B.", "s", 0, 2**40)
    sent = await chat.send(married, to(OMAR))
    assert sent.message.sender_name == "Maya B."
    assert (await shop.store.participant(MAYA.key)).name == "Maya B."


async def test_a_reader_may_confirm_what_lies_past_the_end_and_gets_the_end(shop, chat):
    sent = await chat.send(MAYA, to(OMAR))
    id_ = sent.message.conversation_id
    delivered = await chat.mark_delivered(OMAR, MarkAsDelivered(id_, 10**30))
    assert delivered.delivered_seq == 1
    read = await chat.mark_read(OMAR, MarkAsRead(conversation_id=id_, seq=10**30))
    assert (read.read_seq, read.unread) == (1, 0)


async def test_a_disconnected_client_does_not_stop_its_message(shop, chat):
    """Whoever waits for the answer goes away; the write goes on."""
    waiting = asyncio.ensure_future(await chat.post(MAYA, to(OMAR, client_id="c")))
    await asyncio.sleep(0)
    second = await chat.send(LENA, to(OMAR))
    assert second.message.seq == 1
    assert (await waiting).message.client_id == "c"


@pytest.mark.parametrize(
    ("read", "shown", "other"),
    [("conversations_of", 100, LENA), ("participants", 100, LENA), ("unread_of", 1, MAYA)],
)
async def test_what_is_stored_while_one_registers_is_told_and_counted_once(
    shop, chat, monkeypatch, read, shown, other
):
    """Whoever adds up the answer and the events behind it has all, and the right sum. Fails when
    the list and the sum are not of one moment, or events begin later than the reading. The sum is
    looked up where more conversations may be there than are shown."""
    monkeypatch.setattr(chat_module, "CONVERSATIONS_SHOWN", shown)
    await chat.send(MAYA, to(OMAR))
    await shop.ledger.settle()
    look = getattr(shop.store, read)

    async def look_while_they_write(*arguments, **more):
        found = await look(*arguments, **more)
        monkeypatch.setattr(shop.store, read, look)
        await chat.send(MAYA, to(OMAR))
        await chat.send(other, to(OMAR))
        return found

    monkeypatch.setattr(shop.store, read, look_while_they_write)
    desk = Listener(OMAR)
    desk.registered = False
    shop.hub.connect(desk)
    registered = await chat.register(OMAR, RegisterUser(), desk)
    desk.release()
    told = {(message["conversation_id"], message["seq"]) for message in desk.heard("new_message")}
    listed = {(c.id, seq) for c in registered.conversations for seq in range(1, c.last_seq + 1)}
    newest = await shop.ledger.newest_of(OMAR.key, before=None, limit=9, unread=False)
    assert told | listed == {(c.id, seq) for c in newest for seq in range(1, c.last_seq + 1)}
    assert len(told) == 2
    assert len(registered.conversations) <= shown
    assert registered.unread == len(listed) == sum(c.unread for c in registered.conversations)


async def test_what_is_stored_and_settled_while_one_is_listed_counts(shop, chat, monkeypatch):
    """A conversation that moves during a look may lie behind it by then, and its summary be settled
    before it ends. Fails where a list is believed to tell all that is unread."""
    await chat.send(LENA, to(OMAR))
    await shop.ledger.settle()
    look = shop.store.conversations_of

    async def look_too_late(*arguments, **more):
        monkeypatch.setattr(shop.store, "conversations_of", look)
        await chat.send(LENA, to(OMAR))
        await chat.send(MAYA, to(OMAR))
        await shop.ledger.settle()
        return []

    monkeypatch.setattr(shop.store, "conversations_of", look_too_late)
    desk = Listener(OMAR)
    desk.registered = False
    shop.hub.connect(desk)
    registered = await chat.register(OMAR, RegisterUser(), desk)
    assert registered.unread == sum(c.unread for c in registered.conversations) == 3
    assert sum((await shop.ledger.unread_of(OMAR.key)).values()) == 3


async def test_who_comes_back_takes_three_looks(shop, chat, monkeypatch):
    """After a restart all come back at once: a list, which tells what is unread and where each
    conversation stands, who they are with, and what was missed. Fails where one of these is looked
    up by itself again."""
    sent = await chat.send(MAYA, to(OMAR))
    await chat.send(MAYA, to(OMAR))
    await shop.ledger.settle()
    shop.ledger._live.clear()
    shop.ledger._ids.clear()
    looks = Mock(wraps=shop.store._driver)
    monkeypatch.setattr(shop.store, "_driver", looks)
    back = Listener(MAYA)
    back.registered = False
    shop.hub.connect(back)
    since = {sent.message.conversation_id: 1}
    registered = await chat.register(MAYA, RegisterUser(since=since), back)
    await chat.catch_up(back, flush=AsyncMock())
    assert [message["seq"] for message in back.heard("new_message")] == [2]
    assert (registered.unread, len(registered.conversations)) == (0, 1)
    assert looks.call_count == 3
