"""Every object on the wire, as a typed struct: commands in, events out.

The socket and the REST doors decode with the same structs (``codec.py``). The reference under
``/docs`` and ``/api/openapi.json`` are generated from them, docstrings and descriptions included.
The two tables at the end are the only place where the names of events stand. No I/O, and no rules
beyond the shape of a single field: what a text may be is decided in ``text.py``, who may do what in
``chat.py``.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

PARTICIPANT_ID_LENGTH: Final = 64
CLIENT_ID_LENGTH: Final = 64
FRAME_ID_LENGTH: Final = 64
EPOCH_LENGTH: Final = 64
NAME_FILTER_LENGTH: Final = 80

# "$" alone would let a final newline pass, and "\Z" is unknown to the JavaScript expressions of
# JSON Schema; "nothing follows" is understood by both.
END: Final = r"(?![\s\S])"

ParticipantType = Literal["Buyer", "Seller"]
ParticipantId = Annotated[
    str,
    Meta(
        title="participant id",
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
        title="object id",
        pattern=r"^[0-9a-f]{24}" + END,
        description="24 hexadecimal digits.",
        examples=["65a1b2c3d4e5f60718293a4b"],
    ),
]
ClientId = Annotated[
    str,
    Meta(
        title="client id",
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
        title="seq",
        ge=1,
        description="The number of a message in its conversation: 1, 2, 3, …",
        examples=[17],
    ),
]
WatermarkSeq = Annotated[
    int, Meta(title="seq or 0", ge=0, description="0 stands for none yet.", examples=[16])
]
Timestamp = Annotated[
    str,
    Meta(
        title="timestamp",
        description="A moment in UTC, with milliseconds.",
        examples=["2026-01-02T03:04:05.678Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
WebAddress = Annotated[
    str,
    Meta(
        title="web address",
        # Hosts have no user part, or a link could show one site and lead to another.
        pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\u0000-\u0020\u007f/?#\\@]+"
        r"([/?#][^\u0000-\u0020\u007f]*)?" + END,
        max_length=2048,
        description="An address that begins with `https://` or `http://`.",
        examples=["https://shop.example/mugs/lichen"],
    ),
]
Price = Annotated[str, Meta(max_length=40, examples=["€ 24.00"])]
LanguageTag = Annotated[
    str,
    Meta(
        title="language tag",
        pattern=r"^[A-Za-z0-9-]+" + END,
        max_length=35,
        description="A tag as in `navigator.language`.",
        examples=["ar-EG"],
    ),
]
TimeZone = Annotated[
    str,
    Meta(
        title="time zone",
        pattern=r"^[A-Za-z0-9_+/-]+" + END,
        max_length=64,
        description="A name of the IANA data base.",
        examples=["Africa/Cairo"],
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

# What the names of fields mean wherever they appear; the reference shows it beside each of them.
Name = Annotated[
    str, Meta(description="What they are called. Plain text of one line; never insert it as HTML.")
]
Verified = Annotated[bool, Meta(description="False for a guest, for whom nobody vouches.")]
Presence = Annotated[PresenceStatus, Meta(description="How present they are, or want to seem.")]
LastSeen = Annotated[
    Timestamp | None, Meta(description="When they were last here, as far as that was noticed.")
]
MessageId = Annotated[ObjectIdHex, Meta(description="Which message.")]
ConversationId = Annotated[ObjectIdHex, Meta(description="Which conversation.")]
UpToSeq = Annotated[Seq, Meta(description="The message's number; all before it are meant as well.")]
DeliveredSeq = Annotated[
    WatermarkSeq, Meta(description="All up to this one have reached a device of theirs.")
]
ReadSeq = Annotated[WatermarkSeq, Meta(description="They have read all up to this one.")]
RecipientId = Annotated[ParticipantId, Meta(description="To whom.")]
RecipientType = Annotated[ParticipantType, Meta(description="Which type the recipient is.")]
SenderId = Annotated[ParticipantId, Meta(description="From whom.")]
SenderType = Annotated[ParticipantType, Meta(description="Which type the sender is.")]
UserId = Annotated[ParticipantId, Meta(description="Who it is about.")]
UserType = Annotated[ParticipantType, Meta(description="Which type they are.")]
OwnId = Annotated[ParticipantId | None, Meta(description="If given, it must be the token's id.")]
OwnType = Annotated[
    ParticipantType | None, Meta(description="If given, it must be the token's type.")
]
Unread = Annotated[int, Meta(ge=0, description="Messages left unread in this conversation.")]
UnreadInAll = Annotated[
    int, Meta(ge=0, description="Messages left unread, the sum over all conversations.")
]


# --- What both sides speak of -------------------------------------------------------------------


class User(Struct, frozen=True):
    """A participant, as others see them."""

    id: ParticipantId
    type: UserType
    name: Name
    verified: Verified


class Seller(Struct, frozen=True):
    """A seller as anybody may see them before the first message."""

    id: ParticipantId
    type: UserType
    name: Name
    status: Presence
    last_seen: LastSeen


class OnlineUser(Struct, frozen=True):
    """A participant who is here now."""

    id: ParticipantId
    type: UserType
    name: Name
    status: Presence


class Message(Struct, frozen=True):
    """A stored message. ``message`` is plain text as typed, ``message_html`` is safe HTML of it.

    As the event ``new_message`` it goes to all sockets of the recipient and to the sender's other
    sockets; the one that sent it gets it in its acknowledgement.
    """

    id: Annotated[ObjectIdHex, Meta(description="The message's own id.")]
    conversation_id: ConversationId
    seq: Annotated[
        Seq, Meta(description="Its number in the conversation, and the only order: 1, 2, 3, …")
    ]
    client_id: Annotated[
        str, Meta(description="The sender's own id of it; the server's where they gave none.")
    ]
    sender_id: SenderId
    sender_type: SenderType
    sender_name: Annotated[str | None, Meta(description="What the sender is called. Plain text.")]
    recipient_id: RecipientId
    recipient_type: RecipientType
    subject: Annotated[str | None, Meta(description="What it is about, if the sender said so.")]
    message: Annotated[str, Meta(description="The plain text as typed; escape it before HTML.")]
    message_html: Annotated[
        str, Meta(description="Safe HTML of the text: escaped, with links and line breaks.")
    ]
    message_type: Annotated[
        MessageType, Meta(description="What kind it is; `system` is the server's own.")
    ]
    status: Annotated[
        MessageStatus,
        Meta(description="Stored, on a device of the recipient, or read. It never goes back."),
    ]
    created_at: Annotated[Timestamp, Meta(description="When it was stored.")]
    delivered_at: Annotated[Timestamp | None, Meta(description="When a device confirmed it.")]
    read_at: Annotated[Timestamp | None, Meta(description="When the recipient had read it.")]
    erased_at: Annotated[
        Timestamp | UnsetType,
        Meta(
            description="Only if what was said in it is gone, as its sender had it erased: the"
            " texts are empty then, and subject and sender's name are null. Its `seq` stays."
        ),
    ] = UNSET


class ConversationParticipant(Struct, frozen=True):
    """A user with how far they are in this conversation, and how present."""

    id: ParticipantId
    type: UserType
    name: Name
    verified: Verified
    delivered_seq: DeliveredSeq
    read_seq: ReadSeq
    status: Presence
    first_seen: Annotated[Timestamp | None, Meta(description="Since when they are known.")]
    last_seen: LastSeen


class Conversation(Struct, frozen=True):
    """Two participants' one conversation, as the asking one sees it (``unread`` is theirs)."""

    id: Annotated[ObjectIdHex, Meta(description="The conversation's own id.")]
    participants: Annotated[
        list[ConversationParticipant], Meta(description="Both, in no order of meaning.")
    ]
    first_seq: Annotated[
        int,
        Meta(
            description="The oldest message that is still kept; one more than `last_seq` where"
            " none is."
        ),
    ]
    last_seq: Annotated[int, Meta(description="The newest message, kept or not.")]
    last_message: Annotated[
        Message | None, Meta(description="The newest message itself; null: it is not kept.")
    ]
    unread: Unread
    updated_at: Annotated[Timestamp, Meta(description="When its last message was stored.")]


