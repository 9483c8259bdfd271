"""``python -m tests.bench.pages``: how long people wait, as medians, beside what is asked for.

Starts a server of its own with the demo shop on a free port, its database in a directory that goes
again, and Chromium. Nothing is asserted: a shared machine would fail now and then.
"""

import asyncio
import gzip
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tornado.httpclient import AsyncHTTPClient

from models.conversation import Identity, Participant
from models.demo import SELLER
from models.engine import running_uri
from models.settings import read_settings
from models.store import Store
from models.tokens import Tokens
from tests.bench.crowd import conversation, now, put
from tests.browser.chromium import chromium

ROOT: Final = Path(__file__).parents[2]
ROUNDS: Final = 7
MESSAGES: Final = 50
CONVERSATIONS: Final = 5000
START_SECONDS: Final = 60
ALL_SECONDS: Final = 900

FAST_3G: Final = {
    "offline": False,
    "latency": 300,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
PAINT: Final = """
new Promise((done) => new PerformanceObserver((list) => done(list.getEntries().at(-1).startTime))
  .observe({ type: "largest-contentful-paint", buffered: true }))
"""
# The milliseconds from a click until the conversation that it opens can be read.
SWITCH: Final = """
async (row) => {
  const before = document.querySelector(".message:last-child").dataset.id;
  const begun = performance.now();
  row.click();
  const last = () => document.querySelector(".message:last-child")?.dataset.id ?? before;
  while (last() === before) {
    await new Promise((done) => requestAnimationFrame(done));
  }
  return performance.now() - begun;
}
"""
# The milliseconds from Enter until the own row stands there.
ENTER: Final = """
async (field) => {
  const count = () => document.querySelectorAll(".message").length;
  const before = count();
  const begun = performance.now();
  const enter = { key: "Enter", bubbles: true, cancelable: true };
  field.dispatchEvent(new KeyboardEvent("keydown", enter));
  while (count() === before) {
    await new Promise((done) => requestAnimationFrame(done));
  }
  return performance.now() - begun;
}
"""


@asynccontextmanager
async def serving(data_dir: Path) -> AsyncIterator[str]:
    """A server of our own; yields its address and stops it."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, ROOT / "server.py", "--demo", "--port=0", "--rate-limits=off"),
        f"--data-dir={data_dir}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert server.stdout is not None
        line = await asyncio.wait_for(server.stdout.readline(), START_SECONDS)
        ready = re.fullmatch(r"Shopbell is listening on (\S+)\n", line.decode())
        assert ready, f"the server did not start: {line!r}"
        yield ready[1]
    finally:
        with suppress(ProcessLookupError):
            server.terminate()
        await server.wait()


class Bench:
    """A shop with many conversations, and a browser to look at it."""

    def __init__(self, url: str, data_dir: Path, browser: Any) -> None:
        self.url = url
        self._browser = browser
        self._data_dir = data_dir
        settings = read_settings({"data-dir": str(data_dir)}, {}).with_secrets()
        self._tokens = Tokens(settings.secret, settings.identity_secret)
        self.anna = self._identity(SELLER, "Anna’s Ceramics")
        self.maya = self._identity(Participant("Buyer", "maya"), "Maya")

    def _identity(self, participant: Participant, name: str) -> Identity:
        return self._tokens.read(self.token(participant, name))

    def token(self, participant: Participant, name: str) -> str:
        return self._tokens.issue(participant, name, seconds=3600)

    async def fill(self) -> None:
        """Maya's conversation of a page, and those of all the others."""
        uri = await running_uri(self._data_dir)
        assert uri, "the server's database is not found"
        store = Store(uri, "shopbell")
        ended = now()
        talks = [conversation(self.maya, self.anna, length=MESSAGES, ended_at=ended)]
        for number in range(1, CONVERSATIONS):
            buyer = self._identity(Participant("Buyer", f"buyer-{number}"), f"Buyer {number}")
            length = MESSAGES if number <= ROUNDS + 1 else 1
            at = ended - timedelta(minutes=number)
            talks.append(
                conversation(buyer, self.anna, length=length, ended_at=at, unread=number % 50 == 0)
            )
        await put(store, talks)
        store.close()

    @asynccontextmanager
    async def window(self, who: Identity | None = None) -> AsyncIterator[Any]:
        context = await self._browser.new_context(viewport={"width": 1280, "height": 800})
        if who is not None:
            value = self.token(who.participant, who.name)
            await context.add_cookies(
                [{"name": "shopbell_session", "value": value, "url": self.url}]
            )
        try:
            yield await context.new_page()
        finally:
            await context.close()

    async def first_paint(self, network: dict[str, Any] | None = None) -> float:
        async with self.window(self.maya) as page:
            if network is not None:
                session = await page.context.new_cdp_session(page)
                await session.send("Network.enable")
                await session.send("Network.emulateNetworkConditions", network)
            await page.goto(f"{self.url}/chat/{SELLER.id}")
            return float(await page.evaluate(PAINT))

    async def slow_paint(self) -> float:
        return await self.first_paint(FAST_3G)

    async def opening(self) -> float:
        """From the click on the bell until one can write."""
        async with self.window() as page:
            await page.goto(self.url)
            bell = page.get_by_role("button", name=re.compile("chat", re.IGNORECASE))
            await bell.wait_for()
            begun = time.perf_counter()
            await bell.click()
            await page.frame_locator("iframe").locator(".composer[data-empty]").wait_for()
            return 1000 * (time.perf_counter() - begun)

    async def own_row(self) -> float:
        async with self.window(self.maya) as page:
            await page.goto(f"{self.url}/chat/{SELLER.id}")
            await page.locator(".composer[data-empty]").wait_for()
            field = page.locator(".composer textarea")
            await field.fill("How long until this stands here?")
            return float(await field.evaluate(ENTER))

    async def switches(self) -> list[float]:
        """Between conversations of a page each, in the panel with all of them."""
        async with self.window(self.anna) as page:
            await page.goto(f"{self.url}/inbox")
            rows = page.locator(".conversation")
            await rows.nth(ROUNDS).click()
            await page.locator(".message").first.wait_for()
            return [float(await rows.nth(n).evaluate(SWITCH)) for n in range(ROUNDS)]

    async def inbox_paint(self) -> float:
        async with self.window(self.anna) as page:
            await page.goto(f"{self.url}/inbox")
            return float(await page.evaluate(PAINT))


async def sizes(url: str) -> None:
    """What goes over the wire, compressed."""
    client = AsyncHTTPClient()

    async def size(path: str) -> tuple[int, bytes]:
        answer = await client.fetch(
            url + path, headers={"Accept-Encoding": "gzip"}, decompress_response=False
        )
        return len(answer.body), gzip.decompress(answer.body)

    loader, _ = await size("/widget.js")
    document, html = await size(f"/widget/{SELLER.id}")
    parts = re.findall(r'"(/assets/[^"]+)"', html.decode())
    rest = [(await size(part))[0] for part in parts]
    tell("loader", loader, 4096, "bytes")
    tell("widget: document, style, script", document + sum(rest), 40_000, "bytes")


def tell(what: str, value: float, budget: float, unit: str = "ms") -> None:
    sys.stdout.write(f"{what:<48}{value:>9,.0f} {unit:<6} (asked for: {budget:,})\n")
    sys.stdout.flush()


async def median(act: Callable[[], Awaitable[float]]) -> float:
    return statistics.median([await act() for _ in range(ROUNDS)])


async def main() -> None:
    from playwright.async_api import async_playwright

    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory) / "data"
        async with serving(data_dir) as url, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium(), args=["--no-sandbox"]
            )
            bench = Bench(url, data_dir, browser)
            await sizes(url)
            await bench.fill()
            tell(
                f"/chat with {MESSAGES} messages: largest paint",
                await median(bench.first_paint),
                300,
            )
            tell("the same on fast 3G", await median(bench.slow_paint), 2000)
            tell("opening the widget", await median(bench.opening), 1000)
            tell("own row after Enter", await median(bench.own_row), 50)
            tell(
                f"/inbox with {CONVERSATIONS:,} conversations", await median(bench.inbox_paint), 300
            )
            tell("switch of conversation there", statistics.median(await bench.switches()), 150)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(), ALL_SECONDS))
