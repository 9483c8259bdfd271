"""S22: one escaped line for each event, whatever is in names, agents and paths; and no secrets.

That no test's log holds a token or a canary is held by the fixture ``expected_errors`` for the
whole suite; here are the doors where most of them come in.
"""

import io
import json
import logging
import re
from urllib.parse import quote

import pytest

from models import logs
from tests.caller import call
from tests.conftest import LogWatch
from tests.refusals.raw import connected, handshake

BREAKS = ["\n", "\r\n", "\x1b[2J\x1b[1;1H", "\x00", "\x85", "\u2028", "\u202e", "\x9b31m", "\x7f"]
FAKE = "2026-01-02T03:04:05.678Z INFO shopbell.http: GET /forged"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ [\w.]+: .*")
ADDRESS = "maya.private@shop.example"


@pytest.fixture
def written():
    """What the server writes from now on, in a format: ``read = written("json")``."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()

    def start(log_format):
        logs.set_up(log_format, stream=stream)
        for handler in handlers:
            root.addHandler(handler)  # those of pytest and of the suite's watch
        return lambda: stream.getvalue().splitlines()

    yield start
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_nobody_writes_a_line_of_their_own_into_the_log(server, written, join, log_format):
    """S22, C17: paths, agents, referers, names, ids and headers with breaks and escapes.

    Fails when a door logs a path as it was meant and ``TextLine`` does not escape it; each of the
    two alone is enough.
    """
    read = written(log_format)
    for end in BREAKS:
        forged = f"x{end}{FAKE}"
        path = quote(forged.encode(), safe="")
        agent = forged.replace("\r", "").replace("\n", "").replace("\x00", "")
        headers = {"User-Agent": agent.encode().decode("latin1"), "Referer": f"http://{path}"}
        for address in (f"/{path}", f"/chat/{path}", f"/api/messages/{path}", f"/inbox?x={path}"):
            assert (await call(server, "GET", address, headers=headers)).status < 500
        token = server.token("Buyer", "maya", forged)
        assert (await call(server, "GET", "/api/conversations", token=token)).status == 200
        async with connected(server) as raw:
            await raw.write(f"GET /{forged} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await raw.reader.read(100)
        async with connected(server) as raw:
            await raw.write(handshake(server, token, User_Agent=agent.encode().decode("latin1")))
            assert (await raw.head())[0] in (101, 400)  # a header with control characters
    maya = await join(server, "Buyer", "maya", f"Maya\n{FAKE}")
    await maya.leave()
    lines = read()
    assert len(lines) > 40
    for line in lines:
        assert line.isprintable(), line
        assert not line.startswith(FAKE)
        assert json.loads(line) if log_format == "json" else LINE.fullmatch(line), line


async def test_no_token_cookie_text_address_or_password_is_logged(server, written, join, vouch):
    """S22: canaries through every door that takes one. Fails when a handler logs its body, its
    headers or its query; for the mail address as an id, when ``_SECRETS`` lacks it."""
    read = written("text")
    shop = server.shop
    await shop.accounts.add_seller("omar", "Omar canary", "omar.canary@shop.example", "x" * 12)
    text = {"recipient_id": "omar", "recipient_type": "Seller", "message": "canary text"}
    token, id_token = server.token("Buyer", "maya", "Maya canary"), server.token("Buyer", ADDRESS)
    for who in (token, id_token):
        assert (await call(server, "POST", "/api/messages/send", text, token=who)).status == 201
    for body in (text | {"subject": 1}, text | {"message": ""}, text | {"message_type": "canary"}):
        assert (await call(server, "POST", "/api/messages/send", body, token=token)).status == 400
    form = {"id": "omar", "password": "canary password"}
    assert (await call(server, "POST", "/login", form=form)).status in (200, 400, 401, 403)
    for identity in ("canary", vouch("noor", email="canary@shop.example", name="canary")):
        await call(server, "POST", "/api/session/identify", {"identity": identity})
    for path in ("/ws?token=canary", "/inbox?next=canary", "/api/conversations?before=canary"):
        await call(server, "GET", path, token=token)
    await call(server, "GET", "/inbox", headers={"Cookie": f"shopbell_session={token}; a=canary"})
    await call(server, "GET", "/inbox", headers={"Referer": "canary", "User-Agent": "canary"})
    maya = await join(server, "Buyer", "maya", "Maya canary")
    await maya.write('{"event":"canary","data":{"a":"canary"},"id":"canary"}')
    await maya.write("canary, which is no JSON")
    page = {"url": "https://shop.example/canary", "title": "canary"}
    await maya.ask("update_context", page)
    await maya.leave()
    said = "\n".join(read())
    assert said.count("shopbell.http") > 10
    assert "shopbell.socket: opened" in said
    for secret in ("canary", token[-20:], id_token[-20:], ADDRESS, "@shop.example"):
        assert secret not in said, secret


def test_the_watch_on_the_suite_s_logs_finds_what_was_planted():
    """S22. Without it, nothing else would fail when a token is logged somewhere in the suite."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiMSJ9.c2lnbmF0dXJl"
    for message, extra in ((f"took {token}", {}), ("took it", {"text": "canary 7f3a91"})):
        watch = LogWatch()
        record = logging.LogRecord("shopbell.http", logging.INFO, "", 0, message, (), None)
        record.__dict__.update(extra)
        watch.handle(record)
        assert watch.leaked
