import pytest

from models import events, presence
from tests.caller import call
from tests.contract import MOMENT, OPERATORS, place
from tests.store.cast import eventually


@pytest.fixture
def no_grace(monkeypatch):
    """Whoever leaves is gone at once."""
    assert presence.GRACE_SECONDS == 15
    monkeypatch.setattr(presence, "GRACE_SECONDS", 0)


async def statuses(client, **who):
    """The statuses that were told by now, of somebody."""
    heard = [frame["data"] for frame in await client.heard_so_far("user_status_changed")]
    return [data["status"] for data in heard if data.items() >= who.items()]


# --- Who sees whom --------------------------------------------------------------------------------


async def test_who_shares_a_conversation_sees_who_is_here(server, connect, maya, omar, lena):
    await maya.send(omar)
    again = await connect(server, "Seller", "omar")
    await again.ask("register_user")
    expected = {"id": "maya", "type": "Buyer", "name": "Maya", "status": "online"}
    assert await again.hear("online_users") == {"users": [expected]}


async def test_coming_is_told_to_who_shares_a_conversation_and_to_nobody_else(
    server, join, maya, omar, lena, no_grace
):
    await maya.send(omar)
    await maya.leave()
    await omar.hear("user_status_changed", user_id="maya", status="offline")
    maya = await join(server, "Buyer", "maya", "Maya")
    told = await omar.hear("user_status_changed", user_id="maya", status="online")
    assert told.keys() == {"user_id", "user_type", "status", "last_seen"}
    assert told["user_type"] == "Buyer"
    assert not await lena.heard_so_far()


async def test_going_tells_when_somebody_was_last_seen(maya, omar, no_grace):
    await maya.send(omar)
    await maya.leave()
    told = await omar.hear("user_status_changed", user_id="maya", status="offline")
    assert MOMENT.fullmatch(told["last_seen"])


async def test_a_page_change_shows_nothing(server, join, maya, omar):
    await maya.send(omar)
    await omar.heard_so_far()
    omar.heard.clear()
    await maya.leave()
    maya = await join(server, "Buyer", "maya")
    assert not await statuses(omar)
    assert [c["id"] for c in maya.ack["conversations"]]


async def test_one_of_two_sockets_closing_shows_nothing(server, join, maya, omar, no_grace):
    await maya.send(omar)
    maya_too = await join(server, "Buyer", "maya")
    await maya_too.leave()
    assert "offline" not in await statuses(omar)
    await maya.leave()
    await omar.hear("user_status_changed", user_id="maya", status="offline")


async def test_a_buyer_sees_the_seller_on_whose_page_they_are(server, connect, join, omar, lena):
    vera = await join(server, "Seller", "vera", "Vera")
    maya = await connect(server, "Buyer", "maya")
    await maya.ask("register_user", {"seller_id": "omar"})
    expected = {"id": "omar", "type": "Seller", "name": "Omar", "status": "online"}
    assert await maya.hear("online_users") == {"users": [expected]}
    await vera.ask("update_status", {"status": "away"})
    await omar.ask("update_status", {"status": "away"})
    told = await maya.hear("user_status_changed")
    assert (told["user_id"], told["user_type"], told["status"]) == ("omar", "Seller", "away")
    assert not await lena.heard_so_far()
    assert not await omar.heard_so_far()  # a buyer who only looks is nobody's business


async def test_on_a_page_of_a_seller_who_is_not_here_nobody_is(server, connect, join, maya):
    visitor = await connect(server, "Buyer", "lena")
    await visitor.ask("register_user", {"seller_id": "omar"})
    assert await visitor.hear("online_users") == {"users": []}
    await join(server, "Seller", "omar")
    await visitor.hear("user_status_changed", user_id="omar", status="online")
    assert not await maya.heard_so_far()


# --- Being here, away, invisible ------------------------------------------------------------------


async def test_a_status_is_told_once_and_stands_in_the_conversation(maya, omar):
    room = (await maya.send(omar))["conversation_id"]
    for status in ("away", "away", "online", "offline"):
        assert await maya.ask("update_status", {"status": status}) == {"status": status}
    assert (await statuses(omar, user_id="maya"))[-3:] == ["away", "online", "offline"]
    joined = await omar.ask("join_room", {"room": room})
    assert place(joined["conversation"], "maya")["status"] == "offline"


async def test_the_invisible_hear_everything_and_are_seen_nowhere(
    server, join, connect, maya, omar
):
    await maya.send(omar)
    await omar.ask("update_status", {"status": "offline"})
    await maya.hear("user_status_changed", user_id="omar", status="offline")
    again = await connect(server, "Buyer", "maya")
    await again.ask("register_user", {"seller_id": "omar"})
    assert await again.hear("online_users") == {"users": []}
    message = await maya.send(omar)
    assert (await omar.hear("new_message", seq=2)) == message
    await omar.ask("update_status", {"status": "online"})
    await maya.hear("user_status_changed", user_id="omar", status="online")


async def test_who_goes_invisible_looks_like_who_leaves_and_their_leaving_shows_nothing(
    server, maya, omar, no_grace
):
    async def seen():
        return (await call(server, "GET", "/api/sellers/omar")).body

    await maya.send(omar)
    await omar.ask("update_status", {"status": "offline"})
    await maya.hear("user_status_changed", user_id="omar", status="offline")
    unwritten = server.shop.chat._left
    await eventually(lambda: "Seller:omar" not in unwritten)
    before = await seen()
    assert before["seller"]["status"] == "offline"
    await maya.heard_so_far()
    maya.heard.clear()
    await omar.leave()
    await eventually(lambda: not server.shop.chat._live.presence.is_here("Seller:omar"))
    await eventually(lambda: "Seller:omar" not in unwritten)
    assert await seen() == before
    assert not await statuses(maya)


async def test_a_wrong_status_is_invalid(maya):
    for value in ("", "busy", "Online", 1, None, *OPERATORS):
        error = await maya.refusal("update_status", {"status": value})
        assert (error["code"], error["field"]) == ("invalid", "status"), value
    assert (await maya.refusal("update_status"))["field"] == "status"


# --- The beat -------------------------------------------------------------------------------------


async def test_a_beat_comes_again_and_again(maya, monkeypatch):
    assert events.BEAT_SECONDS == 25
    monkeypatch.setattr(events, "BEAT_SECONDS", 0)
    moments = [await maya.hear("beat") for _ in range(2)]
    assert [beat.keys() for beat in moments] == [{"server_time"}] * 2
    assert moments[0]["server_time"] < moments[1]["server_time"]
