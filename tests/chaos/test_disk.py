"""P16: the disk is nearly full, then full, and free again."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from tornado.httpclient import AsyncHTTPClient

from models.engine_home import EngineHome
from tests.caller import call
from tests.chaos.processes import running
from tests.sockets.client import Client, spoken

VOLUME = "48m"  # of which the engine takes 11 before anything is said
PANIC_BYTES = 300_000  # a document; the engine's log has 10 MB on the disk from the start
OMAR = {"recipient_id": "omar", "recipient_type": "Seller"}

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs"),
]


@pytest.fixture
def volume(tmp_path):
    """A small disk of its own."""
    volume = tmp_path / "volume"
    volume.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME},mode=0700", "tmpfs", str(volume)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {done.stderr.strip()}")
    yield volume
    subprocess.run(["umount", "--lazy", str(volume)], check=True)


@pytest.mark.gen_test(timeout=150)
async def test_a_full_disk_is_refused_in_time_and_survived(volume, open_socket):
    """P16: below the floor sends are ``unavailable`` and reading works; at the disk's very end the
    storage panics, and is started anew as soon as there is room, by the same server. Nothing that
    was acknowledged is lost.

    Fails when the journal does not ask for room, and when nobody starts the engine again.
    """
    filler = volume / "filler"
    async with running(volume / "data") as server:
        maya, omar = server.token("Buyer", "maya"), server.token("Seller", "omar")
        client = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(omar)))
        await client.ask("register_user")

        async def send(number):
            data = {**OMAR, "message": f"{number}", "client_id": f"c{number}"}
            return await call(server, "POST", "/api/messages/send", data, token=maya)

        async def texts():
            path = "/api/messages/conversation/maya/Buyer?after=0"
            answer = await call(server, "GET", path, token=omar)
            return [message["message"] for message in answer.body["messages"]]

        assert (await send(1)).status == 201
        await asyncio.to_thread(_write, server.directory, 0)

        _fill(filler, leave=1024**2)  # a twentieth would be 2.4 MiB
        assert (await send(2)).refusal == (503, "unavailable")
        assert (await send(1)).status == 200  # a repeat is no write
        assert await texts() == ["1"]
        ready = await AsyncHTTPClient().fetch(f"{server.url}/readyz", raise_error=False)
        assert ready.code == 503
        filler.unlink()
        assert (await send(2)).status == 201

        _fill(filler, leave=0)
        engine = server.engine_pids
        await asyncio.to_thread(_panic, server.directory)
        assert (await send(3)).refusal == (503, "unavailable")
        async with asyncio.timeout(30):
            while server.engine_pids == engine:  # the supervisor has seen it
                await asyncio.sleep(0.05)
        assert (await send(3)).refusal == (503, "unavailable")
        filler.unlink()
        async with asyncio.timeout(40):
            while (await send(3)).status == 503:
                await asyncio.sleep(0.1)
        assert await texts() == ["1", "2", "3"]
        assert server.starts == 1
        assert (await call(server, "GET", "/readyz")).status == 200


def _fill(path, *, leave):
    """Takes all room of a disk but so many bytes."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        file.write(bytes(4096))
    if leave:
        os.truncate(path, path.stat().st_size - leave)


def _write(data_dir, number):
    """Stores a large document past the server, and reads it. Raises ``PyMongoError``."""
    home = EngineHome(data_dir)
    port = re.search(r'"port": (\d+)', home.record.read_text())
    with MongoClient(home.uri(int(port[1])), timeoutMS=5_000) as mongo:
        with contextlib.suppress(PyMongoError):
            mongo.shop.beside.insert_one({"_id": number, "bytes": os.urandom(PANIC_BYTES)})
        mongo.shop.beside.find_one({"_id": 0}, {"_id": 1})


def _panic(data_dir):
    """Writes until the storage has met the disk's end, and reads nothing any more."""
    for number in range(1, 100):
        try:
            _write(data_dir, number)
        except PyMongoError:
            return
    raise AssertionError("All of it fitted.")
