"""What every test stands on: Tornado's loop, a watched log, a real database, closed sockets.

``async def`` tests and fixtures run on the ``io_loop`` of pytest-tornado. That plugin cannot be
loaded as it is installed, so pyproject.toml blocks its entry point and it is mended here.
"""

import asyncio
import gc
import importlib
import inspect
import logging
import os
import re
import sys
import tempfile
import types
import uuid
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import packaging.version
import pytest
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets
from tornado.websocket import WebSocketClientConnection, websocket_connect
from xdist.scheduler import LoadScopeScheduling


def _mended_plugin() -> str:
    """Imports pytest-tornado so that today's pytest takes it, and returns its module's name.

    It asks ``pkg_resources`` for one function, and setuptools 82 removed that module; its two hooks
    bear marks where pytest wants ``hookimpl``.
    """
    stand_in = types.ModuleType("pkg_resources")
    stand_in.__dict__["parse_version"] = packaging.version.parse
    real = sys.modules.get(stand_in.__name__)
    sys.modules[stand_in.__name__] = stand_in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plugin = importlib.import_module("pytest_tornado.plugin")
    finally:
        if real is None:
            del sys.modules[stand_in.__name__]
        else:
            sys.modules[stand_in.__name__] = real
    for hook in (plugin.pytest_pycollect_makeitem, plugin.pytest_pyfunc_call):
        hook.__dict__.pop("pytestmark", None)
        pytest.hookimpl(tryfirst=True)(hook)
    return plugin.__name__


pytest_plugins = [_mended_plugin()]

# The machines that run this are shared: an example that takes long there is no failure.
hypothesis.settings.register_profile("shopbell", deadline=None, max_examples=60, print_blob=True)
hypothesis.settings.register_profile(
    "long", deadline=None, max_examples=5_000, print_blob=True
)  # pytest --hypothesis-profile=long
hypothesis.settings.load_profile("shopbell")


# --- The workers --------------------------------------------------------------------------------


class OneBrowser(LoadScopeScheduling):  # type: ignore[misc]  # xdist bears no types
    """Gives the tests in a browser to one worker, for they share a Chromium, and all others to
    whichever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneBrowser:
    return OneBrowser(config, log)


# --- The loop -----------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)  # before the choice by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and inspect.iscoroutinefunction(item.obj)
            and not item.get_closest_marker("gen_test")
        ):
            item.add_marker(pytest.mark.gen_test)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what was imported stays; the collection after each test then costs a millisecond


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Runs coroutine fixtures on the test's loop, and the second half of generators at its end."""
    function: Callable[..., Any] = fixturedef.func
    if inspect.iscoroutinefunction(function):
        stand_in = _run_coroutine_fixture
    elif inspect.isasyncgenfunction(function):
        stand_in = _run_generator_fixture
    else:
        return (yield)

    def synchronous(**arguments: Any) -> object:
        return stand_in(request, lambda: function(**arguments))

    fixturedef.func = synchronous  # type: ignore[misc]  # pytest offers no other way in
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]


def _runner(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], object]:
    io_loop: IOLoop = request.getfixturevalue("io_loop")
    limit = request.config.getoption("async_test_timeout")
    return lambda function: io_loop.run_sync(function, timeout=limit)


def _run_coroutine_fixture(request: pytest.FixtureRequest, start: Callable[[], Any]) -> object:
    return _runner(request)(start)


def _run_generator_fixture(request: pytest.FixtureRequest, start: Callable[[], Any]) -> object:
    run = _runner(request)
    generator: AsyncGenerator[object, None] = start()

    async def first() -> object:
        return await anext(generator)

    async def rest() -> None:
        with suppress(StopAsyncIteration):
            await anext(generator)
            await generator.aclose()
            pytest.fail("An async fixture yields once.")

    value = run(first)
    request.addfinalizer(lambda: run(rest))
    return value


@pytest.fixture
def io_loop() -> Generator[IOLoop]:
    """A loop of its own for each test; ``SHOPBELL_TEST_LOOP=uvloop`` takes uvloop's."""
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    io_loop = IOLoop(asyncio_loop=loop, make_current=False)
    try:
        yield io_loop
    finally:
        end_tasks(loop, asyncio.all_tasks(loop))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        io_loop.close(all_fds=True)
        gc.collect()  # forgotten sockets and exceptions are told in the test that forgot them
        gc.freeze()  # what lives on, modules of other tests say, is looked through once


