"""A registration that the database, or the client, cuts short."""

import asyncio

import pytest

from handlers import base
from tests.chaos.proxy import Proxy


@pytest.fixture
async def held(serve, engine_uri, monkeypatch):
    """A server whose database can be held back, and that gives up on it soon."""
    monkeypatch.setattr(base, "ANSWER_SECONDS", 0.5)
    proxy = Proxy.before(engine_uri)
    await proxy.start()
    server = await serve(uri=proxy.uri(engine_uri), rate_limits="off")
    yield server, proxy
    proxy.heal()
    await proxy.stop()


async def test_a_registration_that_was_refused_does_not_undo_the_next_one(held, connect, join):
    server, proxy = held
    omar = await join(server, "Seller", "omar")
    maya = await connect(server, "Buyer", "maya")
    proxy.hold()
    assert (await maya.refusal("register_user"))["code"] == "unavailable"
    again = await maya.start("register_user")
    proxy.heal()
    await maya.answer(again)
    await omar.send(maya)
    assert (await maya.hear("new_message"))["message"] == "Hello"


async def test_who_went_while_registering_is_not_here(held, connect):
    server, proxy = held
    maya = await connect(server, "Buyer", "maya")
    proxy.hold()
    await maya.start("register_user")
    async with asyncio.timeout(5):
        while not server.shop.hub.is_registered("Buyer:maya"):
            await asyncio.sleep(0.01)
        await maya.leave()
        while server.shop.hub.count:
            await asyncio.sleep(0.01)
    proxy.heal()
    await server.shop.store.probe()  # what was held back has been answered by now
    assert not server.shop.history._presence.is_here("Buyer:maya")
