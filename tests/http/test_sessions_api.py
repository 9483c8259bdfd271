import time

import jwt
import pytest

from tests.caller import call
from tests.contract import USER

IDENTITY_SECRET = "what only the shop's own back end knows"
PASSWORD = "correct horse battery"
GUEST, IDENTIFY = "/api/session/guest", "/api/session/identify"
SEND, LIST = "/api/messages/send", "/api/conversations"


@pytest.fixture
async def shop(serve):
    """A server that knows the sellers Omar and Vera, and vouches for Maya by its back end."""
    server = await serve(rate_limits="off", identity_secret=IDENTITY_SECRET)
    for seller in ("omar", "vera"):
        await server.shop.accounts.add_seller(seller, seller.title(), None, PASSWORD)
    return server


def identity(secret=IDENTITY_SECRET, algorithm="HS256", **changed):
    """What the shop says of its logged-in buyer."""
    now = int(time.time())
    said = {"sub": "maya", "name": "Maya", "iat": now, "exp": now + 600} | changed
    return jwt.encode({k: v for k, v in said.items() if v is not None}, secret, algorithm=algorithm)


async def guest_of(server, seller_id="omar"):
    answer = await call(server, "POST", GUEST, {"seller_id": seller_id})
    assert answer.status == 201, answer.body
    return answer.body["token"]


async def identified(server, guest_token=None, **changed):
    said = {"identity": identity(**changed)}
    answer = await call(
        server, "POST", IDENTIFY, said | ({"guest_token": guest_token} if guest_token else {})
    )
    assert answer.status == 200, answer.body
    return answer.body["token"]


async def write(server, token, recipient_id="omar", message="Hello", recipient_type="Seller"):
    body = {"recipient_id": recipient_id, "recipient_type": recipient_type, "message": message}
    answer = await call(server, "POST", SEND, body, token=token)
    assert answer.status == 201, answer.body
    return answer.body["message"]


async def texts(server, token, with_=("omar", "Seller")):
    """The conversation with somebody, as a list of who said what."""
    path = "/api/messages/conversation/" + "/".join(with_)
    messages = (await call(server, "GET", path, token=token)).body["messages"]
    assert [m["seq"] for m in messages] == list(range(1, len(messages) + 1))
    return [(m["sender_id"], m["message"]) for m in messages]


# --- Guests ---------------------------------------------------------------------------------------


async def test_a_guest_is_an_unverified_buyer_of_128_random_bits(shop):
    answers = [await call(shop, "POST", GUEST, {"seller_id": "omar"}) for _ in range(3)]
    for answer in answers:
        assert (answer.status, answer.body.keys()) == (201, {"token", "user"})
        user = answer.body["user"]
        assert user.keys() == USER
        assert (user["type"], user["verified"]) == ("Buyer", False)
        assert user["id"].startswith("guest-")
        assert len(user["id"]) <= 64
        claims = jwt.decode(answer.body["token"], options={"verify_signature": False})
        assert claims["sub"] == user["id"]
        assert claims["exp"] - time.time() == pytest.approx(90 * 24 * 60 * 60, abs=60)
        assert answer.session == answer.body["token"]
    assert len({answer.body["user"]["id"] for answer in answers}) == 3


async def test_a_guest_writes_and_is_answered(shop):
    guest = await call(shop, "POST", GUEST, {"seller_id": "omar"})
    await write(shop, guest.body["token"])
    omar = shop.token("Seller", "omar")
    await write(shop, omar, guest.body["user"]["id"], "Hello!", "Buyer")
    said = [text for _, text in await texts(shop, guest.body["token"])]
    assert said == ["Hello", "Hello!"]


async def test_a_guest_who_says_nothing_leaves_nothing(shop):
    guest = await call(shop, "POST", GUEST, {"seller_id": "omar"})
    body = {
        "recipient_id": guest.body["user"]["id"],
        "recipient_type": "Buyer",
        "message": "Are you there?",
    }
    answer = await call(shop, "POST", SEND, body, token=shop.token("Seller", "omar"))
    assert answer.refusal == (404, "not_found")


