"""Every event, tried by those whom a conversation is none of. A new event without a row fails."""

import json

import pytest

from models.events import COMMANDS
from tests.contract import NOWHERE

SECRET_TEXT = "canary 7f3a91"  # what Maya and Omar write to each other, and nobody else may see

# Of each event the data that name Maya's and Omar's conversation; None where an event cannot.
NAMING = {
    "register_user": {"since": {"{conversation}": 0}},
    "send_message": None,
    "typing": None,
    "mark_as_delivered": {"conversation_id": "{conversation}", "seq": 1},
    "mark_as_read": {"conversation_id": "{conversation}", "seq": 1},
    "join_room": {"room": "{conversation}"},
    "leave_room": {"room": "{conversation}"},
    "update_context": None,
    "update_status": None,
}
OTHERS = [("Buyer", "lena"), ("Seller", "vera"), ("Buyer", "omar"), ("Seller", "maya")]


def filled(data, conversation):
    return json.loads(json.dumps(data).replace("{conversation}", conversation))


def test_every_event_has_its_row():
    assert NAMING.keys() == COMMANDS.keys()


@pytest.mark.parametrize(("type_", "id_"), OTHERS)
async def test_others_neither_read_nor_change_a_conversation(server, join, maya, omar, type_, id_):
    other = await join(server, type_, id_, seller_id="omar")
    room = (await maya.send(omar, SECRET_TEXT))["conversation_id"]
    await omar.hear("new_message")
    before = await omar.ask("join_room", {"room": room})
    for event, data in NAMING.items():
        if data is None:
            continue
        theirs, missing = filled(data, room), filled(data, NOWHERE)
        if event == "register_user":
            ack = await other.ask(event, theirs)
            assert ack["conversations"] == []
        else:
            refused = await other.refusal(event, theirs)
            assert refused["code"] == "forbidden", event
            assert refused == await other.refusal(event, missing)
    assert await omar.ask("join_room", {"room": room}) == before
    await omar.ask("typing", {"recipient_id": "maya", "recipient_type": "Buyer", "is_typing": True})
    await omar.send(maya, SECRET_TEXT)
    await maya.ask("mark_as_read", {"conversation_id": room, "seq": 2})
    await other.heard_so_far()
    for frame in other.heard:
        assert SECRET_TEXT not in json.dumps(frame)
        assert room not in json.dumps(frame)
        assert frame["event"] in {"online_users", "user_status_changed", "beat"}


async def test_an_answer_reaches_only_the_socket_that_asked(server, join, maya, omar):
    maya_too = await join(server, "Buyer", "maya")
    room = (await maya.send(omar))["conversation_id"]
    await maya.ask("join_room", {"room": room})
    await maya.refusal("join_room", {"room": NOWHERE})
    await maya.ask("mark_as_delivered", {"conversation_id": room, "seq": 1})
    for client in (maya_too, omar):
        assert not await client.heard_so_far("ack", "error")


async def test_events_tell_nothing_of_a_person_but_id_type_and_name(server, join, maya):
    await server.shop.accounts.add_seller("vera", "Vera", "vera@mail.example", "correct horse bat")
    vera = await join(server, "Seller", "vera", "Vera")
    await maya.send(vera)
    await vera.send(maya)
    await vera.ask("typing", {"recipient_id": "maya", "recipient_type": "Buyer", "is_typing": True})
    await vera.ask("update_status", {"status": "away"})
    heard = json.dumps([await maya.heard_so_far(), await maya.ask("register_user")])
    assert "vera" in heard
    for word in ("mail.example", "password", "argon2", "127.0.0.1", "tokens_valid_from", "email"):
        assert word not in heard
