"""From stored entities to wire objects, so that answers and events say the same of a message."""

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import UNSET

from models import events
from models.conversation import Conversation, Participant, Place, StoredMessage, status_of
from models.events import PresenceStatus, timestamp
from models.store import StoredParticipant
from models.text import message_html


def message(stored: StoredMessage, conversation: Conversation) -> events.Message:
    """A message as its two participants see it, its status from the recipient's watermarks."""
    from_, to = conversation.side_of(stored.sender), conversation.side_of(stored.recipient)
    sender, recipient = Participant.from_key(from_.key), Participant.from_key(to.key)
    status, delivered_at, read_at = status_of(stored, to)
    return events.Message(
        id=stored.id,
        conversation_id=stored.conversation_id,
        seq=stored.seq,
        client_id=stored.client_id,
        sender_id=sender.id,
        sender_type=sender.type,
        sender_name=None if stored.erased_at else from_.name,
        recipient_id=recipient.id,
        recipient_type=recipient.type,
        subject=stored.subject,
        message=stored.text,
        message_html=message_html(stored.text),
        message_type=stored.kind,
        status=status,
        created_at=timestamp(stored.at),
        delivered_at=_optional(delivered_at),
        read_at=_optional(read_at),
        erased_at=timestamp(stored.erased_at) if stored.erased_at else UNSET,
    )


def conversation(
    stored: Conversation,
    key: str,
    *,
    status: Callable[[str], PresenceStatus],
    people: Mapping[str, StoredParticipant],
) -> events.Conversation:
    """A conversation as the participant ``key`` sees it."""
    return events.Conversation(
        id=stored.id,
        participants=[
            _participant(place, status(place.key), people.get(place.key)) for place in stored.places
        ],
        first_seq=stored.first_seq,
        last_seq=stored.last_seq,
        last_message=None if stored.last is None else message(stored.last, stored),
        unread=stored.unread_of(key),
        updated_at=timestamp(stored.updated_at),
    )


def _participant(
    place: Place, status: PresenceStatus, person: StoredParticipant | None
) -> events.ConversationParticipant:
    participant = Participant.from_key(place.key)
    return events.ConversationParticipant(
        id=participant.id,
        type=participant.type,
        name=place.name,
        verified=participant.verified,
        delivered_seq=place.delivered_seq,
        read_seq=place.read_seq,
        status=status,
        first_seen=_optional(person.first_seen if person else None),
        last_seen=_optional(person.last_seen if person else None),
    )


def _optional(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
