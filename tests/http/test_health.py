import asyncio
import json

import pytest
from tornado.httpclient import AsyncHTTPClient

from models.errors import Unavailable


async def ask(server, path, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await AsyncHTTPClient().fetch(server.url + path, headers=sent, raise_error=False)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_server_that_is_well_says_so_to_anybody(server, path):
    answer = await ask(server, path)
    assert (answer.code, json.loads(answer.body)) == (200, {"status": "ok"})


async def test_without_the_database_it_lives_and_is_not_ready(server):
    async def away():
        raise Unavailable

    server.shop.store.probe = away
    answer = await ask(server, "/readyz")
    assert (answer.code, json.loads(answer.body)["error"]["code"]) == (503, "unavailable")
    assert (await ask(server, "/healthz")).code == 200
    assert b"shopbell_database_up 0.0" in server.shop.metrics.text()


async def test_a_database_that_hangs_is_told_within_a_second_or_so(server):
    asked, go = 0, asyncio.Event()

    async def hang():
        nonlocal asked
        asked += 1
        await go.wait()

    server.shop.store.probe = hang
    async with asyncio.timeout(4):
        answers = await asyncio.gather(*(ask(server, "/readyz") for _ in range(5)))
        assert {answer.code for answer in answers} == {503}
        assert asked == 1
        go.set()
        assert (await ask(server, "/readyz")).code == 200


async def test_many_who_ask_cost_one_write(server):
    real, asked = server.shop.store.probe, 0

    async def counted():
        nonlocal asked
        asked += 1
        await real()

    server.shop.store.probe = counted
    answers = await asyncio.gather(*(ask(server, "/readyz") for _ in range(20)))
    assert {answer.code for answer in answers} == {200}
    assert asked <= 2


async def test_a_full_disk_is_not_ready(server, monkeypatch):
    monkeypatch.setattr("models.readiness.disk_is_low", lambda directory: True)
    server.shop.readiness._directory = server.shop.settings.data_dir
    assert (await ask(server, "/readyz")).code == 503


async def test_metrics_are_for_this_machine(server):
    answer = await ask(server, "/metrics")
    assert answer.code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b"\nshopbell_sockets_open 0.0\n" in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_For": "198.51.100.7"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"Forwarded": "for=198.51.100.7"},
        {"Via": "1.1 proxy"},
    ],
)
async def test_what_a_proxy_on_this_machine_brings_is_not_from_here(server, headers):
    answer = await ask(server, "/metrics", **headers)
    assert (answer.code, json.loads(answer.body)["error"]["code"]) == (401, "unauthorized")


async def test_behind_a_trusted_proxy_the_visitor_counts(serve):
    server = await serve(trusted_proxies="127.0.0.1")
    assert (await ask(server, "/metrics", X_Forwarded_For="198.51.100.7")).code == 401
    assert (await ask(server, "/metrics", X_Forwarded_For="127.0.0.1")).code == 200


async def test_from_elsewhere_metrics_are_for_sellers(server):
    elsewhere = {"X_Forwarded_For": "198.51.100.7"}
    seller, buyer = (f"Bearer {server.token(*who)}" for who in (("Seller", "s"), ("Buyer", "b")))
    assert (await ask(server, "/metrics", Authorization=seller, **elsewhere)).code == 200
    assert (await ask(server, "/metrics", Authorization=buyer, **elsewhere)).code == 403


async def test_metrics_name_nobody(server, open_socket):
    token = server.token("Buyer", "maya", "Maya Example")
    await open_socket(f"{server.url}/ws", headers={"Authorization": f"Bearer {token}"})
    text = (await ask(server, "/metrics")).body
    assert b"\nshopbell_sockets_open 1.0\n" in text
    assert b"maya" not in text.lower()
    assert b"127.0.0.1" not in text
