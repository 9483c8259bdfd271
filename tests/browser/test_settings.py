"""The shop's own look: seen while it is chosen, worn by every page, and readable whatever it is."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import expect

from models.accent import contrast, palette
from models.demo import BUYER, SELLER
from models.preferences import Preferences
from tests.browser.stage import field, say

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

SETTINGS = "/inbox/settings"
YELLOW, RUST, INK = "#f2c230", "#c2410c", "#1b1b1f"
SCHEMES = ("light", "dark")
TOKENS = Path(__file__).parents[2] / "static" / "css"

# What somebody sees of an element: its colours as opaque hexadecimals, over what lies behind it.
COLOURS = """
(element) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const over = (layers) => {
    pen.clearRect(0, 0, 1, 1);
    for (const layer of layers) {
      pen.fillStyle = layer;
      pen.fillRect(0, 0, 1, 1);
    }
    const [r, g, b] = pen.getImageData(0, 0, 1, 1).data;
    return "#" + [r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("");
  };
  const grounds = [];
  for (let one = element; one; one = one.parentElement) {
    grounds.unshift(getComputedStyle(one).backgroundColor);
  }
  const around = grounds.slice(0, -1);
  const style = getComputedStyle(element);
  const line = /^(rgba?\\([^)]*\\)) 0px 0px 0px 1px inset/.exec(style.boxShadow)?.[1];
  return {
    text: over(["white", ...grounds, style.color]),
    ground: over(["white", ...grounds]),
    around: over(["white", ...around]),
    line: over(["white", ...grounds, line ?? style.borderTopColor]),
  };
}
"""


async def colours(locator):
    return await locator.evaluate(COLOURS)


async def worn_by(page):
    """The accent of a page."""
    mine = "getComputedStyle(document.documentElement).getPropertyValue('--color-mine')"
    return (await page.evaluate(mine)).strip()


async def is_readable(locator):
    seen = await colours(locator)
    assert contrast(seen["text"], seen["ground"]) >= 4.5, seen


async def stands_out(locator):
    """Whether its own colour, or the line round it, tells it from what is around."""
    seen = await colours(locator)
    best = max(contrast(seen[what], seen["around"]) for what in ("ground", "line"))
    assert best >= 3, seen


def ground(colour):
    """A property and its value, as a browser tells it."""
    return "background-color", "rgb({}, {}, {})".format(*bytes.fromhex(colour[1:]))


def picture(size, colour):
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return {"name": "logo.png", "mimeType": "image/png", "buffer": file.getvalue()}


def photograph():
    """A picture as a camera makes it: a hundred times too large."""
    file = BytesIO()
    noise = Image.effect_noise((1600, 1200), 80)
    Image.merge("RGB", (noise, noise.rotate(90, expand=False), noise)).save(
        file, "JPEG", quality=95
    )
    assert len(file.getvalue()) > 1_000_000
    return {"name": "shop.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}


def sample(page, scheme):
    return page.locator(f'.sample[data-scheme="{scheme}"]')


@pytest.fixture
def choose(shop, seller):
    """Stores preferences of the demo's seller."""

    async def choose(**chosen):
        who = shop.shop.tokens.read(seller)
        return await shop.shop.preferences.save(who, Preferences(**chosen))

    return choose


# --- The preview ----------------------------------------------------------------------------------


