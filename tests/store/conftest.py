"""Stores and shops without doors, on the database of a test."""

import asyncio
from contextlib import suppress

import pytest

from models.settings import read_settings
from models.shop import Shop
from models.store import Store
from tests.store.cast import Listener

LIMIT = 10  # seconds that anything may take before a test gives up on it


@pytest.fixture
async def open_store(engine_uri, database_name):
    """Opens stores on this test's database."""
    opened = []

    async def open_store(uri=engine_uri):
        store = Store(uri, database_name)
        opened.append(store)
        await store.prepare()
        return store

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
async def store(open_store):
    return await open_store()


class Process:
    """A shop with all that runs in it, as one server process has it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.tasks: list[asyncio.Task[None]] = []

    def __getattr__(self, part):
        return getattr(self.shop, part)

    def listen(self, who):
        """A registered socket of somebody."""
        listener = Listener(who)
        self.shop.hub.connect(listener)
        return listener

    async def append(self, *drafts):
        """What became of these drafts, of one after the other or together."""
        futures = [self.shop.journal.append(draft) for draft in drafts]
        found = await asyncio.wait_for(asyncio.gather(*futures), LIMIT)
        return found[0] if len(found) == 1 else found

    async def kill(self):
        """Ends it in the middle of whatever it does."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        self.shop.close()


@pytest.fixture
async def open_shop(engine_uri, database_name, tmp_path):
    """Opens shops on this test's database, or on another: ``await open_shop(uri)``. Two are two
    processes.

    ``asleep`` names what does not run in it: ``journal``, ``ledger``, ``clock``, ….
    """
    settings = read_settings({"data-dir": str(tmp_path / "data"), "rate-limits": "off"}, {})
    settings = settings.with_secrets()
    opened = []

    async def open_shop(uri=engine_uri, *, database=database_name, asleep=(), **options):
        process = Process(Shop(settings, Store(uri, database), **options))
        opened.append(process)
        await process.shop.open()
        for name, work in process.shop.work().items():
            if name in asleep:
                work.close()
            else:
                process.tasks.append(asyncio.create_task(work, name=name))
        return process

    yield open_shop
    for process in opened:
        with suppress(asyncio.CancelledError):
            await process.kill()


@pytest.fixture
async def shop(open_shop):
    return await open_shop()
