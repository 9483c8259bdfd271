"""What the reader's system asks for: less motion, its own colours, large text, the dark; and narrow
windows."""

import io
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import BUYER, SELLER
from models.events import MarkAsRead, Typing
from tests.browser.stage import field, messages, say, write
from tests.contrast import contrast

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

# What moved since the page began, and who asked to scroll smoothly.
WATCH_MOTION = """() => {
window.moved = [];
for (const kind of ["animationstart", "transitionrun"]) {
  addEventListener(kind, (event) => {
    const [target] = event.composedPath();
    moved.push(`${kind} ${event.animationName ?? event.propertyName} ${target.className}`);
  }, true);
}
for (const name of ["scrollTo", "scrollBy", "scroll", "scrollIntoView"]) {
  const scroll = Element.prototype[name];
  Element.prototype[name] = function (...given) {
    if (given[0]?.behavior === "smooth") moved.push(`${name} smooth`);
    return scroll.apply(this, given);
  };
}
}"""

# What reaches past the window's side, and what hides a part of its text without a sign of it.
TOO_WIDE = """() => [document.documentElement, ...document.querySelectorAll("*")]
  .filter((element) => element.checkVisibility() && element.clientWidth > 1)
  .filter((element) => {
    const { overflowX, textOverflow, whiteSpace } = getComputedStyle(element);
    const scrolls = element === document.documentElement || overflowX !== "visible";
    const isOther = element.matches("pre, textarea, input, svg, .visually-hidden")
      || element.closest("[aria-hidden=true]");
    return scrolls && !isOther && textOverflow !== "ellipsis"
      && element.scrollWidth > element.clientWidth + 1;
  })
  .map((element) => `${element.tagName} .${element.className} ${element.scrollWidth}`)"""


async def use(page: Any, shop: Any) -> None:
    """Does what sets things in motion: typing dots, a new row, a tick, the jump to the end."""
    tokens = shop.shop.tokens
    who = tokens.read(tokens.issue(SELLER, "Anna’s Ceramics", seconds=60))
    await write(page, "Something of mine")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await shop.shop.chat.set_typing(who, Typing(BUYER.id, BUYER.type, True))
    await expect(page.locator(".typing")).to_be_visible()
    await say(shop, SELLER, BUYER, "An answer", name="Anna’s Ceramics")
    await expect(messages(page).last).to_contain_text("An answer")
    await page.get_by_role("log").evaluate("list => { list.scrollTop = -400 }")
    await say(shop, SELLER, BUYER, "And more", name="Anna’s Ceramics")
    await page.get_by_role("button", name="New messages (1)").click()
    await expect(messages(page).last).to_be_in_viewport()
    await page.get_by_role("button", name="Send").hover()


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
async def test_nothing_moves_for_who_asks_for_less_motion(shop, buyer, open_window, wish):
    for number in range(20):
        await say(shop, SELLER, BUYER, f"number {number}", name="Anna’s Ceramics")
    page = await open_window(f"{shop.url}/login", token=buyer, reduced_motion=wish)
    await page.add_init_script(f"({WATCH_MOTION})()")
    await page.goto(f"{shop.url}/chat/demo-seller")
    await use(page, shop)
    moved = await page.evaluate("moved")
    smooth = await page.evaluate(
        """[...document.querySelectorAll("*")]
          .filter((element) => getComputedStyle(element).scrollBehavior === "smooth").length"""
    )
    if wish == "reduce":
        assert moved == []
        assert smooth == 0
        assert await page.evaluate("document.getAnimations().length") == 0
    else:
        assert moved  # what is watched for is there


async def test_the_widget_opens_without_motion_for_who_asks_for_less(shop, open_window):
    page = await open_window(shop.url, reduced_motion="reduce")
    await page.evaluate(WATCH_MOTION)
    await page.get_by_role("button", name="Open the chat").click()
    await expect(field(page.frame_locator("iframe"))).to_be_focused()
    await page.frame_locator("iframe").get_by_role("button", name="Close the chat").click()
    await expect(page.get_by_role("button", name="Open the chat")).to_be_focused()
    assert await page.evaluate("moved") == []
    assert await page.evaluate("document.getAnimations().length") == 0