class ErrorData(Struct, frozen=True, omit_defaults=True):
    """Why something was refused."""

    code: Annotated[ErrorCode, Meta(description="One of a fixed list, for programs.")]
    message: Annotated[str, Meta(description="One sentence for people; its wording may change.")]
    field: Annotated[str | None, Meta(description="The part of the input that is wrong.")] = None
    retry_after: Annotated[
        float | None, Meta(description="After how many seconds to try again.")
    ] = None


class Limits(Struct, frozen=True):
    """What the server takes from this participant."""

    message_characters: Annotated[int, Meta(description="How long a message may be.")]
    subject_characters: Annotated[int, Meta(description="How long a subject may be.")]
    frame_bytes: Annotated[int, Meta(description="How large a frame may be.")]
    messages_burst: Annotated[int, Meta(description="How many messages may come at once.")]
    messages_per_second: Annotated[float, Meta(description="How many a second after those.")]


class Nothing(Struct, frozen=True):
    """The empty object."""


# --- Commands: client to server, imperative -----------------------------------------------------


class RegisterUser(Struct, frozen=True):
    """Comes first: says that this socket listens, and since which ``seq`` it missed messages.

    After the acknowledgement come ``online_users``, then for each conversation in ``since`` the
    missed ``new_message`` events in order, then live events. Instead of the missed ones comes one
    ``reset`` where more than 1,000 are missing, where some of them are not kept any more, where
    ``since`` is ahead of the server, or where ``epoch`` is not the server's own: then its data is
    another than the client remembers.
    Conversations of others are passed over. Sent again on the same socket, it catches up again.
    """

    user_id: OwnId = None
    user_type: OwnType = None
    seller_id: Annotated[
        ParticipantId | None,
        Meta(
            description="The seller on whose page a buyer is; that seller's status is in"
            " `online_users`, and its changes follow."
        ),
    ] = None
    epoch: Annotated[
        Annotated[str, Meta(max_length=EPOCH_LENGTH)] | None,
        Meta(description="The `epoch` of the acknowledgement that `since` builds on."),
    ] = None
    since: Annotated[
        dict[str, WatermarkSeq] | None,
        Meta(
            description="Of each conversation the highest `seq` up to which the client has all;"
            " 0 asks for the whole conversation."
        ),
    ] = None


