import asyncio
import time

import pytest
from argon2 import PasswordHasher

from models.accounts import WRONG, Accounts
from models.conversation import Participant
from models.errors import Conflict, Invalid, NotFound, RateLimited, Unauthorized, Unavailable
from models.pace import Pace
from models.store import Store
from models.tokens import Tokens

SECRET = "fU2mXo8bTq1VhZ4sLw7yKc9eRd3nGj6A"
IDENTITY_SECRET = "pB5tYv0aHk8WzQ2xNm4uEi7oCf1gSl9D"
PASSWORD = "correct horse battery"
NEW_PASSWORD = "a better horse battery"
HOME = "192.0.2.1"
OMAR = Participant("Seller", "omar")


class Clock:
    """Stands at the beginning of a second until it is moved."""

    def __init__(self):
        self.at = float(int(time.time()))

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def store(engine_uri, database_name):
    store = Store(engine_uri, database_name)
    await store.prepare()
    yield store
    store.close()


@pytest.fixture
async def open_accounts(store, clock):
    """Opens accounts as a process of its own would, on the one database."""
    opened = []

    def opener(limits=None):
        pace = limits or Pace(enabled=False, now=clock)
        accounts = Accounts(store, Tokens(SECRET, IDENTITY_SECRET, now=clock), pace, now=clock)
        opened.append(accounts)
        return accounts

    yield opener
    for accounts in opened:
        accounts.close()


@pytest.fixture
async def accounts(open_accounts):
    accounts = open_accounts()
    await accounts.add_seller("omar", "Omar", "omar@shop.example", PASSWORD)
    return accounts


@pytest.fixture
def late(clock):
    """Most of the second is over, so that who waits for the next one waits only shortly."""
    clock.at += 0.95


def refused_by(accounts):
    """The identities of sockets that the accounts would have closed, of those that are asked."""
    asked = []
    accounts.on_revoked = asked.append
    return lambda identity: bool(asked) and asked[-1](identity)


# --- Coming in ----------------------------------------------------------------------------------


async def test_a_seller_comes_in_with_id_and_password(accounts):
    who = accounts.authenticate(await accounts.log_in("omar", PASSWORD, HOME))
    assert (who.participant, who.name) == (OMAR, "Omar")


@pytest.mark.parametrize(
    ("seller_id", "password"),
    [
        ("omar", "wrong horse battery"),
        ("omar", ""),
        ("omar", PASSWORD + "\n"),
        ("Omar", PASSWORD),
        ("nobody", PASSWORD),
        ("", ""),
        ("Seller:omar", PASSWORD),
        ("omar\n", PASSWORD),
        ("x" * 100_000, PASSWORD),
        ("\ud800", "\ud800"),
    ],
)
async def test_every_wrong_login_is_told_the_same(accounts, seller_id, password):
    with pytest.raises(Unauthorized) as refused:
        await accounts.log_in(seller_id, password, HOME)
    assert refused.value.message == WRONG


async def test_a_seller_without_a_password_cannot_log_in(accounts, store):
    await store.introduce("Seller:noor", "Noor", (await store.participant(OMAR.key)).first_seen)
    with pytest.raises(Unauthorized):
        await accounts.log_in("noor", "", HOME)


async def test_an_unknown_seller_takes_as_long_as_a_wrong_password(accounts):
    async def seconds(seller_id):
        begun = time.perf_counter()
        with pytest.raises(Unauthorized):
            await accounts.log_in(seller_id, "wrong horse battery", HOME)
        return time.perf_counter() - begun

    accounts._pace.take = lambda rule, key: None  # limits are another test's matter
    known, unknown = [], []
    for _ in range(15):
        known.append(await seconds("omar"))
        unknown.append(await seconds("nobody"))
    # The fastest tries, as those of a busy machine say nothing. Without the dummy hash an unknown
    # seller would take a twentieth.
    assert 0.6 < min(known) / min(unknown) < 1.6


