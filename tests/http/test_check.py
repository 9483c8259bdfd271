"""``check`` says in words what is wrong, of faults that are really made: PROMISES section 9.

O3 (the program), O4 (the database) and O5 (the way from browsers).
"""

import asyncio
import os
import re
import secrets
import ssl
import struct
import sys
from dataclasses import replace
from pathlib import Path

import bson
import pytest
from pymongo import MongoClient

from handlers.outside import faults_from_outside, is_running
from models import checks
from models.store import Store
from models.store_schema import VERSION
from models.version import OLDEST
from tests.machine import free_port, needed
from tests.proxies import NAME, nginx_around, nginx_example, replaced

SERVER = Path(__file__).parents[2] / "server.py"
SECONDS = 60  # for a process, on a busy machine


async def run(*words, **more):
    """A command's exit status, and what it said on standard output and standard error."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SHOPBELL_", "MONGODB"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, SERVER, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=inherited | more,
    )
    async with asyncio.timeout(SECONDS):
        out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


# --- The program ----------------------------------------------------------------------------------


async def test_below_a_floor_nothing_starts(tmp_path):
    """O3, S46. Fails when the start does not ask for versions, or a floor is missing."""
    for name in OLDEST:
        info = tmp_path / "old" / f"{name.replace('-', '_')}-0.9.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.9\n")
    words = [f"--data-dir={tmp_path / 'data'}", "--port=0"]
    runs = (
        run(command, *words, PYTHONPATH=str(tmp_path / "old")) for command in ("serve", "check")
    )
    for status, out, errors in await asyncio.gather(*runs):
        assert (status, out) == (1, "")
        line = re.compile(r"server\.py: (\S+) 0\.9; (\S+) or newer is needed\.")
        found = [line.fullmatch(told) for told in errors.splitlines()]
        assert {one[1]: one[2] for one in found} == OLDEST
    assert not (tmp_path / "data").exists()


def test_the_floors_are_those_that_are_promised():
    """O3. PROMISES section 1, "Libraries"."""
    promised = {"tornado": "6.6.1", "pyjwt": "2.15.1", "jinja2": "3.1.6", "motor": "3.7.1"}
    assert promised | {"pymongo": "4.20", "argon2-cffi": "25.1"} == OLDEST


# --- The database ---------------------------------------------------------------------------------


@pytest.fixture
def faults_at(database_name):
    """What is wrong with the database at a URI."""

    async def faults(uri):
        store = Store(uri, database_name)
        try:
            return await checks.faults_of_database(store, is_embedded=False)
        finally:
            # Not on the loop: it says goodbye through the proxy, which lives there.
            await asyncio.to_thread(store.close)

    return faults


def saying(**values):
    """A filter that lets a database server say something else of itself. Of the same length, so
    that nothing has to be counted again."""

    def change(chunk):
        if "wire" in values:
            found = rb"\x10maxWireVersion\x00...."
            told = b"\x10maxWireVersion\x00" + struct.pack("<i", values["wire"])
            chunk = re.sub(found, lambda _: told, chunk, flags=re.DOTALL)
        if "behind" in values:

            def earlier(match):
                (told,) = struct.unpack("<q", match[1])
                return b"\x09localTime\x00" + struct.pack("<q", told - values["behind"] * 1000)

            chunk = re.sub(rb"\x09localTime\x00(.{8})", earlier, chunk, flags=re.DOTALL)
        return chunk.replace(b"\x02setName\x00", b"\x02setNone\x00") if "alone" in values else chunk

    return lambda: change


def without_journal():
    """A filter that answers each update as a MongoDB answers that keeps no journal."""

    def change(chunk):
        size, number, to, code = struct.unpack("<iiii", chunk[:16])
        if size != len(chunk) or "nModified" not in (told := bson.decode(chunk[21:])):
            return chunk
        reason = "cannot use 'j' option when a host does not have journaling enabled"
        kept = {name: value for name, value in told.items() if name.startswith("$")}
        refusal = {"ok": 0.0, "errmsg": reason, "code": 2, "codeName": "BadValue"} | kept
        body = b"\x00\x00\x00\x00\x00" + bson.encode(refusal)
        return struct.pack("<iiii", 16 + len(body), number, to, code) + body

    return change


async def test_a_database_that_is_well(faults_at, engine_uri):
    assert await faults_at(engine_uri) == []


@pytest.mark.parametrize(
    ("filtered", "words"),
    [
        (saying(alone=True, wire=25), "standalone MongoDB 8 was seen to lose"),
        (saying(alone=True, wire=21), "a replica set or Atlas is needed."),
        (saying(wire=13), "older than MongoDB 6"),
        (saying(behind=120), "clock and the database's differ by"),
        (without_journal, "keeps no journal"),
    ],
    ids=["standalone 8.0", "standalone", "old", "clock", "no journal"],
)
async def test_a_database_that_is_not_what_is_needed(faults_at, proxy, engine_uri, filtered, words):
    """O4, SERVER-139311. Fails when the question is not asked."""
    proxy.filter("down", filtered)
    [fault] = await faults_at(proxy.uri(engine_uri))
    assert words in fault


async def test_a_user_who_may_not_write_or_is_not_known(faults_at, engine_uri, database_name):
    """O4. Fails when every refusal is "does not answer"."""
    name, password = f"reader-{database_name[-8:]}", secrets.token_hex(8)
    roles = [{"role": "read", "db": database_name}]
    with MongoClient(engine_uri) as client:
        client.admin.command("createUser", name, pwd=password, roles=roles)
    reader = re.sub(r"//[^@]+@", f"//{name}:{password}@", engine_uri)
    stranger = reader.replace(password, "another")
    for uri, words in ((reader, "needs the role readWrite"), (stranger, "does not know the user")):
        [fault] = await faults_at(uri)
        assert words in fault
        assert password not in fault


async def test_a_newer_schema(faults_at, engine_uri, database_name):
    """O4, P22."""
    with MongoClient(engine_uri) as client:
        client[database_name].meta.insert_one({"_id": "schema", "version": VERSION + 1})
    [fault] = await faults_at(engine_uri)
    assert "use a newer Shopbell" in fault


# --- The way from browsers ------------------------------------------------------------------------


@pytest.fixture
def trusted(own_certificate, monkeypatch):
    """The test's certificate is one that an authority has signed."""
    context = ssl.create_default_context(cafile=own_certificate)
    monkeypatch.setattr("tornado.simple_httpclient._client_ssl_defaults", lambda: context)


