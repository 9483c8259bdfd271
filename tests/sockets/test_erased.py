"""What sockets hear of people who were erased, and of messages that are not kept any more."""

import pytest

from models.conversation import Participant
from models.erasure import carried_out, ordered
from tests.caller import call
from tests.sockets.client import knock, spoken


@pytest.fixture
async def server(serve, monkeypatch):
    """One that looks oftener for orders."""
    monkeypatch.setattr("models.erasure.REFRESH_SECONDS", 0.1)
    return await serve(rate_limits="off")


async def erase(server, type_, id_):
    """What the command does beside a running server."""
    store = server.shop.store
    async for _ in carried_out(store, await ordered(store, Participant(type_, id_))):
        pass


async def keep_only(server, conversation_id, last):
    """Removes all but so many of the messages of a conversation."""
    shop = server.shop
    conversation = await shop.ledger.get(conversation_id)
    shop.ledger.cut(conversation, conversation.last_seq - last + 1)
    await shop.store.cut([conversation])
    await shop.store.remove_messages(conversation_id, 1, conversation.first_seq - 1)


async def test_the_erased_are_gone_and_the_others_reload(server, join, open_socket):
    """P18, S4: sockets end with 4401, no token opens a door. Fails when the watch does not end
    tokens; when nothing is published, the other side never hears of it."""
    token = server.token("Buyer", "maya", "Maya", seconds=3600)
    maya, omar = await join(server, token=token), await join(server, "Seller", "omar")
    first = await maya.send(omar, "My secret", subject="Mugs")
    await omar.send(maya, "Hello Maya")
    room = first["conversation_id"]
    await erase(server, "Buyer", "maya")
    assert await maya.closed() == 4401
    assert await omar.hear("reset") == {"conversation_id": room}
    assert (await knock(open_socket, server, subprotocols=spoken(token)))[0] == 401
    assert (await call(server, "GET", "/api/messages/sent", token=token)).status == 401
    seller = server.token("Seller", "omar")
    answer = await call(server, "GET", "/api/messages/conversation/maya/Buyer", token=seller)
    gone, kept = answer.body["messages"]
    assert gone["erased_at"]
    emptied = {"message": "", "message_html": "", "subject": None, "sender_name": None}
    receipts = {name: gone[name] for name in ("status", "delivered_at", "read_at", "erased_at")}
    assert gone == {**first, **emptied, **receipts}
    assert "erased_at" not in kept
    names = {p["id"]: p["name"] for p in answer.body["conversation"]["participants"]}
    assert names == {"maya": "", "omar": "Omar"}
    again = await join(server, "Seller", "omar", since={room: 0})
    assert await again.hear("new_message", seq=1) == gone
    listed = (await call(server, "GET", "/api/messages/inbox", token=seller)).body["messages"]
    assert listed == [gone]


async def test_an_erased_seller_has_no_page_and_no_way_in(server, join):
    await server.shop.accounts.add_seller("omar", "Omar", None, "correct horse battery")
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    await omar.send(maya, "Hello")
    await erase(server, "Seller", "omar")
    assert await omar.closed() == 4401
    assert (await call(server, "GET", "/chat/omar")).status == 404
    assert (await call(server, "GET", "/api/sellers/omar")).status == 404
    form = {"id": "omar", "password": "correct horse battery"}
    assert (await call(server, "POST", "/login", form=form)).status == 401
    assert not maya.socket.close_code


@pytest.mark.parametrize(("since", "heard"), [(0, "reset"), (5, "reset"), (6, [7, 8]), (8, [])])
async def test_who_lacks_what_is_not_kept_reloads(server, join, since, heard):
    """P6: what cannot be sent any more is no silent hole. Fails when only the rest is sent, which
    ``_replay`` refuses twice, by ``first_seq`` and by counting: a client would ask for what lies
    before it again and again."""
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    messages = await omar.send_many(maya, [str(number) for number in range(1, 9)])
    room = messages[0]["conversation_id"]
    await keep_only(server, room, 2)
    again = await join(server, "Buyer", "maya", since={room: since})
    frames = await again.heard_so_far("new_message", "reset")
    if heard == "reset":
        assert [frame["data"] for frame in frames] == [{"conversation_id": room}]
    else:
        assert [frame["data"]["seq"] for frame in frames] == heard
    [shown] = again.ack["conversations"]
    assert (shown["first_seq"], shown["last_seq"], shown["unread"]) == (7, 8, 2)
    await omar.send(maya, "Live")
    await again.hear("new_message", seq=9)


async def test_of_an_empty_conversation_a_page_tells_where_it_stands(server, join):
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    room = (await omar.send(maya))["conversation_id"]
    await keep_only(server, room, 0)
    joined = await maya.ask("join_room", {"room": room})
    assert joined["conversation"]["last_message"] is None
    read = await maya.ask("mark_as_read", {"conversation_id": room, "seq": 1})
    assert (read["read_seq"], read["unread"]) == (1, 0)
    page = await call(server, "GET", "/chat/omar", cookie=server.token("Buyer", "maya"))
    assert page.status == 200
    listed = await call(server, "GET", f"/inbox/{room}", cookie=server.token("Seller", "omar"))
    assert listed.status == 200
    assert (await omar.send(maya))["seq"] == 2
