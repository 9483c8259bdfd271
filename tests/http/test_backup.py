"""P21 and P22 with the real processes: a backup while the server runs, restored elsewhere."""

import asyncio
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from models.store import Store
from tests.caller import call
from tests.chaos.processes import ROOT, running
from tests.sockets.client import Client, spoken

SECONDS = 30  # for anything that a process has to do on a busy machine
SECRETS = ("secret", "identity-secret")

pytestmark = pytest.mark.gen_test(timeout=4 * SECONDS)

# Runs server.py, and is killed when it stores the third lot of documents.
KILLED = """
import os, runpy, signal, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from models.store_archive import Archive
real, lots = Archive.put_back, []
async def put_back(*words, **more):
    lots.append(words)
    if len(lots) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return await real(*words, **more)
Archive.put_back = put_back
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


async def command(*words, data_dir, program=()):
    """A command's exit status, standard output and standard error."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SHOPBELL_", "MONGODB"))}
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, *program, ROOT / "server.py", *words, f"--data-dir={data_dir}"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=inherited,
    )
    async with asyncio.timeout(SECONDS):
        told, errors = await process.communicate()
    return process.returncode, told.decode(), errors.decode()


def one_line(errors):
    """What a command that was refused said."""
    assert re.fullmatch(r"server\.py: [^\n]+\n", errors), errors
    return errors


def keep_the_secrets(old: Path, new: Path) -> None:
    new.mkdir(0o700)
    for name in SECRETS:
        shutil.copy2(old / name, new / name)


async def texts_of(server, token):
    """All that a guest and Omar said, in order."""
    found = []
    while True:
        path = f"/api/messages/conversation/omar/Seller?limit=100&after={len(found)}"
        body = (await call(server, "GET", path, token=token)).body
        found += [message["message"] for message in body["messages"]]
        if not body["has_more"]:
            return found


@pytest.fixture
async def newer(engine_uri, database_name):
    """The name of a database that a newer Shopbell wrote."""
    store = Store(engine_uri, database_name)
    await store.prepare()
    await store._db.meta.update_one({"_id": "schema"}, {"$set": {"version": 99}})
    store.close()
    return database_name


async def written(file: Path, directory: Path, open_socket):
    """A backup of a server under load: who wrote, what they wrote before and after, its epoch."""
    async with running(directory) as server:
        seller = spoken(server.token("Seller", "omar"))
        omar = Client(await open_socket(f"{server.url}/ws", subprotocols=seller))
        await omar.ask("register_user")
        asked = {"seller_id": "omar"}
        token = (await call(server, "POST", "/api/session/guest", asked)).body["token"]
        guest = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token)))
        epoch = (await guest.ask("register_user"))["epoch"]
        enough, said = asyncio.Event(), []

        async def write():
            while not enough.is_set():
                text = f"message {len(said)}"
                to = {"recipient_id": "omar", "recipient_type": "Seller"}
                room = (await guest.ask("send_message", {**to, "message": text}))["message"]
                said.append(text)
            return room["conversation_id"]

        writing = asyncio.ensure_future(write())
        while len(said) < 20:
            await asyncio.sleep(0.01)
        before = list(said)
        (status, told, errors), refused = await asyncio.gather(
            command("backup", str(file), data_dir=directory),
            command("restore", str(file), data_dir=directory),
        )
        enough.set()
        room = await writing
        assert (status, errors) == (0, "")
        assert str(file) in told
        assert refused[:2] == (1, "")
        assert "A server runs on" in one_line(refused[2])
    return token, room, before, said, epoch


async def test_a_shop_moves_to_another_place_while_its_server_runs(tmp_path, open_socket):
    """Written before the backup began: there. Another epoch: clients reset. The guest's token goes
    on, as the secret was kept. Fails when any of the three is not so."""
    file, old, new = tmp_path / "shop.backup", tmp_path / "old", tmp_path / "new"
    token, room, before, said, epoch = await written(file, old, open_socket)
    assert oct(file.stat().st_mode)[-3:] == "600"
    keep_the_secrets(old, new)
    words = ("restore", str(file))
    killed = await command(*words, data_dir=new, program=("-c", KILLED))
    assert killed[0] == -signal.SIGKILL
    refused = await command("--port=0", data_dir=new)
    assert refused[:2] == (1, "")
    assert "restore into this database was interrupted" in one_line(refused[2].splitlines(True)[-1])
    status, told, errors = await command(*words, data_dir=new)
    assert (status, errors) == (0, "")
    assert told.startswith("All is as it was at ")
    async with running(new) as server:
        restored = await texts_of(server, token)
        assert restored == said[: len(restored)]
        assert len(restored) >= len(before)
        guest = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token)))
        ack = await guest.ask("register_user", {"since": {room: 3}, "epoch": epoch})
        assert ack["epoch"] != epoch
        assert await guest.hear("reset") == {"conversation_id": room}
        to = {"recipient_id": "omar", "recipient_type": "Seller", "message": "on we go"}
        sent = (await guest.ask("send_message", to))["message"]
        assert sent["seq"] == len(restored) + 1


def test_what_is_no_backup_is_refused_before_anything_is_made(give, tmp_path):
    file, place = tmp_path / "file", tmp_path / "place"
    file.write_bytes(b'{"shopbell_backup":1}\n')
    for name, sentence in (("file", "no whole backup"), ("none", "cannot be read")):
        done = give("restore", str(tmp_path / name), data_dir=place)
        assert (done.returncode, done.stdout) == (1, "")
        assert sentence in one_line(done.stderr)
    assert not place.exists()


def test_where_nothing_is_there_is_nothing_to_back_up(give, tmp_path):
    done = give("backup", str(tmp_path / "f"), data_dir=tmp_path / "no")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no database" in one_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


async def test_a_newer_database_is_refused_in_one_line_by_server_and_backup(
    tmp_path, engine_uri, newer
):
    """P22. Fails when the version is not looked at."""
    where = (f"--mongodb-uri={engine_uri}", f"--database={newer}", "--port=0")
    file = str(tmp_path / "file")
    ends = [command(*words, *where, data_dir=tmp_path / "data") for words in ((), ("backup", file))]
    for status, told, errors in await asyncio.gather(*ends):
        assert (status, told) == (1, "")
        assert "has schema 99" in one_line(errors)
    assert not Path(file).exists()
