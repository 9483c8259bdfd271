"""/metrics: each figure that PROMISES section 9 lists is there, and moves when the thing happens.

O2. Each test fails when the line that counts, or measures, is taken away.
"""

import asyncio
import mmap
import os
import re
import time
from socket import SO_RCVBUF, SOL_SOCKET

import pytest
from tornado.httpclient import AsyncHTTPClient

from tests.caller import call
from tests.sockets.client import Client, knock, spoken


async def figures(server):
    """All samples by name, with the labels as they are written."""
    answer = await AsyncHTTPClient().fetch(f"{server.url}/metrics")
    lines = re.findall(r"^(?:shopbell_)?([^#\s]\S*) (\S+)$", answer.body.decode(), re.MULTILINE)
    return {name: float(value) for name, value in lines}


@pytest.fixture
def moved(server):
    """How far figures moved since the last look: ``await moved("resets_total")``."""
    before = {}

    async def moved(*names):
        now = await figures(server)
        steps = [now.get(name, 0) - before.get(name, 0) for name in names]
        before.update(now)
        return steps

    return moved


@pytest.fixture
def join(open_socket):
    async def join(server, type_, id_, **data):
        token = server.token(type_, id_)
        client = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token)))
        client.type, client.id = type_, id_
        client.ack = await client.ask("register_user", data)
        await client.hear("online_users")
        return client

    return join


async def becomes(server, name, value):
    """Waits until a figure is what it should be: what ends a socket comes a little later."""
    async with asyncio.timeout(10):
        while (await figures(server)).get(name) != value:
            await asyncio.sleep(0.02)


async def test_sockets_by_state(server, open_socket, join):
    await open_socket(f"{server.url}/ws", subprotocols=spoken(server.token("Buyer", "lena")))
    maya = await join(server, "Buyer", "maya")
    now = await figures(server)
    assert (now["sockets_open"], now["sockets_registered"]) == (2, 1)
    await maya.leave()
    await becomes(server, "sockets_open", 1)
    await becomes(server, 'sockets_closed_total{code="1006"}', 1)  # a close without a code


async def test_sends_by_outcome_and_how_long_they_took(server, moved, join):
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    names = [f'sends_total{{outcome="{word}"}}' for word in ("acked", "repeated", "refused")]
    seconds = ["send_to_ack_seconds_count", "ack_to_push_seconds_count"]
    await moved(*names, *seconds)
    await maya.send(omar, client_id="c1")
    await omar.hear("new_message")
    acked, repeated, refused, to_ack, to_push = await moved(*names, *seconds)
    assert (acked, repeated, refused, to_ack) == (1, 0, 0, 1)
    assert to_push >= 1
    await maya.send(omar, client_id="c1")
    await maya.refusal("send_message", maya.message_to(omar, "another", client_id="c1"))
    nobody = {"recipient_id": "nobody", "recipient_type": "Seller", "message": "Hello"}
    await maya.refusal("send_message", nobody)
    assert await moved(*names, seconds[0]) == [0, 1, 2, 0]
    data, token = maya.message_to(omar, client_id="c2"), server.token("Buyer", "maya")
    assert (await call(server, "POST", "/api/messages/send", data, token=token)).status == 201
    assert await moved(*names) == [1, 0, 0]
    assert (await figures(server))["send_to_ack_seconds_sum"] > 0
    assert (await figures(server))["ack_to_push_seconds_sum"] > 0


async def test_catch_ups_and_resets(server, moved, join):
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    room = (await omar.send(maya))["conversation_id"]
    names = ["catch_ups_total", "resets_total"]
    await moved(*names)
    await (await join(server, "Buyer", "maya", since={room: 0})).hear("new_message")
    assert await moved(*names) == [1, 0]
    await (await join(server, "Buyer", "maya", since={room: 7})).hear("reset")
    assert await moved(*names) == [0, 1]


async def test_what_waits_for_a_slow_reader_and_that_it_was_closed(server, join):
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    pipe = maya.socket.protocol.stream.socket
    pipe.setsockopt(SOL_SOCKET, SO_RCVBUF, 32 * 1024)
    [connection] = server.shop.hub.registered_of("Buyer:maya")
    waited = number = 0
    while not connection.is_closing:
        number += 1
        assert number < 400
        await omar.send(maya, f"{number} " + "🛎" * 3_900)
        waited = max(waited, (await figures(server))["outbox_bytes"])
    assert waited > 0
    maya.socket.protocol.stream.close()  # who does not read does not answer a close either
    await becomes(server, 'sockets_closed_total{code="1013"}', 1)
    assert (await figures(server))["outbox_bytes"] == 0


