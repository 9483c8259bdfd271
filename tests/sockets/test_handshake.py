import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest

from tests.caller import call
from tests.sockets.client import Client, knock, spoken

SECRET = "a secret that every test of a token may know".ljust(64, ".")
IDENTITY_SECRET = "another secret that every test may know"
YEAR = 365 * 24 * 60 * 60
SHOP = "https://shop.example"
WHO = "/api/messages/unread/count"  # a door that asks who it is


@pytest.fixture
async def shop(serve):
    return await serve(
        rate_limits="off",
        secret=SECRET,
        identity_secret=IDENTITY_SECRET,
        allowed_origins=f"{SHOP},https://other.example:8443",
    )


def claims(**changed):
    now = int(time.time())
    said = {"sub": "maya", "type": "Buyer", "name": "Maya", "iat": now, "exp": now + 60}
    return {key: value for key, value in (said | changed).items() if value is not None}


def signed(secret=SECRET, algorithm="HS256", headers=None, **changed):
    return jwt.encode(claims(**changed), secret, algorithm=algorithm, headers=headers)


def forged(header, payload=None, secret=SECRET):
    """A token with any header and payload, signed with HS256 whatever they say."""
    parts = [json.dumps(header), payload or json.dumps(claims())]
    text = b".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in parts)
    signature = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def wrong_tokens():
    """Tokens that introduce nobody, by what is wrong with them."""
    now = int(time.time())
    hs256 = {"alg": "HS256", "typ": "JWT"}
    good = signed()
    unsigned = jwt.encode(claims(), None, algorithm="none")
    return {
        "empty": "",
        "no token": "maya",
        "no JWT": "a.b.c",
        "unsigned": unsigned,
        "unsigned with another's signature": unsigned + good.rpartition(".")[2],
        "no signature": good.rpartition(".")[0] + ".",
        "spelled none": forged({"alg": "nOnE"}),
        "HS384": signed(algorithm="HS384"),
        "HS512": signed(algorithm="HS512"),
        "said to be RS256": forged({"alg": "RS256", "typ": "JWT"}),
        "no algorithm": forged({"typ": "JWT"}),
        "critical": forged(hs256 | {"crit": ["shopbell"], "shopbell": True}),
        "a key of its own": forged(hs256 | {"jwk": {"kty": "oct", "k": "AAAA"}}),
        "a key from elsewhere": forged(hs256 | {"jku": "https://evil.example/keys"}),
        "a certificate from elsewhere": forged(hs256 | {"x5u": "https://evil.example/cert"}),
        "a key by path": forged(hs256 | {"kid": "../../../../dev/null"}),
        "another secret": signed("x" * 40),
        "the secret of identities": signed(IDENTITY_SECRET),
        "an identity": jwt.encode(claims(type=None), IDENTITY_SECRET, algorithm="HS256"),
        "no exp": signed(exp=None),
        "over": signed(exp=now - 1, iat=now - 60),
        "over this second": signed(exp=now, iat=now - 60),
        "more than a year": signed(exp=now + YEAR + 60),
        "endless": forged(hs256, json.dumps(claims() | {"exp": float("inf")})),
        "not a number": forged(hs256, json.dumps(claims() | {"exp": float("nan")})),
        "exp as text": forged(hs256, json.dumps(claims() | {"exp": str(now + 60)})),
        "exp as truth": forged(hs256, json.dumps(claims() | {"exp": True})),
        "huge exp": forged(hs256, json.dumps(claims() | {"exp": 10**30})),
        "from the future": signed(iat=now + 60, exp=now + 120),
        "iat as text": forged(hs256, json.dumps(claims() | {"iat": "now"})),
        "no sub": signed(sub=None),
        "sub as number": forged(hs256, json.dumps(claims() | {"sub": 1})),
        "sub as list": forged(hs256, json.dumps(claims() | {"sub": ["maya"]})),
        "empty sub": signed(sub=""),
        "long sub": signed(sub="x" * 65),
        "spaced sub": signed(sub="m aya"),
        "sub with a line": signed(sub="maya\n"),
        "sub with an operator": forged(hs256, json.dumps(claims() | {"sub": {"$ne": None}})),
        "no type": signed(type=None),
        "wrong type": signed(type="Admin"),
        "small type": signed(type="seller"),
        "type as list": forged(hs256, json.dumps(claims() | {"type": ["Seller"]})),
        "a list": forged(hs256, json.dumps([claims()])),
        "no JSON": forged(hs256, "{"),
        "deep": forged(hs256, "[" * 2_000),
        "over 4 KiB": signed(name="x" * 4_096),
        "bytes behind": good + "A",
        "a part behind": good + ".AAAA",
        "a part before": "AAAA." + good,
        "changed": good[:-5] + ("AAAA" if good[-5:-1] != "AAAA" else "BBBB") + good[-1],
    }


