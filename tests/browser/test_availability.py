"""What buyers are told of how soon the seller replies and when they are back."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from models import presence
from models.demo import SELLER
from models.events import UserStatusChanged
from models.timesheet import Timesheet
from tests.browser.stage import messages, write

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

FRIDAY = datetime(2026, 11, 20, 8, 20, tzinfo=UTC)
NIGHT = datetime(2026, 11, 20, 20, 20, tzinfo=UTC)
OFFICE = range(9, 17)  # in Berlin it is an hour later

BACK = re.compile("^Usually back")
REPLIES = "Usually replies within 15 minutes"
WRITE = "Write any time. The answer appears here."


@pytest.fixture(autouse=True)
def no_grace(monkeypatch):
    """Whoever leaves is gone at once."""
    monkeypatch.setattr(presence, "GRACE_SECONDS", 0)


@pytest.fixture
def office(shop):
    """Lets it be a certain time, and the seller one who keeps hours from Monday to Friday."""

    async def office(now):
        sheet = Timesheet()
        for day in range(1, 15):
            at = now - timedelta(days=day)
            for hour in OFFICE if at.weekday() < 5 else ():
                sheet.saw(at.replace(hour=hour))
            sheet.answered(at, timedelta(minutes=12))
        await shop.shop.store.write_timesheet(SELLER.key, sheet)
        shop.shop.availability._now = now.timestamp

    return office


@pytest.fixture
def look(open_window):
    """Opens a page at a certain time, in Berlin."""

    async def look(url, now):
        page = await open_window(f"{url.partition('/chat/')[0]}/login", timezone_id="Europe/Berlin")
        await page.clock.install(time=now)
        await page.goto(url)
        return page

    return look


def line(page):
    """What stands beside the seller's name."""
    return page.locator(".header__status")


async def opened_widget(page):
    await page.get_by_role("button", name="Open the chat").click()
    return page.frame_locator("iframe")


async def test_what_is_not_known_is_not_said(shop, open_window):
    page = await open_window(f"{shop.url}/chat/{SELLER.id}")
    await expect(page.get_by_text("Offline")).to_be_visible()
    await expect(page.get_by_text(WRITE)).to_be_visible()
    await expect(page.get_by_text(re.compile("Usually"))).to_have_count(0)


async def test_the_reader_s_own_day_and_time_are_named(shop, office, look):
    page = None
    for now, words in [
        (FRIDAY, "Usually back today at 10:00"),
        (FRIDAY.replace(day=19, hour=23), "Usually back today at 10:00"),
        (NIGHT - timedelta(days=1), "Usually back tomorrow at 10:00"),
        (NIGHT, "Usually back on Monday at 10:00"),
    ]:
        await office(now)
        page = await look(f"{shop.url}/chat/{SELLER.id}", now)
        facts = page.locator(".chat__facts")
        await expect(facts.get_by_text(BACK)).to_have_text(words)
        await expect(facts.get_by_text(REPLIES)).to_be_visible()
        await page.context.close()


async def test_without_script_a_page_says_what_needs_no_zone(shop, office, open_window):
    await office(NIGHT)
    page = await open_window(f"{shop.url}/chat/{SELLER.id}", java_script_enabled=False)
    await expect(page.locator(".chat__facts").get_by_text(REPLIES)).to_be_visible()
    await expect(page.get_by_text(WRITE)).to_be_visible()
    await expect(page.get_by_text(re.compile("10:00|09:00"))).to_have_count(0)


async def test_the_widget_follows_a_seller_who_comes_and_goes(
    shop, office, look, seller, open_window
):
    await office(NIGHT)
    page = await look(shop.url, NIGHT)
    widget = await opened_widget(page)
    await expect(line(widget)).to_have_text(
        re.compile(r"Offline\s+Usually back on Monday at 10:00")
    )
    await expect(line(widget).get_by_text(REPLIES)).to_be_hidden()
    await expect(widget.locator(".empty").get_by_text(WRITE)).to_be_visible()
    await expect(widget.locator(".empty").get_by_text(REPLIES)).to_be_visible()

    await write(widget, "Is anybody there?")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")

    inbox = await open_window(f"{shop.url}/inbox", token=seller)
    await expect(line(widget).get_by_text("Online")).to_be_visible()
    await expect(line(widget).get_by_text(BACK)).to_be_hidden()
    await expect(line(widget).get_by_text(REPLIES)).to_be_visible()
    other = await opened_widget(await look(shop.url, NIGHT))
    await expect(other.get_by_text(REPLIES).filter(visible=True)).to_have_count(1)  # said once

    await inbox.context.close()
    await expect(line(widget).get_by_text("Offline")).to_be_visible()
    await expect(line(widget).get_by_text(BACK)).to_be_visible()


async def test_whoever_has_no_connection_is_told_within_a_minute(
    shop, office, look, seller, open_window
):
    await office(NIGHT)
    await open_window(f"{shop.url}/inbox", token=seller)
    page = await look(f"{shop.url}/chat/{SELLER.id}", NIGHT)
    status = page.locator(".chat__status .presence")
    facts = page.locator(".chat__facts")
    await expect(status).to_have_text(re.compile("Online"))
    await expect(facts.get_by_text(BACK)).to_be_hidden()
    shop.shop.chat._live.set_status(SELLER.key, "offline")
    await page.clock.fast_forward(61_000)
    await expect(status).to_have_text(re.compile("Offline"))
    await expect(facts.get_by_text(BACK)).to_have_text("Usually back on Monday at 10:00")


async def test_a_time_that_has_passed_is_not_promised(shop, office, look):
    await office(FRIDAY)
    page = await look(f"{shop.url}/chat/{SELLER.id}", FRIDAY)
    facts = page.locator(".chat__facts")
    await expect(facts.get_by_text(BACK)).to_have_text("Usually back today at 10:00")
    shop.shop.availability._now = (FRIDAY + timedelta(hours=9)).timestamp
    await page.clock.fast_forward(9 * 3600 * 1000)
    await expect(facts.get_by_text(BACK)).to_have_text("Usually back on Monday at 10:00")


async def test_the_server_is_asked_at_most_once_a_minute(shop, office, look):
    await office(NIGHT)
    page = await look(shop.url, NIGHT)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    widget = await opened_widget(page)
    await write(widget, "Is anybody there?")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")

    def told(status):
        shop.shop.chat._live._tell(
            UserStatusChanged(SELLER.id, SELLER.type, status, last_seen=None),
            [who.who.key for who in shop.shop.hub.everybody()],
        )

    def questions():
        return len([url for url in asked if url.endswith(f"/api/sellers/{SELLER.id}")])

    for _ in range(3):
        for status, word in (("online", "Online"), ("away", "Away"), ("offline", "Offline")):
            told(status)
            await expect(line(widget).get_by_text(word)).to_be_visible()
    assert questions() == 1
    async with page.expect_request(re.compile("/api/sellers/")):
        await page.clock.fast_forward(60_000)
    assert questions() == 2
