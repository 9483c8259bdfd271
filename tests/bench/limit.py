"""The limit: what the database itself takes of the same documents, when nobody else asks anything.

Same fields, same indexes, same journaled writes as Shopbell's messages; no numbering, no look for
repeats, no summaries of conversations, no sockets.
"""

import time
from typing import Final

from bson import ObjectId
from pymongo import MongoClient, WriteConcern

from models.conversation import StoredMessage, moment
from models.store_documents import Document, message_document
from models.store_schema import INDEXES
from tests.bench.sockets import WORDS

JOURNALED: Final = WriteConcern(w="majority", j=True)


class Limit:
    """A collection of messages of so many conversations."""

    def __init__(self, uri: str, database: str, conversations: int) -> None:
        self._client: MongoClient[Document] = MongoClient(uri)
        messages = self._client[database].messages
        messages.drop()  # every time from nothing
        messages.create_indexes(INDEXES["messages"])
        self._messages = messages.with_options(write_concern=JOURNALED)
        self._ids = [str(ObjectId()) for _ in range(conversations)]
        self._stored = 0

    def rate(self, batch: int, seconds: float) -> float:
        """Documents stored a second, so many a write. Making them is not counted."""
        spent, stored = 0.0, 0
        while spent < seconds:
            documents = [self._document(self._stored + n) for n in range(batch)]
            begun = time.perf_counter()
            self._messages.insert_many(documents)
            spent += time.perf_counter() - begun
            stored += batch
            self._stored += batch
        return stored / spent

    def close(self) -> None:
        self._client.close()

    def _document(self, number: int) -> Document:
        turn, who = divmod(number, len(self._ids))
        return message_document(
            StoredMessage(
                id=str(ObjectId()),
                conversation_id=self._ids[who],
                seq=turn + 1,
                sender=f"Buyer:pair-{who}",
                recipient=f"Seller:pair-{who}",
                client_id=f"message-{number}",
                kind="general",
                subject=None,
                text=f"{number} {WORDS}",
                at=moment(time.time()),
            )
        )
