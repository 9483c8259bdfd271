"""What the server writes of a seller's availability; scripts say the same by the same table."""

import json
from html import unescape
from pathlib import Path

import pytest

from handlers.languages import spoken
from handlers.templates import templates_in
from models.timesheet import STEPS

TABLE = json.loads((Path(__file__).parent.parent / "replies.json").read_text())


@pytest.fixture
def macros():
    return templates_in(spoken("en")).get_template("_availability.html").module


@pytest.mark.parametrize(("seconds", "words"), TABLE)
def test_how_soon_a_seller_replies_is_said_in_a_coarse_sentence(macros, seconds, words):
    assert unescape(str(macros.replies(seconds))) == words


def test_there_is_a_sentence_for_everything_that_may_be_told():
    assert [seconds for seconds, _ in TABLE] == list(STEPS)


def test_of_what_is_not_known_nothing_is_said(macros):
    assert macros.replies(None) == ""
