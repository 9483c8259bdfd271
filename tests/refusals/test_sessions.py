"""S4, S6, S25, S26, S27: how sessions begin and end, and what guessing yields.

What a token may be is tested in ``unit/test_tokens.py`` and ``sockets/test_handshake.py``.
"""

import asyncio
import statistics
import time
from http.cookies import SimpleCookie

import pytest

from models import passwords
from models.accounts import REFRESH_SECONDS
from models.conversation import moment
from models.passwords import AT_ONCE, WAITING
from tests.caller import call
from tests.refusals.doors import IDENTITY_SECRET, PASSWORD, SHOP, TO_OMAR

REVOKED_SECONDS = 5  # CONTRACT section 2, from the end of a session to the end of its sockets
GUEST, IDENTIFY = "/api/session/guest", "/api/session/identify"


async def log_in(server, id_="omar", password=PASSWORD, **how):
    return await call(server, "POST", "/login", form={"id": id_, "password": password}, **how)


# --- S4: the end of a session is the end of its sockets -------------------------------------------


async def test_s4_p18_c12_c36_what_ends_a_session_ends_its_sockets_within_5_s(
    shop, serve, vouch, join
):
    """C12: Chatwoot CVE-2021-3740, C36: Papercups #848: other sessions stayed alive.

    All that ends a session, done by another process on the same database, with the intervals as
    they are. Fails when ``Accounts.watch`` does not refresh, or ``on_revoked`` closes nothing."""
    elsewhere = await serve(rate_limits="off", identity_secret=IDENTITY_SECRET)
    accounts = elsewhere.shop.accounts
    await accounts.add_seller("ines", "Ines", None, PASSWORD)
    guest = (await call(shop, "POST", GUEST, {"seller_id": "omar"})).body
    sessions = {name: (await log_in(shop, name)).session for name in ("omar", "vera", "ines")}
    stays = await join(shop, "Buyer", "lena")
    await stays.ask("send_message", TO_OMAR)

    over = int(time.time()) + 3
    ends = {
        "logged out": (
            await join(shop, "Seller", "omar", token=sessions["omar"]),
            lambda: accounts.log_out(accounts.authenticate(sessions["omar"])),
        ),
        "a changed password": (
            await join(shop, "Seller", "vera", token=sessions["vera"]),
            lambda: accounts.set_password("vera", "another battery horse"),
        ),
        "disabled": (
            await join(shop, "Seller", "ines", token=sessions["ines"]),
            lambda: accounts.set_disabled("ines", True),
        ),
        "a guest who is a buyer now": (
            await join(shop, "Buyer", guest["user"]["id"], token=guest["token"]),
            lambda: elsewhere.shop.guests.identify(vouch(), guest["token"]),
        ),
        "over": (
            await join(shop, "Buyer", "noor", token=shop.token("Buyer", "noor", seconds=3)),
            lambda: asyncio.sleep(over - time.time()),
        ),
    }

    async def seconds_open(client, end):
        await end()
        begun = time.monotonic()
        assert await client.closed() == 4401
        return time.monotonic() - begun

    taken = await asyncio.gather(*(seconds_open(*row) for row in ends.values()))
    for kind, seconds in zip(ends, taken, strict=True):
        assert seconds <= REVOKED_SECONDS, kind
    for kind, (client, _) in ends.items():
        client.heard.clear()
        assert not shop.shop.hub.open_of(f"{client.type}:{client.id}"), kind
    await stays.ask("send_message", TO_OMAR)


async def test_s4_a_token_ends_in_time_while_the_database_is_slow(shop, join, monkeypatch):
    """Each read of what has ended takes nearly as long as it may. Fails when one loop looks at the
    clock and at the database in turn."""

    def slow(read):
        async def slowly(*asked):
            await asyncio.sleep(4)
            return await read(*asked)

        return slowly

    store = shop.shop.store
    for name in ("revocations_since", "sellers"):
        monkeypatch.setattr(store, name, slow(getattr(store, name)))
    await asyncio.sleep(REFRESH_SECONDS)  # it is under way
    expires_at = int(time.time()) + 2
    maya = await join(shop, "Buyer", "maya", token=shop.token("Buyer", "maya", seconds=2))
    assert await maya.closed() == 4401
    assert 0 <= time.time() - expires_at <= REVOKED_SECONDS


# --- S6: the cookie -------------------------------------------------------------------------------


