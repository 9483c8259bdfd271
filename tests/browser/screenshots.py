"""Takes a picture of every view, to be looked at: ``python -m tests.browser.screenshots [folder]``.

It starts a server of its own on loopback, with the embedded database in a folder of its own, lets
Anna's Ceramics come to life, and stops all of it again. All pictures are taken at the same moment
of the story, so that two runs can be laid beside each other.
"""

import asyncio
import logging
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import jwt
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright, expect
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.websocket import websocket_connect

from handlers.base import Parts
from handlers.routes import application
from models.engine import Engine
from models.events import SendMessage, Typing
from models.settings import read_settings
from models.shop import Shop
from models.store import Store, create_user, probe
from tests.browser import annas_ceramics as story
from tests.browser.annas_ceramics import (
    ARABIC_SHOP,
    CLARA,
    EMILIA,
    GUEST,
    JONAS,
    LENA,
    LINA,
    MIREILLE,
    MUG,
    NEW_SHOP,
    SARA,
    SHOP,
    Person,
    ShopClock,
)
from tests.browser.chromium import INSTALL, chromium
from tests.browser.stage import field as writing_field
from tests.browser.stage import messages
from tests.browser.wire import Frame, Wire
from tests.sockets.client import Client, spoken

FOLDER: Final = Path("screenshots")
PICTURE_SECONDS: Final = 30  # for each; more is a failure
ALL_SECONDS: Final = 420
DESKTOP: Final = (1280, 800)
WIDE: Final = (1440, 900)
MIDDLE: Final = (800, 900)
PHONE: Final = (390, 844)

# Resolves when a draft is kept.
KEPT: Final = """text => new Promise((kept) => {
  const look = () => (JSON.stringify(localStorage).includes(text) ? kept() : setTimeout(look, 20));
  look();
})"""


@dataclass
class Studio:
    """A shop full of people, and a browser to look at it."""

    url: str
    shop: Shop
    browser: Any
    ids: dict[Person, str]
    sockets: dict[Person, Client]
    taken: list[Path] = field(default_factory=list)

    @asynccontextmanager
    async def window(
        self,
        path: str,
        who: Person | None = None,
        size: tuple[int, int] = WIDE,
        *,
        scheme: str = "light",
        text: str = "100%",
        unread_stays: bool = False,
        refuses: bool = False,
    ) -> AsyncGenerator[Any]:
        """A page of somebody's own, gone afterwards. Nothing is read where ``unread_stays``; where
        the server ``refuses``, what they send is not sent."""
        context = await self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            device_scale_factor=2,
            locale="en-GB",
            timezone_id="UTC",
            color_scheme=scheme,
            is_mobile=size == PHONE,
            has_touch=size == PHONE,
        )
        context.set_default_timeout(10_000)
        await context.clock.set_fixed_time(story.NOW)
        if who is not None:
            cookie = {"name": "shopbell_session", "value": story.token(self.shop, who)}
            await context.add_cookies([{**cookie, "url": self.url}])
        if text != "100%":
            await context.add_init_script(
                "new MutationObserver(() => document.documentElement?.style.setProperty("
                f"'font-size', '{text}')).observe(document, {{ childList: true }})"
            )
        wire = Wire()
        if unread_stays:
            wire.answers = _keeps_unread
        if refuses:
            wire.refuse("forbidden")
        await wire.tap(context)
        page = await context.new_page()
        try:
            await page.goto(self.url + path)
            yield page
        finally:
            await context.close()

    def inbox_of(self, buyer: Person) -> str:
        """Where the seller reads what somebody wrote."""
        return f"/inbox/{self.ids[buyer]}"

    async def types(self, by: Person, to: Person) -> None:
        """Shows the dots on the other side, for six seconds."""
        id_, type_ = to.participant.id, to.participant.type
        await self.shop.chat.set_typing(story.identity(self.shop, by), Typing(id_, type_, True))

    async def says(self, by: Person, to: Person, text: str) -> None:
        """One more message, now."""
        id_, type_ = to.participant.id, to.participant.type
        await self.shop.chat.send(story.identity(self.shop, by), SendMessage(id_, type_, text))

    def vouches_for(self, person: Person) -> str:
        """What the shop's page says of who is logged in there."""
        now = int(time.time())
        claims = {"sub": person.participant.id, "name": person.name, "iat": now, "exp": now + 900}
        return jwt.encode(claims, self.shop.settings.identity_secret, "HS256")


def _keeps_unread(frame: Frame) -> Frame | None:
    if frame["event"] != "mark_as_read":
        return None
    read = {"conversation_id": frame["data"]["conversation_id"], "read_seq": 0, "unread": 1}
    return {"event": "ack", "id": frame["id"], "data": read}


