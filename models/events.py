"""Every object on the wire, as a typed struct: commands in, events out.

The socket and the REST doors decode with the same structs, the reference under ``/docs`` and
``/api/openapi.json`` are generated from them, and the two tables at the end are the only place where
the names of events stand. No I/O, and no rules beyond the shape of a single field: what a text may
be is decided in ``text.py``, who may do what in ``chat.py``.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import FieldInfo, fields

from models.errors import BadRequest, ChatError, Invalid

PARTICIPANT_ID_LENGTH: Final = 64
CLIENT_ID_LENGTH: Final = 64
FRAME_ID_LENGTH: Final = 64
EPOCH_LENGTH: Final = 64

# "$" alone would let a final newline pass, and "\Z" is unknown to the JavaScript expressions of
# JSON Schema; "nothing follows" is understood by both.
END: Final = r"(?![\s\S])"

ParticipantType = Literal["Buyer", "Seller"]
ParticipantId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.@-]+" + END,
        min_length=1,
        max_length=PARTICIPANT_ID_LENGTH,
        description="Who it is: 1 to 64 characters out of `A-Z a-z 0-9 _ . @ -`.",
        examples=["b1"],
    ),
]
ObjectIdHex = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{24}" + END,
        description="24 hexadecimal digits.",
        examples=["65a1b2c3d4e5f60718293a4b"],
    ),
]
ClientId = Annotated[
    str,
    Meta(
        pattern=r"^[^\u0000-\u001f\u007f]+" + END,
        min_length=1,
        max_length=CLIENT_ID_LENGTH,
        description="The sender's own id of this message; sent again, it is the same message.",
        examples=["0b9d1f6e-6d0c-4f0e-9f3a-2b8f7f0c1d2e"],
    ),
]
Seq = Annotated[
    int,
    Meta(
        ge=1, description="The number of a message in its conversation: 1, 2, 3, …", examples=[17]
    ),
]
WatermarkSeq = Annotated[int, Meta(ge=0, description="0 stands for none yet.", examples=[16])]
Timestamp = Annotated[
    str,
    Meta(
        description="A moment in UTC, with milliseconds.",
        examples=["2026-01-02T03:04:05.678Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
PresenceStatus = Literal["online", "away", "offline"]
MessageStatus = Literal["sent", "delivered", "read"]
MessageType = Literal["general", "product", "order", "support", "system"]
ClientMessageType = Literal["general", "product", "order", "support"]
ErrorCode = Literal[
    "bad_request",
    "invalid",
    "unauthorized",
    "not_registered",
    "forbidden",
    "not_found",
    "conflict",
    "too_large",
    "unsupported_media_type",
    "rate_limited",
    "unavailable",
    "internal",
]
FrameId = Annotated[
    int | float | Annotated[str, Meta(max_length=FRAME_ID_LENGTH)],
    Meta(description="The client's own number or name of this frame; one answer bears it."),
]

TYPING_SECONDS: Final = 6  # CONTRACT section 4: typing ends by itself
BEAT_SECONDS: Final = 25  # CONTRACT section 4: a client that hears nothing for 45 s reconnects


# --- What both sides speak of -------------------------------------------------------------------


class User(Struct, frozen=True):
    """A participant, as others see them."""

    id: ParticipantId
    type: ParticipantType
    name: str
    verified: bool


class Seller(Struct, frozen=True):
    """A seller as anybody may see them before the first message."""

    id: ParticipantId
    type: ParticipantType
    name: str
    status: PresenceStatus
    last_seen: Timestamp | None


class OnlineUser(Struct, frozen=True):
    """A participant who is here now."""

    id: ParticipantId
    type: ParticipantType
    name: str
    status: PresenceStatus


class Message(Struct, frozen=True):
    """A stored message. ``message`` is plain text as typed, ``message_html`` is safe HTML of it."""

    id: ObjectIdHex
    conversation_id: ObjectIdHex
    seq: Seq
    client_id: str
    sender_id: ParticipantId
    sender_type: ParticipantType
    sender_name: str | None
    recipient_id: ParticipantId
    recipient_type: ParticipantType
    subject: str | None
    message: str
    message_html: str
    message_type: MessageType
    status: MessageStatus
    created_at: Timestamp
    delivered_at: Timestamp | None
    read_at: Timestamp | None


class ConversationParticipant(Struct, frozen=True):
    """A user with how far they are in this conversation, and how present."""

    id: ParticipantId
    type: ParticipantType
    name: str
    verified: bool
    delivered_seq: WatermarkSeq
    read_seq: WatermarkSeq
    status: PresenceStatus
    first_seen: Timestamp | None
    last_seen: Timestamp | None


class Conversation(Struct, frozen=True):
    """Two participants' one conversation, as the asking one sees it (``unread`` is theirs)."""

    id: ObjectIdHex
    participants: list[ConversationParticipant]
    first_seq: int
    last_seq: int
    last_message: Message | None
    unread: int
    updated_at: Timestamp


