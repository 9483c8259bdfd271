"""What the chat may cost a page and a telephone: bytes, requests, shifts, rows, memory."""

import asyncio
import gzip
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from handlers.bundles import PAGES, SHEETS, bundle
from handlers.languages import LANGUAGES
from models.demo import BUYER, SELLER
from tests.bench.crowd import conversation, now, put
from tests.browser.stage import field, messages, say, write

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=90)]

LOADER_BYTES = 4096
WIDGET_BYTES = 40_000
ROWS = 320
TAB_BYTES = 150 * 1024 * 1024
CHAT_SHIFT = 0.02
LONG = 10_000

# "Fast 3G" of Chromium's own tools: 1.6 Mbit/s down, 750 kbit/s up, and what a round trip takes.
FAST_3G = {
    "offline": False,
    "latency": 300,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
# Also what was there before one looked; a page's shifts do not count while somebody types.
WATCH_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) {
      window.shift += entry.value;
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""


async def fetched(shop, path):
    """What goes over the wire to a browser."""
    return await AsyncHTTPClient().fetch(
        shop.url + path, headers={"Accept-Encoding": "gzip"}, decompress_response=False
    )


async def shift_of(page):
    """How far the page's content jumped, once it stands still."""
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return await page.evaluate("window.shift")


def frame_of(page):
    return page.frame_locator("iframe")


async def widget_on(page):
    await page.get_by_role("button", name=re.compile("chat", re.IGNORECASE)).click()
    await expect(field(frame_of(page))).to_be_visible()
    return page.frames[1]


# --- Bytes --------------------------------------------------------------------------------------


async def test_the_loader_is_small(shop):
    loader = await fetched(shop, "/widget.js")
    assert loader.headers["Content-Encoding"] == "gzip"
    assert len(loader.body) <= LOADER_BYTES


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_widget_is_small_in_every_language(shop, language):
    document = await fetched(shop, f"/widget/{SELLER.id}?language={language}")
    html = gzip.decompress(document.body).decode()
    assert f'<html lang="{language}"' in html
    parts = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+\.(?:js|css)[^"]*)"', html)
    assert len(parts) == 2, "one script and one style sheet"
    sizes = [len(document.body), *[len((await fetched(shop, part)).body) for part in parts]]
    assert sum(sizes) <= WIDGET_BYTES, sizes


# What a browser understands: selectors, conditions, names and values, in order. Values of custom
# properties are kept as they stand, so the spaces that mean nothing there are taken out of both.
RULES = r"""
(texts) => {
  const understood = [];
  const tell = (text) => understood.push(text.replace(/\s*([,:()/])\s*/g, "$1"));
  const read = (rules) => {
    for (const rule of rules) {
      understood.push(rule.selectorText ?? "");
      tell(rule.conditionText ?? rule.name ?? "");
      for (const name of rule.style ?? []) {
        tell(`${name}: ${rule.style.getPropertyValue(name)}`);
      }
      read(rule.cssRules ?? []);
    }
  };
  for (const text of texts) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    read(sheet.cssRules);
  }
  return understood;
}
"""


async def test_style_sheets_mean_the_same_when_they_are_small(open_window, shop):
    page = await open_window(f"{shop.url}/healthz")
    for name, sheets in PAGES.items():
        small = await page.evaluate(RULES, [bundle(name).plain.decode()])
        written = [(SHEETS / f"{sheet}.css").read_text() for sheet in sheets]
        assert len(small) > 100
        assert small == await page.evaluate(RULES, written), name


# --- Requests -----------------------------------------------------------------------------------


async def test_nothing_but_the_loader_is_asked_for_until_the_bell_is_rung(open_window, shop):
    page = await open_window("about:blank")
    asked = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    html = (
        f'<!doctype html><script src="/widget.js" data-seller="{SELLER.id}"></script><h1>Shop</h1>'
    )
    await page.route(
        "**/shop-page", lambda route: route.fulfill(body=html, content_type="text/html")
    )
    await page.goto(f"{shop.url}/shop-page")
    bell = page.get_by_role("button")
    await expect(bell).to_be_visible()
    await page.evaluate("new Promise((done) => requestIdleCallback(done))")
    assert asked == ["/shop-page", "/widget.js"]

    await bell.click()
    await expect(field(frame_of(page))).to_be_visible()
    await expect(frame_of(page).locator(".composer[data-empty]")).to_be_attached()
    opened = asked[2:]
    assert opened[0] == f"/widget/{SELLER.id}"
    assets = [path for path in opened if path.startswith("/assets/")]
    assert sorted(path.rpartition("/")[2] for path in assets) == ["widget-frame.js", "widget.css"]
    others = {re.sub(r"^/static/images/.*", "image", path) for path in opened[1:]} - set(assets)
    assert others <= {"image", f"/api/sellers/{SELLER.id}"}


@pytest.fixture
def held(database_name, _database_client):
    """Tells how many documents there are of each kind."""

    def held():
        database = _database_client[database_name]
        names = set(database.list_collection_names()) - {"meta"}
        return {name: database[name].count_documents({}) for name in names}

    return held


async def test_a_thousand_page_views_store_nothing(shop, held):
    before = held()
    paths = [f"/chat/{SELLER.id}", f"/widget/{SELLER.id}", "/widget.js", "/"]
    client = AsyncHTTPClient()
    for _ in range(1000 // (len(paths) * 10)):
        views = [client.fetch(shop.url + path) for path in paths for _ in range(10)]
        assert all(answer.code == 200 for answer in await asyncio.gather(*views))
    await shop.shop.ledger.settle()
    assert held() == before


# --- Layout shift -------------------------------------------------------------------------------


async def test_the_bell_moves_nothing_on_the_shop_s_page(open_window, shop):
    page = await open_window("about:blank")
    await page.context.add_init_script(WATCH_SHIFTS)
    await page.goto(shop.url)
    bell = page.get_by_role("button", name=re.compile("chat", re.IGNORECASE))
    await bell.click()
    await expect(field(frame_of(page))).to_be_visible()
    assert await shift_of(page) == 0
    await page.keyboard.press("Escape")
    await expect(frame_of(page).locator("main")).to_be_hidden()
    assert await shift_of(page) == 0


@pytest.mark.parametrize("place", ["chat", "widget", "inbox"])
async def test_the_chat_stands_still_while_it_comes_and_while_it_grows(
    open_window, shop, seller, buyer, place
):
    for number in range(30):
        await say(shop, BUYER, SELLER, f"Line {number}\nand one more", "Lena Vogt")
    room = (await shop.shop.ledger.between(BUYER.key, SELLER.key)).id
    path = {"chat": f"/chat/{SELLER.id}", "widget": "/", "inbox": f"/inbox/{room}"}[place]
    page = await open_window("about:blank")
    await page.context.add_init_script(WATCH_SHIFTS)
    token = seller if place == "inbox" else buyer
    await page.context.add_cookies([{"name": "shopbell_session", "value": token, "url": shop.url}])
    await page.goto(shop.url + path)
    root = await widget_on(page) if place == "widget" else page
    assert await shift_of(root) < CHAT_SHIFT
    if place != "widget":
        who, other = (SELLER, BUYER) if place == "inbox" else (BUYER, SELLER)
        await say(shop, other, who, "It does stand still.", "Lena Vogt")
        await expect(messages(root).last).to_contain_text("It does stand still.")
        assert await shift_of(root) < CHAT_SHIFT


async def test_the_widget_stands_still_though_its_sheet_is_late(open_window, shop):
    """Fails when the body is shown before it: Chromium lays a frame out while its sheets are under
    way, and counts a jump of 0.52 although nothing was painted."""

    async def late(route):
        await asyncio.sleep(0.4)
        await route.continue_()

    page = await open_window("about:blank")
    await page.context.add_init_script(WATCH_SHIFTS)
    await page.context.route("**/widget.css", late)
    await page.goto(shop.url)
    assert await shift_of(await widget_on(page)) < CHAT_SHIFT


class InParts(web.RequestHandler):
    """Documents as a slow line brings them, or a slow machine reads them."""

    def initialize(self, url):
        self.url = url

    async def get(self):
        answer = await AsyncHTTPClient().fetch(self.url + self.request.uri)
        kind = answer.headers["Content-Type"]
        self.set_header("Content-Type", kind)
        size = 500 if kind.startswith("text/html") else len(answer.body)
        for start in range(0, len(answer.body), size):
            self.write(answer.body[start : start + size])
            await self.flush()
            await asyncio.sleep(0.02)


async def test_the_widget_stands_still_though_its_document_comes_in_parts(open_window, shop):
    """Fails when the body is shown before its end is there: what is read so far is laid out."""
    page = await open_window("about:blank")
    await page.context.add_init_script(WATCH_SHIFTS)
    [listening] = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(web.Application([("/.*", InParts, {"url": shop.url})]))
    server.add_socket(listening)
    try:
        await page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/widget/{SELLER.id}")
        await expect(field(page)).to_be_visible()
        assert await shift_of(page) == 0
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.mark.parametrize("place", ["chat", "widget"])
async def test_a_conversation_grows_from_nothing_without_a_jump(open_window, shop, place):
    page = await open_window("about:blank")
    await page.context.add_init_script(WATCH_SHIFTS)
    await page.goto(shop.url + {"chat": f"/chat/{SELLER.id}", "widget": "/"}[place])
    root = await widget_on(page) if place == "widget" else page
    for text in ("Is the mug", "still there?"):
        await write(root, text)
        await expect(messages(root).last).to_have_attribute("data-status", "sent")
        assert await shift_of(root) < CHAT_SHIFT, text
    [guest] = {one.who.participant for one in shop.shop.hub.everybody()}
    for number in range(12):  # more than the widget's screen holds
        await say(shop, SELLER, guest, f"Answer {number}\nand one more", "Anna")
        await expect(messages(root).last).to_contain_text(f"Answer {number}")
        assert await shift_of(root) < CHAT_SHIFT, number


async def test_older_messages_come_without_a_jump(open_window, shop, buyer):
    for number in range(60):
        await say(shop, BUYER, SELLER, f"Line {number}\nand one more", "Lena Vogt")
    page = await open_window("about:blank")
    await page.context.add_init_script(WATCH_SHIFTS)
    await page.context.add_cookies([{"name": "shopbell_session", "value": buyer, "url": shop.url}])
    await page.goto(f"{shop.url}/chat/{SELLER.id}")
    await expect(page.locator(".composer[data-empty]")).to_be_attached()
    await page.evaluate("document.querySelector('.timeline').scrollTop = -1e6")
    await expect(messages(page).first).to_have_attribute("data-seq", "1")
    assert await shift_of(page) < CHAT_SHIFT


# --- Rows and memory ----------------------------------------------------------------------------


@pytest.mark.gen_test(timeout=240)
async def test_a_long_conversation_stays_light(open_window, shop):
    """Rows are counted in the document; memory is what Chromium says of the tab's script heap and,
    with all that it holds for it beside, of the tab's process."""
    tokens = shop.shop.tokens
    token = shop.token("Buyer", "maya")
    anna = tokens.read(tokens.issue(SELLER, "Anna", seconds=60))
    told, said = conversation(tokens.read(token), anna, length=LONG, ended_at=now())
    await put(shop.shop.store, [(told, said)])
    page = await open_window(f"{shop.url}/chat/{SELLER.id}", token=token)
    await expect(page.locator(".composer[data-empty]")).to_be_attached()
    most_rows = await page.evaluate(SCROLL_TO_THE_START)
    assert ROWS / 2 < most_rows < ROWS
    await expect(messages(page).first).to_have_attribute("data-seq", "1")
    heap, footprint = await memory_of(page)
    assert heap < TAB_BYTES / 3
    assert footprint < TAB_BYTES


SCROLL_TO_THE_START = """
async () => {
  const list = document.querySelector("[data-part=timeline]");
  const rows = document.querySelector("[data-part=rows]");
  const first = () => Number(rows.querySelector(".message").dataset.seq);
  let most = 0;
  while (first() > 1) {
    const before = first();
    const older = new Promise((done) => {
      new MutationObserver((_, observer) => {
        most = Math.max(most, rows.children.length);
        if (first() < before) {
          observer.disconnect();
          done();
        }
      }).observe(rows, { childList: true });
    });
    // The top has to be seen out of view before it may come into view again.
    for (let frame = 0; frame < 3; frame += 1) {
      await new Promise((done) => requestAnimationFrame(done));
    }
    list.scrollTop = -list.scrollHeight;
    await older;
  }
  return most;
}
"""


async def memory_of(page):
    """The bytes of a tab's script heap, and those that its process has to itself, which is what
    Chromium's task manager calls its footprint."""
    tab = await page.context.new_cdp_session(page)
    await tab.send("HeapProfiler.collectGarbage")
    await tab.send("Performance.enable")
    metrics = (await tab.send("Performance.getMetrics"))["metrics"]
    heap = next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize")
    system = await page.context.browser.new_browser_cdp_session()
    processes = (await system.send("SystemInfo.getProcessInfo"))["processInfo"]
    renderers = [process["id"] for process in processes if process["type"] == "renderer"]
    return heap, max(map(footprint_of, renderers))


def footprint_of(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = re.findall(r"^(?:Private_Clean|Private_Dirty|Swap):\s+(\d+) kB$", rollup, re.MULTILINE)
    return 1024 * sum(map(int, own))


# --- A slow network, an old page ----------------------------------------------------------------


async def test_a_conversation_is_read_within_two_seconds_on_a_telephone(open_window, shop, buyer):
    for number in range(43):  # with those of the demo 50, a page
        await say(shop, BUYER, SELLER, f"Line {number} of what was said about the mug", "Lena Vogt")
    page = await open_window("about:blank")
    await page.context.add_cookies([{"name": "shopbell_session", "value": buyer, "url": shop.url}])
    network = await page.context.new_cdp_session(page)
    await network.send("Network.enable")
    await network.send("Network.emulateNetworkConditions", FAST_3G)
    await page.goto(f"{shop.url}/chat/{SELLER.id}", wait_until="commit")
    await expect(messages(page).last).to_be_visible()
    painted = await page.evaluate(
        """new Promise((done) => {
          new PerformanceObserver((list) => done(list.getEntries().at(-1).startTime))
            .observe({ type: "largest-contentful-paint", buffered: true });
        })"""
    )
    assert painted < 2000


async def test_an_old_page_gets_today_s_script_and_goes_on(
    open_window, expected_faults, shop, buyer
):
    """The server was renewed between a page and its script, and it tells more than it did."""
    expected_faults.append('The event "mood_changed" is not known here')  # told once, and ignored
    page = await open_window("about:blank")
    await page.context.add_cookies([{"name": "shopbell_session", "value": buyer, "url": shop.url}])
    answers = []

    async def older(route):
        answer = await route.fetch()
        html = re.sub("/assets/[0-9a-f]{16}/", "/assets/0123456789abcdef/", await answer.text())
        await route.fulfill(response=answer, body=html)

    async def newer(route):
        answer = await route.fetch()
        body = await answer.json()
        await route.fulfill(response=answer, json={**body, "mood": "new", "moods": [{}]})

    def told_more(socket):
        server = socket.connect_to_server()

        def tell(frame):
            said = json.loads(frame)
            events = said if isinstance(said, list) else [said]
            more = [
                {**event, "mood": 1, "data": {**event["data"], "mood": {"is": "new"}}}
                for event in events
            ]
            socket.send(json.dumps([{"event": "mood_changed", "data": {"mood": 2}}, *more]))

        server.on_message(tell)

    page.on("response", lambda answer: answers.append((urlsplit(answer.url).path, answer.status)))
    # A page that the test has rewritten counts as one from elsewhere.
    await page.context.grant_permissions(["local-network-access"])
    await page.route("**/chat/*", older)
    await page.route("**/api/**", newer)
    await page.route_web_socket(re.compile("/ws$"), told_more)
    await page.goto(f"{shop.url}/chat/{SELLER.id}")
    await write(page, "Does this page still work?")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    await say(shop, SELLER, BUYER, "It does.", "Anna’s Ceramics")
    await expect(messages(page).last).to_contain_text("It does.")
    old = {path: status for path, status in answers if "/0123456789abcdef/" in path}
    assert old == {f"/assets/0123456789abcdef/{name}": 200 for name in ("chat.js", "chat.css")}
