import asyncio
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from models import passwords as module
from models.errors import Invalid, Unavailable
from models.passwords import AT_ONCE, WAITING, Passwords, checked_password

RIGHT = "correct horse battery"


@pytest.fixture
async def passwords():
    passwords = Passwords()
    yield passwords
    passwords.close()


async def test_a_password_matches_its_own_hash_only(passwords):
    password_hash = await passwords.hashed(RIGHT)
    assert RIGHT not in password_hash
    assert await passwords.match(RIGHT, password_hash)
    assert not await passwords.match(RIGHT + "x", password_hash)
    assert not await passwords.match("", password_hash)
    assert password_hash != await passwords.hashed(RIGHT)


async def test_hashes_are_as_expensive_as_promised(passwords):
    costs = extract_parameters(await passwords.hashed(RIGHT))
    assert costs.type is Type.ID
    assert (costs.time_cost, costs.parallelism) == (2, 1)
    assert costs.memory_cost >= 19 * 1024


async def test_without_a_hash_nothing_matches_and_it_takes_as_long(passwords):
    password_hash = await passwords.hashed(RIGHT)

    async def seconds(given):
        taken = []
        for _ in range(9):
            begun = time.perf_counter()
            assert not await passwords.match("wrong password", given)
            taken.append(time.perf_counter() - begun)
        return min(taken)  # those of a busy machine say nothing

    wrong, unknown = await seconds(password_hash), await seconds(None)
    assert 0.5 < wrong / unknown < 2


async def test_the_dummy_is_nobody_s_password(passwords):
    assert not await passwords.match("", None)
    assert not await passwords.match("\0" * 12, None)


async def test_the_same_word_typed_another_way_matches(passwords):
    assert await passwords.match("gru\u0308ne Ohren, 12", await passwords.hashed("grüne Ohren, 12"))


@pytest.mark.parametrize("hostile", ["\ud800" * 12, "\0" * 12, "a" * 129, "ﷺ" * 128, "x" * 10**6])
async def test_hostile_passwords_are_only_wrong(passwords, hostile):
    assert not await passwords.match(hostile, await passwords.hashed("a" * 128))


async def test_a_broken_hash_matches_nothing(passwords):
    assert not await passwords.match(RIGHT, "$argon2id$nonsense")
    assert not await passwords.match(RIGHT, "plain")


async def test_a_hash_of_other_costs_is_outdated_and_still_matches(passwords):
    old = PasswordHasher(time_cost=1, memory_cost=8_192).hash(RIGHT)
    assert await passwords.match(RIGHT, old)
    assert passwords.is_outdated(old)
    assert not passwords.is_outdated(await passwords.hashed(RIGHT))


@pytest.mark.parametrize("password", ["x" * 12, "x" * 128, "é" * 12])
def test_twelve_to_128_characters_may_be_a_password(password):
    assert checked_password(password) == password


@pytest.mark.parametrize("password", ["", "x" * 11, "x" * 129])
def test_shorter_and_longer_ones_may_not(password):
    with pytest.raises(Invalid) as refused:
        checked_password(password)
    assert refused.value.field == "password"


async def test_two_at_a_time_the_others_wait_and_too_many_are_refused(passwords, monkeypatch):
    running, most = 0, 0
    guard, go = threading.Lock(), threading.Event()

    class Slow:
        @staticmethod
        def hash(_password):
            nonlocal running, most
            with guard:
                running += 1
                most = max(most, running)
            go.wait(10)
            with guard:
                running -= 1
            return "hash"

    monkeypatch.setattr(module, "HASHER", Slow)
    asked = [asyncio.ensure_future(passwords.hashed(RIGHT)) for _ in range(AT_ONCE + WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await passwords.hashed(RIGHT)
    assert refused.value.retry_after
    go.set()
    assert await asyncio.gather(*asked) == ["hash"] * (AT_ONCE + WAITING)
    assert most == AT_ONCE
    assert await passwords.hashed(RIGHT) == "hash"


async def test_hashing_does_not_hold_up_the_loop(passwords):
    hashing = asyncio.gather(*(passwords.hashed(RIGHT) for _ in range(6)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        turns += 1
    await hashing
    assert turns > 10  # on the loop itself there would be one or two
