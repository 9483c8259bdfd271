"""The way between the server and its database is cut, silent, refused; the database hangs, dies and
comes back."""

import asyncio
import re
import signal
import sys
import time
from datetime import UTC, datetime

import pytest
from tornado.httpclient import AsyncHTTPClient

from models.store import Store, new_id
from tests.caller import call
from tests.chaos.lag import lag_watched
from tests.chaos.processes import running
from tests.chaos.proxy import Proxy
from tests.sockets.client import Client, spoken

pytestmark = pytest.mark.chaos

LINES = 8  # servers at a time
POOL_SIZE = 20  # connections, and calls at a time at most
REPLY_BYTES = 170  # of the database to an insert
BACK_SECONDS = 5.0  # P15
BUSY_SECONDS = 2.0  # what a busy machine adds
ABANDONED = 200  # calls that nobody waits for any more
OMAR = {"recipient_id": "omar", "recipient_type": "Seller"}


@pytest.fixture
async def proxies():
    """Networks that are healed and stopped when the servers behind them have gone."""
    proxies = []
    yield proxies
    for proxy in proxies:
        proxy.heal()
        await proxy.stop()


@pytest.fixture
async def serve_behind(proxies, serve, engine_uri):
    """A server and the network before its database, of its own: ``await serve_behind()``."""

    async def start():
        proxy = Proxy.before(engine_uri)
        await proxy.start()
        proxies.append(proxy)
        return await serve(proxy.uri(engine_uri), rate_limits="off"), proxy

    return start


async def joined(open_socket, server, type_, id_):
    token = server.token(type_, id_)
    client = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token)), type_, id_)
    client.ack = await client.ask("register_user")
    return client


def at_the_next_insert(proxy, act):
    """Acts when the next messages are on their way to the database, once."""

    def watch(direction, chunk):
        if direction == "up" and b"insert" in chunk and b"messages" in chunk:
            proxy.on_bytes = lambda direction, chunk: None
            act()

    proxy.on_bytes = watch


# --- Nothing is acknowledged that is not stored -------------------------------------------------


@pytest.mark.gen_test(timeout=120)
async def test_a_reply_cut_at_any_byte_makes_no_false_ack_and_no_double(
    serve_behind, engine_uri, database_name, monkeypatch
):
    """P2, P3: behind each byte of the database's answer to an insert the connection is reset.

    Fails when a message is not looked for by its ``client_id`` before it is numbered again.
    """
    # After each cut a driver looks again after this time, which is half a second else.
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.02)
    truth = Store(engine_uri, database_name)
    outcomes = []

    async def line(number):
        server, proxy = await serve_behind()
        buyer = f"maya{number}"
        token = server.token("Buyer", buyer)
        places = range(number, REPLY_BYTES, LINES)
        for place in places:
            data = {**OMAR, "message": f"behind {place}", "client_id": f"c{place}"}
            at_the_next_insert(proxy, lambda place=place: proxy.cut_after(place, "down"))
            answer = await call(server, "POST", "/api/messages/send", data, token=token)
            outcomes.append(answer.status)
            is_stored = await truth.messages_sent_as([(f"Buyer:{buyer}", f"c{place}")])
            assert is_stored if answer.status in {200, 201} else answer.status == 503
            while answer.status == 503:
                answer = await call(server, "POST", "/api/messages/send", data, token=token)
        path = f"/api/messages/conversation/{buyer}/Buyer?limit=100&after=0"
        omar = server.token("Seller", "omar")
        stored = (await call(server, "GET", path, token=omar)).body["messages"]
        assert [message["seq"] for message in stored] == list(range(1, len(places) + 1))
        assert [message["client_id"] for message in stored] == [f"c{place}" for place in places]

    try:
        await _introduce_omar(truth)
        await asyncio.gather(*(line(number) for number in range(LINES)))
    finally:
        truth.close()
    assert outcomes.count(201) < REPLY_BYTES / 4, "the cuts did not hit"


# --- It goes away and comes back ----------------------------------------------------------------


