import asyncio
import re
import time
from http.cookies import SimpleCookie
from json import loads
from urllib.parse import urlencode

import jwt
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from handlers.sessions import own_path
from models import codec
from models.accounts import WRONG
from models.conversation import Participant

PASSWORD = "correct horse battery"


async def ask(server, method, path, *, json=None, form=None, cookie=None, **headers):
    """A request as a client without a browser's habits makes it; redirects are not followed."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    body = None
    if json is not None:
        body = codec.encode(json).decode()
        sent["Content-Type"] = "application/json"
    elif form is not None:
        body = urlencode(form)
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    elif method == "POST":
        body = ""
    if cookie is not None:
        sent["Cookie"] = f"shopbell_session={cookie}"
    return await AsyncHTTPClient().fetch(
        server.url + path,
        method=method,
        headers=sent,
        body=body,
        follow_redirects=False,
        raise_error=False,
    )


def cookie_of(answer):
    cookies = SimpleCookie(answer.headers.get("Set-Cookie", ""))
    return cookies.get("shopbell_session")


def decoded(answer):
    return loads(answer.body)


async def may_come_in(server, token):
    answer = await ask(server, "GET", "/api/conversations", Authorization=f"Bearer {token}")
    return answer.code == 200


@pytest.fixture
async def shop(server):
    """A server with the seller Omar."""
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    return server


async def log_in(server, **more):
    return await ask(server, "POST", "/login", form={"id": "omar", "password": PASSWORD} | more)


async def connected(server, token):
    """An open socket. Whoever opens it reads it to its end with ``close_code``."""
    url = server.url.replace("http", "ws", 1) + "/ws"
    return await websocket_connect(HTTPRequest(url, headers={"Authorization": f"Bearer {token}"}))


async def close_code(socket):
    """With which code the server closes the socket, within the five seconds that it has."""
    async with asyncio.timeout(5):
        while await socket.read_message() is not None:
            pass
    socket.close()
    return socket.close_code


def vouch(server, **claims):
    """What Omar's own back end says of Maya."""
    now = int(time.time())
    said = {"sub": "maya", "name": "Maya", "iat": now, "exp": now + 600} | claims
    return jwt.encode(said, server.shop.settings.identity_secret, algorithm="HS256")


# --- Guests ---------------------------------------------------------------------------------------


async def test_a_guest_gets_a_token_and_a_cookie_and_nothing_is_stored(shop):
    answer = await ask(shop, "POST", "/api/session/guest", json={"seller_id": "omar"})
    assert answer.code == 201
    session = decoded(answer)
    assert re.fullmatch(r"guest-[0-9a-f]{32}", session["user"].pop("id"))
    assert session["user"] == {"type": "Buyer", "name": "Guest", "verified": False}
    assert cookie_of(answer).value == session["token"]
    assert await may_come_in(shop, session["token"])
    assert [seller.key for seller in await shop.shop.store.sellers()] == ["Seller:omar"]


async def test_a_cookie_is_out_of_reach_of_scripts_and_other_sites(shop):
    cookie = cookie_of(await ask(shop, "POST", "/api/session/guest", json={"seller_id": "omar"}))
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert not cookie["secure"]
    assert int(cookie["max-age"]) > 89 * 24 * 60 * 60


async def test_under_https_a_cookie_is_secure_whatever_the_request_says(serve):
    server = await serve(public_url="https://shop.example")
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    answer = await log_in(server)
    assert cookie_of(answer)["secure"]


async def test_a_client_s_header_does_not_make_a_cookie_secure(shop):
    answer = await ask(
        shop, "POST", "/login", form={"id": "omar", "password": PASSWORD}, X_Forwarded_Proto="https"
    )
    assert answer.code == 303
    assert not cookie_of(answer)["secure"]


async def test_a_guest_says_to_whom(shop):
    answer = await ask(shop, "POST", "/api/session/guest", json={})
    assert (answer.code, decoded(answer)["error"]["field"]) == (400, "seller_id")
    assert cookie_of(answer) is None


async def test_guests_of_one_address_are_limited(serve):
    server = await serve()
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    asked = [
        await ask(server, "POST", "/api/session/guest", json={"seller_id": "omar"})
        for _ in range(21)
    ]
    assert [answer.code for answer in asked] == [201] * 20 + [429]
    assert int(asked[-1].headers["Retry-After"]) > 60


