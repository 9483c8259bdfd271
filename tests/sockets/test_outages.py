"""The database goes away, and the server itself."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.caller import call
from tests.sockets.client import Client, spoken

ROOT = Path(__file__).parents[2]


async def test_without_its_database_a_server_says_unavailable_and_comes_back(
    serve, join, proxy, engine_uri
):
    server = await serve(uri=proxy.uri(engine_uri), rate_limits="off")
    maya, omar = await join(server, "Buyer", "maya"), await join(server, "Seller", "omar")
    first = await maya.send(omar, "One")
    proxy.refuse()
    data = maya.message_to(omar, "Two", client_id="c2")
    token = server.token("Buyer", "maya")
    began = asyncio.get_running_loop().time()
    refused, sent = await asyncio.gather(
        maya.refusal("send_message", data),
        call(server, "POST", "/api/messages/send", data, token=token),
    )
    assert refused["code"] == "unavailable"
    assert sent.refusal == (503, "unavailable")
    assert (
        asyncio.get_running_loop().time() - began < 8
    )  # five seconds, and what a busy machine adds
    proxy.heal()
    answer = {}
    while "message" not in answer:  # a client tries again with the same client_id
        sent = await call(server, "POST", "/api/messages/send", data, token=token)
        answer = sent.body
    assert answer["message"]["seq"] == first["seq"] + 1
    again = await maya.ask("send_message", data)
    assert again["duplicate"] is True
    assert [frame["data"]["seq"] for frame in await omar.heard_so_far("new_message")] == [1, 2]


@pytest.mark.gen_test(timeout=30)
async def test_a_server_that_is_told_to_stop_closes_with_1012(
    open_socket, engine_uri, database_name, tmp_path
):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SHOPBELL_")}
    where = [f"--mongodb-uri={engine_uri}", f"--database={database_name}", f"--data-dir={tmp_path}"]

    async def run(*words):
        return await asyncio.create_subprocess_exec(
            *[sys.executable, str(ROOT / "server.py"), *words, *where],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )

    server = await run("--port=0")
    try:
        ready = (await server.stdout.readline()).decode()
        url = ready.removeprefix("Shopbell is listening on ").split()[0]
        signer = await run("token", "omar", "--type=Seller")
        token = (await signer.communicate())[0].decode().strip()
        registered, silent = [
            Client(await open_socket(f"{url}/ws", subprotocols=spoken(token))) for _ in range(2)
        ]
        ack = await registered.ask("register_user")
        assert ack["user"]["id"] == "omar"
        server.send_signal(signal.SIGTERM)
        assert await registered.closed() == 1012
        assert await silent.closed() == 1012
        async with asyncio.timeout(10):
            assert await server.wait() == 0
            assert await server.stdout.read() == b""
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
