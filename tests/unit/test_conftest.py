"""The ground under the tests: a fault in it would let every other test pass."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

EXAMPLES = """
import asyncio
import logging
import socket

import pytest
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

log = logging.getLogger("shop")


class Page(RequestHandler):
    def get(self):
        self.write("hello")


class Echo(WebSocketHandler):
    def select_subprotocol(self, offered):
        return offered[-1]

    def on_message(self, message):
        self.write_message(message + self.request.headers["X-Who"])


@pytest.fixture
async def app():
    await asyncio.sleep(0)
    return Application([("/", Page), ("/ws", Echo)])


@pytest.fixture
def steps():
    steps = []
    yield steps
    assert steps == ["set up", "torn down"]


@pytest.fixture
async def step(steps):
    await asyncio.sleep(0)
    steps.append("set up")
    yield "a value"
    await asyncio.sleep(0)
    steps.append("torn down")


async def test_good_fixtures_run_on_the_loop(step, io_loop):
    assert step == "a value"
    assert io_loop.asyncio_loop is asyncio.get_running_loop()


async def test_good_http(http_client, base_url):
    assert (await http_client.fetch(base_url)).body == b"hello"


@pytest.mark.gen_test
def test_good_generator(http_client, base_url):
    response = yield http_client.fetch(base_url)
    assert response.body == b"hello"


async def test_good_socket(http_server, base_url, open_socket):
    socket = await open_socket(
        base_url + "/ws", headers={"X-Who": "maya"}, subprotocols=["one", "two"]
    )
    assert socket.selected_subprotocol == "two"
    await socket.write_message("I am ")
    assert await socket.read_message() == "I am maya"
    await socket.write_message("never read")


async def test_good_pending_task_is_cancelled():
    test_good_pending_task_is_cancelled.task = asyncio.create_task(asyncio.sleep(60))


@pytest.mark.expected_errors("bo+m")
def test_good_error_expected_by_mark():
    log.error("booom")


def test_good_error_expected_by_fixture(expected_errors):
    expected_errors("boom")
    log.error("boom")


def test_good_warning():
    log.warning("never mind")


async def test_bad_assertion():
    await asyncio.sleep(0)
    assert 1 == 2


@pytest.mark.gen_test(timeout=0.1)
async def test_bad_too_slow():
    await asyncio.sleep(60)


def test_bad_error():
    log.error("boom")


@pytest.mark.expected_errors("another")
def test_bad_other_error():
    log.error("boom")


async def test_bad_forgotten_exception():
    async def fail():
        raise ValueError("forgotten")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task


async def test_bad_task_that_fails_at_its_end():
    async def fail():
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("too late")

    test_bad_task_that_fails_at_its_end.task = asyncio.create_task(fail())
    await asyncio.sleep(0)


async def test_bad_forgotten_socket():
    circle = [socket.socket()]
    circle.append(circle)


async def test_bad_forgotten_await():
    asyncio.sleep(0)


@pytest.fixture
async def yields_twice():
    yield 1
    yield 2


async def test_bad_fixture(yields_twice):
    pass
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_faults_fail_and_good_tests_pass(tmp_path, monkeypatch, loop):
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    monkeypatch.setenv("SHOPBELL_TEST_LOOP", loop)
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_examples.py").write_text(EXAMPLES)
    command = [sys.executable, "-m", "pytest", "-c", f"{ROOT}/pyproject.toml", "-n0"]
    command += ["-rA", f"--rootdir={tmp_path}", "-p", "no:cacheprovider", str(tmp_path)]
    output = subprocess.run(command, capture_output=True, check=False, text=True).stdout
    results = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(test_\w+)", output, re.MULTILINE)
    unhappy = {name for result, name in results if result != "PASSED"}
    names = re.findall(r"def (test_\w+)", EXAMPLES)
    assert {name for _, name in results} == set(names), output
    assert unhappy == {name for name in names if name.startswith("test_bad")}, output
