"""Real windows: Chromium, one browsing context for each person, and no violation of any policy."""

import fcntl
import os
import re
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from models.demo import BUYER, SELLER, prepare_demo
from tests.browser.high_street import HighStreet, free_port

INSTALL = "apt-get install chromium fonts-noto-core fonts-noto-color-emoji"

# Told from every document, frames included.
WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`violation of ${event.effectiveDirective}: ${event.blockedURI} at ${location}`);
});
"""

OpenWindow = Callable[..., Awaitable[Any]]

# Playwright switches this off, and the storage of a frame from another site then throws. That is
# one of two ways in which people's browsers are set; without the name we get the other.
PARTITIONING = "ThirdPartyStoragePartitioning"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing = f"Chromium is needed: {INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture
def storage() -> str:
    """What a frame from another site has: its own for each site around it (``partitioned``), or
    none (``blocked``)."""
    return "partitioned"


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """One browser at a time, of all processes of this run: two of them leave no processor to the
    databases of other tests."""
    with (tmp_path_factory.getbasetemp().parent / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def browser_path(chromium_path: str, storage: str, tmp_path: Path, alone: None) -> str:
    if storage == "blocked":
        return chromium_path
    script = tmp_path / "chromium"
    script.write_text(f'#!/bin/bash\nexec {chromium_path} "${{@/{PARTITIONING},/}}"\n')
    script.chmod(0o755)
    return str(script)


@pytest.fixture
async def street(serve: Callable[..., Awaitable[Any]]) -> AsyncGenerator[HighStreet]:
    """The demo's chat on a site of its own, and shops. A and B may embed it, C may not."""
    street = HighStreet(free_port(), free_port())
    street.server = await serve(
        on_port=street.chat_port,
        public_url=street.chat,
        rate_limits="off",
        demo="on",
        allowed_origins=f"{street.origin('shop-a')},{street.origin('shop-b')}",
    )
    await prepare_demo(street.server.shop)
    shops = street.open()
    yield street
    shops.stop()
    await shops.close_all_connections()


@pytest.fixture
async def shop(serve: Callable[..., Awaitable[Any]]) -> Any:
    """The demo shop."""
    server = await serve(rate_limits="off", demo="on")
    await prepare_demo(server.shop)
    return server


@pytest.fixture
def seller(shop: Any) -> Any:
    return shop.token("Seller", SELLER.id, "Anna’s Ceramics")


@pytest.fixture
def buyer(shop: Any) -> Any:
    return shop.token("Buyer", BUYER.id, "Lena Vogt")


@pytest.fixture
def expected_faults() -> list[str]:
    """Patterns of what the consoles may say in this test; it appends its own."""
    return []


@pytest.fixture
async def open_window(browser_path: str, expected_faults: list[str]) -> AsyncGenerator[OpenWindow]:
    """Opens a page of a person's own: ``await open_window(token=…, url=…, width=…)``.

    At the end no page may have raised an error, or said one in its console that was not expected.
    """
    from playwright.async_api import async_playwright

    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox"]
        )

        async def open_(
            url: str, *, token: str | None = None, width: int = 1280, **more: Any
        ) -> Any:
            size: Any = {"width": width, "height": 800}
            context = await browser.new_context(viewport=size, **{"locale": "en-GB", **more})
            await context.add_init_script(WATCH)
            if token is not None:
                origin = "/".join(url.split("/")[:3])
                cookie: Any = {"name": "shopbell_session", "value": token, "url": origin}
                await context.add_cookies([cookie])
            page = await context.new_page()
            page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
            page.on(
                "console",
                lambda said: (
                    faults.append(f"{page.url}: {said.text}")
                    if said.type in {"error", "warning"}
                    else None
                ),
            )
            page.set_default_timeout(20_000)
            await page.goto(url)
            return page

        yield open_
        await browser.close()
    assert [
        fault for fault in faults if not any(re.search(known, fault) for known in expected_faults)
    ] == []


@pytest.fixture
async def chat(shop: Any, buyer: Any, open_window: OpenWindow) -> OpenWindow:
    """Opens a buyer's chat, and waits for its script if it has one: ``await chat(wire)``,
    ``await chat(clock=True, init=…)``."""

    async def open_(
        wire: Any = None,
        *,
        clock: bool = False,
        init: str = "",
        token: str | None = buyer,
        path: str = "/chat/demo-seller",
        **more: Any,
    ) -> Any:
        page = await open_window("about:blank", **more)
        if token:
            cookie = {"name": "shopbell_session", "value": token, "url": shop.url}
            await page.context.add_cookies([cookie])
        if clock:
            await page.clock.install()
        if init:
            await page.add_init_script(init)
        if wire:
            await wire.tap(page)
        await page.goto(shop.url + path)
        if more.get("java_script_enabled", True):
            await page.locator(".composer[data-empty]").wait_for(state="attached")
        return page

    return open_
