"""P14: a planned stop loses nothing and ends in time, whatever hangs."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient

from handlers import stopping
from handlers.gate import Gate
from tests.caller import call
from tests.chaos.checker import faults
from tests.chaos.history import told
from tests.chaos.killing import WRITERS, restart_loop
from tests.chaos.processes import running
from tests.sockets.client import Client, spoken

RESTARTS = 2
STOP_SECONDS = 10.0  # CONTRACT section 1

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the database's process in /proc"),
]


@pytest.fixture
def seed():
    return int(os.environ.get("SHOPBELL_TEST_SEED") or random.randrange(2**32))


@pytest.fixture
def far(tmp_path, proxy, engine_uri, database_name):
    """How a server of its own process is started whose way to the database is the proxy."""
    uri = f"--mongodb-uri={proxy.uri(engine_uri)}"
    return tmp_path / "data", uri, f"--database={database_name}", "--rate-limits=off"


def parts_of(server):
    return server.http.request_callback.settings["parts"]


async def joined(open_socket, server, type_, id_):
    token = server.token(type_, id_)
    client = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token)), type_, id_)
    client.ack = await client.ask("register_user")
    return client


@pytest.mark.gen_test(timeout=120)
async def test_restarts_under_load_lose_double_and_refuse_nothing_for_good(tmp_path, seed):
    """P14; ``python -m tests.chaos`` does it 24 times, every five seconds.

    Fails when the process just ends at SIGTERM, as every stop has to end with status 0, and when a
    message is told of before it is stored.
    """
    history = await restart_loop(tmp_path / "data", restarts=RESTARTS, seconds=1.0)
    assert not faults(history), told(faults(history), seed)
    acked = {line.who for line in history if line.op == "send" and line.state == "ok"}
    assert len(acked) == len(WRITERS), told([], seed)
    assert not [line for line in history if line.op == "send" and line.state == "fail"]


async def visits(server):
    """One after the other, for longer than a signal is not heard."""
    for _ in range(1000):
        await AsyncHTTPClient().fetch(f"{server.url}/healthz")


@pytest.mark.gen_test(timeout=60)
async def test_what_was_accepted_is_answered_before_the_sockets_go(far, proxy, open_socket):
    """P14, step by step: not ready, no new visitors, new messages refused, those accepted before
    stored and acknowledged, then 1012, then status 0.

    Fails when the listeners stay open, when the journal takes new messages, and when the sockets
    are closed before it is drained.
    """
    async with running(*far) as server:
        omar = await joined(open_socket, server, "Seller", "omar")
        maya = await joined(open_socket, server, "Buyer", "maya")
        await maya.send(omar, "Hello")
        proxy.hold("up")
        accepted = await maya.start("send_message", maya.message_to(omar, "One"))
        await maya.refusal("are_you_there")  # the message was taken in by now
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2]))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"}"), 10)
        server.signal(signal.SIGTERM, "server")
        with pytest.raises(OSError, match="refused|reset"):
            await visits(server)
        refused = await maya.refusal("send_message", maya.message_to(omar, "Two"))
        assert refused["code"] == "unavailable"
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b" 503 " in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        proxy.heal()
        assert (await maya.answer(accepted))["message"]["message"] == "One"
        heard = [(await omar.hear("new_message"))["message"] for _ in range(2)]
        assert heard == ["Hello", "One"]
        assert [await client.closed() for client in (maya, omar)] == [1012, 1012]
        assert await server.ended() == 0


@pytest.mark.gen_test(timeout=60)
async def test_a_stop_beside_a_hung_database_ends_in_time_with_status_0(tmp_path, open_socket):
    """P14: nothing of the database's may hold the stop up, and nothing is acknowledged that is not
    stored. Fails when the stop waits for the journal without an end."""
    async with running(tmp_path / "data") as server:
        omar = await joined(open_socket, server, "Seller", "omar")
        maya = await joined(open_socket, server, "Buyer", "maya")
        first = await maya.send(omar, "One", client_id="c1")
        server.signal(signal.SIGSTOP, "engine")
        engine = server.engine_pids
        pending = await maya.start("send_message", maya.message_to(omar, "Two", client_id="c2"))
        await maya.refusal("are_you_there")
        begun = time.monotonic()
        assert await server.stop() == 0
        took = time.monotonic() - begun
        answer = await maya.hear_answer(pending)
        assert answer["event"] == "error", (answer, took, server.log.read_text())
        assert answer["data"]["code"] == "unavailable"
        assert took < STOP_SECONDS
        assert not any(Path(f"/proc/{pid}").exists() for pid in engine)
        await server.start()
        data = maya.message_to(omar, "Two", client_id="c2")
        sent = await call(
            server, "POST", "/api/messages/send", data, token=server.token("Buyer", "maya")
        )
        assert sent.body["message"]["seq"] == first["seq"] + 1


@pytest.mark.gen_test(timeout=60)
async def test_a_stop_beside_a_silent_database_elsewhere_ends_in_time(far, proxy, open_socket):
    """P14, with a database that is no child of ours and stays silent. Fails when a step of the stop
    has no limit; that of the driver's goodbye is held by ``store/test_store.py``."""
    async with running(*far) as server:
        omar = await joined(open_socket, server, "Seller", "omar")
        proxy.swallow()
        begun = time.monotonic()
        assert await server.stop() == 0
        assert time.monotonic() - begun < STOP_SECONDS
        assert await omar.closed() == 1012


