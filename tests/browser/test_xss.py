"""S17, S18, S24: the corpus of ``tests/refusals/xss.json`` wherever others' text is shown.

Nothing of it runs, nothing becomes an element, no policy is violated (the fixture ``open_window``
fails on that), and people read it as it was typed. C17, C23, C24, C40.
"""

import asyncio
import re

import pytest
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import BUYER, SELLER
from models.preferences import Preferences
from models.text import clean_message, clean_name, clean_subject, clean_title
from tests.browser.stage import messages, say
from tests.refusals.test_xss import CORPUS, PAYLOADS
from tests.sockets.conftest import connect

__all__ = ["connect"]

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=180)]

CROWD = 8
PEOPLE = [Participant("Buyer", f"hostile-{number}") for number in range(CROWD)]
SAID = [PAYLOADS[number::CROWD] for number in range(CROWD)]  # by each of them

# What no text may bring into a page, and what it may not have done.
TAKEN_OVER = """() => {
  const handlers = (node) => [...node.attributes].some(({ name }) => name.startsWith("on"));
  const strange = "object, embed, applet, base, style, form[action^='javascript'], "
    + "meta[http-equiv], iframe[srcdoc], a[href^='javascript' i], a[href^='data' i], "
    + ".message__html :not(a, br, wbr, span[data-piece])";
  return [
    ...[...document.querySelectorAll("*")].filter(handlers),
    ...document.querySelectorAll(strange),
  ].map((node) => node.outerHTML).concat(window.stolen === undefined ? [] : ["it ran"]);
}"""

ROWS = """() => [...document.querySelectorAll(".timeline .message")].map((row) => [
  row.querySelector(".message__html").textContent,
  row.querySelector(".message__topic")?.textContent ?? null,
])"""


def on_screen(text):
    """A message's text and topic as the page has them; a line break is an element."""
    return [clean_message(text).replace("\n", ""), clean_subject(text[:200])]


async def say_all(shop, number, texts, **more):
    """One of the crowd says them all, under a name that is hostile, too."""
    for text in texts:
        sent = await say(
            shop, PEOPLE[number], SELLER, text, name=text[:80], subject=text[:200], **more
        )
    return sent


async def test_a_seller_reads_every_payload_and_obeys_none(shop, seller, open_window, connect):
    """S17, S24: rows and topics, made by the server and by the script, previews, names, what a
    buyer looks at. Fails when ``message_html`` escapes less, or a script inserts anything else by
    ``innerHTML``."""
    page = await open_window(f"{shop.url}/inbox", token=seller)
    async with asyncio.timeout(20):
        while not shop.shop.hub.registered_of(SELLER.key):
            await asyncio.sleep(0.02)
    last = await asyncio.gather(*(say_all(shop, i, SAID[i]) for i in range(CROWD)))

    for number in range(CROWD):  # the list, as the script made it
        row = page.locator(f'.conversation[data-conversation-id="{last[number].conversation_id}"]')
        preview = clean_message(SAID[number][-1])
        await expect(row.locator(".conversation__preview")).to_have_text(preview)
        name = await row.locator(".conversation__name").text_content()
        assert name in {clean_name(text[:80]) for text in SAID[number]}
    assert await page.evaluate(TAKEN_OVER) == []

    for number in range(CROWD):  # the rows, as the server made them
        await page.goto(f"{shop.url}/inbox/{last[number].conversation_id}")
        await expect(page.locator(".composer[data-empty]")).to_be_attached()
        rows = await page.evaluate(ROWS)
        assert rows == [on_screen(text) for text in SAID[number]]
        assert await page.evaluate(TAKEN_OVER) == []

    number = CROWD - 1  # and as the script makes them, while somebody looks
    await say_all(shop, number, SAID[0])
    await expect(messages(page)).to_have_count(len(SAID[number]) + len(SAID[0]))
    rows = await page.evaluate(ROWS)
    assert rows[len(SAID[number]) :] == [on_screen(text) for text in SAID[0]]
    assert await page.evaluate(TAKEN_OVER) == []

    await page.evaluate(
        """() => {
          window.looked = [];
          const place = document.querySelector('[data-part="looking-what"]');
          new MutationObserver(() => looked.push(place.textContent)).observe(
            place, { childList: true, characterData: true, subtree: true });
        }"""
    )
    visitor = await connect(shop, "Buyer", PEOPLE[number].id, "Visitor")
    await visitor.ask("register_user", {"seller_id": SELLER.id})
    said = []
    for text in PAYLOADS[::3]:
        address = "https://shop.example/" + re.sub(r"[\x00-\x20\x7f]", "", text)
        title = clean_title(text) or "-"
        product = {"name": text[:200], "url": address, "price": text[:40]}
        context = {"url": address, "title": text[:200], "product": product}
        await visitor.ask("update_context", context)
        said.append(title)
    await expect(page.locator('[data-part="looking-what"]')).to_have_text(said[-1])
    assert len(await page.evaluate("window.looked")) >= len(said) // 2  # a title may be repeated
    assert await page.evaluate(TAKEN_OVER) == []


async def test_a_buyer_reads_every_payload_and_obeys_none(shop, buyer, open_window):
    """S17, S24: what a seller writes, in rows of the script and of the server, and their names.

    Fails as the one above.
    """
    page = await open_window(f"{shop.url}/chat/{SELLER.id}", token=buyer)
    await expect(page.locator(".composer[data-empty]")).to_be_attached()
    before = await messages(page).count()
    for text in PAYLOADS[::6]:
        await say(shop, SELLER, BUYER, text, name=text[:80], subject=text[:200])
    written = [on_screen(text) for text in PAYLOADS[::6]]
    await expect(messages(page)).to_have_count(before + len(written))
    assert (await page.evaluate(ROWS))[before:] == written
    assert await page.evaluate(TAKEN_OVER) == []
    await page.reload()
    await expect(page.locator(".composer[data-empty]")).to_be_attached()
    assert (await page.evaluate(ROWS))[-40:] == written[-40:]
    assert await page.evaluate(TAKEN_OVER) == []


async def test_a_shop_s_name_and_greeting_are_text(shop, open_window):
    """S17, S24: a payload of each class as the name and the greeting of a shop, in its chat and its
    widget. Fails when one of them is marked as safe."""
    page = await open_window(f"{shop.url}/login")
    for number, texts in enumerate(CORPUS.values()):
        text = texts[number]
        name = clean_name(text[:80])
        who = shop.shop.tokens.read(shop.token("Seller", "hostile-shop", text[:80]))
        await shop.shop.preferences.save(who, Preferences(greeting=clean_title(text)), None)
        await say(shop, who.participant, SELLER, text, name=text[:80])
        await page.goto(shop.url + ("/chat/", "/widget/")[number % 2] + "hostile-shop")
        await expect(page.locator(".composer[data-empty]")).to_be_attached()
        assert await page.evaluate(TAKEN_OVER) == []
        assert name in await page.locator("body").text_content()
        assert " ".join(name.split()) in await page.title()
