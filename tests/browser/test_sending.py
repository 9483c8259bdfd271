"""From Enter to "Read": what a message of one's own shows on its way, and what can hold it up."""

import re

import pytest
from playwright.async_api import expect

from models.demo import BUYER, SELLER
from tests.browser.stage import field, messages, say, write
from tests.browser.wire import Wire, is_ack_of_message, stop_time

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]


def last(page):
    return messages(page).last


async def connected(wire, times=1):
    """The room is joined as soon as the registration is taken."""
    await wire.until(lambda: len(wire.events("join_room")) >= times)


async def test_an_own_row_appears_at_once_and_becomes_the_stored_one(chat):
    page = await chat()
    best = await page.evaluate(
        """async () => {
          const times = [];
          for (const text of ["one", "two", "three", "four", "five"]) {
            document.querySelector("textarea").value = text;
            const began = performance.now();
            document.querySelector(".composer").requestSubmit();
            const row = document.querySelector(".timeline__rows > .message:last-child");
            row.getBoundingClientRect();
            times.push(performance.now() - began);
            if (!row.textContent.includes(text)) return Infinity;
            window.row = row;
            window.pending = row.dataset.status;
            await new Promise((next) => setTimeout(next));
          }
          return Math.min(...times);
        }"""
    )
    assert best < 50
    assert await page.evaluate("pending") == "sending"
    await expect(last(page)).to_have_attribute("data-status", "sent")
    assert await page.evaluate("row.isConnected && row.dataset.status") == "sent"
    await expect(messages(page).filter(has_text="five")).to_have_count(1)
    client_id = await last(page).get_attribute("data-client-id")
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", client_id)


async def test_the_states_of_a_message_are_seen_and_said_and_never_go_back(shop, seller, chat):
    wire = Wire()
    wire.holds = is_ack_of_message
    page = await chat(wire)
    await write(page, "Where is it now?")
    mine = last(page)
    state = mine.locator(".message__state")
    tick = mine.locator(".tick:not(.tick--leaving) use")
    await expect(state).to_have_text("Sending")
    await expect(tick).to_have_attribute("href", "#tick-sending")
    wire.relent()
    await wire.close(1012)  # what was under way is sent again, and answered
    await expect(state).to_have_text("Sent")
    await expect(tick).to_have_attribute("href", "#tick-sent")
    place = {
        "message_id": await mine.get_attribute("data-id"),
        "conversation_id": await page.locator(".timeline").get_attribute("data-conversation-id"),
        "seq": int(await mine.get_attribute("data-seq")),
    }
    delivered = {**place, "changes": {"status": "delivered"}}
    wire.say("message_updated", delivered)
    await expect(state).to_have_text("Delivered")
    await expect(tick).to_have_attribute("href", "#tick-delivered")
    read = await page.request.put(
        f"{shop.url}/api/messages/{place['message_id']}/read",
        headers={"Authorization": f"Bearer {seller}", "Content-Type": "application/json"},
        data="{}",
    )
    assert read.ok
    await expect(state).to_have_text(re.compile(r"^Read \d\d?:\d\d"))
    await expect(tick).to_have_attribute("href", "#tick-read")
    wire.say("message_updated", delivered)
    wire.say("user_status_changed", {"user_id": SELLER.id, "user_type": "Seller", "status": "away"})
    await expect(page.locator(".presence__word").first).to_have_text("Away")
    await expect(tick).to_have_attribute("href", "#tick-read")
    await page.reload()
    await expect(state).to_have_text(re.compile(r"^Read \d\d?:\d\d"))


