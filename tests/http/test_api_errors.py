import asyncio

import pytest

from tests.caller import call
from tests.contract import NOWHERE

SEND, COUNT = "/api/messages/send", "/api/messages/unread/count"
PASSWORD = "correct horse battery"
DEEP = 30_000
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def shop(server):
    """A server that knows the seller Omar."""
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    return server


@pytest.fixture
def maya(shop):
    return shop.token("Buyer", "maya")


def question(message="Hello"):
    return {"recipient_id": "omar", "recipient_type": "Seller", "message": message}


# --- One envelope ---------------------------------------------------------------------------------


async def test_every_refusal_has_the_one_envelope(shop, maya):
    body = question()
    await call(shop, "POST", SEND, body | {"client_id": "c1"}, token=maya)
    conflict = question("Another") | {"client_id": "c1"}
    for status, code, answer in (
        (400, "bad_request", await call(shop, "POST", SEND, raw="{", headers=JSON, token=maya)),
        (400, "invalid", await call(shop, "POST", SEND, question(""), token=maya)),
        (400, "bad_request", await call(shop, "GET", f"{COUNT}?token={maya}")),
        (401, "unauthorized", await call(shop, "GET", COUNT)),
        (401, "unauthorized", await call(shop, "GET", COUNT, token="x")),
        (403, "forbidden", await call(shop, "POST", SEND, body, cookie=maya)),
        (404, "not_found", await call(shop, "GET", f"/api/messages/{NOWHERE}", token=maya)),
        (404, "not_found", await call(shop, "GET", "/api/nothing", token=maya)),
        (404, "not_found", await call(shop, "GET", "/api")),
        (409, "conflict", await call(shop, "POST", SEND, conflict, token=maya)),
        (413, "too_large", await call(shop, "POST", SEND, question("x" * 70_000), token=maya)),
        (415, "unsupported_media_type", await call(shop, "POST", SEND, raw="{}", token=maya)),
    ):
        assert answer.refusal == (status, code)
        assert answer.headers["Content-Type"].startswith("application/json")
        assert ("field" in answer.body["error"]) or code != "invalid"


async def test_a_method_that_a_door_does_not_know_is_refused_in_the_envelope(shop, maya):
    for method, path in (("GET", SEND), ("DELETE", COUNT), ("PATCH", SEND), ("PUT", COUNT)):
        answer = await call(shop, method, path, token=maya)
        assert 400 <= answer.refusal[0] < 500


async def test_a_stranger_learns_nothing_about_what_exists(shop, maya):
    message = (await call(shop, "POST", SEND, question(), token=maya)).body["message"]
    lena = shop.token("Buyer", "lena")
    for path in ("/api/messages/{}", "/api/messages/{}/read"):
        method = "PUT" if path.endswith("read") else "GET"
        for token, status in ((None, 401), ("x", 401), (lena, 404)):
            foreign, missing = [
                await call(shop, method, path.format(id_), token=token)
                for id_ in (message["id"], NOWHERE)
            ]
            assert foreign.status == missing.status == status
            assert foreign.body == missing.body


async def test_what_is_no_id_is_not_found(shop, maya):
    for id_ in ("1", "x" * 24, NOWHERE.upper() + "A", "%00", "..%2f..", NOWHERE + "%0A", "$ne"):
        for method, path in (("GET", f"/api/messages/{id_}"), ("PUT", f"/api/messages/{id_}/read")):
            answer = await call(shop, method, path, token=maya)
            assert answer.refusal == (404, "not_found"), path


async def test_a_fault_of_the_server_is_told_without_its_details(
    shop, maya, monkeypatch, expected_errors
):
    expected_errors("ZeroDivisionError")

    async def fault(*_, **__):
        raise ZeroDivisionError("a detail")

    monkeypatch.setattr(shop.shop.history, "unread_count", fault)
    answer = await call(shop, "GET", COUNT, token=maya)
    assert answer.refusal == (500, "internal")
    assert "detail" not in str(answer.body)


# --- Bodies ---------------------------------------------------------------------------------------