@pytest.mark.parametrize("public_url", ["", "https://chat.shop.example"])
async def test_s6_the_cookie_is_out_of_reach(shop, serve, vouch, public_url):
    """At every door that gives one, and whatever the client says of its own way here.

    Fails when ``give_session`` leaves out one of the attributes, or asks the request's scheme."""
    server = await serve(rate_limits="off", identity_secret=IDENTITY_SECRET, public_url=public_url)
    own = {"Origin": server.shop.settings.origin}
    told = own | {"X-Forwarded-Proto": "http" if public_url else "https"}
    given = [
        await log_in(server, headers=told),
        await call(server, "POST", GUEST, {"seller_id": "omar"}, headers=told),
        await call(server, "POST", IDENTIFY, {"identity": vouch()}, headers=told),
        await call(server, "POST", "/chat/omar", form={"message": "Hello"}, headers=told),
    ]
    cookie = given[0].session
    taken = await call(server, "POST", "/logout", form={}, cookie=cookie, headers=told)
    for answer in [*given, taken]:
        [line] = answer.headers.get_list("Set-Cookie")
        [(name, morsel)] = SimpleCookie(line).items()
        said = {attribute for attribute, value in morsel.items() if value}
        usual = {"httponly", "path", "samesite"}
        assert name == "shopbell_session"
        assert (morsel["path"], morsel["samesite"], morsel["domain"]) == ("/", "Lax", "")
        if answer is taken:
            assert said >= usual
            assert morsel.value == ""
        else:
            assert said == usual | {"max-age"} | ({"secure"} if public_url else set())


async def test_s6_a_planted_session_is_not_the_one_that_logs_in(shop):
    """Whoever plants a cookie, a guest's own good one even, does not share what comes after."""
    guest = (await call(shop, "POST", GUEST, {"seller_id": "omar"})).body["token"]
    own = {"Origin": shop.url}
    seen = {guest}
    for planted in ("planted", guest, guest):
        session = (await log_in(shop, cookie=planted, headers=own)).session
        assert session not in seen
        seen.add(session)
        who = (await call(shop, "GET", "/api/conversations", cookie=planted)).body
        assert "omar" not in str(who)


# --- S25: hashing is bounded ----------------------------------------------------------------------


async def test_s25_too_many_logins_at_once_are_told_to_come_back(shop, monkeypatch):
    """The costs and the two at a time are ``unit/test_passwords.py``'s. Fails when ``_aside`` lets
    everybody wait."""
    monkeypatch.setattr(shop.shop.accounts._passwords, "_asked", AT_ONCE + WAITING)
    answer = await log_in(shop)
    assert (answer.status, answer.session) == (503, None)
    assert answer.headers["Retry-After"] == "1"
    monkeypatch.setattr(shop.shop.accounts._passwords, "_asked", 0)
    assert (await log_in(shop)).status == 303


# --- S26: nobody learns who exists ----------------------------------------------------------------

NO_LOGINS = {
    "a wrong password": ("omar", "wrong horse battery"),
    "no password": ("omar", ""),
    "a long password": ("omar", "x" * 5_000),
    "an unknown seller": ("nobody", PASSWORD),
    "a disabled seller": ("vera", PASSWORD),
    "a seller without a password": ("noor", PASSWORD),
    "a buyer": ("maya", PASSWORD),
    "no id": ("", PASSWORD),
    "what is no id": ("o mar", PASSWORD),
}


@pytest.fixture
async def closed(shop):
    """A shop with a disabled seller, and one who was only introduced by a token."""
    await shop.shop.accounts.set_disabled("vera", True)
    await shop.shop.store.introduce("Seller:noor", "Noor", moment(0))
    await shop.shop.store.introduce("Buyer:maya", "Maya", moment(0))
    return shop


async def test_s26_c13_unknown_and_wrong_look_and_cost_the_same(closed, monkeypatch):
    """C13: Chatwoot CVE-2022-3741 told by its status who exists.

    The cost is counted: one comparison of one and the same cost, whatever was wrong. Fails when
    ``Passwords.match`` skips the dummy hash."""
    compared: list[str] = []
    real = passwords._is_hash_of

    def counted(password, password_hash):
        compared.append(password_hash.rpartition("$")[0].rpartition("$")[0])
        return real(password, password_hash)

    monkeypatch.setattr(passwords, "_is_hash_of", counted)
    seen = {}
    for kind, (id_, password) in NO_LOGINS.items():
        compared.clear()
        answer = await log_in(closed, id_, password)
        assert compared == ["$argon2id$v=19$m=19456,t=2,p=1"], kind
        names = {name for name, _ in answer.headers.get_all()}
        body = answer.body.replace(f'value="{id_}"', 'value=""').replace(" autofocus", "")
        seen[kind] = (answer.status, sorted(names), body)
    assert {status for status, _, _ in seen.values()} == {401}
    assert all(answer == seen["a wrong password"] for answer in seen.values())


