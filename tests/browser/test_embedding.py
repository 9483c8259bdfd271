"""The widget on pages of other sites: two lines in any page."""

import json

import pytest
from playwright.async_api import expect

from tests.browser.high_street import bell, chat, open_chat
from tests.browser.stage import field, messages, write

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=60)]

NO_STORAGE = """
Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("There is none.", "SecurityError"); },
});
"""


@pytest.mark.parametrize("storage", ["partitioned", "blocked"])
async def test_a_guest_writes_from_another_site_under_a_strict_policy_and_comes_back(
    street, open_window
):
    policy = f"default-src 'none'; script-src {street.chat}; frame-src {street.chat}"
    address = street.put(policy=policy)
    page = await open_window("about:blank")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    await page.goto(address)
    await expect(bell(page)).to_be_visible()
    await page.wait_for_load_state("networkidle")
    assert asked == [address, f"{street.chat}/widget.js"], "nothing more until it is used"

    widget = await open_chat(page)
    await write(widget, "From another site")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    [(key, guest)] = await page.evaluate("Object.entries(localStorage)")
    assert key == f"shopbell {street.chat} demo-seller"
    token = json.loads(guest)["token"]
    assert not [url for url in asked if token in url or "token" in url]

    await page.reload()
    await expect(bell(page)).to_be_visible()
    await street.answer(await street.guest(), "An answer")
    await expect(page.get_by_role("button", name="Open the chat, 1 unread")).to_be_visible()
    await page.evaluate(
        "void (window.read = new Promise((done) => Shopbell.on('unread', (n) => n || done())))"
    )
    widget = await open_chat(page)
    await expect(messages(widget)).to_have_count(2)
    await page.evaluate("read")
    await field(widget).press("Escape")
    await expect(page.get_by_role("button", name="Open the chat", exact=True)).to_be_focused()


async def test_what_a_guest_wrote_in_one_shop_is_not_known_in_another(street, open_window):
    page = await open_window(street.put())
    widget = await open_chat(page)
    await write(widget, "In shop A")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await page.goto(street.put(shop="shop-b"))
    widget = await open_chat(page)
    await expect(widget.get_by_role("heading", name="Ask us anything")).to_be_visible()
    await expect(messages(widget)).to_have_count(0)


async def test_a_page_that_is_not_allowed_gets_no_frame_but_a_tab(
    street, open_window, expected_faults
):
    expected_faults += ["frame-ancestors", "'postMessage' on 'DOMWindow'"]
    page = await open_window(street.put(shop="shop-c"))
    async with page.context.expect_page() as opened:
        await bell(page).click()
    tab = await opened.value
    await expect(tab).to_have_url(f"{street.chat}/chat/demo-seller?language=en")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(bell(page)).to_be_visible()


async def test_where_the_page_s_policy_allows_no_frame_the_button_opens_a_tab(
    street, open_window, expected_faults
):
    expected_faults += ["frame-src", "'postMessage' on 'DOMWindow'"]
    policy = f"default-src 'none'; script-src {street.chat}"
    page = await open_window(street.put(policy=policy))
    for _ in range(2):
        async with page.context.expect_page() as opened:
            await bell(page).click()
        tab = await opened.value
        await expect(tab).to_have_url(f"{street.chat}/chat/demo-seller?language=en")
        await tab.close()
        await expect(page.get_by_role("dialog")).to_be_hidden()


