"""What went wrong in other products, each as a test of its own; C numbers are stable names.

Others of them stand where their subject is tested: ``test_access_matrix.py`` (C7 to C9, C15, C20),
``test_operators.py`` (C1 to C5), ``test_identity.py`` (C6, C10, C16, C27), ``test_origins.py``
(C22, C32), ``test_sessions.py`` (C12, C13, C36), ``test_leaks.py`` (C25, C31), ``test_secrets.py``
(C28).
"""

import ast
import asyncio
import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64encode
from pathlib import Path
from urllib.parse import quote

import jwt
import msgspec
import pytest
from msgspec.structs import fields

from handlers.routes import API
from models.errors import Unauthorized
from models.events import PAGE_MOST
from models.tokens import Tokens
from tests.caller import call
from tests.refusals.doors import IDENTITY_SECRET, TO_OMAR
from tests.refusals.raw import connected

ROOT = Path(__file__).parents[2]
PROGRAM = [
    ROOT / "server.py",
    *(ROOT / "models").glob("**/*.py"),
    *(ROOT / "handlers").glob("**/*.py"),
]
TEMPLATES = sorted((ROOT / "templates").glob("**/*.html"))
IDENTIFY, LIST = "/api/session/identify", "/api/conversations"


def places(pattern):
    """``file: match`` for each place in the program; of a pattern with a group, that group."""
    return [
        f"{path.name}: {found}"
        for path in PROGRAM
        for found in re.findall(pattern, path.read_text(), re.MULTILINE)
    ]


# --- Lists and filters ----------------------------------------------------------------------------


async def test_c14_c33_lists_take_filters_from_a_closed_list_and_have_an_end(shop, names):
    """C14: Chatwoot CVE-2025-21628: the name of a filter went into the query. C33: Mattermost
    GHSA-vm9m-57jr-4pxh: a list without an end.

    Of every query of the API: what is no choice is ``invalid``, and so is a limit beyond 100. Fails
    when a field of a query becomes a plain text or number."""
    token = shop.token("Seller", "omar")
    limits = choices = 0
    for pattern, door in API:
        for described in door.calls().values():
            if described.query is None:
                continue
            path = pattern.replace("([^/]+)", "{}").format("maya", "Buyer")
            for field in fields(described.query):
                wrong: list[str] = []
                if field.name == "limit":
                    wrong = ["0", "-1", str(PAGE_MOST + 1), "1e1", "10.0", "9" * 30, "", "all"]
                    limits += 1
                elif "enum" in json.dumps(msgspec.json.schema(field.type)):
                    wrong = ["", "All", "$where", "updated_at", "2", "all;drop", "é"]
                    choices += 1
                for text in wrong:
                    query = f"{field.encode_name}={quote(text)}"
                    answer = await call(shop, "GET", f"{path}?{query}", token=token)
                    assert answer.refusal == (400, "invalid"), (path, query)
                    assert answer.body["error"]["field"] == field.encode_name
            asked = "sort=$where&order_by=password_hash&fields=*"
            answer = await call(shop, "GET", f"{path}?{asked}", token=token)
            assert answer.status == 200
            assert "password" not in str(answer.body)
    assert limits >= 4
    assert choices >= 2


# --- Secrets --------------------------------------------------------------------------------------


async def test_c19_nothing_loose_is_a_secret(shop, names):
    """C19: Live Helper Chat CVE-2022-1176 compared secrets loosely: ``0`` and ``true`` were equal
    to any. As JSON, as text, as a token, as a password."""
    for value in (0, 1, True, False, None, [], {}, "", [""]):
        for body in ({"identity": value}, {"identity": "x", "guest_token": value}):
            answer = await call(shop, "POST", IDENTIFY, body)
            assert answer.status in {400, 401}, body
            assert answer.session is None
    for text in ("0", "1", "true", "[]", '""', "null", "Array", "0e1234", " "):
        for id_ in ("omar", text):
            shop.shop.pace._full_at["logins:address"].clear()
            shop.shop.pace._full_at["logins:account"].clear()
            form = {"id": id_, "password": text}
            assert (await call(shop, "POST", "/login", form=form)).status == 401, text
        for answer in (
            await call(shop, "GET", LIST, token=text),
            await call(shop, "GET", LIST, cookie=quote(text)),
        ):
            assert answer.status == 401, text


def test_c19_no_secret_is_compared_by_us():
    """Signatures are PyJWT's and passwords argon2's to compare, both in constant time; what is
    compared here are two settings, and on the command line a password typed twice and a backup.

    Fails when a door compares a token by ``==``."""
    found = [
        f"{path.name}: {ast.unparse(node)}"
        for path in PROGRAM
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and re.search(
            r"(?i)secret\b|password\b|signature|\btoken\b|_hash\b|digest\b", ast.unparse(node)
        )
    ]
    assert sorted(found) == [
        "assets.py: digest == packed.digest",  # of a file that everybody may have
        "commands.py: header.secret != mark_of_secret(settings.known_secret())",
        "settings.py: settings.secret == settings.identity_secret",
        "terminal.py: getpass.getpass('Once more: ') != password",
        "tokens.py: secret == identity_secret",
    ]