@pytest.mark.parametrize("fault", ["refused", "silent"])
@pytest.mark.gen_test(timeout=90)
async def test_without_its_database_a_server_says_so_soon_and_is_back_soon(
    serve_behind, open_socket, fault
):
    """P15, for a database that refuses and for one that accepts and is silent: a send is
    ``unavailable`` in 5 s and, once the breaker is open, at once; pages say so; the loop goes on;
    and 5 s after the database is back so is the service, though many calls were abandoned. P2, P3:
    of the silent one the message is stored and the answer lost; its retry has no second effect.

    Fails when the breaker never opens, when it does not ask by itself, when calls are not bounded
    before the driver (then they queue in its threads, 5 s each), and when the journal acknowledges
    what it does not know to be stored, or does not look for what it is sent again.
    """
    server, proxy = await serve_behind()
    omar = await joined(open_socket, server, "Seller", "omar")
    maya = await joined(open_socket, server, "Buyer", "maya")
    await maya.send(omar, "One")
    data = maya.message_to(omar, "Two", client_id="c2")
    async with lag_watched() as lag:
        is_refused = fault == "refused"  # before the message is there, else after it
        at_the_next_insert(proxy, proxy.refuse if is_refused else lambda: proxy.swallow("down"))
        begun = time.monotonic()
        sent = asyncio.ensure_future(_tried(maya, data))
        await asyncio.sleep(0.2)  # the message goes first
        abandoned = [
            asyncio.ensure_future(server.shop.store.message(new_id())) for _ in range(ABANDONED)
        ]
        assert await sent is None
        assert time.monotonic() - begun < 5 + BUSY_SECONDS
        async with asyncio.timeout(15):
            while not server.shop.store.breaker.is_open:
                await asyncio.sleep(0.02)
        begun = time.monotonic()
        assert await _tried(maya, data) is None
        assert time.monotonic() - begun < BUSY_SECONDS  # at once
        async with asyncio.timeout(BUSY_SECONDS):  # who waits for a thread is told, too
            while sum(not task.done() for task in abandoned) > POOL_SIZE:
                await asyncio.sleep(0.02)
        page = await AsyncHTTPClient().fetch(
            f"{server.url}/chat/omar",
            headers={"Cookie": f"shopbell_session={server.token('Buyer', 'maya')}"},
            raise_error=False,
        )
        assert (page.code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
        assert "does not answer" in page.body.decode()
        proxy.heal()
        begun = time.monotonic()
        ack = await _until_sent(maya, data)
        assert time.monotonic() - begun < BACK_SECONDS + BUSY_SECONDS
        assert (ack["message"]["seq"], ack["duplicate"]) == (2, fault == "silent")
        await asyncio.gather(*abandoned, return_exceptions=True)
    assert lag.is_small, (lag.loop, lag.machine)
    heard = [frame["data"] for frame in await omar.heard_so_far("new_message")]
    assert [(message["seq"], message["message"]) for message in heard] == [(1, "One"), (2, "Two")]


@pytest.mark.skipif(sys.platform != "linux", reason="finds the database's process in /proc")
@pytest.mark.gen_test(timeout=90)
async def test_an_engine_that_pauses_or_dies_costs_nothing_but_time(tmp_path, open_socket):
    """P15, P1: SIGSTOP and SIGCONT, then SIGKILL; the server is never started anew, and its loop
    never waits. That one which hangs for good is replaced, ``store/test_engine.py`` holds.

    Fails when nobody watches the engine, and when the one who does waits for it on the loop.
    """
    async with running(tmp_path / "data") as server, lag_watched() as lag:
        omar = await joined(open_socket, server, "Seller", "omar")
        maya = await joined(open_socket, server, "Buyer", "maya")
        await maya.send(omar, "1")
        worst = await _worst_lag(server)

        server.signal(signal.SIGSTOP, "engine")
        pending = await maya.start("send_message", maya.message_to(omar, "2", client_id="c2"))
        await asyncio.sleep(3)  # the supervisor asks every two
        server.signal(signal.SIGCONT, "engine")
        assert (await maya.answer(pending))["duplicate"] is False

        engine = server.engine_pids
        server.signal(signal.SIGKILL, "engine")
        async with asyncio.timeout(40):
            while server.engine_pids in ([], engine):
                await asyncio.sleep(0.02)
        # It takes a second until it listens, on a busy machine six.
        data = maya.message_to(omar, "3", client_id="c3")
        await asyncio.wait_for(_until_sent(maya, data), 6 + BACK_SECONDS)

        assert await _worst_lag(server) < max(worst, 0.1 + lag.machine)
        heard = [frame["data"] for frame in await omar.heard_so_far("new_message")]
        assert [(m["seq"], m["message"]) for m in heard] == [(1, "1"), (2, "2"), (3, "3")]
        assert server.starts == 1


# --- What these tests do ------------------------------------------------------------------------


async def _introduce_omar(store):
    await store.prepare()
    await store.introduce("Seller:omar", "Omar", datetime.now(UTC))


async def _tried(client, data):
    """The ack's data; None if it is unavailable."""
    frame = await client.hear_answer(await client.start("send_message", data))
    if frame["event"] == "ack":
        return frame["data"]
    assert frame["data"]["code"] == "unavailable", frame
    return None


async def _until_sent(client, data):
    """The ack's data of the first try that is not unavailable."""
    while (ack := await _tried(client, data)) is None:
        await asyncio.sleep(0.05)
    return ack


async def _worst_lag(server):
    """What the server itself measured since its start, in seconds."""
    text = (await AsyncHTTPClient().fetch(f"{server.url}/metrics")).body.decode()
    return float(re.search(r"^shopbell_loop_lag_worst_seconds (\S+)$", text, re.MULTILINE)[1])