def _new_loop() -> asyncio.AbstractEventLoop:
    kind = os.environ.get("SHOPBELL_TEST_LOOP", "asyncio")
    if kind == "asyncio":
        return asyncio.new_event_loop()
    if kind == "uvloop":
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        return loop
    raise pytest.UsageError(f"SHOPBELL_TEST_LOOP is asyncio or uvloop, not {kind}.")


def end_tasks(loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[Any]]) -> None:
    """Cancels what a test left behind; what fails then, fails the test."""
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            message = "a task failed when it was cancelled at the end of the test"
            loop.call_exception_handler({"message": message, "exception": error, "task": task})


# --- The log ------------------------------------------------------------------------------------


# What no line of the product's may hold: a token, and the word with which tests mark what is
# nobody's business.
SECRETS = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}|canary", re.IGNORECASE)


class LogWatch(logging.Handler):
    """Keeps the errors that nobody expected. Call it with patterns to expect some.

    ``leaked`` are the records that hold what belongs in no log, before models/logs.py blots them.
    """

    def __init__(self, *patterns: str) -> None:
        super().__init__(logging.INFO)
        self._patterns = list(patterns)
        self._seen: list[str] = []
        self.leaked: list[str] = []

    def __call__(self, *patterns: str) -> None:
        self._patterns += patterns

    def emit(self, record: logging.LogRecord) -> None:
        forgotten = record.name == "asyncio" and "never retrieved" in record.getMessage()
        if record.levelno >= logging.ERROR or forgotten:
            self._seen.append(f"{record.levelname} {record.name}: {self.format(record)}")
        if record.name.startswith("shopbell.") and record.name != "shopbell.test":
            said = f"{record.__dict__} {self.format(record)}"
            if SECRETS.search(said):
                self.leaked.append(said)

    @property
    def unexpected(self) -> list[str]:
        return [
            line
            for line in self._seen
            if not any(re.search(pattern, line) for pattern in self._patterns)
        ]


@pytest.fixture(autouse=True)
def expected_errors(request: pytest.FixtureRequest) -> Generator[LogWatch]:
    """An unexpected ERROR in the log fails the test, and so does a secret in any line (S22).

    Expected ones are named by regular expressions, searched for in ``LEVEL logger: message`` and
    the traceback: ``@pytest.mark.expected_errors("…")``, or ``expected_errors("…")`` in the test.
    """
    patterns = [p for mark in request.node.iter_markers("expected_errors") for p in mark.args]
    watch = LogWatch(*patterns)
    root = logging.getLogger()
    root.addHandler(watch)
    product = logging.getLogger("shopbell")
    product.setLevel(logging.INFO)
    try:
        yield watch
    finally:
        root.removeHandler(watch)
        product.setLevel(logging.NOTSET)
    if watch.leaked:
        pytest.fail("These belong in no log:\n" + "\n".join(watch.leaked), pytrace=False)
    if watch.unexpected:
        pytest.fail("Unexpected errors in the log:\n" + "\n".join(watch.unexpected), pytrace=False)


# --- The database -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def engine_uri() -> Generator[str]:
    """A real database for all tests of this worker: MONGODB_URI's, else an embedded one.

    It lies in memory where there is such a place, which takes a quarter off; what is proven of
    durability is proven on engines of their own, on the disk.
    """
    if uri := os.environ.get("MONGODB_URI"):
        yield uri
        return
    # Imported here, as tests that need no database need no driver either.
    from models.engine import Engine
    from models.store import create_user, probe

    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        engine = Engine(Path(directory), create_user=create_user, probe=probe)
        yield asyncio.run(engine.start())
        asyncio.run(engine.stop())


@pytest.fixture(scope="session")
def _database_client(engine_uri: str) -> Generator[Any]:
    from pymongo import MongoClient

    # The embedded engine takes seconds to drop a thousand messages.
    with MongoClient(engine_uri, timeoutMS=30_000) as client:
        yield client


@pytest.fixture
def database_name(_database_client: Any) -> Generator[str]:
    """A database that nobody used before.

    It is dropped at the end where others live on. Our own engine, which takes 6 ms to drop a
    document, goes with its directory.
    """
    name = f"shopbell_test_{uuid.uuid4().hex}"
    yield name
    if os.environ.get("MONGODB_URI"):
        _database_client.drop_database(name)


@pytest.fixture
async def proxy(engine_uri: str) -> AsyncGenerator[Any]:
    """A network before the database that fails on request: open it by ``proxy.uri(engine_uri)``."""
    from tests.chaos.proxy import Proxy

    proxy = Proxy.before(engine_uri)
    await proxy.start()
    yield proxy
    proxy.heal()
    await proxy.stop()


