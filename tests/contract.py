"""The shapes that the protocol promises, written down once more by an outsider.

Tests compare with these, never with the program's own structs: those are what is being tested.
"""

import re
from typing import Any, Final

USER: Final = {"id", "type", "name", "verified"}
PARTICIPANT: Final = USER | {"delivered_seq", "read_seq", "status", "first_seen", "last_seen"}
MESSAGE: Final = {
    *("id", "conversation_id", "seq", "client_id", "sender_id", "sender_type", "sender_name"),
    *("recipient_id", "recipient_type", "subject", "message", "message_html", "message_type"),
    *("status", "created_at", "delivered_at", "read_at"),
}
CONVERSATION: Final = {
    *("id", "participants", "first_seq", "last_seq", "last_message", "unread", "updated_at"),
}

MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
HEX: Final = re.compile(r"[0-9a-f]{24}")
NOWHERE: Final = "0" * 24  # the id of no conversation and of no message

# What Rocket.Chat and others took from a client and handed to their database.
OPERATORS: Final[list[Any]] = [
    {"$ne": None},
    {"$regex": ".*"},
    {"$gt": ""},
    {"$where": "1"},
    ["a"],
    [{"$ne": None}],
    {"a.b": 1},
    {},
]


def check_message(message: dict[str, Any]) -> None:
    """Fails unless this is a whole message, with nothing beside."""
    assert message.keys() == MESSAGE
    assert HEX.fullmatch(message["id"])
    assert HEX.fullmatch(message["conversation_id"])
    assert MOMENT.fullmatch(message["created_at"])
    assert 1 <= len(message["client_id"]) <= 64
    assert message["status"] in {"sent", "delivered", "read"}


def check_conversation(conversation: dict[str, Any]) -> None:
    """Fails unless this is a whole conversation, with nothing beside."""
    assert conversation.keys() == CONVERSATION
    assert HEX.fullmatch(conversation["id"])
    assert MOMENT.fullmatch(conversation["updated_at"])
    assert [participant.keys() for participant in conversation["participants"]] == [PARTICIPANT] * 2
    check_message(conversation["last_message"])


def place(conversation: dict[str, Any], id_: str) -> dict[str, Any]:
    """One participant of a conversation."""
    [found] = [person for person in conversation["participants"] if person["id"] == id_]
    return found
