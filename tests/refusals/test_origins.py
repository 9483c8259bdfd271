"""S1, S2, S7 over every door: whose page asks, and what an address may never hold.

The socket's own origins are tested in ``sockets/test_handshake.py``, CORS in ``http/test_cors.py``.
"""

import asyncio
import logging
from urllib.parse import quote, urlsplit

import pytest

from handlers.base import QUERY_SECRETS
from tests.caller import call
from tests.refusals.doors import DOORS, SHOP, UNSAFE, Door, knock
from tests.sockets.client import spoken


def foreign(server):
    """What a browser says, or does not, when another site's page makes it send something."""
    own = server.url
    return [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": SHOP},  # may embed the widget, and shows its own token
        {"Origin": f"{own}.evil.example"},
        {"Origin": f"{own}@evil.example"},
        {"Origin": f"https://evil.example/{own}"},
        {"Origin": own.replace("http", "https")},
        {"Origin": own.replace("127.0.0.1", "localhost")},
        {"Origin": own[:-1]},
        {"Origin": own + "0"},
        {"Origin": own + "/"},
        {"Origin": f"{own}, https://evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://evil.example", "Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": own + "/inbox"},
        {"X-Requested-With": "XMLHttpRequest"},
    ]


# --- S1: the socket's handshake -------------------------------------------------------------------


