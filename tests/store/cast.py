"""Maya and Lena buy, Omar and Nils sell; and what they say, with defaults for all that is alike."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from models.conversation import (
    Conversation,
    Identity,
    Participant,
    Place,
    StoredMessage,
    pair_of,
)
from models.hub import Connection
from models.journal import Draft
from models.store import new_id

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

_numbers = count(1)


def identity(type_: str, id_: str) -> Identity:
    participant = Participant("Seller" if type_ == "Seller" else "Buyer", id_)
    return Identity(participant, id_.title(), f"session of {id_}", 0, 2**40)


MAYA = identity("Buyer", "maya")
LENA = identity("Buyer", "lena")
OMAR = identity("Seller", "omar")
NILS = identity("Seller", "nils")


def draft(text="Hello", sender=MAYA, to=OMAR, *, client_id=None, origin=None) -> Draft:
    return Draft(
        sender=sender,
        recipient=to.participant,
        recipient_name=to.name,
        text=text,
        subject=None,
        kind="general",
        client_id=client_id or f"c{next(_numbers)}",
        origin=origin,
    )


def message(conversation_id, seq, *, sender=MAYA, to=OMAR, at=NOON, client_id=None, text="Hello"):
    return StoredMessage(
        id=new_id(),
        conversation_id=conversation_id,
        seq=seq,
        sender=sender.key,
        recipient=to.key,
        client_id=client_id or f"c{next(_numbers)}",
        kind="general",
        subject=None,
        text=text,
        at=at,
    )


def conversation(one=MAYA, other=OMAR, *, messages=0, at=NOON) -> Conversation:
    """One between two who both have read nothing."""
    first, second = (Place(key, key) for key in pair_of(one.key, other.key).split("|"))
    made = Conversation(new_id(), (first, second), messages, None, at)
    if messages:
        made.last = message(made.id, messages, sender=one, to=other, at=at)
    return made


class Listener(Connection):
    """A registered socket's end in the models, without a network."""

    def __init__(self, who: Identity) -> None:
        self.closed: list[int] = []
        super().__init__(
            who, wake=lambda: None, close=lambda code, reason: self.closed.append(code)
        )
        self.registered = True

    def heard(self, *names: str) -> list[dict[str, Any]]:
        """What came since the last call; with names, the data of these events only."""
        frames = [json.loads(event) for event in self.outbox.empty()]
        return [frame["data"] for frame in frames if not names or frame["event"] in names]


async def eventually(is_so: Callable[[], object], seconds: float = 10) -> None:
    """Waits for what nobody tells of."""
    for _ in range(int(seconds / 0.01)):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"It did not come about within {seconds} s.")
