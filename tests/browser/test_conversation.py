import re
import time

import jwt
import pytest
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import BUYER, SELLER
from tests.browser.stage import field, messages, say, write

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

HOSTILE = [
    "<script>window.stolen = 1</script>",
    "<img src=x onerror='window.stolen = 1'>",
    "<svg/onload=window.stolen=1>",
    "</textarea></template><script>window.stolen = 1</script>",
    "\"><iframe srcdoc='<script>parent.stolen = 1</script>'>",
    "javascript:window.stolen=1 http://x.example/'onmouseover='window.stolen=1",
    "{{ 7*7 }} ${window.stolen=1} {% raw %}",
]


async def test_a_buyer_in_the_widget_and_a_seller_in_the_inbox_talk(shop, seller, open_window):
    inbox = await open_window(f"{shop.url}/inbox", token=seller)
    page = await open_window(shop.url)
    await page.get_by_role("button", name="Open the chat").click()
    widget = page.frame_locator("iframe")
    await expect(widget.get_by_role("heading", name="Ask us anything")).to_be_visible()

    await write(widget, "Is the mug dishwasher-safe?")
    mine = messages(widget).last
    await expect(mine).to_contain_text("Is the mug dishwasher-safe?")
    await expect(mine).to_have_attribute("data-status", "delivered")
    row = inbox.get_by_role("link", name=re.compile("^Guest"))
    await expect(row).to_contain_text("Is the mug dishwasher-safe?")
    await expect(row.locator(".conversation__unread")).to_have_text("1 unread")
    await expect(inbox).to_have_title(re.compile(r"^\(2\)"))  # Lena of the demo waits, too

    await row.click()
    await expect(inbox).to_have_url(re.compile("/inbox/[0-9a-f]{24}$"))
    await expect(messages(inbox).last).to_contain_text("Is the mug dishwasher-safe?")
    await expect(mine).to_have_attribute("data-status", "read")
    await expect(inbox.get_by_role("link", name="Breakfast mug, speckled")).to_be_visible()
    await expect(row.locator(".badge")).to_be_hidden()
    await expect(inbox).to_have_title(re.compile(r"^\(1\)"))

    await field(inbox).press_sequentially("Yes, it")
    await expect(widget.get_by_text("Anna’s Ceramics is typing")).to_be_attached()
    await field(inbox).press_sequentially(" is. See https://example.com/care")
    await field(inbox).press("Enter")
    await expect(widget.get_by_text("Anna’s Ceramics is typing")).not_to_be_attached()
    theirs = messages(widget).last
    await expect(theirs.get_by_role("link", name="https://example.com/care")).to_be_visible()
    await expect(messages(inbox).last).to_have_attribute("data-status", "read")

    await page.reload()
    await page.get_by_role("button", name="Open the chat").click()
    await expect(messages(widget)).to_have_count(2)
    await inbox.reload()
    await expect(messages(inbox)).to_have_count(2)
    await expect(messages(inbox).last).to_have_attribute("data-status", "read")


async def test_a_closed_widget_counts_what_arrives(shop, seller, open_window):
    page = await open_window(shop.url)
    await page.get_by_role("button", name="Open the chat").click()
    widget = page.frame_locator("iframe")
    await write(widget, "Hello?")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await field(widget).press("Escape")
    bell = page.get_by_role("button", name="Open the chat")
    await expect(bell).to_be_focused()
    [guest] = [
        place.key
        for conversation in await shop.shop.ledger.newest_of(
            SELLER.key, before=None, limit=9, unread=False
        )
        for place in conversation.places
        if "guest-" in place.key
    ]
    await say(shop, SELLER, Participant.from_key(guest), "Here I am")
    await expect(page.get_by_role("button", name="Open the chat, 1 unread")).to_be_visible()
    await bell.click()
    await expect(messages(widget).last).to_contain_text("Here I am")
    await expect(field(widget)).to_be_focused()