# --- Sockets ------------------------------------------------------------------------------------

SocketOpener = Callable[..., Awaitable[WebSocketClientConnection]]


@pytest.fixture
async def open_socket() -> AsyncGenerator[SocketOpener]:
    """Opens WebSockets: ``await open_socket(url, headers={…}, subprotocols=[…])``.

    At the end all are closed and read to the end. A refusal raises ``HTTPClientError``.
    """
    opened: list[tuple[WebSocketClientConnection, IOStream]] = []

    async def opener(
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] | None = None,
    ) -> WebSocketClientConnection:
        request = HTTPRequest(re.sub("^http", "ws", url), headers=dict(headers or {}))
        socket = await websocket_connect(request, subprotocols=list(subprotocols or []) or None)
        protocol: Any = socket.protocol
        opened.append((socket, protocol.stream))
        return socket

    yield opener
    for socket, _ in opened:
        socket.close()
    for socket, stream in opened:
        # The end is told only once: a test may have read it already.
        while not (stream.closed() and socket.read_queue.empty()):
            if await socket.read_message() is None:
                break


# --- A server -----------------------------------------------------------------------------------


@dataclass
class Served:
    """A server of a test's own, in its process: real doors on a loopback port."""

    url: str
    shop: Any
    http: HTTPServer

    def token(self, type_: str, id_: str, name: str = "", *, seconds: int = 3600) -> str:
        """What introduces somebody."""
        from models.conversation import Participant

        participant = Participant("Seller" if type_ == "Seller" else "Buyer", id_)
        return self.shop.tokens.issue(participant, name or id_.title(), seconds=seconds)


Serve = Callable[..., Awaitable[Served]]


def _is_route(task: "asyncio.Task[Any]") -> bool:
    coroutine: Any = task.get_coro()
    return "/playwright/" in coroutine.cr_code.co_filename


@pytest.fixture
async def serve(engine_uri: str, database_name: str, tmp_path: Path) -> AsyncGenerator[Serve]:
    """Starts servers on this test's database: ``await serve(rate_limits="off", …)``, on a free
    port or on the one that is given.

    Two of them are two processes' worth of server on one database. ``patience`` are the seconds
    that its listener waits for headers and bodies.
    """
    from handlers.base import Parts
    from handlers.listener import listener
    from models.settings import read_settings
    from models.shop import Shop
    from models.store import Store
    from tests.chaos.proxy import LINK

    running: list[tuple[Served, list[asyncio.Task[None]]]] = []
    before = asyncio.all_tasks()

    async def start(
        uri: str = engine_uri,
        *,
        on_port: int = 0,
        patience: Mapping[str, float] | None = None,
        **settings: str,
    ) -> Served:
        sockets = bind_sockets(on_port, "127.0.0.1")
        flags = {name.replace("_", "-"): value for name, value in settings.items()}
        read = read_settings({"data-dir": str(tmp_path / "data"), **flags}, {})
        read = read.listening_on(sockets[0].getsockname()[1]).with_secrets()
        shop = Shop(read, Store(uri, database_name))
        try:
            await shop.open()
        except BaseException:
            shop.close()
            raise
        tasks = [asyncio.ensure_future(work) for work in shop.work().values()]
        http = listener(Parts(shop), **(patience or {}))
        http.add_sockets(sockets)
        served = Served(f"http://127.0.0.1:{read.port}", shop, http)
        running.append((served, tasks))
        return served

    yield start
    for served, tasks in running:
        served.http.stop()
        for connection in served.shop.hub.everybody():
            connection.close(1001, "the test is over")
        await served.http.close_all_connections()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    # What is being answered ends with its connection, while there is a database. A route that a
    # test holds up in its browser never does.
    begun = asyncio.all_tasks() - before - {asyncio.current_task()}
    if under_way := [task for task in begun if task.get_name() != LINK and not _is_route(task)]:
        await asyncio.wait(under_way, timeout=10)
    for served, _ in running:
        served.shop.store.breaker.close()
    # Not on the loop: some say goodbye to the database through a proxy, which lives there.
    await asyncio.gather(*(asyncio.to_thread(served.shop.close) for served, _ in running))


@pytest.fixture
async def server(serve: Serve) -> Served:
    """One server with the default settings, but without limits on pace."""
    return await serve(rate_limits="off")
