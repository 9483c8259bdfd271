"""JSON into the structs of ``events.py`` and back, for frames, bodies, queries and forms.

Bad input is refused in words, with the field that is wrong. No I/O, and no rules of its own.
"""

import json
import re
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import FieldInfo, fields

from models.errors import BadRequest, ChatError, Invalid
from models.events import COMMANDS, EVENTS, FRAME_ID_LENGTH, Command, ErrorCode, ErrorData


class Frame(Struct, frozen=True):
    """The envelope of a client's frame, its ``data`` still undecoded."""

    event: str
    id: int | float | str | None = None
    data: Raw = Raw(b"{}")


class FrameRefused(Exception):
    """A frame whose envelope is unusable; carries the ``id`` if one could be made out."""

    def __init__(self, error: BadRequest, frame_id: int | float | str | None) -> None:
        super().__init__(error.message)
        self.error = error
        self.frame_id = frame_id


_S = TypeVar("_S", bound=Struct)

_frame_decoder = msgspec.json.Decoder(Frame)
_data_decoders = {row.data: msgspec.json.Decoder(row.data) for row in COMMANDS.values()}


_encoder = msgspec.json.Encoder()

# A hostile body may nest 200,000 arrays (RecursionError) or hold bytes that are no UTF-8.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode_frame(text: str | bytes) -> Frame:
    """Reads a frame's envelope. Raises ``FrameRefused``."""
    try:
        _check_utf8(text)
        frame = _frame_decoder.decode(text)
    except _UNREADABLE as error:
        raise FrameRefused(BadRequest(_frame_fault(error)), _salvaged_id(text)) from None
    if not _is_frame_id(frame.id):
        reason = f"An id is a number or a string of up to {FRAME_ID_LENGTH} characters."
        raise FrameRefused(BadRequest(reason), None)
    return frame


def command_for(frame: Frame) -> Command:
    """The table's row for this frame's event. Raises ``BadRequest`` for an unknown one."""
    try:
        return COMMANDS[frame.event]
    except KeyError:
        raise BadRequest("This event is not known.") from None


def decode(data: bytes | Raw, struct: type[_S]) -> _S:
    """Decodes and checks one object. Raises ``BadRequest`` if it is no JSON, ``Invalid`` with the
    field's name if a part of it is wrong."""
    decoder = _data_decoders.get(struct)
    try:
        _check_utf8(data)
        if decoder is not None:
            return cast(_S, decoder.decode(data))  # the key is the type
        return msgspec.json.decode(data, type=struct)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    except _UNREADABLE:
        raise BadRequest("This is not JSON.") from None


def convert(values: dict[str, Any], struct: type[_S]) -> _S:
    """Checks plain values against a struct. Raises ``Invalid``."""
    try:
        return msgspec.convert(values, type=struct)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None


def from_texts(texts: dict[str, str], struct: type[_S]) -> _S:
    """Checks what stands in an address against a struct. Raises ``Invalid``.

    Numbers are written in digits; the lax mode of msgspec would take ``1.0`` and ``1e1`` as well.
    """
    numbers = _number_fields(struct)
    return convert(
        {
            name: int(text) if name in numbers and _DIGITS.fullmatch(text) else text
            for name, text in texts.items()
        },
        struct,
    )


def fields_of(struct: type[Struct]) -> tuple[FieldInfo, ...]:
    """The fields of a struct, for whoever reads or documents it."""
    return fields(struct)


def error_data(error: ChatError) -> ErrorData:
    """A refusal as it goes over the wire."""
    return ErrorData(cast(ErrorCode, error.code), error.message, error.field, error.retry_after)


def encode(value: object) -> bytes:
    """JSON as bytes."""
    return _encoder.encode(value)


def encode_event(event: Struct) -> bytes:
    """The frame of a server's event, its name taken from ``EVENTS``."""
    return _encoder.encode({"event": EVENTS[type(event)], "data": event})


def encode_ack(frame_id: int | float | str, data: Struct) -> bytes:
    """The one answer to a frame that bore an ``id``."""
    return _encoder.encode({"event": "ack", "id": frame_id, "data": data})


def encode_error(frame_id: int | float | str | None, data: ErrorData) -> bytes:
    """A refusal; ``id`` is null where the client gave none."""
    return _encoder.encode({"event": "error", "id": frame_id, "data": data})


def _check_utf8(data: str | bytes | Raw) -> None:
    """Raises ``UnicodeDecodeError``; msgspec does so too, but passes over what no field wants."""
    if isinstance(data, bytes):  # text is decoded by now, and so is the frame that ``Raw`` is of
        data.decode()


def _is_frame_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= FRAME_ID_LENGTH
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _salvaged_id(text: str | bytes) -> int | float | str | None:
    """The id of a frame that cannot be taken, so that its answer still finds its question."""
    try:
        value = json.loads(text, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return None
    frame_id = value.get("id") if isinstance(value, dict) else None
    if not _is_frame_id(frame_id) or frame_id in (float("inf"), float("-inf")):
        return None
    try:
        str(frame_id).encode()
    except UnicodeEncodeError:  # a lone surrogate, which no answer could hold
        return None
    return frame_id


def _frame_fault(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return 'A frame is an object: {"event": "…", "data": {…}, "id": …}.'
    return "This is not JSON."


_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`\Z")
_DIGITS = re.compile(r"-?[0-9]{1,15}")
_MISSING = re.compile(r"\AObject missing required field `(?P<name>[^`]+)`")

# What msgspec says of a value, and how people say it.
_CLAIMS: Final = [
    (re.compile(r"Expected `str` matching regex"), "has characters that are not possible here"),
    (re.compile(r"Expected `str` of length >= 1\Z"), "may not be empty"),
    (re.compile(r"Expected `str` of length >= (\d+)"), r"must have at least \1 characters"),
    (re.compile(r"Expected `str` of length <= (\d+)"), r"must have at most \1 characters"),
    (re.compile(r"Expected `(?:int|float)` >= (\S+)"), r"must be at least \1"),
    (re.compile(r"Expected `(?:int|float)` <= (\S+)"), r"must be at most \1"),
    (re.compile(r"Expected `int\b"), "must be a whole number"),
    (re.compile(r"Expected `str\b"), "must be a text"),
    (re.compile(r"Expected `bool\b"), "must be true or false"),
    (re.compile(r"Expected `object\b"), "must be an object"),
    (re.compile(r"Expected `array\b"), "must be a list"),
    (re.compile(r"Invalid enum value"), "is none of the words that are known here"),
]


def _invalid(error: msgspec.ValidationError) -> Invalid:
    """msgspec's sentence in plain words, without the types and expressions of programmers."""
    text = str(error)
    path = found["path"] if (found := _PATH.search(text)) else ""
    if missing := _MISSING.match(text):
        name = missing["name"]
        return Invalid(f"{name} is missing.", field=f"{path}.{name}" if path else name)
    field = path or "data"
    fault = _PATH.sub("", text)
    for pattern, claim in _CLAIMS:
        if found := pattern.match(fault):
            return Invalid(f"{field} {found.expand(claim)}.", field=field)
    return Invalid(f"{field} is not as it should be.", field=field)


@cache
def _number_fields(struct: type[Struct]) -> frozenset[str]:
    return frozenset(
        field.encode_name
        for field in fields(struct)
        if "integer" in str(msgspec.json.schema(field.type))
    )
