"""One small story in wire objects: Maya asks Omar about a mug. The reference shows it as examples.

They are built from the structs themselves, so an example that lags behind does not even start.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from models import codec, events
from models.chat import FRAME_BYTES
from models.events import ErrorCode, ErrorData
from models.pace import RULES
from models.text import MESSAGE_CHARACTERS, SUBJECT_CHARACTERS, message_html
from models.version import VERSION

CONVERSATION_ID: Final = "65a1b2c3d4e5f60718293a4b"
MESSAGE_ID: Final = "65a1f3084bd2c7e8f9012d63"
OTHER_MESSAGE_ID: Final = "65a1f31f4bd2c7e8f9012d64"
TOKEN: Final = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJtYXlhIiwidHlwZSI6.…"  # noqa: S105  # cut
IDENTITY: Final = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJtYXlhIiwibmFtZSI6.…"
EPOCH: Final = "8f2c6b1e90d34a57"
CURSOR: Final = "MTc2ODAzNDcwNTY3OC42NWExYjJjM2Q0ZTVmNjA3MTgyOTNhNGI"

_EARLIER = "2026-01-10T08:41:30.120Z"
_SENT = "2026-01-10T08:45:05.678Z"
_DELIVERED = "2026-01-10T08:45:05.731Z"
_READ = "2026-01-10T08:45:19.402Z"
_TEXT = "Is the lichen mug dishwasher-safe?"

_maya = events.User(id="maya", type="Buyer", name="Maya", verified=True)
_guest = events.User(
    id="guest-5d0c7a92e41b4f6c8e13b7a9f2046d85", type="Buyer", name="Guest", verified=False
)
_message = events.Message(
    id=MESSAGE_ID,
    conversation_id=CONVERSATION_ID,
    seq=17,
    client_id="0b9d1f6e-6d0c-4f0e-9f3a-2b8f7f0c1d2e",
    sender_id="maya",
    sender_type="Buyer",
    sender_name="Maya",
    recipient_id="omar",
    recipient_type="Seller",
    subject=None,
    message=_TEXT,
    message_html=message_html(_TEXT),
    message_type="product",
    status="sent",
    created_at=_SENT,
    delivered_at=None,
    read_at=None,
)
_answer = replace(
    _message,
    id=OTHER_MESSAGE_ID,
    seq=18,
    client_id="c1f0a1de-93a2-4a39-8d0e-5a7b6e2f4c11",
    sender_id="omar",
    sender_type="Seller",
    sender_name="Omar’s Ceramics",
    recipient_id="maya",
    recipient_type="Buyer",
    message="Yes, all of them are.",
    message_html=message_html("Yes, all of them are."),
    message_type="general",
    created_at="2026-01-10T08:45:28.016Z",
)
_availability = events.Availability(replies_in=900, back_at=None)
_product = events.Product("Lichen mug", "https://shop.example/mugs/lichen", "€ 24.00")
_context = events.UpdateContext(
    url="https://shop.example/mugs/lichen",
    title="Lichen mug – Omar’s Ceramics",
    language="en-GB",
    time_zone="Europe/London",
    product=_product,
)
_before = replace(
    _answer,
    id="65a1f2324bd2c7e8f9012d62",
    seq=16,
    client_id="4f1a2a53-0f5e-4f55-a7c0-7f5d4f1c9b20",
    message="Your bowl is on its way.",
    message_html=message_html("Your bowl is on its way."),
    status="read",
    created_at=_EARLIER,
    delivered_at="2026-01-10T08:41:30.188Z",
    read_at="2026-01-10T08:41:36.940Z",
)
_maya_there = events.ConversationParticipant(
    id="maya",
    type="Buyer",
    name="Maya",
    verified=True,
    delivered_seq=16,
    read_seq=16,
    status="online",
    first_seen="2026-01-02T17:20:11.004Z",
    last_seen=_EARLIER,
)
_omar_there = replace(
    _maya_there,
    id="omar",
    type="Seller",
    name="Omar’s Ceramics",
    first_seen="2025-11-03T09:00:00.000Z",
)
_conversation = events.Conversation(
    id=CONVERSATION_ID,
    participants=[_maya_there, _omar_there],
    first_seq=1,
    last_seq=16,
    last_message=_before,
    unread=0,
    updated_at=_EARLIER,
)

_mug = events.Product("Lichen mug", "https://shop.example/mugs/lichen", price="€ 24.00")
_page = events.UpdateContext(
    _mug.url, "Lichen mug – Omar’s Ceramics", "ar-EG", "Africa/Cairo", product=_mug
)

_limits = events.Limits(
    message_characters=MESSAGE_CHARACTERS,
    subject_characters=SUBJECT_CHARACTERS,
    frame_bytes=FRAME_BYTES,
    messages_burst=RULES["messages:Buyer"].at_once,
    messages_per_second=1 / RULES["messages:Buyer"].seconds,
)

EXAMPLES: Final[dict[type[Struct], Struct]] = {
    type(example): example
    for example in [
        # What both sides speak of
        _maya,
        _message,
        _conversation,
        _maya_there,
        events.Seller("omar", "Seller", "Omar’s Ceramics", "online", _EARLIER),
        _availability,
        events.OnlineUser("omar", "Seller", "Omar’s Ceramics", "online"),
        events.ErrorData("invalid", "A message needs some text.", field="message"),
        _limits,
        events.MessageChanges("read"),
        _product,
        events.Nothing(),
        _mug,
        # Commands
        events.RegisterUser(seller_id="omar", epoch=EPOCH, since={CONVERSATION_ID: 16}),
        events.SendMessage(
            recipient_id="omar",
            recipient_type="Seller",
            message=_TEXT,
            message_type="product",
            client_id=_message.client_id,
        ),
        events.Typing("omar", "Seller", is_typing=True),
        events.MarkAsDelivered(CONVERSATION_ID, 18),
        events.MarkAsRead(conversation_id=CONVERSATION_ID, seq=18),
        events.JoinRoom(CONVERSATION_ID),
        events.LeaveRoom(CONVERSATION_ID),
        _page,
        _context,
        events.UpdateStatus("away"),
        # Answers to commands
        events.Registered(
            user=_maya,
            server_time="2026-01-10T08:44:41.009Z",
            epoch=EPOCH,
            unread=0,
            conversations=[_conversation],
            limits=_limits,
        ),
        events.Sent(_message, duplicate=False),
        events.Delivered(CONVERSATION_ID, 18),
        events.Read(CONVERSATION_ID, 18, unread=0),
        events.Joined(CONVERSATION_ID, _conversation),
        events.Left(CONVERSATION_ID),
        events.StatusUpdated("away"),
        # What only HTTP asks and answers
        events.ConversationQuery(after=16),
        events.MessagesQuery(unread="1"),
        events.ConversationsQuery(limit=10),
        events.MessageAnswer(_message),
        events.MessageReadAnswer(
            replace(_answer, status="read", delivered_at=_READ, read_at=_READ), unread=0
        ),
        events.MessageList([_answer], next=CURSOR),
        events.UnreadCount(1, {CONVERSATION_ID: 1}),
        events.ConversationPage(
            replace(
                _conversation,
                last_seq=17,
                last_message=_message,
                participants=[replace(_maya_there, read_seq=17), _omar_there],
                updated_at=_SENT,
            ),
            [_message],
            has_more=False,
        ),
        events.ConversationList([_conversation], next=None),
        events.SellerAnswer(
            events.Seller("omar", "Seller", "Omar’s Ceramics", "online", _EARLIER),
            _availability,
        ),
        events.GuestRequest("omar"),
        events.IdentifyRequest(identity=IDENTITY, guest_token=TOKEN),
        events.SessionAnswer(TOKEN, _maya),
        events.ApiDescription("3.1.0", {"title": "Shopbell", "version": VERSION}, {}, {}),
        # Events
        events.UserTyping(CONVERSATION_ID, "omar", "Seller", "Omar’s Ceramics", is_typing=True),
        events.MessageDelivered(CONVERSATION_ID, MESSAGE_ID, 17, "omar", "Seller", _DELIVERED),
        events.MessageRead(CONVERSATION_ID, MESSAGE_ID, 17, "omar", "Seller", _READ),
        events.MessageUpdated(CONVERSATION_ID, MESSAGE_ID, 17, events.MessageChanges("read")),
        events.ContextChanged("maya", "Buyer", _page),
        events.ContextChanged("maya", "Buyer", _context),
        events.UserStatusChanged("omar", "Seller", "away", _READ),
        events.OnlineUsers([events.OnlineUser("omar", "Seller", "Omar’s Ceramics", "online")]),
        events.Reset(CONVERSATION_ID),
        events.Beat("2026-01-10T08:45:06.009Z"),
    ]
}

REFUSALS: Final[dict[ErrorCode, ErrorData]] = {
    error.code: error
    for error in [
        ErrorData("bad_request", "This is not JSON."),
        ErrorData("invalid", "A message needs some text.", field="message"),
        ErrorData("unauthorized", "A valid token is needed."),
        ErrorData("not_registered", "register_user comes first."),
        ErrorData("forbidden", "Buyers write to sellers."),
        ErrorData("not_found", "Nobody is known by this id.", field="recipient_id"),
        ErrorData("conflict", "This client_id was used for another message.", field="client_id"),
        ErrorData("too_large", "A body may have 64 KiB."),
        ErrorData("unsupported_media_type", "A body has to say that it is application/json."),
        ErrorData("rate_limited", "That was too fast. Please try again in 1 s.", retry_after=0.731),
        ErrorData("unavailable", "The database does not answer. Please try again."),
        ErrorData("internal", "Something went wrong on our side."),
    ]
}

# A guest's session looks like a buyer's, but for the user.
GUEST_SESSION: Final = events.SessionAnswer(TOKEN, _guest)


def written(example: Struct) -> dict[str, Any]:
    """An example as it goes over the wire, without what a client would leave open."""
    plain: dict[str, Any] = msgspec.to_builtins(example)
    for field in codec.fields_of(type(example)):
        if field.default is None and plain.get(field.encode_name) is None:
            plain.pop(field.encode_name, None)
    return plain


# --- Programs -----------------------------------------------------------------------------------

# The tests run both.
FIRST_CLIENT: Final = """
const server = "ORIGIN";
const seller = "omar";