async def test_the_preview_shows_each_choice_at_once_and_in_both_schemes(shop, seller, open_window):
    page = await open_window(shop.url + SETTINGS, token=seller)
    await page.get_by_label("Accent colour", exact=True).fill(RUST)
    await page.get_by_label("Greeting").fill("Ring for a <b>fitting</b>")
    await page.get_by_role("radio", name="Left right on").check()
    await page.get_by_label("Logo").set_input_files(picture((90, 60), (10, 200, 30)))
    for scheme in SCHEMES:
        shades = getattr(palette(RUST), scheme)
        shown = sample(page, scheme)
        await expect(shown.locator(".sample__launcher")).to_have_css(*ground(shades.fill))
        await expect(shown.locator(".sample__greeting")).to_have_text("Ring for a <b>fitting</b>")
        edges = await shown.evaluate(
            "(s) => [s, s.querySelector('.sample__launcher')].map(e => e.getBoundingClientRect().x)"
        )
        assert edges[1] - edges[0] < 30
        green = await shown.locator("canvas").evaluate(
            "(c) => [...c.getContext('2d').getImageData(64, 64, 1, 1).data]"
        )
        assert green == [10, 200, 30, 255]
    assert shop.shop.preferences.all() == {}  # nothing is stored before one says so


async def test_the_preview_tells_how_a_colour_was_mended(shop, seller, open_window):
    page = await open_window(shop.url + SETTINGS, token=seller)
    note = page.locator('[data-part="mended"]')
    typed = page.get_by_label("Accent colour", exact=True)
    well = page.get_by_label("Choose the accent colour")
    await typed.fill("C2410C")
    fills = palette(RUST).light.fill, palette(RUST).dark.fill
    await expect(note).to_contain_text("{} in light and {} in dark".format(*fills))
    assert await well.input_value() == RUST
    await well.fill(YELLOW)  # readable as it is, and yet too pale for a page of white
    await expect(note).to_have_text("Text on this colour is easy to read.")
    assert await typed.input_value() == YELLOW
    await typed.fill("yello")  # half a word changes nothing
    assert await well.input_value() == YELLOW


async def test_the_preview_can_be_read_whatever_the_colour(shop, seller, open_window):
    page = await open_window(shop.url + SETTINGS, token=seller, color_scheme="dark")
    for accent in (YELLOW, RUST, INK, "#ffffff", "#777777"):
        await page.get_by_label("Accent colour", exact=True).fill(accent)
        for scheme in SCHEMES:
            shown = sample(page, scheme)
            fill = getattr(palette(accent), scheme).fill
            await expect(shown.locator(".sample__launcher")).to_have_css(*ground(fill))
            for words in (".sample__greeting", ".presence", ".sample__composer > span"):
                await is_readable(shown.locator(words).first)
            for mine in (".message__text", ".message__meta"):
                await is_readable(shown.locator(f'[data-sender="mine"] {mine}'))
            for form in (".sample__send", ".sample__launcher", '[data-sender="mine"] > div'):
                await stands_out(shown.locator(form))


def test_the_preview_has_the_greys_of_the_pages():
    def tokens(text):
        return dict(re.findall(r"(--raw-[\w-]+): (#\w+);", text))

    light, dark = (TOKENS / "tokens.css").read_text().split("@media (prefers-color-scheme: dark)")
    _, own_light, own_dark = re.split(r"\.sample\[data-scheme", (TOKENS / "sample.css").read_text())
    for page, own in ((light, own_light), (dark, own_dark)):
        assert len(tokens(own)) > 5
        assert tokens(own).items() <= tokens(page).items()


# --- Saving ---------------------------------------------------------------------------------------


async def test_what_is_saved_is_worn_by_all_pages(shop, seller, open_window):
    page = await open_window(shop.url + SETTINGS, token=seller)
    await page.get_by_label("Accent colour", exact=True).fill(YELLOW)
    await page.get_by_label("Greeting").fill("Ring for a fitting")
    await page.get_by_label("Logo").set_input_files(picture((90, 60), (10, 200, 30)))
    await expect(page.locator(".sample canvas")).to_have_count(2)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    await expect(page.get_by_label("Accent colour", exact=True)).to_have_value(YELLOW)
    await expect(page.locator(".sample img.avatar__logo")).to_have_count(2)
    chat = await open_window(f"{shop.url}/chat/{SELLER.id}")
    await expect(chat.get_by_text("Ring for a fitting")).to_be_visible()
    for path in ("/inbox", f"/chat/{SELLER.id}", f"/widget/{SELLER.id}"):
        worn = await open_window(shop.url + path, token=seller if path == "/inbox" else None)
        logo = worn.locator("img.avatar__logo").first
        assert await logo.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 60
        assert await worn_by(worn) == YELLOW, path


