"""A browser that dies: what was typed and not acknowledged is in its profile, and goes at last."""

import asyncio
import os
import re
import signal

import pytest
from playwright.async_api import expect

from models.demo import SELLER
from tests.browser.stage import field, messages
from tests.browser.wire import Wire
from tests.caller import call
from tests.store.cast import eventually

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=120)]

TEXT = "Typed before the crash"
KEPT_SECONDS = 15  # Chromium writes what pages keep every few seconds


class OwnChromium:
    """A Chromium with a profile of its own, as a process that may be killed."""

    def __init__(self, path, profile, launched):
        self.profile = profile
        self._path = path
        self._type = launched.browser_type
        self._process = None

    async def start(self):
        """Returns a browsing context that keeps what its pages keep."""
        self._process = await asyncio.create_subprocess_exec(
            *[self._path, "--headless", "--no-sandbox", "--remote-debugging-port=0"],
            f"--user-data-dir={self.profile}",
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        async with asyncio.timeout(30):
            while not (line := await self._process.stderr.readline()).startswith(b"DevTools"):
                assert line, "Chromium ended at once."
        self._browser = await self._type.connect_over_cdp(line.decode().split()[-1])
        return self._browser.contexts[0]

    async def kill(self):
        """SIGKILL to it and to all processes that it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.communicate()
            self._process = None
            await self._browser.close()

    def keeps(self, word):
        """Whether a word has come to the disk."""
        files = self.profile.rglob("Local Storage/leveldb/*.log")
        return any(word in file.read_bytes() for file in files)


@pytest.fixture
async def chromium(chromium_path, launch, storage, tmp_path):
    chromium = OwnChromium(chromium_path, tmp_path / "profile", await launch(storage))
    yield chromium
    await chromium.kill()


async def open_chat(context, shop, buyer, wire=None):
    await context.add_cookies([{"name": "shopbell_session", "value": buyer, "url": shop.url}])
    page = await context.new_page()
    page.set_default_timeout(10_000)
    if wire:
        await wire.tap(page)
    await page.goto(f"{shop.url}/chat/{SELLER.id}")
    await page.locator(".composer[data-empty]").wait_for(state="attached")
    return page


async def test_p8_what_was_typed_outlives_a_killed_browser_and_is_stored_once(
    shop, buyer, chromium
):
    """P8: no connection is to be had, Chromium is killed, and opened again on the same profile.

    Fails when ``static/js/post.js`` does not put what it sends into the outbox, or forgets to take
    over what closed tabs left there.
    """
    blocked = Wire()
    blocked.closes_with = 1013
    page = await open_chat(await chromium.start(), shop, buyer, blocked)
    await field(page).fill(TEXT)
    await page.get_by_role("button", name="Send").click()  # without a mouse, Enter breaks the line
    row = messages(page).filter(has_text=TEXT)
    await expect(row).to_have_attribute("data-status", "sending")
    client_id = await row.get_attribute("data-client-id")
    await eventually(lambda: chromium.keeps(client_id.encode()), KEPT_SECONDS)
    await chromium.kill()

    page = await open_chat(await chromium.start(), shop, buyer)
    row = messages(page).filter(has_text=TEXT)
    await expect(row).to_have_count(1)
    await expect(row).to_have_attribute("data-status", re.compile("sent|delivered|read"))
    assert await row.get_attribute("data-client-id") == client_id
    path = f"/api/messages/conversation/{SELLER.id}/Seller?limit=100"
    stored = (await call(shop, "GET", path, token=buyer)).body["messages"]
    assert [message["message"] for message in stored].count(TEXT) == 1
