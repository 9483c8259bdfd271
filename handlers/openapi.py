"""The API in OpenAPI 3.1, read off its doors and the structs that they speak.

Nothing is described twice: fields and their meanings come from ``models/events.py``, what a call
takes and answers from ``@documented``, examples from ``examples.py``.
"""

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, cast

import msgspec
from msgspec import Meta, Struct

from handlers.base import COOKIE, STATUS
from handlers.examples import EXAMPLES, GUEST_SESSION, MESSAGE_ID, REFUSALS, written
from handlers.json_handler import Call, JsonHandler
from models import events
from models.events import ErrorCode
from models.tokens import DAY_SECONDS, GUEST_SECONDS
from models.version import VERSION

_GROUP = re.compile(r"\((?:[^()]|\([^()]*\))*\)")  # groups in it have none in them

Rows = Sequence[tuple[str, type[JsonHandler]]]
Schema = dict[str, Any]

OPENAPI: Final = "3.1.0"
REFERENCE: Final = "#/components/schemas/{name}"

# What every call may answer; a wrong token is refused at public doors, too.
ALWAYS: Final[tuple[ErrorCode, ...]] = (
    *("bad_request", "unauthorized", "rate_limited", "unavailable", "internal"),
)
WITH_BODY: Final[tuple[ErrorCode, ...]] = ("invalid", "too_large", "unsupported_media_type")
WITH_QUERY: Final[tuple[ErrorCode, ...]] = ("invalid",)
UNSAFE: Final[tuple[ErrorCode, ...]] = ("forbidden",)  # with the cookie, from a foreign page

# What the summary of a call cannot say.
NOTES: Final = {
    "postSend": "The same as the event `send_message`, with the same checks. Of a `client_id` that"
    " was stored before, it answers the stored message with 200. `sender_*`, if given, must be"
    " the token's.",
    "getInbox": "All conversations in one list. `next` is the `before` of the page after it.",
    "getSent": "All conversations in one list. `next` is the `before` of the page after it;"
    " `unread` is ignored.",
    "getMessage": "Only the two who share its conversation find it.",
    "putMessageRead": "No body. Only the recipient's reading counts; the sender gets `forbidden`.",
    "getUnreadCount": "Conversations with nothing unread are left out.",
    "getConversation": "With `before` or neither, the newest messages that fit; with `after`, the"
    " oldest. Who has `has_more` asks again with `before` the first `seq` of the page, or `after`"
    " the last. Of two who never spoke, `conversation` is null, and nothing is stored.",
    "getConversations": "`next` is the `before` of the page after it. A conversation in which"
    " somebody writes meanwhile moves to the front.",
    "getSeller": "For anybody, also without a token.",
    "postGuest": f"An anonymous buyer with a random id, for {GUEST_SECONDS // DAY_SECONDS} days;"
    " nothing is stored before the first message. The browser gets the token as a cookie as well.",
    "postIdentify": "A verified buyer, by the word of the shop's own site. With `guest_token`, the"
    " conversations of that guest become theirs, once, and the guest's token and sockets end."
    " The browser gets the token as a cookie as well.",
    "getDescription": "For anybody, also without a token.",
}


class AddressParts(Struct, frozen=True):
    """What may stand in an address, by the names that doors give it."""

    message_id: events.MessageId
    participant_id: Annotated[events.ParticipantId, Meta(description="With whom.")]
    participant_type: Annotated[events.ParticipantType, Meta(description="Which type they are.")]
    seller_id: Annotated[events.ParticipantId, Meta(description="Which seller.")]