NO_OBJECTS = [
    *(b"", b"{", b"hello", b"[]", b"null", b"1", b'"Hello"', b'[{"message": "Hello"}]'),
    *(b'{"message": NaN}', b'{"message": Infinity}', b"{'message': 'Hello'}"),
    *(b'{"message": "\xff\xfe"}', b"\xef\xbb\xbf\xff"),
    *(b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"x":' * 5_000 + b"1" + b"}" * 5_000),
]
NO_MESSAGES = [
    *(b"{}{}", b'{"message": 1e999}', rb'{"message": "\ud800"}'),
    b'{"message": ' + b"9" * 5_000 + b"}",
]


async def test_a_body_that_is_no_object_of_json_is_a_bad_request(shop, maya):
    for body in NO_OBJECTS:
        answer = await call(shop, "POST", SEND, raw=body, headers=JSON, token=maya)
        assert answer.refusal == (400, "bad_request"), body[:50]


async def test_a_body_that_is_no_message_is_refused(shop, maya):
    for body in NO_MESSAGES:
        answer = await call(shop, "POST", SEND, raw=body, headers=JSON, token=maya)
        assert answer.refusal in {(400, "bad_request"), (400, "invalid")}, body[:50]


async def test_a_body_has_up_to_64_kib(shop, maya):
    for size, refusal in ((64 * 1024, (400, "invalid")), (64 * 1024 + 1, (413, "too_large"))):
        body = b'{"message":""}'.ljust(size)
        answer = await call(shop, "POST", SEND, raw=body, headers=JSON, token=maya)
        assert answer.refusal == refusal
    for path in ("/api/session/guest", "/api/session/identify"):
        answer = await call(shop, "POST", path, raw=b"x" * 70_000, headers=JSON)
        assert answer.refusal == (413, "too_large")


async def test_a_body_that_does_not_say_its_length_has_up_to_64_kib_too(shop, maya):
    host, port = shop.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {SEND} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {maya}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode() + (b"1000\r\n" + b" " * 4096 + b"\r\n") * 20 + b"0\r\n\r\n")
    async with asyncio.timeout(10):
        status = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert status.split()[1] == b"413"


async def test_a_body_must_say_that_it_is_json(shop, maya):
    raw = b'{"recipient_id":"omar","recipient_type":"Seller","message":"Hello"}'
    for kind in (
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("application/jsonp", "text/json", "application/json-patch+json", "", "x" * 100),
    ):
        headers = {"Content-Type": kind} if kind else {}
        answer = await call(shop, "POST", SEND, raw=raw, headers=headers, token=maya)
        assert answer.refusal == (415, "unsupported_media_type"), kind
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        headers = {"Content-Type": kind}
        answer = await call(shop, "POST", SEND, raw=raw, headers=headers, token=maya)
        assert answer.status == 201, kind


# --- Limits ---------------------------------------------------------------------------------------


async def answers(server, count, path=COUNT, **how):
    """Many calls, a few at a time; and the statuses in the order of their ends."""
    found = []

    async def some():
        for _ in range(count // 4):
            found.append(await call(server, "GET", path, **how))  # noqa: PERF401

    await asyncio.gather(*(some() for _ in range(4)))
    return found


async def test_a_participant_has_200_calls_a_minute(serve):
    server = await serve()
    maya, lena = server.token("Buyer", "maya"), server.token("Buyer", "lena")
    found = await answers(server, 300, token=maya)
    refused = [answer for answer in found if answer.status == 429]
    assert {answer.status for answer in found} == {200, 429}
    assert len(found) - len(refused) >= 200  # and some more, while time goes by
    assert {answer.refusal for answer in refused} == {(429, "rate_limited")}
    for answer in refused:
        assert answer.body["error"]["retry_after"] > 0
        assert int(answer.headers["Retry-After"]) >= answer.body["error"]["retry_after"]
    assert (await call(server, "GET", COUNT, token=lena)).status == 200


async def test_an_address_without_token_has_100_calls_a_minute_whatever_it_forwards(serve):
    server = await serve()
    for number in range(120):
        forwarded = {"X-Forwarded-For": f"203.0.113.{number}"}
        last = await call(server, "GET", "/api/nothing", headers=forwarded)
        if last.status == 429:
            break
    assert last.refusal == (429, "rate_limited")
    assert number >= 100
    assert (await call(server, "GET", COUNT, token=server.token("Buyer", "maya"))).status == 200


async def test_behind_a_trusted_proxy_people_are_counted(serve):
    server = await serve(trusted_proxies="127.0.0.1")
    maya, lena = [{"X-Forwarded-For": address} for address in ("203.0.113.7", "203.0.113.8")]
    found = await answers(server, 140, "/api/nothing", headers=maya)
    assert 429 in {answer.status for answer in found}
    assert (await call(server, "GET", "/api/nothing", headers=lena)).status == 404


async def test_health_has_no_limit(serve):
    server = await serve()
    found = await answers(server, 140, "/healthz")
    assert {answer.status for answer in found} == {200}
