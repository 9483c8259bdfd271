"""The one sound."""

import pytest
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import BUYER, SELLER
from tests.browser.stage import say

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

# Counts the bell's strokes instead of sounding: each has one audio context's three tones.
EAR = """
window.AudioContext = class {
  currentTime = 0;
  destination = null;
  resume = async () => {};
  createGain() {
    const still = () => {};
    const gain = {
      setValueAtTime: still,
      linearRampToValueAtTime: still,
      exponentialRampToValueAtTime: still,
    };
    return { gain, connect: (to) => to };
  }
  createOscillator() {
    const start = () => {
      const tones = Number(document.documentElement.dataset.tones ?? 0) + 1;
      document.documentElement.setAttribute("data-tones", tones);
    };
    return { frequency: {}, connect: (to) => to, start, stop() {} };
  }
};
"""


async def ring(shop, id_="ada", text="Hello"):
    return await say(shop, Participant("Buyer", id_), SELLER, text, id_.title())


async def strokes(page):
    return await page.evaluate("Number(document.documentElement.dataset.tones ?? 0) / 3")


@pytest.fixture
async def open_inbox(shop, seller, open_window):
    """Opens an inbox with an ear, in the browser of another one or in its own."""

    async def open_(beside=None):
        if beside is None:
            page = await open_window("about:blank")
            await page.context.add_cookies(
                [{"name": "shopbell_session", "value": seller, "url": shop.url}]
            )
            await page.context.add_init_script(EAR)
        else:
            page = await beside.context.new_page()
        await page.goto(f"{shop.url}/inbox")
        await expect(page.locator(".list-foot .presence__word")).to_have_text("Online")
        return page

    return open_


def switch(page):
    return page.locator('.menu [data-action="sound"]')


async def turn(page):
    await page.get_by_role("button", name="Menu").click()
    await switch(page).click()
    await page.keyboard.press("Escape")


async def heard(page, text):
    """The page has had this message for longer than the bell waits."""
    await expect(page.locator(".conversation", has_text=text)).to_be_visible()
    await page.wait_for_timeout(1000)


async def test_it_is_off_until_it_is_switched_on_by_a_click(shop, open_inbox):
    page = await open_inbox()
    await expect(switch(page)).to_have_attribute("aria-pressed", "false")
    await ring(shop, text="Silence")
    await heard(page, "Silence")
    assert await strokes(page) == 0
    await turn(page)
    await expect(switch(page)).to_have_attribute("aria-pressed", "true")
    assert await strokes(page) == 1  # one hears what one chose
    await page.reload()
    await expect(switch(page)).to_have_attribute("aria-pressed", "true")
    await turn(page)
    await ring(shop, text="Silence again")
    await heard(page, "Silence again")
    assert await strokes(page) == 0


async def test_one_tab_rings_once_in_two_seconds(shop, open_inbox):
    first = await open_inbox()
    second = await open_inbox(beside=first)
    await turn(first)
    await expect(switch(second)).to_have_attribute("aria-pressed", "true")
    await second.get_by_role("heading", name="Inbox").click()  # it may sound from now on
    for page in (first, second):
        await page.evaluate("document.documentElement.setAttribute('data-tones', 0)")
    for text in ("One", "Two", "Three"):
        await ring(shop, text=text)
    for page in (first, second):
        await heard(page, "Three")
    assert await strokes(first) + await strokes(second) == 1


async def test_what_is_before_one_s_eyes_in_any_tab_does_not_ring(shop, open_inbox):
    first = await open_inbox()
    await turn(first)
    second = await open_inbox(beside=first)
    await second.locator(".conversation", has_text="Lena").click()
    await expect(second.locator(".timeline")).to_be_visible()
    await first.evaluate("document.documentElement.setAttribute('data-tones', 0)")
    await say(shop, BUYER, SELLER, "You see me", "Lena Vogt")
    for page in (first, second):
        await heard(page, "You see me")
    assert await strokes(first) + await strokes(second) == 0
    await ring(shop, text="You do not")
    for page in (first, second):
        await heard(page, "You do not")
    assert await strokes(first) + await strokes(second) == 1
