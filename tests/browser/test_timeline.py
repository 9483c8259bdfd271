"""The list of messages: what moves it and what does not, what it loads, and what counts as seen."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect

from models.demo import BUYER, SELLER
from tests.browser.stage import field, messages, say, write
from tests.browser.wire import Wire, is_ack_of_message, is_new_message, stop_time
from tests.store.cast import eventually

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

LOADS = re.compile(r"/api/messages/conversation/")


async def hear(shop, *texts, **rest):
    """The seller writes."""
    for text in texts:
        sent = await say(shop, SELLER, BUYER, text, name="Anna’s Ceramics", **rest)
    return sent


async def registered(wire):
    """The room is joined as soon as the registration is taken."""
    await wire.until(lambda: bool(wire.events("join_room")))


async def scroll_to(page, from_end):
    """So many pixels above the end, and the first row on the screen is remembered there."""
    await page.evaluate(
        """async (fromEnd) => {
          const list = document.querySelector(".timeline");
          list.scrollTop = -fromEnd;
          const frame = () => new Promise((painted) => requestAnimationFrame(painted));
          await frame().then(frame);
          const top = list.getBoundingClientRect().top;
          const rows = [...document.querySelectorAll(".message")];
          window.watched = rows.find((row) => row.getBoundingClientRect().bottom > top);
          window.place = watched.getBoundingClientRect().top;
        }""",
        from_end,
    )


async def moved(page):
    """How far that row is from where it was."""
    return await page.evaluate("Math.abs(watched.getBoundingClientRect().top - place)")


async def from_end(page):
    return await page.evaluate("Math.round(-document.querySelector('.timeline').scrollTop)")


async def test_history_reads_before_any_script_runs(shop, chat):
    await hear(shop, *(f"number {number}" for number in range(60)))
    page = await chat(java_script_enabled=False)
    await expect(messages(page)).to_have_count(50)
    await expect(messages(page).last).to_have_text(re.compile("number 59"))
    await expect(messages(page).last).to_be_in_viewport()
    await page.get_by_role("link", name="Load older messages").click()
    await expect(messages(page).last).to_contain_text("number 9")

    page = await chat()
    scrolling = await page.evaluate(
        """[...document.querySelectorAll("main *")]
          .filter((element) => element.scrollHeight > element.clientHeight + 1)
          .filter((element) => /auto|scroll/.test(getComputedStyle(element).overflowY))
          .map((element) => element.className)"""
    )
    assert scrolling == ["timeline"]
    assert await from_end(page) == 0


async def test_only_who_is_near_the_end_is_taken_along(shop, chat):
    await hear(shop, *(f"number {number}" for number in range(40)))
    page = await chat()
    await scroll_to(page, 100)
    await hear(shop, "near enough")
    await expect(messages(page).last).to_contain_text("near enough")
    assert await from_end(page) == 0

    await scroll_to(page, 102)
    await hear(shop, "one")
    await expect(page.get_by_role("button", name="New messages (1)")).to_be_visible()
    await hear(shop, "two")
    jump = page.get_by_role("button", name="New messages (2)")
    await expect(jump).to_be_visible()
    assert await moved(page) <= 1
    await jump.click()
    assert await from_end(page) == 0
    await expect(jump).to_be_hidden()

    await scroll_to(page, 400)
    await write(page, "my own")
    await expect(messages(page).last).to_contain_text("my own")
    assert await from_end(page) == 0


async def test_a_long_history_comes_page_by_page_and_nothing_moves(shop, chat):
    await hear(shop, *(f"number {number}" for number in range(420)))
    page = await chat()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    count = await messages(page).count()
    while await page.get_by_role("link", name="Load older messages").is_visible():
        first = await messages(page).first.get_attribute("data-seq")
        await scroll_to(page, 100_000)
        await expect(messages(page).first).not_to_have_attribute("data-seq", first)
        assert await moved(page) <= 1
        count = await messages(page).count()
        assert count <= 320
    assert count >= 300
    await expect(messages(page).first).to_have_attribute("data-seq", "1")
    loads = [url for url in asked if LOADS.search(url)]
    assert len(loads) == len(set(loads)), "no page was asked for twice"
    await scroll_to(page, 100_000)

    await hear(shop, "the newest")  # which is not drawn into what is cut off
    await expect(page.get_by_role("button", name="New messages (1)")).to_be_visible()
    assert await moved(page) <= 1
    assert not await messages(page).filter(has_text="the newest").count()
    await page.get_by_role("button", name="New messages (1)").click()
    await expect(messages(page).last).to_contain_text("the newest")
    assert await from_end(page) == 0
    assert await messages(page).count() == 50


TELL_ONLY_WHEN_ASKED = """
  const Observer = IntersectionObserver;
  const late = [];
  window.tellAll = () => late.forEach((tell) => tell());
  window.IntersectionObserver = class extends Observer {
    constructor(callback, options) {
      const held = [];
      super((changes) => held.push(...changes), options);
      late.push(() => held.length && callback(held.splice(0), this));
    }
  };