async def test_what_the_shop_s_page_learns_of_the_chat_is_no_text(shop, seller, open_window):
    page = await open_window(shop.url)
    await page.evaluate(
        """() => {
          window.heard = [];
          addEventListener("message", ({ data }) => heard.push(JSON.stringify(data)));
          Shopbell.open();
        }"""
    )
    widget = page.frame_locator("iframe")
    await write(widget, "Nobody else should read this")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    heard = " ".join(await page.evaluate("heard"))
    assert '"shopbell":"guest"' in heard
    assert "Nobody else" not in heard


async def test_whom_the_shop_vouches_for_keeps_what_they_wrote_and_nobody_else_sees_it(
    shop, open_window
):
    def identity(id_, name):
        now = int(time.time())
        claims = {"sub": id_, "name": name, "iat": now, "exp": now + 600}
        return jwt.encode(claims, shop.shop.settings.identity_secret, "HS256")

    page = await open_window(shop.url)
    await page.get_by_role("button", name="Open the chat").click()
    widget = page.frame_locator("iframe")
    await write(widget, "Written as a guest")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await page.evaluate("jwt => Shopbell.identify(jwt)", identity("maya", "Maya"))
    await page.evaluate(
        """() => new Promise((forgotten) => {
          const look = () => (localStorage.length ? setTimeout(look, 20) : forgotten());
          look();
        })"""
    )  # the guest's token, which is no longer needed
    await expect(messages(widget)).to_have_count(1)
    await write(widget, "Written as Maya")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await field(widget).fill("Maya's draft")
    await page.evaluate("jwt => Shopbell.identify(jwt)", identity("lena", "Lena"))
    await expect(messages(widget)).to_have_count(0)
    await expect(field(widget)).to_have_value("")
    await page.evaluate("jwt => Shopbell.identify(jwt)", identity("maya", "Maya"))
    await expect(messages(widget)).to_have_count(2)
    await page.evaluate("Shopbell.logout()")
    await expect(messages(widget)).to_have_count(0)
    await expect(widget.get_by_role("heading", name="Ask us anything")).to_be_visible()
    frame = page.frames[-1]
    assert await frame.evaluate("Object.keys(localStorage)") == []


async def test_what_was_typed_is_inert_on_every_page(shop, seller, buyer, open_window):
    for number, text in enumerate(HOSTILE):
        message = await say(
            shop,
            Participant("Buyer", f"hostile-{number}"),
            SELLER,
            text,
            name=text[:80],
            subject=text,
            client_id=f"h{number}",
        )
        await say(shop, BUYER, SELLER, text, name="Lena Vogt", client_id=f"h{number}")
    for path, token in [
        ("/chat/demo-seller", buyer),
        ("/inbox", seller),
        (f"/inbox/{message.conversation_id}", seller),
        ("/inbox/widget", seller),
    ]:
        page = await open_window(shop.url + path, token=token)
        row = page.get_by_role("link", name="Lena Vogt")
        if await row.count():
            await row.click()
        await expect(messages(page).last).to_contain_text(HOSTILE[-1])
        await say(shop, BUYER, SELLER, HOSTILE[0], name="Lena Vogt")
        await expect(messages(page).last).to_contain_text(HOSTILE[0])
        assert await page.evaluate("window.stolen") is None
        await say(shop, BUYER, SELLER, HOSTILE[-1], name="Lena Vogt")


async def test_without_a_script_one_reads_and_writes(shop, open_window):
    page = await open_window(f"{shop.url}/chat/demo-seller", java_script_enabled=False)
    await field(page).fill("No script here")
    await page.get_by_role("button", name="Send").click()
    await expect(messages(page)).to_have_count(1)
    await field(page).fill("And again")
    await page.get_by_role("button", name="Send").click()
    await expect(messages(page).last).to_contain_text("And again")
    await expect(messages(page).last).to_be_in_viewport()