async def test_guests_of_one_address_are_20_an_hour(serve):
    server = await serve()
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    answers = [await call(server, "POST", GUEST, {"seller_id": "omar"}) for _ in range(21)]
    assert [answer.status for answer in answers] == [201] * 20 + [429]
    assert answers[-1].refusal == (429, "rate_limited")
    assert 0 < answers[-1].body["error"]["retry_after"] <= 180
    assert answers[-1].session is None


async def test_a_guest_says_whom_they_want(shop):
    for value in ("", "o mar", "x" * 65, 1, None, {"$ne": None}, ["omar"]):
        answer = await call(shop, "POST", GUEST, {"seller_id": value})
        assert answer.refusal == (400, "invalid"), value
        assert answer.body["error"]["field"] == "seller_id"
        assert answer.session is None


# --- Identities -----------------------------------------------------------------------------------


async def test_an_identity_makes_a_verified_buyer(shop):
    answer = await call(shop, "POST", IDENTIFY, {"identity": identity(email="maya@mail.example")})
    assert (answer.status, answer.body.keys()) == (200, {"token", "user"})
    assert answer.body["user"] == {
        "id": "maya",
        "type": "Buyer",
        "name": "Maya",
        "verified": True,
    }
    assert answer.session == answer.body["token"]
    assert "mail.example" not in str(answer.body)
    await write(shop, answer.body["token"])
    assert await texts(shop, answer.session) == [("maya", "Hello")]


async def test_a_bad_identity_makes_nobody(shop):
    now = int(time.time())
    token = shop.token("Buyer", "maya")
    for bad in (
        *("", "maya", "a.b.c", token, identity("x" * 40)),
        identity(shop.shop.settings.secret),
        identity("x" * 64, "HS512"),
        jwt.encode({"sub": "maya", "name": "Maya", "exp": now + 60}, None, algorithm="none"),
        identity(exp=None),
        identity(exp=now, iat=now - 60),
        identity(exp=now + 3700),
        identity(iat=now + 300, exp=now + 600),
        identity(sub=None),
        identity(sub="m aya"),
        identity(sub="x" * 65),
        identity(sub="guest-" + "0" * 32),
        identity(type="Seller"),
        identity() + "A",
    ):
        answer = await call(shop, "POST", IDENTIFY, {"identity": bad})
        assert answer.refusal == (401, "unauthorized"), bad
        assert answer.session is None
    for value in (1, None, {"$ne": None}, ["x"]):
        answer = await call(shop, "POST", IDENTIFY, {"identity": value})
        assert answer.refusal == (400, "invalid")
        assert answer.body["error"]["field"] == "identity"


# --- A guest turns out to be a buyer --------------------------------------------------------------


async def test_a_guests_conversation_becomes_the_buyers(shop):
    guest = await guest_of(shop)
    first = await write(shop, guest, message="One")
    await write(shop, guest, message="Two")
    maya = await identified(shop, guest)
    assert await texts(shop, maya) == [("maya", "One"), ("maya", "Two")]
    third = await write(shop, maya, message="Three")
    assert (third["seq"], third["conversation_id"]) == (3, first["conversation_id"])
    omar = shop.token("Seller", "omar")
    assert len(await texts(shop, omar, ("maya", "Buyer"))) == 3
    count = (await call(shop, "GET", "/api/messages/unread/count", token=omar)).body
    assert count == {"count": 3, "conversations": {first["conversation_id"]: 3}}
    assert (await call(shop, "GET", LIST, token=guest)).refusal == (401, "unauthorized")


async def test_it_is_appended_where_the_buyer_has_spoken_before(shop):
    omar = shop.token("Seller", "omar")
    await write(shop, await identified(shop), message="Before")
    await write(shop, omar, "maya", "I see", "Buyer")
    guest = await guest_of(shop)
    await write(shop, guest, message="As a guest")
    await write(shop, guest, message="Still a guest")
    maya = await identified(shop, guest)
    said = [text for _, text in await texts(shop, maya)]
    assert said == ["Before", "I see", "As a guest", "Still a guest"]
    assert len((await call(shop, "GET", LIST, token=maya)).body["conversations"]) == 1
    assert len((await call(shop, "GET", LIST, token=omar)).body["conversations"]) == 1
    assert (await write(shop, maya, message="After"))["seq"] == 5