def test_c39_a_token_chooses_neither_its_key_nor_its_rules():
    """C39: PyJWT CVE-2026-32597, CVE-2026-102266 and CVE-2026-102268: an extension that nobody
    knows, an empty key, a public key taken for a shared one. ``unit/test_tokens.py`` has more.

    Fails when ``algorithms`` is left to the token, or the header's names are not checked."""
    secret, now = "the server's own secret, long enough", 3_990_000_000
    reader = Tokens(secret, IDENTITY_SECRET, now=lambda: now)
    claims = {"sub": "omar", "type": "Seller", "name": "Omar", "iat": now, "exp": now + 60}

    def signed(key=secret, header=None):
        """With HS256, whatever the header says, and with any key, an empty one even."""
        said = {"alg": "HS256", "typ": "JWT"} | (header or {})
        parts = [
            urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (said, claims)
        ]
        signature = hmac.new(key.encode(), b".".join(parts), hashlib.sha256).digest()
        return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()

    assert reader.read(signed()).participant.id == "omar"
    for token in (
        signed(header={"crit": ["x"], "x": 1}),
        signed(header={"kid": "/dev/null"}),
        signed("", {"kid": "/dev/null"}),
        signed(""),
        signed(header={"alg": "RS256"}),
        signed("-----BEGIN PUBLIC KEY-----"),
        signed(IDENTITY_SECRET),
    ):
        with pytest.raises(Unauthorized):
            reader.read(token)
    for key in ("", "short"):
        with pytest.raises(ValueError, match="secret"):
            Tokens(key, IDENTITY_SECRET)


# --- The libraries under us -----------------------------------------------------------------------

HEAD = "{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n\r\n"
PARTS = b"".join(
    b'--b\r\nContent-Disposition: form-data; name="n%d"\r\n\r\nx\r\n' % n for n in range(900)
)
BROKEN = b"--b\r\nx\r\n\r\n\r\n" * 4_000


def hostile_requests():
    """Requests that cost other versions of Tornado much for little, by what they are."""
    get = "GET /login"
    many = {
        "quoted cookies": "Cookie: " + 'a="' + "\\012" * 3_500,
        "many cookies": "Cookie: " + "; ".join(f"a{n}={n}" for n in range(1_500)),
        "one header many times": "\r\n".join(["X-A: b"] * 1_800),
        "folded lines": "X-A: b" + "\r\n " + "c" * 12_000,
        "languages": "Accept-Language: " + ",".join(f"x{n};q=0.{n}" for n in range(1_200)),
        "encodings": "Accept-Encoding: " + "gzip;q=0,".join([""] * 1_500),
        "etags": "If-None-Match: " + ",".join(f'W/"{n}"' for n in range(1_400)),
        "forwarded": "X-Forwarded-For: " + ",".join(["198.51.100.7"] * 1_100),
        "ranges": "Range: bytes=" + ",".join(f"{n}-{n}" for n in range(1_500)),
        "subprotocols": "Sec-WebSocket-Protocol: " + ",".join(f"p{n}" for n in range(2_000)),
        "a boundary": "Content-Type: multipart/form-data; boundary=" + ";" * 12_000,
        "a disposition": 'Content-Type: multipart/form-data; a="' + '";a="' * 3_000,
    }
    for kind, header in many.items():
        for line in (get, "GET /static/js/realtime.js"):
            yield kind, HEAD.format(line, header).encode("latin1")
    yield (
        "arguments",
        HEAD.format("GET /login?" + "&".join(f"a{n}" for n in range(3_000)), "X: y").encode(),
    )
    yield "escapes", HEAD.format("GET /login?next=" + "%2f" * 5_000, "X: y").encode()
    yield "dots", HEAD.format("GET /inbox?x=" + "eyJ." * 3_500, "X: y").encode()
    yield "slashes", HEAD.format("GET " + "/a" * 7_000, "X: y").encode()


def hostile_bodies():
    """The same of bodies, for a form that takes files."""
    yield "parts", PARTS[:60_000]
    yield "broken parts", BROKEN[:60_000]
    yield "a boundary alone", b"--b" * 20_000
    yield "endless parameters", b"--b\r\nContent-Disposition: form-data" + b'; a="\\"' * 7_000
    yield "encoded names", b"--b\r\nContent-Disposition: form-data; name*=utf-8''" + b"%41" * 15_000


