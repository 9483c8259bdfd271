"""S15: a person goes, and nothing of what they said is left, in the database or in memory."""

import asyncio
import json
import time
from contextlib import aclosing
from dataclasses import replace

import pytest

from models.erasure import carried_out, ordered
from models.errors import NotFound, Unauthorized
from models.events import SendMessage, Typing
from models.picture import Picture
from models.preferences import Preferences
from models.timesheet import Timesheet
from tests.store.cast import LENA, MAYA, NILS, NOON, OMAR, draft, eventually

SECRET = "the secret that Maya told"


@pytest.fixture
async def shop(open_shop):
    """One that looks for orders when it is told to."""
    opened = await open_shop(asleep=("erasures",))
    await opened.store.introduce(OMAR.key, OMAR.name, NOON)
    return opened


@pytest.fixture
async def watching(open_shop, monkeypatch):
    """One that looks for orders all the time."""
    monkeypatch.setattr("models.erasure.REFRESH_SECONDS", 0.05)
    opened = await open_shop()
    await opened.store.introduce(OMAR.key, OMAR.name, NOON)
    return opened


def sign(shop, who, *, seconds_ago=5):
    """Somebody with a token of their own."""
    issued = int(time.time()) - seconds_ago
    shop.shop.tokens._now, now = (lambda: issued), shop.shop.tokens._now
    token = shop.tokens.issue(who.participant, who.name, seconds=3600)
    shop.shop.tokens._now = now
    return token, shop.tokens.read(token)


async def say(shop, *said):
    """Says one after the other: sender, recipient, text."""
    return [await shop.append(draft(text, *pair)) for *pair, text in said]


async def erase(store, who):
    """What the command does, beside a server or without one."""
    order = await ordered(store, who.participant)
    return sum([erased.messages async for erased in carried_out(store, order)])


async def everything(store):
    """All that lies in the database, as text."""
    found = [
        document async for name in _names(store) async for document in store._db[name].find({})
    ]
    return json.dumps(found, default=str)


async def _names(store):
    for name in await store._db.list_collection_names():
        yield name


async def talk(store, conversation_id):
    return [
        (m.seq, m.text, m.erased_at is not None)
        for m in await store.messages_between(conversation_id, 1, 1000)
    ]


# --- In the database ------------------------------------------------------------------------------


async def test_the_texts_go_and_the_places_stay(shop, open_store):
    """Fails when ``carried_out`` leaves out the messages, the summaries or the record."""
    done = await say(shop, (MAYA, OMAR, SECRET), (OMAR, MAYA, "Hello Maya"), (MAYA, OMAR, SECRET))
    await shop.ledger.settle()
    await shop.store.introduce(MAYA.key, "Maya Okoro", NOON)
    await shop.kill()
    store = await open_store()
    assert await erase(store, MAYA) == 2
    assert await talk(store, done[0].conversation.id) == [
        (1, "", True),
        (2, "Hello Maya", False),
        (3, "", True),
    ]
    left = await everything(store)
    assert SECRET not in left
    assert "Okoro" not in left
    assert await store.participant(MAYA.key) is None
    conversation = await store.conversation(done[0].conversation.id)
    assert (conversation.last_seq, conversation.last.text) == (3, "")
    assert [place.name for place in conversation.places] == ["", "Omar"]
    assert conversation.last.erased_at


async def test_a_seller_goes_with_all_that_they_chose(shop, open_store):
    await shop.accounts.add_seller("omar", "Omar", "omar@shop.example", "correct horse battery")
    logo = Picture(b"a picture", "image/png")
    await shop.store.write_preferences(OMAR.key, Preferences(greeting="Salaam", logo="1"), logo)
    await shop.store.write_timesheet(OMAR.key, Timesheet())
    await say(shop, (MAYA, OMAR, "Hello"), (OMAR, MAYA, SECRET))
    assert await erase(shop.store, OMAR) == 1
    left = await everything(shop.store)
    assert not [word for word in (SECRET, "shop.example", "Salaam", "a picture") if word in left]
    with pytest.raises(Unauthorized):
        await shop.accounts.log_in("omar", "correct horse battery", "127.0.0.1")
    with pytest.raises(NotFound):
        await shop.history.seller("omar")
    assert await shop.store.seller_keys() == {OMAR.key}, "retention finds their conversations"


async def test_nobody_else_is_touched(shop):
    await say(shop, (MAYA, OMAR, "Mine"), (LENA, OMAR, "Hers"), (OMAR, LENA, "His"))
    await erase(shop.store, MAYA)
    left = await everything(shop.store)
    assert "Hers" in left
    assert "His" in left
    assert "Mine" not in left


