"""The server's own description: ``/docs`` to read, ``/api/openapi.json`` for programs.

Both are made from the tables of routes and events, so what is not described is not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final, get_args
from urllib.parse import urlencode

from msgspec import Struct
from tornado import web

from handlers import openapi
from handlers.base import STATUS
from handlers.compression import Packed
from handlers.examples import EXAMPLES, FIRST_CLIENT, IDENTITY_CODE, REFUSALS, written
from handlers.json_handler import JsonHandler, documented
from handlers.languages import ENGLISH, spoken
from handlers.openapi import ADDRESS, AddressParts, Operation, Rows, operations
from handlers.page_handler import HTML, PageHandler
from handlers.protocol import (
    CLOSES,
    CODES,
    IDENTITY_CLAIMS,
    PACES,
    SIZES,
    TOKEN_CLAIMS,
    Numbers,
    pace,
)
from handlers.templates import templates_in
from handlers.words import (
    Prose,
    Row,
    Sample,
    Table,
    Words,
    code_sample,
    http_sample,
    json_sample,
)
from models import codec, events
from models.events import ErrorCode

KINDS: Final = (
    *(events.ParticipantId, events.ObjectIdHex, events.ClientId),
    *(events.Seq, events.WatermarkSeq, events.Timestamp),
    *(events.WebAddress, events.LanguageTag, events.TimeZone),
)

Doors = Sequence[tuple[str, type[web.RequestHandler]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, an object or a call: what it means, its tables, its samples."""

    name: str
    anchor: str
    title: str
    paragraphs: tuple[Prose, ...]
    tables: tuple[Table, ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """All that docs.html shows."""

    origin: str
    socket_url: str
    numbers: Numbers
    kinds: tuple[Row, ...]
    commands: tuple[Entry, ...]
    events: tuple[Entry, ...]
    objects: tuple[Entry, ...]
    calls: tuple[Entry, ...]
    codes: tuple[Row, ...]
    closes: tuple[Row, ...]
    limits: tuple[Row, ...]
    token: tuple[Row, ...]
    identity: tuple[Row, ...]
    doors: tuple[Row, ...]
    samples: dict[str, Sample]


class Reference:
    """Both descriptions of one server, made when they are first asked for."""

    def __init__(self, api: Rows, doors: Doors, origin: str) -> None:
        self._api = api
        self._doors = doors
        self._origin = origin
        self.page: Packed | None = None  # as it was rendered when somebody first asked for it

    @cached_property
    def document(self) -> bytes:
        return codec.encode(openapi.document(self._api, self._origin))

    @cached_property
    def view(self) -> ReferenceView:
        calls = operations(self._api)
        words = Words.about(_spoken(calls), [*events.COMMANDS, *events.EVENTS.values(), *CODES])
        return ReferenceView(
            origin=self._origin,
            socket_url=self._origin.replace("http", "ws", 1) + "/ws",
            numbers=Numbers(),
            kinds=tuple(map(words.alias, KINDS)),
            commands=tuple(_command(words, name) for name in events.COMMANDS),
            events=tuple(_event(words, struct) for struct in events.EVENTS),
            objects=tuple(
                _object(words, struct) for struct in EXAMPLES if struct.__name__ in words.objects
            ),
            calls=tuple(_call(words, operation) for operation in calls),
            codes=tuple(_code(words, code) for code in get_args(ErrorCode)),
            closes=tuple(
                Row(str(code), f"close-{code}", words.prose(meaning))
                for code, meaning in CLOSES.items()
            ),
            limits=tuple(_limits(words)),
            token=_claims(words, "token", TOKEN_CLAIMS),
            identity=_claims(words, "identity", IDENTITY_CLAIMS),
            doors=tuple(_door(words, door) for _, door in self._doors),
            samples=_samples(self._origin),
        )


class _Described:
    """A door that finds the reference of its server."""

    application: web.Application

    @property
    def reference(self) -> Reference:
        reference: Reference = self.application.settings["reference"]
        return reference


class ReferencePage(_Described, PageHandler):
    """``/docs``: how to speak with this server."""

    public = True

    def get(self) -> None:
        self.set_header("Cache-Control", "no-cache")  # kept, and asked for again by its ETag
        self.send_packed(self.reference.page or self._rendered())

    def _rendered(self) -> Packed:
        """The page, kept for the next one who asks: it is long, and the same for everybody."""
        template = templates_in(spoken(ENGLISH)).get_template("docs.html")
        html = template.render(
            page=self.reference.view,
            me=None,
            static_url=self.static_url,
            public_url=self.shop.settings.origin,
        )
        self.reference.page = Packed.of(html, HTML)
        return self.reference.page

    def content_security_policy(self) -> str:
        """Text with styles and one picture; no script at all."""
        return "; ".join(
            [
                "default-src 'none'",
                "style-src 'self'",
                "img-src 'self'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            ]
        )


class DescriptionApi(_Described, JsonHandler):
    """``GET /api/openapi.json``"""

    public = True

    @documented("This description, for programs", answer=events.ApiDescription)
    def get(self) -> None:
        self.set_header("Cache-Control", "no-cache")
        self.write(self.reference.document)


# --- Entries ------------------------------------------------------------------------------------


def _spoken(calls: Sequence[Operation]) -> list[type[Struct]]:
    """All that goes over the wire."""
    structs: list[type[Struct]] = [AddressParts, events.ErrorAnswer, *events.EVENTS]
    for row in events.COMMANDS.values():
        structs += [row.data, row.ack]
    for operation in calls:
        call = operation.call
        structs += [part for part in (call.query, call.body, call.answer) if part]
    return structs


def _command(words: Words, name: str) -> Entry:
    row = events.COMMANDS[name]
    frame = {"event": name, "id": 1, "data": written(EXAMPLES[row.data])}
    answer = {"event": "ack", "id": 1, "data": written(EXAMPLES[row.ack])}
    return Entry(
        name=name,
        anchor=name,
        title="",
        paragraphs=words.paragraphs(row.data),
        tables=(
            words.asked("Data", row.data, name),
            words.answered("Data of its ack", row.ack, f"{name}.ack"),
        ),
        samples=(json_sample("You send", frame), json_sample("You get", answer)),
    )


def _event(words: Words, struct: type[Struct]) -> Entry:
    name = events.EVENTS[struct]
    return Entry(
        name=name,
        anchor=name,
        title="",
        paragraphs=words.paragraphs(struct),
        tables=(words.answered("Data", struct, name),),
        samples=(json_sample("You get", {"event": name, "data": written(EXAMPLES[struct])}),),
    )


def _object(words: Words, struct: type[Struct]) -> Entry:
    return Entry(
        name=struct.__name__,
        anchor=struct.__name__,
        title="",
        paragraphs=words.paragraphs(struct),
        tables=(words.explained("Fields", struct, struct.__name__),),
        samples=(json_sample("For example", written(EXAMPLES[struct])),),
    )


def _call(words: Words, operation: Operation) -> Entry:
    call = operation.call
    name = operation.name
    tables = []
    if operation.parts:
        tables.append(words.asked("Address", AddressParts, f"{name}.path", operation.parts))
    if call.query is not None:
        tables.append(words.asked("Query", call.query, f"{name}.query"))
    if call.body is not None:
        tables.append(_body(words, call.body, f"{name}.body"))
    tables.append(words.answered("Answer", call.answer, f"{name}.answer"))
    tables.append(Table("Status", tuple(_statuses(words, operation)), is_brief=True))
    return Entry(
        name=f"{operation.method.upper()} {operation.path}",
        anchor=name,
        title=call.summary,
        paragraphs=(words.prose(operation.notes),),
        tables=tuple(tables),
        samples=tuple(_exchange(operation)),
    )


def _body(words: Words, struct: type[Struct], place: str) -> Table:
    """The fields of a body, or the event whose data are the same."""
    for name, row in events.COMMANDS.items():
        if row.data is struct:
            return Table("Body", instead=words.prose(f"The data of `{name}`."))
    return words.asked("Body", struct, place)


def _statuses(words: Words, operation: Operation) -> list[Row]:
    call = operation.call
    rows = [(call.status, "Done.")]
    if call.also is not None:
        rows.append(call.also)
    rows += [
        (status, " or ".join(f"`{code}`" for code in codes))
        for status, codes in operation.refusals.items()
    ]
    return [
        Row(str(status), f"{operation.name}.{status}", words.prose(meaning))
        for status, meaning in rows
    ]


def _exchange(operation: Operation) -> list[Sample]:
    """A request and its answer."""
    call = operation.call
    path = operation.path.format_map(written(ADDRESS))
    if call.query is not None:
        path += "?" + urlencode(_chosen(EXAMPLES[call.query]))
    head = f"{operation.method.upper()} {path}"
    if not operation.door.public:
        head += "\nAuthorization: Bearer TOKEN"
    body = None
    if call.body is not None:
        head += "\nContent-Type: application/json"
        body = written(EXAMPLES[call.body])
    status = f"{call.status} {HTTPStatus(call.status).phrase}"
    return [
        http_sample("You ask", head, body),
        http_sample("You get", status, written(operation.answer)),
    ]


def _chosen(query: Struct) -> dict[str, Any]:
    """What of a query's example is not what is taken anyway."""
    defaults = {field.encode_name: field.default for field in codec.fields_of(type(query))}
    return {name: value for name, value in written(query).items() if value != defaults[name]}


# --- Rows ---------------------------------------------------------------------------------------


def _code(words: Words, code: ErrorCode) -> Row:
    return Row(code, code, words.prose(CODES[code]), note=f"HTTP {STATUS[code]}")


def _limits(words: Words) -> list[Row]:
    rows = [(what, pace(name), more) for name, (what, more) in PACES.items()]
    return [
        Row(what, f"limit-{number}", words.prose(f"{amount}. {more}".strip()))
        for number, (what, amount, more) in enumerate([*rows, *SIZES], start=1)
    ]


def _claims(words: Words, kind: str, claims: dict[str, tuple[str, str]]) -> tuple[Row, ...]:
    return tuple(
        Row(name, f"{kind}-{name}", words.prose(meaning), note=note)
        for name, (note, meaning) in claims.items()
    )


def _door(words: Words, door: type[web.RequestHandler]) -> Row:
    """A page or another address that is no call; its docstring says what it is."""
    first, _, _ = (door.__doc__ or "").partition("\n")
    name, _, meaning = first.partition(": ")
    meaning = meaning[:1].upper() + meaning[1:].replace("``", "`")
    return Row(name.strip("`"), f"door-{door.__name__}", words.prose(meaning))


def _samples(origin: str) -> dict[str, Sample]:
    """Those of the explanations."""
    beat, typing = EXAMPLES[events.Beat], EXAMPLES[events.UserTyping]
    error = written(REFUSALS["invalid"])
    claims = {"sub": "maya", "type": "Buyer", "name": "Maya", "iat": 1768034641, "exp": 1768121041}
    return {
        "client": code_sample("client.mjs", FIRST_CLIENT.replace("ORIGIN", origin)),
        "identity": code_sample("Python, without packages", IDENTITY_CODE),
        "claims": json_sample("The claims of a token", claims),
        "frame": json_sample(
            "You send",
            {"event": "typing", "id": 7, "data": written(EXAMPLES[events.Typing])},
        ),
        "batch": json_sample(
            "You get",
            [
                {"event": "ack", "id": 7, "data": {}},
                {"event": "user_typing", "data": written(typing)},
                {"event": "beat", "data": written(beat)},
            ],
        ),
        "error": json_sample("You get", {"event": "error", "id": 7, "data": error}),
        "refusal": http_sample(
            "You get", "400 Bad Request", written(events.ErrorAnswer(REFUSALS["invalid"]))
        ),
    }
