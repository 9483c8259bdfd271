"""A shop to break into: Maya has written to Omar, Vera sells as well, and all others are strangers.

Sockets are opened by the fixtures of ``tests/sockets``.
"""

import asyncio
import json
import time

import jwt
import pytest

from models.preferences import Preferences
from tests.caller import call
from tests.refusals.doors import IDENTITY_SECRET, PASSWORD, SHOP, TO_OMAR
from tests.sockets.conftest import connect, join

__all__ = ["connect", "join"]

LOGO = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
SECRET_TEXT = "canary 7f3a91"  # what Maya wrote to Omar, and nobody else may see

LAG_SECONDS = 0.1  # PROMISES S30 to S35: whatever somebody sends


class Lag:
    """The longest turn of the loop, in this process's own time: that of others does not count."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0)
            self.worst = max(self.worst, time.thread_time() - begun)
            await asyncio.sleep(0.002)


@pytest.fixture
async def shop(serve):
    """A server with the sellers Omar, who has a logo, and Vera."""
    server = await serve(rate_limits="off", identity_secret=IDENTITY_SECRET, allowed_origins=SHOP)
    for seller in ("omar", "vera"):
        await server.shop.accounts.add_seller(seller, seller.title(), None, PASSWORD)
    omar = server.shop.tokens.read(server.token("Seller", "omar"))
    await server.shop.preferences.save(omar, Preferences(), LOGO)
    return server


@pytest.fixture
def vouch():
    """What the shop's own back end says of one of its buyers."""

    def vouch(id_="noor", **more):
        now = int(time.time())
        said = {"sub": id_, "name": id_.title(), "iat": now, "exp": now + 60} | more
        return jwt.encode(said, IDENTITY_SECRET, algorithm="HS256")

    return vouch


@pytest.fixture
async def names(shop, vouch):
    """What the doors' addresses and bodies are filled with: Maya's message, and where it stands."""
    body = {**TO_OMAR, "message": SECRET_TEXT}
    token = shop.token("Buyer", "maya")
    answer = await call(shop, "POST", "/api/messages/send", body, token=token)
    assert answer.status == 201
    return {
        "message": answer.body["message"]["id"],
        "conversation": answer.body["message"]["conversation_id"],
        "identity": vouch(),
    }


@pytest.fixture
def written(shop, database_name, _database_client):
    """All that the database holds, but for its own notes, and for who was here when."""

    def of_substance(document):
        notes = {"last_seen", "timesheet"}
        return {name: value for name, value in document.items() if name not in notes}

    async def written():
        await shop.shop.ledger.settle()
        database = _database_client[database_name]
        return {
            name: sorted(
                json.dumps(of_substance(document), default=str)
                for document in database[name].find()
            )
            for name in sorted(database.list_collection_names())
            if name != "meta"
        }

    return written


# --- Beside hostile input -----------------------------------------------------------------------


@pytest.fixture
async def lag():
    """Measures while the test runs, and fails above the promise."""
    lag = Lag()
    task = asyncio.create_task(lag.watch())
    yield lag
    task.cancel()
    assert lag.worst < LAG_SECONDS


@pytest.fixture
async def neighbours(server, join):
    """Two who talk: ``await neighbours()`` fails where anything came between them."""
    lena, omar = await join(server, "Buyer", "lena"), await join(server, "Seller", "omar")

    async def talk(text="Hello"):
        assert await lena.send(omar, text) == await omar.hear("new_message")
        assert await omar.send(lena, text) == await lena.hear("new_message")

    return talk
