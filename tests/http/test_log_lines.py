"""What one event leaves in the log: one line, with the name of its request or socket.

O6. That no line holds a text, a token or a mail address is held by tests/refusals.
"""

import asyncio
import logging
import re

import pytest

from models import logs
from tests.caller import call
from tests.sockets.client import Client, spoken


@pytest.fixture
def lines(caplog):
    """The lines so far of a logger, each as its message and what was given extra."""
    caplog.set_level(logging.INFO)

    def lines(name):
        return [record for record in caplog.records if record.name == name]

    return lines


async def becomes(ask):
    """What ends a socket comes a little later."""
    async with asyncio.timeout(10):
        while not (found := ask()):
            await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("path", ["/healthz", "/login", "/no-such-page", "/api/conversations"])
async def test_a_request_is_one_line_that_the_answer_names(server, lines, path):
    """O6. Fails when the header and the line have different ids, or none."""
    answer = await call(server, "GET", path)
    [line] = lines("shopbell.http")
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])
    assert line.request == answer.headers["X-Request-ID"]
    assert (line.getMessage(), line.status) == (f"GET {path}", answer.status)


@pytest.mark.parametrize(
    ("told", "is_taken"), [("f00-1.2_3", True), ("a" * 65, False), ("a b", False), ("", False)]
)
async def test_a_proxy_of_ours_may_name_a_request_and_nobody_else(serve, server, told, is_taken):
    """O6. Fails when any client, or any length, is believed."""
    behind = await serve(trusted_proxies="127.0.0.1")
    headers = {"X-Request-ID": told}
    answer = await call(behind, "GET", "/healthz", headers=headers)
    assert (answer.headers["X-Request-ID"] == told) is is_taken
    answer = await call(server, "GET", "/healthz", headers=headers)
    assert answer.headers["X-Request-ID"] != told


async def test_a_socket_is_a_line_at_its_opening_and_one_at_its_end(server, lines, open_socket):
    """O6. Fails when the close code, or the socket's name, is left out."""
    token = server.token("Buyer", "maya")
    maya = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token)))
    await maya.write("no JSON")
    await maya.error()
    [connection] = server.shop.hub.everybody()
    connection.close(1012, "the server restarts")
    assert await maya.closed() == 1012
    opened, closed = await becomes(lambda: len(found := lines("shopbell.socket")) > 1 and found)
    assert (opened.getMessage(), closed.getMessage(), closed.code) == ("opened", "closed", 1012)
    assert opened.socket == closed.socket
    assert re.fullmatch(r"[0-9a-f]{16}", opened.request)


@pytest.mark.expected_errors("GET /healthz failed")
async def test_a_fault_of_ours_names_its_request(server, lines, monkeypatch):
    """O6. Fails when an error in the log cannot be told from its neighbours'."""
    monkeypatch.setattr("handlers.health.HealthDoor.get", lambda self: 1 / 0)
    answer = await call(server, "GET", "/healthz")
    assert answer.status == 500
    errors = [line for line in lines("shopbell.http") if line.levelno == logging.ERROR]
    assert [line.request for line in errors] == [answer.headers["X-Request-ID"]]


@pytest.mark.expected_errors("a frame failed")
async def test_a_fault_of_ours_in_a_frame_names_its_socket(server, lines, open_socket, monkeypatch):
    """O6. Fails when the error in the log does not say on which socket it was."""
    monkeypatch.setattr("models.chat.Chat.register", lambda *_: 1 / 0)
    token = server.token("Buyer", "maya")
    maya = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token)))
    assert (await maya.refusal("register_user", {}))["code"] == "internal"
    opened, failed = lines("shopbell.socket")
    assert (failed.getMessage(), failed.socket) == ("a frame failed", opened.socket)


async def test_who_speaks_no_http_is_one_line_however_often(server, lines, caplog):
    """O6. Fails when each malformed request is a line."""
    caplog.handler.addFilter(sparing := logs.Sparing())
    try:
        host, port = server.url.removeprefix("http://").split(":")
        for _ in range(20):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"NO HTTP AT ALL\r\n\r\n")
            async with asyncio.timeout(10):
                await reader.read()
            writer.close()
            await writer.wait_closed()
    finally:
        caplog.handler.removeFilter(sparing)
    assert len(lines("tornado.general")) == 1


async def test_a_database_that_is_away_is_one_line_however_often_it_is_tried(
    serve, proxy, engine_uri, lines, caplog, monkeypatch
):
    """O6. Fails when each try to write what is behind is a line: four a second, for a night."""
    monkeypatch.setattr("models.ledger.REST_SECONDS", 0.1)
    server = await serve(uri=proxy.uri(engine_uri))
    caplog.handler.addFilter(sparing := logs.Sparing())
    try:
        proxy.refuse()
        server.shop.ledger._settled_at = None  # as a quarter of a minute later
        async with asyncio.timeout(20):
            while not any(left_out > 2 for _, left_out in sparing._kinds.values()):
                await asyncio.sleep(0.1)
    finally:
        caplog.handler.removeFilter(sparing)
    assert len(lines("shopbell.ledger")) == 1
