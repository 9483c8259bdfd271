import logging
import re

import pytest

from models.conversation import Participant
from models.demo import BUYER, SELLER, TALK, prepare_demo
from models.errors import NotFound


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, logger="shopbell.demo")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "shopbell.demo"]


async def talk(shop):
    who = shop.tokens.read(shop.tokens.issue(BUYER, "Lena Vogt", seconds=60))
    return await shop.history.conversation(who, SELLER, before=None, after=None, limit=50)


async def test_the_demo_is_made_with_its_seller_its_buyer_and_their_talk(server, told):
    await prepare_demo(server.shop)
    password = re.search(r"password: (\S+)", "\n".join(told()))[1]
    token = await server.shop.accounts.log_in("demo-seller", password, "127.0.0.1")
    assert server.shop.accounts.authenticate(token).participant == SELLER
    page = await talk(server.shop)
    assert [m.message for m in page.messages] == [text for _, text in TALK]
    names = {p.id: p.name for p in page.conversation.participants}
    assert names == {"demo-seller": "Anna’s Ceramics", "demo-buyer": "Lena Vogt"}
    seller = server.shop.tokens.read(token)
    assert (await server.shop.history.unread_count(seller)).count == 1


async def test_a_later_start_changes_nothing_and_tells_no_password(serve, told):
    first = await serve()
    await prepare_demo(first.shop)
    before = told()
    second = await serve()
    await prepare_demo(second.shop)
    after = told()[len(before) :]
    assert any("password: " in line for line in before)
    assert not any("password: " in line for line in after)
    assert any("set-password demo-seller" in line for line in after)
    assert len((await talk(second.shop)).messages) == len(TALK)


async def test_the_links_are_those_that_browsers_use(serve, told):
    server = await serve(public_url="https://shop.example")
    await prepare_demo(server.shop)
    links = [re.search(r"https?://\S+", line)[0] for line in told() if "://" in line]
    assert links == [
        "https://shop.example/",
        "https://shop.example/chat/demo-seller",
        "https://shop.example/inbox",
    ]


async def test_without_the_demo_there_is_no_such_seller(server):
    with pytest.raises(NotFound):
        await server.shop.history.seller("demo-seller")
    assert await server.shop.store.participant(Participant("Buyer", "demo-buyer").key) is None
