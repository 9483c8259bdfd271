"""Several people at one browser, one after the other: nobody sees anything of another."""

import json
import time

import jwt
import pytest
from playwright.async_api import expect

from models.conversation import Participant
from tests.browser.high_street import bell, chat, open_chat
from tests.browser.stage import field, messages, write

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

MAYA = Participant("Buyer", "maya")


@pytest.fixture
def identity(street):
    """What the shop says of its buyer."""

    def sign(id_, *, minutes=10):
        now = int(time.time())
        claims = {"sub": id_, "name": id_.title(), "iat": now - 3600 + minutes * 60}
        secret = street.server.shop.settings.identity_secret
        return jwt.encode({**claims, "exp": now + minutes * 60}, secret, "HS256")

    return sign


async def expect_online(page, street, *ids):
    """Waits until exactly these have a socket open."""
    for _ in range(100):
        if street.online() == set(ids):
            return
        await page.wait_for_timeout(50)  # what the server knows is no event of the page
    assert street.online() == set(ids)


async def maya_wrote(street, open_window, identity, **more):
    """Maya's page, with a message, a draft, and one that waits for her."""
    page = await open_window(street.put(street.tag(f'data-identity="{identity("maya")}"')), **more)
    await expect_online(page, street, "maya")
    widget = await open_chat(page)
    await write(widget, "Maya's own")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await field(widget).fill("Maya's draft")
    await field(widget).press("Escape")
    await street.answer(MAYA, "For Maya alone")
    await expect(page.get_by_role("button", name="Open the chat, 1 unread")).to_be_visible()
    return page


@pytest.mark.parametrize("storage", ["partitioned", "blocked"])
async def test_of_one_person_the_next_sees_nothing_not_even_while_the_server_is_asked(
    street, open_window, identity
):
    page = await maya_wrote(street, open_window, identity)
    held = []

    async def hold(route):
        held.append(route)

    await page.context.route("**/api/session/identify", hold)
    widget = chat(page)
    await page.evaluate("jwt => Shopbell.identify(jwt)", identity("lena"))
    await expect(page.get_by_role("button", name="Open the chat", exact=True)).to_be_visible()
    await expect_online(page, street)
    await open_chat(page)
    await expect(messages(widget)).to_have_count(0)
    await expect(field(widget)).to_have_value("")
    await write(widget, "Lena's own")  # waits until it is known whose it is
    while not held:
        await page.wait_for_timeout(20)
    await held[0].continue_()
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await expect(messages(widget)).to_have_count(1)
    await expect_online(page, street, "lena")
    kept = await page.evaluate("Object.entries(localStorage)")
    assert kept == [], "a verified buyer's token stays in the frame"


async def test_after_a_logout_nothing_is_left_in_the_browser(street, open_window, identity):
    page = await maya_wrote(street, open_window, identity)
    frame = page.frames[-1]
    assert "Maya's draft" in json.dumps(await frame.evaluate("Object.entries(localStorage)"))
    await page.evaluate("Shopbell.logout()")
    await expect_online(page, street)
    await expect(page.get_by_role("button", name="Open the chat", exact=True)).to_be_visible()
    widget = await open_chat(page)
    await expect(widget.get_by_role("heading", name="Ask us anything")).to_be_visible()
    await expect(messages(widget)).to_have_count(0)
    await expect(field(widget)).to_have_value("")
    assert await frame.evaluate("Object.entries(localStorage)") == []


async def test_a_logout_before_the_chat_is_there_counts_and_ends_no_later_guest(
    street, open_window, identity
):
    page = await maya_wrote(street, open_window, identity)
    early = "<script>window.Shopbell = []; Shopbell.push(['logout'])</script>"
    await page.goto(street.put(early + street.tag()))
    widget = await open_chat(page)
    assert await page.frames[-1].evaluate("Object.entries(localStorage)") == []
    await write(widget, "As a guest")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    # The frame comes back and is told everything again, but that.
    await page.evaluate("document.documentElement.replaceChildren(document.createElement('body'))")
    await expect(messages(chat(page))).to_have_count(1)
    assert await page.evaluate("localStorage.length") == 1


