"""The things of the trade: participants, their one conversation, and what is stored of a message.

Plain values with the rules that need nothing but them. How they lie in the database is
``store_documents.py``'s knowledge, how they look on the wire ``events.py``'s.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from models.errors import Forbidden, Invalid
from models.events import (
    MessageStatus,
    MessageType,
    ParticipantType,
    User,
)

GUEST_PREFIX: Final = "guest-"


class Participant(NamedTuple):
    """The pair that names somebody: a type and an id. ``key`` is its one-string form."""

    type: ParticipantType
    id: str

    @property
    def key(self) -> str:
        return f"{self.type}:{self.id}"

    @property
    def verified(self) -> bool:
        """Whether the shop vouches for them: all but guests, whose ids only Shopbell gives out."""
        return self.type == "Seller" or not self.id.startswith(GUEST_PREFIX)

    @classmethod
    def from_key(cls, key: str) -> "Participant":
        type_, _, id_ = key.partition(":")
        return cls("Seller" if type_ == "Seller" else "Buyer", id_)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whom a valid token introduced: the only ``who`` that commands are done for.

    ``session`` names the token for revocation; times are seconds since the epoch. ``key`` is the
    participant's, which every frame asks for several times.
    """

    participant: Participant
    name: str
    session: str
    issued_at: int
    expires_at: int
    key: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.participant.key)

    @property
    def user(self) -> User:
        id_, type_ = self.participant.id, self.participant.type
        return User(id_, type_, self.name, self.participant.verified)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it lies in the database. ``text`` is as typed; ``sender`` and ``recipient`` are
    participants' keys. Of one that was erased the text is empty, and it is known since when."""

    id: str
    conversation_id: str
    seq: int
    sender: str
    recipient: str
    client_id: str
    kind: MessageType
    subject: str | None
    text: str
    at: datetime
    erased_at: datetime | None = None

    def renamed(self, old: str, new: str) -> "StoredMessage":
        """The same message, where somebody bears another key."""
        return replace(
            self,
            sender=new if self.sender == old else self.sender,
            recipient=new if self.recipient == old else self.recipient,
        )

    def erased(self, at: datetime) -> "StoredMessage":
        """The same message without what was said in it. It keeps its place, and its ``client_id``:
        sent once more it is this message, and not a new one."""
        return replace(self, text="", subject=None, erased_at=self.erased_at or at)


class Step(NamedTuple):
    """A watermark moved to ``seq`` at ``at``."""

    seq: int
    at: datetime


@dataclass(slots=True)
class Place:
    """How far one participant is in a conversation.

    ``delivered`` and ``read`` hold the latest steps of the two watermarks, oldest first: enough to
    tell when a recent message was passed.
    """

    key: str
    name: str
    delivered_seq: int = 0
    read_seq: int = 0
    delivered: list[Step] = field(default_factory=list)
    read: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class Conversation:
    """Two participants' one conversation. ``places`` are in the order of the sorted pair.

    ``turn_at`` is when the last message's sender began to speak: the other side has been silent
    since then. None where that was not noted. The messages before ``first_seq`` are gone; where it
    is past ``last_seq``, all are, and ``last`` is None.
    """

    id: str
    places: tuple[Place, Place]
    last_seq: int
    last: StoredMessage | None
    updated_at: datetime
    first_seq: int = 1
    turn_at: datetime | None = None

    @property
    def keys(self) -> tuple[str, str]:
        return (self.places[0].key, self.places[1].key)

    def copy(self) -> "Conversation":
        """The conversation as it stands now, whatever becomes of it."""
        first, second = self.places
        return replace(self, places=(replace(first), replace(second)))

    def place_of(self, key: str) -> Place:
        """The participant's place. Raises ``KeyError`` for a stranger."""
        for place in self.places:
            if place.key == key:
                return place
        raise KeyError(key)

    def peer_of(self, key: str) -> Place:
        """The other participant's place. Raises ``KeyError`` for a stranger."""
        self.place_of(key)
        first, second = self.places
        return second if first.key == key else first

    def side_of(self, key: str) -> Place:
        """The place of a message's sender or recipient: by key or, while a guest's messages are
        handed over to the buyer they turned out to be, by type."""
        for place in self.places:
            if place.key == key:
                return place
        type_ = Participant.from_key(key).type
        return next(p for p in self.places if Participant.from_key(p.key).type == type_)

    def is_answered_by(self, message: StoredMessage) -> bool:
        """Whether a message that comes next is from the other side than the last one."""
        last = self.last
        return last is not None and self.side_of(last.sender) is not self.side_of(message.sender)

    def unread_of(self, key: str) -> int:
        return max(0, self.last_seq - self.place_of(key).read_seq)

    def unread_range_of(self, key: str) -> range:
        """The ``seq`` of what is unread for one side, and is there still."""
        return range(max(self.first_seq, self.place_of(key).read_seq + 1), self.last_seq + 1)


def pair_of(one: str, other: str) -> str:
    """What two participants' one conversation is found by: both keys, sorted.

    A bar can stand in no id, so two pairs never look alike.
    """
    return "|".join(sorted((one, other)))


def check_may_talk(sender: Participant, recipient: Participant) -> None:
    """CONTRACT section 4, ``send_message``: not to oneself, and no buyer to a buyer.

    Raises ``Invalid`` or ``Forbidden``.
    """
    if sender == recipient:
        raise Invalid("A message to oneself is not possible.", field="recipient_id")
    if sender.type == recipient.type == "Buyer":
        raise Forbidden("Buyers write to sellers.")


def status_of(
    message: StoredMessage, recipient: Place
) -> tuple[MessageStatus, datetime | None, datetime | None]:
    """A message's status with ``delivered_at`` and ``read_at``, from the recipient's watermarks.

    What was read had been delivered, whether or not it was told.
    """
    if message.seq <= recipient.read_seq:
        read_at = _passed_at(message, recipient.read)
        return "read", min(read_at, _passed_at(message, recipient.delivered, read_at)), read_at
    if message.seq <= recipient.delivered_seq:
        return "delivered", _passed_at(message, recipient.delivered), None
    return "sent", None, None


def _passed_at(
    message: StoredMessage, steps: list[Step], otherwise: datetime | None = None
) -> datetime:
    """When a watermark passed a message: exact for recent steps, for older ones the oldest known.

    A step may be missing, and the watermark counts all the same: a status never goes back.
    """
    known = next((step.at for step in steps if step.seq >= message.seq), otherwise)
    return known or (steps[-1].at if steps else message.at)


def moment(seconds: float) -> datetime:
    """An aware time in UTC, cut to the milliseconds that the database and the wire keep."""
    return datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)
