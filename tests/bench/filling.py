"""Much that was said before, written straight into both databases: Shopbell's documents with
Shopbell's indexes, the peer's with the peer's.

It is neither journaled nor measured. The embedded engine takes a thousand or two a second, so it
ends where its time does, and tells how far it came.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import Event
from typing import Final

from bson import ObjectId
from pymongo import MongoClient, WriteConcern

from models.conversation import Conversation, Place, StoredMessage, pair_of
from models.store_documents import Document, conversation_document, message_document
from tests.bench.people import Person
from tests.bench.servers import NodePeer, Shopbell
from tests.bench.sockets import WORDS

BATCH: Final = 200
LOOKS: Final = 20
FAST: Final = WriteConcern(w=1, j=False)
NOW: Final = datetime.now(UTC)
YEAR: Final = timedelta(days=365)


@dataclass(frozen=True)
class Talk:
    """What a buyer and a seller said in turn, a message a second, from ``first`` to ``last``; the
    last one is unread, or it ``is_read``."""

    id: str
    buyer: Person
    seller: Person
    first: int
    last: int
    begun: datetime
    is_read: bool = False

    def message(self, seq: int) -> StoredMessage:
        keys = (self.buyer.key, self.seller.key)
        return StoredMessage(
            id=f"{self.id[:8]}{self.id[-6:]}{seq:010x}",
            conversation_id=self.id,
            seq=seq,
            sender=keys[(self.last - seq) % 2],  # the buyer has the last word
            recipient=keys[(self.last - seq + 1) % 2],
            client_id=f"{self.id}-{seq}",
            kind="general",
            subject=None,
            text=f"0 {WORDS}",
            at=self.said_at(seq),
        )

    def said_at(self, seq: int) -> datetime:
        return self.begun + timedelta(seconds=seq)

    @property
    def conversation(self) -> Conversation:
        read = {self.buyer.key: self.last, self.seller.key: self.last - (not self.is_read)}
        first, second = (
            Place(key, key.partition(":")[2], delivered_seq=read[key], read_seq=read[key])
            for key in pair_of(self.buyer.key, self.seller.key).split("|")
        )
        last = self.message(self.last)
        return Conversation(self.id, (first, second), self.last, last, last.at)


def talk(buyer: Person, seller: Person, first: int, last: int, begun: datetime) -> Talk:
    """A new one."""
    return Talk(str(ObjectId()), buyer, seller, first, last, begun)


def over_a_year(count: int) -> list[datetime]:
    """So many moments of the last year, evenly: a shop that has been there all the time."""
    return [NOW - YEAR * (1 - number / count) for number in range(count)]


IsOver = Callable[[], bool]


class Shelf:
    """One database, as the server on it keeps things. ``fill`` returns how many messages it took
    until it ``is_over``."""

    def __init__(self, uri: str, database: str) -> None:
        self._client: MongoClient[Document] = MongoClient(uri)
        self._db = self._client.get_database(database, write_concern=FAST)

    def fill(self, talks: Iterable[Talk], is_over: IsOver) -> int:
        raise NotImplementedError

    def close(self) -> None:
        self._client.close()

    def _insert(self, documents: Iterator[Document], is_over: IsOver) -> int:
        taken = 0
        while not is_over() and (batch := list(islice(documents, BATCH))):
            self._db.messages.insert_many(batch)
            taken += len(batch)
        return taken


Job = tuple[Shelf, Sequence[Talk]]


class ShopbellShelf(Shelf):
    """As models/store_documents.py has it. A conversation tells no more than was stored."""

    @classmethod
    def of(cls, shop: Shopbell) -> "ShopbellShelf":
        """Of a shop that runs."""
        return cls(shop.database_uri, shop.database)

    def fill(self, talks: Iterable[Talk], is_over: IsOver) -> int:
        taken = 0
        for several in _grouped(talks):
            documents = (message_document(m) for one in several for m in _messages(one))
            stored = self._insert(documents, is_over)
            taken += stored
            self._tell(several, stored)
        return taken

    def page(self, one: Talk, first: int, last: int) -> list[float]:
        """The milliseconds that the database itself takes for some messages, time and again."""
        where = {"conversation": ObjectId(one.id), "seq": {"$gte": first, "$lte": last}}
        taken = []
        for _ in range(LOOKS):
            begun = time.perf_counter()
            found = self._db.messages.find(where).to_list()
            taken.append(1000 * (time.perf_counter() - begun))
            assert found, "these messages are not there"
        return taken

    def _tell(self, talks: list[Talk], stored: int) -> None:
        summaries = []
        for one in talks:
            length = one.last - one.first + 1
            if stored > 0:
                last = one.first + min(stored, length) - 1
                summaries.append(replace(one, last=last).conversation)
            stored -= length
        if summaries:
            self._db.conversations.delete_many(
                {"_id": {"$in": [ObjectId(c.id) for c in summaries]}}
            )
            self._db.conversations.insert_many([conversation_document(c) for c in summaries])


class NodeShelf(Shelf):
    """As peer/server.js has it."""

    @classmethod
    def of(cls, peer: NodePeer) -> "NodeShelf":
        """Of a peer that runs."""
        return cls(peer.at.uri, peer.database)

    def fill(self, talks: Iterable[Talk], is_over: IsOver) -> int:
        documents = (self._document(one, message) for one in talks for message in _messages(one))
        return self._insert(documents, is_over)

    def _document(self, one: Talk, message: StoredMessage) -> Document:
        sender_type, _, sender_id = message.sender.partition(":")
        recipient_type, _, recipient_id = message.recipient.partition(":")
        return {
            "conversation": pair_of(message.sender, message.recipient),
            "sender_id": sender_id,
            "sender_type": sender_type,
            "sender_name": sender_id,
            "recipient_id": recipient_id,
            "recipient_type": recipient_type,
            "subject": None,
            "message": message.text,
            "message_type": "general",
            "status": "read" if one.is_read else "sent",
            "created_at": message.at,
            "read_at": message.at if one.is_read else None,
        }


def fill_all(jobs: Sequence[Job], seconds: float) -> list[int]:
    """All at once, as there are several cores; how many messages each took. Closes the shelves."""
    deadline, left = time.monotonic() + seconds, Event()

    def is_over() -> bool:
        return left.is_set() or time.monotonic() > deadline

    try:
        with ThreadPoolExecutor() as threads:
            try:
                return list(threads.map(lambda job: job[0].fill(job[1], is_over), jobs))
            finally:
                left.set()  # also where the time of the whole run is over
    finally:
        for shelf, _ in jobs:
            shelf.close()


def _messages(one: Talk) -> Iterator[StoredMessage]:
    return (one.message(seq) for seq in range(one.first, one.last + 1))


def _grouped(talks: Iterable[Talk]) -> Iterator[list[Talk]]:
    waiting = iter(talks)
    while several := list(islice(waiting, BATCH)):
        yield several