class SendMessage(Struct, frozen=True):
    """A message for one recipient; acknowledged only when it is stored for good.

    A message to oneself is ``invalid``, one from buyer to buyer ``forbidden``, one to somebody who
    is not known ``not_found``. All sockets of the recipient, and the sender's other sockets, get
    ``new_message``. Sending reads all before it: ``message_read`` tells so if anything was unread.
    """

    recipient_id: RecipientId
    recipient_type: RecipientType
    message: Annotated[
        str,
        Meta(
            description="1 to 4,000 characters of plain text.", examples=["Is it dishwasher-safe?"]
        ),
    ]
    subject: Annotated[str | None, Meta(description="Up to 200 characters, on one line.")] = None
    message_type: Annotated[ClientMessageType, Meta(description="What kind it is.")] = "general"
    client_id: Annotated[
        ClientId | None,
        Meta(
            description="The sender's own id of this message. Sent again with the same text and"
            " recipient, it is the same message; with others, it is a `conflict`."
        ),
    ] = None
    sender_id: OwnId = None
    sender_type: OwnType = None


class Typing(Struct, frozen=True):
    """The user began or stopped composing a message.

    The recipient's sockets get ``user_typing``. It ends by itself 6 s after the last one, at a
    message, and when the user's last socket goes; so it is repeated every 3 s or so while it is
    true. More than one a second is acknowledged and dropped.
    """

    recipient_id: RecipientId
    recipient_type: RecipientType
    is_typing: Annotated[bool, Meta(description="False: no longer.")]


class MarkAsDelivered(Struct, frozen=True):
    """A device of the recipient has all messages up to and including ``seq``.

    The other participant gets ``message_delivered`` and ``message_updated``, if that is news.
    """

    conversation_id: ConversationId
    seq: Annotated[Seq, Meta(description="A `seq` past the last counts as the last.")]