class ErrorData(Struct, frozen=True, omit_defaults=True):
    """Why something was refused. ``field`` names the wrong part, ``retry_after`` is in seconds."""

    code: ErrorCode
    message: str
    field: str | None = None
    retry_after: float | None = None


class Limits(Struct, frozen=True):
    """What the server takes: characters, bytes, messages at once and messages a second."""

    message_characters: int
    subject_characters: int
    frame_bytes: int
    messages_burst: int
    messages_per_second: float


class Nothing(Struct, frozen=True):
    """The empty object."""


# --- Commands: client to server, imperative -----------------------------------------------------


class RegisterUser(Struct, frozen=True):
    """Comes first: says that this socket listens, and since which ``seq`` it missed messages."""

    user_id: ParticipantId | None = None
    user_type: ParticipantType | None = None
    seller_id: ParticipantId | None = None
    epoch: Annotated[str, Meta(max_length=EPOCH_LENGTH)] | None = None
    since: dict[str, WatermarkSeq] | None = None


class SendMessage(Struct, frozen=True):
    """A message for one recipient; acknowledged only when it is stored for good."""

    recipient_id: ParticipantId
    recipient_type: ParticipantType
    message: Annotated[
        str,
        Meta(
            description="1 to 4,000 characters of plain text.", examples=["Is it dishwasher-safe?"]
        ),
    ]
    subject: Annotated[str, Meta(description="Up to 200 characters.")] | None = None
    message_type: ClientMessageType = "general"
    client_id: ClientId | None = None
    sender_id: ParticipantId | None = None
    sender_type: ParticipantType | None = None


class Typing(Struct, frozen=True):
    """The user began or stopped composing a message."""

    recipient_id: ParticipantId
    recipient_type: ParticipantType
    is_typing: bool


class MarkAsDelivered(Struct, frozen=True):
    """A device of the recipient has all messages up to and including ``seq``."""

    conversation_id: ObjectIdHex
    seq: Seq


class MarkAsRead(Struct, frozen=True):
    """The reader has seen a message, or all up to and including ``seq``."""

    message_id: ObjectIdHex | None = None
    conversation_id: ObjectIdHex | None = None
    seq: Seq | None = None


class JoinRoom(Struct, frozen=True):
    """The conversation is on this screen now."""

    room: ObjectIdHex


class LeaveRoom(Struct, frozen=True):
    """The conversation is no longer on this screen."""

    room: ObjectIdHex


class UpdateStatus(Struct, frozen=True):
    """How present the user wants to be; ``offline`` is invisible, and the socket stays."""

    status: PresenceStatus


# --- Answers to commands ------------------------------------------------------------------------


class Registered(Struct, frozen=True, omit_defaults=True):
    """Answers ``register_user``; ``token`` is a guest's, renewed when a third of its time is gone."""

    user: User
    server_time: Timestamp
    epoch: str
    unread: int
    conversations: list[Conversation]
    limits: Limits
    token: str | None = None


class Sent(Struct, frozen=True):
    """Answers ``send_message``: the stored message, and whether it had been stored before."""

    message: Message
    duplicate: bool


class Delivered(Struct, frozen=True):
    """Answers ``mark_as_delivered``: how far the watermark stands now."""

    conversation_id: ObjectIdHex
    delivered_seq: WatermarkSeq