async def test_a_second_time_changes_nothing_and_a_stranger_is_not_found(shop):
    await say(shop, (MAYA, OMAR, SECRET))
    assert [await erase(shop.store, MAYA) for _ in range(2)] == [1, 0]
    with pytest.raises(NotFound):
        await ordered(shop.store, NILS.participant)


async def test_what_was_broken_off_is_finished_by_the_next_start(shop, open_shop, monkeypatch):
    """Fails when the order is not stored first, or ``Erasures.open`` leaves open ones alone."""
    monkeypatch.setattr("models.erasure.PAGE", 2)
    done = await say(shop, *[(MAYA, OMAR, f"{SECRET} {number}") for number in range(5)])
    await say(shop, (MAYA, NILS, SECRET))
    await shop.kill()
    broken = await open_shop(asleep=("erasures",))
    order = await ordered(broken.store, MAYA.participant)
    async with aclosing(carried_out(broken.store, order)) as work:
        await anext(work)
    assert SECRET in await everything(broken.store)
    await broken.kill()
    again = await open_shop()
    assert SECRET not in await everything(again.store)
    assert (await again.store.erasure(MAYA.key)).is_done
    assert len(await talk(again.store, done[0].conversation.id)) == 5


async def test_a_guest_who_is_not_handed_over_yet_goes_with_the_buyer(shop):
    guest = shop.shop.tokens.issue_guest()[1]
    await say(shop, (guest, OMAR, SECRET))
    await shop.store.begin_handover(guest.key, MAYA.key, "Maya Okoro")
    await shop.store.introduce(MAYA.key, MAYA.name, NOON)
    assert await erase(shop.store, MAYA) == 1
    left = await everything(shop.store)
    assert SECRET not in left
    assert "Okoro" not in left


async def test_what_was_written_back_by_a_server_that_was_killed_goes_with_the_next(
    shop, open_shop, open_store
):
    """A server writes a summary before it has heard of the order, and dies. Fails when the command
    notes that all is done."""
    [stored] = await say(shop, (MAYA, OMAR, SECRET))
    await erase(await open_store(), MAYA)
    shop.ledger.touch(stored.conversation)  # as when Omar reads
    await shop.ledger.settle()
    assert SECRET in await everything(shop.store)
    await shop.kill()
    again = await open_shop()
    assert SECRET not in await everything(again.store)
    assert (await again.store.erasure(MAYA.key)).is_done


# --- In a running server --------------------------------------------------------------------------


async def test_a_running_server_follows(watching, open_store):
    """Fails without ``Erasures.watch``, and where ``Ledger.erase`` leaves what is in memory: the
    summary is then written again as it was."""
    shop = watching
    maya, omar = shop.listen(sign(shop, MAYA)[1]), shop.listen(OMAR)
    [stored] = await say(shop, (MAYA, OMAR, SECRET))
    omar.heard()
    await erase(await open_store(), MAYA)
    await eventually(lambda: maya.closed)
    assert maya.closed == [4401]
    await eventually(lambda: omar.heard(*["reset"]))
    live = stored.conversation
    assert live.last.text == ""
    assert live.place_of(MAYA.key).name == ""
    shop.ledger.touch(live)
    await shop.ledger.settle()
    assert SECRET not in await everything(shop.store)
    found = await shop.history.conversations(OMAR, limit=9)
    [shown] = found.conversations
    assert (shown.last_message.message, shown.last_message.sender_name) == ("", None)
    assert shown.last_message.erased_at
    assert shown.unread == 1
    assert not omar.closed


async def test_tokens_of_before_are_refused_and_later_ones_are_good(shop, open_store):
    """Fails when ``Accounts.is_erased`` is always false."""
    before, _ = sign(shop, MAYA)
    await say(shop, (MAYA, OMAR, SECRET))
    assert shop.accounts.authenticate(before)
    await erase(await open_store(), MAYA)
    await shop.erasures.refresh()
    with pytest.raises(Unauthorized):
        shop.accounts.authenticate(before)
    second = int(time.time()) + 1  # tokens know whole seconds only
    later = shop.tokens.issue(MAYA.participant, "Maya", seconds=60, not_before=second)
    assert shop.accounts.authenticate(later)


async def test_the_shops_word_of_before_brings_nobody_back(shop):
    import jwt

    now = int(time.time())
    claims = {"sub": "maya", "name": "Maya", "iat": now - 60, "exp": now + 600}
    word = jwt.encode(claims, shop.settings.identity_secret, algorithm="HS256")
    assert await shop.guests.identify(word, None)
    await say(shop, (MAYA, OMAR, SECRET))
    await erase(shop.store, MAYA)
    await shop.erasures.refresh()
    with pytest.raises(Unauthorized):
        await shop.guests.identify(word, None)
    again = jwt.encode(claims | {"iat": now + 2}, shop.settings.identity_secret, algorithm="HS256")
    assert await shop.guests.identify(again, None)