const session = await fetch(`${server}/api/session/guest`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ seller_id: seller }),
});
const { token } = await session.json();

const address = server.replace("http", "ws") + "/ws";
const socket = new WebSocket(address, ["shopbell.v1", `bearer.${token}`]);
const known = {}; // of each conversation the seq up to which everything has come
const say = (event, data, id) => socket.send(JSON.stringify({ event, data, id }));

const hear = {
  ack({ id, data }) {
    if (id === "hello") {
      say("send_message", {
        recipient_id: seller,
        recipient_type: "Seller",
        message: "Is it dishwasher-safe?",
        client_id: crypto.randomUUID(), // the same one for every further try
      }, "question");
    } else {
      console.log("stored:", data.message.message);
    }
  },
  error({ data }) {
    console.error(data.code, data.message);
  },
  new_message({ data }) {
    if (data.seq <= (known[data.conversation_id] ?? 0)) return; // it had come before
    known[data.conversation_id] = data.seq;
    console.log(`${data.sender_name}:`, data.message);
    say("mark_as_read", { conversation_id: data.conversation_id, seq: data.seq });
  },
};

socket.onopen = () => say("register_user", { seller_id: seller, since: known }, "hello");
socket.onmessage = ({ data }) => {
  for (const frame of [JSON.parse(data)].flat()) hear[frame.event]?.(frame);
};
"""

IDENTITY_CODE: Final = """
import base64, hashlib, hmac, json, time


def identity(customer_id, name, identity_secret):
    def encoded(part):
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    now = int(time.time())
    head = {"alg": "HS256", "typ": "JWT"}
    claims = {"sub": customer_id, "name": name, "iat": now, "exp": now + 3600}
    signed = b".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    signature = hmac.new(identity_secret.encode(), signed, hashlib.sha256).digest()
    return b".".join([signed, encoded(signature)]).decode()
"""
