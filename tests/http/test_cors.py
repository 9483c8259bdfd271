import pytest

from tests.caller import call
from tests.contract import NOWHERE

SHOP = "https://shop.example"
FOREIGN = ["https://evil.example", f"{SHOP}.evil.example", "http://shop.example", "null", "*"]
SEND, COUNT = "/api/messages/send", "/api/messages/unread/count"


@pytest.fixture
async def shop(serve):
    return await serve(rate_limits="off", allowed_origins=SHOP)


async def test_pages_of_allowed_origins_may_call_with_a_token_and_without_credentials(shop):
    token = shop.token("Buyer", "maya")
    for answer in (
        await call(shop, "GET", COUNT, token=token, headers={"Origin": SHOP}),
        await call(shop, "GET", "/api/conversations", token=token, headers={"Origin": SHOP}),
    ):
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_they_may_read_refusals_and_when_to_come_back(shop, serve):
    origin = {"Origin": SHOP}
    token = shop.token("Buyer", "maya")
    strict = await serve(allowed_origins=SHOP)
    lena = strict.token("Buyer", "lena")
    body = {"recipient_id": "nobody", "recipient_type": "Seller", "message": "Hello"}
    for _ in range(60):  # a slow machine is given some back meanwhile
        limited = await call(strict, "POST", SEND, body, token=lena, headers=origin)
        if limited.status == 429:
            break
    assert limited.status == 429
    for answer in (
        limited,
        await call(shop, "GET", COUNT, headers=origin),
        await call(shop, "GET", f"/api/messages/{NOWHERE}", token=token, headers=origin),
        await call(shop, "POST", SEND, {}, token=token, headers=origin),
        await call(shop, "POST", SEND, raw="{}", token=token, headers=origin),
        await call(shop, "GET", "/api/nothing", headers=origin),
    ):
        assert answer.status >= 400
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert "retry-after" in answer.headers["Access-Control-Expose-Headers"].lower()


async def test_a_browser_may_ask_before_it_calls(shop):
    for method, path in (
        ("POST", SEND),
        ("GET", "/api/conversations"),
        ("PUT", f"/api/messages/{NOWHERE}/read"),
        ("POST", "/api/session/guest"),
        ("POST", "/api/session/identify"),
    ):
        asked = {
            "Origin": SHOP,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        answer = await call(shop, "OPTIONS", path, headers=asked)
        assert answer.status in {200, 204}
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert method in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert "authorization" in allowed
        assert "content-type" in allowed
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_pages_of_others_may_not(shop, method):
    token = shop.token("Buyer", "maya")
    for origin in FOREIGN:
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = await call(shop, method, COUNT, token=token, headers=headers)
        assert "Access-Control-Allow-Origin" not in answer.headers, origin
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_what_the_cookie_opens_no_other_page_may_read(shop):
    token = shop.token("Buyer", "maya")
    headers = {"Origin": SHOP}
    answer = await call(shop, "GET", COUNT, cookie=token, headers=headers)
    assert "Access-Control-Allow-Credentials" not in answer.headers  # so a browser hides it
    for path in ("/login", f"/inbox/{NOWHERE}"):
        page = await call(shop, "GET", path, cookie=token, headers=headers)
        assert "Access-Control-Allow-Origin" not in page.headers


async def test_where_nobody_is_allowed_nobody_may(serve):
    server = await serve(rate_limits="off")
    for origin in (SHOP, "null", "*", ""):
        headers = {"Origin": origin}
        answer = await call(server, "GET", "/api/sellers/omar", headers=headers)
        assert "Access-Control-Allow-Origin" not in answer.headers
