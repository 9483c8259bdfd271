"""Real windows: Chromium, one browsing context for each person, and no violation of any policy."""

import os
import re
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from models.demo import BUYER, SELLER, prepare_demo

INSTALL = "apt-get install chromium fonts-noto-core fonts-noto-color-emoji"

# Told from every document, frames included.
WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`violation of ${event.effectiveDirective}: ${event.blockedURI} at ${location}`);
});
"""

OpenWindow = Callable[..., Awaitable[Any]]


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
async def open_window(chromium_path: str, expected_faults: list[str]) -> AsyncGenerator[OpenWindow]:
    """Opens a page of a person's own: ``await open_window(token=…, url=…, width=…)``.

    At the end no page may have raised an error, or said one in its console that was not expected.
    """
    from playwright.async_api import async_playwright

    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path, args=["--no-sandbox"]
        )

        async def open_(
            url: str, *, token: str | None = None, width: int = 1280, **more: Any
        ) -> Any:
            size: Any = {"width": width, "height": 800}
            context = await browser.new_context(viewport=size, locale="en-GB", **more)
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
            page.set_default_timeout(10_000)
            await page.goto(url)
            return page

        yield open_
        await browser.close()
    assert [
        fault for fault in faults if not any(re.search(known, fault) for known in expected_faults)
    ] == []
