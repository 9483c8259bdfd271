"""The bell and the open widget on a shop's page: place, size, colours, focus, words."""

import asyncio
import io
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import SELLER, SELLER_NAME
from models.preferences import Preferences
from tests.browser.high_street import bell, chat, open_chat
from tests.browser.stage import field, messages, say, write

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

TALL = "<p style='block-size: 150vh'>Tall</p><a href='#'>A link</a>"
WIDE, HIGH = 1280, 800


async def box(page, locator):
    found = await locator.bounding_box()
    return [round(found[name]) for name in ("x", "y", "width", "height")]


async def test_the_bell_and_the_widget_stand_20_px_from_the_corner(street, open_window):
    page = await open_window(street.put(body=TALL))
    await expect(bell(page)).to_be_visible()
    assert await box(page, bell(page)) == [WIDE - 80, HIGH - 80, 60, 60]
    await open_chat(page)
    dialog = page.get_by_role("dialog", name="Chat")
    await dialog.evaluate("(panel) => Promise.all(panel.getAnimations().map((a) => a.finished))")
    assert await box(page, dialog) == [WIDE - 420, HIGH - 660, 400, 640]
    await expect(bell(page)).to_be_hidden()
    await page.set_viewport_size({"width": 700, "height": 500})
    assert await box(page, dialog) == [280, 20, 400, 460]
    await page.emulate_media(media="print")
    await expect(dialog).to_be_hidden()


@pytest.mark.parametrize(
    ("html", "more", "is_at_the_left"),
    [
        ('dir="rtl" lang="ar"', "", True),
        ("", 'data-corner="start"', True),
        ('dir="rtl"', 'data-corner="start"', False),
    ],
)
async def test_the_corner_is_that_of_the_page_s_direction(
    street, open_window, html, more, is_at_the_left
):
    page = await open_window(street.put(street.tag(more), html=html))
    button = page.locator("shopbell-launcher").get_by_role("button")
    await expect(button).to_be_visible()
    assert (await box(page, button))[0] == (20 if is_at_the_left else WIDE - 80)
    await button.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    assert (await box(page, dialog))[0] == (20 if is_at_the_left else WIDE - 420)


async def test_language_and_corner_come_from_the_tag_then_the_seller_then_the_page(
    street, open_window
):
    shop = street.server.shop
    who = shop.tokens.read(shop.tokens.issue(SELLER, SELLER_NAME, seconds=60))
    page = await open_window(street.put(html='lang="es-MX"'))

    async def spoken():
        await page.locator("shopbell-launcher").get_by_role("button").click()
        await expect(chat(page).get_by_role("textbox")).to_be_visible()
        dialog = await page.get_by_role("dialog").bounding_box()
        corner = "start" if dialog["x"] < WIDE / 2 else "end"
        return await chat(page).locator("html").get_attribute("lang"), corner

    assert await spoken() == ("es", "end")
    await shop.preferences.save(who, Preferences(language="de", corner="start", accent="#f2c230"))
    await page.reload()
    button = page.locator("shopbell-launcher").get_by_role("button")
    await expect(button).to_have_css("background-color", "rgb(242, 194, 48)")
    assert await spoken() == ("de", "start")
    tag = street.tag('data-language="en" data-corner="end"')
    await page.goto(street.put(tag, html='lang="es-MX"'))
    assert await spoken() == ("en", "end")


async def test_the_count_is_in_the_badge_and_in_the_name_and_stays_short(street, open_window):
    maya = Participant("Buyer", "guest-" + "m" * 22)
    page = await open_window(street.put(""))
    token = street.server.token("Buyer", maya.id, "Guest")
    await say(street.server, maya, SELLER, "Hello?")
    for number in range(3):
        await street.answer(maya, f"number {number}")
    user = {"id": maya.id, "type": "Buyer", "name": "Guest", "verified": False}
    await page.evaluate(
        "([key, guest]) => localStorage.setItem(key, JSON.stringify(guest))",
        [f"shopbell {street.chat} demo-seller", {"token": token, "user": user}],
    )
    await page.goto(street.put())
    button = page.get_by_role("button", name="Open the chat, 3 unread")
    await expect(button).to_be_visible()
    await expect(button.locator("b")).to_have_text("3")
    for number in range(3, 101):
        await street.answer(maya, f"number {number}")
    await expect(page.get_by_role("button", name="Open the chat, 101 unread")).to_be_visible()
    await expect(bell(page).locator("b")).to_have_text("99+")


