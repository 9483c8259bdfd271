"""C37, C24: what Tornado and others took too long to read, or took for more than it is."""

import pytest

from tests.caller import call
from tests.refusals.raw import connected

LONG = 15_000  # nearly all that a request's head may have
PIECES = [
    *("a", "\\", '\\"', '"', "\\000", '"\\101', ";", "; ", "a=b; ", "a=", ",", ", ", "%", "%00"),
    *("a;q=0.1,", "*/*;", "en-", "W/", '"a",', "bytes=", "0-1,", "1.1.1.1,", ":", "=?utf-8?", " "),
    *("\t", "\xe9"),
]
HEADERS = [
    *("Cookie", "Accept", "Accept-Language", "Accept-Encoding", "If-None-Match", "Range", "Origin"),
    *("If-Modified-Since", "X-Forwarded-For", "X-Forwarded-Proto", "Authorization", "Content-Type"),
    *("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Content-Disposition", "Referer"),
]


async def test_no_header_holds_up_the_loop(server, lag):
    """C37, lag < 100 ms: quoted cookies, lists, ranges, dates.

    CVE-2024-52804 (quadratic cookies), and all other headers that anything here reads. Fails when
    one of them is read by an expression that goes back.
    """
    paths = ["/login", "/static/js/realtime.js", "/ws"]
    for name in HEADERS:
        for number, piece in enumerate(PIECES):
            head = f"GET {paths[number % 3]} HTTP/1.1\r\nHost: x\r\n{name}: "
            async with connected(server) as raw:
                await raw.write(f"{head}{(piece * LONG)[:LONG]}\r\n\r\n".encode("latin1"))
                status, _ = await raw.head()
                assert status < 500, (name, piece)


FORMS = {
    "many fields": ("application/x-www-form-urlencoded", "a=b&" * 16_000),
    "one name": ("application/x-www-form-urlencoded", "&" * 64_000),
    "percents": ("application/x-www-form-urlencoded", "message=" + "%" * 64_000),
    "pluses": ("application/x-www-form-urlencoded", "message=" + "+" * 64_000),
    "no separators": ("application/x-www-form-urlencoded", "=" * 64_000),
    "parts": ("multipart/form-data; boundary=x", "--x\r\n\r\n" * 8_000),
    "a part's headers": ("multipart/form-data; boundary=x", "--x\r\n" + "A: b\r\n" * 10_000),
    "a part's name": (
        "multipart/form-data; boundary=x",
        '--x\r\nContent-Disposition: form-data; name="' + '\\"' * 30_000,
    ),
    "a boundary": ("multipart/form-data; boundary=" + "x" * 9_000, "--x" * 9_000),
}


@pytest.mark.parametrize("path", ["/login", "/chat/omar", "/inbox/settings", "/logout"])
async def test_no_form_holds_up_the_loop(server, lag, path):
    """C37: CVE-2025-47287 (a line in the log for each bad part), fields without number.

    Fails when Tornado reads forms by itself, or ``FORM_FIELDS`` is not asked for.
    """
    for token in (None, server.token("Seller", "omar")):
        for kind, (content_type, body) in FORMS.items():
            headers = {"Content-Type": content_type, "Origin": server.url}
            answer = await call(server, "POST", path, raw=body, headers=headers, cookie=token)
            assert answer.status < 500, kind


async def test_no_query_holds_up_the_loop(server, lag):
    """C37: a query of 15 KB, at each kind of door."""
    for piece in ("a=b&", "&", "=", "%", "a&", "limit=1&", "language=", "next=/", ";", "+"):
        for path in ("/login", "/docs", "/api/messages/inbox", "/static/js/realtime.js", "/ws"):
            query = (piece * LONG)[:LONG]
            assert (await call(server, "GET", f"{path}?{query}")).status < 500