async def test_a_hash_of_other_costs_is_renewed_at_the_next_login(accounts, store, clock):
    old = PasswordHasher(time_cost=1, memory_cost=8_192).hash(PASSWORD)
    await store.set_password("omar", old, int(clock.at))
    token = await accounts.log_in("omar", PASSWORD, HOME)
    fresh = (await store.participant(OMAR.key)).password_hash
    assert "m=19456,t=2,p=1" in fresh
    await accounts.log_in("omar", PASSWORD, HOME)
    assert (await store.participant(OMAR.key)).password_hash == fresh
    await accounts.refresh()
    assert accounts.authenticate(token)


async def test_renewing_a_hash_never_brings_an_old_password_back(store, accounts, clock):
    old = PasswordHasher(time_cost=1, memory_cost=8_192).hash(PASSWORD)
    await store.set_password("omar", "changed meanwhile", int(clock.at))
    await store.rename_hash("omar", old, "renewed")
    assert (await store.participant(OMAR.key)).password_hash == "changed meanwhile"


# --- Limits -------------------------------------------------------------------------------------


async def test_an_account_is_closed_for_a_while_after_five_failures(open_accounts, clock):
    accounts = open_accounts(Pace(enabled=False, now=clock))
    await accounts.add_seller("omar", "Omar", None, PASSWORD)
    for attempt in range(5):
        with pytest.raises(Unauthorized):
            await accounts.log_in("omar", "wrong horse battery", f"192.0.2.{attempt}")
    with pytest.raises(RateLimited) as refused:
        await accounts.log_in("omar", PASSWORD, "198.51.100.1")
    clock.at += refused.value.retry_after
    assert await accounts.log_in("omar", PASSWORD, "198.51.100.1")


async def test_unknown_accounts_are_limited_as_well(open_accounts):
    accounts = open_accounts()
    for attempt in range(5):
        with pytest.raises(Unauthorized):
            await accounts.log_in("nobody", PASSWORD, f"192.0.2.{attempt}")
    with pytest.raises(RateLimited):
        await accounts.log_in("nobody", PASSWORD, "198.51.100.1")


async def test_an_address_is_refused_after_ten_failures_on_whatever_accounts(accounts):
    for attempt in range(10):
        with pytest.raises(Unauthorized):
            await accounts.log_in(f"nobody{attempt}", PASSWORD, "2001:db8::1")
    with pytest.raises(RateLimited):
        await accounts.log_in("omar", PASSWORD, "2001:db8::ffff")
    assert await accounts.log_in("omar", PASSWORD, "2001:db8:0:1::1")


async def test_successes_count_for_nothing(accounts):
    for _ in range(12):
        await accounts.log_in("omar", PASSWORD, HOME)
    with pytest.raises(Unauthorized):
        await accounts.log_in("omar", "wrong horse battery", HOME)


