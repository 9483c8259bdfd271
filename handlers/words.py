"""Puts structs into words: tables of fields for the reference, out of the same schemas that
``/api/openapi.json`` shows.

Text is cut into pieces here and becomes HTML in the templates only.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct

from handlers.openapi import Schema, schemas_of, without_null


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a sentence. ``href`` leads to where a name is explained."""

    text: str
    is_code: bool = False
    href: str = ""


Prose = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A name with its meaning: a field of an object, a code, a limit."""

    name: str
    anchor: str
    meaning: Prose
    kind: Prose = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of one object, or ``instead`` what there is to say in their place. ``is_brief``
    if its names and meanings are short enough to stand on one line."""

    title: str
    rows: tuple[Row, ...] = ()
    instead: Prose = ()
    is_brief: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a sample: a ``key``, a ``string``, another ``value``, or anything else."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Something to read or to copy, under the word that says whose it is. The lines of a program
    (``is_code``) stay whole."""

    caption: str
    tokens: tuple[Token, ...]
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Knows all structs that go over the wire, and where each name is explained.

    ``names`` are those that sentences lead to; ``objects`` are the structs that others hold, which
    are explained once, by themselves.
    """

    schemas: dict[str, Schema]
    names: frozenset[str]
    objects: frozenset[str]

    @classmethod
    def about(cls, structs: Iterable[type[Struct]], names: Iterable[str]) -> "Words":
        """Words about these structs and all that they hold."""
        schemas = schemas_of(structs)
        return cls(schemas, frozenset(names), frozenset(_references(schemas)))

    def prose(self, text: str) -> Prose:
        """A sentence in which code stands between backticks."""
        return tuple(
            Span(piece, is_code=bool(place % 2), href=self._link(piece) if place % 2 else "")
            for place, piece in enumerate(text.split("`"))
            if piece
        )

    def paragraphs(self, struct: type[Struct]) -> tuple[Prose, ...]:
        """What a struct says of itself."""
        text = str(self.schemas[struct.__name__]["description"])
        return tuple(self.prose(line) for line in text.split("\n") if line)

    def asked(
        self, title: str, struct: type[Struct], place: str, names: Sequence[str] | None = None
    ) -> Table:
        """The fields of what clients say, or those of these names: what may be left out, and what
        is taken instead. ``place`` is where the rows' anchors begin."""
        schema = self.schemas[struct.__name__]
        rows = []
        for name in schema["properties"] if names is None else names:
            part = schema["properties"][name]
            default = part.get("default")
            note = "optional" if default is None else f"else {json.dumps(default)}"
            if name in schema["required"]:
                note = "required"
            rows.append(self._row(name, place, without_null(part), note))
        return self._table(title, rows)

    def answered(self, title: str, struct: type[Struct], place: str) -> Table:
        """The fields of what the server says, or the object that it is."""
        name = struct.__name__
        if name in self.objects:
            return Table(title, instead=(Span("The object "), Span(name, href=f"#{name}")))
        return self.explained(title, struct, place)

    def explained(self, title: str, struct: type[Struct], place: str) -> Table:
        """The fields of an object."""
        schema = self.schemas[struct.__name__]
        rows = []
        for name, part in schema["properties"].items():
            is_there = name in schema["required"] or part.get("default") is not None
            shown = part if is_there else without_null(part)
            rows.append(self._row(name, place, shown, "" if is_there else "not always"))
        return self._table(title, rows)

    def alias(self, kind: Any) -> Row:
        """A kind of value that has a name of its own."""
        schema = msgspec.json.schema(kind)
        title, example = schema["title"], str(schema["examples"][0])
        meaning = (*self.prose(schema["description"]), Span(" For example "), Span(example, True))
        return Row(title, _anchor(title), meaning, (Span(_simple(schema)),))

    # --- Inside ---------------------------------------------------------------------------------

    def _link(self, name: str) -> str:
        return f"#{name}" if name in self.names else ""

    def _table(self, title: str, rows: Sequence[Row]) -> Table:
        return Table(title, tuple(rows), () if rows else self.prose("Empty: `{}`."))

    def _row(self, name: str, place: str, schema: Schema, note: str) -> Row:
        meaning = self.prose(self._meaning(schema))
        return Row(name, f"{place}.{name}", meaning, self._kind(schema), note)

    def _meaning(self, schema: Schema) -> str:
        if "$ref" in schema and "description" not in schema:
            return str(self.schemas[_name(schema)]["description"]).partition("\n")[0]
        return str(schema.get("description", ""))

    def _kind(self, schema: Schema) -> Prose:
        """What a value may be."""
        if "$ref" in schema:
            return (Span(_name(schema), href="#" + _name(schema)),)
        if "anyOf" in schema:
            return _either([self._kind(kind) for kind in schema["anyOf"]])
        if "enum" in schema:
            return _either([(Span(value, is_code=True),) for value in schema["enum"]])
        if "title" in schema:
            return (Span(schema["title"], href="#" + _anchor(schema["title"])),)
        if "items" in schema:
            return (Span("array of "), *self._kind(schema["items"]))
        if isinstance(schema.get("additionalProperties"), dict):
            return (Span("object of "), *self._kind(schema["additionalProperties"]))
        return (Span(_simple(schema)),)


