import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from models.engine import Engine, EngineBusy, EngineError, running_uri
from models.engine_home import EngineHome
from models.engine_process import STOP_SECONDS, EngineProcess

pytestmark = pytest.mark.gen_test(timeout=60)

PROJECT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def database(uri: str) -> AsyncGenerator[AsyncMongoClient]:
    client: AsyncMongoClient = AsyncMongoClient(
        uri, serverSelectionTimeoutMS=1000, timeoutMS=5000, journal=True
    )
    try:
        yield client
    finally:
        await client.close()


async def create_user(uri: str, username: str, password: str) -> None:
    async with database(uri) as client:
        await client.admin.command("createUser", username, pwd=password, roles=["root"])


async def probe(uri: str) -> None:
    async with database(uri) as client:
        probes = client.shopbell.probes
        await probes.replace_one({"_id": "probe"}, {"at": time.time()}, upsert=True)
        await probes.find_one({"_id": "probe"})


async def store(uri: str, word: str) -> None:
    async with database(uri) as client:
        await client.shopbell.words.insert_one({"_id": word})


async def stored(uri: str) -> list[str]:
    async with database(uri) as client:
        return [found["_id"] async for found in client.shopbell.words.find()]


def engine_on(data_dir: Path, **changes) -> Engine:
    return Engine(data_dir, **{"create_user": create_user, "probe": probe, **changes})


def port_of(uri: str) -> int:
    return int(urlsplit(uri).port or 0)