async def test_without_an_answer_for_ten_seconds_one_may_try_again_and_not_delete(chat):
    wire = Wire()
    wire.holds = is_ack_of_message
    page = await chat(wire, clock=True)
    await connected(wire)
    await stop_time(page)
    await write(page, "Anybody there?")
    await wire.until(lambda: bool(wire.events("send_message")))
    await page.clock.run_for(9_900)
    await expect(last(page).locator(".trouble")).to_have_count(0)
    await page.clock.run_for(200)
    await expect(last(page)).to_contain_text("No answer yet")
    await expect(last(page)).to_have_attribute("data-status", "sending")
    await expect(last(page).get_by_role("button", name="Delete")).to_be_hidden()
    wire.relent()
    await last(page).get_by_role("button", name="Try again").press("Enter")
    await expect(last(page)).to_have_attribute("data-status", "sent")
    await expect(messages(page).filter(has_text="Anybody there?")).to_have_count(1)
    ids = {sent["client_id"] for sent in wire.events("send_message")}
    assert len(wire.events("send_message")) == 2
    assert len(ids) == 1
    await expect(page.locator(".timeline")).to_be_focused()  # the button that had it is gone


async def test_a_refused_message_keeps_its_text_says_why_and_may_be_deleted(chat, expected_faults):
    expected_faults.append("RealtimeError")
    wire = Wire()
    wire.refuse("not_found")
    page = await chat(wire)
    await write(page, "First to nobody")
    await write(page, "Then to nobody")
    first, second = messages(page).nth(-2), last(page)
    for row in (first, second):
        await expect(row).to_have_attribute("data-status", "failed")
        await expect(row.get_by_role("alert")).to_contain_text("Not sent. Nobody is here")
    await first.get_by_role("button", name="Delete").click()
    await expect(messages(page).filter(has_text="First to nobody")).to_have_count(0)
    wire.relent()
    await second.get_by_role("button", name="Try again").click()
    await expect(second).to_have_attribute("data-status", "sent")
    await page.reload()
    await expect(last(page)).to_contain_text("Then to nobody")
    await expect(messages(page).filter(has_text="First to nobody")).to_have_count(0)


async def test_a_message_that_may_be_stored_is_never_deleted(chat, expected_faults):
    expected_faults.append("RealtimeError")
    wire = Wire()
    wire.refuse("internal", retry_after=0.05)
    page = await chat(wire)
    await write(page, "Perhaps")
    await expect(last(page)).to_have_attribute("data-status", "failed")
    await expect(last(page).get_by_role("button", name="Try again")).to_be_visible()
    await expect(last(page).get_by_role("button", name="Delete")).to_be_hidden()


@pytest.mark.parametrize("code", ["rate_limited", "unavailable"])
async def test_what_is_refused_for_now_counts_down_and_goes_by_itself(chat, code):
    wire = Wire()
    wire.refuse(code, retry_after=4)
    page = await chat(wire, clock=True)
    await connected(wire)
    await stop_time(page)
    await write(page, "Too fast")
    await expect(last(page)).to_contain_text("Sending again in 4 s")
    await expect(last(page)).to_have_attribute("data-status", "sending")
    await expect(last(page).get_by_role("button")).to_have_count(0)
    wire.relent()
    await page.clock.run_for(2_000)
    await expect(last(page)).to_contain_text("Sending again in 2 s")
    await page.clock.run_for(2_500)
    await expect(last(page)).to_have_attribute("data-status", "sent")
    await expect(last(page).locator(".trouble")).to_have_count(0)


async def test_a_short_break_is_nobody_s_news_and_a_long_one_is(chat, expected_faults):
    expected_faults.append("closed before the connection is established")
    wire = Wire()
    page = await chat(wire, clock=True, init="Math.random = () => 0")  # the shortest waits
    await connected(wire)
    news = page.get_by_role("status").filter(has_text="Connecting…")
    for code in (4408, 4429, 1013):
        joined = len(wire.events("join_room"))
        await wire.close(code)
        await connected(wire, joined + 1)
        await expect(page.locator(".banner")).to_be_hidden()
    await stop_time(page)
    wire.closes_with = 1013
    await wire.close(1013)
    await expect(page.locator(".banner")).to_be_hidden()
    await page.clock.run_for(4_500)
    await expect(page.locator(".banner")).to_be_hidden()
    await page.clock.run_for(1_000)
    await expect(news).to_be_visible()
    await write(page, "Written meanwhile")
    await expect(last(page)).to_have_attribute("data-status", "sending")
    await expect(last(page)).to_be_in_viewport()
    wire.relent()
    await page.clock.resume()
    await expect(last(page)).to_have_attribute("data-status", "sent")
    await expect(news).to_be_hidden()


