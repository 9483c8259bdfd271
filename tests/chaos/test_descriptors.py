"""Few descriptors: who comes waits, who is there goes on."""

import asyncio
import json
import shutil
import sys

import pytest
from tornado.httpclient import AsyncHTTPClient

from tests.chaos.processes import running
from tests.sockets.client import Client, spoken

VISITORS = 120  # twice as many as there are descriptors

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which("prlimit"), reason="needs Linux and util-linux"
    ),
]


@pytest.mark.gen_test(timeout=60)
async def test_without_descriptors_visitors_wait_and_nobody_is_lost(
    tmp_path, engine_uri, database_name, open_socket
):
    """P12's like for descriptors: with 64 of them and 120 visitors, those who are there go on
    talking, also over new connections to the database; the log says it once; and as soon as there
    is room those who waited are served.

    Fails with Tornado's own listener, which takes in all there are, leaves none to the database,
    and fills the log with tracebacks.
    """
    where = [f"--mongodb-uri={engine_uri}", f"--database={database_name}", "--rate-limits=off"]
    async with running(tmp_path / "data", *where, before=["prlimit", "--nofile=64"]) as server:
        port = int(server.url.rpartition(":")[2])
        omar, maya = [
            Client(
                await open_socket(
                    f"{server.url}/ws", subprotocols=spoken(server.token(type_, id_))
                ),
                type_,
                id_,
            )
            for type_, id_ in (("Seller", "omar"), ("Buyer", "maya"))
        ]
        for client in (omar, maya):
            await client.ask("register_user")
        visitors = [await asyncio.open_connection("127.0.0.1", port) for _ in range(VISITORS)]
        for _, writer in visitors:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        served = await _answered(visitors)
        assert 0 < len(served) < VISITORS
        for number in range(20):
            asked = [await client.start("mark_as_read", {}) for client in (omar, maya)]
            await maya.send(omar, f"{number}")
            for client, id_ in zip((omar, maya), asked, strict=True):
                await client.hear_answer(id_)
        for visitor in served:
            visitor[1].close()
        waiting = [visitor for visitor in visitors if visitor not in served]
        async with asyncio.timeout(20):
            while waiting:
                for visitor in (served := await _answered(waiting)):
                    visitor[1].close()
                waiting = [visitor for visitor in waiting if visitor not in served]
        answer = await AsyncHTTPClient().fetch(f"{server.url}/readyz")
        assert json.loads(answer.body)["status"] == "ok"
        heard = [frame["data"]["seq"] for frame in await omar.heard_so_far("new_message")]
        assert heard == list(range(1, 21))
        log = server.log.read_text()
        assert "Traceback" not in log
        assert log.count("no descriptors to spare") == 1


async def _answered(visitors):
    """Those who have an answer within half a second."""

    async def is_answered(reader):
        try:
            async with asyncio.timeout(0.5):
                return await reader.read(1) != b""
        except TimeoutError:
            return False

    answers = await asyncio.gather(*(is_answered(reader) for reader, _ in visitors))
    return [visitor for visitor, answer in zip(visitors, answers, strict=True) if answer]
