"""Joins a script module with all that it imports into one text, so that a page asks for one file.

Each module becomes a function with a scope of its own, which returns what the module exports; they
run in the order in which a browser would run them. That is all: no name is changed and no code is
moved within its module. Only the few forms that the patterns below name are understood.
"""

import re
from pathlib import Path
from typing import Final

# Statements of a module begin in the first column, where nothing else begins with these words.
_IMPORT: Final = re.compile(
    r'^import \{(?P<names>[^{}"]+)\} from "(?P<path>\.\.?/[^"?]+\.js)";$', re.MULTILINE
)
_DECLARATION: Final = re.compile(
    r"^export (?P<kind>class|function|async function|const) (?P<name>[\w$]+)", re.MULTILINE
)
_LIST: Final = re.compile(r"^export \{ (?P<names>[\w$]+(?:, [\w$]+)*) \};$", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


class NotJoinable(ValueError):
    """A module is written in a form, or imported in a circle, that joining does not know."""


def joined(entry: Path) -> str:
    """A module that does and exports what ``entry`` does, and imports nothing.

    Raises ``NotJoinable``.
    """
    modules = _in_order(entry.resolve())
    names = {path: f"${number}" for number, path in enumerate(modules)}
    parts = [_as_function(path, names) for path in modules]
    if exported := _exported(modules[-1].read_text(encoding="utf-8")):
        parts.append(f"export const {{ {', '.join(exported)} }} = {names[modules[-1]]};\n")
    return "".join(parts)


def _in_order(entry: Path) -> list[Path]:
    """A module after all that it imports, each once."""
    ordered: dict[Path, None] = {}

    def visit(path: Path, importers: tuple[Path, ...]) -> None:
        if path in importers:
            raise NotJoinable(f"{path.name} imports itself, by way of {importers[-1].name}.")
        if path not in ordered:
            for imported in _IMPORT.finditer(path.read_text(encoding="utf-8")):
                visit((path.parent / imported["path"]).resolve(), (*importers, path))
            ordered[path] = None

    visit(entry, ())
    return list(ordered)


def _as_function(path: Path, names: dict[Path, str]) -> str:
    def take(imported: re.Match[str]) -> str:
        source = names[(path.parent / imported["path"]).resolve()]
        return f"const {{{imported['names'].replace(' as ', ': ')}}} = {source};"

    text = path.read_text(encoding="utf-8")
    exported = ", ".join(_exported(text))
    text = _IMPORT.sub(take, text)
    text = _DECLARATION.sub(r"\g<kind> \g<name>", text)
    text = _LIST.sub("", text)
    if other := _OTHER.search(text):
        raise NotJoinable(f"{path.name} has a form that joining does not know: {other[0]}")
    return f"const {names[path]} = (() => {{\n{text}\nreturn {{ {exported} }};\n}})();\n"


def _exported(text: str) -> list[str]:
    declared = [found["name"] for found in _DECLARATION.finditer(text)]
    listed = [name.strip() for found in _LIST.finditer(text) for name in found["names"].split(",")]
    return [*declared, *filter(None, listed)]
