"""What those need who do not see, do not point, or do not hear of everything at once."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import BUYER, SELLER
from models.events import Typing
from tests.browser.stage import field, messages, say, write
from tests.browser.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

RULES = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]},
}
COLOURS = {"type": "rule", "values": ["color-contrast"]}  # all that differs in the dark
PHONE = {"width": 390, "has_touch": True, "is_mobile": True}
LANGUAGE = {"ltr": "en", "rtl": "ar"}

# What can be used, by the pointer or by the keyboard.
USABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"

# Those that are shown, with their names and the size of what reacts: a label belongs to its field.
SIZES = """(usable) => [...document.querySelectorAll(usable)]
  .filter((element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
  .filter((element) => getComputedStyle(element).clipPath === "none")
  .map((element) => {
    const boxes = [element, element.closest("label"), ...(element.labels ?? [])]
      .filter(Boolean).map((part) => part.getBoundingClientRect());
    const isInText = element.matches("p a, li:not(:has(> a:only-child)) a, dd a, td a, .message a")
      && getComputedStyle(element).display.startsWith("inline");
    return {
      name: `${element.tagName} .${element.className} ${element.textContent.trim().slice(0, 30)}`,
      width: Math.max(...boxes.map(({ width }) => width)),
      height: Math.max(...boxes.map(({ height }) => height)),
      isInText,
    };
  })"""

# Whether somebody who looks at the focused element's middle, or at one of its lines, sees it.
IS_COVERED = """() => {
  const element = document.activeElement;
  const boxes = [...element.getClientRects()].filter((box) => box.width > 1 && box.height > 1);
  return !boxes.some(({ left, right, top, bottom }) => {
    const x = (Math.max(left, 0) + Math.min(right, innerWidth)) / 2;
    const y = (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2;
    const seen = document.elementFromPoint(x, y);
    return seen !== null && (element.contains(seen) || seen.contains(element));
  });
}"""

FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return "";
  const name = element.ariaLabel || element.textContent.trim() || element.name || element.id;
  return name.replace(/\\s+/g, " ").slice(0, 40);
}"""


async def fill(shop: Any) -> str:
    """People of all kinds write, and the conversation that has everything is returned."""
    for number, (id_, name, text) in enumerate(
        [
            ("guest-00000000000000000000000000007f3a", "Guest", "Hello?"),
            ("sara", "سارة منصور", "هل تشحنون إلى عمّان؟"),
            ("emilia", "Emilia Kowalczyk-Brandstätter-Oyelaran-Lindqvist", "x" * 4_000),
        ]
    ):
        buyer = Participant("Buyer", id_)
        await say(shop, buyer, SELLER, text, name=name, client_id=f"fill-{number}")
    await say(shop, SELLER, BUYER, "See https://shop.example/mugs/lichen", subject="Lichen mug")
    await say(shop, SELLER, BUYER, "😍😍")
    return (await say(shop, BUYER, SELLER, "هل تشحنون إلى عمّان؟", "Lena Vogt")).conversation_id


async def views(
    shop: Any, seller: str, buyer: str, open_window: Any, language: str, **how: Any
) -> AsyncIterator[tuple[str, Any]]:
    """Every view in every state, by name: the page, or the frame in it."""
    talk = await fill(shop)
    for name, path, token in [
        ("login", "/login", None),
        ("error", "/nowhere", None),
        ("chat", "/chat/demo-seller", buyer),
        ("chat, empty", "/chat/demo-seller", None),
        ("settings", "/inbox/settings", seller),
        ("inbox widget", "/inbox/widget", seller),
        ("inbox", "/inbox", seller),
        ("inbox, conversation", f"/inbox/{talk}", seller),
        ("inbox, empty", "/inbox", shop.token("Seller", "new-seller", "New Seller")),
    ]:
        page = await open_window(f"{shop.url}{path}?language={language}", token=token, **how)
        if name in {"chat", "chat, empty", "inbox, conversation"}:  # its script runs
            await expect(page.locator(".composer[data-empty]")).to_be_attached()
        yield name, page
        if name == "login":
            await page.locator("#id").fill("demo-seller")
            await page.locator("#password").fill("not the one")
            await page.locator("form button").click()
            await expect(page.get_by_role("alert")).to_be_visible()
            yield "login, refused", page
        if name == "inbox":
            await page.keyboard.press("?")
            await expect(page.get_by_role("dialog")).to_be_visible()
            yield "shortcuts", page
        await page.context.close()

    page = await open_window("about:blank", **how)
    wire = Wire()
    await wire.tap(page)
    wire.refuse("forbidden")
    await page.goto(f"{shop.url}/?language={language}")
    bell = page.locator("button[aria-expanded]")
    await expect(bell).to_be_visible()
    yield "widget, closed", page
    await bell.click()
    widget = page.frames[-1]
    await expect(widget.locator(".composer[data-empty]")).to_be_attached()
    await expect(widget.locator("textarea")).to_be_focused()
    yield "shop with its widget open", page
    yield "widget, empty", widget
    await widget.locator("textarea").fill("And do you ship to Amman?")
    await widget.locator(".composer__send").click()
    await expect(widget.locator('[data-status="failed"]')).to_be_visible()
    yield "widget, failures", widget


@pytest.mark.gen_test(timeout=150)  # some 40 looks at the whole of a page
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
async def test_axe_finds_nothing(shop, seller, buyer, open_window, expected_faults, direction):
    expected_faults += ["401", "404", "RealtimeError: No"]
    found = []
    async for name, page in views(
        shop, seller, buyer, open_window, LANGUAGE[direction], reduced_motion="reduce"
    ):
        found += [f"{name}: {fault}" for fault in await faults(page)]
        await window_of(page).emulate_media(color_scheme="dark")
        found += [f"{name}, dark: {fault}" for fault in await faults(page, runOnly=COLOURS)]
        await window_of(page).emulate_media(color_scheme="light")
    assert found == []


async def test_axe_finds_nothing_in_the_reference(shop, open_window):
    page = await open_window(f"{shop.url}/docs")
    assert await faults(page, rules={"color-contrast": {"enabled": False}}) == []
    # These have all its colours, and the whole would take a minute.
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        assert await faults(page, ".contents", "#errors", "#send_message", runOnly=COLOURS) == []


async def faults(root: Any, *parts: str, **options: Any) -> list[str]:
    """What axe finds in a page or a frame, or only in these parts of it."""
    context = {"include": list(parts)} if parts else None
    results = await Axe().run(root, context, {**RULES, **options})
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in results.response["violations"]
        for node in violation["nodes"]
    ]


def window_of(root: Any) -> Any:
    """The page that a frame is on."""
    return getattr(root, "page", root)


async def test_every_target_can_be_hit_with_a_finger(
    shop, seller, buyer, open_window, expected_faults
):
    expected_faults += ["401", "404", "RealtimeError: No"]
    small = []
    primary = re.compile(
        r"composer__send|icon-button|conversation |conversation$|\.button|jump|trouble__action"
    )
    async for name, page in views(shop, seller, buyer, open_window, "en", **PHONE):
        if name == "shop with its widget open":
            continue  # the shop's own
        for target in await page.evaluate(SIZES, USABLE):
            least = 44 if primary.search(target["name"]) else 24
            size = min(target["width"], target["height"])
            if size < least - 0.5 and not target["isInText"]:
                small.append(f"{name}: {target}")
    assert small == []
    page = await open_window(f"{shop.url}/", **PHONE)
    box = await page.locator("button[aria-expanded]").bounding_box()
    assert min(box["width"], box["height"]) >= 60


# --- The keyboard ---------------------------------------------------------------------------------


async def tab_stops(page: Any, root: Any, most: int = 60) -> list[str]:
    """Presses Tab until the focus is out again, and returns what it met. None may be covered."""
    met: list[str] = []
    for _ in range(most):
        await page.keyboard.press("Tab")
        name = await root.evaluate(FOCUSED)
        if name == "" or (met and name == met[0]):
            return met
        assert not await root.evaluate(IS_COVERED), f"{name} has the focus, and cannot be seen"
        met.append(name)
    raise AssertionError(f"The focus does not come out again: {met}")


@pytest.mark.parametrize("width", [320, 800, 1280])
async def test_the_inbox_is_used_by_the_keyboard_alone(shop, seller, open_window, width):
    talk = await fill(shop)
    for number in range(20):
        await say(shop, Participant("Buyer", f"b{number}"), SELLER, "Hello", f"Buyer {number}")
    page = await open_window(f"{shop.url}/inbox", token=seller, width=width)
    await expect(page.locator('[data-part="connection"]').first).to_have_attribute(
        "data-presence", "online"
    )
    met = await tab_stops(page, page)
    assert met[0] == "Skip to the conversation"
    assert [name for name in met if "Lena Vogt" in name]
    assert [name for name in met if "Buyer 19" in name]
    assert "Menu" in met

    row = page.locator(f'[data-conversation-id="{talk}"].conversation')
    await row.focus()
    await page.keyboard.press("Enter")
    await expect(field(page)).to_be_focused()
    await page.keyboard.type("By the keyboard alone")
    await page.keyboard.press("Enter")
    await expect(messages(page).last).to_contain_text("By the keyboard alone")
    await tab_back_to(page, page.get_by_role("log"))
    if width < 640:
        await tab_back_to(page, page.get_by_role("link", name="Back to the list"))
        await page.keyboard.press("Enter")
        await expect(row).to_be_focused()


async def tab_back_to(page: Any, target: Any) -> None:
    """Presses Shift and Tab until the focus is there; a few links may lie between."""
    for _ in range(6):
        await page.keyboard.press("Shift+Tab")
        if await target.evaluate("target => target === document.activeElement"):
            return
    raise AssertionError(f"The focus is on {await page.evaluate(FOCUSED)}")


async def test_the_widget_is_used_by_the_keyboard_alone(shop, open_window):
    page = await open_window(shop.url)
    bell = page.get_by_role("button", name="Open the chat")
    await bell.focus()
    await page.keyboard.press("Enter")
    widget = page.frame_locator("iframe")
    await expect(field(widget)).to_be_focused()
    await page.keyboard.type("By the keyboard alone")
    await page.keyboard.press("Enter")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await page.keyboard.press("Shift+Tab")
    await expect(widget.get_by_role("log")).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await expect(widget.get_by_role("button", name="Close the chat")).to_be_focused()
    assert not await page.frames[-1].evaluate(IS_COVERED)
    await page.keyboard.press("Shift+Tab")  # not trapped: the shop's page has it again
    assert await page.evaluate("document.activeElement.tagName") != "SHOPBELL-LAUNCHER"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Escape")
    await expect(bell).to_be_focused()


async def test_the_list_has_a_name_and_scrolls_by_the_keyboard(shop, buyer, open_window):
    for number in range(40):
        await say(shop, SELLER, BUYER, f"number {number}", name="Anna’s Ceramics")
    page = await open_window(f"{shop.url}/chat/demo-seller", token=buyer)
    log = page.get_by_role("log", name="Conversation with Anna’s Ceramics")
    await expect(log).to_have_attribute("tabindex", "0")
    await log.focus()
    before = await log.evaluate("list => list.scrollTop")
    await page.keyboard.press("PageUp")
    await page.evaluate(
        """before => new Promise((moved) => {
          const list = document.querySelector("[role=log]");
          const look = () => (list.scrollTop < before - 100 ? moved() : setTimeout(look, 20));
          look();
        })""",
        before,
    )


async def test_focus_stays_visible_over_what_floats_in_a_conversation(shop, buyer, open_window):
    for number in range(30):
        await say(shop, SELLER, BUYER, f"https://shop.example/{number}", name="Anna’s Ceramics")
    page = await open_window(f"{shop.url}/chat/demo-seller", token=buyer, width=390)
    await expect(page.locator(".composer[data-empty]")).to_be_attached()
    await page.get_by_role("log").evaluate("list => { list.scrollTop = -600 }")
    await say(shop, SELLER, BUYER, "Something new", name="Anna’s Ceramics")
    await expect(page.get_by_role("button", name="New messages (1)")).to_be_visible()
    await page.get_by_role("log").focus()
    met = await tab_stops(page, page)
    assert len([name for name in met if name.startswith("https://shop.example/")]) == 30


async def test_password_managers_may_fill_in_and_one_may_paste(shop, open_window):
    page = await open_window(f"{shop.url}/login")
    await expect(page.get_by_label("Seller ID")).to_have_attribute("autocomplete", "username")
    password = page.get_by_label("Password", exact=True)
    await expect(password).to_have_attribute("autocomplete", "current-password")
    await expect(password).to_have_attribute("type", "password")
    await password.focus()
    was_let = await password.evaluate(
        """(input) => input.dispatchEvent(
          new ClipboardEvent("paste", { bubbles: true, cancelable: true, composed: true })
        )"""
    )
    assert was_let


# --- What is read out -----------------------------------------------------------------------------

# Everything that a screen reader would say by itself, in the order in which it appeared.
LISTEN = """() => {
  window.spoken = [];
  const last = new WeakMap();
  const live = "[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]";
  const watch = (changes) => {
    for (const { target, addedNodes } of changes) {
      const element = target instanceof Element ? target : target.parentElement;
      const alerts = [...addedNodes].filter((node) => node instanceof Element)
        .flatMap((node) => [node, ...node.querySelectorAll("*")])
        .filter((node) => node.role === "alert");
      for (const region of [element?.closest(live), ...alerts]) {
        const text = region?.textContent.replace(/\\s+/g, " ").trim();
        if (region && !region.closest("[hidden]") && last.get(region) !== text) {
          last.set(region, text);
          spoken.push(...(text ? [text] : []));
        }
      }
    }
  };
  new MutationObserver(watch).observe(document, {
    subtree: true, childList: true, characterData: true,
    attributes: true, attributeFilter: ["hidden"],
  });
}"""


async def test_what_arrives_is_told_at_most_every_two_seconds(shop, buyer, open_window):
    page = await open_window(f"{shop.url}/login", token=buyer)
    await page.clock.install()
    await page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    await page.goto(f"{shop.url}/chat/demo-seller")
    await expect(messages(page).last).to_be_visible()
    await expect(page.locator(".composer[data-empty]")).to_be_attached()
    await page.evaluate(LISTEN)
    for number in range(3):
        await say(shop, SELLER, BUYER, f"number {number}", name="Anna’s Ceramics")
        await expect(messages(page).last).to_contain_text(f"number {number}")
        await page.clock.run_for(10)
    assert await page.evaluate("spoken") == ["A new message from Anna’s Ceramics"]
    await page.clock.run_for(1_900)
    assert len(await page.evaluate("spoken")) == 1
    await page.clock.run_for(200)
    assert await page.evaluate("spoken") == [
        "A new message from Anna’s Ceramics",
        "2 new messages",
    ]


async def test_history_typing_ticks_and_own_messages_are_silent(shop, buyer, open_window):
    page = await open_window(f"{shop.url}/login", token=buyer)
    await page.add_init_script(f"({LISTEN})()")
    await page.goto(f"{shop.url}/chat/demo-seller")
    await write(page, "My own words")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    tokens = shop.shop.tokens
    who = tokens.read(tokens.issue(SELLER, "Anna’s Ceramics", seconds=60))
    await shop.shop.chat.set_typing(who, Typing(BUYER.id, BUYER.type, True))
    await expect(page.get_by_text("Anna’s Ceramics is typing")).to_be_attached()
    last = await say(shop, SELLER, BUYER, "Something to hear", name="Anna’s Ceramics")
    await expect(page.get_by_text("Anna’s Ceramics is typing")).not_to_be_attached()
    await expect(page.locator('[data-part="news"]')).to_have_text(
        "A new message from Anna’s Ceramics"
    )
    assert last.seq > 1
    await expect(page.locator('.message[data-status="read"]').last).to_be_visible()
    assert await page.evaluate("spoken") == ["A new message from Anna’s Ceramics"]
    log = page.get_by_role("log")
    await expect(log).to_have_attribute("aria-live", "off")


async def test_a_failure_is_told_as_an_alert(shop, buyer, open_window, expected_faults):
    expected_faults += ["RealtimeError: No"]
    page = await open_window(f"{shop.url}/login", token=buyer)
    wire = Wire()
    await wire.tap(page)
    wire.refuse("forbidden")
    await page.add_init_script(f"({LISTEN})()")
    await page.goto(f"{shop.url}/chat/demo-seller")
    await write(page, "This does not go through")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    await expect(page.get_by_role("alert").filter(has_text="Not sent")).to_have_count(1)
    [said] = await page.evaluate("spoken.filter((text) => text.includes('Not sent'))")
    assert said.startswith("Not sent")
