"""A registration that the database, or the client, cuts short."""

import asyncio

import pytest

from handlers import time_limit
from models.chat import REGISTERING


@pytest.fixture
async def impatient(serve, proxy, engine_uri, monkeypatch):
    """A server that gives up on its database soon."""
    monkeypatch.setattr(time_limit, "ANSWER_SECONDS", 2.0)
    return await serve(uri=proxy.uri(engine_uri), rate_limits="off")


async def test_a_registration_that_was_refused_does_not_undo_the_next_one(
    impatient, proxy, connect, join
):
    omar = await join(impatient, "Seller", "omar")
    maya = await connect(impatient, "Buyer", "maya")
    proxy.hold()
    assert (await maya.refusal("register_user"))["code"] == "unavailable"
    again = await maya.start("register_user")
    proxy.heal()
    await maya.answer(again)
    await omar.send(maya)
    assert (await maya.hear("new_message"))["message"] == "Hello"


async def test_who_went_while_registering_is_not_here(impatient, proxy, connect):
    maya = await connect(impatient, "Buyer", "maya")
    proxy.hold()
    await maya.start("register_user")
    registering = impatient.shop.chat._registering
    async with asyncio.timeout(5):
        while registering._value == REGISTERING:
            await asyncio.sleep(0.01)
        await maya.leave()
        while impatient.shop.hub.count:
            await asyncio.sleep(0.01)
    proxy.heal()
    await impatient.shop.store.probe()  # what was held back has been answered by now
    assert not impatient.shop.history._presence.is_here("Buyer:maya")
