"""How messages, conversations and people lie in the database, as documents, and back.

Known to ``store.py`` alone. The fields are the schema of the database, which ``store_schema.py``
numbers.
"""

from collections import Counter
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final, NamedTuple, cast

from bson import ObjectId

from models.conversation import Conversation, Participant, Place, Step, StoredMessage
from models.preferences import Preferences
from models.timesheet import Day, Timesheet

Document = dict[str, Any]

STEPS_KEPT: Final = 20  # steps of a watermark that are kept, so that read_at stays what it was


@dataclass(frozen=True, slots=True)
class StoredParticipant:
    """What is kept of a person. ``tokens_valid_from`` is in seconds since the epoch, 0 for ever."""

    key: str
    name: str
    email: str | None
    first_seen: datetime | None
    last_seen: datetime | None
    password_hash: str | None
    tokens_valid_from: int
    disabled: bool

    @property
    def participant(self) -> Participant:
        return Participant.from_key(self.key)


class Erasure(NamedTuple):
    """Somebody has to go: whose tokens made before ``valid_from`` (seconds since the epoch) are
    refused, and whether all that they left is gone by now."""

    key: str
    at: datetime
    valid_from: int
    is_done: bool


def sent_as(sender: str, client_id: str) -> str:
    """One string for the pair: the engine serves ``$in`` from an index on one field only."""
    return f"{sender}|{client_id}"


def message_document(message: StoredMessage) -> Document:
    erased = {"erased_at": message.erased_at} if message.erased_at else {}
    return {
        "_id": ObjectId(message.id),
        "conversation": ObjectId(message.conversation_id),
        "seq": message.seq,
        "sender": message.sender,
        "recipient": message.recipient,
        "client_id": message.client_id,
        "sent_as": sent_as(message.sender, message.client_id),
        "kind": message.kind,
        "subject": message.subject,
        "text": message.text,
        "at": message.at,
        **erased,
    }


def message_from(document: Document) -> StoredMessage:
    return StoredMessage(
        id=str(document["_id"]),
        conversation_id=str(document["conversation"]),
        seq=document["seq"],
        sender=document["sender"],
        recipient=document["recipient"],
        client_id=document["client_id"],
        kind=document["kind"],
        subject=document["subject"],
        text=document["text"],
        at=document["at"],
        erased_at=document.get("erased_at"),
    )


def erasure_from(document: Document) -> Erasure:
    return Erasure(document["_id"], document["at"], document["valid_from"], document["done"])


def step_document(step: Step) -> Document:
    return {"seq": step.seq, "at": step.at}


def _steps(documents: list[Document]) -> list[Step]:
    return sorted(Step(document["seq"], document["at"]) for document in documents)


def conversation_document(conversation: Conversation) -> Document:
    return {
        "_id": ObjectId(conversation.id),
        "pair": "|".join(conversation.keys),
        "participants": [
            {
                "key": place.key,
                "name": place.name,
                "delivered_seq": place.delivered_seq,
                "read_seq": place.read_seq,
                "delivered": [step_document(step) for step in place.delivered[-STEPS_KEPT:]],
                "read": [step_document(step) for step in place.read[-STEPS_KEPT:]],
            }
            for place in conversation.places
        ],
        "unread_for": [key for key in conversation.keys if conversation.unread_of(key)],
        "first_seq": conversation.first_seq,
        "last_seq": conversation.last_seq,
        "last": None if conversation.last is None else message_document(conversation.last),
        "turn_at": conversation.turn_at,
        "updated_at": conversation.updated_at,
    }


def conversation_from(document: Document) -> Conversation:
    first, second = (
        Place(
            key=place["key"],
            name=place["name"],
            delivered_seq=place["delivered_seq"],
            read_seq=place["read_seq"],
            delivered=_steps(place["delivered"]),
            read=_steps(place["read"]),
        )
        for place in document["participants"]
    )
    return Conversation(
        id=str(document["_id"]),
        places=(first, second),
        first_seq=document["first_seq"],
        last_seq=document["last_seq"],
        last=last_message_from(document),
        turn_at=document.get("turn_at"),
        updated_at=document["updated_at"],
    )


def last_message_from(document: Document) -> StoredMessage | None:
    """The last message, unless it was removed after the summary was written."""
    last = document.get("last")
    return message_from(last) if last and last["seq"] >= document["first_seq"] else None


def unread_from(document: Document, key: str) -> int:
    [read_seq] = [place["read_seq"] for place in document["participants"] if place["key"] == key]
    return cast(int, max(0, document["last_seq"] - read_seq))


def participant_from(document: Document) -> StoredParticipant:
    return StoredParticipant(
        key=document["_id"],
        name=document.get("name", ""),
        email=document.get("email"),
        first_seen=document.get("first_seen"),
        last_seen=document.get("last_seen"),
        password_hash=document.get("password_hash"),
        tokens_valid_from=document.get("tokens_valid_from", 0),
        disabled=document.get("disabled", False),
    )


def timesheet_document(sheet: Timesheet) -> Document:
    return {
        on.isoformat(): {
            "hours": day.hours,
            "replies": {str(seconds): count for seconds, count in sorted(day.replies.items())},
        }
        for on, day in sheet.days.items()
    }


def timesheet_from(document: Document) -> Timesheet:
    days = {
        date.fromisoformat(on): Day(
            day["hours"], Counter({int(step): count for step, count in day["replies"].items()})
        )
        for on, day in document.items()
    }
    return Timesheet(days)


def preferences_from(document: Document) -> Preferences:
    """What an older Shopbell did not know is as it is at first; a newer one's choices are left."""
    known = {field.name for field in fields(Preferences)}
    return Preferences(**{name: chosen for name, chosen in document.items() if name in known})