async def test_c37_c38_no_request_holds_the_loop(shop, lag):
    """C37, C38: Tornado CVE-2026-115927, CVE-2026-91990, CVE-2026-31958, CVE-2026-35536,
    CVE-2026-116578, CVE-2025-47287 and CVE-2024-52804: quadratic parsers of cookies, parameters,
    headers and multipart bodies. ``lag`` fails where one turn of the loop takes over 100 ms.

    Fails when a door walks through a header once for each of its letters."""
    statuses = {}
    for kind, request in hostile_requests():
        async with connected(shop) as raw:
            await raw.write(request)
            async with asyncio.timeout(10):
                said = await raw.reader.read()
            statuses[kind] = said[:12].decode("latin1").partition(" ")[2]
    cookie = shop.token("Seller", "omar")
    headers = {"Origin": shop.url, "Content-Type": "multipart/form-data; boundary=b"}
    for kind, body in hostile_bodies():
        answer = await call(
            shop, "POST", "/inbox/settings", raw=body, cookie=cookie, headers=headers
        )
        statuses[kind] = str(answer.status)
    assert not [kind for kind, status in statuses.items() if status.startswith("5")], statuses
    assert lag.worst > 0


async def test_c37_a_body_of_broken_parts_is_one_line_of_the_log(shop, caplog):
    """C37: Tornado CVE-2025-47287 logged a line for each of them. Fails when a door does."""
    caplog.set_level("DEBUG")
    cookie = shop.token("Seller", "omar")
    headers = {"Origin": shop.url, "Content-Type": "multipart/form-data; boundary=b"}
    for _, body in hostile_bodies():
        caplog.clear()
        await call(shop, "POST", "/inbox/settings", raw=body, cookie=cookie, headers=headers)
        lines = [record for record in caplog.records if record.name != "asyncio"]
        assert len(lines) <= 2, [record.getMessage() for record in lines]


def test_c38_nothing_of_users_goes_into_cookies_file_addresses_or_redirects():
    """C38: Tornado CVE-2026-35536 and CVE-2026-31958 let a cookie's attributes and a static
    address carry more than one. Here a cookie's attributes and a file's address are constants, and
    a redirect leads to a path that was made or checked by one of two functions.

    Fails when a door sets a cookie, or redirects to what came in."""
    cookies = places(r"\.((?:set|clear|set_signed)_(?:all_)?cookies?)\(")
    assert cookies == ["base.py: set_cookie", "base.py: clear_cookie"]
    targets = {place.partition(": ")[2] for place in places(r"\.redirect\(([\w.]+)")}
    assert targets == {"self.language.link", "own_path", "wanted"}
    addresses = {
        found
        for path in TEMPLATES
        for found in re.findall(r"static_url\((.*?)\)", path.read_text())
        if not re.fullmatch(r"'[\w/.-]+'", found)
    }
    assert addresses == {"'images/' ~ image ~ '.svg'"}  # one of three names in the demo's template


# --- What the server asks of others ---------------------------------------------------------------


async def test_s19_the_server_fetches_nobodys_address(shop, join):
    """Addresses in every place that takes one, all leading to somebody who counts visitors.

    Fails when a preview of links, a product's picture or a key's address is fetched."""
    visits = 0

    def count(reader, writer):
        nonlocal visits
        visits += 1
        writer.close()

    listener = await asyncio.start_server(count, "127.0.0.1", 0)
    trap = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    maya = await join(shop, "Buyer", "maya", seller_id="omar")
    await maya.ask(
        "send_message", TO_OMAR | {"message": f"See {trap} and {trap}.png", "subject": trap}
    )
    product = {"name": "A mug", "url": trap, "image": f"{trap}mug.png"}
    await maya.ask("update_context", {"url": trap, "title": trap, "product": product})
    keyed = jwt.encode({"sub": "maya"}, "x" * 40, headers={"jku": trap, "x5u": trap})
    await call(shop, "POST", IDENTIFY, {"identity": keyed})
    headers = {"Referer": trap, "Origin": trap.rstrip("/"), "X-Original-Url": trap, "From": trap}
    await call(shop, "GET", "/chat/omar", headers=headers)
    form = {"greeting": trap, "accent": trap}
    omar = shop.token("Seller", "omar")
    await call(
        shop, "POST", "/inbox/settings", form=form, cookie=omar, headers={"Origin": shop.url}
    )
    await call(shop, "GET", "/inbox", cookie=omar)
    await asyncio.sleep(0.2)
    listener.close()
    assert visits == 0


def test_s19_the_server_has_nothing_to_fetch_with():
    """No client for HTTP or mail is imported but by ``check``, which goes to ``public-url`` and is
    no part of the server; the one place that connects by itself asks whether the embedded engine
    listens. Fails when another module imports ``tornado.httpclient``, say."""
    clients = (
        r"urllib\.request|http\.client|httpclient|requests|httpx|aiohttp|smtplib|ftplib|websockets"
    )
    imports = places(rf"^\s*(?:import|from)\s+\S*\b(?:{clients})\b")
    assert {place.partition(": ")[0] for place in imports} == {"outside.py"}
    assert places(r"^from handlers import .*\boutside\b|^from handlers\.outside import") == [
        "commands.py: from handlers.outside import"
    ]
    connecting = r"create_connection|open_connection|connect_ex|socket\.connect\("
    assert {place.partition(": ")[0] for place in places(connecting)} == {"engine_home.py"}
