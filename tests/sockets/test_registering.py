import asyncio
import time

import jwt

from handlers import socket
from tests.caller import call
from tests.contract import MOMENT, NOWHERE, USER, check_conversation, place
from tests.sockets.client import spoken

SECRET = "a secret that every test of a token may know"
DAY = 24 * 60 * 60
SEND = "/api/messages/send"

EVENTS = {
    "send_message": {"recipient_id": "omar", "recipient_type": "Seller", "message": "Hello"},
    "typing": {"recipient_id": "omar", "recipient_type": "Seller", "is_typing": True},
    "mark_as_delivered": {"conversation_id": NOWHERE, "seq": 1},
    "mark_as_read": {"conversation_id": NOWHERE, "seq": 1},
    "join_room": {"room": NOWHERE},
    "leave_room": {"room": NOWHERE},
    "update_context": {"url": "https://shop.example/bell", "title": "A bell"},
    "update_status": {"status": "offline"},
}


def guest_token(issued_before: float) -> str:
    """A guest's token of 90 days, made some seconds ago."""
    issued_at = int(time.time() - issued_before)
    claims = {"sub": f"guest-{'0' * 32}", "type": "Buyer", "name": "Guest", "iat": issued_at}
    return jwt.encode(claims | {"exp": issued_at + 90 * DAY}, SECRET, algorithm="HS256")


async def test_whoever_registers_learns_who_they_are_and_who_is_here(server, connect):
    maya = await connect(server, "Buyer", "maya", "Maya")
    ack = await maya.ask("register_user")
    limits, epoch, moment = ack.pop("limits"), ack.pop("epoch"), ack.pop("server_time")
    assert ack == {
        "user": {"id": "maya", "type": "Buyer", "name": "Maya", "verified": True},
        "unread": 0,
        "conversations": [],
    }
    assert isinstance(limits, dict)
    assert isinstance(epoch, str)
    assert MOMENT.fullmatch(moment)
    assert [frame["event"] for frame in await maya.heard_so_far()] == ["online_users"]
    assert await maya.hear("online_users") == {"users": []}


async def test_the_epoch_is_the_same_for_all_as_long_as_the_database_is(serve, join):
    one, two = await serve(rate_limits="off"), await serve(rate_limits="off")
    maya, omar = await join(one, "Buyer", "maya"), await join(two, "Seller", "omar")
    assert maya.ack["epoch"] == omar.ack["epoch"]


async def test_nothing_works_before_registering(server, connect, omar):
    maya = await connect(server, "Buyer", "maya")
    for event, data in EVENTS.items():
        assert (await maya.refusal(event, data))["code"] == "not_registered", event
        await maya.tell(event, data)
        assert (await maya.error())["code"] == "not_registered", event
    assert not await omar.heard_so_far()
    ack = await maya.ask("register_user")
    assert ack["conversations"] == []


async def test_before_registering_nothing_is_heard(server, connect, maya, omar):
    maya_too = await connect(server, "Buyer", "maya")
    await omar.send(maya)
    assert not await maya_too.heard_so_far()


async def test_who_registers_may_say_who_they_are_and_nobody_else(server, connect, omar):
    maya = await connect(server, "Buyer", "maya")
    for lie in (
        {"user_id": "omar", "user_type": "Seller"},
        {"user_id": "lena"},
        {"user_type": "Seller"},
        {"user_id": "maya", "user_type": "Seller"},
    ):
        assert (await maya.refusal("register_user", lie))["code"] == "forbidden"
    assert (await maya.refusal("update_status", {"status": "away"}))["code"] == "not_registered"
    await maya.ask("register_user", {"user_id": "maya", "user_type": "Buyer"})
    assert (await maya.send(omar))["sender_id"] == "maya"


async def test_the_conversations_come_newest_first_and_a_hundred_at_most(server, join, omar):
    long = "<" * 4000  # a hundred of these, and their HTML, are 2 MB
    question = {"recipient_id": "omar", "recipient_type": "Seller", "message": long}
    tokens = [server.token("Buyer", f"b{number}") for number in range(101)]
    for some in (tokens[first : first + 10] for first in range(0, 101, 10)):
        sent = [call(server, "POST", SEND, question, token=token) for token in some]
        assert {answer.status for answer in await asyncio.gather(*sent)} == {201}
    answer = {"recipient_id": "b50", "recipient_type": "Buyer", "message": long}
    await omar.ask("send_message", answer)
    again = await join(server, "Seller", "omar", "Omar")
    assert again.ack["unread"] == 100
    conversations = again.ack["conversations"]
    assert len(conversations) == 100
    for conversation in conversations:
        check_conversation(conversation)
    moments = [conversation["updated_at"] for conversation in conversations]
    assert moments == sorted(moments, reverse=True)
    place(conversations[0], "b50")


