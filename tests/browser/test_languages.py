"""Every page in every language, and in a longer one than any, where nothing may be cut off."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from babel.messages.pofile import read_po, write_po
from playwright.async_api import expect

from handlers import languages, launcher
from handlers.languages import LANGUAGES, spoken
from handlers.templates import templates_in
from models.conversation import Participant
from models.demo import BUYER, SELLER
from tests.browser.stage import messages, say

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

PAGES = {
    "login": "/login",
    "error": "/nowhere",
    "chat": f"/chat/{SELLER.id}",
    "empty chat": f"/chat/{SELLER.id}",
    "widget": f"/widget/{SELLER.id}",
    "inbox": "/inbox",
    "conversation": "/inbox/{conversation}",
    "small inbox": "/inbox/widget",
    "settings": "/inbox/settings",
}
SELLERS = {"inbox", "conversation", "small inbox", "settings"}
NAMES = ("Anna’s Ceramics", "Lena Vogt", "Shopbell", "Maya")

# What a page says in its own words: all text and all names of things, hidden ones and those of
# its templates as well. What people wrote, what they are called, and dates are left out.
OWN_WORDS = """() => {
  const others = `script, style, svg, bdi, time, pre, code, kbd, textarea, option[lang], .day,
    .facts dd, .message__html, .message__room, .message__topic, .avatar__initials,
    .list-foot__name, .message[data-sender=theirs] .message__who`;
  const said = [["title", document.title]];
  const read = (root) => {
    for (const element of root.querySelectorAll("*")) {
      for (const name of ["aria-label", "title", "placeholder", "alt"]) {
        const text = element.getAttribute(name);
        if (text && !element.closest("time, .facts dd")) said.push([name, text]);
      }
    }
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { data, parentElement } = walker.currentNode;
      if (!parentElement?.closest(others)) said.push(["text", data]);
    }
    for (const { content } of root.querySelectorAll("template")) read(content);
  };
  read(document.body);
  return said.map(([kind, text]) => [kind, text.trim()]).filter(([, text]) => text !== "");
}"""

# What does not fit: cut off by its own box or by one around it, or wider than the window. Names and
# previews may end in dots.
CUT_OFF = """() => {
  const shortened = `bdi, .conversation__preview, .conversation__name, .list-foot__name, pre,
    textarea, input`;
  const found = [];
  const tell = (why, { localName, className, textContent }) => {
    found.push(`${why}: <${localName} class="${className}"> ${textContent.trim().slice(0, 60)}`);
  };
  const cuts = (overflow) => overflow === "hidden" || overflow === "clip";
  const root = document.scrollingElement;
  if (root.scrollWidth > root.clientWidth) tell("sideways", root);
  for (const element of document.body.querySelectorAll("*")) {
    const isShown = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    if (!isShown || element.closest(`svg, .visually-hidden, .skip, ${shortened}`)) continue;
    const { clientWidth, clientHeight, scrollWidth, scrollHeight } = element;
    const { overflowX, overflowY } = getComputedStyle(element);
    if (cuts(overflowX) && scrollWidth > clientWidth + 1) tell("cut in width", element);
    if (cuts(overflowY) && scrollHeight > clientHeight + 1) tell("cut in height", element);
    if (element.children.length || !element.textContent.trim()) continue;
    const { left, right } = element.getBoundingClientRect();
    if (left < -1 || right > innerWidth + 1) tell("out of the window", element);
  }
  return found;
}"""


@pytest.fixture
async def conversation(shop: Any) -> str:
    """The buyer's, with something unread in it."""
    sent = await say(shop, BUYER, SELLER, "Is it still there?", "Lena Vogt")
    return sent.conversation_id


@pytest.fixture
def address(shop: Any, conversation: str, expected_faults: list[str]) -> Any:
    expected_faults.append("/nowhere.* 404")

    def address(name: str, language: str) -> str:
        path = PAGES[name].format(conversation=conversation)
        return f"{shop.url}{path}?language={language}"

    return address


@pytest.fixture
def token(seller: str, buyer: str) -> Any:
    def token(name: str) -> str | None:
        if name in SELLERS:
            return seller
        return buyer if name == "chat" else None

    return token


async def is_ready(page: Any, name: str) -> None:
    if name in {"chat", "empty chat", "conversation"}:
        await expect(page.locator(".composer[data-empty]")).to_be_attached()
    elif name == "inbox":
        await expect(page.locator("p[data-part=connection]")).to_have_attribute(
            "data-presence", "online"
        )


def without_names(text: str) -> str:
    for name in NAMES:
        text = text.replace(name, "")
    return text


