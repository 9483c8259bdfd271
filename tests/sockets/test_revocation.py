import time

import jwt
import pytest

from tests.caller import call
from tests.contract import NOWHERE
from tests.sockets.client import knock, spoken

SECRET = "a secret that every test of a token may know"
IDENTITY_SECRET = "another secret that every test may know"
PASSWORD = "correct horse battery"


@pytest.fixture
async def shop(serve, monkeypatch):
    """A server with the seller Omar, which looks oftener for what has ended."""
    monkeypatch.setattr("models.accounts.REFRESH_SECONDS", 0.1)
    server = await serve(rate_limits="off", secret=SECRET, identity_secret=IDENTITY_SECRET)
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    return server


@pytest.fixture
def later(shop, monkeypatch):
    """Puts the clock forward by which open sockets are looked at."""
    return lambda seconds: monkeypatch.setattr(
        shop.shop.accounts, "_now", lambda: time.time() + seconds
    )


async def log_in(server):
    answer = await call(server, "POST", "/login", form={"id": "omar", "password": PASSWORD})
    assert answer.status == 303
    assert answer.session is not None
    return answer.session


async def is_good(server, open_socket, token):
    """Whether a token opens the doors; the socket's and the API's must agree."""
    status, _ = await knock(open_socket, server, subprotocols=spoken(token))
    answer = await call(server, "GET", "/api/messages/unread/count", token=token)
    assert (status, answer.status) in {(101, 200), (401, 401)}
    return status == 101


async def test_open_sockets_end_with_their_token(shop, join, connect, later):
    lena = await join(shop, "Buyer", "lena")
    short = shop.token("Buyer", "maya", seconds=60)
    sockets = [await join(shop, token=short), await connect(shop, token=short)]
    assert not await lena.heard_so_far()
    later(61)
    for socket in sockets:
        assert await socket.closed() == 4401
    await lena.ask("update_status", {"status": "away"})


async def test_what_an_ended_token_asks_for_is_not_done(shop, join, monkeypatch, later):
    monkeypatch.setattr("models.accounts.REFRESH_SECONDS", 60)
    omar = await join(shop, "Seller", "omar")
    maya = await join(shop, token=shop.token("Buyer", "maya", seconds=60))
    await maya.send(omar)
    later(61)
    await maya.tell("send_message", maya.message_to(omar, "Too late"))
    assert await maya.closed() == 4401
    assert len(await omar.heard_so_far("new_message")) == 1


async def test_a_logout_ends_this_session_and_no_other(shop, join, open_socket):
    here, there = await log_in(shop), await log_in(shop)
    tabs = [await join(shop, "Seller", "omar", token=here) for _ in range(2)]
    elsewhere = await join(shop, "Seller", "omar", token=there)
    own = {"Origin": shop.url}
    answer = await call(shop, "POST", "/logout", cookie=here, form={}, headers=own)
    assert answer.status == 303
    for tab in tabs:
        assert await tab.closed() == 4401
    await elsewhere.ask("update_status", {"status": "away"})
    assert not await is_good(shop, open_socket, here)
    assert await is_good(shop, open_socket, there)


@pytest.mark.parametrize("change", ["a changed password", "a disabled seller"])
async def test_a_change_ends_all_sessions_of_a_seller(shop, join, open_socket, change):
    tokens = [await log_in(shop), shop.token("Seller", "omar")]
    sockets = [await join(shop, "Seller", "omar", token=token) for token in tokens]
    maya = await join(shop, "Buyer", "maya")
    if change == "a disabled seller":
        await shop.shop.accounts.set_disabled("omar", True)
    else:
        await shop.shop.accounts.set_password("omar", "another battery horse")
    for socket in sockets:
        assert await socket.closed() == 4401
    for token in tokens:
        assert not await is_good(shop, open_socket, token)
    await maya.ask("update_status", {"status": "away"})


async def test_a_disabled_seller_has_no_way_in(shop, open_socket):
    await shop.shop.accounts.set_disabled("omar", True)
    await shop.shop.accounts.refresh()
    answer = await call(shop, "POST", "/login", form={"id": "omar", "password": PASSWORD})
    assert (answer.status, answer.session) == (401, None)
    assert not await is_good(shop, open_socket, shop.token("Seller", "omar"))
    await shop.shop.accounts.set_disabled("omar", False)
    await shop.shop.accounts.refresh()
    assert await is_good(shop, open_socket, await log_in(shop))


async def test_a_guest_who_was_identified_is_no_guest_any_more(shop, join, open_socket):
    omar = await join(shop, "Seller", "omar")
    begun = await call(shop, "POST", "/api/session/guest", {"seller_id": "omar"})
    guest = await join(shop, "Buyer", begun.body["user"]["id"], token=begun.body["token"])
    message = await guest.send(omar, "Hello")
    now = int(time.time())
    maya = {"sub": "maya", "name": "Maya", "iat": now, "exp": now + 60}
    identity = jwt.encode(maya, IDENTITY_SECRET, algorithm="HS256")
    said = {"identity": identity, "guest_token": begun.body["token"]}
    answer = await call(shop, "POST", "/api/session/identify", said)
    assert answer.body["user"]["id"] == "maya"
    assert await guest.closed() == 4401
    assert not await is_good(shop, open_socket, begun.body["token"])
    buyer = await join(shop, "Buyer", "maya", token=answer.body["token"])
    [conversation] = buyer.ack["conversations"]
    assert conversation["last_message"]["message"] == "Hello"
    assert conversation["last_message"]["sender_id"] == "maya"
    replied = await omar.ask(
        "send_message", {"recipient_id": "maya", "recipient_type": "Buyer", "message": "Hello!"}
    )
    assert replied["message"]["seq"] == message["seq"] + 1
    await buyer.hear("new_message", message="Hello!")
    assert (await buyer.refusal("join_room", {"room": NOWHERE}))["code"] == "forbidden"
