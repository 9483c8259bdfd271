"""The panel by keys alone."""

import re

import pytest
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import SELLER
from tests.browser.stage import field, messages, say

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]


@pytest.fixture
async def inbox(shop, seller, open_window):
    """An inbox with Ben, Ada and Lena, in this order."""
    for name in ("Ada", "Ben"):
        await say(shop, Participant("Buyer", name.lower()), SELLER, f"I am {name}", name)
    page = await open_window(f"{shop.url}/inbox", token=seller)
    await expect(page.locator(".list-foot .presence__word")).to_have_text("Online")
    return page


def row(page, name):
    return page.locator(".conversation", has_text=name)


def dialog(page):
    return page.get_by_role("dialog", name="Keyboard shortcuts")


def opened(page, name):
    return page.locator("main").get_by_role("heading", name=name)


async def test_j_and_k_walk_r_and_enter_reply_escape_goes_back(inbox):
    for key, name in {"j": "Ben", "J": "Ada"}.items():
        await inbox.keyboard.press(key)
        await expect(opened(inbox, name)).to_be_visible()
        await expect(row(inbox, name)).to_be_focused()
    await inbox.keyboard.press("k")
    await expect(opened(inbox, "Ben")).to_be_visible()
    await inbox.keyboard.press("k")
    await expect(opened(inbox, "Ben")).to_be_visible()  # there is none before it
    await inbox.keyboard.press("r")
    await expect(field(inbox)).to_be_focused()
    await expect(field(inbox)).to_have_value("")
    await inbox.keyboard.press("Escape")
    await expect(row(inbox, "Ben")).to_be_focused()
    await inbox.keyboard.press("Enter")
    await expect(field(inbox)).to_be_focused()
    await inbox.keyboard.press("Escape")
    await inbox.keyboard.press("Escape")
    await expect(inbox.get_by_text("Choose a conversation")).to_be_visible()
    await expect(row(inbox, "Ben")).to_be_focused()
    await inbox.keyboard.press("r")  # nobody to reply to
    await expect(row(inbox, "Ben")).to_be_focused()


async def test_keys_are_letters_where_one_writes_and_the_browser_s_with_ctrl(inbox):
    await row(inbox, "Ada").click()
    await expect(field(inbox)).to_be_focused()
    await field(inbox).press_sequentially("jkr?")
    await expect(field(inbox)).to_have_value("jkr?")
    await expect(opened(inbox, "Ada")).to_be_visible()
    await inbox.get_by_role("searchbox").focus()
    await inbox.keyboard.press("j")
    await expect(inbox.get_by_role("searchbox")).to_have_value("j")
    await inbox.get_by_role("searchbox").fill("")
    await row(inbox, "Ada").focus()
    await inbox.keyboard.press("Control+j")
    await inbox.keyboard.press("Alt+k")
    await expect(opened(inbox, "Ada")).to_be_visible()
    await field(inbox).focus()
    await field(inbox).evaluate(
        """(field) => field.dispatchEvent(
          new KeyboardEvent("keydown", {key: "Escape", isComposing: true, bubbles: true}))"""
    )
    await expect(field(inbox)).to_be_focused()


async def test_a_question_mark_lists_them_and_they_can_be_switched_off(inbox):
    await row(inbox, "Ada").focus()
    await inbox.keyboard.press("?")
    await expect(dialog(inbox)).to_be_visible()
    for key in ("J", "K", "R", "Enter", "Esc", "?"):
        await expect(dialog(inbox).get_by_text(key, exact=True).first).to_be_visible()
    await inbox.keyboard.press("j")
    await inbox.keyboard.press("Escape")
    await expect(dialog(inbox)).to_be_hidden()
    await expect(row(inbox, "Ada")).to_be_focused()
    await expect(inbox).to_have_url(re.compile("/inbox$"))

    button = inbox.locator(".list-head").get_by_role("button", name="Keyboard shortcuts")
    await button.click()
    switch = dialog(inbox).get_by_role("switch", name="Single-key shortcuts")
    await expect(switch).to_be_checked()
    await switch.press("Space")
    await inbox.keyboard.press("Escape")
    await expect(button).to_be_focused()
    await inbox.reload()
    await expect(inbox.locator(".list-foot .presence__word")).to_have_text("Online")
    for key in ("j", "?"):
        await inbox.keyboard.press(key)
    await row(inbox, "Ben").click()
    await expect(opened(inbox, "Ben")).to_be_visible()
    await expect(dialog(inbox)).to_be_hidden()
    await inbox.keyboard.press("Escape")  # is no letter
    await expect(row(inbox, "Ben")).to_be_focused()
    await expect(messages(inbox)).to_have_count(1)

    await inbox.get_by_role("button", name="Menu").click()
    await inbox.locator(".menu").get_by_role("button", name="Keyboard shortcuts").click()
    await expect(switch).not_to_be_checked()
