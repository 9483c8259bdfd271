"""The server goes away. Its database does in ``chaos/test_database.py``."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.sockets.client import Client, spoken

ROOT = Path(__file__).parents[2]


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
