"""The deploy examples do what they are there for: PROMISES section 9, nginx, Caddy and systemd.

O7, O8 and O9. Real nginx and Caddy with the examples' own text, a real server behind them.
"""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from tests.machine import free_port, needed
from tests.proxies import (
    EXAMPLES,
    NAME,
    caddy_command,
    nginx_around,
    nginx_example,
    replaced,
)
from tests.sockets.client import Client, spoken

SERVER = Path(__file__).parents[2] / "server.py"
PASSWORD = "correct horse battery"


class Site:
    """A server behind a proxy, as browsers reach it."""

    def __init__(self, server, url, own):
        self.server, self.url, self._own = server, url, own

    async def ask(self, path, method="GET", *, body=None, polite=False, **headers):
        """Who is ``polite`` sends the body only when it is wanted."""
        request = HTTPRequest(
            self.url + path,
            method,
            {name.replace("_", "-"): value for name, value in headers.items()},
            body,
            ca_certs=str(self._own),
            follow_redirects=False,
            request_timeout=20,
            expect_100_continue=polite,
        )
        return await AsyncHTTPClient().fetch(request, raise_error=False)

    async def join(self, type_, id_):
        url = f"{self.url.replace('http', 'ws', 1)}/ws"
        token = self.server.token(type_, id_)
        request = HTTPRequest(url, ca_certs=str(self._own), headers={"Origin": self.url})
        socket = await websocket_connect(request, subprotocols=spoken(token))
        client = Client(socket, type_, id_)
        client.ack = await client.ask("register_user")
        return client


@pytest.fixture(params=["nginx", "caddy"])
async def site(request, serve, run_program, own_certificate, tmp_path):
    port, app_port, plain_port = free_port(), free_port(), free_port()
    url = f"https://{NAME}:{port}"
    if request.param == "nginx":
        sites = nginx_example(app_port, port, plain_port, own_certificate)
        await run_program(nginx_around(sites, tmp_path), port)
    else:
        await run_program(caddy_command(app_port, port, own_certificate), port)
    server = await serve(on_port=app_port, public_url=url, trusted_proxies="127.0.0.1")
    return Site(server, url, own_certificate)


async def test_a_chat_goes_through_the_proxy(site):
    """O7, O8. Fails without Upgrade and Connection (nginx), or HTTP/1.1 to the server."""
    maya, omar = await site.join("Buyer", "maya"), await site.join("Seller", "omar")
    sent = await maya.send(omar, "Through the proxy")
    assert (await omar.hear("new_message"))["id"] == sent["id"]
    await maya.leave()
    await omar.leave()


async def test_the_visitor_s_address_is_the_peer_s_whatever_they_write(site):
    """O7, O8, S8. Fails when X-Forwarded-For is appended to, or not sent."""
    told = json.loads((await site.ask("/healthz", X_Forwarded_For="198.51.100.7")).body)
    assert told == {"status": "ok", "instance": site.server.shop.settings.instance} | {
        "proxy": "trusted"
    }
    # Of this machine, so the metrics are open: the header's own address is not believed.
    assert (await site.ask("/metrics", X_Forwarded_For="198.51.100.7")).code == 200


async def test_the_cookie_is_secure_and_pages_come_over_https(site):
    """O7, O8, S6. Fails when public-url is not https."""
    await site.server.shop.accounts.add_seller("omar", "Omar", None, PASSWORD)
    form = f"id=omar&password={PASSWORD.replace(' ', '+')}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": site.url}
    answer = await site.ask("/login", "POST", body=form, **headers)
    assert (answer.code, answer.headers["Location"]) == (303, "/inbox")
    cookie = SimpleCookie(answer.headers["Set-Cookie"])["shopbell_session"]
    assert cookie["secure"]
    assert cookie["httponly"]
    inbox = await site.ask("/inbox", Cookie=f"shopbell_session={cookie.value}")
    assert inbox.code == 200
    assert inbox.headers["Strict-Transport-Security"]
    assert f"wss://{NAME}" in inbox.headers["Content-Security-Policy"]


async def test_a_body_that_is_too_large_is_refused(site):
    """O7, O8. A little too large: in Shopbell's own words. Far too large: by the proxy, which
    spares the server. Fails when the example has no limit, or one below Shopbell's."""
    token = site.server.token("Buyer", "maya")
    json_ = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    little = await site.ask("/api/messages/send", "POST", body=b"{" + b" " * 70_000, **json_)
    assert (little.code, json.loads(little.body)["error"]["code"]) == (413, "too_large")
    before = _too_large(site)
    body = b"{" + b" " * 1_000_000
    far = await site.ask("/api/messages/send", "POST", body=body, polite=True, **json_)
    assert far.code == 413
    assert _too_large(site) == before