class MarkAsRead(Struct, frozen=True):
    """The reader has seen a message, or all up to and including ``seq``.

    Either ``message_id``, or ``conversation_id`` with ``seq``. Both participants' other sockets get
    ``message_read``, and the other participant ``message_updated``, if that is news. One's own
    message by its id is ``forbidden``.
    """

    message_id: Annotated[
        ObjectIdHex | None, Meta(description="This message, and all before it.")
    ] = None
    conversation_id: Annotated[
        ObjectIdHex | None, Meta(description="This conversation, up to `seq`.")
    ] = None
    seq: Annotated[Seq | None, Meta(description="A `seq` past the last counts as the last.")] = None


class JoinRoom(Struct, frozen=True):
    """The conversation is on this screen now.

    A room is a conversation. To who is no participant it is ``forbidden``, whether or not it
    exists. Messages come without joining, too.
    """

    room: ConversationId


class LeaveRoom(Struct, frozen=True):
    """The conversation is no longer on this screen."""

    room: ConversationId


class Product(Struct, frozen=True, omit_defaults=True):
    """What a page of the shop sells, as that page says it."""

    name: Annotated[str, Meta(description="What it is called.", examples=["Lichen mug"])]
    url: Annotated[WebAddress, Meta(description="Where it is shown.")]
    price: Annotated[
        Price | int | float | None, Meta(description="What it costs, as the page writes it.")
    ] = None
    image: Annotated[WebAddress | None, Meta(description="A picture of it.")] = None


class UpdateContext(Struct, frozen=True, omit_defaults=True):
    """What a buyer is looking at; a seller is told ``forbidden``.

    The seller whose page it is and the sellers who share a conversation with the buyer get
    ``context_changed``. It is the buyer's word: not checked, and not stored.
    """

    url: Annotated[WebAddress, Meta(description="The page they are on.")]
    title: Annotated[str, Meta(description="The page's title.", examples=["Lichen mug – Omar’s"])]
    language: Annotated[LanguageTag | None, Meta(description="The browser's language.")] = None
    time_zone: Annotated[TimeZone | None, Meta(description="The browser's time zone.")] = None
    product: Annotated[Product | None, Meta(description="What the page sells.")] = None


class UpdateStatus(Struct, frozen=True):
    """How present the user wants to be; ``offline`` is invisible, and the socket stays.

    Those who may see it get ``user_status_changed``.
    """

    status: Annotated[PresenceStatus, Meta(description="It holds for all of the user's sockets.")]


# --- Answers to commands ------------------------------------------------------------------------


class Registered(Struct, frozen=True, omit_defaults=True):
    """Answers ``register_user``."""

    user: Annotated[User, Meta(description="Who this socket is, by its token.")]
    server_time: Annotated[Timestamp, Meta(description="The server's clock.")]
    epoch: Annotated[str, Meta(description="Names the server's data; keep it beside each `seq`.")]
    unread: UnreadInAll
    conversations: Annotated[
        list[Conversation], Meta(description="The newest, up to 100; the rest is there over HTTP.")
    ]
    limits: Limits
    token: Annotated[
        str | None,
        Meta(
            description="Only for a guest, once a third of the old token's time is gone: the new"
            " one, to be kept in its place."
        ),
    ] = None


class Sent(Struct, frozen=True):
    """Answers ``send_message``."""

    message: Annotated[Message, Meta(description="The message as it is stored.")]
    duplicate: Annotated[bool, Meta(description="True if this `client_id` had been stored before.")]


class Delivered(Struct, frozen=True):
    """Answers ``mark_as_delivered``: how far the watermark stands now."""

    conversation_id: ConversationId
    delivered_seq: DeliveredSeq


class Read(Struct, frozen=True):
    """Answers ``mark_as_read``: how far the watermark stands now, and what is left unread."""

    conversation_id: ConversationId
    read_seq: ReadSeq
    unread: Unread


class Joined(Struct, frozen=True):
    """Answers ``join_room``."""

    room: ConversationId
    conversation: Conversation


class Left(Struct, frozen=True):
    """Answers ``leave_room``."""

    room: ConversationId


class StatusUpdated(Struct, frozen=True):
    """Answers ``update_status``."""

    status: Presence


# --- What only HTTP asks and answers --------------------------------------------------------------