@pytest.mark.parametrize(
    ("door", "knocking"),
    [
        ("token", {"headers": {"Authorization": "Bearer wrong"}}),
        ("origin", {"headers": {"Origin": "https://foreign.example"}}),
    ],
)
async def test_who_is_turned_away_at_the_socket(server, moved, open_socket, door, knocking):
    name = f'auth_failures_total{{door="{door}"}}'
    await moved(name)
    token = server.token("Buyer", "maya")
    knocking["headers"] = {"Authorization": f"Bearer {token}"} | knocking["headers"]
    assert (await knock(open_socket, server, **knocking))[0] in {401, 403}
    assert await moved(name) == [1]


async def test_who_is_turned_away_at_the_login(server, moved):
    name, limit = 'auth_failures_total{door="login"}', 'limits_hit_total{rule="logins:account"}'
    await moved(name, limit)
    form = {"id": "omar", "password": "wrong"}
    for _ in range(6):
        await call(server, "POST", "/login", form=form)
    assert await moved(name, limit) == [5, 1]


async def test_limits_hit_by_rule(serve, open_socket):
    server = await serve()
    for _ in range(11):
        status, _ = await knock(
            open_socket, server, subprotocols=spoken(server.token("Buyer", "maya"))
        )
    assert status == 429
    now = await figures(server)
    assert now['limits_hit_total{rule="sockets"}'] == 1
    assert now['errors_total{code="rate_limited"}'] == 1


async def test_the_loop_s_lag(server):
    await asyncio.sleep(0)
    time.sleep(0.8)  # the fault that is to be seen: more than the measure's own pause
    async with asyncio.timeout(10):
        while (await figures(server))["loop_lag_worst_seconds"] < 0.2:
            await asyncio.sleep(0.05)
    assert "loop_lag_seconds" in await figures(server)


async def test_the_database_s_seconds(server, moved, join):
    names = [f'database_seconds_count{{work="{work}"}}' for work in ("round", "probe")]
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    await moved(*names)
    await maya.send(omar)
    server.shop.readiness._begun_at = 0.0  # the last probe is old by now
    await call(server, "GET", "/readyz")
    rounds, probes = await moved(*names)
    assert rounds >= 1
    assert probes >= 1  # whoever reads the figures asks as well


async def test_the_breaker_s_state(serve, proxy, engine_uri):
    server = await serve(uri=proxy.uri(engine_uri))
    now = await figures(server)
    assert (now["breaker_open"], now["breaker_openings"], now["database_waiting"]) == (0, 0, 0)
    breaker = server.shop.store.breaker
    breaker._open()  # three calls of five seconds each would do the same
    proxy.hold()
    now = await figures(server)
    assert (now["breaker_open"], now["breaker_openings"]) == (1, 1)
    answer = await call(server, "GET", "/readyz")
    assert answer.status == 503
    assert answer.body["checks"]["breaker"] != "ok"
    proxy.heal()
    await becomes(server, "breaker_open", 0)


async def test_tasks_descriptors_memory_and_the_build(server, moved):
    names = ["tasks", "process_open_fds", "process_resident_memory_bytes"]
    assert min(await moved(*names)) > 0
    sleeping = asyncio.create_task(asyncio.sleep(60))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(50)]
    ballast = mmap.mmap(-1, 30_000_000)  # not of what was used before and is free
    ballast.write(b"\1" * len(ballast))
    tasks, descriptors, memory = await moved(*names)
    for descriptor in held:
        os.close(descriptor)
    sleeping.cancel()
    assert tasks >= 1
    assert descriptors >= 45
    assert memory > len(ballast) / 2
    ballast.close()
    assert [name for name in await figures(server) if name.startswith("build_info{version=")]


async def test_no_label_carries_an_id(server, join):
    """O2. Fails when anything is counted by person, conversation or address."""
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    stored = await maya.send(omar, "A text of Maya's", client_id="c-1")
    await call(server, "GET", f"/api/messages/{stored['id']}", token="nobody's")
    told = " ".join(await figures(server)).lower()
    ids = ["maya", "omar", "127.0.0.1", "c-1", stored["id"], stored["conversation_id"], "text"]
    assert [id_ for id_ in ids if id_ in told] == []
    words = {"code", "door", "le", "outcome", "rule", "version", "work"}
    assert set(re.findall(r'(\w+)="', told)) <= words
