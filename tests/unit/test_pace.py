import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import pace as pace_module
from models.errors import RateLimited
from models.pace import RULES, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(clock):
    return Pace(now=clock)


def taken(pace, rule, key="maya", tries=1000):
    """How often it can be taken right now."""
    for count in range(tries):
        try:
            pace.take(rule, key)
        except RateLimited:
            return count
    return tries


def wait_of(pace, rule, key="maya"):
    with pytest.raises(RateLimited) as refusal:
        pace.take(rule, key)
    return refusal.value.retry_after


@pytest.mark.parametrize(
    ("rule", "at_once", "seconds", "then"),
    [
        ("messages:Buyer", 10, 1, 1),
        ("messages:Seller", 60, 1, 5),
        ("typing", 1, 1, 1),
        ("events", 120, 60, 120),
        ("http:participant", 200, 60, 200),
        ("http:address", 100, 60, 100),
        ("guests", 20, 3600, 20),
        ("logins:account", 5, 1800, 5),
        ("logins:address", 10, 180, 10),
    ],
)
def test_the_contracts_limits_hold(pace, clock, rule, at_once, seconds, then):
    assert taken(pace, rule) == at_once
    clock.now += seconds
    assert taken(pace, rule) == then
    clock.now += 10 * 3600
    assert taken(pace, rule) == at_once


def test_every_rule_is_tested_above():
    marks = test_the_contracts_limits_hold.pytestmark
    assert {row[0] for row in marks[0].args[1]} == set(RULES)


@given(
    rule=st.sampled_from(sorted(RULES)),
    pauses=st.lists(st.floats(0, 100, allow_nan=False), max_size=20),
)
def test_who_waits_as_long_as_told_gets_through(rule, pauses):
    clock = Clock()
    pace = Pace(now=clock)
    taken(pace, rule)
    for pause in pauses:
        clock.now += pause
        taken(pace, rule)
        wait = wait_of(pace, rule)
        assert 0 < wait <= RULES[rule].seconds + 0.001
        clock.now += wait
        pace.take(rule, "maya")


def test_a_refusal_costs_nothing(pace, clock):
    taken(pace, "messages:Buyer")
    for _ in range(100):
        assert wait_of(pace, "messages:Buyer") == 1
    clock.now += 1
    assert taken(pace, "messages:Buyer") == 1


def test_a_refusal_says_when_to_come_back_in_words_too(pace):
    taken(pace, "guests")
    with pytest.raises(RateLimited, match="try again in 180 s"):
        pace.take("guests", "maya")


def test_one_persons_haste_slows_nobody_else(pace):
    taken(pace, "messages:Buyer", "maya")
    wait_of(pace, "messages:Buyer", "maya")
    assert taken(pace, "messages:Buyer", "lena") == 10
    assert taken(pace, "messages:Seller", "maya") == 60


def test_what_was_taken_in_vain_can_be_given_back(pace):
    taken(pace, "logins:account", "omar")
    pace.give_back("logins:account", "omar")
    assert taken(pace, "logins:account", "omar") == 1


def test_giving_back_too_much_does_not_save_up(pace):
    for _ in range(50):
        pace.give_back("logins:account", "omar")
    pace.take("logins:account", "omar")
    for _ in range(50):
        pace.give_back("logins:account", "omar")
    assert taken(pace, "logins:account", "omar") == 5


def test_with_limits_off_only_logins_are_limited(clock):
    pace = Pace(enabled=False, now=clock)
    limited = {rule for rule in RULES if taken(pace, rule) < 1000}
    assert limited == {"logins:account", "logins:address"}


def test_full_buckets_are_forgotten(pace, clock):
    for number in range(1000):
        pace.take("guests", f"address {number}")
        clock.now += 10
    assert len(pace._full_at["guests"]) < 25  # 180 s to refill one


def test_memory_is_bounded_whatever_comes(pace, monkeypatch):
    monkeypatch.setattr(pace_module, "KEYS", 100)
    for number in range(1000):
        pace.take("guests", f"address {number}")
        assert len(pace._full_at["guests"]) <= 100
    assert taken(pace, "guests", "address 999") == 19
