import asyncio
import os
import shutil
import subprocess
import sys
import time

import pytest

from models import engine_home, store_connection
from models.engine_home import (
    LOG_BYTES,
    TAIL_BYTES,
    EngineBusy,
    EngineError,
    EngineHome,
    knock,
    place_of,
    running_uri,
)


@pytest.fixture
def home(tmp_path):
    home = EngineHome(tmp_path / "data")
    home.prepare()
    return home


def test_only_the_owner_may_look_in(home):
    assert home.data_dir.stat().st_mode & 0o777 == 0o700
    home.path.chmod(0o755)
    home.prepare()
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_password_is_made_once_and_is_hard_to_guess(home):
    home.make_secrets()
    password = home.read_password()
    home.make_secrets()
    assert home.read_password() == password
    assert len(password) >= 43
    assert home.password.stat().st_mode & 0o777 == 0o600


def test_a_copy_of_the_files_is_told_from_them(home, tmp_path):
    assert place_of(home.data_dir) is None
    home.make_secrets()
    place = place_of(home.data_dir)
    again = EngineHome(home.data_dir)
    again.prepare()
    again.make_secrets()
    assert place_of(home.data_dir) == place
    copied = shutil.copytree(home.data_dir, tmp_path / "copy")
    assert place_of(copied) not in {None, place}
    home.data_dir.rename(tmp_path / "moved")
    assert place_of(tmp_path / "moved") == place


def test_a_database_never_gets_a_second_password(home):
    home.database.mkdir()
    with pytest.raises(EngineError, match="password is missing"):
        home.make_secrets()
    assert not home.password.exists()


def test_a_password_with_odd_characters_still_makes_a_uri(home):
    home.write(home.password, "a/b@c:d\n")
    assert home.uri(9).startswith("mongodb://shopbell:a%2Fb%40c%3Ad@127.0.0.1:9/?")


async def test_the_engine_is_not_asked_to_keep_the_answers_of_writes(home):
    """It goes through all that it keeps at every write: 5,000 messages took one from 3.6 to 5.3 ms.

    Fails when the engine's URI leaves ``retryWrites`` on, and when the client insists on it.
    """
    home.make_secrets()
    for uri, is_retried in [(home.uri(9), False), ("mongodb://127.0.0.1:9/", True)]:
        client = store_connection.connected(uri)
        assert client.delegate.options.retry_writes == is_retried
        store_connection.close(client)


def test_the_lock_has_one_holder_at_a_time(home):
    lock = home.try_lock()
    assert home.try_lock() is None
    assert f"in use by process {os.getpid()}" in str(home.busy())
    os.close(lock)
    again = home.try_lock()
    assert again is not None
    os.close(again)


def test_a_child_does_not_keep_the_lock_of_its_dead_parent(home):
    lock = home.try_lock()
    child = subprocess.Popen(["/usr/bin/sleep", "60"], close_fds=False)
    try:
        os.close(lock)
        deadline = time.monotonic() + 5  # the kernel lets go a moment after exec
        while (again := home.try_lock()) is None:
            assert time.monotonic() < deadline
        os.close(again)
    finally:
        child.kill()
        child.wait()


def test_what_is_no_record_counts_as_none(home):
    assert home.read_record() is None
    home.write_record(5, 6)
    assert home.read_record() == (5, 6)
    for torn in ("", "{", "5", "null", "[5, 6]", '{"pid": 5}', '{"pid": "x", "port": 6}'):
        home.record.write_text(torn)
        assert home.read_record() is None, torn


def test_an_engine_is_known_by_the_whole_words_of_its_command_line(home, tmp_path):
    path = str(home.config)
    other = str(tmp_path / "other" / "engine" / "config.toml")
    for words, is_engine in (
        (["--config", path, "--auth"], True),
        (["--config", other, "--auth"], False),
        ([f"--config {path} --auth"], False),
        ([path], False),
    ):
        program = "import sys; print(flush=True); sys.stdin.read()"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            assert home.is_engine(process.pid) is is_engine, words
        assert not home.is_engine(process.pid)
    assert not home.is_engine(os.getpid())


def test_a_long_log_keeps_its_end_while_the_child_goes_on_appending(home):
    with home.log.open("ab", buffering=0) as child:
        child.write(b"old line\n" * (LOG_BYTES // 9))
        home.trim_log()
        assert home.log_size() <= LOG_BYTES, "within the bound it is left alone"
        child.write(b"old line\n" * 9 + b"last line\n")
        home.trim_log()
        assert home.log_size() == TAIL_BYTES
        child.write(b"new line\n")
    assert home.log_after(0).endswith("old line\nlast line\nnew line\n")
    assert home.log_after(home.log_size() - 9) == "new line\n"


def test_a_log_that_is_not_there_is_short(home):
    home.trim_log()
    assert home.log_size() == 0


async def test_no_server_has_no_uri(home, tmp_path):
    assert await running_uri(tmp_path / "nothing") is None
    assert await running_uri(home.data_dir) is None
    lock = home.try_lock()
    assert lock is not None, "asking leaves the lock free"
    os.close(lock)


async def test_a_command_waits_for_a_server_that_is_starting(home, tmp_path):
    home.make_secrets()
    lock = home.try_lock()
    asking = asyncio.create_task(running_uri(home.data_dir))
    listener = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    home.write_record(os.getpid(), port)
    await asyncio.sleep(2 * engine_home.GLANCE_SECONDS)
    assert not asking.done(), "its user is not made yet"
    home.unfinished.mkdir()
    home.finish_database()
    assert await asking == home.uri(port)
    listener.close()
    os.close(lock)


async def test_a_server_whose_database_never_listens_is_told_of(home, monkeypatch):
    monkeypatch.setattr(engine_home, "WAIT_SECONDS", 0.1)
    lock = home.try_lock()
    with pytest.raises(EngineBusy, match="is in use"):
        await running_uri(home.data_dir)
    os.close(lock)


async def test_a_knock_tells_who_listens():
    listener = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    assert knock(port)
    listener.close()
    await listener.wait_closed()
    assert not knock(port)
