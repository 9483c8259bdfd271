"""The same cases as ``tests/js/names.test.js``."""

import json
from pathlib import Path

import pytest

from handlers.languages import LANGUAGES, spoken
from handlers.rows import person
from models.directory import GUEST_WORDS, is_called, starts_of, words_of
from models.events import User

CASES = json.loads((Path(__file__).parent.parent / "names.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "typed", "found"), CASES)
def test_a_name_is_found_by_the_beginning_of_any_word(name, typed, found):
    assert is_called(words_of(name), starts_of(typed)) is found


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_guest_is_found_by_what_a_language_calls_them(code):
    guest = person(User("guest-0000000000007f3a", "Buyer", "", verified=False), spoken(code))
    words = words_of(" ".join((*GUEST_WORDS, "7f3a")))
    assert is_called(words, starts_of(guest.name)), guest.name