async def test_a_seller_who_tries_the_own_widget_stays_logged_in(shop):
    cookie = cookie_of(await log_in(shop)).value
    own = {"Origin": shop.shop.settings.origin}
    answer = await ask(
        shop, "POST", "/api/session/guest", json={"seller_id": "omar"}, cookie=cookie, **own
    )
    assert answer.code == 201
    assert cookie_of(answer) is None


# --- Buyers whom the shop vouches for -------------------------------------------------------------


async def test_the_shop_vouches_for_a_buyer(shop):
    answer = await ask(shop, "POST", "/api/session/identify", json={"identity": vouch(shop)})
    assert answer.code == 200
    session = decoded(answer)
    assert session["user"] == {"id": "maya", "type": "Buyer", "name": "Maya", "verified": True}
    assert cookie_of(answer).value == session["token"]
    assert await may_come_in(shop, session["token"])


async def test_a_guest_becomes_the_buyer_once_and_the_guest_s_token_ends(shop):
    guest = decoded(await ask(shop, "POST", "/api/session/guest", json={"seller_id": "omar"}))
    message = {"recipient_id": "omar", "recipient_type": "Seller", "message": "Is it blue?"}
    bearer = f"Bearer {guest['token']}"
    sent = await ask(shop, "POST", "/api/messages/send", json=message, Authorization=bearer)
    assert sent.code == 201

    asked = {"identity": vouch(shop), "guest_token": guest["token"]}
    maya = decoded(await ask(shop, "POST", "/api/session/identify", json=asked))
    assert not await may_come_in(shop, guest["token"])
    page = await ask(
        shop,
        "GET",
        "/api/messages/conversation/omar/Seller",
        Authorization=f"Bearer {maya['token']}",
    )
    assert [m["message"] for m in decoded(page)["messages"]] == ["Is it blue?"]

    lena = {"identity": vouch(shop, sub="lena", name="Lena"), "guest_token": guest["token"]}
    lena = await ask(shop, "POST", "/api/session/identify", json=lena)
    assert lena.code == 200
    page = await ask(
        shop,
        "GET",
        "/api/messages/conversation/omar/Seller",
        Authorization=f"Bearer {decoded(lena)['token']}",
    )
    assert decoded(page)["messages"] == []


async def test_a_bad_guest_token_changes_nothing(shop):
    for guest_token in ("nonsense", shop.token("Buyer", "lena")):
        asked = {"identity": vouch(shop), "guest_token": guest_token}
        answer = await ask(shop, "POST", "/api/session/identify", json=asked)
        assert answer.code == 200
    assert await may_come_in(shop, guest_token)


async def test_nobody_is_vouched_for_by_a_bad_identity(shop):
    now = int(time.time())
    for identity in (
        "nonsense",
        shop.token("Buyer", "maya"),
        vouch(shop, exp=now - 1),
        vouch(shop, exp=now + 4000),
        vouch(shop, type="Seller"),
        vouch(shop, sub="guest-1"),
    ):
        answer = await ask(shop, "POST", "/api/session/identify", json={"identity": identity})
        assert (answer.code, decoded(answer)["error"]["code"]) == (401, "unauthorized")
        assert cookie_of(answer) is None


# --- Sellers --------------------------------------------------------------------------------------


async def test_a_seller_logs_in_and_is_led_to_the_inbox(shop):
    page = await ask(shop, "GET", "/login")
    assert page.code == 200
    assert b'name="password"' in page.body
    answer = await log_in(shop)
    assert (answer.code, answer.headers["Location"]) == (303, "/inbox")
    assert await may_come_in(shop, cookie_of(answer).value)
    again = await ask(shop, "GET", "/login?next=/inbox/x", cookie=cookie_of(answer).value)
    assert (again.code, again.headers["Location"]) == (303, "/inbox/x")


async def test_each_login_makes_a_new_cookie(shop):
    first, second = await log_in(shop), await log_in(shop)
    assert cookie_of(first).value != cookie_of(second).value


@pytest.mark.parametrize(
    "wrong", [{"password": "wrong horse battery"}, {"id": "nobody"}, {"id": "", "password": ""}]
)
async def test_a_wrong_login_shows_the_form_again_and_says_nothing_more(shop, wrong):
    answer = await log_in(shop, **wrong, next="/inbox/x")
    assert answer.code == 401
    text = answer.body.decode()
    assert WRONG in text
    assert 'value="/inbox/x"' in text
    assert PASSWORD not in text
    assert cookie_of(answer) is None


async def test_what_was_typed_is_never_html(shop):
    answer = await log_in(shop, id='"><script>alert(1)</script>', password="x")
    assert b"<script>alert" not in answer.body