"""


async def test_older_ones_come_also_when_the_top_goes_and_comes_within_one_busy_moment(shop, chat):
    await hear(shop, *(f"number {number}" for number in range(120)))
    page = await chat(init=TELL_ONLY_WHEN_ASKED)
    await page.evaluate("window.tellAll()")
    await scroll_to(page, 100_000)
    await scroll_to(page, 0)
    await scroll_to(page, 100_000)
    async with page.expect_response(LOADS):
        await page.evaluate("window.tellAll()")


async def test_what_is_written_far_from_the_end_is_seen_at_once(shop, chat):
    await hear(shop, *(f"number {number}" for number in range(340)))
    page = await chat()
    for _ in range(6):
        first = await messages(page).first.get_attribute("data-seq")
        await scroll_to(page, 100_000)
        await expect(messages(page).first).not_to_have_attribute("data-seq", first)
    await expect(page.get_by_role("button", name="Newest messages")).to_be_visible()
    await field(page).fill("From far above")
    await page.evaluate("document.querySelector('.composer').requestSubmit()")
    text = "document.querySelector('.message:last-child').textContent"
    assert "From far above" in await page.evaluate(text)
    await expect(messages(page)).to_have_count(51)
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    assert await from_end(page) == 0


async def test_the_button_loads_older_ones_by_keyboard_and_after_a_failure(
    shop, chat, expected_faults
):
    expected_faults.append("ERR_FAILED")
    await hear(shop, *(f"number {number}" for number in range(60)))
    page = await chat()
    failed = []

    async def fail(route):
        failed.append(route.request.url)
        await route.abort()

    await page.route(LOADS, fail)
    older = page.get_by_role("link", name="Load older messages")
    banner = page.locator(".banner")
    await older.focus()  # scrolls there, which loads as well
    await expect(banner).to_contain_text("The messages could not be loaded.")
    by_scrolling = len(failed)
    await page.keyboard.press("Enter")
    await eventually(lambda: len(failed) > by_scrolling)
    await expect(banner).to_contain_text("The messages could not be loaded.")
    await page.unroute(LOADS)
    await banner.get_by_role("button", name="Try again").click()
    await expect(banner).to_be_hidden()
    await expect(older).to_be_hidden()
    assert await messages(page).count() >= 60


async def test_times_and_days_are_the_reader_s(shop, chat):
    await hear(shop, "When is it there?")
    for zone, script in (("Pacific/Kiritimati", True), ("Pacific/Kiritimati", False)):
        page = await chat(timezone_id=zone, java_script_enabled=script)
        time = messages(page).last.locator("time")
        written = await time.get_attribute("datetime")
        at = datetime.fromisoformat(written).astimezone(ZoneInfo(zone if script else "UTC"))
        await expect(time).to_have_text(re.compile(f"^0?{at.hour}:{at:%M}$"))
        assert str(at.year) in await time.get_attribute("title")
        await expect(page.locator(".day").last).to_have_text("Today")


async def test_what_was_overtaken_goes_to_its_place(shop, chat):
    wire = Wire()
    page = await chat(wire)
    await registered(wire)
    wire.holds = is_new_message
    await hear(shop, "the first of two")
    await hear(shop, "the second of two")
    wire.relent()
    await hear(shop, "and a third")
    rows = messages(page)
    await expect(rows.last).to_contain_text("and a third")
    await expect(rows.nth(-2)).to_contain_text("the second of two")
    await expect(rows.nth(-3)).to_contain_text("the first of two")


async def test_what_was_missed_is_asked_for_after_a_break_and_after_a_minute_out_of_sight(
    shop, chat
):
    wire = Wire()
    page = await chat(wire, clock=True)
    await registered(wire)
    wire.closes_with = 1013
    await wire.close(1013)
    await hear(shop, "while away")
    wire.relent()
    await page.clock.fast_forward(60_000)
    await expect(messages(page).last).to_contain_text("while away")

    wire.holds = is_new_message
    await show(page, "hidden")
    await hear(shop, "while out of sight")
    await page.clock.fast_forward(61_000)
    wire.relent()
    await show(page, "visible")
    await expect(messages(page).last).to_contain_text("while out of sight")
    await expect(messages(page).filter(has_text="while")).to_have_count(2)


async def show(page, state):
    await page.evaluate(
        """(state) => {
          Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


async def test_a_reset_reloads_quietly_and_keeps_what_is_being_written(shop, chat):
    wire = Wire()
    message = await hear(shop, "as it was")
    page = await chat(wire)
    await registered(wire)
    wire.holds = is_ack_of_message
    await write(page, "on its way")
    await field(page).fill("begun")
    async with page.expect_response(LOADS):
        wire.say("reset", {"conversation_id": message.conversation_id})
    await expect(messages(page).filter(has_text="as it was")).to_have_count(1)
    await expect(messages(page).filter(has_text="on its way")).to_have_count(1)
    await expect(field(page)).to_have_value("begun")
    await expect(page.locator(".banner")).to_be_hidden()


async def test_typing_is_shown_for_six_seconds_moves_nothing_and_is_not_read_out(shop, chat):
    wire = Wire()
    message = await hear(shop, *(f"number {number}" for number in range(30)))
    page = await chat(wire, clock=True)
    await registered(wire)
    typing = {
        "conversation_id": message.conversation_id,
        "sender_id": SELLER.id,
        "sender_type": "Seller",
        "sender_name": "Anna",
        "is_typing": True,
        "expires_in": 6,
    }
    line = page.get_by_text("Anna is typing")
    await scroll_to(page, 300)
    await stop_time(page)
    wire.say("user_typing", typing)
    await expect(line).to_be_attached()
    assert await moved(page) <= 1
    live = await line.evaluate("(line) => line.closest('[aria-live]').getAttribute('aria-live')")
    assert live == "off"
    await page.clock.run_for(5_500)
    await expect(line).to_be_attached()
    await page.clock.run_for(600)
    await expect(line).not_to_be_attached()
    wire.say("user_typing", typing)
    await expect(line).to_be_attached()
    await hear(shop, "and here it is")
    await expect(line).not_to_be_attached()


async def test_only_what_is_on_the_screen_of_somebody_who_looks_is_read(shop, chat):
    wire = Wire()
    await hear(shop, *(f"number {number}" for number in range(30)))
    page = await chat(wire, clock=True, init="document.hasFocus = () => window.focused ?? false")
    await registered(wire)
    await page.clock.run_for(2_000)
    assert wire.events("mark_as_read") == [], "visible, but not focused"
    await scroll_to(page, 500)
    await page.evaluate("window.focused = true")
    newest = await hear(shop, "not seen yet")
    await expect(page.get_by_role("button", name="New messages (1)")).to_be_visible()
    await page.evaluate("dispatchEvent(new Event('focus'))")
    await page.clock.run_for(2_000)
    await wire.until(lambda: bool(wire.events("mark_as_read")))
    [first] = wire.events("mark_as_read")
    assert first["seq"] < newest.seq, "what is below the screen is not seen"
    await page.get_by_role("button", name="New messages (1)").click()
    await expect(messages(page).last).to_be_in_viewport()
    await page.clock.run_for(2_000)
    await wire.until(lambda: len(wire.events("mark_as_read")) > 1)
    assert [told["seq"] for told in wire.events("mark_as_read")] == [first["seq"], newest.seq]


async def test_a_short_look_elsewhere_changes_nothing_and_a_long_one_leaves_the_room(shop, chat):
    wire = Wire()
    await hear(shop, "Look")
    page = await chat(wire, clock=True)
    await registered(wire)
    await expect(page.locator(".timeline")).to_have_attribute(
        "data-conversation-id", re.compile(".")
    )
    await wire.until(lambda: bool(wire.events("join_room")))
    await stop_time(page)
    said = [frame["event"] for frame in wire.sent]
    for _ in range(3):
        await show(page, "hidden")
        await page.clock.run_for(4_500)
        await show(page, "visible")
        await page.clock.run_for(100)
    events = [frame["event"] for frame in wire.sent[len(said) :]]
    assert not {"leave_room", "join_room", "update_status", "register_user"} & set(events)
    await show(page, "hidden")
    await page.clock.run_for(5_500)
    await wire.until(lambda: bool(wire.events("leave_room")))
    await show(page, "visible")
    await wire.until(lambda: len(wire.events("join_room")) == 2)


async def test_up_to_six_emoji_alone_are_large(shop, chat):
    await hear(shop, "👩‍👩‍👧‍👦🇩🇪👍🏽❤️", "😀😀😀😀😀😀😀", "ok 👍")
    page = await chat()
    await write(page, "😍😍")
    sizes = await page.evaluate(
        """[...document.querySelectorAll(".message__text")].slice(-4)
          .map((text) => getComputedStyle(text).fontSize)"""
    )
    assert sizes == ["40px", "15px", "15px", "40px"]


async def test_links_are_safe_show_their_host_and_break_between_their_parts(shop, chat):
    address = "https://annas-ceramics.example/bowls/lichen-glaze/a-very-long-name-of-a-bowl?size=24"
    await hear(shop, f"Here it is, as promised: {address}", "Or https://a-b-c.example/care-guide")
    page = await chat(width=390)
    link = page.get_by_role("link", name=address)
    assert await link.get_attribute("rel") == "nofollow ugc noopener noreferrer"
    assert await link.get_attribute("target") == "_blank"
    pieces = link.locator("[data-piece]")
    lines = "(piece) => piece.getClientRects().length"
    assert await pieces.first.text_content() == "https://annas-ceramics.example/"
    assert await pieces.first.evaluate(lines) == 1
    short = page.get_by_role("link", name="https://a-b-c.example/care-guide")
    assert await short.evaluate(lines) == 1
    copied = (
        await messages(page)
        .nth(-2)
        .evaluate(
            "(row) => { getSelection().selectAllChildren(row.querySelector('.message__html'));"
            " return String(getSelection()); }"
        )
    )
    assert copied == f"Here it is, as promised: {address}"


async def test_bubbles_are_as_wide_as_their_longest_line(shop, chat):
    await hear(shop, "Incomprehensibilities are what I collect, " * 2)
    page = await chat(width=390)
    await write(page, "Could I collect them on Saturday afternoon, or rather on Sunday?")
    measure = """(row) => {
      const text = row.querySelector(".message__text");
      const lines = [...text.children].flatMap((part) => [...part.getClientRects()]);
      const end = Math.max(...lines.map(({ right }) => right));
      const apart = lines.length > 1 && lines.at(-1).top > lines.at(-2).bottom;
      return [lines.length, text.getBoundingClientRect().right - end, apart];
    }"""
    for size in (390, 340, 600):
        await page.set_viewport_size({"width": size, "height": 800})
        await page.wait_for_function(
            """(size) => new Promise((done) => {
              const look = () => done(innerWidth === size);
              requestAnimationFrame(() => requestAnimationFrame(look));
            })""",
            arg=size,
        )
        for row in (messages(page).nth(-2), messages(page).last):
            lines, spare, time_apart = await row.evaluate(measure)
            assert lines > 2
            assert not time_apart
            assert -6 < spare < 6, "as wide as its longest line, but for a space at its end"


async def test_long_words_and_long_texts_and_other_directions_stay_within(shop, chat):
    await hear(shop, "x" * 4000, "هل يمكنني استلامها يوم السبت؟ " * 20, "word " * 799)
    page = await chat(width=320)
    await write(page, "W" * 300)
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    wide = await page.evaluate(
        """() => {
          const list = document.querySelector(".timeline");
          const edge = list.getBoundingClientRect();
          const out = [...document.querySelectorAll(".message__bubble")]
            .map((bubble) => bubble.getBoundingClientRect())
            .filter(({ left, right }) => left < edge.left || right > edge.right);
          return [list.scrollWidth - list.clientWidth, out.length];
        }"""
    )
    assert wide == [0, 0]
    arabic = messages(page).nth(-3).locator(".message__text")
    assert await arabic.evaluate("(text) => getComputedStyle(text).direction") == "rtl"


async def test_a_keyboard_over_the_page_covers_neither_the_end_nor_the_composer(shop, chat):
    await hear(shop, *(f"number {number}" for number in range(30)))
    page = await chat(
        width=390,
        init="""
          window.eyes = Object.assign(new EventTarget(), { height: innerHeight, scale: 1 });
          Object.defineProperty(window, "visualViewport", { value: eyes });
        """,
    )
    see = "(height) => { eyes.height = height; eyes.dispatchEvent(new Event('resize')); }"
    bottom = "document.querySelector('.composer').getBoundingClientRect().bottom"
    await page.evaluate(see, 420)
    assert await page.evaluate(bottom) <= 420
    assert await from_end(page) == 0
    end = await messages(page).last.evaluate("(row) => row.getBoundingClientRect().bottom")
    assert 64 < end < 420
    await page.evaluate(see, 800)
    assert await page.evaluate(bottom) == 800
    await page.evaluate("eyes.scale = 2")
    await page.evaluate(see, 400)  # whoever zooms in wants the page as it is
    assert await page.evaluate(bottom) == 800
    size = await field(page).evaluate("(field) => parseFloat(getComputedStyle(field).fontSize)")
    assert size >= 16, "else iOS zooms in"
    viewport = page.locator("meta[name=viewport]")
    await expect(viewport).to_have_attribute("content", re.compile("viewport-fit=cover"))
    await expect(viewport).to_have_attribute("content", re.compile("resizes-content"))