PAGE_MOST: Final = 100
PageLimit = Annotated[int, Meta(ge=1, le=PAGE_MOST, description="How many at most.")]
PageCursor = Annotated[
    str, Meta(max_length=64, description="The `next` of the page before; opaque.")
]
NextPage = Annotated[
    str | None, Meta(description="The `before` of the page after this one; null: there is none.")
]


class ParticipantPath(Struct, frozen=True):
    """With whom, in an address."""

    participant_id: Annotated[ParticipantId, Meta(description="With whom.")]
    participant_type: Annotated[ParticipantType, Meta(description="Which type they are.")]


class ConversationQuery(Struct, frozen=True):
    """Which page of a conversation: before a ``seq``, after one, or the newest."""

    before: Annotated[Seq | None, Meta(description="Only messages older than this one.")] = None
    after: Annotated[
        WatermarkSeq | None, Meta(description="Only messages newer than this one, oldest first.")
    ] = None
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
    filter: Annotated[
        Literal["all", "unread"], Meta(description="`unread`: only those with unread messages.")
    ] = "all"
    name: Annotated[
        str,
        Meta(
            max_length=NAME_FILTER_LENGTH,
            description="Only conversations with people of whose names a word begins like this;"
            " of several words, all. Capitals and accents do not count.",
        ),
    ] = ""


class MessageAnswer(Struct, frozen=True):
    """One message."""

    message: Message


class MessageReadAnswer(Struct, frozen=True):
    """A message that was read."""

    message: Message
    unread: UnreadInAll


class MessageList(Struct, frozen=True):
    """A page of messages."""

    messages: Annotated[list[Message], Meta(description="Newest first.")]
    next: NextPage


class UnreadCount(Struct, frozen=True):
    """How much is unread."""

    count: UnreadInAll
    conversations: Annotated[
        dict[str, int],
        Meta(description="How many in each conversation that has any, by its id."),
    ]


class ConversationPage(Struct, frozen=True):
    """A page of one conversation; null and empty for two who never spoke."""

    conversation: Annotated[Conversation | None, Meta(description="Null: not one message yet.")]
    messages: Annotated[list[Message], Meta(description="Oldest first.")]
    has_more: Annotated[
        bool,
        Meta(description="Whether there are older ones; with `after`, whether there are newer."),
    ]


class ConversationList(Struct, frozen=True):
    """A page of conversations."""

    conversations: Annotated[list[Conversation], Meta(description="Newest first.")]
    next: NextPage


class Availability(Struct, frozen=True):
    """How soon a seller usually answers and when they are usually back, by the last 30 days.

    Coarse on purpose: it is for everybody. Who is invisible looks like who is not there.
    """

    replies_in: Annotated[
        int | None,
        Meta(
            description="Half of their answers to buyers took no more than so many seconds. Null:"
            " too few answers to tell, or more than a week.",
            examples=[900],
        ),
    ]
    back_at: Annotated[
        Timestamp | None,
        Meta(
            description="The beginning of the hour in which they are usually online next. Null:"
            " they are online, or it is not known."
        ),
    ]


class SellerAnswer(Struct, frozen=True):
    """A seller, for everybody."""

    seller: Seller
    availability: Availability


class GuestRequest(Struct, frozen=True):
    """An anonymous buyer wants to write to this seller."""

    seller_id: Annotated[ParticipantId, Meta(description="The seller on whose page they are.")]


class IdentifyRequest(Struct, frozen=True):
    """What the shop says of its logged-in buyer, and the guest they were until now."""

    identity: Annotated[str, Meta(description="The JWT that the shop's back end signed.")]
    guest_token: Annotated[
        str | None,
        Meta(
            description="The guest's token: their conversation becomes the buyer's, once. A bad or"
            " used one changes nothing."
        ),
    ] = None


class SessionAnswer(Struct, frozen=True):
    """Who the asking one is from now on."""

    token: Annotated[str, Meta(description="Introduces them from now on; keep it.")]
    user: User


class ApiDescription(Struct, frozen=True):
    """The calls over HTTP, as an OpenAPI 3.1 document."""

    openapi: Annotated[str, Meta(description="The version of OpenAPI that it is written in.")]
    info: Annotated[dict[str, Any], Meta(description="Name and version of what it describes.")]
    paths: Annotated[dict[str, Any], Meta(description="Every call, by address and method.")]
    components: Annotated[
        dict[str, Any], Meta(description="The objects that calls speak of, as JSON schemas.")
    ]