async def test_a_guest_who_begins_to_write_does_not_wear_the_shop_s_logo(shop, seller, open_window):
    page = await open_window(shop.url + SETTINGS, token=seller)
    await page.get_by_label("Logo").set_input_files(picture((60, 60), (10, 200, 30)))
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    chat = await open_window(f"{shop.url}/chat/{SELLER.id}?language=de")
    await chat.get_by_label("Nachricht an").fill("Guten Tag")
    await chat.get_by_label("Nachricht an").press("Enter")
    visitor = chat.locator('[data-part="visitor"]')
    await expect(visitor.locator("strong")).to_have_text(re.compile(r"^Gast \w{4}$"))
    await expect(visitor.locator(".avatar")).to_have_text("G")
    await expect(visitor.locator("img")).to_have_count(0)


async def test_a_photograph_is_made_small_before_it_is_sent(shop, seller, open_window):
    page = await open_window(shop.url + SETTINGS, token=seller)
    await page.get_by_label("Logo").set_input_files(photograph())
    await expect(page.locator(".sample canvas")).to_have_count(2)
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".sample img.avatar__logo")).to_have_count(2)
    logo = await shop.shop.preferences.logo(SELLER.id)
    assert Image.open(BytesIO(logo.content)).size == (256, 256)


async def test_a_file_that_is_no_picture_is_told_at_once(shop, seller, open_window):
    page = await open_window(shop.url + SETTINGS, token=seller)
    logo = page.get_by_label("Logo")
    file = {"name": "a.png", "mimeType": "image/png", "buffer": b"<svg></svg>"}
    await logo.set_input_files(file)
    problem = page.get_by_role("alert").filter(has_text="not a picture")
    await expect(problem).to_be_visible()
    await expect(logo).to_have_attribute("aria-invalid", "true")
    await expect(logo).to_have_value("")
    await logo.set_input_files(picture((40, 40), (1, 2, 3)))
    await expect(problem).to_be_hidden()
    await expect(logo).not_to_have_attribute("aria-invalid", "true")


async def test_the_logo_can_be_removed_and_the_look_reset(shop, seller, open_window, choose):
    await choose(accent=RUST, greeting="Hello", corner="start", language="de")
    page = await open_window(shop.url + SETTINGS, token=seller)
    await page.get_by_label("Logo").set_input_files(picture((40, 40), (1, 2, 3)))
    await page.get_by_role("button", name="Save").click()
    await page.get_by_label("Remove the logo").check()
    await expect(page.locator(".sample img.avatar__logo").first).to_be_hidden()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Remove the logo")).to_have_count(0)
    await page.get_by_role("button", name="Back to the default look").click()
    await expect(page.get_by_label("Accent colour", exact=True)).to_have_value("#0e6470")
    assert shop.shop.preferences.of(SELLER.id) == Preferences(language="de")


async def test_without_script_the_form_does_all_the_same(
    shop, seller, open_window, expected_faults
):
    expected_faults.append("status of 400")  # the colour that is refused
    page = await open_window(shop.url + SETTINGS, token=seller, java_script_enabled=False)
    await expect(page.get_by_label("Choose the accent colour")).to_be_hidden()
    await page.get_by_label("Accent colour", exact=True).fill("mauve")
    await page.get_by_label("Greeting").fill("Hello there")
    await page.get_by_label("Logo").set_input_files(picture((40, 40), (1, 2, 3)))
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert").filter(has_text="like #0E6470")).to_be_visible()
    accent = page.get_by_label("Accent colour", exact=True)
    await expect(accent).to_have_value("mauve")
    await expect(page.get_by_label("Greeting")).to_have_value("Hello there")
    await accent.fill(YELLOW)
    await page.get_by_label("Logo").set_input_files(picture((40, 40), (1, 2, 3)))
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved")).to_be_visible()
    bubble = sample(page, "light").locator('[data-sender="mine"] .message__bubble')
    await expect(bubble).to_have_css(*ground(YELLOW))
    kept = shop.shop.preferences.of(SELLER.id)
    assert (kept.accent, kept.greeting, bool(kept.logo)) == (YELLOW, "Hello there", True)


