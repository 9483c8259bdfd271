"""S8, S9, S20, S21, S23: what every answer tells browsers, and whose word it is made of.

Over the table of doors, so a new door is held to the same.
"""

import re
from urllib.parse import quote

import pytest

from tests.caller import call
from tests.refusals.doors import (
    CLOSED,
    EVERYBODY,
    PASSWORD,
    READING,
    SHOP,
    Door,
    knock,
)

PUBLIC_URL = "https://chat.shop.example"
ON_EVERY_ANSWER = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
NOWHERE_AT_ALL = [
    Door("GET", path, EVERYBODY) for path in ("/nothing", "/api/nothing", "/static/nothing.js")
]
YEAR = "max-age=31536000"


def policy_of(answer):
    """The Content-Security-Policy, by directive."""
    parts = (part.split() for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


def is_html(answer):
    return answer.headers.get("Content-Type", "").startswith("text/html")


async def answers_of(server, doors, names, **how):
    """What each door says to Omar, to a stranger, and to a method that it has not."""
    omar = server.token("Seller", "omar")
    for door in doors:
        yield door, await knock(server, door, names, cookie=omar, **how)
        yield door, await knock(server, door, names, **how)
        yield door, await knock(server, door, names, method="PATCH", **how)


@pytest.mark.parametrize("public_url", ["", PUBLIC_URL])
async def test_s20_every_answer_of_every_door_bears_the_headers(serve, names, public_url):
    """Fails when ``handlers/headers.py`` leaves one out, or a door does not call it."""
    server = await serve(rate_limits="off", public_url=public_url)
    checked = 0
    async for door, answer in answers_of(server, [*READING, *NOWHERE_AT_ALL], names):
        for name, value in ON_EVERY_ANSWER.items():
            assert answer.headers.get_list(name) == [value], (door, answer.status, name)
        told = answer.headers.get_list("Strict-Transport-Security")
        assert told == ([YEAR] if public_url else []), (door, answer.status)
        assert answer.headers["Cross-Origin-Resource-Policy"] in {"same-origin", "cross-origin"}
        assert "Server" not in answer.headers, door
        policy = policy_of(answer)
        assert policy["default-src"] == ["'none'"], door
        assert not re.search(r"unsafe|\*", str(policy)), door
        checked += 1
    assert checked > 60


async def test_s20_pages_run_only_what_is_ours(serve, names):
    server = await serve(rate_limits="off", public_url=PUBLIC_URL, demo="on")
    ours, nobody = ["'self'"], ["'none'"]
    allowed = {
        "script-src": ours,
        "style-src": ours,
        "img-src": ours,
        "connect-src": [*ours, "wss://chat.shop.example"],
        "frame-src": ours,
        "form-action": ours,
    }
    pages = set()
    async for door, answer in answers_of(server, [*READING, *NOWHERE_AT_ALL], names):
        policy = policy_of(answer)
        assert policy.pop("default-src") == policy.pop("base-uri") == nobody, door
        policy.pop("frame-ancestors")  # another test's matter
        if is_html(answer):
            pages.add(door.address)
            for name, sources in policy.items():
                assert sources in (allowed[name], nobody), (door, name)
        else:
            assert policy == {"form-action": nobody}, door
    assert len(pages) > 8


async def test_s21_only_the_widget_may_be_framed(shop, names):
    """And by whom exactly. Fails when ``PageHandler.frame_ancestors`` says more than nobody."""
    async for door, answer in answers_of(shop, [*READING, *NOWHERE_AT_ALL], names):
        framed = policy_of(answer).get("frame-ancestors")
        if door.address.startswith("/widget/") and answer.status == 200:
            assert framed == [shop.url, SHOP]
        elif not door.address.startswith("/widget/"):
            assert framed == ["'none'"], (door, answer.status)


async def test_what_is_somebodys_own_is_kept_by_no_cache(shop, names):
    """A shared cache, or the back button after a logout, would show it to others."""
    closed = [door for door in READING if door.who != EVERYBODY]
    async for door, answer in answers_of(shop, closed, names):
        assert re.search("no-store|private", answer.headers["Cache-Control"]), door
    for door in READING:
        answer = await knock(shop, door, names)
        if "public" in answer.headers["Cache-Control"]:
            assert "Set-Cookie" not in answer.headers, door


# --- Whose word counts ----------------------------------------------------------------------------

EVIL = "evil.example"


async def test_s9_the_host_header_is_nobodys_word(shop, names):
    """Links, policies, redirects and origins are made of ``public-url``.

    Fails when ``Settings.origin`` gives way to ``request.host``."""
    headers = {"Host": EVIL, "X-Forwarded-Host": EVIL, "Origin": f"http://{EVIL}"}
    async for door, answer in answers_of(shop, READING, names, headers=headers):
        assert EVIL not in str(answer.body), door
        assert EVIL not in str(list(answer.headers.get_all())), door
    omar = shop.token("Seller", "omar")
    form = {"message": "Hello"}
    for path in (f"/inbox/{names['conversation']}", "/inbox/settings", "/logout"):
        answer = await call(shop, "POST", path, form=form, cookie=omar, headers=headers)
        assert answer.status == 403, path


SPOOFED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Scheme": "https",
    "X-Scheme": "https",
    "X-Forwarded-Ssl": "on",
    "Forwarded": "for=198.51.100.7;proto=https;host=evil.example",
    "X-Forwarded-Host": EVIL,
    "X-Forwarded-Port": "443",
    "X-Real-Ip": "198.51.100.7",
    "X-Client-Ip": "198.51.100.7",
    "True-Client-Ip": "198.51.100.7",
    "Cf-Connecting-Ip": "198.51.100.7",
}