class Read(Struct, frozen=True):
    """Answers ``mark_as_read``: how far the watermark stands now, and what is left unread."""

    conversation_id: ObjectIdHex
    read_seq: WatermarkSeq
    unread: int


class Joined(Struct, frozen=True):
    """Answers ``join_room``."""

    room: ObjectIdHex
    conversation: Conversation


class Left(Struct, frozen=True):
    """Answers ``leave_room``."""

    room: ObjectIdHex


class StatusUpdated(Struct, frozen=True):
    """Answers ``update_status``."""

    status: PresenceStatus


# --- What only HTTP asks and answers --------------------------------------------------------------

PAGE_MOST: Final = 100
PageLimit = Annotated[int, Meta(ge=1, le=PAGE_MOST, description="How many at most.")]
PageCursor = Annotated[
    str, Meta(max_length=64, description="The `next` of the page before; opaque.")
]


class ParticipantPath(Struct, frozen=True):
    """With whom, in an address."""

    participant_id: ParticipantId
    participant_type: ParticipantType


class ConversationQuery(Struct, frozen=True):
    """Which page of a conversation: before a ``seq``, after one, or the newest."""

    before: Seq | None = None
    after: WatermarkSeq | None = None
    limit: PageLimit = 50


class MessagesQuery(Struct, frozen=True):
    """Which page of the messages received or sent."""

    before: PageCursor | None = None
    limit: PageLimit = 50
    unread: Annotated[
        Literal["0", "1"], Meta(description="`1`: only what is unread (received messages).")
    ] = "0"


class ConversationsQuery(Struct, frozen=True):
    """Which page of the conversations."""

    before: PageCursor | None = None
    limit: PageLimit = 30
    filter: Literal["all", "unread"] = "all"


class MessageAnswer(Struct, frozen=True):
    """One message."""

    message: Message


class MessageReadAnswer(Struct, frozen=True):
    """A message that was read, and what is left unread in all conversations."""

    message: Message
    unread: int


class MessageList(Struct, frozen=True):
    """A page of messages, newest first; ``next`` leads to the page after it."""

    messages: list[Message]
    next: str | None


class UnreadCount(Struct, frozen=True):
    """How much is unread: in all, and by conversation."""

    count: int
    conversations: dict[str, int]


class ConversationPage(Struct, frozen=True):
    """A page of one conversation, oldest first; null and empty for two who never spoke."""

    conversation: Conversation | None
    messages: list[Message]
    has_more: bool


class ConversationList(Struct, frozen=True):
    """A page of conversations, newest first; ``next`` leads to the page after it."""

    conversations: list[Conversation]
    next: str | None


class SellerAnswer(Struct, frozen=True):
    """A seller, for everybody."""

    seller: Seller


class GuestRequest(Struct, frozen=True):
    """An anonymous buyer wants to write to this seller."""

    seller_id: ParticipantId


class IdentifyRequest(Struct, frozen=True):
    """What the shop says of its logged-in buyer, and the guest they were until now."""

    identity: str
    guest_token: str | None = None


class SessionAnswer(Struct, frozen=True):
    """Who the asking one is from now on."""

    token: str
    user: User


class ErrorAnswer(Struct, frozen=True):
    """The one envelope of every refusal over HTTP."""

    error: ErrorData


# --- Events: server to client, past tense -------------------------------------------------------


class UserTyping(Struct, frozen=True):
    """Somebody is composing a message, for ``expires_in`` seconds at most."""

    conversation_id: ObjectIdHex | None
    sender_id: ParticipantId
    sender_type: ParticipantType
    sender_name: str
    is_typing: bool
    expires_in: int = TYPING_SECONDS


class MessageDelivered(Struct, frozen=True):
    """A device of ``user_id`` confirmed all messages up to and including ``seq``."""

    conversation_id: ObjectIdHex
    message_id: ObjectIdHex
    seq: Seq
    user_id: ParticipantId
    user_type: ParticipantType
    delivered_at: Timestamp


class MessageRead(Struct, frozen=True):
    """``user_id`` has read all messages up to and including ``seq``."""

    conversation_id: ObjectIdHex
    message_id: ObjectIdHex
    seq: Seq
    user_id: ParticipantId
    user_type: ParticipantType
    read_at: Timestamp


