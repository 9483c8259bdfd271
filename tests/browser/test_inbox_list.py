"""The list of conversations: its order under a hand that rests on it, its filter, its times."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import SELLER
from tests.browser.stage import say

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

PEOPLE = {"anna": "Anna Berg", "bela": "Béla Varga", "carl": "Carl-Anton Dahl"}


async def ring(shop, id_, text="Hello"):
    return await say(shop, Participant("Buyer", id_), SELLER, text, PEOPLE[id_])


@pytest.fixture
async def inbox(shop, seller, open_window):
    """An inbox with Carl, Béla, Anna and Lena, in this order."""
    for id_ in PEOPLE:
        await ring(shop, id_)
    page = await open_window(f"{shop.url}/inbox", token=seller)
    await expect(names(page)).to_have_text(
        ["Carl-Anton Dahl", "Béla Varga", "Anna Berg", "Lena Vogt"]
    )
    await expect(page.locator(".list-foot .presence__word")).to_have_text("Online")
    return page


def names(page):
    return page.locator(".conversation__name:visible")


def row(page, name):
    return page.locator(".conversation", has_text=name)


def filter_field(page):
    return page.get_by_role("searchbox", name="Filter by name")


async def test_the_newest_goes_to_the_top_but_not_under_the_pointer(shop, inbox):
    await row(inbox, "Béla").hover()
    before = await row(inbox, "Béla").bounding_box()
    await ring(shop, "anna", "Is anybody there?")
    await expect(row(inbox, "Anna")).to_contain_text("Is anybody there?")
    await expect(row(inbox, "Anna").locator(".conversation__unread")).to_have_text("2 unread")
    assert await row(inbox, "Béla").bounding_box() == before
    assert (await names(inbox).all_text_contents())[0] == "Carl-Anton Dahl"
    await inbox.mouse.move(800, 300)
    await expect(names(inbox)).to_have_text(
        ["Anna Berg", "Carl-Anton Dahl", "Béla Varga", "Lena Vogt"]
    )


async def test_nor_under_the_keyboard_s_focus(shop, inbox):
    await row(inbox, "Béla").focus()
    await ring(shop, "anna", "Is anybody there?")
    await expect(row(inbox, "Anna")).to_contain_text("Is anybody there?")
    assert (await names(inbox).all_text_contents())[0] == "Carl-Anton Dahl"
    await expect(row(inbox, "Béla")).to_be_focused()
    await filter_field(inbox).focus()
    await expect(names(inbox).first).to_have_text("Anna Berg")


async def test_the_list_is_filtered_by_name_while_one_types(shop, inbox):
    await filter_field(inbox).fill("BEL")
    await expect(names(inbox)).to_have_text(["Béla Varga"])
    await expect(inbox).to_have_url(re.compile(r"\?name=BEL$"))
    await filter_field(inbox).fill("an")
    await expect(names(inbox)).to_have_text(["Carl-Anton Dahl", "Anna Berg"])
    await ring(shop, "bela", "I am not called so")
    await ring(shop, "anna", "But I am")
    await expect(names(inbox)).to_have_text(["Anna Berg", "Carl-Anton Dahl"])
    await inbox.reload()
    await expect(names(inbox)).to_have_text(["Anna Berg", "Carl-Anton Dahl"])
    await row(inbox, "Carl").click()
    await expect(inbox).to_have_url(re.compile(r"/inbox/[0-9a-f]{24}\?name=an$"))
    await filter_field(inbox).fill("leonie")
    await expect(inbox.get_by_role("heading", name="No one called “leonie”")).to_be_visible()
    await inbox.get_by_role("link", name="Clear the filter").click()
    await expect(names(inbox)).to_have_count(4)
    await expect(filter_field(inbox)).to_be_focused()
    await expect(filter_field(inbox)).to_have_value("")


async def test_a_name_that_is_not_on_the_page_is_found(shop, seller, open_window, monkeypatch):
    monkeypatch.setattr("handlers.pages.LIST_LENGTH", 2)
    monkeypatch.setattr("models.chat.CONVERSATIONS_SHOWN", 2)
    for id_ in PEOPLE:
        await ring(shop, id_)
    page = await open_window(f"{shop.url}/inbox", token=seller)
    await expect(names(page)).to_have_count(2)
    await filter_field(page).fill("vogt")
    await expect(names(page)).to_have_text(["Lena Vogt"])


async def test_a_row_is_one_line_high_however_many_were_written(shop, inbox):
    one_line = (await row(inbox, "Béla").bounding_box())["height"]
    await ring(shop, "anna", "Three bowls,\nfour plates,\nand a jug")
    await expect(row(inbox, "Anna")).to_contain_text("four plates")
    assert (await row(inbox, "Anna").bounding_box())["height"] == one_line
    await inbox.reload()
    assert (await row(inbox, "Anna").bounding_box())["height"] == one_line


async def test_the_desk_is_nowhere_called_online_before_it_is_connected(shop, seller, open_window):
    page = await open_window(f"{shop.url}/inbox", token=seller, java_script_enabled=False)
    await expect(page.get_by_text("Not connected")).to_be_visible()
    dot = page.locator(".list-foot .avatar__dot")
    await expect(dot).to_have_css("opacity", "0")

    page = await open_window(f"{shop.url}/inbox", token=seller)
    await expect(page.locator(".list-foot .presence__word")).to_have_text("Online")
    await expect(page.locator(".list-foot .avatar__dot")).to_have_css("opacity", "1")


async def test_only_the_unread_ones(shop, inbox):
    await row(inbox, "Béla").click()
    await expect(row(inbox, "Béla").locator(".badge")).to_be_hidden()
    await inbox.locator('[data-filter="unread"]').click()
    await expect(inbox.locator('[data-filter="unread"]')).to_have_attribute("aria-current", "true")
    await inbox.get_by_role("link", name="All", exact=True).focus()
    await row(inbox, "Carl").click()
    await expect(row(inbox, "Carl").locator(".badge")).to_be_hidden()
    await expect(row(inbox, "Carl")).to_be_visible()  # it stays while one is at it
    await expect(inbox).to_have_url(re.compile(r"\?filter=unread$"))
    await inbox.locator('[data-filter="all"]').click()
    await expect(names(inbox)).to_have_count(4)


async def test_the_filter_works_without_a_script(shop, seller, open_window):
    for id_ in PEOPLE:
        await ring(shop, id_)
    page = await open_window(f"{shop.url}/inbox", token=seller, java_script_enabled=False)
    await filter_field(page).fill("bela")
    await filter_field(page).press("Enter")
    await expect(names(page)).to_have_text(["Béla Varga"])
    await page.locator('[data-filter="unread"]').click()
    await expect(names(page)).to_have_text(["Béla Varga"])
    await filter_field(page).fill("leonie")
    await filter_field(page).press("Enter")
    await expect(page.get_by_text("No one called “leonie”")).to_be_visible()
    await page.get_by_role("link", name="Clear the filter").click()
    await expect(page).to_have_url(f"{shop.url}/inbox?filter=unread")
    await expect(names(page)).to_have_count(4)


async def test_times_grow_old_while_one_looks(shop, seller, open_window, expected_faults):
    expected_faults.append("WebSocket connection to .* failed")  # no beat in so many minutes
    page = await open_window("about:blank")
    await page.context.add_cookies([{"name": "shopbell_session", "value": seller, "url": shop.url}])
    await ring(shop, "anna")
    await page.clock.install(time=datetime.now(UTC))
    await page.goto(f"{shop.url}/inbox")
    time = row(page, "Anna").locator("time")
    await expect(time).to_have_text("now")
    await page.clock.run_for(timedelta(minutes=2, seconds=30).total_seconds() * 1000)
    await expect(time).to_have_text(re.compile(r"^2 min"))


async def test_a_conversation_from_far_down_tells_how_much_is_unread_in_it(
    shop, seller, open_window
):
    """It was not listed, so only the server knows how far it was read."""
    for number in range(3):
        sent = await ring(shop, "anna", f"{number}")
    page = await open_window(f"{shop.url}/inbox?name=lena", token=seller)
    await expect(page).to_have_title(re.compile(r"^\(4\) "))
    await expect(page.locator(".list-foot .presence__word")).to_have_text("Online")
    await page.evaluate("history.replaceState(null, '', '/inbox')")
    await ring(shop, "anna", "And a last one")
    await expect(page).to_have_title(re.compile(r"^\(5\) "))
    await filter_field(page).fill("anna")
    await expect(row(page, "Anna").locator(".conversation__unread")).to_have_text("4 unread")
    assert sent.seq == 3