# --- Samples ------------------------------------------------------------------------------------

SAMPLE_COLUMNS: Final = 48  # what fits beside the text on a page 1,200 px wide

_JSON: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<value>\b[\w.]+\b)'
)


def json_sample(caption: str, *values: object) -> Sample:
    """Frames or bodies, indented."""
    text = "\n".join(_indented(value) for value in values)
    return Sample(caption, tuple(_tokens(text)))


def http_sample(caption: str, head: str, body: object = None) -> Sample:
    """A request or an answer: its first lines, and its body if it has one."""
    if body is None:
        return Sample(caption, (Token(head),))
    return Sample(caption, (Token(head + "\n\n"), *json_sample("", body).tokens))


def code_sample(caption: str, text: str) -> Sample:
    """A program, as it is."""
    return Sample(caption, (Token(text.strip("\n")),), is_code=True)


def _indented(value: object, start: int = 0, depth: int = 0) -> str:
    """JSON on several lines, but for what fits on one that begins at column ``start``."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + start <= SAMPLE_COLUMNS or not isinstance(value, dict | list):
        return line
    pairs = value.items() if isinstance(value, dict) else [("", part) for part in value]
    indent = "  " * (depth + 1)
    parts = []
    for name, part in pairs:
        head = indent + (f"{json.dumps(name)}: " if isinstance(value, dict) else "")
        parts.append(head + _indented(part, len(head) + 1, depth + 1))
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n" + ",\n".join(parts) + f"\n{indent[2:]}{closing}"


def _tokens(text: str) -> Iterator[Token]:
    end = 0
    for found in _JSON.finditer(text):
        if found.start() > end:
            yield Token(text[end : found.start()])
        yield Token(found[0], found.lastgroup or "")
        end = found.end()
    yield Token(text[end:])


# --- Schemas ------------------------------------------------------------------------------------


def _references(schema: object) -> Iterator[str]:
    """The structs that a schema mentions, by name."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield _name(schema)
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _anchor(title: str) -> str:
    return "kind-" + title.replace(" ", "-")


def _either(kinds: Sequence[Prose]) -> Prose:
    """``a, b or c``"""
    found = list(kinds[0])
    for index, kind in enumerate(kinds[1:], start=2):
        found += [Span(" or " if index == len(kinds) else ", "), *kind]
    return tuple(found)


def _simple(schema: Schema) -> str:
    """``string, up to 64 characters``, ``integer, 1 to 100``"""
    type_ = str(schema.get("type", "anything"))
    unit = " characters" if type_ == "string" else ""
    least = schema.get("minLength", schema.get("minimum"))
    most = schema.get("maxLength", schema.get("maximum"))
    if least is not None and most is not None:
        return f"{type_}, {least} to {most}{unit}"
    if most is not None:
        return f"{type_}, up to {most}{unit}"
    return f"{type_}, from {least}{unit}" if least is not None else type_