async def test_tries_at_the_same_time_count_as_well(accounts):
    tries = [accounts.log_in("omar", "wrong horse battery", HOME) for _ in range(8)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == (
        ["RateLimited"] * 3 + ["Unauthorized"] * 5
    )


async def test_what_the_server_cannot_do_counts_for_nothing(accounts):
    tries = [accounts.log_in("omar", PASSWORD, HOME) for _ in range(5)]
    accounts._passwords._asked = 1000
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
    accounts._passwords._asked = 0
    assert await accounts.log_in("omar", PASSWORD, HOME)


async def test_guests_are_limited_by_their_network(open_accounts, clock):
    accounts = open_accounts(Pace(now=clock))
    for number in range(20):
        token, who = accounts.guest(f"2001:db8::{number:x}")
        assert accounts.authenticate(token) == who
    with pytest.raises(RateLimited):
        accounts.guest("2001:db8::ffff")
    assert accounts.guest("2001:db8:0:1::1")


async def test_a_guest_is_not_stored(accounts, store):
    _, who = accounts.guest(HOME)
    assert await store.participant(who.key) is None


# --- Going --------------------------------------------------------------------------------------


async def test_a_logout_ends_this_session_alone_and_at_once(accounts):
    token, other = [await accounts.log_in("omar", PASSWORD, HOME) for _ in range(2)]
    who, other_who = accounts.authenticate(token), accounts.authenticate(other)
    is_refused = refused_by(accounts)
    await accounts.log_out(who)
    with pytest.raises(Unauthorized):
        accounts.authenticate(token)
    assert is_refused(who)
    assert not is_refused(other_who)
    assert accounts.authenticate(other) == other_who


async def test_another_process_learns_of_a_logout_at_its_next_refresh(accounts, open_accounts):
    elsewhere = open_accounts()
    await elsewhere.refresh()
    token = await accounts.log_in("omar", PASSWORD, HOME)
    who = elsewhere.authenticate(token)
    is_refused = refused_by(elsewhere)
    await accounts.log_out(who)
    assert elsewhere.authenticate(token) == who
    await elsewhere.refresh()
    assert is_refused(who)
    with pytest.raises(Unauthorized):
        elsewhere.authenticate(token)


async def test_a_logout_holds_after_a_restart(accounts, open_accounts):
    token = await accounts.log_in("omar", PASSWORD, HOME)
    await accounts.log_out(accounts.authenticate(token))
    restarted = open_accounts()
    await restarted.refresh()
    with pytest.raises(Unauthorized):
        restarted.authenticate(token)


async def test_what_ended_by_itself_is_forgotten_and_what_did_not_is_not(accounts, store, clock):
    token = await accounts.log_in("omar", PASSWORD, HOME)
    who = accounts.authenticate(token)
    await accounts.refresh()
    accounts._revoked["long gone"] = clock.at
    await store.revoke(who.session, (await store.participant(OMAR.key)).first_seen)
    clock.at += 60 * 60
    await accounts.refresh()
    assert set(accounts._revoked) == {who.session}


@pytest.mark.usefixtures("late")
async def test_a_new_password_ends_all_sessions_and_the_old_password(accounts, clock):
    token = await accounts.log_in("omar", PASSWORD, HOME)
    who = accounts.authenticate(token)
    await accounts.refresh()
    assert accounts.authenticate(token)
    is_refused = refused_by(accounts)
    await accounts.set_password("omar", NEW_PASSWORD)
    await accounts.refresh()
    assert is_refused(who)
    with pytest.raises(Unauthorized):
        accounts.authenticate(token)
    with pytest.raises(Unauthorized):
        await accounts.log_in("omar", PASSWORD, HOME)
    token = await accounts.log_in("omar", NEW_PASSWORD, HOME)
    assert accounts.authenticate(token)


async def test_a_new_password_returns_when_tokens_made_from_now_on_are_good(accounts, clock):
    clock.at += 0.8
    begun = time.perf_counter()
    await accounts.set_password("omar", NEW_PASSWORD)
    assert time.perf_counter() - begun >= 0.19


async def test_a_login_that_overlaps_a_new_password_does_not_survive_it(accounts, store, clock):
    """The token is made from the old password after the new one is stored: it has to be dead."""
    real = store.participant

    async def changed_after_the_first_look(key):
        found = await real(key)
        store.participant = real
        await store.set_password("omar", "$argon2id$other", int(clock.at) + 1)
        clock.at += 1
        return found

    store.participant = changed_after_the_first_look
    with pytest.raises(Unauthorized):
        await accounts.log_in("omar", PASSWORD, HOME)


async def test_a_change_that_took_over_the_end_of_its_second_is_made_again(accounts, store, clock):
    clock.at += 0.99
    real, tried = store.set_password, []

    async def slow_at_first(seller_id, password_hash, valid_from):
        tried.append(valid_from)
        if len(tried) == 1:
            clock.at += 0.96
        return await real(seller_id, password_hash, valid_from)

    store.set_password = slow_at_first
    before = int(clock.at)
    await accounts.set_password("omar", NEW_PASSWORD)
    assert tried == [before + 1, before + 2]
    assert (await store.participant(OMAR.key)).tokens_valid_from == before + 2


@pytest.mark.usefixtures("late")
async def test_a_disabled_seller_is_out_until_enabled_and_old_tokens_stay_dead(accounts, clock):
    token = await accounts.log_in("omar", PASSWORD, HOME)
    who = accounts.authenticate(token)
    is_refused = refused_by(accounts)
    await accounts.set_disabled("omar", True)
    await accounts.refresh()
    assert is_refused(who)
    with pytest.raises(Unauthorized) as refused:
        await accounts.log_in("omar", PASSWORD, HOME)
    assert refused.value.message == WRONG
    fresh = Tokens(SECRET, IDENTITY_SECRET, now=lambda: clock.at + 5)
    with pytest.raises(Unauthorized):
        accounts.authenticate(fresh.issue(OMAR, "Omar", seconds=60))
    await accounts.set_disabled("omar", False)
    await accounts.refresh()
    assert accounts.authenticate(await accounts.log_in("omar", PASSWORD, HOME))
    with pytest.raises(Unauthorized):
        accounts.authenticate(token)


async def test_a_guest_is_merged_once(accounts):
    token, who = accounts.guest(HOME)
    is_refused = refused_by(accounts)
    assert await accounts.revoke_participant(who.key)
    assert is_refused(who)
    with pytest.raises(Unauthorized):
        accounts.authenticate(token)
    assert not await accounts.revoke_participant(who.key)


async def test_an_expired_session_is_closed_even_when_the_database_is_away(accounts, store, clock):
    who = accounts.authenticate(await accounts.log_in("omar", PASSWORD, HOME))
    is_refused = refused_by(accounts)

    async def away():
        raise Unavailable

    store.sellers = away
    with pytest.raises(Unavailable):
        await accounts.refresh()
    assert not is_refused(who)
    clock.at = who.expires_at
    with pytest.raises(Unavailable):
        await accounts.refresh()
    assert is_refused(who)


async def test_watching_survives_that_the_database_is_away(accounts, store, monkeypatch):
    monkeypatch.setattr("models.accounts.REFRESH_SECONDS", 0.01)
    real, asked, back = store.sellers, 0, asyncio.Event()

    async def away_twice():
        nonlocal asked
        asked += 1
        if asked <= 2:
            raise Unavailable
        back.set()
        return await real()

    store.sellers = away_twice
    watching = asyncio.create_task(accounts.watch())
    await asyncio.wait_for(back.wait(), 5)
    watching.cancel()


# --- Sellers ------------------------------------------------------------------------------------


async def test_a_seller_is_added_once(accounts):
    with pytest.raises(Conflict):
        await accounts.add_seller("omar", "Somebody else", None, NEW_PASSWORD)
    assert await accounts.log_in("omar", PASSWORD, HOME)


@pytest.mark.parametrize(
    ("seller_id", "name", "password", "field"),
    [
        ("noor", "Noor", "short", "password"),
        ("noor", "Noor", "x" * 129, "password"),
        ("noor", "\u202e \n", PASSWORD, "name"),
        ("guest-noor", "Noor", PASSWORD, "id"),
    ],
)
async def test_a_seller_who_cannot_be_is_not_added(
    accounts, store, seller_id, name, password, field
):
    with pytest.raises(Invalid) as refused:
        await accounts.add_seller(seller_id, name, None, password)
    assert refused.value.field == field
    assert await store.participant(f"Seller:{seller_id}") is None


async def test_nobody_unknown_is_changed(accounts):
    with pytest.raises(NotFound):
        await accounts.set_password("nobody", PASSWORD)
    with pytest.raises(NotFound):
        await accounts.set_disabled("nobody", True)