# --- Tokens ---------------------------------------------------------------------------------------


async def test_wrong_tokens_are_all_refused_alike(shop, open_socket):
    stranger = await call(shop, "GET", WHO)
    assert stranger.refusal == (401, "unauthorized")
    for kind, token in wrong_tokens().items():
        answer = await call(shop, "GET", WHO, token=token)
        assert (answer.status, answer.body) == (401, stranger.body), kind
        assert (await call(shop, "GET", WHO, cookie=token)).status == 401, kind
        socket = await knock(open_socket, shop, headers={"Authorization": f"Bearer {token}"})
        assert socket == (401, stranger.body["error"]), kind
    assert await knock(open_socket, shop) == (401, stranger.body["error"])


async def test_good_tokens_are_taken(shop):
    now = int(time.time())
    for kind, token in {
        "plain": signed(),
        "with an id of its own": signed(jti="x" * 32),
        "a clock 20 s ahead": signed(iat=now + 20, exp=now + 60),
        "a year": signed(exp=now + YEAR),
        "any id": signed(sub="A.b_c@d-9" + "x" * 55),
        "a seller": signed(type="Seller"),
        "more claims": signed(role="admin", verified=True),
        "unsaid type of token": forged({"alg": "HS256"}),
    }.items():
        assert (await call(shop, "GET", WHO, token=token)).status == 200, kind


async def test_a_token_is_taken_from_header_then_subprotocol_then_cookie(shop, open_socket):
    tokens = {name: shop.token("Buyer", name) for name in ("maya", "lena", "vera")}
    header = {"Authorization": f"Bearer {tokens['maya']}"}
    protocols = spoken(tokens["lena"])
    cookie = {"Cookie": f"shopbell_session={tokens['vera']}", "Origin": shop.url}
    for headers, subprotocols, name in (
        (header | cookie, protocols, "maya"),
        (header, None, "maya"),
        (header | cookie, ["shopbell.v1"], "maya"),
        (cookie, protocols, "lena"),
        ({}, protocols, "lena"),
        (cookie, None, "vera"),
        (cookie, ["shopbell.v1"], "vera"),
    ):
        socket = await open_socket(f"{shop.url}/ws", headers=headers, subprotocols=subprotocols)
        user = (await Client(socket).ask("register_user"))["user"]
        assert user["id"] == name
        assert socket.selected_subprotocol == ("shopbell.v1" if subprotocols else None)


async def test_a_wrong_token_is_not_made_good_by_the_next(shop, open_socket):
    token = shop.token("Buyer", "maya")
    wrong = {"Authorization": "Bearer wrong"}
    assert (await knock(open_socket, shop, headers=wrong, subprotocols=spoken(token)))[0] == 401
    cookie = {"Cookie": f"shopbell_session={token}", "Origin": shop.url}
    assert (await knock(open_socket, shop, headers=cookie, subprotocols=spoken("x")))[0] == 401