@pytest.mark.parametrize("limits", ["on", "off"])
async def test_after_five_failures_an_account_has_to_wait(serve, limits):
    server = await serve(rate_limits=limits)
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    for _ in range(5):
        assert (await log_in(server, password="wrong horse battery")).code == 401
    answer = await log_in(server)
    assert answer.code == 429
    assert int(answer.headers["Retry-After"]) > 60
    assert b'shopbell_limits_hit_total{rule="logins:account"} 1.0' in server.shop.metrics.text()
    assert b'shopbell_auth_failures_total{door="login"} 5.0' in server.shop.metrics.text()


async def test_a_spoofed_address_does_not_escape_the_limit(shop):
    answers = [
        await ask(
            shop,
            "POST",
            "/login",
            form={"id": f"nobody{number}", "password": PASSWORD},
            X_Forwarded_For=f"198.51.100.{number}",
        )
        for number in range(11)
    ]
    assert [answer.code for answer in answers] == [401] * 10 + [429]


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_no_foreign_page_logs_anybody_in_or_out(shop, path, headers):
    form = {"id": "omar", "password": PASSWORD}
    answer = await ask(shop, "POST", path, form=form, **headers)
    assert answer.code == 403
    assert cookie_of(answer) is None


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}])
async def test_our_own_page_and_a_client_without_pages_do(shop, headers):
    form = {"id": "omar", "password": PASSWORD}
    assert (await ask(shop, "POST", "/login", form=form, **headers)).code == 303


async def test_with_a_cookie_only_our_own_page_logs_out(shop):
    cookie = cookie_of(await log_in(shop)).value
    assert (await ask(shop, "POST", "/logout", cookie=cookie)).code == 403
    assert await may_come_in(shop, cookie)
    own = {"Origin": shop.shop.settings.origin}
    answer = await ask(shop, "POST", "/logout", cookie=cookie, **own)
    assert (answer.code, answer.headers["Location"]) == (303, "/login")
    assert cookie_of(answer).value == ""
    assert not await may_come_in(shop, cookie)


async def test_looking_logs_nobody_out(shop):
    cookie = cookie_of(await log_in(shop)).value
    assert (await ask(shop, "GET", "/logout", cookie=cookie)).code == 405
    assert await may_come_in(shop, cookie)


async def test_who_is_out_already_may_log_out(shop):
    answer = await ask(shop, "POST", "/logout")
    assert (answer.code, answer.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize("body", ["id=omar", '{"id": "omar"}', "id[$ne]=1&password[$ne]=1"])
async def test_a_form_that_lacks_what_it_takes_is_only_refused(shop, body):
    answer = await AsyncHTTPClient().fetch(
        f"{shop.url}/login",
        method="POST",
        body=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        follow_redirects=False,
        raise_error=False,
    )
    assert answer.code == 401


async def test_a_login_in_json_is_no_form(shop):
    answer = await ask(shop, "POST", "/login", json={"id": "omar", "password": PASSWORD})
    assert answer.code == 415


async def test_a_logout_closes_this_session_s_socket(shop):
    token = cookie_of(await log_in(shop)).value
    socket = await connected(shop, token)
    await shop.shop.accounts.log_out(shop.shop.accounts.authenticate(token))
    assert await close_code(socket) == 4401


async def test_a_changed_password_ends_the_sockets_of_all_sessions(shop):
    token = cookie_of(await log_in(shop)).value
    socket = await connected(shop, token)
    await shop.shop.accounts.set_password("omar", "a better battery")
    assert await close_code(socket) == 4401
    assert not await may_come_in(shop, token)
    old, new = await log_in(shop), await log_in(shop, password="a better battery")
    assert (old.code, new.code) == (401, 303)
    assert await may_come_in(shop, cookie_of(new).value)


async def test_a_token_signed_by_the_secret_still_works_for_a_seller_without_a_password(shop):
    noor = Participant("Seller", "noor")
    assert await may_come_in(shop, shop.shop.tokens.issue(noor, "Noor", seconds=60))


# --- Where to go next -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/inbox", "/inbox/65a1?before=3", "/chat/a.b@c-d_e", "/%2f"])
def test_a_path_of_this_site_may_be_next(path):
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "inbox",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\\..\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/inbox\r\nSet-Cookie: a=b",
        " //evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\u2028",
        "/é",
        "/" + "a" * 1000,
    ],
)
def test_nothing_else_may(path):
    assert own_path(path) == "/inbox"


async def test_a_foreign_next_leads_to_the_inbox(shop):
    answer = await log_in(shop, next="//evil.example")
    assert answer.headers["Location"] == "/inbox"
