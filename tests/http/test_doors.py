"""What holds for every door alike."""

import pytest

from tests.caller import call


@pytest.mark.parametrize("path", ["/healthz", "/login", "/api/sellers/omar%40shop", "/docs"])
async def test_head_answers_like_get_without_the_body(server, path):
    from models.conversation import moment

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
    ],
)
async def test_a_method_that_is_not_offered_names_those_that_are(server, path, allowed):
    token = server.token("Seller", "omar")
    answer = await call(server, "DELETE", path, token=token)
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("id_", ["omar@shop", "omar%40shop"])
async def test_an_id_in_an_address_may_be_encoded(server, id_):
    from models.conversation import moment

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


async def test_a_plain_request_to_the_socket_is_told_so(server):
    answer = await call(server, "GET", "/ws", token=server.token("Buyer", "maya"))
    assert answer.refusal == (400, "bad_request")