async def test_forced_colours_keep_bubbles_and_ticks_apart(shop, buyer, open_window):
    await say(shop, SELLER, BUYER, "Theirs", name="Anna’s Ceramics")
    await say(shop, BUYER, SELLER, "Mine", name="Lena Vogt")
    page = await open_window(
        f"{shop.url}/chat/demo-seller", token=buyer, forced_colors="active", color_scheme="dark"
    )
    for sender in ("mine", "theirs"):
        bubble = page.locator(f'[data-sender="{sender}"] > .message__bubble').last
        border = await bubble.evaluate(
            "bubble => { const s = getComputedStyle(bubble);"
            " return [s.borderBottomStyle, parseFloat(s.borderBottomWidth)]; }"
        )
        assert border == ["solid", pytest.approx(1, abs=1.1)]
        assert border[1] > 0
    for status in ("sent", "read"):
        row = page.locator(f'.message[data-status="{status}"][data-time="shown"]').last
        if status == "read":
            await shop.shop.chat.mark_read(
                shop.shop.tokens.read(shop.token("Seller", SELLER.id)),
                await last_of(shop),
            )
        await expect(row).to_be_attached()
        assert await strongest_contrast(row.locator(".tick").last) >= 3, status


async def last_of(shop: Any) -> MarkAsRead:
    """The command that reads all of the demo's conversation."""
    conversation = await shop.shop.ledger.between(BUYER.key, SELLER.key)
    return MarkAsRead(conversation_id=conversation.id, seq=conversation.last_seq)


async def strongest_contrast(part: Any) -> float:
    """Between the two colours that most of a part is painted with."""
    picture = Image.open(io.BytesIO(await part.screenshot())).convert("RGB")
    counts: list[Any] = sorted(
        picture.getcolors(picture.width * picture.height) or [], reverse=True
    )
    [ground, *others] = ["#{:02x}{:02x}{:02x}".format(*colour) for _, colour in counts]
    return max((contrast(ground, other) for other in others), default=1)


VIEWS = [
    ("/", None),
    ("/chat/demo-seller", "buyer"),
    ("/widget/demo-seller", None),
    ("/inbox", "seller"),
    ("/inbox/CONVERSATION", "seller"),
    ("/inbox/widget", "seller"),
    ("/inbox/settings", "seller"),
    ("/login", None),
    ("/nowhere", None),
    ("/docs", None),
]


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("text_size", ["100%", "200%"])
async def test_nothing_scrolls_sideways_on_a_narrow_screen(
    shop, seller, buyer, open_window, expected_faults, text_size, language
):
    expected_faults += ["404"]
    await say(shop, Participant("Buyer", "long"), SELLER, "Hello", "Emilia" * 12)
    last = await say(shop, BUYER, SELLER, "x" * 300 + " https://example.com/" + "y" * 200)
    page = await open_window("about:blank", width=320)
    for path, who in VIEWS:
        await page.context.clear_cookies()
        if who:
            token = buyer if who == "buyer" else seller
            cookie = {"name": "shopbell_session", "value": token, "url": shop.url}
            await page.context.add_cookies([cookie])
        address = shop.url + path.replace("CONVERSATION", last.conversation_id)
        await page.goto(f"{address}?language={language}")
        await page.evaluate(f"document.documentElement.style.fontSize = '{text_size}'")
        assert await page.evaluate(TOO_WIDE) == [], path


async def test_light_and_dark_follow_the_system(shop, buyer, open_window):
    page = await open_window(f"{shop.url}/chat/demo-seller", token=buyer)
    surface = "getComputedStyle(document.querySelector('.chat__sheet')).backgroundColor"
    assert await page.evaluate(surface) == "rgb(255, 255, 255)"
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(surface) == "rgb(20, 25, 26)"
