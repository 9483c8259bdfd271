"""What holds for every door alike."""

import asyncio
import time
from urllib.parse import urlsplit

import pytest

from models.conversation import moment
from models.tokens import Tokens
from tests.caller import call


@pytest.mark.parametrize("path", ["/healthz", "/login", "/api/sellers/omar%40shop", "/docs"])
async def test_head_answers_like_get_without_the_body(server, path):
    await server.shop.store.introduce("Seller:omar@shop", "Omar", moment(0))
    got, headed = await call(server, "GET", path), await call(server, "HEAD", path)
    assert (got.status, headed.status) == (200, 200)
    assert headed.headers["Content-Type"] == got.headers["Content-Type"]
    assert not headed.body


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/messages/send", {"POST", "OPTIONS"}),
        ("/api/conversations", {"GET", "HEAD", "OPTIONS"}),
        ("/logout", {"POST"}),
        ("/widget.js", {"GET", "HEAD"}),
        ("/look/omar.css", {"GET", "HEAD"}),
        ("/static/js/realtime.js", {"GET", "HEAD"}),
    ],
)
async def test_a_method_that_is_not_offered_names_those_that_are(server, path, allowed):
    token = server.token("Seller", "omar")
    answer = await call(server, "DELETE", path, token=token)
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("id_", ["omar@shop", "omar%40shop"])
async def test_an_id_in_an_address_may_be_encoded(server, id_):
    await server.shop.store.introduce("Seller:omar@shop", "Omar", moment(0))
    answer = await call(server, "GET", f"/api/sellers/{id_}")
    assert answer.body["seller"]["id"] == "omar@shop"


@pytest.mark.parametrize("id_", ["..%2f..%2fomar", "%00", "a%20b", "{$ne:1}", "x" * 65])
async def test_an_id_that_is_none_is_nobody(server, id_):
    answer = await call(server, "GET", f"/api/sellers/{id_}")
    assert answer.refusal == (404, "not_found")
    token = server.token("Buyer", "maya")
    answer = await call(server, "GET", f"/api/messages/conversation/{id_}/Seller", token=token)
    assert answer.refusal == (400, "invalid")


async def raw(server, request):
    """All that comes back for the bytes of a request, until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
    writer.write(request.encode("latin1"))
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer.decode("latin1")


# The last two are digits to Python: an Arabic one in UTF-8, and a raised one in Latin 1.
NO_LENGTHS = ["", "abc", "-1", "+5", "1_0", "0x5", "5, 5", "Ù¡", "²"]


IN_THE_API, ON_A_PAGE = "Content-Length is a number of bytes.", "The request is not one that"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/api/messages/send", IN_THE_API),
        ("/ws", IN_THE_API),
        ("/chat/omar", ON_A_PAGE),
        ("/nothing", ON_A_PAGE),
    ],
)
async def test_a_length_that_is_none_is_refused_and_nothing_behind_it_is_read(server, path, reason):
    behind = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for length in NO_LENGTHS:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        answer = await raw(server, head + behind)
        assert answer.startswith("HTTP/1.1 400 Bad Request\r\n"), length
        assert answer.count("HTTP/1.1 ") == 1, length
        assert reason in answer, length


async def test_a_length_beyond_all_numbers_is_too_large(server):
    for length in ["65537", "9" * 30, "9" * 9000]:
        head = f"POST /api/messages/send HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        assert (await raw(server, head)).startswith("HTTP/1.1 413 ")


async def test_a_plain_request_to_the_socket_is_told_so(server):
    answer = await call(server, "GET", "/ws", token=server.token("Buyer", "maya"))
    assert answer.refusal == (400, "bad_request")


async def test_a_secret_in_an_address_is_refused_everywhere(server, caplog):
    caplog.set_level("INFO")
    paths = ["/api/conversations", "/login", "/static/js/realtime.js", "/widget.js", "/ws"]
    for path in paths:
        for name in ["token", "Token", "ACCESS_TOKEN", "identity"]:
            answer = await call(server, "GET", f"{path}?{name}=very-secret")
            assert answer.status == 400, (path, name)
    assert "very-secret" not in caplog.text


async def test_a_preflight_with_a_secret_is_refused(server):
    answer = await call(server, "OPTIONS", "/api/conversations?token=very-secret")
    assert answer.refusal == (400, "bad_request")


async def test_guessing_tokens_is_as_slow_as_asking_without_one(serve):
    server = await serve(rate_limits="on")
    asked = 0
    answer = None
    while asked < 400 and (answer is None or answer.status == 401):  # a slow machine gets some back
        answer = await call(server, "GET", "/api/conversations", token="a.bad.token")
        asked += 1
    assert asked > 100
    assert answer.refusal == (429, "rate_limited")


async def test_a_proxy_that_tells_another_scheme_is_reported_once(serve, caplog):
    server = await serve(rate_limits="off", trusted_proxies="127.0.0.1")
    for _ in range(2):
        await call(server, "GET", "/healthz", headers={"X-Forwarded-Proto": "https"})
    assert caplog.text.count("browsers come over https") == 1


async def test_a_stranger_tells_no_scheme(serve, caplog):
    server = await serve(rate_limits="off")
    await call(server, "GET", "/healthz", headers={"X-Forwarded-Proto": "https"})
    assert "browsers come over" not in caplog.text


async def test_a_guest_who_comes_back_in_time_is_never_forgotten(server):
    await server.shop.store.introduce("Seller:omar", "Omar", moment(0))
    settings = server.shop.settings
    earlier = Tokens(
        settings.secret, settings.identity_secret, now=lambda: time.time() - 40 * 86400
    )
    old, who = earlier.issue_guest()
    cookie = f"shopbell_session={old}"
    answer = await call(server, "GET", "/chat/omar", headers={"Cookie": cookie})
    fresh = answer.headers["Set-Cookie"].partition(";")[0].removeprefix("shopbell_session=")
    renewed = server.shop.tokens.read(fresh)
    assert renewed.key == who.key
    assert renewed.expires_at > who.expires_at
    again = {"Cookie": f"shopbell_session={fresh}"}
    assert "Set-Cookie" not in (await call(server, "GET", "/chat/omar", headers=again)).headers