async def test_s8_a_strangers_word_of_address_and_scheme_counts_for_nothing(serve, caplog):
    """Neither for the cookie, nor for HSTS, the log, or the limits; whether spoken by a stranger or
    passed on by a proxy that is trusted for its own word only.

    Fails when ``HTTPServer(xheaders=True)`` believes anybody."""
    caplog.set_level("INFO")
    server = await serve(rate_limits="on")
    await server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    statuses = []
    for number in range(21):
        headers = SPOOFED | {"X-Forwarded-For": f"198.51.100.{number}"}
        body = {"seller_id": "omar"}
        answer = await call(server, "POST", "/api/session/guest", body, headers=headers)
        statuses.append(answer.status)
        assert "Strict-Transport-Security" not in answer.headers
        assert "secure" not in answer.headers.get("Set-Cookie", "").lower()
    assert statuses == [201] * 20 + [429]
    addresses = {getattr(record, "address", None) for record in caplog.records} - {None}
    assert addresses == {"127.0.0.1"}
    assert "198.51.100" not in caplog.text


async def test_s8_a_trusted_proxy_is_believed_from_the_end_of_its_list(serve, caplog):
    """What the visitor wrote at its beginning is never reached, and IPv6 counts by its /64."""
    caplog.set_level("INFO")
    server = await serve(rate_limits="on", trusted_proxies="127.0.0.1")
    statuses = []
    for number in range(21):
        forged = f"198.51.100.{number}, 2001:db8::{number:x}"
        answer = await call(
            server,
            "POST",
            "/api/session/guest",
            {"seller_id": "omar"},
            headers={"X-Forwarded-For": forged},
        )
        statuses.append(answer.status)
    assert statuses == [201] * 20 + [429]
    assert "198.51.100" not in str([record.__dict__ for record in caplog.records])


# --- Where to go next -----------------------------------------------------------------------------

FOREIGN_PATHS = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/%09/evil.example",
    "https:evil.example",
    "https://evil.example",
    "HTTPS://evil.example/inbox",
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example\\@127.0.0.1",
    "/inbox\r\nSet-Cookie: evil=1",
    "/inbox\r\n\r\n<script>alert(1)</script>",
    "/inbox\u2028",
    "/\u2215evil.example",
]


def leads_home(location):
    """Whether a browser stays on this site: one slash, and nothing that it would drop or turn."""
    return re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", location) is not None


async def test_s23_no_redirect_leads_out(shop, names):
    """Fails when ``own_path`` lets one through."""
    omar = shop.token("Seller", "omar")
    login = {"id": "omar", "password": PASSWORD}
    for path in FOREIGN_PATHS:
        asked = f"next={quote(path, safe='')}&language={quote(path, safe='')}&saved={quote(path)}"
        form = login | {"next": path}
        answers = [
            await call(shop, "POST", f"/login?{asked}", form=form),
            await call(shop, "GET", f"/login?{asked}", cookie=omar),
            *[await knock(shop, door, names, query=asked) for door in CLOSED if door.is_page],
        ]
        redirected = [answer for answer in answers if answer.status == 303]
        assert len(redirected) >= 6
        for answer in redirected:
            assert leads_home(answer.headers["Location"]), path
            assert "evil" not in answer.headers.get("Set-Cookie", ""), path


async def test_s23_a_hostile_path_stays_one_line(shop):
    """What comes in an address goes back only as a path of this site, on one line of the header."""
    for text in ("%0d%0aX-Evil:%201", "%0aSet-Cookie:%20evil=1", "%E2%80%A8", "%00", "%5c%5cevil"):
        for path in (
            f"/inbox/{text}",
            f"/inbox/settings/{text}",
            f"/chat/{text}",
            f"/login/{text}",
        ):
            answer = await call(shop, "GET", path)
            assert answer.status in {303, 400, 404}, path
            assert leads_home(answer.headers.get("Location", "/")), path
            assert "X-Evil" not in answer.headers, path
            assert "evil=1" not in answer.headers.get("Set-Cookie", ""), path


async def test_a_style_sheet_behind_the_login_leads_nowhere(shop):
    """After the login one would stand before a style sheet."""
    path = "/inbox/settings/preview.css?accent=%23f2c230"
    for cookie in (None, shop.token("Buyer", "maya")):
        answer = await call(shop, "GET", path, cookie=cookie)
        assert answer.status == 401
        assert "Location" not in answer.headers
        assert answer.headers["Content-Type"].startswith("text/plain")