async def test_it_is_done_once(shop):
    guest = await guest_of(shop)
    await write(shop, guest, message="Mine")
    await identified(shop, guest)
    lena = await identified(shop, guest, sub="lena", name="Lena")
    assert await texts(shop, lena) == []
    maya = await identified(shop, guest)
    assert await texts(shop, maya) == [("maya", "Mine")]


async def test_a_bad_guest_token_changes_nothing(shop):
    omar = shop.token("Seller", "omar")
    of_lena = shop.token("Buyer", "lena")
    await write(shop, of_lena, message="Lena's")
    for bad in ("", "x", "a.b.c", of_lena, omar, identity()):
        answer = await call(shop, "POST", IDENTIFY, {"identity": identity(), "guest_token": bad})
        assert (answer.status, answer.body["user"]["id"]) == (200, "maya"), bad
        assert await texts(shop, answer.body["token"]) == []
    assert await texts(shop, of_lena) == [("lena", "Lena's")]
    assert (await call(shop, "GET", LIST, token=omar)).status == 200


async def test_conversations_with_several_sellers_go_along(shop):
    guest = await guest_of(shop)
    await write(shop, guest, message="To Omar")
    await write(shop, guest, "vera", "To Vera")
    maya = await identified(shop, guest)
    assert await texts(shop, maya) == [("maya", "To Omar")]
    assert await texts(shop, maya, ("vera", "Seller")) == [("maya", "To Vera")]


async def test_naming_somebody_opens_nothing_of_theirs(shop):
    await write(shop, shop.token("Buyer", "maya"), message="Private")
    body = {"seller_id": "omar", "user_id": "maya", "id": "maya", "email": "maya@mail.example"}
    guest = await call(shop, "POST", GUEST, body)
    assert guest.body["user"]["id"] != "maya"
    assert await texts(shop, guest.body["token"]) == []
    page = (await call(shop, "GET", LIST, token=guest.body["token"])).body
    assert page == {"conversations": [], "next": None}


# --- Sellers --------------------------------------------------------------------------------------


async def log_in(server, id_="omar", password=PASSWORD):
    return await call(server, "POST", "/login", form={"id": id_, "password": password})


async def test_a_seller_comes_in_with_a_password_and_goes_again(shop):
    answer = await log_in(shop)
    assert answer.status == 303
    session = answer.session
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert (await call(shop, "GET", LIST, cookie=session)).status == 200
    out = await call(shop, "POST", "/logout", cookie=session, form={}, headers={"Origin": shop.url})
    assert out.status == 303
    assert (await call(shop, "GET", LIST, cookie=session)).status == 401
    assert (await call(shop, "GET", LIST, token=session)).status == 401
    assert (await log_in(shop)).session not in (None, session)


async def test_unknown_and_wrong_are_refused_alike(shop):
    wrong = await log_in(shop, password="wrong horse battery")
    assert (wrong.status, wrong.session) == (401, None)
    unknown = await log_in(shop, "nobody")
    assert (unknown.status, unknown.session) == (401, None)
    assert unknown.body.replace("nobody", "omar") == wrong.body
    for id_, password in (("", ""), ("omar", ""), ("omar", "x" * 5_000), ("o mar", PASSWORD)):
        assert (await log_in(shop, id_, password)).status in {400, 401}


async def test_five_failures_lock_an_account_for_a_while_even_without_limits(shop):
    for _ in range(5):
        assert (await log_in(shop, password="wrong horse battery")).status == 401
    answer = await log_in(shop)
    assert (answer.status, answer.session) == (429, None)
    assert 0 < int(answer.headers["Retry-After"]) <= 30 * 60
    assert (await log_in(shop, "vera")).status == 303


async def test_ten_failures_lock_an_address_for_a_while(shop):
    for number in range(10):
        assert (await log_in(shop, f"nobody{number}")).status == 401
    answer = await log_in(shop)
    assert (answer.status, answer.session) == (429, None)
    assert 0 < int(answer.headers["Retry-After"]) <= 3 * 60


async def test_under_https_the_cookie_is_secure(serve):
    server = await serve(public_url="https://chat.shop.example")
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    answer = await call(server, "POST", GUEST, {"seller_id": "omar"})
    assert "secure" in answer.headers["Set-Cookie"].lower()