async def test_focus_goes_to_the_composer_and_back_and_nothing_that_arrives_takes_it(
    street, open_window
):
    body = "<input aria-label='Search'><button onclick='Shopbell.open()'>Ask</button>"
    page = await open_window(street.put(body=body))
    search = page.get_by_role("textbox", name="Search")
    ask = page.get_by_role("button", name="Ask", exact=True)
    await ask.focus()
    await page.keyboard.press("Enter")
    widget = chat(page)
    await expect(field(widget)).to_be_focused()
    await write(widget, "Hello?")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await page.keyboard.press("Escape")
    await expect(ask).to_be_focused()

    await bell(page).click()
    await expect(field(widget)).to_be_focused()
    await search.click()
    await street.answer(await street.guest(), "Here I am")
    await expect(messages(widget)).to_have_count(2)
    await expect(search).to_be_focused()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_have_attribute("aria-modal", "false")
    await expect(dialog.locator("iframe")).to_have_attribute("title", "Chat")

    # Tab goes through the page and the widget and on: it is not kept in there.
    seen = []
    for _ in range(15):
        await page.keyboard.press("Tab")
        seen.append(await page.evaluate("document.activeElement.localName"))
    inside = seen.index("shopbell-launcher")
    assert seen[inside - 1] == "button"
    assert {"input", "body"} & set(seen[inside:]), "out again at the other end"


async def test_on_a_phone_it_is_the_screen_and_the_page_behind_waits(street, open_window):
    page = await open_window(street.put(body=TALL), width=390)
    await page.evaluate("scrollTo(0, 200)")
    widget = await open_chat(page)
    dialog = page.get_by_role("dialog")
    await dialog.evaluate("(panel) => Promise.all(panel.getAnimations().map((a) => a.finished))")
    assert await box(page, dialog) == [0, 0, 390, HIGH]
    await expect(dialog).to_have_attribute("aria-modal", "true")
    assert await page.evaluate("document.body.inert")
    await page.mouse.move(200, 60)
    await page.mouse.wheel(0, 300)
    assert await page.evaluate("getComputedStyle(document.documentElement).overflowY") == "hidden"
    assert await page.evaluate("scrollY") == 200
    first = widget.locator("a, button:visible, [tabindex], textarea").first
    await expect(first).to_have_accessible_name("Close the chat")
    await page.set_viewport_size({"width": 700, "height": HIGH})
    await expect(dialog).to_have_attribute("aria-modal", "false")
    await page.set_viewport_size({"width": 390, "height": HIGH})
    await widget.get_by_role("button", name="Close the chat").click()
    await expect(bell(page)).to_be_focused()
    assert not await page.evaluate("document.body.inert")
    assert await page.evaluate("scrollY") == 200
    assert await page.evaluate("getComputedStyle(document.documentElement).overflowY") == "visible"


async def test_a_chat_that_does_not_come_can_be_closed(street, open_window):
    page = await open_window(street.put(), width=390)
    asked = asyncio.Event()
    await page.route("**/widget/*", lambda _route: asked.set())  # and never answers
    await bell(page).click()
    await asked.wait()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.get_by_role("button", name="Chat").click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    assert not await page.evaluate("document.body.inert")


async def test_there_is_no_white_box_on_a_dark_page(street, open_window):
    """Neither before the frame is there, nor at its round corners, nor afterwards."""
    dark = "<style>:root { color-scheme: dark; background: #101010 }</style>"
    page = await open_window(street.put(dark + street.tag()), color_scheme="dark")
    waiting = []

    async def wait(route):
        waiting.append(route)

    await page.context.route("**/widget/demo-seller*", wait)
    await bell(page).click()
    dialog = page.get_by_role("dialog")
    await dialog.evaluate("(panel) => Promise.all(panel.getAnimations().map((a) => a.finished))")

    async def brightest():
        x, y, width, height = await box(page, dialog)
        clip = {"x": x, "y": y, "width": width, "height": height}
        picture = Image.open(io.BytesIO(await page.screenshot(clip=clip))).convert("L")
        places = [(1, 1), (width - 2, height - 2), (width // 2, 3), (5, height // 2)]
        found: Any = [picture.getpixel(place) for place in places]
        return max(found)

    assert await brightest() < 64
    await waiting[0].continue_()
    await expect(field(chat(page))).to_be_focused()
    assert await brightest() < 64


async def test_reduced_motion_and_forced_colours(street, open_window):
    page = await open_window(street.put(), reduced_motion="reduce", forced_colors="active")
    await expect(bell(page)).to_have_css("transition-property", "none")
    await bell(page).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_have_css("animation-name", "none")
    await expect(dialog).to_have_css("outline-style", "solid")


async def test_no_style_of_the_page_reaches_the_bell(street, open_window):
    wild = (
        "<style>* { display: none; position: static; opacity: 0.2 !important; margin: 9px }"
        "html, body, h1 { display: block; opacity: 1 !important }"
        "button { color: red !important }</style>"
    )
    page = await open_window(street.put(wild + street.tag()))
    await expect(bell(page)).to_be_visible()
    assert await box(page, bell(page)) == [WIDE - 80, HIGH - 80, 60, 60]
    await expect(page.locator("shopbell-launcher")).to_have_css("opacity", "1")