@pytest.mark.parametrize("name", ["token", "access_token", "jwt"])
async def test_a_token_in_an_address_is_400_and_in_no_log(shop, open_socket, caplog, name):
    caplog.set_level("DEBUG")
    token = shop.token("Buyer", "maya")
    for path in ("/ws", WHO, "/api/conversations", "/api/session/guest"):
        method = "POST" if "guest" in path else "GET"
        answer = await call(
            shop, method, f"{path}?{name}={token}", {} if method == "POST" else None
        )
        assert answer.refusal == (400, "bad_request")
    for protocols in ([], spoken(token)):
        path = f"/ws?{name}={token}"
        status, error = await knock(open_socket, shop, path, subprotocols=protocols)
        assert (status, error["code"]) == (400, "bad_request")
    assert token not in caplog.text
    assert token.rpartition(".")[2] not in caplog.text


# --- Origins --------------------------------------------------------------------------------------

FOREIGN = [
    "null",
    "https://evil.example",
    f"{SHOP}.evil.example",
    "https://evilshop.example",
    "https://evil.example/https://shop.example",
    "http://shop.example",
    f"{SHOP}:444",
    f"{SHOP}:8443",
    "https://other.example",
    "https://sub.shop.example",
    "shop.example",
    f"{SHOP}/",
    f"{SHOP},{SHOP}",
    "http://localhost",
    "file://",
    "*",
]


async def test_pages_of_the_shop_may_connect(shop, open_socket):
    protocols = spoken(shop.token("Buyer", "maya"))
    for origin in (shop.url, SHOP, "https://other.example:8443"):
        headers = {"Origin": origin}
        assert await knock(open_socket, shop, headers=headers, subprotocols=protocols) == (101, {})


@pytest.mark.parametrize("detour", [{}, {"Sec-Fetch-Site": "same-origin"}])
async def test_pages_of_others_may_not(shop, open_socket, detour):
    token = shop.token("Buyer", "maya")
    cookie = {"Cookie": f"shopbell_session={token}"}
    for origin in [*FOREIGN, f"{shop.url}.evil.example", shop.url.replace("http", "https")]:
        for introduced, protocols in (
            ({}, spoken(token)),
            ({"Authorization": f"Bearer {token}"}, []),
            (cookie, []),
        ):
            headers = {**introduced, "Origin": origin, **detour}
            status, error = await knock(open_socket, shop, headers=headers, subprotocols=protocols)
            assert (status, error["code"]) == (403, "forbidden"), origin


async def test_the_host_header_makes_no_origin_ones_own(shop, open_socket):
    token = shop.token("Buyer", "maya")
    headers = {"Host": "evil.example", "Origin": "http://evil.example"}
    status, _ = await knock(open_socket, shop, headers=headers, subprotocols=spoken(token))
    assert status == 403


async def test_without_an_origin_a_cookie_is_not_enough(shop, open_socket):
    token = shop.token("Buyer", "maya")
    cookie = {"Cookie": f"shopbell_session={token}"}
    status, error = await knock(open_socket, shop, headers=cookie)
    assert (status, error["code"]) == (403, "forbidden")
    assert (await knock(open_socket, shop, headers={**cookie, "Origin": shop.url}))[0] == 101
    assert (await knock(open_socket, shop, headers=cookie, subprotocols=spoken(token)))[0] == 101


# --- Subprotocols ---------------------------------------------------------------------------------


async def test_the_one_subprotocol_is_chosen_where_it_is_offered(shop, open_socket):
    token = shop.token("Buyer", "maya")
    for offered, chosen in (
        (["shopbell.v1", f"bearer.{token}"], "shopbell.v1"),
        ([f"bearer.{token}", "shopbell.v1"], "shopbell.v1"),
        (["chat", f"bearer.{token}", "shopbell.v1", "shopbell.v2"], "shopbell.v1"),
        ([f"bearer.{token}"], None),
        (["chat", f"bearer.{token}"], None),
    ):
        socket = await open_socket(f"{shop.url}/ws", subprotocols=offered)
        assert socket.selected_subprotocol == chosen


async def test_the_socket_is_no_page(shop):
    answer = await call(shop, "GET", "/ws", token=shop.token("Buyer", "maya"))
    assert 400 <= answer.status < 500