async def test_who_is_signed_out_is_told_and_comes_back_by_one_click(chat):
    wire = Wire()
    page = await chat(wire)
    await connected(wire)
    await field(page).fill("Not lost")
    await wire.close(4401)
    banner = page.locator(".banner")
    await expect(banner).to_contain_text("You’re signed out here. Nothing you wrote is lost.")
    async with page.expect_navigation():
        await banner.get_by_role("button").click()
    await expect(field(page)).to_have_value("Not lost")
    await expect(banner).to_be_hidden()


async def test_what_was_written_without_a_connection_goes_in_order_and_once(chat, shop):
    wire = Wire()
    wire.closes_with = 1013
    page = await chat(wire)
    for text in ("one", "two", "three"):
        await write(page, f"tunnel {text}")
    await expect(messages(page).filter(has_text="tunnel")).to_have_count(3)
    await page.reload()
    await expect(messages(page).filter(has_text="tunnel")).to_have_count(3)
    await expect(last(page)).to_have_attribute("data-status", "sending")

    other = await page.context.new_page()  # a second tab, while the first is still there
    await other.goto(page.url)
    await expect(field(other)).to_be_visible()
    await write(other, "tab two")
    await expect(last(other)).to_have_attribute("data-status", "sent")
    await expect(messages(other).filter(has_text="tunnel")).to_have_count(0)

    await page.close()  # and now its connection will never come
    await other.reload()
    rows = messages(other).filter(has_text=re.compile("tunnel|tab"))
    await expect(rows).to_have_count(4)
    await expect(rows.last).to_have_attribute("data-status", "sent")
    texts = await rows.locator(".message__html").all_text_contents()
    assert texts == ["tab two", "tunnel one", "tunnel two", "tunnel three"]
    assert (
        await other.evaluate("Object.keys(localStorage).filter((key) => /outbox/.test(key))") == []
    )


async def test_a_first_message_without_a_network_waits_and_goes_by_itself(
    shop, open_window, expected_faults
):
    expected_faults.append("ERR_FAILED")
    page = await open_window("about:blank")
    await page.clock.install()
    guests = re.compile("/api/session/guest$")
    await page.route(guests, lambda route: route.abort())
    await page.goto(f"{shop.url}/chat/demo-seller")
    await write(page, "Is anybody there?")
    await expect(last(page)).to_contain_text("Sending again in")
    await expect(last(page)).to_have_attribute("data-status", "sending")
    await expect(last(page).get_by_role("button", name="Delete")).to_be_visible()
    await page.unroute(guests)
    await last(page).get_by_role("button", name="Try again").click()
    await expect(last(page)).to_have_attribute("data-status", "sent")
    await expect(messages(page)).to_have_count(1)


async def test_a_new_message_rises_and_a_tick_fades_unless_nothing_may_move(chat, shop):
    page = await chat()
    for reduced, milliseconds in ((None, 140), ("reduce", 0)):
        await page.emulate_media(reduced_motion=reduced)
        await page.evaluate(
            """() => {
              window.moved = {};
              addEventListener("animationstart", ({ animationName, target }) => {
                const [animation] = target.getAnimations();
                moved[animationName] = animation?.effect.getTiming().duration ?? 0;
              });
            }"""
        )
        await say(shop, SELLER, BUYER, f"moving for {milliseconds}")
        await write(page, "And mine")
        await expect(last(page)).to_have_attribute("data-status", "sent")
        moved = await page.evaluate("moved")
        assert moved.get("message-rise", 0) == milliseconds
        assert moved.get("tick-leaves", 0) == (120 if milliseconds else 0)
    await expect(page.locator(".tick--leaving")).to_have_count(0)
