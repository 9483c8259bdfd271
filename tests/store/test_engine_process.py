import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models import engine_process
from models.engine_home import EngineError, EngineHome, knock
from models.engine_process import EngineProcess, PortTaken

pytestmark = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def home(tmp_path):
    home = EngineHome(tmp_path / "data")
    home.prepare()
    home.make_secrets()
    return home


@pytest.fixture
async def child(home):
    """The child that a test launches; ended at its end, whatever it did."""
    child = EngineProcess(home, cache_size="64M")
    child.reserve_port()
    yield child
    await child.end(grace=0)
    child.free_port()


async def test_a_child_is_kept_apart_and_ends_politely(child, home, monkeypatch, capfd):
    monkeypatch.setenv("SHOPBELL_SECRET", "canary")
    await child.launch(home.database)
    pid = child.pid
    assert pid is not None
    assert knock(child.port)
    assert home.read_record() == (pid, child.port)
    assert os.getsid(pid) == pid, "the terminal's Ctrl-C would reach it"
    assert b"canary" not in Path(f"/proc/{pid}/environ").read_bytes()

    begun = time.monotonic()
    await child.end(grace=engine_process.STOP_SECONDS)
    assert time.monotonic() - begun < 1.9, "nobody knocked, or the signal was lost"
    assert child.pid is None
    assert home.read_record() is None
    assert not knock(child.port)
    assert capfd.readouterr().out == ""


async def test_whoever_asks_need_not_clear_a_cache_that_is_hardly_used(child, home):
    """Fails when WiredTiger is left at its defaults, with which large messages make the engine hang
    for good within two minutes: ``models/engine_home.py`` says why."""
    await child.launch(home.database)
    taken = (home.database / "WiredTiger.basecfg").read_text()  # by WiredTiger, as it understood
    assert "eviction_dirty_trigger=80\n" in taken
    assert "eviction_updates_trigger=80\n" in taken


async def test_one_that_hangs_is_killed_after_its_grace(child, home):
    await child.launch(home.database)
    pid = child.pid
    os.kill(pid, signal.SIGSTOP)
    await child.end(grace=0.3)
    assert child.pid is None
    assert not home.is_engine(pid)


async def test_a_taken_port_is_told_apart(child, home):
    child.free_port()
    with socket.create_server(("127.0.0.1", child.port)), pytest.raises(PortTaken):
        await child.launch(home.database)
    assert child.status == 1


async def test_a_start_that_fails_tells_the_last_words(child, home):
    home.database.mkdir()
    (home.database / "WiredTiger.turtle").write_text("torn")
    with pytest.raises(EngineError, match=r"it ended with status 1\. In .*/log: .*WiredTiger"):
        await child.launch(home.database)


async def test_a_start_without_end_is_given_up(child, home, monkeypatch):
    monkeypatch.setattr(engine_process, "START_SECONDS", 0.1)
    with pytest.raises(EngineError, match="did not start, no answer"):
        await child.launch(home.database)


async def test_a_large_database_has_its_time_to_start(child, home, monkeypatch):
    """A million messages took it 14 s, three hundred thousand on a slow machine more. Fails where
    one time is for all: a shop that has grown would never start again."""
    monkeypatch.setattr(engine_process, "START_SECONDS", 0.0)
    home.database.mkdir()
    with (home.database / "much").open("wb") as file:
        file.truncate(40 * engine_process.START_BYTES)
    await child.launch(home.database)
    assert knock(child.port)


async def test_a_missing_program_is_said(child, home, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/bin/python")
    with pytest.raises(EngineError, match="not installed: no /nowhere/bin/secantusd-py"):
        await child.launch(home.database)


@pytest.mark.skipif(sys.platform != "linux", reason="only there the port is kept bound")
def test_nobody_else_is_given_the_port_while_the_child_is_away(home):
    child = EngineProcess(home, cache_size="64M")
    child.reserve_port()
    with socket.socket() as other:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", child.port))
        child.free_port()
        other.bind(("127.0.0.1", child.port))


async def test_a_child_is_not_begun_by_a_thread_that_may_end(child, home):
    def launch_elsewhere():
        with pytest.raises(RuntimeError, match="main thread"):
            asyncio.run(child.launch(home.database))

    await asyncio.to_thread(launch_elsewhere)
    assert child.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_a_child_whose_server_died_too_early_does_not_begin():
    # Process 1 stands for the server: it is not the parent of what is started here.
    command = [sys.executable, "-I", "-S", "-c", engine_process.LAUNCHER, "1", "/bin/echo", "begun"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "The server is gone.\n")