# --- The four -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("of_sellers", [False, True], ids=["buyer", "seller"])
async def test_each_page_speaks_its_language(address, token, open_window, code, of_sellers):
    page, translated = None, spoken(code).translations.gettext
    with (languages.CATALOGUES / "de.po").open("rb") as file:
        sources = {message.id for message in read_po(file) if isinstance(message.id, str)}
    english = {text for text in sources if translated(text) != text}
    for name in (name for name in PAGES if (name in SELLERS) == of_sellers):
        if page is None or name == "empty chat":
            page = await open_window(address(name, code), token=token(name))
        else:
            await page.goto(address(name, code))
        await is_ready(page, name)
        html = page.locator("html")
        await expect(html).to_have_attribute("lang", code)
        await expect(html).to_have_attribute("dir", "rtl" if code == "ar" else "ltr")
        said = await page.evaluate(OWN_WORDS)
        assert len(said) > 2, name
        assert [text for _, text in said if text in english] == [], name


async def test_a_reader_of_arabic_digits_sees_them(address, buyer, open_window):
    page = await open_window(address("chat", "ar"), token=buyer, locale="ar-EG")
    await expect(page.locator(".message time").last).to_have_text(re.compile("^[٠-٩]+:[٠-٩]+"))


async def test_an_empty_field_begins_where_the_page_does(address, buyer, open_window):
    page = await open_window(address("chat", "ar"), token=buyer)
    field = page.locator(".composer__text")
    await expect(field).to_have_css("direction", "rtl")
    await field.fill("Hello")
    await expect(field).to_have_css("direction", "ltr")


async def test_a_row_that_arrives_keeps_the_language(shop, seller, open_window):
    page = await open_window(f"{shop.url}/inbox?language=de", token=seller)
    await is_ready(page, "inbox")
    await say(shop, Participant("Buyer", "guest-" + "0" * 32), SELLER, "Hello")
    row = page.locator(".conversation", has_text="Gast 0000")
    await row.click()
    await expect(page).to_have_url(re.compile(r"/inbox/[0-9a-f]{24}\?language=de$"))
    await expect(messages(page).last).to_contain_text("Hello")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("lang", "de")


# --- The longer one -------------------------------------------------------------------------------


def longer(text: str) -> str:
    """In brackets and 40 % longer, its values where they were."""
    words = re.sub(r"%\(\w+\)[sd]", "", text).split() or ["x"]
    missing, more = len(text) * 0.4, ""
    while len(more) < missing:
        more += " " + words[len(more) % len(words)].replace("%", "")
    return f"⟦{text}{more}⟧"


@pytest.fixture
def pseudo(tmp_path, monkeypatch) -> Iterator[None]:
    """German and Arabic give their places to a language that nobody speaks."""

    def forget() -> None:
        spoken.cache_clear()
        templates_in.cache_clear()
        launcher._packed.cache_clear()

    for code in LANGUAGES[1:]:
        with (languages.CATALOGUES / f"{code}.po").open("rb") as file:
            catalogue = read_po(file, locale=code)
        for message in catalogue:
            if isinstance(message.id, str):
                message.string = longer(message.id) if message.id else message.string
            else:
                message.string = (longer(message.id[1]),) * catalogue.num_plurals
        with (tmp_path / f"{code}.po").open("wb") as file:
            write_po(file, catalogue)
    monkeypatch.setattr(languages, "CATALOGUES", tmp_path)
    forget()
    yield
    forget()


def outside_brackets(text: str) -> str:
    """What is left of a text without what stands in brackets, one pair in another included."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", text)) != text:
        text = shorter
    return text


# What is there from the right to the left is there in the other pages, too.
RUNS = [*((name, "de") for name in PAGES), ("chat", "ar"), ("conversation", "ar")]


@pytest.mark.parametrize(("name", "code"), RUNS)
async def test_every_word_is_translated_and_fits(pseudo, address, token, open_window, name, code):
    page = await open_window(address(name, code), token=token(name))
    await is_ready(page, name)
    if name == "chat":
        await page.locator(".composer__text").fill("Hello")
        await page.locator(".composer__text").press("Enter")
        await expect(messages(page).last).to_have_attribute("data-status", "sent")
    said = await page.evaluate(OWN_WORDS)
    for kind, text in said:
        if kind != "text":
            assert not re.search(r"[A-Za-z]{2}", without_names(outside_brackets(text))), text
    whole = without_names(outside_brackets("".join(text for kind, text in said if kind == "text")))
    assert not re.search(r"[A-Za-z]{2}", whole), whole
    assert "⟦" in str(said)
    for width in (1280, 320):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate(CUT_OFF) == [], width