class ErrorAnswer(Struct, frozen=True):
    """The one envelope of every refusal over HTTP."""

    error: ErrorData


# --- Events: server to client, past tense -------------------------------------------------------


class UserTyping(Struct, frozen=True):
    """Somebody is composing a message, for ``expires_in`` seconds at most."""

    conversation_id: Annotated[
        ObjectIdHex | None, Meta(description="Null before the first message.")
    ]
    sender_id: SenderId
    sender_type: SenderType
    sender_name: Name
    is_typing: Annotated[bool, Meta(description="False: no longer.")]
    expires_in: Annotated[
        int, Meta(description="After so many seconds without another one, take it as over.")
    ] = TYPING_SECONDS


class MessageDelivered(Struct, frozen=True):
    """A device of ``user_id`` confirmed all messages up to and including ``seq``.

    For the other participant, who wrote them.
    """

    conversation_id: ConversationId
    message_id: MessageId
    seq: UpToSeq
    user_id: UserId
    user_type: UserType
    delivered_at: Annotated[Timestamp, Meta(description="When it was confirmed.")]


class MessageRead(Struct, frozen=True):
    """``user_id`` has read all messages up to and including ``seq``.

    For the other participant, and for the reader's own other sockets.
    """

    conversation_id: ConversationId
    message_id: MessageId
    seq: UpToSeq
    user_id: UserId
    user_type: UserType
    read_at: Annotated[Timestamp, Meta(description="When it was read.")]


class MessageChanges(Struct, frozen=True, omit_defaults=True):
    """What is different now about a message: fields of it with their new values."""

    status: Annotated[MessageStatus | UnsetType, Meta(description="Its new status.")] = UNSET


class MessageUpdated(Struct, frozen=True):
    """For a message's sender: its status moved, and so did that of all before it."""

    conversation_id: ConversationId
    message_id: MessageId
    seq: UpToSeq
    changes: MessageChanges


class ContextChanged(Struct, frozen=True):
    """A buyer looks at another page of the shop.

    For the seller whose page it is, and for sellers who share a conversation with the buyer. Show
    it as what the page says: nobody has checked it.
    """

    user_id: UserId
    user_type: UserType
    context: Annotated[UpdateContext, Meta(description="What they said.")]


class UserStatusChanged(Struct, frozen=True):
    """Somebody came, went, or is away.

    Seen by those who share a conversation with them, and of a seller by the buyers on their page.
    Who has a registered socket is here; after the last one closed that holds for another 15 s, so
    a page change shows nothing.
    """

    user_id: UserId
    user_type: UserType
    status: Presence
    last_seen: LastSeen


class OnlineUsers(Struct, frozen=True):
    """Who is here now, of those whom the user may see. Comes after each registration."""

    users: Annotated[list[OnlineUser], Meta(description="Who is not among them is offline.")]


class Reset(Struct, frozen=True):
    """Reload this conversation over HTTP.

    Too much was missed, the server's data is another, a guest's messages became a buyer's, or what
    somebody wrote was erased.
    """

    conversation_id: ConversationId


class Beat(Struct, frozen=True):
    """A sign of life every 25 s; who hears nothing for 45 s reconnects."""

    server_time: Annotated[Timestamp, Meta(description="The server's clock.")]


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
    "update_context": Command(UpdateContext, "update_context", Nothing),
    "update_status": Command(UpdateStatus, "update_status", StatusUpdated),
}

EVENTS: Final[dict[type[Struct], str]] = {
    Message: "new_message",
    UserTyping: "user_typing",
    MessageDelivered: "message_delivered",
    MessageRead: "message_read",
    MessageUpdated: "message_updated",
    ContextChanged: "context_changed",
    UserStatusChanged: "user_status_changed",
    OnlineUsers: "online_users",
    Reset: "reset",
    Beat: "beat",
}


def timestamp(moment: datetime) -> Timestamp:
    """The wire's form of an aware time: ``2026-01-02T03:04:05.678Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
