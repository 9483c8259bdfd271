"""S15: the export of a participant holds what they may see, and nothing else."""

import json
from datetime import UTC, date, datetime

import pytest

from models.codec import encode
from models.erasure import carried_out, ordered
from models.errors import NotFound
from models.export import exported
from models.picture import Picture
from models.preferences import Preferences
from models.timesheet import Day, Timesheet
from tests.store.cast import LENA, MAYA, NILS, NOON, OMAR, draft, identity

PASSWORD = "correct horse battery"


async def export(shop, who):
    pieces = [piece async for piece in exported(shop.store, who.participant, NOON)]
    return json.loads(b"".join(pieces)), pieces


@pytest.fixture
async def spoken(shop):
    """Maya and Lena have written to Omar, and Lena to Nils."""
    for seller in (OMAR, NILS):
        email = f"{seller.participant.id}@private.example"
        await shop.accounts.add_seller(seller.participant.id, seller.name, email, PASSWORD)
    for pair in ((MAYA, OMAR), (OMAR, MAYA), (LENA, OMAR), (LENA, NILS)):
        sender, to = pair
        await shop.append(draft(f"{sender.name} to {to.name}, <b>", sender, to))
        await shop.store.introduce(sender.key, sender.name, NOON)
    await shop.ledger.settle()
    return shop


def said(conversation):
    return [message["message"] for message in conversation["messages"]]


async def test_a_buyer_gets_what_was_said_with_them(spoken):
    """Fails when ``exported`` reads conversations without asking whose they are."""
    found, _ = await export(spoken, MAYA)
    assert found["person"] == {
        "id": "maya",
        "type": "Buyer",
        "name": "Maya",
        "email": None,
        "first_seen": "2026-01-02T12:00:00.000Z",
        "last_seen": "2026-01-02T12:00:00.000Z",
        "can_log_in": False,
    }
    [conversation] = found["conversations"]
    assert conversation["with"] == {
        "id": "omar",
        "type": "Seller",
        "name": "Omar",
        "verified": True,
    }
    assert said(conversation) == ["Maya to Omar, <b>", "Omar to Maya, <b>"]
    page = await spoken.history.conversation(MAYA, OMAR.participant)
    assert conversation["messages"] == json.loads(encode(page.messages))


async def test_a_seller_gets_their_own_data_and_no_secret(spoken):
    chosen = Preferences(greeting="Salaam", logo="1")
    await spoken.store.write_preferences(OMAR.key, chosen, Picture(b"a logo", "image/png"))
    day = Day(hours=0b110)
    day.replies[300] = 2
    await spoken.store.write_timesheet(OMAR.key, Timesheet({date(2026, 1, 2): day}))
    found, pieces = await export(spoken, OMAR)
    assert found["person"]["email"] == "omar@private.example"
    assert found["person"]["can_log_in"] is True
    assert found["preferences"]["greeting"] == "Salaam"
    assert found["logo"] == {"type": "image/png", "base64": "YSBsb2dv"}
    assert found["days"] == {"2026-01-02": {"hours": [1, 2], "replies": {"300": 2}}}
    assert {c["with"]["id"] for c in found["conversations"]} == {"maya", "lena"}
    text = b"".join(pieces).decode()
    assert "argon2" not in text
    assert "nils" not in text
    assert "Lena to Nils" not in text


async def test_nobodys_mail_address_is_told_to_others(spoken):
    for who in (MAYA, LENA):
        _, pieces = await export(spoken, who)
        assert b"private.example" not in b"".join(pieces)


async def test_it_comes_piece_by_piece_however_much_it_is(shop, monkeypatch):
    """Memory is bounded by a page: no piece holds more than one message. Fails when a conversation
    is put together before it is written."""
    monkeypatch.setattr("models.export.PAGE", 10)
    await shop.append(*[draft("x" * 1000, MAYA, OMAR) for _ in range(35)])
    found, pieces = await export(shop, MAYA)
    assert len(found["conversations"][0]["messages"]) == 35
    assert max(map(len, pieces)) < 4000


async def test_many_conversations_come_once_each(shop, monkeypatch):
    monkeypatch.setattr("models.store.COUNTED_AT_ONCE", 3)
    buyers = [identity("Buyer", f"b{number}") for number in range(10)]
    await shop.append(*[draft("Hello", buyer, OMAR) for buyer in buyers])
    await shop.ledger.settle()
    found, _ = await export(shop, OMAR)
    assert sorted(c["with"]["id"] for c in found["conversations"]) == sorted(
        buyer.participant.id for buyer in buyers
    )


async def test_what_was_not_summed_up_yet_is_there(open_shop):
    shop = await open_shop(asleep=("ledger",))
    await shop.append(*[draft(str(number), MAYA, OMAR) for number in range(3)])
    found, _ = await export(shop, MAYA)
    assert said(found["conversations"][0]) == ["0", "1", "2"]


async def test_a_stranger_is_not_found(spoken):
    with pytest.raises(NotFound):
        await export(spoken, identity("Buyer", "nobody"))


async def test_who_was_erased_leaves_what_others_wrote(spoken):
    order = await ordered(spoken.store, MAYA.participant)
    assert [erased async for erased in carried_out(spoken.store, order)]
    for who, name in ((MAYA, "Omar"), (OMAR, "")):
        found, _ = await export(spoken, who)
        [talk] = [c for c in found["conversations"] if c["with"]["id"] in {"omar", "maya"}]
        assert said(talk) == ["", "Omar to Maya, <b>"]
        assert talk["with"]["name"] == name
        first, _ = talk["messages"]
        assert (first["sender_name"], first["message_html"]) == (None, "")
        assert datetime.fromisoformat(first["erased_at"]).tzinfo == UTC
