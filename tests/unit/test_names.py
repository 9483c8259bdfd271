"""The same cases as ``tests/js/names.test.js``."""

import json
from pathlib import Path

import pytest

from models.directory import is_called, starts_of, words_of

CASES = json.loads((Path(__file__).parent.parent / "names.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "typed", "found"), CASES)
def test_a_name_is_found_by_the_beginning_of_any_word(name, typed, found):
    assert is_called(words_of(name), starts_of(typed)) is found
