"""Where one writes: keys, length, drafts, and what the other side is told of it."""

import re

import pytest
from playwright.async_api import expect

from models.demo import SELLER
from tests.browser.stage import field, messages, write
from tests.browser.wire import Wire, stop_time

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

NO_STORAGE = """
  Object.defineProperty(window, "localStorage", { get() { throw new DOMException("No."); } });
"""


async def running(page):
    await expect(page.locator(".composer[data-empty]")).to_be_attached()


async def test_enter_sends_and_with_shift_it_breaks_the_line(chat):
    page = await chat()
    before = await messages(page).count()
    await field(page).press_sequentially("one")
    await field(page).press("Shift+Enter")
    await field(page).press_sequentially("two")
    await expect(field(page)).to_have_value("one\ntwo")
    assert await messages(page).count() == before
    await field(page).press("Enter")
    await expect(field(page)).to_have_value("")
    sent = messages(page).last
    await expect(sent).to_have_attribute("data-status", "sent")
    assert await sent.locator(".message__html").inner_text() == "one\ntwo"
    await field(page).fill("  \n ")
    await field(page).press("Enter")
    assert await messages(page).count() == before + 1, "nothing is not sent"


async def test_under_a_finger_enter_breaks_the_line_and_the_button_sends(chat):
    page = await chat(width=390, has_touch=True, is_mobile=True)
    await field(page).press_sequentially("one")
    await field(page).press("Enter")
    await field(page).press_sequentially("two")
    await expect(field(page)).to_have_value("one\ntwo")
    await page.get_by_role("button", name="Send").tap()
    await expect(messages(page).last).to_contain_text("one")
    await expect(field(page)).to_be_focused()  # the keyboard stays up


async def test_enter_that_ends_a_composition_sends_nothing(chat):
    page = await chat()
    before = await messages(page).count()
    await field(page).focus()
    session = await page.context.new_cdp_session(page)
    await session.send(
        "Input.imeSetComposition", {"text": "すし", "selectionStart": 2, "selectionEnd": 2}
    )
    for how in ("isComposing: true", "keyCode: 229"):  # Safari says it by the code alone
        await field(page).evaluate(
            f"(field) => field.dispatchEvent(new KeyboardEvent('keydown', "
            f"{{ key: 'Enter', bubbles: true, cancelable: true, {how} }}))"
        )
    await expect(field(page)).to_have_value("すし")
    assert await messages(page).count() == before
    await session.send("Input.insertText", {"text": "すし"})
    await field(page).press("Enter")
    await expect(messages(page).last).to_contain_text("すし")


async def test_rich_text_is_pasted_as_plain_text(chat, shop):
    page = await chat()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shop.url)
    await page.evaluate(
        """() => navigator.clipboard.write([new ClipboardItem({
          "text/html": new Blob(["<b>bold</b> <i>and</i> <img src=x>"], { type: "text/html" }),
          "text/plain": new Blob(["bold and"], { type: "text/plain" }),
        })])"""
    )
    await field(page).focus()
    await page.keyboard.press("ControlOrMeta+V")
    await expect(field(page)).to_have_value("bold and")


@pytest.mark.parametrize("way", ["field-sizing", "script"])
async def test_the_field_grows_from_one_line_to_six(chat, way):
    init = "" if way == "field-sizing" else "CSS.supports = () => false;"
    page = await chat(init=init, bypass_csp=True)
    if way == "script":
        await page.add_style_tag(content=".composer__text { field-sizing: fixed !important; }")
    heights = []
    for lines in (0, 1, 2, 6, 7, 30):
        await field(page).fill("\n".join(["line"] * lines))
        heights.append(await field(page).evaluate("(field) => field.offsetHeight"))
    empty, one, two, six, seven, many = heights
    assert empty == one == 45
    assert two == one + 22
    assert one + 5 * 22 <= six <= one + 5 * 22 + 3
    assert seven == many == pytest.approx(six, abs=2)
    await field(page).press("Enter")
    await expect(field(page)).to_have_value("")
    assert await field(page).evaluate("(field) => field.offsetHeight") == one


