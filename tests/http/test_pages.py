import re
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
from tornado.httpclient import AsyncHTTPClient

from models.conversation import Participant
from models.errors import Unavailable
from models.events import SendMessage

OMAR, MAYA = Participant("Seller", "omar"), Participant("Buyer", "maya")
NAMES = {OMAR: "Omar", MAYA: "Maya"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}\"'"
PANEL = ["/inbox", "/inbox/widget", f"/inbox/{'a' * 24}"]


async def ask(server, path, *, form=None, as_=None, **headers):
    """A request as a browser makes it, but redirects are not followed; ``as_`` is a token."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if as_ is not None:
        sent["Cookie"] = f"shopbell_session={as_}"
    if form is not None:
        sent.setdefault("Origin", server.url)
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    return await AsyncHTTPClient().fetch(
        server.url + path,
        method="GET" if form is None else "POST",
        headers=sent,
        body=None if form is None else urlencode(form),
        follow_redirects=False,
        raise_error=False,
    )


async def say(server, sender, text, **rest):
    """A message between Maya and Omar, as it is stored."""
    tokens = server.shop.tokens
    who = tokens.read(tokens.issue(sender, NAMES[sender], seconds=60))
    to = MAYA if sender == OMAR else OMAR
    sent = await server.shop.chat.send(who, SendMessage(to.id, to.type, text, **rest))
    return sent.message


def texts(answer):
    """The messages on a page, as one reads them."""
    html = re.sub("<template.*?</template>", "", answer.body.decode(), flags=re.DOTALL)
    found = re.findall(r'<span class="message__html">(.*?)</span><span', html, re.DOTALL)
    return [unescape(text.replace("<br>", "\n")) for text in found]


def client_id_on(answer):
    found = re.search(r'name="client_id" value="([^"]+)"', answer.body.decode())
    assert found
    return found[1]


@pytest.fixture
async def shop(server):
    """A server with the seller Omar."""
    await server.shop.accounts.add_seller("omar", "Omar", None, "correct horse battery")
    return server


@pytest.fixture
def omar(server):
    return server.token("Seller", "omar", "Omar")


@pytest.fixture
def maya(server):
    return server.token("Buyer", "maya", "Maya")


# --- Who may see what ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", PANEL)
async def test_the_panel_sends_a_stranger_to_the_login_and_back(server, path):
    answer = await ask(server, path)
    assert answer.code == 303
    assert answer.headers["Location"] == "/login?" + urlencode({"next": path})


@pytest.mark.parametrize("path", PANEL)
async def test_the_panel_is_for_sellers(server, maya, path):
    answer = await ask(server, path, as_=maya)
    assert answer.code == 303
    assert answer.headers["Location"].startswith("/login")


async def test_a_stranger_cannot_open_the_conversation(shop, omar):
    message = await say(shop, MAYA, "Between us")
    path = f"/inbox/{message.conversation_id}"
    assert texts(await ask(shop, path, as_=omar)) == ["Between us"]
    refused = await ask(shop, path, as_=shop.token("Seller", "lena"))
    assert refused.code == 404
    assert b"Between us" not in refused.body
    nothing = await ask(shop, f"/inbox/{'a' * 24}", as_=shop.token("Seller", "lena"))
    assert nothing.body == refused.body


async def test_a_buyer_reads_their_own_conversation_and_nobody_else_s(shop, maya):
    await say(shop, MAYA, "Between us")
    assert texts(await ask(shop, "/chat/omar", as_=maya)) == ["Between us"]
    assert texts(await ask(shop, "/chat/omar", as_=shop.token("Buyer", "lena"))) == []
    assert texts(await ask(shop, "/chat/omar")) == []


async def test_a_seller_who_is_not_there_has_no_chat(shop):
    answer = await ask(shop, "/chat/nobody")
    assert answer.code == 404
    assert b"There is nothing here" in answer.body
    assert b"<a " not in answer.body


async def test_a_seller_finds_back_from_where_nothing_is(shop, omar):
    answer = await ask(shop, f"/inbox/{'a' * 24}?language=de", as_=omar)
    assert answer.code == 404
    assert b'href="/inbox?language=de"' in answer.body


@pytest.mark.parametrize(("demo", "code"), [("on", 200), ("off", 303)])
async def test_the_front_page_is_the_demo_shop_or_leads_to_the_inbox(serve, demo, code):
    answer = await ask(await serve(demo=demo), "/")
    assert answer.code == code
    assert (b'data-seller="demo-seller"' in answer.body) == (demo == "on")
    assert answer.headers.get("Location") == (None if demo == "on" else "/inbox")


# --- Reading ------------------------------------------------------------------------------------


async def test_the_newest_messages_are_there_without_a_script_and_older_ones_a_link_away(
    shop, maya
):
    for number in range(1, 61):
        await say(shop, MAYA, f"number {number}")
    newest = await ask(shop, "/chat/omar", as_=maya)
    assert texts(newest) == [f"number {number}" for number in range(11, 61)]
    assert b'href="/chat/omar?before=11"' in newest.body
    older = await ask(shop, "/chat/omar?before=11", as_=maya)
    assert texts(older) == [f"number {number}" for number in range(1, 11)]
    assert b"Newest messages" in older.body


async def test_what_was_typed_is_shown_and_never_run(shop, omar, maya):
    message = await say(shop, MAYA, HOSTILE, subject=HOSTILE)
    for path, token in [
        ("/chat/omar", maya),
        (f"/inbox/{message.conversation_id}", omar),
        ("/inbox", omar),
        ("/inbox/widget", omar),
    ]:
        answer = await ask(shop, path, as_=token)
        assert answer.code == 200
        assert b"<script>" not in answer.body
        assert b"<img" not in answer.body
        assert b"{{7*7}}" in answer.body
        assert texts(answer) in ([HOSTILE], [])


async def test_the_list_shows_the_last_word_and_what_is_unread(shop, omar):
    await say(shop, MAYA, "Hello")
    await say(shop, MAYA, "Anybody?")
    answer = await ask(shop, "/inbox", as_=omar)
    html = answer.body.decode()
    assert "Anybody?" in html
    assert "(2) Inbox" in html
    assert 'data-count="2"' in html
    unread = await ask(shop, "/inbox?filter=unread", as_=omar)
    assert b"Anybody?" in unread.body


async def test_an_empty_inbox_shows_how_to_put_the_bell_on_a_page(shop, omar):
    answer = await ask(shop, "/inbox", as_=omar)
    snippet = f'<script async src="{shop.url}/widget.js" data-seller="omar"></script>'
    assert snippet in unescape(answer.body.decode())


@pytest.mark.parametrize("query", ["before=x", "before=0", "before=-1"])
async def test_an_address_that_makes_no_sense_is_said_to(shop, maya, query):
    assert (await ask(shop, f"/chat/omar?{query}", as_=maya)).code == 400


# --- Writing without a script -------------------------------------------------------------------


async def test_a_plain_form_sends_and_leads_back(shop, maya, omar):
    page = await ask(shop, "/chat/omar", as_=maya)
    form = {"message": "Hello\r\nOmar", "client_id": client_id_on(page)}
    answer = await ask(shop, "/chat/omar", form=form, as_=maya)
    assert (answer.code, answer.headers["Location"]) == (303, "/chat/omar")
    page = await ask(shop, "/chat/omar", as_=maya)
    assert texts(page) == ["Hello\nOmar"]
    [conversation] = (
        await shop.shop.history.conversations(shop.shop.tokens.read(omar), limit=1)
    ).conversations
    path = f"/inbox/{conversation.id}"
    answer = await ask(shop, path, form={"message": "Hi Maya", "client_id": "c2"}, as_=omar)
    assert (answer.code, answer.headers["Location"]) == (303, path)
    assert texts(await ask(shop, path, as_=omar)) == ["Hello\nOmar", "Hi Maya"]


async def test_a_form_posted_twice_is_stored_once(shop, maya):
    form = {"message": "Hello", "client_id": "the-form-s-own"}
    for _ in range(2):
        assert (await ask(shop, "/chat/omar", form=form, as_=maya)).code == 303
    assert texts(await ask(shop, "/chat/omar", as_=maya)) == ["Hello"]


async def test_the_first_message_of_a_stranger_makes_a_guest(shop):
    page = await ask(shop, "/chat/omar")
    assert "Set-Cookie" not in page.headers, "looking stores nothing"
    answer = await ask(shop, "/chat/omar", form={"message": "Hello", "client_id": "c1"})
    assert answer.code == 303
    cookie = SimpleCookie(answer.headers["Set-Cookie"])["shopbell_session"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert shop.shop.tokens.read(cookie.value).participant.id.startswith("guest-")
    assert texts(await ask(shop, "/chat/omar", as_=cookie.value)) == ["Hello"]


@pytest.mark.parametrize("text", ["", " \n ", "x" * 4001])
async def test_a_refused_text_stays_in_its_field(shop, maya, text):
    answer = await ask(shop, "/chat/omar", form={"message": text, "client_id": "c1"}, as_=maya)
    assert answer.code == 400
    assert b'role="alert"' in answer.body
    assert f">{text}</textarea>" in answer.body.decode()
    assert texts(answer) == []


async def test_a_foreign_page_cannot_send(shop, maya):
    form = {"message": "Buy my things", "client_id": "c1"}
    for token in (maya, None):
        answer = await ask(shop, "/chat/omar", form=form, as_=token, Origin="https://evil.example")
        assert answer.code == 403
        assert "Set-Cookie" not in answer.headers
    assert texts(await ask(shop, "/chat/omar", as_=maya)) == []


async def test_nobody_writes_into_a_conversation_of_others(shop, maya):
    message = await say(shop, MAYA, "Between us")
    path = f"/inbox/{message.conversation_id}"
    lena = shop.token("Seller", "lena")
    answer = await ask(shop, path, form={"message": "Me too", "client_id": "c1"}, as_=lena)
    assert answer.code == 404
    assert texts(await ask(shop, "/chat/omar", as_=maya)) == ["Between us"]


async def test_without_the_database_a_page_says_so(shop, maya, monkeypatch):
    async def silent(*_, **__):
        raise Unavailable

    assert (await ask(shop, "/chat/omar", as_=maya)).code == 200
    monkeypatch.setattr(shop.shop.history, "seller", silent)
    answer = await ask(shop, "/chat/omar", as_=maya)
    assert answer.code == 503
    assert b"The chat is resting for a moment" in answer.body


# --- Headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/inbox", "/chat/omar", "/login", "/inbox/widget"])
async def test_a_page_may_not_be_framed_and_runs_only_our_own_scripts(shop, omar, path):
    answer = await ask(shop, path, as_=None if path == "/login" else omar)
    assert answer.code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