async def handshake(server, *lines):
    """The status that a handshake of these header lines is answered with, on a bare connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
    head = [
        "GET /ws HTTP/1.1",
        f"Host: {urlsplit(server.url).netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *lines,
    ]
    writer.write("\r\n".join([*head, "", ""]).encode("latin1"))
    async with asyncio.timeout(10):
        status = int((await reader.readline()).split()[1])
    writer.close()
    return status


async def test_s1_c32_no_spelling_of_the_header_is_a_detour(shop):
    """C32: Mattermost CVE-2023-3581 and python-engineio CVE-2019-13611 did not ask for the origin.

    Doubled, folded and misspelt headers, which no browser sends and a client library would mend.
    Fails when ``ChatSocket._is_origin_allowed`` says True."""
    token = shop.token("Buyer", "maya")
    bearer, cookie = f"Authorization: Bearer {token}", f"Cookie: shopbell_session={token}"
    own, evil = f"Origin: {shop.url}", "Origin: https://evil.example"
    for lines, status in (
        ([bearer], 101),
        ([bearer, own], 101),
        ([cookie, own], 101),
        ([bearer, f"Origin: {SHOP}"], 101),
        ([bearer, evil], 403),
        ([bearer, own, evil], 403),
        ([bearer, evil, own], 403),
        ([cookie, evil, own], 403),
        ([cookie], 403),
        ([cookie, "Origin:"], 403),
        ([bearer, "origin: https://evil.example"], 403),
        ([bearer, "Sec-WebSocket-Origin: https://evil.example"], 403),
        ([cookie, "Sec-Fetch-Site: same-origin"], 403),
        ([cookie, evil, "Sec-Fetch-Site: same-origin"], 403),
        ([bearer, evil, "Sec-Fetch-Site: none"], 403),
        ([cookie, f"Referer: {shop.url}/inbox"], 403),
        ([bearer, f"{own.upper().replace('ORIGIN', 'Origin')}/"], 403),
    ):
        assert await handshake(shop, *lines) == status, lines


async def test_s1_a_page_that_is_refused_is_no_socket(shop, open_socket):
    """Nothing is registered, and the refusal is counted for whoever watches."""
    token = shop.token("Buyer", "maya")
    assert await handshake(shop, f"Cookie: shopbell_session={token}", "Origin: null") == 403
    assert shop.shop.hub.count == 0
    assert b'shopbell_auth_failures_total{door="origin"} 1.0' in shop.shop.metrics.text()
    await open_socket(f"{shop.url}/ws", subprotocols=spoken(token))
    assert shop.shop.hub.count == 1


# --- S2: tokens in addresses ----------------------------------------------------------------------

# Under names that say it, and under some that do not.
NAMES = [*sorted(QUERY_SECRETS), "Token", "ACCESS_TOKEN", "t", "next", "before", "v", "name", "x.y"]
NOWHERE = [Door("GET", path, "everybody") for path in ("/nothing", "/api/nothing", "/static/no.js")]


@pytest.fixture
def logged(caplog):
    """All that was handed to the log, on any level, before ``models/logs.py`` blots secrets out."""
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)


async def test_s2_a_token_in_an_address_is_400_at_every_door_and_in_no_log(shop, names, logged):
    """Fails when ``refuse_secrets`` is not asked by a door, or knows tokens by names alone."""
    token = shop.token("Seller", "omar")
    secret = token.rpartition(".")[2]
    for door in [*DOORS, *NOWHERE]:
        for name in NAMES if door.address in {"/ws", "/api/conversations"} else ["token", "t"]:
            answer = await knock(shop, door, names, query=f"{name}={token}")
            assert answer.status == 400, (door, name)
            assert secret not in str(answer.body), (door, name)
            assert secret not in str(list(answer.headers.get_all())), (door, name)
    for query in (
        token,
        f"={token}",
        f"x=1&y=bearer.{token}",
        f"next={quote('/inbox?t=' + token, safe='')}",
        f"x={token.replace('.', '%2E')}",
        f"x={quote(token.replace('.', '%2E'))}",
        f"token[]={token}",
    ):
        for path in ("/ws", "/login", "/inbox", "/static/js/realtime.js", "/api/conversations"):
            assert (await call(shop, "GET", f"{path}?{query}")).status == 400, (path, query)
    assert "/api/conversations" in logged()
    assert secret not in logged()
    assert token.split(".")[1] not in logged()


async def test_s2_a_token_in_a_handshake_is_not_logged_either(shop, open_socket, logged):
    token = shop.token("Buyer", "maya")
    await open_socket(f"{shop.url}/ws", subprotocols=spoken(token))
    await call(shop, "GET", "/inbox", cookie=token)
    await call(shop, "GET", "/api/conversations", token=token + "x")
    assert "opened" in logged()
    assert token.rpartition(".")[2] not in logged()


# --- S7: forged requests --------------------------------------------------------------------------


async def test_s7_c22_no_other_site_makes_a_browser_act(shop, names, written):
    """C22: Live Helper Chat GHSA-rpg7-q4cv-p466 changed settings for whoever's browser was sent
    there. Every unsafe door, forms included, with the cookie of somebody who might do it.

    Fails when ``BaseHandler._check_own_page`` returns at once."""
    before = await written()
    for door in UNSAFE:
        for headers in foreign(shop):
            for who in (("Seller", "omar"), ("Buyer", "maya")):
                cookie = shop.token(*who)
                answer = await knock(shop, door, names, cookie=cookie, headers=headers)
                assert answer.status == 403, (door, headers, answer.status)
                assert answer.session is None, (door, headers)
    assert await written() == before


async def test_s7_without_a_cookie_no_other_site_logs_in_or_makes_a_guest(shop, names, written):
    """A forged login would have somebody write to another's account. Fails when ``_OwnForm`` asks
    for nothing."""
    before = await written()
    said = [
        headers for headers in foreign(shop) if "Origin" in headers or "Sec-Fetch" in str(headers)
    ]
    for door in UNSAFE:
        if not door.is_page:
            continue
        for headers in said:
            if headers == {"Sec-Fetch-Site": "none"}:
                continue  # typed into the address bar, as by a password manager
            answer = await knock(shop, door, names, headers=headers)
            assert answer.status in {401, 403}, (door, headers)
            assert answer.session is None, (door, headers)
    assert await written() == before


async def test_s7_a_body_of_another_kind_is_refused(shop, names, written):
    """What a foreign page may send without asking first. Settings take a form with a file."""
    before = await written()
    omar = shop.token("Seller", "omar")
    for door in UNSAFE:
        if door.form == {} or (door.body is None and door.form is None):
            continue  # no body is read
        other = "application/json" if door.body is None else "application/x-www-form-urlencoded"
        for kind in ("text/plain", "multipart/form-data", "application/xml", other):
            if "settings" in door.address and kind.startswith("multipart"):
                continue
            headers = {"Origin": shop.url, "Content-Type": kind}
            for how in ({"token": omar}, {"cookie": omar}):
                path = door.path(names)
                answer = await call(shop, door.method, path, raw='{"a":1}', headers=headers, **how)
                assert answer.status == 415, (door, kind)
    assert await written() == before


async def test_s7_looking_changes_nothing(shop, names, written):
    """Every door that is only looked at, by all who may, and by HEAD and OPTIONS as well."""
    before = await written()
    for door in DOORS:
        if door.is_unsafe or door.address == "/ws":
            continue
        for token in (None, shop.token("Seller", "omar"), shop.token("Buyer", "maya")):
            for method in ("GET", "HEAD", "OPTIONS"):
                await knock(shop, door, names, cookie=token, method=method)
    for path in ("/logout", "/api/messages/send", f"/api/messages/{names['message']}/read"):
        answer = await call(shop, "GET", path, cookie=shop.token("Seller", "omar"))
        assert answer.status == 405
    assert await written() == before