async def test_what_was_let_in_before_is_erased_after(shop):
    """A message that was on its way while the order was heard. Fails without the aftermath."""
    [stored] = await say(shop, (MAYA, OMAR, "Hello"))
    await erase(shop.store, MAYA)
    await shop.erasures.refresh()
    await say(shop, (MAYA, OMAR, SECRET))
    omar = shop.listen(OMAR)
    shop.erasures._due = [due._replace(at=0.0) for due in shop.erasures._due]  # time passes
    await shop.erasures.refresh()
    await shop.ledger.settle()
    assert SECRET not in await everything(shop.store)
    assert omar.heard("reset") == [{"conversation_id": stored.conversation.id}]


async def test_a_draft_that_waits_is_refused(open_shop):
    shop = await open_shop(asleep=("journal", "erasures"))
    _, old = sign(shop, MAYA)
    waiting = shop.journal.append(draft(SECRET, old, OMAR))
    fresh = shop.journal.append(draft("Back", sign(shop, MAYA, seconds_ago=-5)[1], OMAR))
    async with shop.journal.alone:
        shop.journal.forget(MAYA.key, int(time.time()))
    with pytest.raises(Unauthorized):
        await waiting
    assert not fresh.done()


async def test_a_repeat_of_an_erased_message_is_that_message(shop):
    """CONTRACT section 3: the pair is a message for ever. Fails when ``client_id`` goes as well, or
    when the repeat's text is compared with the emptied one."""
    again = draft(SECRET, MAYA, OMAR, client_id="once")
    first = await shop.append(again)
    await erase(shop.store, MAYA)
    repeat = await shop.append(again)
    assert repeat.duplicate
    assert repeat.message.id == first.message.id
    assert repeat.message.text == ""
    assert (await shop.append(draft("New", MAYA, OMAR))).message.seq == 2


async def test_who_is_erased_is_not_known_until_they_come_back(shop):
    await say(shop, (MAYA, OMAR, SECRET))
    await erase(shop.store, MAYA)
    await shop.erasures.refresh()
    to_maya = SendMessage("maya", "Buyer", "Are you there?")
    for _ in range(2):
        with pytest.raises(NotFound):
            await shop.chat.send(OMAR, to_maya)
        with pytest.raises(NotFound):
            await shop.chat.set_typing(OMAR, Typing("maya", "Buyer", is_typing=True))
    back = await shop.chat.send(MAYA, SendMessage("omar", "Seller", "Here I am"))
    assert (back.message.seq, back.message.sender_name) == (2, "Maya")
    assert (await shop.chat.send(OMAR, to_maya)).message.seq == 3
    page = await shop.history.conversation(OMAR, MAYA.participant)
    assert [m.sender_name for m in page.messages] == [None, "Maya", "Omar"]


async def test_the_list_finds_nobody_under_the_name_of_before(shop):
    """Fails when ``Ledger.erase`` does not tell of the rename."""
    okoro = replace(MAYA, name="Maya Okoro")
    await say(shop, (okoro, OMAR, "Hello"))
    assert (await shop.history.conversations(OMAR, limit=9, name="okoro")).conversations
    await erase(shop.store, MAYA)
    await shop.erasures.refresh()
    assert not (await shop.history.conversations(OMAR, limit=9, name="okoro")).conversations
    assert (await shop.history.conversations(OMAR, limit=9, name="maya")).conversations, "the id"


async def test_a_seller_who_is_added_again_stays(shop):
    """The command is done at once, a running server's own share comes later. Fails when
    ``carried_out`` takes the new account for the old one."""
    await shop.accounts.add_seller("omar", "Omar", None, "correct horse battery")
    order = await ordered(shop.store, OMAR.participant)
    assert [erased async for erased in carried_out(shop.store, order)] == []
    await asyncio.sleep(order.valid_from - time.time())  # as the command does
    await shop.accounts.add_seller("omar", "Omar", None, "battery staple horse")
    await shop.erasures.refresh()
    shop.erasures._due = [due._replace(at=0.0) for due in shop.erasures._due]  # time passes
    await shop.erasures.refresh()
    assert await shop.accounts.log_in("omar", "battery staple horse", "127.0.0.1")
    assert (await shop.store.erasure(OMAR.key)).is_done
