"""A network before the server's door, tabs in Node, and what everybody did."""

import os
import random
from types import SimpleNamespace

import pytest

from tests.chaos.history import History
from tests.chaos.proxy import Proxy
from tests.chaos.tabs import Tabs
from tests.sockets.client import Client, spoken


@pytest.fixture
def seed():
    """Of this test's chance: SHOPBELL_TEST_SEED's, to have a failure again."""
    return int(os.environ.get("SHOPBELL_TEST_SEED") or random.randrange(2**32))


@pytest.fixture
def history():
    return History()


@pytest.fixture
async def door(server, seed):
    """A network before the server's door, which fails on request."""
    proxy = Proxy.before(server.url, seed=seed)
    await proxy.start()
    yield proxy
    proxy.heal()
    await proxy.stop()


@pytest.fixture
def through(server, door):
    """The server as it is seen through the door: a ``url`` and ``token``."""
    return SimpleNamespace(url=door.uri(server.url), token=server.token)


@pytest.fixture
async def browser(history, seed):
    """A Node process with tabs in it."""
    async with Tabs(history, seed=seed) as browser:
        yield browser


@pytest.fixture
def join(open_socket):
    """Opens a socket and registers it: ``await join(server, "Buyer", "maya")``."""

    async def join(server, type_, id_, **data):
        subprotocols = spoken(server.token(type_, id_))
        client = Client(
            await open_socket(f"{server.url}/ws", subprotocols=subprotocols), type_, id_
        )
        client.ack = await client.ask("register_user", data)
        await client.hear("online_users")
        return client

    return join
