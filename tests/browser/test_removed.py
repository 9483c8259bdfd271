"""What is seen of somebody who was erased, and of a conversation whose beginning is not kept."""

import os

import pytest
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import BUYER, SELLER
from models.erasure import carried_out, ordered
from tests.browser.stage import messages, say

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

REMOVED = "This message was removed"


async def erase(shop, participant):
    """What the command does beside the server."""
    async for _ in carried_out(shop.shop.store, await ordered(shop.shop.store, participant)):
        pass
    await shop.shop.erasures.refresh()


async def test_an_open_page_shows_that_messages_were_removed(shop, seller, open_window):
    """Fails when an element that is there already is not drawn anew, and when the list does not
    follow a reset."""
    sent = await say(shop, BUYER, SELLER, "My secret", "Lena Vogt", subject="Mugs")
    page = await open_window(f"{shop.url}/inbox/{sent.conversation_id}", token=seller)
    await expect(page.locator(".list-foot .presence__word")).to_have_text("Online")
    secret = page.locator(f'.message[data-id="{sent.id}"]')
    await expect(secret.locator(".message__html")).to_have_text("My secret")
    count = await messages(page).count()
    name = page.locator('[data-part="header"] [data-part="name"]')
    await expect(name).to_have_text("Lena Vogt")

    await erase(shop, BUYER)

    preview = page.locator(".conversation__preview")
    for _ in ("at once", "from the server"):
        await expect(secret.locator(".message__html")).to_have_text(REMOVED)
        await expect(secret.locator(".message__topic")).to_have_count(0)
        assert await secret.get_attribute("data-erased") == "true"
        assert await messages(page).count() == count
        await expect(preview).to_have_text(REMOVED)
        await expect(page.locator(".conversation__name")).to_have_text(BUYER.id)
        await expect(name).to_have_text(BUYER.id)
        text = await page.locator("body").inner_text()
        assert not [word for word in ("My secret", "Mugs", "Lena Vogt") if word in text], text
        if folder := os.environ.get("SHOPBELL_PICTURES"):
            await page.screenshot(path=f"{folder}/removed.png")
        await page.reload()


async def test_a_conversation_begins_where_messages_are_kept(shop, seller, open_window):
    """Older ones are offered as long as there are any, and never those that are gone."""
    vera = Participant("Buyer", "vera")
    sent = [await say(shop, vera, SELLER, f"number {number}", "Vera") for number in range(1, 71)]
    chat = shop.shop
    conversation = await chat.ledger.get(sent[0].conversation_id)
    chat.ledger.cut(conversation, 11)
    await chat.store.cut([conversation])
    await chat.store.remove_messages(conversation.id, 1, 10)
    page = await open_window(f"{shop.url}/inbox/{conversation.id}", token=seller)
    await expect(messages(page)).to_have_count(50)
    older = page.get_by_role("link", name="Load older messages")
    await older.click()
    await expect(messages(page)).to_have_count(60)
    await expect(messages(page).first).to_contain_text("number 11")
    await expect(older).to_be_hidden()
