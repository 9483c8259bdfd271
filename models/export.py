"""All that is kept of one person, as JSON: who they are, what they wrote and what they received.

Written piece by piece, so that a seller of many years costs no more memory than a buyer. It holds
what that person may see: of the others the public names, and never a password's hash.
"""

import base64
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from models import wire
from models.codec import encode
from models.conversation import Conversation, Participant, Place
from models.errors import NotFound
from models.events import User, timestamp
from models.preferences import Preferences
from models.store import Store, StoredParticipant
from models.timesheet import Timesheet

PAGE: Final = 200  # messages read at once


async def exported(store: Store, participant: Participant, at: datetime) -> AsyncIterator[bytes]:
    """The pieces of one JSON object.

    Raises ``NotFound`` before the first one where nothing is kept of them, and ``Unavailable``
    anywhere: then what came before is no JSON.
    """
    key = participant.key
    record = await store.participant(key)
    if record is None and not await store.conversations_of(key, before=None, limit=1):
        raise NotFound(f"Nothing is kept of {participant.type} {participant.id}.")
    head = encode({"exported_at": timestamp(at), **await _about(store, participant, record)})
    yield head[:-1] + b',"conversations":['
    separator = b"\n"
    told: set[str] = set()
    async for ids in store.conversation_ids_of(key):
        for id_ in dict.fromkeys(ids):
            # One by one, for it may have been a while; one that moved meanwhile comes twice.
            for conversation in await store.conversations([id_] if id_ not in told else []):
                told.add(id_)
                yield separator
                async for piece in _conversation(store, conversation, key):
                    yield piece
                separator = b",\n"
    yield b"\n]}\n"


async def _about(
    store: Store, participant: Participant, record: StoredParticipant | None
) -> dict[str, Any]:
    """What is kept of the person beside conversations; of who has no record, who they are."""
    key = participant.key
    preferences, logo = (await store.preferences()).get(key), await store.logo(key)
    return {
        "person": {
            "id": participant.id,
            "type": participant.type,
            "name": record.name if record else None,
            "email": record.email if record else None,
            "first_seen": _optional(record.first_seen if record else None),
            "last_seen": _optional(record.last_seen if record else None),
            "can_log_in": bool(record and record.password_hash and not record.disabled),
        },
        "preferences": asdict(preferences or Preferences()) if participant.type == "Seller" else {},
        "logo": {"type": logo.type, "base64": base64.b64encode(logo.content).decode()}
        if logo
        else None,
        "days": _days(await store.timesheet(key)),
    }


def _days(sheet: Timesheet) -> dict[str, Any]:
    """What a seller's availability is told from: when they were there, in hours of UTC, and how
    many of their answers took up to how many seconds."""
    return {
        on.isoformat(): {
            "hours": [hour for hour in range(24) if day.hours >> hour & 1],
            "replies": {str(seconds): count for seconds, count in sorted(day.replies.items())},
        }
        for on, day in sorted(sheet.days.items())
    }


async def _conversation(store: Store, conversation: Conversation, key: str) -> AsyncIterator[bytes]:
    own = conversation.place_of(key)
    head = encode(
        {
            "id": conversation.id,
            "with": _user(conversation.peer_of(key)),
            "delivered_seq": own.delivered_seq,
            "read_seq": own.read_seq,
            "updated_at": timestamp(conversation.updated_at),
        }
    )
    yield head[:-1] + b',"messages":['
    first, separator = conversation.first_seq, b"\n"
    while page := await store.messages_between(conversation.id, first, first + PAGE - 1):
        for message in page:
            yield separator + encode(wire.message(message, conversation))
            separator = b",\n"
        first = page[-1].seq + 1
    yield b"]}"


def _user(place: Place) -> User:
    participant = Participant.from_key(place.key)
    return User(participant.id, participant.type, place.name, participant.verified)


def _optional(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)