async def test_a_conversation_tells_both_sides_and_how_far_they_are(server, join, maya, omar):
    await maya.send(omar, "Hello")
    last = await maya.send(omar, "Is anybody there?")
    await omar.ask("mark_as_delivered", {"conversation_id": last["conversation_id"], "seq": 1})
    again = await join(server, "Seller", "omar", "Omar")
    [conversation] = again.ack["conversations"]
    check_conversation(conversation)
    assert conversation.items() >= {"first_seq": 1, "last_seq": 2, "unread": 2}.items()
    assert conversation["last_message"] == last
    people = {person["id"]: person for person in conversation["participants"]}
    assert {key: people["maya"][key] for key in USER} == maya.ack["user"]
    assert {key: people["omar"][key] for key in USER} == omar.ack["user"]
    assert [people[id_]["delivered_seq"] for id_ in ("maya", "omar")] == [2, 1]
    assert [people[id_]["read_seq"] for id_ in ("maya", "omar")] == [2, 0]
    assert [people[id_]["status"] for id_ in ("maya", "omar")] == ["online", "online"]
    assert MOMENT.fullmatch(people["maya"]["first_seen"])


async def test_a_guests_token_is_renewed_when_a_third_of_its_time_is_gone(serve, connect):
    server = await serve(secret=SECRET)
    young = await connect(server, token=guest_token(29 * DAY))
    ack = await young.ask("register_user")
    assert "token" not in ack
    assert ack["user"] == {
        "id": f"guest-{'0' * 32}",
        "type": "Buyer",
        "name": "Guest",
        "verified": False,
    }
    old = await connect(server, token=guest_token(31 * DAY))
    token = (await old.ask("register_user"))["token"]
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert claims["exp"] > time.time() + 89 * DAY
    renewed = await connect(server, token=token)
    assert (await renewed.ask("register_user"))["user"] == ack["user"]


async def test_nobody_elses_token_is_renewed(serve, connect):
    server = await serve(secret=SECRET)
    now = int(time.time())
    claims = {"sub": "maya", "type": "Buyer", "name": "Maya", "iat": now - 9 * DAY}
    token = jwt.encode(claims | {"exp": now + DAY}, SECRET, algorithm="HS256")
    maya = await connect(server, token=token)
    assert "token" not in await maya.ask("register_user")


async def test_a_socket_that_does_not_register_in_time_is_closed_with_4408(
    server, connect, join, monkeypatch
):
    assert socket.REGISTER_SECONDS == 10
    monkeypatch.setattr(socket, "REGISTER_SECONDS", 0.2)
    registered = await join(server, "Buyer", "lena")
    silent = await connect(server, "Buyer", "maya")
    assert await silent.closed() == 4408
    assert not await registered.heard_so_far()


async def test_a_wrong_field_is_named(server, connect):
    maya = await connect(server)
    for field, values in {
        "user_id": ["", "m aya", "x" * 65, 1, {"$ne": None}, ["maya"]],
        "user_type": ["buyer", 1, {"$ne": None}],
        "seller_id": ["", "o mar", "x" * 65, 1, {"$ne": None}],
        "epoch": [1, {"$ne": None}, []],
        "since": ["", 1, [], {NOWHERE: "1"}, {NOWHERE: -1}, {NOWHERE: 1.5}, {NOWHERE: None}],
    }.items():
        for value in values:
            error = await maya.refusal("register_user", {field: value})
            assert error["code"] == "invalid", value
            assert error["field"].split(".")[0].split("[")[0] == field, value
    await maya.ask("register_user")


async def test_registering_again_is_answered_again(maya, omar):
    message = await omar.send(maya)
    ack = await maya.ask("register_user")
    assert ack["unread"] == 1
    assert [c["id"] for c in ack["conversations"]] == [message["conversation_id"]]
    assert len(await maya.heard_so_far("new_message")) == 1


async def test_a_socket_may_be_opened_without_subprotocol_and_with_the_header(server, open_socket):
    token = server.token("Buyer", "maya")
    plain = await open_socket(f"{server.url}/ws", headers={"Authorization": f"Bearer {token}"})
    assert plain.selected_subprotocol is None
    offered = await open_socket(f"{server.url}/ws", subprotocols=["other", *spoken(token)])
    assert offered.selected_subprotocol == "shopbell.v1"