async def test_many_sockets_are_closed_spread_over_time(server, open_socket, monkeypatch):
    """P14: jittered, so that not all come back in one moment. Fails when all are closed at once."""
    monkeypatch.setattr(stopping, "SPREAD_SOCKETS", 60)
    token = server.token("Seller", "omar")
    sockets = [
        Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token))) for _ in range(30)
    ]
    loop = asyncio.get_running_loop()

    async def closed_at(client):
        assert await client.closed() == 1012
        return loop.time()

    watching = asyncio.gather(*map(closed_at, sockets))
    await stopping.stop_politely(Gate(server.http, []), server.http, parts_of(server))
    times = sorted(await watching)
    assert times[-1] - times[0] > 0.2  # of half a second
    assert len({round(at, 2) for at in times}) > 5
    assert server.shop.hub.count == 0


async def test_what_was_accepted_over_http_is_answered_too(server, monkeypatch):
    """P14 over HTTP: the message is stored and its answer under way when the stop comes to the
    connections. Fails when they are closed at once."""
    shop = server.shop
    await shop.store.introduce("Seller:omar", "Omar", datetime.now(UTC))
    stored, introduce = asyncio.Event(), shop.store.introduce

    async def slowly(*arguments):
        stored.set()
        await asyncio.sleep(0.2)
        await introduce(*arguments)

    monkeypatch.setattr(shop.store, "introduce", slowly)
    data = {"recipient_id": "omar", "recipient_type": "Seller", "message": "Hello"}
    token = server.token("Buyer", "maya")
    sending = asyncio.ensure_future(call(server, "POST", "/api/messages/send", data, token=token))
    await asyncio.wait_for(stored.wait(), 10)
    await stopping.stop_politely(Gate(server.http, []), server.http, parts_of(server))
    assert (await sending).status == 201


async def test_nobody_gets_a_socket_while_it_stops(serve, open_socket):
    """P14: not on a connection from before either. Fails when the handshake does not ask."""
    server = await serve()
    object.__setattr__(parts_of(server), "is_ready", lambda: False)
    token = server.token("Buyer", "maya")
    answer = await AsyncHTTPClient().fetch(
        f"{server.url}/ws",
        headers={
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Authorization": f"Bearer {token}",
        },
        raise_error=False,
    )
    assert (answer.code, json.loads(answer.body)["error"]["code"]) == (503, "unavailable")
