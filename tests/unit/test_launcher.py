from dataclasses import replace

import pytest

from handlers.launcher import launcher, number
from models.accent import palette
from models.preferences import Preferences


@pytest.fixture
def many():
    """A mall: each of its sellers has a colour of their own."""
    return {f"seller-{n}": Preferences(accent=f"#0e64{n:02x}") for n in range(0, 256, 4)}


def colours_made():
    return palette.cache_info().misses


def test_the_loader_is_made_anew_only_when_somebody_chose_something(many):
    first = launcher(many)
    assert str(number("seller-252")).encode() in first.plain
    assert launcher(dict(reversed(many.items()))) is first
    moved = {**many, "seller-0": replace(many["seller-0"], corner="start")}
    assert launcher(moved).digest != first.digest
    assert launcher(many) is first, "who still has the old choices gets the old loader"


def test_a_change_of_one_seller_costs_the_colours_of_that_one(many):
    launcher(many)
    before = colours_made()
    launcher({**many, "seller-0": Preferences(accent="#f2c230")})
    launcher(many)
    launcher({**many, "seller-4": Preferences(corner="start")})
    assert colours_made() - before <= 1


def test_the_colours_of_many_sellers_are_all_kept():
    assert (palette.cache_info().maxsize or 0) >= 2000


def test_a_seller_s_number_is_fnv_1a():
    """As the loader counts; the values are those of the reference implementation."""
    assert [number(text) for text in ("", "a", "foobar")] == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]