# --- Worn -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("accent", [YELLOW, RUST, INK])
async def test_a_conversation_can_be_read_in_any_accent(
    shop, buyer, seller, open_window, choose, accent
):
    await choose(accent=accent)
    await say(shop, BUYER, SELLER, "Is https://shop.example/mug still there?", name="Lena")
    chat = await open_window(f"{shop.url}/chat/{SELLER.id}", token=buyer)
    inbox = await open_window(f"{shop.url}/inbox", token=seller)
    mine = chat.locator('.message[data-sender="mine"]').last
    await expect(mine).to_contain_text("shop.example")
    await field(chat).fill("One more")
    for scheme in SCHEMES:
        await chat.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await expect(mine.locator(".message__bubble")).to_have_css(
            *ground(getattr(palette(accent), scheme).fill)
        )
        for words in (".message__text", ".message__text a", ".message__meta"):
            await is_readable(mine.locator(words))
        await is_readable(chat.locator(".avatar__initials").first)
        await stands_out(mine.locator(".message__bubble"))
        await stands_out(chat.locator(".composer__send > span"))
        await inbox.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await is_readable(inbox.locator(".segments__part[aria-current]"))
        assert await worn_by(inbox) == getattr(palette(accent), scheme).fill


async def test_the_bell_on_the_shops_page_wears_the_accent_in_its_corner(shop, open_window, choose):
    await choose(accent=RUST, corner="start")
    page = await open_window(shop.url)
    bell = page.get_by_role("button", name="Open the chat")
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        await expect(bell).to_have_css(*ground(getattr(palette(RUST), scheme).fill))
    assert (await bell.bounding_box())["x"] == 20
    await choose(accent=YELLOW)
    await page.reload()
    await expect(bell).to_have_css(*ground(YELLOW))
    await expect(bell).to_have_css("color", "rgb(19, 26, 27)")
    box = await bell.bounding_box()
    assert box["x"] + box["width"] == 1280 - 20


async def test_other_sellers_pages_stay_as_they_are(shop, open_window, choose):
    await shop.shop.accounts.add_seller("vera", "Vera", None, "correct horse battery")
    await choose(accent=YELLOW, greeting="Ring for a fitting")
    chat = await open_window(f"{shop.url}/chat/vera")
    await expect(chat.get_by_text("A person answers.", exact=False).first).to_be_visible()
    await expect(chat.get_by_text("Ring for a fitting")).to_have_count(0)
    assert await worn_by(chat) == "#0e6470"


# --- For everybody --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_nothing_of_the_settings_lies_beside_the_window(
    shop, seller, open_window, choose, language
):
    await choose(greeting="Ring" * 50)
    page = await open_window(f"{shop.url}{SETTINGS}?language={language}", token=seller)
    inputs = page.locator(":is(input, textarea, select, button, a):visible")
    for width in (320, 640, 860, 1440):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        for box in [await one.bounding_box() for one in await inputs.all()]:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width


async def test_the_settings_can_be_made_by_keyboard_alone(shop, seller, open_window):
    page = await open_window(shop.url + SETTINGS, token=seller)
    await page.get_by_label("Accent colour", exact=True).focus()
    await page.keyboard.press("Control+A")
    await page.keyboard.type(RUST)
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Logo")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.type("Hello")
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("radio", name="Left right on")).to_be_checked()
    for _ in range(3):
        await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Save")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Saved")).to_be_visible()
    assert shop.shop.preferences.of(SELLER.id) == Preferences(RUST, "Hello", "start")
