"""Real windows: Chromium, one browsing context for each person, and no violation of any policy.

All tests share one Chromium, which takes more processor to start than most of them need, and
therefore one worker and one loop.
"""

import asyncio
import gc
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from models.demo import BUYER, SELLER, prepare_demo
from tests.browser.chromium import INSTALL, chromium
from tests.browser.high_street import HighStreet
from tests.conftest import Serve, end_tasks
from tests.machine import free_port, give_up

# Told from every document, frames included.
WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`violation of ${event.effectiveDirective}: ${event.blockedURI} at ${location}`);
});
"""

OpenWindow = Callable[..., Awaitable[Any]]
Launch = Callable[[str], Awaitable[Any]]

# Playwright switches this off, and the storage of a frame from another site then throws. That is
# one of two ways in which people's browsers are set; without the name we get the other.
PARTITIONING = "ThirdPartyStoragePartitioning"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    return chromium() or give_up(f"Chromium is needed: {INSTALL}")


@pytest.fixture
def storage() -> str:
    """What a frame from another site has: its own for each site around it (``partitioned``), or
    none (``blocked``)."""
    return "partitioned"


@pytest.fixture(scope="session")
def browser_loop() -> Generator[IOLoop]:
    """The loop on which the browsers of this worker live."""
    loop = asyncio.new_event_loop()
    io_loop = IOLoop(asyncio_loop=loop, make_current=False)
    yield io_loop
    io_loop.close(all_fds=True)


@pytest.fixture
def io_loop(browser_loop: IOLoop, launch: Launch) -> Generator[IOLoop]:
    """The browsers' loop, lent to one test, whose tasks end with it."""
    loop: asyncio.AbstractEventLoop = browser_loop.asyncio_loop  # type: ignore[attr-defined]
    asyncio.set_event_loop(loop)
    before = asyncio.all_tasks(loop)
    try:
        yield browser_loop
    finally:
        end_tasks(loop, asyncio.all_tasks(loop) - before)
        asyncio.set_event_loop(None)
        gc.collect()


@pytest.fixture(scope="session")
def launch(
    browser_loop: IOLoop, chromium_path: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Launch]:
    """Gives the Chromium for a kind of storage, started at its first use: ``launch(storage)``."""
    from playwright.async_api import async_playwright

    script = tmp_path_factory.mktemp("chromium") / "chromium"
    script.write_text(f'#!/bin/bash\nexec {chromium_path} "${{@/{PARTITIONING},/}}"\n')
    script.chmod(0o755)
    paths = {"blocked": chromium_path, "partitioned": str(script)}
    running: dict[str, Any] = {}
    playwright: Any = browser_loop.run_sync(async_playwright().start)

    async def launch_(storage: str) -> Any:
        if storage not in running:
            running[storage] = await playwright.chromium.launch(
                executable_path=paths[storage], args=["--no-sandbox"]
            )
        return running[storage]

    async def stop() -> None:
        for browser in running.values():
            await browser.close()
        await playwright.stop()

    yield launch_
    browser_loop.run_sync(stop)


@pytest.fixture
async def street(serve: Serve) -> AsyncGenerator[HighStreet]:
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
async def shop(serve: Serve) -> Any:
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
async def open_window(
    serve: Serve, launch: Launch, storage: str, expected_faults: list[str]
) -> AsyncGenerator[OpenWindow]:
    """Opens a page of a person's own: ``await open_window(token=…, url=…, width=…)``.

    At the end, which is before that of the servers, no page may have raised an error, or said one
    in its console that was not expected.
    """
    faults: list[str] = []
    contexts: list[Any] = []
    browser = await launch(storage)

    async def open_(url: str, *, token: str | None = None, width: int = 1280, **more: Any) -> Any:
        size: Any = {"width": width, "height": 800}
        context = await browser.new_context(viewport=size, **{"locale": "en-GB", **more})
        contexts.append(context)
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
    for context in contexts:
        await context.close()
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