def _too_large(site):
    """How many bodies Shopbell itself refused."""
    metrics = site.server.shop.metrics.text()
    return re.search(rb'errors_total\{code="too_large"\} (\S+)', metrics)[1]


async def test_nginx_waits_for_a_quiet_socket_and_logs_no_query(serve, own_certificate):
    """O7. A socket may be quiet for 25 s and one lost beat more; nginx's own limit is 60 s."""
    text = (EXAMPLES / "nginx.conf").read_text()
    seconds = int(re.search(r"proxy_read_timeout (\d+)s;", text)[1])
    assert seconds > 60
    logged = re.search(r"log_format shopbell (.*?);", text, re.DOTALL)[1]
    assert "$uri" in logged
    assert not re.search(r"\$(request|request_uri|args|query_string|http_referer)\b", logged)


async def test_without_tls_nginx_leads_to_the_site(run_program, own_certificate, tmp_path):
    port, plain_port = free_port(), free_port()
    sites = nginx_example(free_port(), port, plain_port, own_certificate)
    await run_program(nginx_around(sites, tmp_path), plain_port)
    request = HTTPRequest(f"http://127.0.0.1:{plain_port}/chat/anna?a=b", follow_redirects=False)
    answer = await AsyncHTTPClient().fetch(request, raise_error=False)
    where = f"https://{NAME}:{port}/chat/anna?a=b"  # never the Host that somebody wrote
    assert (answer.code, answer.headers["Location"]) == (301, where)


# --- systemd ------------------------------------------------------------------------------------


@pytest.fixture
def unit(tmp_path):
    """The unit, for this machine's Python and this very server."""
    text = replaced(
        (EXAMPLES / "shopbell.service").read_text(),
        {
            "ExecStart=/opt/shopbell/.venv/bin/python": f"ExecStart={sys.executable}",
            "WorkingDirectory=/opt/shopbell": f"WorkingDirectory={SERVER.parent}",
        },
    )
    path = tmp_path / "shopbell.service"
    path.write_text(text)
    return path


def _values(unit, name):
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def test_the_unit_is_one_that_systemd_takes(unit):
    """O9. Fails at a setting that systemd does not know, or a program that is not there."""
    analyze = needed("systemd-analyze", "systemd")
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    words = [analyze, "security", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("User", "shopbell"),
        ("StateDirectory", "shopbell"),
        ("StateDirectoryMode", "0700"),
        ("UMask", "0077"),
        ("NoNewPrivileges", "true"),
        ("ProtectSystem", "strict"),
        ("MemoryMax", "1G"),
        ("LimitNOFILE", "8192"),
        ("KillMode", "mixed"),
        ("TimeoutStopSec", "30"),
        ("Restart", "on-failure"),
    ],
)
def test_the_unit_says_what_is_promised(unit, name, value):
    """O9. PROMISES section 9, "systemd example"."""
    assert _values(unit, name) == [value]


@pytest.mark.gen_test(timeout=60)
async def test_the_unit_s_command_serves_and_stops_as_systemd_stops_it(unit, tmp_path):
    """O9. Its command line, environment, umask and limit of descriptors; SIGTERM to the server
    alone, and nothing is left of it. Fails when the server leaves its database behind."""
    needed("prlimit", "util-linux")
    directory = tmp_path / "shopbell"
    environment = dict(value.split("=", 1) for value in _values(unit, "Environment"))
    environment["SHOPBELL_DATA_DIR"] = environment["SHOPBELL_DATA_DIR"].replace("%S", str(tmp_path))
    limit = f"--nofile={_values(unit, 'LimitNOFILE')[0]}"
    directory.mkdir(int(_values(unit, "StateDirectoryMode")[0], 8))
    process = await asyncio.create_subprocess_exec(
        *[shutil.which("prlimit"), limit, *_values(unit, "ExecStart")[0].split(), "--port=0"],
        cwd=_values(unit, "WorkingDirectory")[0],
        env=environment,
        umask=int(_values(unit, "UMask")[0], 8),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        line = (await process.stdout.readline()).decode()
        assert line.endswith("for https://chat.shop.example\n")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert children
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    assert {oct(path.stat().st_mode)[-2:] for path in directory.iterdir()} == {"00"}
