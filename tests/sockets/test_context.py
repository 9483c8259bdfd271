import pytest

from tests.contract import OPERATORS

PRODUCT = {
    "name": "Lichen mug",
    "url": "https://shop.example/mugs/lichen",
    "price": "€ 24.00",
    "image": "https://shop.example/mugs/lichen.jpg",
}
PAGE = {
    "url": "https://shop.example/mugs/lichen?size=2#reviews",
    "title": "Lichen mug",
    "language": "ar-EG",
    "time_zone": "Africa/Cairo",
    "product": PRODUCT,
}


async def test_what_a_buyer_looks_at_is_told_to_the_seller_whose_page_it_is(
    server, join, omar, maya
):
    visitor = await join(server, "Buyer", "lena", seller_id="omar")
    vera = await join(server, "Seller", "vera")
    assert await visitor.ask("update_context", PAGE) == {}
    told = await omar.hear("context_changed")
    assert told == {"user_id": "lena", "user_type": "Buyer", "context": PAGE}
    for client in (visitor, vera, maya):
        assert not await client.heard_so_far("context_changed")


async def test_it_is_told_to_sellers_who_share_a_conversation(server, join, maya, omar):
    await maya.send(omar)
    page = {"url": "http://shop.example/", "title": "All mugs"}
    await maya.ask("update_context", page)
    assert (await omar.hear("context_changed"))["context"] == page
    visitor = await join(server, "Buyer", "maya", seller_id="omar")
    await visitor.ask("update_context", page)
    assert len(await omar.heard_so_far("context_changed")) == 1


async def test_a_seller_who_opens_the_conversation_later_is_told(server, join, maya, omar):
    sent = await maya.send(omar)
    await maya.ask("update_context", PAGE)
    again = await join(server, "Seller", "omar")
    await again.ask("join_room", {"room": sent["conversation_id"]})
    assert (await again.hear("context_changed"))["context"] == PAGE
    await maya.ask("join_room", {"room": sent["conversation_id"]})
    assert not await maya.heard_so_far("context_changed")


async def test_sellers_have_no_context(maya, omar):
    await maya.send(omar)
    assert (await omar.refusal("update_context", PAGE))["code"] == "forbidden"
    assert not await maya.heard_so_far("context_changed")


async def test_it_is_not_stored(server, join, maya, omar):
    await maya.send(omar)
    await maya.ask("update_context", PAGE)
    again = await join(server, "Seller", "omar")
    assert not await again.heard_so_far()
    assert "lichen" not in str(again.ack)


@pytest.mark.parametrize("field", ["url", "product.url", "product.image"])
async def test_addresses_are_http_only(server, join, omar, field):
    maya = await join(server, "Buyer", "maya", seller_id="omar")
    for value in (
        *("javascript:alert(1)", "data:text/html,x", "ftp://shop.example/", "//shop.example/"),
        *("/mugs", "", "https://", " https://shop.example/", "https://shop.example/a b"),
        *("https://shop.example/\n", "https://shop.example@evil.example/", 1, *OPERATORS),
    ):
        part, _, name = field.rpartition(".")
        page = PAGE | ({part: PRODUCT | {name: value}} if part else {name: value})
        error = await maya.refusal("update_context", page)
        assert (error["code"], error["field"]) == ("invalid", field), value
    assert not await omar.heard_so_far("context_changed")


@pytest.mark.parametrize("field", ["title", "language", "time_zone", "product"])
async def test_a_wrong_field_is_named(maya, field):
    for value in (1, *OPERATORS):
        error = await maya.refusal("update_context", PAGE | {field: value})
        assert error["code"] == "invalid", value
        assert error["field"].partition(".")[0] == field, value


async def test_unknown_keys_are_left_out_and_titles_cut(server, join, omar):
    maya = await join(server, "Buyer", "maya", seller_id="omar")
    page = {"url": "https://shop.example/", "title": "two\nlines " + "x" * 5000, "email": "a@b.c"}
    await maya.ask("update_context", page)
    context = (await omar.hear("context_changed"))["context"]
    assert context.keys() == {"url", "title"}
    assert context["title"].startswith("two lines xxx")
    assert len(context["title"]) <= 300
