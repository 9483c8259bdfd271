"""What Shopbell asks of its database and tells it: messages, conversations, people, revocations.

Only the modules ``store*.py`` import Motor, PyMongo and BSON. Documents become entities here, ids
are strings outside, and every driver error leaves as ``Unavailable``: the outcome of that write is
unknown. No rules live here; who may see what is asked above, and numbering is ``journal.py``'s. The
way to the database is ``store_connection.py``'s, what documents look like ``store_documents.py``'s,
how the newest are found ``store_windows.py``'s; indexes and versions are ``store_schema.py``'s,
whole databases ``store_archive.py``'s.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, cast

import pymongo
from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from models import store_connection, store_schema
from models.breaker import PROBE_SECONDS, Breaker
from models.conversation import Conversation, Participant, Place, Step, StoredMessage
from models.errors import Unavailable
from models.picture import Picture
from models.preferences import Preferences
from models.store_archive import Archive
from models.store_connection import (
    DUPLICATE_KEY,
    Taken,
    UriRefused,
    connected,
    create_user,
    probe,
    probe_database,
    taken,
    translated,
)
from models.store_documents import (
    STEPS_KEPT,
    Document,
    Erasure,
    StoredParticipant,
    conversation_document,
    conversation_from,
    erasure_from,
    message_document,
    message_from,
    participant_from,
    preferences_from,
    sent_as,
    step_document,
    timesheet_document,
    timesheet_from,
    unread_from,
)
from models.store_schema import RestoreUnfinished, SchemaTooNew
from models.store_windows import (
    AHEAD,
    EVERYTHING,
    FIRST_WINDOW,
    MILLISECOND,
    OLDEST,
    WINDOW_ENTRIES,
    WINDOW_GROWTH,
    Cursor,
    middle_of,
    newest,
)
from models.timesheet import Timesheet

__all__ = [
    "AHEAD",
    "FIRST_WINDOW",
    "OLDEST",
    "STEPS_KEPT",
    "WINDOW_GROWTH",
    "Cursor",
    "Erasure",
    "RestoreUnfinished",
    "SchemaTooNew",
    "Store",
    "StoredParticipant",
    "Taken",
    "UriRefused",
    "create_user",
    "probe",
]


COUNTED_AT_ONCE: Final = 1000  # conversations; the embedded engine needs 0.1 s for so many
WITHOUT_TIMESHEET: Final = {"timesheet": 0}  # read by itself: lists of people do without


class Named(NamedTuple):
    """The other side of a conversation: under which key and name, and when it last moved."""

    id: str
    at: datetime
    key: str
    name: str


class Advance(NamedTuple):
    """A watermark that moves: whose, in which conversation, and since when."""

    conversation_id: str
    place: int
    kind: Literal["delivered", "read"]
    step: Step


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a database server says of itself. ``wire_version`` grows with its releases."""

    wire_version: int
    is_replica_set: bool
    clock: datetime


def new_id() -> str:
    """A fresh id for a message or a conversation: 24 hexadecimal digits."""
    return str(ObjectId())


