import asyncio

import pytest

from tests.contract import NOWHERE
from tests.sockets.client import Client


async def back(join, server, **data) -> Client:
    """Maya on a new socket, that asks for what she missed."""
    return await join(server, "Buyer", "maya", "Maya", **data)


def missed(client):
    """What was replayed so far: of each event its ``seq`` or its name."""
    return [
        frame["data"].get("seq", frame["event"])
        for frame in client.heard
        if frame["event"] in {"new_message", "reset"}
    ]


async def test_what_was_missed_comes_in_order_as_it_was_stored(server, join, maya, omar):
    first, *rest = await omar.send_many(maya, ["One", "Two", "Three"])
    own = await maya.send(omar, "Four")
    room = first["conversation_id"]
    again = await back(join, server, since={room: 1}, epoch=maya.ack["epoch"])
    heard = [await again.hear("new_message") for _ in range(3)]
    assert [message["seq"] for message in heard] == [2, 3, 4]
    assert [m["message"] for m in heard] == [m["message"] for m in [*rest, own]]
    assert heard[-1] == own
    assert not await again.heard_so_far()


async def test_the_answer_comes_first_then_who_is_here_then_what_was_missed(
    server, connect, maya, omar
):
    room = (await omar.send(maya))["conversation_id"]
    again = await connect(server, "Buyer", "maya")
    number = await again.start("register_user", {"since": {room: 0}})
    events = [frame["event"] for frame in await again.heard_so_far()]
    assert events == ["ack", "online_users", "new_message"]
    assert (await again.answer(number))["unread"] == 1


async def test_several_conversations_are_caught_up_at_once(server, join, maya, omar):
    vera = await join(server, "Seller", "vera")
    ours = await omar.send_many(maya, ["One", "Two"])
    theirs = await vera.send_many(maya, ["One", "Two", "Three"])
    since = {ours[0]["conversation_id"]: 1, theirs[0]["conversation_id"]: 1}
    again = await back(join, server, since=since)
    heard = [frame["data"] for frame in await again.heard_so_far("new_message")]
    for messages in (ours, theirs):
        room = messages[0]["conversation_id"]
        assert [m for m in heard if m["conversation_id"] == room] == messages[1:]
    assert len(heard) == 3


async def test_who_has_all_gets_nothing(server, join, maya, omar):
    last = (await omar.send_many(maya, ["One", "Two"]))[-1]
    again = await back(join, server, since={last["conversation_id"]: 2})
    assert not await again.heard_so_far()
    unasked = await back(join, server)
    assert not await unasked.heard_so_far()


async def test_what_is_not_ones_own_is_passed_over_without_a_word(server, join, maya, omar, lena):
    room = (await lena.send(omar))["conversation_id"]
    own = await omar.send(maya)
    since = {room: 0, NOWHERE: 5, "": 0, "$where": 0, "x" * 100: 1, own["conversation_id"]: 0}
    again = await back(join, server, since=since)
    assert await again.hear("new_message") == own
    assert not await again.heard_so_far()


async def test_what_comes_meanwhile_follows_without_a_hole(server, join, connect, maya, omar):
    room = (await omar.send(maya, "0"))["conversation_id"]
    await omar.send_many(maya, [str(number) for number in range(1, 350)])
    again = await connect(server, "Buyer", "maya")
    sending = asyncio.ensure_future(omar.send_many(maya, [str(n) for n in range(350, 450)]))
    await again.ask("register_user", {"since": {room: 0}})
    await sending
    await again.heard_so_far()
    heard = [seq for seq in missed(again) if isinstance(seq, int)]
    first_time = [seq for index, seq in enumerate(heard) if seq not in heard[:index]]
    assert first_time == list(range(1, 451))


async def test_up_to_a_thousand_are_replayed_and_more_are_a_reset(server, join, maya, omar):
    room = (await omar.send(maya, "0"))["conversation_id"]
    await omar.send_many(maya, [str(number) for number in range(1, 1001)])
    late = await back(join, server, since={room: 1})
    await late.heard_so_far()
    assert missed(late) == list(range(2, 1002))
    too_late = await back(join, server, since={room: 0})
    assert await too_late.hear("reset") == {"conversation_id": room}
    assert not await too_late.heard_so_far()
    await omar.send(maya, "live")
    for client in (late, too_late):
        assert (await client.hear("new_message", seq=1002))["message"] == "live"


@pytest.mark.parametrize(
    ("seq", "epoch"), [(3, None), (2**40, None), (0, "another"), (1, "another"), (2, "another")]
)
async def test_another_history_is_a_reset(server, join, maya, omar, seq, epoch):
    room = (await omar.send_many(maya, ["One", "Two"]))[0]["conversation_id"]
    data = {"since": {room: seq}} | ({"epoch": epoch} if epoch else {})
    again = await back(join, server, **data)
    assert await again.hear("reset") == {"conversation_id": room}
    assert not await again.heard_so_far()
    await omar.send(maya, "Three")
    await again.hear("new_message", seq=3)


async def test_the_servers_own_epoch_is_no_reset(server, join, maya, omar):
    room = (await omar.send(maya))["conversation_id"]
    again = await back(join, server, since={room: 0}, epoch=maya.ack["epoch"])
    await again.hear("new_message", seq=1)
    assert not await again.heard_so_far()


async def test_a_registered_socket_may_ask_again_for_what_it_missed(maya, omar):
    messages = await omar.send_many(maya, ["One", "Two", "Three"])
    for message in messages:
        assert await maya.hear("new_message") == message
    await maya.ask("register_user", {"since": {messages[0]["conversation_id"]: 1}})
    assert [await maya.hear("new_message") for _ in range(2)] == messages[1:]


async def test_another_server_on_the_same_database_replays_all(serve, join):
    one = await serve(rate_limits="off")
    maya, omar = await join(one, "Buyer", "maya"), await join(one, "Seller", "omar")
    messages = await omar.send_many(maya, [str(number) for number in range(20)])
    two = await serve(rate_limits="off")
    room, epoch = messages[0]["conversation_id"], maya.ack["epoch"]
    again = await back(join, two, since={room: 0}, epoch=epoch)
    assert [await again.hear("new_message") for _ in messages] == messages
