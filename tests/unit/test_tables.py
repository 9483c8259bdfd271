"""The tables of what people see and of what is promised name their tests, and these are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def rows(folder: str) -> list[tuple[str, ...]]:
    """Number, requirement and the tests of each."""
    return [
        tuple(cell.strip() for cell in line.strip("| \n").split(" | ", maxsplit=2))
        for line in (TESTS / folder / "README.md").read_text().splitlines()
        if re.match(r"\| [A-Z]?\d+(, [A-Z]\d+)* \|", line)
    ]


ROWS = rows("browser") + rows("chaos")


@cache
def names_in(file: Path) -> frozenset[str]:
    """The tests of a file: functions in Python, titles in JavaScript."""
    text = file.read_text()
    if file.suffix == ".js":
        return frozenset(title for _, title in re.findall(r'\btest\(\s*(["`])(.+?)\1', text))
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def is_there(file: str, test: str) -> bool:
    """Whether a file has this test, or, if none is named, any."""
    path = TESTS / file
    if not path.is_file():
        return False
    return (
        test in names_in(path) if test else re.search(r"\btest[_(]", path.read_text()) is not None
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_requirement_names_tests_that_exist(row):
    _, requirement, *held = row
    named = re.findall("`([^`]+)`", held[0]) if held else []
    assert named, f"Nothing holds: {requirement}"
    missing = [name for name in named if not is_there(*name.partition("::")[::2])]
    assert missing == []


def test_no_requirement_is_named_twice():
    numbers = [number for row in ROWS for number in row[0].split(", ")]
    assert len(numbers) == len(set(numbers)) > 40
