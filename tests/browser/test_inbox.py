"""The seller's panel: its panes and addresses, what it says of a buyer, what a logout leaves."""

import re

import pytest
from playwright.async_api import expect

from models.conversation import Participant
from models.demo import BUYER, SELLER
from tests.browser.stage import field, messages, say, write

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

JONAS = Participant("Buyer", "jonas")
GUEST = Participant("Buyer", "guest-0000000000007f3a")
CONVERSATION = re.compile("/inbox/[0-9a-f]{24}$")


def row(page, name):
    return page.locator(".conversation", has_text=name)


def side(page):
    return page.get_by_role("complementary", name="About the buyer")


def heading(page, name):
    return page.locator("main").get_by_role("heading", name=name)


@pytest.fixture
async def jonas(shop):
    return await say(shop, JONAS, SELLER, "Is the big vase still available?", "Jonas Okafor")


async def test_there_are_three_panes_then_two_then_one(shop, seller, jonas, open_window):
    page = await open_window(f"{shop.url}/inbox/{jonas.conversation_id}", token=seller, width=1440)
    opener = page.get_by_role("button", name="About the buyer")
    for width, panes in {1440: 3, 1024: 3, 1023: 2, 640: 2, 639: 1, 320: 1}.items():
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.locator(".panes > .pane:visible").count() == panes, width
        await expect(opener).to_be_visible(visible=panes < 3)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