async def until(claim: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


async def until_replaced(engine: Engine, uri: str, first: int | None) -> None:
    """Waits for another child that answers."""
    await until(lambda: engine.pid not in {None, first})
    async with asyncio.timeout(15):
        while True:
            with contextlib.suppress(PyMongoError):
                return await probe(uri)


def is_alive(pid: int) -> bool:
    """Whether it is neither gone nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="session")
def provisioned(tmp_path_factory):
    """A data directory with a user in it: the tests copy it, as provisioning costs two starts."""
    data_dir = tmp_path_factory.mktemp("provisioned")

    async def provision():
        engine = engine_on(data_dir)
        await engine.start()
        await engine.stop()

    asyncio.run(provision())
    return data_dir


@pytest.fixture
def data_dir(provisioned, tmp_path):
    return shutil.copytree(provisioned, tmp_path / "data")


@pytest.fixture
async def engine(data_dir):
    """The engine that a test starts; stopped at its end, whatever it did."""
    engine = engine_on(data_dir, probe_seconds=0.6)
    yield engine
    await engine.stop()


async def test_a_first_start_makes_a_database_that_asks_who_is_there(tmp_path):
    home = EngineHome(tmp_path / "new" / "data")
    engine = engine_on(home.data_dir)
    try:
        uri = await engine.start()
        await store(uri, "lamp")
        first = engine.pid
        assert first

        with pytest.raises(OperationFailure, match="requires authentication"):
            await stored(home.open_uri(port_of(uri)))
        with pytest.raises(OperationFailure, match="authentication failed"):
            await stored(uri.replace("@", "x@"))
        assert await stored(uri) == ["lamp"]

        modes = {path: path.stat().st_mode & 0o077 for path in (tmp_path / "new").rglob("*")}
        assert len(modes) > 10
        assert not any(modes.values()), "somebody else may look into it"
    finally:
        await engine.stop()
    assert not is_alive(first)


async def test_data_survives_a_restart_of_the_server(engine, data_dir):
    await store(await engine.start(), "lamp")
    first = engine.pid
    begun = time.monotonic()
    await engine.stop()
    assert time.monotonic() - begun < STOP_SECONDS
    assert not is_alive(first)

    assert await stored(await engine.start()) == ["lamp"]
    assert engine.pid != first


async def test_a_killed_engine_comes_back_on_the_same_port_with_its_data(engine):
    uri = await engine.start()
    watch = asyncio.create_task(engine.watch())
    await store(uri, "lamp")
    first = engine.pid

    os.kill(first, signal.SIGKILL)
    await until_replaced(engine, uri, first)
    assert await stored(uri) == ["lamp"]

    await engine.stop()
    await asyncio.wait_for(watch, 1)


async def test_a_hung_engine_is_noticed_and_replaced(engine):
    uri = await engine.start()
    watch = asyncio.create_task(engine.watch())
    await store(uri, "lamp")
    first = engine.pid

    os.kill(first, signal.SIGSTOP)
    await until_replaced(engine, uri, first)
    assert not is_alive(first)
    assert await stored(uri) == ["lamp"]

    await engine.stop()
    await asyncio.wait_for(watch, 1)


async def test_a_slow_answer_is_not_yet_a_reason_to_restart(data_dir):
    answers = [True, True, False, False, True, False, False, True]

    async def slow_probe(uri):
        if answers and not answers.pop(0):
            await asyncio.sleep(10)

    engine = engine_on(data_dir, probe=slow_probe, probe_seconds=0.1)
    try:
        await engine.start()
        first = engine.pid
        watch = asyncio.create_task(engine.watch())
        await until(lambda: not answers)
        assert engine.pid == first
    finally:
        await engine.stop()
    await asyncio.wait_for(watch, 1)


@pytest.mark.parametrize("moment", ["while it waits", "while it launches"])
async def test_a_stop_during_a_restart_leaves_nothing_running(engine, data_dir, moment):
    home = EngineHome(data_dir)
    await engine.start()
    watch = asyncio.create_task(engine.watch())
    os.kill(engine.pid, signal.SIGKILL)
    await until(lambda: home.read_record() is None)
    if moment == "while it launches":
        await until(lambda: home.read_record() is not None)
    await engine.stop()
    await asyncio.wait_for(watch, 5)
    assert engine.pid is None
    assert home.read_record() is None


SERVER = """
import asyncio, sys
sys.path[:0] = [{project!r}, {tests!r}]
from pathlib import Path
from test_engine import engine_on

async def main():
    engine = engine_on(Path({data_dir!r}))
    print(await engine.start(), flush=True)
    print(engine.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_killed_server_takes_its_engine_along(engine, data_dir):
    script = SERVER.format(
        project=str(PROJECT), tests=str(Path(__file__).parent), data_dir=str(data_dir)
    )
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        uri = (await asyncio.wait_for(server.stdout.readline(), 20)).decode().strip()
        pid = int(await server.stdout.readline())
        await store(uri, "lamp")
        assert is_alive(pid)
    finally:
        server.kill()
        await server.wait()
    await until(lambda: not is_alive(pid), 3)
    assert await stored(await engine.start()) == ["lamp"]


async def test_an_orphan_is_ended_before_a_new_start(engine, data_dir):
    orphaned = engine_on(data_dir)
    await store(await orphaned.start(), "lamp")
    orphan = orphaned.pid
    assert orphan is not None
    assert orphaned._lock is not None
    os.close(orphaned._lock)  # as the kernel does when a server dies
    orphaned._lock = None
    orphaned._child.free_port()

    assert await stored(await engine.start()) == ["lamp"]
    assert not is_alive(orphan)
    assert orphaned.pid is None


async def test_a_stranger_with_a_recycled_pid_is_left_alone(engine, data_dir):
    home = EngineHome(data_dir)
    stranger = await asyncio.create_subprocess_exec("tail", "-f", str(home.config))
    try:
        home.write_record(stranger.pid, 9)
        await engine.start()
        assert is_alive(stranger.pid)
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_second_server_is_refused_where_a_command_may_join(engine, data_dir):
    assert await running_uri(data_dir) is None
    uri = await engine.start()
    assert await running_uri(data_dir) == uri, "a command joins it"
    second = engine_on(data_dir)
    with pytest.raises(EngineBusy, match=f"{data_dir} is in use by process {os.getpid()}"):
        await second.start()
    await second.stop()
    assert is_alive(engine.pid)
    await store(uri, "lamp")
    assert EngineHome(data_dir).read_record() == (engine.pid, port_of(uri))


async def test_a_stray_configuration_file_is_not_read(engine, data_dir, tmp_path, monkeypatch):
    for place in (tmp_path, tmp_path / ".secantus"):
        place.mkdir(exist_ok=True)
        (place / "secantusd.toml").write_text("This is no TOML.")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    await probe(await engine.start())


async def test_a_crash_while_the_user_is_made_costs_nothing(tmp_path):
    async def create_and_fail(uri, username, password):
        await create_user(uri, username, password)
        raise ConnectionError("cut")

    failing = engine_on(tmp_path, create_user=create_and_fail)
    with pytest.raises(EngineError, match=r"The database's user cannot be made: .*cut"):
        await failing.start()
    home = EngineHome(tmp_path)
    assert failing.pid is None
    assert home.unfinished.exists()
    password = home.password.read_text()

    engine = engine_on(tmp_path)
    try:
        await probe(await engine.start())
        assert home.password.read_text() == password
        assert not home.unfinished.exists()
    finally:
        await engine.stop()


async def test_a_lost_password_is_said_and_nothing_is_overwritten(engine, data_dir):
    home = EngineHome(data_dir)
    home.password.unlink()
    with pytest.raises(EngineError, match="password is missing"):
        await engine.start()
    assert not home.password.exists()
    assert home.database.exists()


async def test_a_wrong_password_ends_the_start_with_the_reason(engine, data_dir):
    EngineHome(data_dir).password.write_text("guessed")
    with pytest.raises(EngineError, match="authentication failed"):
        await engine.start()
    assert engine.pid is None


async def test_a_taken_port_is_exchanged_for_another(engine, monkeypatch):
    reserve = EngineProcess.reserve_port
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]

        def reserve_taken_first(self):
            reserve(self)
            self.port = taken
            monkeypatch.setattr(EngineProcess, "reserve_port", reserve)

        monkeypatch.setattr(EngineProcess, "reserve_port", reserve_taken_first)
        uri = await engine.start()
    assert f":{taken}/" not in uri
    await probe(uri)


async def test_a_restart_waits_no_longer_once_a_full_disk_has_room(engine, monkeypatch):
    """P16. Fails when the back-off is slept through."""
    is_low = True
    monkeypatch.setattr("models.engine.disk_is_low", lambda directory: is_low)
    monkeypatch.setattr("models.engine.RESTART_SECONDS", (60.0, 60.0))
    uri = await engine.start()
    watch = asyncio.create_task(engine.watch())
    first = engine.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: EngineHome(engine._home.data_dir).read_record() is None)
    assert engine.pid is None
    is_low = False
    await until_replaced(engine, uri, first)
    await engine.stop()
    await asyncio.wait_for(watch, 1)