# --- The pictures ---------------------------------------------------------------------------------

Picture = Callable[[Studio], Awaitable[Any]]
PICTURES: dict[str, Callable[[Studio, Callable[[Any], Awaitable[None]]], Awaitable[None]]] = {}


def picture(function: Any) -> Any:
    """Adds to what is taken. Its name is the file's; what it is given takes the picture."""
    PICTURES[function.__name__.replace("_", "-")] = function
    return function


@picture
async def widget_open(studio: Studio, take: Any) -> None:
    async with studio.window("/", size=DESKTOP) as page:
        widget = await open_widget(studio, page, LENA)
        await writing_field(widget).fill(
            "And would a short handwritten card be possible? I’d send you"
        )
        await studio.types(SHOP, LENA)
        await expect(widget.locator(".typing")).to_be_visible()
        await take(page)


@picture
async def widget_open_dark(studio: Studio, take: Any) -> None:
    async with studio.window("/", size=DESKTOP, scheme="dark") as page:
        await open_widget(studio, page, LENA)
        await take(page)


@picture
async def widget_phone(studio: Studio, take: Any) -> None:
    async with studio.window("/", size=PHONE, refuses=True) as page:
        widget = await open_widget(studio, page, CLARA)
        await writing_field(widget).fill("Great. Would you keep them behind the counter for me?")
        await widget.get_by_role("button", name="Send").click()
        await expect(widget.get_by_role("button", name="Try again")).to_be_visible()
        await studio.says(SHOP, CLARA, "We close at two on Saturdays, by the way.")
        await expect(messages(widget).last).to_contain_text("We close at two")
        await widget.locator(".timeline").evaluate("list => list.scrollBy(0, -105)")
        for text in ("About the small plate:", "It’s the last one.", "Shall I put it aside?"):
            await studio.says(SHOP, CLARA, text)
        await expect(widget.get_by_role("button", name="New messages (3)")).to_be_visible()
        await take(page)


@picture
async def widget_closed(studio: Studio, take: Any) -> None:
    async with studio.window("/", size=DESKTOP) as page:
        await open_widget(studio, page, JONAS)
        await page.frame_locator("iframe").get_by_role("button", name="Close the chat").click()
        for text in ("I have them here now.", "The glaze is a little greener.", "Still fine?"):
            await studio.says(SHOP, JONAS, text)
        await expect(page.get_by_role("button", name="Open the chat, 3 unread")).to_be_visible()
        await page.mouse.move(10, 10)
        await take(page)


@picture
async def widget_failed(studio: Studio, take: Any) -> None:
    async with studio.window("/", size=DESKTOP, refuses=True) as page:
        widget = await open_widget(studio, page, LENA)
        await writing_field(widget).fill("And do you ship to Amman?")
        await writing_field(widget).press("Enter")
        await expect(widget.get_by_role("button", name="Try again")).to_be_visible()
        await take(page)


@picture
async def widget_empty(studio: Studio, take: Any) -> None:
    async with studio.window("/", size=DESKTOP) as page:
        await page.get_by_role("button", name="Open the chat").click()
        widget = page.frame_locator("iframe")
        await expect(widget.get_by_role("heading", name="Ask us anything")).to_be_visible()
        await take(page)


@picture
async def widget_double_text(studio: Studio, take: Any) -> None:
    async with studio.window("/", size=DESKTOP, text="200%") as page:
        await open_widget(studio, page, LENA)
        await take(page)


@picture
async def inbox(studio: Studio, take: Any) -> None:
    await the_inbox(studio, take)


@picture
async def inbox_dark(studio: Studio, take: Any) -> None:
    await the_inbox(studio, take, scheme="dark")


@picture
async def inbox_arabic(studio: Studio, take: Any) -> None:
    await the_inbox(studio, take, query="?language=ar")


@picture
async def inbox_german(studio: Studio, take: Any) -> None:
    await the_inbox(studio, take, query="?language=de")


@picture
async def inbox_800(studio: Studio, take: Any) -> None:
    await the_inbox(studio, take, size=MIDDLE)


@picture
async def inbox_double_text(studio: Studio, take: Any) -> None:
    await the_inbox(studio, take, text="200%")


@picture
async def inbox_phone_conversation(studio: Studio, take: Any) -> None:
    await the_inbox(studio, take, size=PHONE)


@picture
async def inbox_phone_double_text(studio: Studio, take: Any) -> None:
    await the_inbox(studio, take, size=PHONE, text="200%")


@picture
async def inbox_phone(studio: Studio, take: Any) -> None:
    async with studio.window("/inbox", SHOP, PHONE) as page:
        await connected(page)
        await take(page)