async def test_who_comes_on_another_page_view_sees_nothing_of_who_was_there(
    street, open_window, identity
):
    page = await maya_wrote(street, open_window, identity)
    for head in [street.tag(), street.tag(f'data-identity="{identity("lena")}"')]:
        await page.goto(street.put(head))
        widget = await open_chat(page)
        await expect(messages(widget)).to_have_count(0)
        await expect(field(widget)).to_have_value("")
        await field(widget).press("Escape")
        await expect(page.get_by_role("button", name="Open the chat", exact=True)).to_be_focused()
    await expect_online(page, street, "lena")


async def test_a_guest_who_logs_in_keeps_words_and_draft_and_their_token_goes(
    street, open_window, identity
):
    page = await open_window(street.put())
    widget = await open_chat(page)
    await write(widget, "As a guest")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    guest = await street.guest()
    assert await page.evaluate("localStorage.length") == 1
    await field(widget).fill("Half a thought")
    await page.evaluate("jwt => Shopbell.identify(jwt)", identity("maya"))
    await expect_online(page, street, "maya")
    await expect(messages(widget)).to_have_count(1)
    await expect(field(widget)).to_have_value("Half a thought")
    await page.evaluate(
        """() => new Promise((gone) => {
          const look = () => (localStorage.length ? setTimeout(look, 20) : gone());
          look();
        })"""
    )
    assert guest.id not in street.online()


async def test_an_identity_that_does_not_hold_leaves_the_guest_where_they_are(
    street, open_window, identity, expected_faults
):
    expected_faults.append("401")
    page = await open_window(street.put())
    widget = await open_chat(page)
    await write(widget, "As a guest")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    forged = jwt.encode({"sub": "maya", "name": "Maya", "iat": 1, "exp": 9e9}, "x" * 32, "HS256")
    for old in [forged, identity("maya", minutes=-5)]:
        await page.goto(street.put(street.tag(f'data-identity="{old}"')))
        widget = await open_chat(page)
        await expect(messages(widget)).to_have_count(1)
    await expect_online(page, street, (await street.guest()).id)


async def test_a_page_that_runs_the_tag_again_for_who_logged_in_tells_it(
    street, open_window, identity
):
    """As frameworks do that swap the body and run its scripts."""
    page = await open_window(street.put("", street.tag()))
    await expect(bell(page)).to_be_visible()
    await page.evaluate(
        """(identity) => {
          const tag = document.querySelector("script");
          const again = Object.assign(document.createElement("script"), { src: tag.src });
          Object.assign(again.dataset, tag.dataset, { identity });
          document.body.append(again);
        }""",
        identity("maya"),
    )
    await expect_online(page, street, "maya")
    await expect(page.locator("shopbell-launcher")).to_have_count(1)


async def test_a_renewed_guest_s_token_goes_back_to_the_page(street, open_window):
    """A third of its time is gone."""
    now = int(time.time())
    day = 24 * 60 * 60
    claims = {"sub": "guest-" + "a" * 22, "type": "Buyer", "name": "Guest", "jti": "old"}
    secret = street.server.shop.settings.secret
    old = jwt.encode({**claims, "iat": now - 40 * day, "exp": now + 50 * day}, secret, "HS256")
    page = await open_window(street.put(""))
    user = {"id": claims["sub"], "type": "Buyer", "name": "Guest", "verified": False}
    await page.evaluate(
        "([key, guest]) => localStorage.setItem(key, JSON.stringify(guest))",
        [f"shopbell {street.chat} demo-seller", {"token": old, "user": user}],
    )
    await page.goto(street.put())
    token = await page.evaluate(
        """(old) => new Promise((renewed) => {
          const look = () => {
            const { token } = JSON.parse(Object.values(localStorage)[0]);
            token === old ? setTimeout(look, 50) : renewed(token);
          };
          look();
        })""",
        old,
    )
    assert jwt.decode(token, secret, ["HS256"])["exp"] > now + 80 * day