ADDRESS: Final = AddressParts(MESSAGE_ID, "omar", "Seller", "omar")


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a door: where it is, and what it takes and answers."""

    method: str
    path: str
    door: type[JsonHandler]
    call: Call
    parts: tuple[str, ...]  # of the path, by name

    @property
    def name(self) -> str:
        return self.method + self.door.__name__.removesuffix("Api")

    @property
    def subject(self) -> str:
        """The thing it is about: the first word after ``/api``."""
        return self.path.split("/")[2].removesuffix(".json")

    @property
    def notes(self) -> str:
        return NOTES.get(self.name, "")

    @property
    def answer(self) -> Struct:
        """What it answers in the example."""
        return GUEST_SESSION if self.name == "postGuest" else EXAMPLES[self.call.answer]

    @property
    def refusals(self) -> dict[int, list[ErrorCode]]:
        """The codes that it may answer, by their status."""
        codes = [*ALWAYS, *cast(tuple[ErrorCode, ...], self.call.refusals)]
        codes += WITH_BODY if self.call.body else ()
        codes += WITH_QUERY if self.call.query or "participant_id" in self.parts else ()
        codes += UNSAFE if self.method in ("post", "put", "delete") else ()
        found: dict[int, list[ErrorCode]] = {}
        for code in sorted(set(codes), key=list(STATUS).index):
            found.setdefault(STATUS[code], []).append(code)
        return found


def operations(rows: Rows) -> list[Operation]:
    """Every documented method of every door, in the order of the routes."""
    found = []
    for pattern, door in rows:
        for method, call in door.calls().items():
            names = iter(inspect.signature(getattr(door, method)).parameters)
            next(names)  # self
            parts = tuple(names)
            left = iter(parts)
            path = _GROUP.sub(lambda _: "{" + next(left) + "}", pattern)  # noqa: B023
            found.append(Operation(method, path.replace("\\", ""), door, call, parts))
    return found


def document(rows: Rows, origin: str) -> Schema:
    """The whole description of the server at ``origin``."""
    calls = operations(rows)
    paths: dict[str, Schema] = {}
    for operation in calls:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    spoken = [operation.call.answer for operation in calls]
    spoken += [operation.call.body for operation in calls if operation.call.body]
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Shopbell",
            "version": VERSION,
            "summary": "A real-time chat between buyers and sellers.",
            "description": "What can be done over HTTP. Messages arrive over the WebSocket at"
            f" `/ws`, which {origin}/docs describes together with all rules.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": origin}],
        "externalDocs": {"url": f"{origin}/docs", "description": "The whole protocol, to read"},
        "tags": [{"name": name} for name in dict.fromkeys(call.subject for call in calls)],
        "paths": paths,
        "components": {
            "schemas": schemas_of([*spoken, events.ErrorAnswer]),
            "examples": {
                code: {"value": written(events.ErrorAnswer(error))}
                for code, error in REFUSALS.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def schemas_of(structs: Iterable[type[Struct]]) -> dict[str, Schema]:
    """The schemas of these structs and of all that they hold, by name."""
    _, schemas = msgspec.json.schema_components(structs, ref_template=REFERENCE)
    for schema in schemas.values():
        schema["description"] = _unwrapped(schema["description"])
    return schemas


def without_null(schema: Schema) -> Schema:
    """A field's schema without the null that stands for "not given"."""
    kept = {name: value for name, value in schema.items() if (name, value) != ("default", None)}
    kinds = [kind for kind in kept.pop("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) > 1:
        return {**kept, "anyOf": kinds}
    return {**kinds[0], **kept} if kinds else kept


def _described(operation: Operation) -> Schema:
    call = operation.call
    parameters = [*_parameters("path", AddressParts, operation.parts)]
    if call.query is not None:
        parameters += _parameters("query", call.query)
    answers = {str(call.status): _answer(operation, _first_sentence(call.answer))}
    if call.also is not None:
        status, meaning = call.also
        answers[str(status)] = _answer(operation, meaning)
    for status, codes in operation.refusals.items():
        answers[str(status)] = _refusal(status, codes)
    described: Schema = {
        "operationId": operation.name,
        "tags": [operation.subject],
        "summary": call.summary,
        "description": operation.notes,
        "parameters": parameters,
        "responses": answers,
        "security": [] if operation.door.public else [{"bearer": []}, {"cookie": []}],
    }
    if call.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": _json(call.body, written(EXAMPLES[call.body])),
        }
    return {name: value for name, value in described.items() if value or name == "security"}


def _parameters(
    place: str, struct: type[Struct], names: Sequence[str] | None = None
) -> list[Schema]:
    properties = schemas_of([struct])[struct.__name__]["properties"]
    found = []
    for name in properties if names is None else names:
        schema = without_null(properties[name])
        found.append(
            {
                "name": name,
                "in": place,
                "required": place == "path",
                "description": schema.pop("description", ""),
                "schema": schema,
            }
        )
    return found


def _answer(operation: Operation, meaning: str) -> Schema:
    return {
        "description": meaning,
        "content": _json(operation.call.answer, written(operation.answer)),
    }


def _refusal(status: int, codes: Sequence[str]) -> Schema:
    answer: Schema = {
        "description": f"{HTTPStatus(status).phrase}: "
        + " or ".join(f"`{code}`" for code in codes),
        "content": _json(events.ErrorAnswer),
    }
    answer["content"]["application/json"]["examples"] = {
        code: {"$ref": f"#/components/examples/{code}"} for code in codes
    }
    if status == STATUS["rate_limited"]:
        wait = {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}
        answer["headers"] = {"Retry-After": wait}
    return answer


def _json(struct: type[Struct], example: Schema | None = None) -> dict[str, Schema]:
    media: Schema = {"schema": {"$ref": REFERENCE.format(name=struct.__name__)}}
    if example is not None:
        media["example"] = example
    return {"application/json": media}


def _first_sentence(struct: type[Struct]) -> str:
    return _unwrapped(struct.__doc__ or "").partition("\n")[0]


def _unwrapped(docstring: str) -> str:
    """A docstring's text as Markdown, a line each paragraph."""
    text = inspect.cleandoc(docstring).replace("``", "`")
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)