async def test_the_count_is_the_server_s_and_what_is_too_long_is_kept(chat):
    page = await chat()
    count = page.locator(".composer__count")
    await expect(page.get_by_role("textbox", name="Message to Anna’s Ceramics")).to_be_visible()
    await field(page).fill("x" * 3599)
    await expect(count).to_be_hidden()
    await field(page).fill("👍" * 3599 + "e\u0301" + "  \n")
    await expect(count).to_have_text("3,600 of 4,000")
    before = await messages(page).count()
    await field(page).fill("x" * 4001)
    await expect(count).to_have_text("4,001 of 4,000")
    await field(page).press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("A message has at most 4,000 characters.")
    await expect(field(page)).to_have_value("x" * 4001)
    assert await messages(page).count() == before
    longest = " " + "👍" * 3999 + "e\u0301 "
    await field(page).fill(longest)
    await expect(page.get_by_role("alert")).to_have_count(0)
    await field(page).press("Enter")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")


async def test_a_draft_is_kept_within_half_a_second_and_cleared_when_it_is_sent(chat):
    page = await chat(clock=True)
    kept = "Object.keys(localStorage).filter((key) => key.startsWith('shopbell:draft'))"
    await field(page).press_sequentially("Is the va")
    await page.clock.run_for(500)
    assert await page.evaluate(kept) == ["shopbell:draft Buyer:demo-buyer Seller:demo-seller"]
    await page.reload()
    await expect(field(page)).to_have_value("Is the va")
    await field(page).press("Enter")
    await expect(field(page)).to_have_value("")
    assert await page.evaluate(kept) == []
    await page.reload()
    await running(page)
    await expect(field(page)).to_have_value("")


async def test_without_storage_a_page_s_memory_serves(chat):
    page = await chat(init=NO_STORAGE)
    await write(page, "Sent all the same")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await field(page).fill("And a draft")
    await page.evaluate("dispatchEvent(new Event('pagehide'))")
    await expect(field(page)).to_have_value("And a draft")


async def test_a_new_guest_finds_what_they_began_to_write(chat):
    page = await chat(token=None)
    made = page.expect_response(re.compile("/api/session/guest$"))
    async with made:
        await write(page, "Hello")
        await field(page).fill("And one more th")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await page.reload()
    await expect(messages(page)).to_have_count(1)
    await expect(field(page)).to_have_value("And one more th")
    owners = await page.evaluate(
        """Object.keys(localStorage)
          .filter((key) => key.startsWith("shopbell:draft"))
          .map((key) => key.split(" ")[1])"""
    )
    assert len(owners) == 1
    assert owners[0].startswith("Buyer:guest-")


async def test_the_other_side_is_told_of_typing_at_most_every_three_seconds(chat):
    wire = Wire()
    page = await chat(wire=wire, clock=True)
    await wire.until(lambda: bool(wire.events("join_room")))
    await expect(page.locator(".presence").first).to_be_visible()

    def told():
        return [typing["is_typing"] for typing in wire.events("typing")]

    await stop_time(page)
    for _ in range(14):
        await field(page).press("a")
        await page.clock.run_for(500)
    await wire.until(lambda: told() == [True] * 3)  # at 0, 3 and 6 s
    await page.clock.run_for(3_400)
    await page.clock.run_for(200)
    await wire.until(lambda: told() == [True, True, True, False])  # after 4 idle seconds
    await field(page).press("a")
    await field(page).blur()
    await wire.until(lambda: told()[4:] == [True, False])
    await field(page).press("a")
    await page.evaluate("dispatchEvent(new Event('pagehide'))")
    await wire.until(lambda: told()[6:] == [True, False])
    assert {typing["recipient_id"] for typing in wire.events("typing")} == {SELLER.id}