@picture
async def inbox_long_name(studio: Studio, take: Any) -> None:
    async with studio.window(studio.inbox_of(EMILIA), SHOP, unread_stays=True) as page:
        await connected(page)
        await take(page)


@picture
async def inbox_arabic_buyer(studio: Studio, take: Any) -> None:
    async with studio.window(studio.inbox_of(SARA), SHOP, unread_stays=True) as page:
        await connected(page)
        await take(page)


@picture
async def inbox_nothing_open(studio: Studio, take: Any) -> None:
    async with studio.window("/inbox", SHOP) as page:
        await connected(page)
        await take(page)


@picture
async def inbox_empty(studio: Studio, take: Any) -> None:
    async with studio.window("/inbox", NEW_SHOP) as page:
        await connected(page)
        await take(page)


@picture
async def inbox_no_result(studio: Studio, take: Any) -> None:
    async with studio.window("/inbox", SHOP) as page:
        await connected(page)
        await page.get_by_role("searchbox", name="Filter by name").fill("Leonie")
        await expect(page.get_by_text("No one called")).to_be_visible()
        await take(page)


@picture
async def inbox_shortcuts(studio: Studio, take: Any) -> None:
    async with studio.window("/inbox", SHOP) as page:
        await connected(page)
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await take(page)


@picture
async def inbox_widget(studio: Studio, take: Any) -> None:
    async with studio.window("/inbox/widget", SHOP, (400, 640)) as page:
        await expect(page.locator(".conversation").first).to_be_visible()
        await take(page)


@picture
async def chat_page(studio: Studio, take: Any) -> None:
    await the_chat(studio, take)


@picture
async def chat_page_dark(studio: Studio, take: Any) -> None:
    await the_chat(studio, take, scheme="dark")


@picture
async def chat_page_phone(studio: Studio, take: Any) -> None:
    await the_chat(studio, take, size=PHONE)


@picture
async def chat_page_double_text(studio: Studio, take: Any) -> None:
    await the_chat(studio, take, text="200%")


@picture
async def chat_page_long(studio: Studio, take: Any) -> None:
    async with studio.window("/chat/demo-seller", EMILIA, (1100, 800)) as page:
        await ready(page)
        await take(page)


@picture
async def chat_page_empty(studio: Studio, take: Any) -> None:
    async with studio.window("/chat/demo-seller", size=(1100, 800)) as page:
        await ready(page)
        await take(page)


@picture
async def chat_arabic(studio: Studio, take: Any) -> None:
    path = f"/chat/{ARABIC_SHOP.participant.id}?language=ar"
    async with studio.window(path, LINA, (1100, 800)) as page:
        await ready(page)
        await page.locator("textarea").fill("رائع، شكرًا جزيلًا. سأطلب الأكواب الأربعة الآن")
        await take(page)


@picture
async def login(studio: Studio, take: Any) -> None:
    async with studio.window("/login", size=DESKTOP) as page:
        await page.get_by_label("Seller ID").fill("demo-seller")
        await page.get_by_label("Password").fill("not the one")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await take(page)


@picture
async def settings(studio: Studio, take: Any) -> None:
    async with studio.window("/inbox/settings", SHOP, DESKTOP) as page:
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await take(page)


@picture
async def settings_phone_dark(studio: Studio, take: Any) -> None:
    async with studio.window("/inbox/settings", SHOP, PHONE, scheme="dark") as page:
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await take(page)


@picture
async def error(studio: Studio, take: Any) -> None:
    async with studio.window("/nowhere", size=DESKTOP) as page:
        await take(page)


async def open_widget(studio: Studio, page: Any, who: Person) -> Any:
    """Opens the widget of somebody whom the shop vouches for."""
    await page.wait_for_function("window.Shopbell !== undefined")
    await page.get_by_role("button", name="Open the chat").click()
    await page.evaluate("jwt => Shopbell.identify(jwt)", studio.vouches_for(who))
    widget = page.frame_locator("iframe")
    await expect(messages(widget).last).to_be_visible()
    await expect(widget.locator(".presence").first).to_have_attribute("data-presence", "online")
    return widget


async def the_inbox(
    studio: Studio, take: Any, size: tuple[int, int] = WIDE, *, query: str = "", **how: Any
) -> None:
    """Lena's conversation, while Mireille's answer is half written."""
    async with studio.window(
        studio.inbox_of(MIREILLE) + query, SHOP, size, unread_stays=True, **how
    ) as page:
        await ready(page)
        await page.locator("textarea").fill("The plates are packed and")
        await page.evaluate(KEPT, "plates are packed")
        await page.goto(studio.url + studio.inbox_of(LENA) + query)
        await connected(page)
        await page.locator("textarea").fill("I’ll add a card as well, no charge. Just tell me")
        await studio.sockets[LENA].ask("update_context", looking())
        await expect(page.locator('.conversation[aria-current="true"] .badge')).to_be_hidden()
        await studio.types(LENA, SHOP)
        await expect(page.locator(".typing")).to_be_attached()
        await page.mouse.move(0, 0)
        await take(page)