async def test_the_tag_can_stand_anywhere_and_moves_nothing(street, open_window):
    page = await open_window("about:blank")
    await page.context.add_init_script(
        """new PerformanceObserver((list) => {
          window.shifts = (window.shifts ?? 0) + list.getEntries().length;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    tall = "<p style='block-size: 150vh'>Tall</p>"
    inserted = (
        "<script>const tag = document.createElement('script');"
        f"tag.src = '{street.chat}/widget.js'; tag.dataset.seller = 'demo-seller';"
        "document.head.append(tag)</script>"
    )
    size = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    await page.goto(street.put("", tall))
    without = await page.evaluate(size)
    for head, body in [
        (street.tag(how=""), tall),
        (street.tag(how="async"), tall),
        (street.tag(how="defer"), tall),
        (inserted, tall),
        ("", street.tag(how="") + tall),
        ("", tall + street.tag(how="async")),
    ]:
        await page.goto(street.put(head, body))
        await open_chat(page)
        assert await page.evaluate(size) == without, head + body
        assert await page.evaluate("window.shifts ?? 0") == 0, head + body


async def test_a_page_that_becomes_another_keeps_the_chat_and_tells_the_seller(street, open_window):
    page = await open_window("about:blank")
    told = []
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda frame: told.append(json.loads(frame))),
    )

    async def expect_told(context):
        keys = ("url", "title", "product")
        for _ in range(60):
            datas = [one["data"] for one in told if one["event"] == "update_context"]
            seen = [{key: data[key] for key in keys if key in data} for data in datas]
            if seen and seen[-1] == context:
                return
            await page.wait_for_timeout(50)  # what is sent over a socket is no event of the page
        assert seen[-1:] == [context]

    await page.goto(street.put(path="/mug"))
    widget = await open_chat(page)
    await write(widget, "Before the change")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await field(widget).fill("Half a thought")
    await page.evaluate(
        "Shopbell.context({ product: { name: 'Mug', url: '/mug', price: 28.5, secret: 1 } })"
    )
    mug = {"url": f"{street.origin()}/mug", "title": "A mug"}
    product = {"name": "Mug", "url": f"{street.origin()}/mug", "price": 28.5}
    await expect_told({**mug, "product": product})
    await page.evaluate(
        """() => {
          history.pushState(null, "", "/bowl?session=secret#part");
          document.title = "A bowl";
          const body = document.createElement("body");
          body.append("Another page");
          document.body.replaceWith(body);
        }"""
    )
    await expect_told({"url": f"{street.origin()}/bowl", "title": "A bowl"})
    assert "secret" not in json.dumps(told)
    await expect(messages(widget)).to_have_count(1)
    await expect(field(widget)).to_have_value("Half a thought")
    # Even one that throws everything away gets it back, with what is known of its guest.
    await page.evaluate("document.documentElement.replaceChildren(document.createElement('body'))")
    await expect(messages(chat(page))).to_have_count(1)


async def test_without_any_storage_a_conversation_lasts_as_long_as_the_page(street, open_window):
    page = await open_window("about:blank")
    await page.context.add_init_script(NO_STORAGE)
    await page.goto(street.put())
    widget = await open_chat(page)
    await write(widget, "Nothing is kept")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await page.evaluate("document.documentElement.replaceChildren(document.createElement('body'))")
    await expect(messages(chat(page))).to_have_count(1)
    await page.reload()
    widget = await open_chat(page)
    await expect(messages(widget)).to_have_count(0)


async def test_calls_made_before_the_script_are_done_in_order_and_later_ones_at_once(
    street, open_window
):
    early = """<script>
      window.Shopbell = window.Shopbell || [];
      window.heard = [];
      const hear = (name) => ["on", name, () => heard.push(name)];
      Shopbell.push(hear("open"), hear("close"));
      Shopbell.push(["open"]);
      Shopbell.push(["close"]);
      addEventListener("load", () => {
        "use strict";
        window.Shopbell = window.Shopbell || [];
        Shopbell.push(["open"]);
        heard.push("at once");
      });
    </script>"""
    page = await open_window(street.put(early + street.tag()))
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect(chat(page).locator(".composer[data-empty]")).to_be_attached()
    assert await page.evaluate("heard") == ["open", "close", "open", "at once"]
    assert await page.evaluate("document.activeElement === document.body"), "nobody clicked"


async def test_the_frame_answers_its_own_page_alone(street, open_window):
    """What another window or frame says to it, and what others say to the page, is not heard."""
    page = await open_window(street.put(body="<iframe name='other' srcdoc='Other'></iframe>"))
    widget = page.get_by_role("dialog").frame_locator("iframe")
    await bell(page).click()
    await expect(field(widget)).to_be_focused()
    await page.evaluate(
        """(origin) => {
          const forged = { shopbell: "unread", count: 7 };
          postMessage(forged, "*");
          window.dispatchEvent(new MessageEvent("message", { data: forged, origin }));
          const script = document.createElement("script");
          script.textContent = `parent.postMessage({ shopbell: "unread", count: 7 }, "*");
            parent[parent.length - 1].postMessage({ shopbell: "logout" }, "*");`;
          frames.other.document.body.append(script);
        }""",
        street.chat,
    )
    await write(widget, "Still here")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await field(widget).press("Escape")
    await expect(page.get_by_role("button", name="Open the chat", exact=True)).to_be_visible()


async def test_a_message_under_way_when_its_page_is_left_arrives_once(street, open_window):
    page = await open_window(street.put(path="/one"))
    hold = True

    async def guest(route):
        if not hold:
            await route.continue_()

    await page.context.route("**/api/session/guest", guest)
    widget = await open_chat(page)
    await write(widget, "Written while leaving")
    await expect(messages(widget).last).to_have_attribute("data-status", "sending")
    hold = False
    await page.goto(street.put(path="/two"))
    widget = await open_chat(page)
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
    await page.goto(street.put(path="/three"))
    widget = await open_chat(page)
    await expect(messages(widget)).to_have_count(1)


async def test_a_frame_that_begins_anew_is_told_nothing_before_it_has_loaded(street, open_window):
    """Its window is a page of the shop's until then, of which browsers complain in the console."""
    page = await open_window(street.put())
    widget = await open_chat(page)
    await page.evaluate(
        """() => {
          const host = document.querySelector("shopbell-launcher");
          host.remove();
          document.documentElement.append(host);
          Shopbell.context({ product: { name: "Vase", url: location.href } });
        }"""
    )
    await write(widget, "Is it still there?")
    await expect(messages(widget).last).to_have_attribute("data-status", "sent")
