from datetime import UTC, datetime, timedelta

from models import wire
from models.conversation import Conversation, Participant, Place, Step, StoredMessage
from models.store import StoredParticipant

MAYA = Participant("Buyer", "maya")
GUEST = Participant("Buyer", "guest-5f")
OMAR = Participant("Seller", "omar")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def stored(seq=1, sender=MAYA, recipient=OMAR, text="<b>Hello</b>"):
    return StoredMessage(
        id="a" * 24,
        conversation_id="b" * 24,
        seq=seq,
        sender=sender.key,
        recipient=recipient.key,
        client_id="c",
        kind="product",
        subject="Mugs",
        text=text,
        at=NOON,
    )


def talk(buyer=MAYA, *, last_seq=3):
    omar = Place(OMAR.key, "Omar", 2, 1, [Step(2, NOON + HOUR)], [Step(1, NOON + 2 * HOUR)])
    places = (Place(buyer.key, "Maya", 3, 3), omar)
    return Conversation("b" * 24, places, last_seq, stored(last_seq), NOON + HOUR)


def test_a_message_says_who_to_whom_what_and_when():
    message = wire.message(stored(1), talk())
    assert (message.sender_id, message.sender_type, message.sender_name) == (
        "maya",
        "Buyer",
        "Maya",
    )
    assert (message.recipient_id, message.recipient_type) == ("omar", "Seller")
    assert (message.message, message.message_html) == (
        "<b>Hello</b>",
        "&lt;b&gt;Hello&lt;/b&gt;",
    )
    assert (message.subject, message.message_type, message.client_id) == ("Mugs", "product", "c")
    assert message.created_at == "2026-01-02T12:00:00.000Z"


def test_a_messages_status_is_its_recipients():
    assert [wire.message(stored(seq), talk()).status for seq in (1, 2, 3)] == [
        *("read", "delivered", "sent")
    ]
    read = wire.message(stored(1), talk())
    assert (read.delivered_at, read.read_at) == (
        "2026-01-02T13:00:00.000Z",
        "2026-01-02T14:00:00.000Z",
    )
    answer = wire.message(stored(3, OMAR, MAYA), talk())
    assert answer.status == "read"


def test_a_message_from_before_a_handover_bears_the_buyers_name():
    message = wire.message(stored(1, GUEST, OMAR), talk(MAYA))
    assert (message.sender_id, message.sender_name) == ("maya", "Maya")
    to_guest = wire.message(stored(1, OMAR, GUEST), talk(MAYA))
    assert to_guest.recipient_id == "maya"


def test_a_conversation_counts_what_is_unread_for_who_asks():
    def unread_of(who):
        shown = wire.conversation(talk(), who.key, status=lambda key: "online", people={})
        return shown.unread

    assert (unread_of(MAYA), unread_of(OMAR)) == (0, 2)


def test_a_conversation_shows_both_as_others_may_see_them():
    person = StoredParticipant(OMAR.key, "O.", "omar@shop.example", NOON, NOON, "hash", 7, False)
    shown = wire.conversation(
        talk(GUEST),
        GUEST.key,
        status=lambda key: "away" if key == OMAR.key else "offline",
        people={OMAR.key: person},
    )
    guest, omar = shown.participants
    assert (guest.verified, guest.status, guest.first_seen) == (False, "offline", None)
    assert (omar.verified, omar.status, omar.first_seen) == (
        True,
        "away",
        "2026-01-02T12:00:00.000Z",
    )
    assert "omar@shop.example" not in repr(shown)
    assert "hash" not in repr(shown)
    assert (shown.last_message.seq, shown.updated_at) == (3, "2026-01-02T13:00:00.000Z")


def test_a_conversation_without_a_message_has_no_last_one():
    empty = talk(last_seq=0)
    empty.last = None
    shown = wire.conversation(empty, MAYA.key, status=lambda key: "offline", people={})
    assert shown.last_message is None