class Store:
    """The database of one shop. Made inside the running loop, closed on the way out.

    All calls go through ``breaker``: while the database hangs they raise ``Unavailable`` at once.
    """

    def __init__(self, uri: str, database: str) -> None:
        self._mongo = connected(uri)
        self._name = database
        self._db = self._mongo[database]
        self.archive = Archive(self._db)
        seconds = store_connection.OPERATION_MILLISECONDS / 1000
        self.breaker = Breaker(self._ask, places=store_connection.PLACES, seconds=seconds)

    @asynccontextmanager
    async def _driver(self) -> AsyncIterator[None]:
        """To be held round every use of the driver."""
        async with self.breaker.guard(), translated():
            yield

    async def _ask(self) -> None:
        """A short question, past the breaker, on whether the database answers."""
        with pymongo.timeout(PROBE_SECONDS):
            await self._db.meta.find_one({"_id": "schema"}, {"_id": 1})

    async def prepare(self, place: str | None = None) -> str:
        """Brings the database to this program's schema and reads its epoch, which names this very
        history of writes. ``place`` names the files of the embedded database: in others it is
        another epoch.

        Raises ``Unavailable``, and before anything is changed ``SchemaTooNew`` or
        ``RestoreUnfinished``.
        """
        async with self._driver():
            return await store_schema.prepare(self._db, place)

    async def greeting(self) -> Greeting:
        """Raises ``Unavailable``."""
        async with self._driver():
            hello = await self._db.command("hello")
        return Greeting(
            wire_version=hello["maxWireVersion"],
            is_replica_set="setName" in hello or hello.get("msg") == "isdbgrid",
            clock=hello["localTime"].replace(tzinfo=UTC),
        )

    async def probe(self) -> None:
        """A journaled write and a read. Raises ``Unavailable``."""
        async with self._driver():
            await probe_database(self._db)

    async def check_schema(self) -> None:
        """Looks whether a start would take this database, and changes nothing.

        Raises ``Unavailable``, ``SchemaTooNew`` or ``RestoreUnfinished``.
        """
        async with self._driver():
            store_schema.check(await store_schema.marks_of(self._db))

    async def schema_version(self) -> int:
        """The version of the schema that is stored just now; 0 if there is none. Raises
        ``Unavailable``."""
        async with self._driver():
            schema = await self._db.meta.find_one({"_id": "schema"}, {"version": 1})
        return 0 if schema is None else cast(int, schema["version"])

    async def drop(self) -> None:
        """Removes the whole database; for tests."""
        async with self._driver():
            await self._mongo.drop_database(self._name)

    def close(self) -> None:
        self.breaker.close()
        store_connection.close(self._mongo)

    # --- Messages -------------------------------------------------------------------------------

    async def messages_sent_as(self, sent: Iterable[tuple[str, str]]) -> list[StoredMessage]:
        """The stored messages among these pairs of sender's key and ``client_id``."""
        names = [sent_as(sender, client_id) for sender, client_id in sent]
        async with self._driver():
            found = await self._db.messages.find({"sent_as": {"$in": names}}).to_list(None)
        return [message_from(document) for document in found]

    async def insert_messages(self, messages: Sequence[StoredMessage]) -> None:
        """Stores journaled, in order, and stops at the first that cannot be.

        In order, because then a crash or a refusal leaves no hole: what is stored of a conversation
        is a beginning of what was numbered. Raises ``Taken``; ``Unavailable`` when the outcome is
        unknown.
        """
        with taken():
            async with self._driver():
                await self._db.messages.insert_many([message_document(m) for m in messages])

    async def message(self, message_id: str) -> StoredMessage | None:
        async with self._driver():
            document = await self._db.messages.find_one({"_id": ObjectId(message_id)})
        return None if document is None else message_from(document)

    async def messages_between(
        self, conversation_id: str, first: int, last: int
    ) -> list[StoredMessage]:
        """The messages of one conversation with ``first`` ≤ ``seq`` ≤ ``last``, in order."""
        if last < first:
            return []
        place = {"conversation": ObjectId(conversation_id), "seq": {"$gte": first, "$lte": last}}
        async with self._driver():
            found = await self._db.messages.find(place).to_list(None)
        return sorted((message_from(document) for document in found), key=lambda m: m.seq)

    async def messages_of(
        self,
        key: str,
        role: Literal["sender", "recipient"],
        *,
        before: Cursor | None,
        limit: int,
        among: dict[str, range] | None = None,
    ) -> list[StoredMessage]:
        """The newest messages somebody sent or received, from the cursor back in time.

        With ``among``, only those whose ``seq`` lies in the given range of these conversations; it
        is not looked for more than there can be.
        """
        wanted: Document = {role: key}
        if among is not None:
            wanted["conversation"] = {"$in": [ObjectId(id_) for id_ in among]}
            wanted["seq"] = {"$gte": min(span.start for span in among.values())}
            limit = min(limit, sum(map(len, among.values())))

        def is_wanted(message: StoredMessage) -> bool:
            return among is None or message.seq in among[message.conversation_id]

        async def read(low: datetime, high: datetime, most: int) -> list[StoredMessage]:
            where = {**wanted, "at": {"$gte": low, "$lt": high}}
            async with self._driver():
                page = await self._db.messages.find(where).limit(most).to_list(None)
            return [message_from(document) for document in page]

        return await newest(
            read, lambda m: Cursor(m.at, m.id), is_wanted, before=before, limit=limit
        )

    async def sent_since(self, at: datetime) -> dict[str, int]:
        """By conversation the highest ``seq`` of what was sent at a moment or later: the work since
        the last settling. One side of each conversation sells, and has a record or had one; it is a
        person's messages that an index finds by time. Any other look would read everything."""
        reached: dict[str, int] = {}
        shown = {"conversation": 1, "seq": 1}
        until = datetime.now(UTC) + AHEAD
        for seller in await self.seller_keys():
            for role in ("sender", "recipient"):
                pieces = self._in_pieces(self._db.messages, {role: seller}, "at", at, until, shown)
                async for page in pieces:
                    for document in page:
                        id_ = str(document["conversation"])
                        reached[id_] = max(reached.get(id_, 0), document["seq"])
        return reached

    # --- Conversations --------------------------------------------------------------------------

    async def conversation(self, conversation_id: str) -> Conversation | None:
        return await self._find_conversation({"_id": ObjectId(conversation_id)})

    async def conversation_by_pair(self, pair: str) -> Conversation | None:
        return await self._find_conversation({"pair": pair})

    async def conversations(self, conversation_ids: Iterable[str]) -> list[Conversation]:
        wanted = [ObjectId(id_) for id_ in conversation_ids]
        async with self._driver():
            found = await self._db.conversations.find({"_id": {"$in": wanted}}).to_list(None)
        return [conversation_from(document) for document in found]

    async def conversations_by_pairs(self, pairs: Iterable[str]) -> list[Conversation]:
        async with self._driver():
            found = await self._db.conversations.find({"pair": {"$in": list(pairs)}}).to_list(None)
        return [conversation_from(document) for document in found]

    async def insert_conversations(self, conversations: Sequence[Conversation]) -> None:
        """Stores new conversations; one whose pair has one already is left out without a word."""
        documents = [conversation_document(conversation) for conversation in conversations]
        try:
            async with self._driver():
                await self._db.conversations.insert_many(documents, ordered=False)
        except Unavailable as error:
            if isinstance(error.__cause__, BulkWriteError):
                faults = error.__cause__.details.get("writeErrors", [])
                if faults and all(fault["code"] == DUPLICATE_KEY for fault in faults):
                    return
            raise

    async def conversations_of(
        self, key: str, *, before: Cursor | None, limit: int, unread: bool = False
    ) -> list[Conversation]:
        """Somebody's conversations, newest first, from the cursor back in time. Buyers have a few,
        which one look finds: after a restart all of them come back at once."""
        is_buyer = Participant.from_key(key).type == "Buyer"
        whose = "unread_for" if unread else "participants.key"

        async def read(low: datetime, high: datetime, most: int) -> list[Conversation]:
            where = {whose: key, "updated_at": {"$gte": low, "$lt": high}}
            async with self._driver():
                page = await self._db.conversations.find(where).limit(most).to_list(None)
            return [conversation_from(document) for document in page]

        return await newest(
            read,
            lambda c: Cursor(c.updated_at, c.id),
            lambda _: True,
            before=before,
            limit=limit,
            first=EVERYTHING if is_buyer else FIRST_WINDOW,
        )

    async def unread_of(self, key: str) -> dict[str, int]:
        """How much is unread for somebody, in each conversation whose summary has any; 0 where a
        watermark has moved since. Of many it is read piece by piece, so that the database serves
        others in between, and each piece in time."""
        shown = {"participants.key": 1, "participants.read_seq": 1, "last_seq": 1}

        async def read(low: datetime, high: datetime, most: int) -> dict[str, int]:
            where = {"unread_for": key, "updated_at": {"$gte": low, "$lt": high}}
            async with self._driver():
                page = await self._db.conversations.find(where, shown).limit(most).to_list(None)
            return {str(document["_id"]): unread_from(document, key) for document in page}

        now = datetime.now(UTC)
        found = await read(OLDEST, now + AHEAD, WINDOW_ENTRIES + 1)
        if len(found) > WINDOW_ENTRIES:
            found = {}
            low, high, span = now - FIRST_WINDOW, now + AHEAD, FIRST_WINDOW
            while high > OLDEST:
                can_be_halved = high - low > 2 * MILLISECOND
                page = await read(low, high, 2 * COUNTED_AT_ONCE + 1 if can_be_halved else 0)
                if can_be_halved and len(page) > 2 * COUNTED_AT_ONCE:
                    low = middle_of(low, high)
                    span = high - low
                    continue
                found |= page
                span *= min(WINDOW_GROWTH, COUNTED_AT_ONCE / max(1, len(page)))
                low, high = max(OLDEST, low - max(span, MILLISECOND)), low
        return found

    async def names_of(self, key: str, low: datetime, high: datetime) -> list[Named]:
        """The other sides of somebody's conversations that last moved in a window of time, in no
        order."""
        where = {"participants.key": key, "updated_at": {"$gte": low, "$lt": high}}
        shown = {"participants.key": 1, "participants.name": 1, "updated_at": 1}
        async with self._driver():
            found = await self._db.conversations.find(where, shown).to_list(None)
        return [
            Named(str(document["_id"]), document["updated_at"], place["key"], place["name"])
            for document in found
            for place in document["participants"]
            if place["key"] != key
        ]

    async def advance(self, advances: Sequence[Advance]) -> None:
        """Moves watermarks, journaled. They only ever grow; what was read had been delivered."""
        changes = []
        for advance in advances:
            place = f"participants.{advance.place}"
            highest = {f"{place}.delivered_seq": advance.step.seq}
            if advance.kind == "read":
                highest[f"{place}.read_seq"] = advance.step.seq
            steps = {"$each": [step_document(advance.step)], "$slice": -STEPS_KEPT}
            change = {"$max": highest, "$push": {f"{place}.{advance.kind}": steps}}
            changes.append(UpdateOne({"_id": ObjectId(advance.conversation_id)}, change))
        async with self._driver():
            await self._db.conversations.bulk_write(changes, ordered=False)

    async def write_summaries(self, conversations: Sequence[Conversation]) -> None:
        """Brings the documents up to what the messages say. What a newer summary of another process
        already says is left alone."""
        changes = []
        for conversation in conversations:
            where = {"_id": ObjectId(conversation.id), "last_seq": {"$lte": conversation.last_seq}}
            document = conversation_document(conversation)
            highest: Document = {}
            current: Document = {
                name: document[name]
                for name in ("last_seq", "last", "turn_at", "updated_at", "unread_for")
            }
            highest["first_seq"] = document["first_seq"]
            for number, place in enumerate(document["participants"]):
                for name, value in place.items():
                    target = highest if name.endswith("_seq") else current
                    target[f"participants.{number}.{name}"] = value
            changes.append(UpdateOne(where, {"$set": current, "$max": highest}))
        async with self._driver():
            await self._db.conversations.bulk_write(changes, ordered=False)

    async def settled_at(self) -> datetime | None:
        """The moment before which all messages are known to be in the summaries."""
        async with self._driver():
            document = await self._db.meta.find_one({"_id": "settled"})
        return None if document is None else cast(datetime, document["at"])

    async def write_settled_at(self, at: datetime) -> None:
        async with self._driver():
            await self._db.meta.update_one({"_id": "settled"}, {"$set": {"at": at}}, upsert=True)

    async def _find_conversation(self, document: Document) -> Conversation | None:
        async with self._driver():
            found = await self._db.conversations.find_one(document)
        return None if found is None else conversation_from(found)

    # --- Handing over a guest's messages --------------------------------------------------------

    async def begin_handover(self, guest: str, buyer: str, name: str) -> bool:
        """Notes that a guest turned out to be this buyer; false if that is done, or they turned out
        to be somebody else."""
        document = {"_id": guest, "buyer": buyer, "name": name, "done": False}
        try:
            async with self._driver():
                await self._db.handovers.insert_one(document)
        except Unavailable as error:
            if not isinstance(error.__cause__, DuplicateKeyError):
                raise
            async with self._driver():
                noted = await self._db.handovers.find_one({"_id": guest})
            return noted is not None and noted["buyer"] == buyer and not noted["done"]
        return True

    async def end_handover(self, guest: str) -> None:
        async with self._driver():
            await self._db.handovers.update_one({"_id": guest}, {"$set": {"done": True}})

    async def open_handovers(self) -> list[tuple[str, Place]]:
        """Guest and buyer of each that was not ended."""
        async with self._driver():
            found = await self._db.handovers.find({"done": False}).to_list(None)
        return [(one["_id"], Place(one["buyer"], one["name"])) for one in found]

    async def handed_over_to(self, guest: str) -> str | None:
        """The buyer who a guest turned out to be."""
        async with self._driver():
            document = await self._db.handovers.find_one({"_id": guest})
        return None if document is None else cast(str, document["buyer"])

    async def conversations_naming(self, key: str) -> set[str]:
        """The ids of the conversations that somebody has a place in, or a message of or to them."""
        found = set()
        async with self._driver():
            for places in (
                self._db.conversations.find({"participants.key": key}, {"_id": 1}),
                self._db.messages.find({"sender": key}, {"_id": 0, "conversation": 1}),
                self._db.messages.find({"recipient": key}, {"_id": 0, "conversation": 1}),
            ):
                found |= {str(id_) for one in await places.to_list(None) for id_ in one.values()}
        return found

    async def rename_place(self, conversation: Conversation, old: str, place: Place) -> None:
        """Puts another participant in the place of one, wherever the summary names them. Both are
        buyers, so the order stays."""
        document = conversation_document(conversation)
        last = conversation.last and message_document(conversation.last.renamed(old, place.key))
        number = conversation.keys.index(old)
        change = {
            "pair": document["pair"].replace(old, place.key),
            f"participants.{number}.key": place.key,
            f"participants.{number}.name": place.name,
            "unread_for": [place.key if key == old else key for key in document["unread_for"]],
            "last": last,
        }
        async with self._driver():
            where = {"_id": ObjectId(conversation.id)}
            await self._db.conversations.update_one(where, {"$set": change})

    async def rewrite_messages(self, messages: Sequence[StoredMessage]) -> None:
        """Puts messages in other places or under other names, in order.

        Stops at the first that cannot be: raises ``Taken``; ``Unavailable`` when the outcome is
        unknown. Doing the same again does no harm.
        """
        changes = []
        for message in messages:
            document = message_document(message)
            changes.append(UpdateOne({"_id": document.pop("_id")}, {"$set": document}))
        with taken():
            async with self._driver():
                await self._db.messages.bulk_write(changes)

    async def delete_conversation(self, conversation_id: str) -> None:
        """Removes a conversation that has no messages any more."""
        async with self._driver():
            await self._db.conversations.delete_one({"_id": ObjectId(conversation_id)})

    # --- Erasing somebody -----------------------------------------------------------------------

    async def order_erasure(self, order: Erasure, expires_at: datetime | None) -> None:
        """Notes that somebody has to go, until a moment or for ever."""
        document: Document = {
            "at": order.at,
            "valid_from": order.valid_from,
            "done": order.is_done,
        }
        if expires_at is not None:
            document["expires_at"] = expires_at
        async with self._driver():
            await self._db.erasures.update_one({"_id": order.key}, {"$set": document}, upsert=True)

    async def end_erasure(self, order: Erasure) -> None:
        """Notes that it is done; a later order of the same person stays open."""
        same = {"_id": order.key, "at": order.at}
        async with self._driver():
            await self._db.erasures.update_one(same, {"$set": {"done": True}})

    async def erasure(self, key: str) -> Erasure | None:
        async with self._driver():
            found = await self._db.erasures.find_one({"_id": key})
        return None if found is None else erasure_from(found)

    async def erasures_since(self, at: datetime) -> list[Erasure]:
        window = {"$gte": at, "$lt": datetime.now(UTC) + AHEAD}
        async with self._driver():
            found = await self._db.erasures.find({"at": window}).to_list(None)
        return [erasure_from(document) for document in found]

    async def seller_keys(self) -> set[str]:
        """All who sell here, or did so until they were erased."""
        async with self._driver():
            known = await self._db.participants.find({"type": "Seller"}, {"_id": 1}).to_list(None)
            erased = await self._db.erasures.find({}, {"_id": 1}).to_list(None)
        keys = {cast(str, document["_id"]) for document in [*known, *erased]}
        return {key for key in keys if Participant.from_key(key).type == "Seller"}

    async def guests_of(self, buyer: str) -> list[str]:
        """The guests who turned out to be this buyer."""
        async with self._driver():
            found = await self._db.handovers.find({"buyer": buyer}, {"_id": 1}).to_list(None)
        return [document["_id"] for document in found]

    async def forget_participant(self, key: str) -> None:
        """Removes what is kept of a person beside conversations: record, logo, name as a guest."""
        async with self._driver():
            await self._db.participants.delete_one({"_id": key})
            await self._db.logos.delete_one({"_id": key})
            await self._db.handovers.update_many({"buyer": key}, {"$set": {"name": ""}})

    async def conversation_ids_of(self, key: str) -> AsyncIterator[list[str]]:
        """The ids of somebody's conversations, some at a time, those that rested longest first: one
        that moves meanwhile may come twice, but is not passed over."""
        until = datetime.now(UTC) + AHEAD
        where = {"participants.key": key}
        pieces = self._in_pieces(
            self._db.conversations, where, "updated_at", OLDEST, until, {"_id": 1}
        )
        async for page in pieces:
            yield [str(document["_id"]) for document in page]

    async def _in_pieces(
        self,
        collection: Any,
        where: Document,
        by: str,
        low: datetime,
        high: datetime,
        shown: Document,
    ) -> AsyncIterator[list[Document]]:
        """What lies in a window of time, some at a time, the oldest first."""
        waiting = [(low, high)]
        while waiting:
            low, high = waiting.pop()
            can_be_halved = high - low > 2 * MILLISECOND
            most = COUNTED_AT_ONCE + 1 if can_be_halved else 0
            within = {**where, by: {"$gte": low, "$lt": high}}
            async with self._driver():
                page = await collection.find(within, shown).limit(most).to_list(None)
            if can_be_halved and len(page) > COUNTED_AT_ONCE:
                middle = middle_of(low, high)
                waiting += [(middle, high), (low, middle)]
            elif page:
                yield page

    async def erase_messages(
        self, conversation_id: str, senders: Sequence[str], first: int, last: int, at: datetime
    ) -> int:
        """Empties what these wrote between two places, and returns how many messages that were."""
        where = {
            "conversation": ObjectId(conversation_id),
            "seq": {"$gte": first, "$lte": last},
            "sender": {"$in": list(senders)},
            "text": {"$ne": ""},  # not by ``erased_at``: a guest's may be written as it was read
        }
        change = {"$set": {"text": "", "subject": None, "erased_at": at}}
        async with self._driver():
            result = await self._db.messages.update_many(where, change)
        return cast(int, result.modified_count)

    async def erase_summary(
        self, conversation: Conversation, keys: Sequence[str], at: datetime
    ) -> None:
        """Takes the names of these, and what they wrote last, out of a summary."""
        nameless = {
            f"participants.{number}.name": ""
            for number, key in enumerate(conversation.keys)
            if key in keys
        }
        spoken = {"_id": ObjectId(conversation.id), "last.sender": {"$in": list(keys)}}
        emptied = {"last.text": "", "last.subject": None, "last.erased_at": at}
        async with self._driver():
            if nameless:
                where = {"_id": ObjectId(conversation.id)}
                await self._db.conversations.update_one(where, {"$set": nameless})
            await self._db.conversations.update_one(spoken, {"$set": emptied})

    # --- Removing what is old -------------------------------------------------------------------

    async def cut(self, conversations: Sequence[Conversation]) -> None:
        """Stores durably from where on messages of these are kept, and that no number up to the
        last one is free."""
        changes = []
        for conversation in conversations:
            highest = {"first_seq": conversation.first_seq, "last_seq": conversation.last_seq}
            for number, place in enumerate(conversation.places):
                highest[f"participants.{number}.read_seq"] = place.read_seq
                highest[f"participants.{number}.delivered_seq"] = place.delivered_seq
            changes.append(UpdateOne({"_id": ObjectId(conversation.id)}, {"$max": highest}))
        if changes:
            async with self._driver():
                await self._db.conversations.bulk_write(changes, ordered=False)

    async def remove_messages(self, conversation_id: str, first: int, last: int) -> None:
        """Removes what lies between two places of a conversation; the embedded engine needs 2 ms
        for each message."""
        place = {"conversation": ObjectId(conversation_id), "seq": {"$gte": first, "$lte": last}}
        async with self._driver():
            await self._db.messages.delete_many(place)

    # --- People ---------------------------------------------------------------------------------

    async def participant(self, key: str) -> StoredParticipant | None:
        return (await self.participants([key])).get(key)

    async def participants(self, keys: Iterable[str]) -> dict[str, StoredParticipant]:
        where = {"_id": {"$in": list(keys)}}
        async with self._driver():
            found = await self._db.participants.find(where, WITHOUT_TIMESHEET).to_list(None)
        return {document["_id"]: participant_from(document) for document in found}

    async def sellers(self) -> list[StoredParticipant]:
        where = {"type": "Seller"}
        async with self._driver():
            found = await self._db.participants.find(where, WITHOUT_TIMESHEET).to_list(None)
        return [participant_from(document) for document in found]

    async def introduce(self, key: str, name: str, at: datetime) -> None:
        """Remembers that somebody was here, and what they are called; a seller with an account is
        called what the account says."""
        type_ = Participant.from_key(key).type
        fresh: Document = {"type": type_, "first_seen": at}
        change = {"$max": {"last_seen": at}, "$setOnInsert": fresh}
        if type_ == "Buyer":
            change["$set"] = {"name": name}
        else:
            fresh["name"] = name
        async with self._driver():
            await self._db.participants.update_one({"_id": key}, change, upsert=True)
        if type_ == "Buyer":
            return
        without_account = {"_id": key, "password_hash": {"$exists": False}}
        async with self._driver():
            await self._db.participants.update_one(without_account, {"$set": {"name": name}})

    async def saw(self, key: str, at: datetime) -> None:
        """Remembers when somebody who is known left."""
        async with self._driver():
            await self._db.participants.update_one({"_id": key}, {"$max": {"last_seen": at}})

    async def timesheet(self, key: str) -> Timesheet:
        """What is known of a seller's last days; empty for who is not known."""
        async with self._driver():
            document = await self._db.participants.find_one({"_id": key}, {"timesheet": 1})
        return timesheet_from((document or {}).get("timesheet", {}))

    async def write_timesheet(self, key: str, sheet: Timesheet) -> None:
        """Puts a sheet in the place of the one that is stored of a seller who is known."""
        async with self._driver():
            change = {"$set": {"timesheet": timesheet_document(sheet)}}
            await self._db.participants.update_one({"_id": key}, change)

    async def add_seller(
        self, seller_id: str, name: str, email: str | None, password_hash: str, at: datetime
    ) -> bool:
        """Makes a seller who can log in; false if there is one. One who was only introduced by a
        token gets the name, the mail address and the password."""
        document = {"_id": Participant("Seller", seller_id).key}
        change = {
            "$set": {"name": name, "email": email, "password_hash": password_hash},
            "$setOnInsert": {"type": "Seller", "first_seen": at},
        }
        try:
            async with self._driver():
                await self._db.participants.update_one(
                    {**document, "password_hash": {"$exists": False}}, change, upsert=True
                )
        except Unavailable as error:
            if isinstance(error.__cause__, DuplicateKeyError):
                return False
            raise
        return True

    async def set_password(self, seller_id: str, password_hash: str, valid_from: int) -> bool:
        """A new password, and the end of all tokens made before ``valid_from``."""
        change = {"password_hash": password_hash, "tokens_valid_from": valid_from}
        return await self._change_seller(seller_id, change)

    async def rename_hash(self, seller_id: str, old: str, new: str) -> None:
        """The same password under newer parameters; tokens stay. A password that was changed in
        the meantime stays, too."""
        known = {"_id": Participant("Seller", seller_id).key, "password_hash": old}
        async with self._driver():
            await self._db.participants.update_one(known, {"$set": {"password_hash": new}})

    async def set_disabled(self, seller_id: str, disabled: bool, valid_from: int) -> bool:
        return await self._change_seller(
            seller_id, {"disabled": disabled, "tokens_valid_from": valid_from}
        )

    async def _change_seller(self, seller_id: str, change: Document) -> bool:
        key = Participant("Seller", seller_id).key
        async with self._driver():
            result = await self._db.participants.update_one({"_id": key}, {"$set": change})
        return bool(result.matched_count)

    # --- Sellers' preferences -------------------------------------------------------------------

    async def preferences(self) -> dict[str, Preferences]:
        """What all sellers who chose something chose, by their keys."""
        where = {"type": "Seller", "preferences": {"$exists": True}}
        async with self._driver():
            found = await self._db.participants.find(where, {"preferences": 1}).to_list(None)
        return {document["_id"]: preferences_from(document["preferences"]) for document in found}

    async def write_preferences(
        self, key: str, chosen: Preferences, logo: Picture | None = None
    ) -> None:
        """Stores what a seller who is known chose, and their new logo, if there is one."""
        async with self._driver():
            if logo is not None:
                picture = {"content": logo.content, "type": logo.type}
                await self._db.logos.update_one({"_id": key}, {"$set": picture}, upsert=True)
            change = {"$set": {"preferences": asdict(chosen)}}
            await self._db.participants.update_one({"_id": key}, change)
            if not chosen.logo:
                await self._db.logos.delete_one({"_id": key})

    async def logo(self, key: str) -> Picture | None:
        async with self._driver():
            document = await self._db.logos.find_one({"_id": key})
        return None if document is None else Picture(document["content"], document["type"])

    # --- Revocations ----------------------------------------------------------------------------

    async def revoke(self, entry: str, expires_at: datetime) -> bool:
        """Ends a session, or all tokens of a participant, until no such token can be valid any
        more; false if it was ended before."""
        document = {"_id": entry, "at": datetime.now(UTC), "expires_at": expires_at}
        try:
            async with self._driver():
                await self._db.revoked.insert_one(document)
        except Unavailable as error:
            if isinstance(error.__cause__, DuplicateKeyError):
                return False
            raise
        return True

    async def revocations_since(self, at: datetime) -> list[str]:
        window = {"$gte": at, "$lt": datetime.now(UTC) + AHEAD}
        async with self._driver():
            found = await self._db.revoked.find({"at": window}).to_list(None)
        return [document["_id"] for document in found]