async def the_chat(
    studio: Studio, take: Any, size: tuple[int, int] = (1100, 800), **how: Any
) -> None:
    async with studio.window("/chat/demo-seller", LENA, size, **how) as page:
        await ready(page)
        await expect(page.locator(".presence").first).to_have_attribute("data-presence", "online")
        await page.locator("textarea").fill("That’s wonderful. Then I’ll order the four now")
        await take(page)


async def ready(page: Any) -> None:
    """Its script runs."""
    await expect(page.locator(".composer[data-empty]")).to_be_attached()


async def connected(page: Any) -> None:
    """The inbox hears what happens."""
    await expect(page.locator('[data-part="connection"]').first).to_have_attribute(
        "data-presence", "online"
    )


# --- The studio -----------------------------------------------------------------------------------


def looking() -> dict[str, Any]:
    """What Lena's page says of itself."""
    url = "https://annas-ceramics.example/mugs/speckled"
    product = {"name": MUG, "url": url, "price": "€28.00"}
    here = {"language": "de-DE", "time_zone": "Europe/Berlin"}
    return {"url": url, "title": f"{MUG} · Anna’s Ceramics", "product": product, **here}


@asynccontextmanager
async def open_studio() -> AsyncGenerator[Studio]:
    """Starts all that is needed, and stops it at the end."""
    program = chromium()
    if program is None:
        raise SystemExit(f"Chromium is needed: {INSTALL}")
    async with AsyncExitStack() as parts:
        directory = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        engine = Engine(directory, create_user=create_user, probe=probe)
        uri = await engine.start()
        parts.push_async_callback(engine.stop)
        [listening] = bind_sockets(0, "127.0.0.1")
        asked = {"data-dir": str(directory / "data"), "demo": "on", "rate-limits": "off"}
        settings = read_settings(asked, {}).listening_on(listening.getsockname()[1]).with_secrets()
        clock = ShopClock(story.NOW - timedelta(days=30))
        shop = Shop(settings, Store(uri, settings.database), now=clock)
        parts.callback(shop.close)
        await shop.open()
        work = [asyncio.ensure_future(part) for part in shop.work().values()]
        parts.callback(lambda: [task.cancel() for task in work])
        server = HTTPServer(application(Parts(shop)))
        server.add_sockets([listening])
        parts.callback(server.stop)
        ids = await story.fill(shop, clock)
        url = settings.origin
        sockets = {
            person: await _online(parts, url, shop, person)
            for person in (LENA, JONAS, GUEST, SARA, MIREILLE, SHOP, ARABIC_SHOP)
        }
        await sockets[MIREILLE].ask("update_status", {"status": "away"})
        playwright = await parts.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        parts.push_async_callback(browser.close)
        yield Studio(url, shop, browser, ids, sockets)


async def _online(parts: AsyncExitStack, url: str, shop: Shop, person: Person) -> Client:
    """A socket of somebody's own: they are there."""
    token = story.token(shop, person)
    request = HTTPRequest(url.replace("http", "ws", 1) + "/ws")
    socket = await websocket_connect(request, subprotocols=spoken(token))
    parts.callback(socket.close)
    client = Client(socket)
    await client.ask("register_user", {})
    return client


async def take_all(folder: Path, wanted: str) -> list[str]:
    """Takes the pictures whose names match ``wanted``, and returns what failed."""
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    async with open_studio() as studio, asyncio.timeout(ALL_SECONDS):
        for name, function in PICTURES.items():
            if not re.search(wanted, name):
                continue
            path = folder / f"{name}.png"

            async def take(page: Any, path: Path = path) -> None:
                await page.screenshot(path=path, animations="disabled", caret="initial")

            try:
                async with asyncio.timeout(PICTURE_SECONDS):
                    await function(studio, take)
            except (AssertionError, TimeoutError, PlaywrightError) as error:
                words = str(error) or type(error).__name__
                failed.append(f"{name}: {' '.join(words.split())[:300]}")
            else:
                sys.stdout.write(f"{path}\n")
                sys.stdout.flush()
    return failed


def main() -> int:
    """Takes them all, and returns the exit status."""
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    folder, wanted = ([*sys.argv[1:], "", ""])[:2]
    failed = asyncio.run(take_all(Path(folder) if folder else FOLDER, wanted))
    for line in failed:
        sys.stderr.write(f"not taken: {line}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