@pytest.fixture
def behind_nginx(serve, run_program, own_certificate, tmp_path):
    """A server behind nginx with the example, changed: what a fault changes is its argument."""

    async def start(changes=None, *, under=(), app_port=None, **settings):
        port, plain_port, right_port = free_port(), free_port(), free_port()
        sites = nginx_example(app_port or right_port, port, plain_port, own_certificate)
        command = nginx_around(replaced(sites, changes or {}), tmp_path)
        await run_program([*under, *command], port)
        url = settings.pop("public_url", f"https://{NAME}:{port}").replace("PLAIN", str(plain_port))
        with_proxy = {"public_url": url, "trusted_proxies": "127.0.0.1"} | settings
        return await serve(on_port=right_port, **with_proxy)

    return start


async def test_all_is_well_behind_the_example(behind_nginx, trusted):
    server = await behind_nginx()
    assert await is_running(server.shop.settings)
    assert await faults_from_outside(server.shop.settings) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"proxy_set_header Upgrade $http_upgrade;": ""}, "WebSockets do not come through"),
        ({"proxy_http_version 1.1;": ""}, "WebSockets do not come through"),
        ({"proxy_set_header X-Forwarded-For $remote_addr;": ""}, "sends no X-Forwarded-For"),
        ({"proxy_pass http://shopbell;": "return 200 'It works!';"}, "something else answers"),
        ({"location / {": "location / { return 302 /login;"}, "leads on to https://localhost"),
        ({"location / {": "location /ws { return 200 Hi; } location / {"}, "do not come through"),
    ],
    ids=["no Upgrade", "HTTP 1.0", "no X-Forwarded-For", "another page", "elsewhere", "no socket"],
)
async def test_a_proxy_that_is_not_set_up_right(behind_nginx, trusted, changes, words):
    """O5. Fails when the question is not asked."""
    server = await behind_nginx(changes)
    [fault] = await faults_from_outside(server.shop.settings)
    assert words in fault