class MessageChanges(Struct, frozen=True, omit_defaults=True):
    """What is different now about a message."""

    status: MessageStatus | UnsetType = UNSET


class MessageUpdated(Struct, frozen=True):
    """For a message's sender: its status moved, and so did that of all before it."""

    conversation_id: ObjectIdHex
    message_id: ObjectIdHex
    seq: Seq
    changes: MessageChanges


class UserStatusChanged(Struct, frozen=True):
    """Somebody came, went, or is away."""

    user_id: ParticipantId
    user_type: ParticipantType
    status: PresenceStatus
    last_seen: Timestamp | None


class OnlineUsers(Struct, frozen=True):
    """Who is here now, of those whom the user may see."""

    users: list[OnlineUser]


class Reset(Struct, frozen=True):
    """Too much was missed, or the server was restored: reload this conversation over HTTP."""

    conversation_id: ObjectIdHex


class Beat(Struct, frozen=True):
    """A sign of life every 25 s; who hears nothing for 45 s reconnects."""

    server_time: Timestamp


# --- The two tables -----------------------------------------------------------------------------


class Command(Struct, frozen=True):
    """One row of ``COMMANDS``: how to decode ``data``, which method of ``Chat`` takes it, and the
    shape of the acknowledgement."""

    data: type[Struct]
    method: str
    ack: type[Struct]


COMMANDS: Final[dict[str, Command]] = {
    "register_user": Command(RegisterUser, "register", Registered),
    "send_message": Command(SendMessage, "post", Sent),
    "typing": Command(Typing, "set_typing", Nothing),
    "mark_as_delivered": Command(MarkAsDelivered, "mark_delivered", Delivered),
    "mark_as_read": Command(MarkAsRead, "mark_read", Read),
    "join_room": Command(JoinRoom, "join", Joined),
    "leave_room": Command(LeaveRoom, "leave", Left),
    "update_status": Command(UpdateStatus, "update_status", StatusUpdated),
}

EVENTS: Final[dict[type[Struct], str]] = {
    Message: "new_message",
    UserTyping: "user_typing",
    MessageDelivered: "message_delivered",
    MessageRead: "message_read",
    MessageUpdated: "message_updated",
    UserStatusChanged: "user_status_changed",
    OnlineUsers: "online_users",
    Reset: "reset",
    Beat: "beat",
}


# --- Decoding and encoding ----------------------------------------------------------------------


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


def timestamp(moment: datetime) -> Timestamp:
    """The wire's form of an aware time: ``2026-01-02T03:04:05.678Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decode_frame(text: str | bytes) -> Frame:
    """Reads a frame's envelope. Raises ``FrameRefused``."""
    try:
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
        if decoder is not None:
            return cast(_S, decoder.decode(data))  # the key is the type
        return msgspec.json.decode(data, type=struct)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    except _UNREADABLE:
        raise BadRequest("This is not JSON.") from None


def convert(values: dict[str, Any], struct: type[_S], *, strict: bool = True) -> _S:
    """Checks plain values, a URL's or a form's, against a struct. Raises ``Invalid``.

    With ``strict`` off, strings of digits are taken as numbers.
    """
    try:
        return msgspec.convert(values, type=struct, strict=strict)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None


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
    if isinstance(frame_id, str) and not frame_id.isprintable():
        return None  # lone surrogates among them, which no encoder takes
    return frame_id


def _frame_fault(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return 'A frame is an object: {"event": "…", "data": {…}, "id": …}.'
    return "This is not JSON."


_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`\Z")
_MISSING = re.compile(r"\AObject missing required field `(?P<name>[^`]+)`")


def _invalid(error: msgspec.ValidationError) -> Invalid:
    """msgspec's sentence, with the field's name taken out of it."""
    text = str(error)
    path = found["path"] if (found := _PATH.search(text)) else ""
    if missing := _MISSING.match(text):
        name = missing["name"]
        return Invalid(f"{name} is missing.", field=f"{path}.{name}" if path else name)
    field = path or "data"
    return Invalid(f"{field} is not as it should be: {_PATH.sub('', text)}.", field=field)
