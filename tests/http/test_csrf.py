import pytest

from tests.caller import call

SHOP = "https://shop.example"
PASSWORD = "correct horse battery"
SEND = "/api/messages/send"


@pytest.fixture
async def shop(serve):
    """A server with the seller Omar, whose widget may stand on another origin's pages."""
    server = await serve(rate_limits="off", allowed_origins=SHOP)
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    return server


def question(message="Hello"):
    return {"recipient_id": "omar", "recipient_type": "Seller", "message": message}


async def inbox(server):
    token = server.token("Seller", "omar")
    return (await call(server, "GET", "/api/messages/inbox", token=token)).body["messages"]


def foreign(server):
    """What a browser says, or does not, when another site's page makes it send something."""
    own = server.url
    return [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": SHOP},
        {"Origin": f"{own}.evil.example"},
        {"Origin": own.replace("http", "https")},
        {"Origin": own + "/"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://evil.example", "Host": "evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": own + "/inbox"},
    ]


def own_page(server):
    return [{"Origin": server.url}, {"Sec-Fetch-Site": "same-origin"}]


async def test_the_cookie_sends_for_own_pages_only(shop):
    maya = shop.token("Buyer", "maya")
    for headers in foreign(shop):
        answer = await call(shop, "POST", SEND, question(), cookie=maya, headers=headers)
        assert answer.refusal == (403, "forbidden"), headers
    assert await inbox(shop) == []
    for headers in own_page(shop):
        answer = await call(shop, "POST", SEND, question(), cookie=maya, headers=headers)
        assert answer.status == 201, headers


async def test_the_cookie_reads_messages_for_own_pages_only(shop):
    maya, omar = shop.token("Buyer", "maya"), shop.token("Seller", "omar")
    message = (await call(shop, "POST", SEND, question(), token=maya)).body["message"]
    path = f"/api/messages/{message['id']}/read"
    for headers in foreign(shop):
        answer = await call(shop, "PUT", path, raw=b"", cookie=omar, headers=headers)
        assert answer.refusal == (403, "forbidden"), headers
    assert [m["status"] for m in await inbox(shop)] == ["sent"]
    for headers in own_page(shop):
        answer = await call(shop, "PUT", path, raw=b"", cookie=omar, headers=headers)
        assert answer.status == 200, headers


@pytest.mark.parametrize("path", ["/api/session/guest", "/api/session/identify"])
async def test_the_cookie_changes_sessions_for_own_pages_only(shop, path):
    maya = shop.token("Buyer", "maya")
    body = {"seller_id": "omar", "identity": "x"}
    for headers in foreign(shop):
        answer = await call(shop, "POST", path, body, cookie=maya, headers=headers)
        assert answer.refusal == (403, "forbidden"), headers
        assert answer.session is None
    for headers in own_page(shop):
        answer = await call(shop, "POST", path, body, cookie=maya, headers=headers)
        assert answer.status in {201, 401}


async def test_forms_are_no_detour(shop):
    maya, omar = shop.token("Buyer", "maya"), shop.token("Seller", "omar")
    message = (await call(shop, "POST", SEND, question(), token=maya)).body["message"]
    form = {"message": "Forged", "client_id": "c1", "id": "omar", "password": PASSWORD}
    for path, cookie in (
        ("/chat/omar", maya),
        (f"/inbox/{message['conversation_id']}", omar),
        ("/inbox/settings", omar),
        ("/login", omar),
        ("/logout", omar),
    ):
        for headers in foreign(shop):
            answer = await call(shop, "POST", path, form=form, cookie=cookie, headers=headers)
            assert answer.status == 403, (path, headers)
    assert [m["message"] for m in await inbox(shop)] == ["Hello"]
    assert (await call(shop, "GET", "/api/conversations", cookie=omar)).status == 200


async def test_the_header_needs_no_proof_and_a_cookie_beside_it_does_no_harm(shop):
    maya = shop.token("Buyer", "maya")
    headers = {"Origin": "https://evil.example"}
    for cookie in (None, shop.token("Buyer", "lena"), "x"):
        answer = await call(
            shop, "POST", SEND, question(), token=maya, cookie=cookie, headers=headers
        )
        assert answer.status == 201
        assert answer.body["message"]["sender_id"] == "maya"


async def test_reading_changes_nothing_and_needs_no_proof(shop):
    maya, omar = shop.token("Buyer", "maya"), shop.token("Seller", "omar")
    message = (await call(shop, "POST", SEND, question(), token=maya)).body["message"]
    for path in (
        "/api/messages/inbox",
        f"/api/messages/{message['id']}",
        "/api/messages/conversation/maya/Buyer",
        "/api/conversations",
        f"/inbox/{message['conversation_id']}",
    ):
        assert (await call(shop, "GET", path, cookie=omar)).status == 200
    for path in ("/logout", SEND, f"/api/messages/{message['id']}/read"):
        assert (await call(shop, "GET", path, cookie=omar)).status >= 400
    assert [m["status"] for m in await inbox(shop)] == ["sent"]
    assert (await call(shop, "GET", "/api/conversations", cookie=omar)).status == 200