async def test_a_proxy_that_leads_to_another_port(behind_nginx, trusted):
    server = await behind_nginx(app_port=free_port())
    [fault] = await faults_from_outside(server.shop.settings)
    assert "does not reach this server (it answers 502)" in fault


async def test_a_proxy_that_nobody_trusts(behind_nginx, trusted, caplog):
    """O5, S8. Fails when nobody looks who forwards."""
    server = await behind_nginx(trusted_proxies="192.0.2.1")
    for _ in range(2):
        [fault] = await faults_from_outside(server.shop.settings)
        assert "trusted-proxies does not name its address" in fault
    told = [line for line in caplog.messages if "not in trusted-proxies" in line]
    assert told == ["X-Forwarded-For comes from 127.0.0.1, which is not in trusted-proxies"]


async def test_a_public_url_that_leads_on(behind_nginx, trusted):
    server = await behind_nginx(public_url=f"http://{NAME}:PLAIN")
    [fault] = await faults_from_outside(server.shop.settings)
    assert f"leads on to https://{NAME}" in fault


async def test_a_certificate_that_nobody_knows(behind_nginx):
    server = await behind_nginx()
    [fault] = await faults_from_outside(server.shop.settings)
    assert "browsers will not take its certificate (self-signed certificate)" in fault


async def test_a_clock_that_is_off(behind_nginx, trusted):
    """O5. nginx dates its answers by a clock that is five minutes ahead. Fails when nobody
    compares."""
    server = await behind_nginx(under=[needed("faketime", "faketime"), "-f", "+5m"])
    [fault] = await faults_from_outside(server.shop.settings)
    assert re.search(r"the one at public-url differ by (299|300|301|302) s\.", fault)


async def test_nobody_or_another_shop_at_public_url(serve):
    other = await serve(secret=secrets.token_urlsafe(32))
    for url, words in (
        (f"http://127.0.0.1:{free_port()}", "nobody answers there (Connection refused)"),
        (other.url, "another shop's server answers there"),
    ):
        server = await serve(public_url=url)
        [fault] = await faults_from_outside(server.shop.settings)
        assert words in fault


async def test_a_server_that_does_not_run_is_not_looked_for(serve):
    server = await serve()
    settings = server.shop.settings
    assert await is_running(settings)
    for other in ({"port": free_port()}, {"port": 0}, {"secret": secrets.token_urlsafe(32)}):
        assert not await is_running(replace(settings, **other))


@pytest.mark.gen_test(timeout=2 * SECONDS)
async def test_the_command_itself(behind_nginx, own_certificate, engine_uri, database_name):
    """O5. Exit status 0 where all is well, else 1 and each fault in a line."""
    server = await behind_nginx()
    settings = server.shop.settings
    where = [
        *("check", f"--mongodb-uri={engine_uri}", f"--database={database_name}"),
        *(f"--port={settings.port}", f"--data-dir={settings.data_dir}"),
        "--trusted-proxies=127.0.0.1",
    ]
    known = {"SSL_CERT_FILE": str(own_certificate)}
    well, wrong = await asyncio.gather(
        run(*where, f"--public-url={settings.origin}", **known),
        run(*where, f"--public-url=https://{NAME}:{free_port()}", "--address=0.0.0.0", **known),
    )
    told = "Settings, database, clock and the way from browsers are as they should be.\n"
    assert well == (0, told, "")
    assert (wrong[0], wrong[2]) == (1, "")
    [fault] = wrong[1].splitlines()
    assert "nobody answers there" in fault