@pytest.mark.parametrize("width", [800, 390])
async def test_the_side_pane_opens_over_the_conversation(shop, seller, jonas, open_window, width):
    page = await open_window(f"{shop.url}/inbox/{jonas.conversation_id}", token=seller, width=width)
    opener = page.get_by_role("button", name="About the buyer")
    await opener.click()
    await expect(side(page)).to_be_visible()
    await expect(side(page).get_by_role("heading", name="Jonas Okafor")).to_be_visible()
    await expect(side(page).get_by_role("button", name="Close")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(side(page)).to_be_hidden()
    await expect(opener).to_be_focused()
    await expect(heading(page, "Jonas Okafor")).to_be_visible()  # Escape closed no more than that


async def test_each_conversation_has_an_address_and_back_leads_back(
    shop, seller, jonas, open_window
):
    page = await open_window(f"{shop.url}/inbox", token=seller)
    await row(page, "Jonas").click()
    await expect(page).to_have_url(CONVERSATION)
    await row(page, "Lena").click()
    await expect(heading(page, "Lena Vogt")).to_be_visible()
    await page.go_back()
    await expect(heading(page, "Jonas Okafor")).to_be_visible()
    await expect(messages(page)).to_have_count(1)
    await page.go_back()
    await expect(page.get_by_text("Choose a conversation")).to_be_visible()
    await expect(page).to_have_url(f"{shop.url}/inbox")
    await page.go_forward()
    await page.go_forward()
    await expect(heading(page, "Lena Vogt")).to_be_visible()
    address = page.url
    await page.reload()
    await expect(heading(page, "Lena Vogt")).to_be_visible()
    assert page.url == address


async def test_back_on_a_phone_leads_from_the_conversation_to_the_list(
    shop, seller, jonas, open_window
):
    page = await open_window(f"{shop.url}/inbox", token=seller, width=390, has_touch=True)
    await row(page, "Jonas").tap()
    await expect(messages(page)).to_have_count(1)
    await page.get_by_role("link", name="Back to the list").tap()
    await expect(row(page, "Jonas")).to_be_focused()
    await expect(page).to_have_url(f"{shop.url}/inbox")
    await page.go_forward()
    await expect(messages(page)).to_have_count(1)
    await page.go_back()
    await expect(row(page, "Jonas")).to_be_visible()
    assert await page.evaluate("history.length") <= 3  # about:blank, the list, the conversation


async def test_a_conversation_that_is_not_in_the_list_opens_all_the_same(
    shop, seller, jonas, open_window
):
    page = await open_window(
        f"{shop.url}/inbox/{jonas.conversation_id}?name=lena", token=seller, width=800
    )
    await expect(messages(page)).to_have_count(1)
    await expect(row(page, "Lena")).to_be_visible()
    await row(page, "Lena").click()
    await expect(heading(page, "Lena Vogt")).to_be_visible()
    await page.go_back()
    await expect(heading(page, "Jonas Okafor")).to_be_visible()
    await expect(messages(page)).to_have_count(1)
    assert await page.locator(".conversation:visible").count() == 1


async def test_a_row_shows_all_that_can_be_known_at_a_glance(shop, seller, buyer, open_window):
    await say(shop, GUEST, SELLER, "Hello?")
    await say(shop, SELLER, BUYER, "It is on its way", "Anna’s Ceramics")
    page = await open_window(f"{shop.url}/inbox", token=seller)
    lena, guest = row(page, "Lena Vogt"), row(page, "Guest 7f3a")
    await expect(lena.locator(".avatar__initials")).to_have_text("LV")
    await expect(lena.get_by_title("Verified by the shop")).to_be_visible()
    await expect(guest.get_by_title("Verified by the shop")).to_be_hidden()
    await expect(lena.locator("time")).to_have_text("now")
    await expect(lena.locator(".conversation__preview")).to_have_text("It is on its way")
    await expect(lena.locator(".tick use")).to_have_attribute("href", "#tick-sent")
    await expect(lena.locator(".conversation__status")).to_have_text("Sent")
    await expect(guest.locator(".tick")).to_be_hidden()
    await expect(guest.locator(".conversation__unread")).to_have_text("1 unread")
    await expect(lena.locator(".badge")).to_be_hidden()

    chat = await open_window(f"{shop.url}/chat/{SELLER.id}", token=buyer)
    await expect(lena.locator(".avatar")).to_have_attribute("data-presence", "online")
    await expect(lena.locator(".conversation__presence")).to_have_text("Online")
    await expect(lena.locator(".tick use")).to_have_attribute("href", "#tick-read")
    await expect(chat.locator(".composer[data-empty]")).to_be_attached()
    await field(chat).press_sequentially("Thanks")
    await expect(lena.locator(".conversation__typing")).to_be_visible()
    await field(chat).press("Enter")
    await expect(lena.locator(".conversation__preview")).to_have_text("Thanks")

    await lena.click()
    await field(page).fill("You are welcome")
    await guest.click()
    await expect(lena).to_contain_text("Draft: You are welcome")


async def test_the_buyer_s_page_is_shown_as_its_word(shop, seller, open_window):
    product = {
        "name": "Bowl, milk white",
        "url": f"{shop.url}/?bowl",
        "price": "€ 42.00",
        "image": "https://elsewhere.example/bowl.jpg",
    }
    page = await open_window(f"{shop.url}/inbox", token=seller, timezone_id="Europe/Berlin")
    foreign = []
    page.on("request", lambda request: foreign.append(request.url))
    store = await open_window(shop.url, timezone_id="Asia/Kolkata")
    await store.get_by_role("button", name="Open the chat").click()
    widget = store.frame_locator("iframe")
    await write(widget, "Is this one dishwasher-safe?")
    await row(page, "Guest").click()  # the page was told before it was opened
    await expect(side(page).get_by_text("A guest")).to_be_visible()
    card = side(page).get_by_role("link", name="Breakfast mug, speckled")
    await expect(card).to_have_attribute("rel", "nofollow noopener noreferrer")
    await expect(side(page)).to_contain_text("Says the page. Shopbell hasn’t checked it.")
    await expect(page.locator("header")).to_contain_text("on Breakfast mug, speckled")
    await expect(side(page).locator(".facts__row", has_text="Language")).to_contain_text("English")
    await expect(side(page).locator(".facts__row", has_text="Local time")).to_be_visible()
    await expect(side(page).locator(".facts__row", has_text="Messages")).to_contain_text("1")
    await expect(side(page).locator(".facts__row", has_text="First seen")).to_contain_text("Today")

    await store.evaluate("product => Shopbell.context({product})", product)
    await expect(side(page).get_by_role("link", name="Bowl, milk white")).to_contain_text("€ 42.00")
    before = side(page).get_by_role("region", name="Before that")
    await expect(before.get_by_role("link", name="Breakfast mug, speckled")).to_be_visible()
    assert [url for url in foreign if "elsewhere" in url] == []
    assert await side(page).locator("img").count() == 0


async def test_what_they_asked_about_leads_to_where_they_did(shop, seller, open_window):
    for text in ("Is it safe?", "Really?"):
        sent = await say(shop, JONAS, SELLER, text, "Jonas Okafor", subject="Breakfast mug")
    for number in range(30):
        await say(shop, JONAS, SELLER, f"More {number}\n\n\n", "Jonas Okafor")
    page = await open_window(f"{shop.url}/inbox/{sent.conversation_id}", token=seller)
    topics = side(page).get_by_role("region", name="Asked about").get_by_role("button")
    await expect(topics).to_have_text(["Breakfast mug"])
    await expect(page.get_by_text("Is it safe?")).not_to_be_in_viewport()
    await topics.click()
    await expect(page.get_by_text("Is it safe?")).to_be_in_viewport()


async def test_one_number_is_unread_everywhere_and_a_read_in_any_tab_clears_it(
    shop, seller, jonas, open_window
):
    page = await open_window(f"{shop.url}/inbox", token=seller)
    await expect(page).to_have_title(re.compile(r"^\(2\) "))
    icon = page.locator('link[rel="icon"]')
    await expect(icon).to_have_attribute("href", re.compile("bell-unread"))
    await expect(page.locator('[data-part="unread"]')).to_have_text("2")
    other = await page.context.new_page()
    await other.goto(f"{shop.url}/inbox/{jonas.conversation_id}")
    await expect(row(page, "Jonas").locator(".badge")).to_be_hidden()
    await expect(page).to_have_title(re.compile(r"^\(1\) "))
    await row(other, "Lena").click()
    for tab in (page, other):
        await expect(tab).to_have_title(re.compile("^Inbox"))
        await expect(tab.locator('link[rel="icon"]')).to_have_attribute(
            "href", re.compile(r"bell\.svg")
        )
        await expect(tab.locator('[data-part="unread"]')).to_be_hidden()


async def test_the_app_s_icon_is_told_the_number_where_it_can_be(shop, seller, open_window):
    page = await open_window("about:blank")
    await page.context.add_cookies([{"name": "shopbell_session", "value": seller, "url": shop.url}])
    await page.add_init_script(
        """navigator.setAppBadge = async (count) => {
          document.documentElement.setAttribute("data-badge", count);
        };"""
    )
    await page.goto(f"{shop.url}/inbox")
    await expect(page.locator("html")).to_have_attribute("data-badge", "1")
    await row(page, "Lena").click()
    await expect(page.locator("html")).to_have_attribute("data-badge", "0")


async def test_a_logout_leaves_nothing_in_the_browser_and_ends_the_other_tabs(
    shop, seller, open_window
):
    page = await open_window(f"{shop.url}/inbox", token=seller)
    await row(page, "Lena").click()
    await field(page).fill("Nobody else should read this")
    other = await page.context.new_page()
    await other.goto(f"{shop.url}/inbox")
    await expect(row(other, "Lena")).to_contain_text("Draft:")
    await page.get_by_role("button", name="Menu").click()
    await page.get_by_role("button", name="Log out").click()
    await expect(page).to_have_url(re.compile("/login$"))
    kept = await other.evaluate("JSON.stringify(Object.entries(localStorage))")
    assert "Nobody else" not in kept
    await expect(row(other, "Lena")).not_to_contain_text("Draft:")
    await row(other, "Lena").click()
    again = other.get_by_role("button", name="Log in")
    await expect(again).to_be_visible()
    await again.click()
    await expect(other).to_have_url(re.compile(r"/login\?next=%2Finbox%2F[0-9a-f]{24}$"))


@pytest.mark.parametrize("width", [320, 400])
async def test_the_small_chat_is_whole(shop, seller, jonas, open_window, width):
    page = await open_window(f"{shop.url}/inbox/widget", token=seller, width=width)
    await page.get_by_role("searchbox", name="Filter by name").fill("jon")
    await expect(row(page, "Lena")).to_have_count(0)
    await row(page, "Jonas").click()
    await expect(heading(page, "Jonas Okafor")).to_be_visible()
    await write(page, "Yes, it is")
    await expect(messages(page).last).to_have_attribute("data-status", "sent")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("link", name="Back to the list").click()
    await expect(row(page, "Jonas")).to_contain_text("Yes, it is")
    assert page.url == f"{shop.url}/inbox/widget"


@pytest.mark.parametrize("width", [1280, 390])
async def test_an_unused_inbox_shows_the_line_to_embed_until_somebody_rings(
    shop, open_window, width
):
    token = shop.token("Seller", "nora", "Nora")
    page = await open_window(f"{shop.url}/inbox", token=token, width=width)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = page.locator("code:visible")
    snippet = f'<script async src="{shop.url}/widget.js" data-seller="nora"></script>'
    await expect(code).to_have_text(snippet)
    await page.locator("button:visible", has_text="Copy the line").click()
    await expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == snippet
    await say(shop, JONAS, Participant("Seller", "nora"), "Hello", "Jonas Okafor")
    await expect(row(page, "Jonas")).to_be_visible()
    await expect(code).to_have_count(0)
