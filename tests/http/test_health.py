"""How the server says how it is: PROMISES section 9, "/healthz" and "/readyz"."""

import asyncio
import dataclasses
import json

import pytest
from tornado.httpclient import AsyncHTTPClient

from handlers.health import CHECKED
from models import store_schema
from tests.http.test_check import without_journal


async def ask(server, path, **headers):
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await AsyncHTTPClient().fetch(server.url + path, headers=sent, raise_error=False)


async def failing(server):
    """The parts that /readyz says are not well, each with its sentence."""
    answer = await ask(server, "/readyz")
    body = json.loads(answer.body)
    assert answer.code == (503 if "error" in body else 200)
    assert tuple(body["checks"]) == CHECKED
    found = {part: told for part, told in body["checks"].items() if told != "ok"}
    if found:
        message = " ".join(found.values())
        assert body["error"] == {"code": "unavailable", "message": message}
        assert body["status"] == "unavailable"
    return found


async def test_a_server_that_is_well_says_so_to_anybody(server):
    answer = await ask(server, "/healthz")
    assert (answer.code, json.loads(answer.body)["status"]) == (200, "ok")
    answer = await ask(server, "/readyz")
    checks = dict.fromkeys(CHECKED, "ok")
    assert (answer.code, json.loads(answer.body)) == (200, {"status": "ok", "checks": checks})


async def test_without_the_database_it_lives_and_is_not_ready(serve, proxy, engine_uri):
    """O1. Fails when /readyz asks nothing of the database, or /healthz does."""
    server = await serve(uri=proxy.uri(engine_uri))
    proxy.refuse()
    assert (await failing(server)).keys() == {"database"}
    assert (await ask(server, "/healthz")).code == 200
    metrics = (await ask(server, "/metrics")).body.decode()
    assert "\nshopbell_database_up 0.0\n" in metrics
    settings = server.shop.settings
    secrets = {settings.secret, settings.identity_secret, engine_uri, settings.mongodb_uri}
    told = (await ask(server, "/readyz")).body.decode() + metrics
    assert not [secret for secret in secrets - {None} if secret in told]
    proxy.heal()
    async with asyncio.timeout(10):
        while await failing(server):
            await asyncio.sleep(0.1)
    assert b"shopbell_database_up 1.0" in server.shop.metrics.text()


async def test_who_reads_metrics_alone_sees_the_database_go_and_come(serve, proxy, engine_uri):
    """O2. Fails when only /readyz asks the database."""
    server = await serve(uri=proxy.uri(engine_uri))

    async def becomes(value):
        async with asyncio.timeout(10):
            while (
                f"shopbell_database_up {value}".encode() not in (await ask(server, "/metrics")).body
            ):
                await asyncio.sleep(0.1)

    await becomes("1.0")
    proxy.refuse()
    await becomes("0.0")
    proxy.heal()
    await becomes("1.0")


async def test_a_database_that_writes_no_journal_is_not_ready(serve, proxy, engine_uri):
    """O1. Fails when /readyz only reads."""
    server = await serve(uri=proxy.uri(engine_uri))
    proxy.filter("down", without_journal)
    proxy.reset()
    assert (await failing(server)).keys() == {"database"}
    assert await server.shop.store.schema_version() == store_schema.VERSION  # it can be read


async def test_a_database_that_hangs_is_told_within_a_second(serve, proxy, engine_uri):
    """O1. Fails when the probe has no limit: the driver's own is 5 s."""
    server = await serve(uri=proxy.uri(engine_uri))
    proxy.hold()
    begun = asyncio.get_running_loop().time()
    found = await asyncio.gather(*(failing(server) for _ in range(5)))
    assert asyncio.get_running_loop().time() - begun < 3  # one, and what a busy machine adds
    assert all(told == {"database": "The database did not answer within 1 s."} for told in found)
    assert (await ask(server, "/healthz")).code == 200
    proxy.heal()
    async with asyncio.timeout(10):
        while await failing(server):
            await asyncio.sleep(0.1)


async def test_many_who_ask_cost_one_write(server):
    """O1. Fails when each who asks has a probe of their own."""
    real, asked = server.shop.store.probe, 0

    async def counted():
        nonlocal asked
        asked += 1
        await real()

    server.shop.store.probe = counted
    found = await asyncio.gather(*(failing(server) for _ in range(20)))
    assert not any(found)
    assert asked <= 2


async def test_another_schema_is_not_ready(server):
    """O1. Fails when only the start looks at the version."""
    newer = {"$set": {"version": store_schema.VERSION + 1}}
    await server.shop.store._db.meta.update_one({"_id": "schema"}, newer)
    assert (await failing(server)).keys() == {"schema"}


async def test_a_full_disk_is_not_ready(server, monkeypatch):
    """O1. Fails when the free room is not asked for."""
    monkeypatch.setattr("models.disk.FREE_BYTES", 1024**5)  # nobody has so much
    monkeypatch.setattr("models.disk.FREE_SHARE", 1.0)
    server.shop.readiness._directory = server.shop.settings.data_dir
    assert await failing(server) == {"disk": "The disk is nearly full."}


async def test_a_server_that_stops_is_not_ready(server):
    """O1, P14. Fails when the stop is not looked at."""
    settings = server.http.request_callback.settings
    settings["parts"] = dataclasses.replace(settings["parts"], is_ready=lambda: False)
    assert await failing(server) == {"server": "The server is stopping."}
    assert (await ask(server, "/healthz")).code == 200


# --- Metrics ------------------------------------------------------------------------------------


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