async def test_s26_c13_a_locked_account_looks_the_same_whether_it_exists(closed):
    """Five failures each, over addresses of their own."""
    told = {}
    for id_ in ("omar", "nobody"):
        limits = [await log_in(closed, id_, "wrong horse battery") for _ in range(5)]
        assert [answer.status for answer in limits] == [401] * 5
        closed.shop.pace._full_at["logins:address"].clear()
        answer = await log_in(closed, id_, PASSWORD)
        body = answer.body.replace(f'value="{id_}"', 'value=""')
        told[id_] = (answer.status, answer.session, body)
    assert told["omar"] == told["nobody"]
    assert told["omar"][:2] == (429, None)


@pytest.mark.bench
@pytest.mark.gen_test(timeout=300)
async def test_s26_unknown_and_wrong_take_the_same_time(closed):
    """The median over 200 tries of each differs by less than 5 ms, in this process's own time: what
    others do on the machine meanwhile would hide more than that.

    Fails when ``Passwords.match`` skips the dummy hash: that is worth 30 ms and more."""
    taken: dict[str, list[float]] = {"omar": [], "nobody": []}
    for _ in range(200):
        for id_, seconds in taken.items():
            for rule in ("logins:account", "logins:address"):
                closed.shop.pace._full_at[rule].clear()
            begun = time.process_time()
            assert (await log_in(closed, id_, "wrong horse battery")).status == 401
            seconds.append(time.process_time() - begun)
    known, unknown = (statistics.median(seconds) for seconds in taken.values())
    assert abs(known - unknown) < 0.005


# --- S27: guessing is slow ------------------------------------------------------------------------


async def test_s27_a_network_has_ten_tries_whatever_its_addresses(serve):
    """IPv6 counts by its /64, behind a trusted proxy too, and ``rate-limits=off`` changes nothing.

    Fails when ``address_key`` counts addresses."""
    server = await serve(rate_limits="off", trusted_proxies="127.0.0.1")
    statuses = []
    for number in range(11):
        headers = {"X-Forwarded-For": f"2001:db8:0:7:{number:x}::{number:x}"}
        statuses.append((await log_in(server, f"nobody{number}", headers=headers)).status)
    assert statuses == [401] * 10 + [429]
    neighbour = {"X-Forwarded-For": "2001:db8:0:8::1"}
    assert (await log_in(server, "nobody", headers=neighbour)).status == 401


async def test_s27_c13_tries_at_once_are_no_detour(shop):
    """C13: Chatwoot CVE-2022-3741 had no throttle. Fails when a try is counted after its answer."""
    answers = await asyncio.gather(*(log_in(shop, "omar", "wrong horse") for _ in range(9)))
    assert sorted(answer.status for answer in answers) == [401] * 5 + [429] * 4
    assert (await log_in(shop)).status == 429  # the right one, too


async def test_s27_other_spellings_of_an_account_are_no_detour(shop):
    """Each has a bucket of its own, but none of them is the account."""
    for id_ in ("omar ", " omar", "OMAR", "omar\u200b", "omar\0", "ｏｍａｒ", "Seller:omar"):
        assert (await log_in(shop, id_)).status in {303, 401}
        if id_.strip() != "omar":
            assert (await log_in(shop, id_)).session is None, id_


async def test_s27_a_token_is_not_guessed_faster_by_cookie_or_socket(serve, open_socket):
    """100 a minute for an address, whichever way the guess comes."""
    server = await serve(rate_limits="on", allowed_origins=SHOP)
    headers = {"Authorization": "Bearer a.bad.token"}
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 300:
        statuses += [
            (await call(server, "GET", "/api/conversations", headers=headers)).status,
            (await call(server, "GET", "/api/conversations", cookie="a.bad.token")).status,
            (await call(server, "GET", "/ws", headers=headers | upgrade)).status,
        ]
    assert statuses.index(429) >= 100
    assert set(statuses) == {401, 429}
