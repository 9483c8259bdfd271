"""Everything durable of a shop as JSON that loses nothing: read for a backup, put back from one.

Documents are not understood here beyond what taking and putting back needs; how a file holds them
is ``backup_file.py``'s, in which order they are read ``backup.py``'s.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pymongo
from bson import ObjectId, json_util
from pymongo.errors import BulkWriteError

from models.store_connection import DUPLICATE_KEY, translated
from models.store_schema import bring_up, check, make_indexes, marks_of, new_epoch

BATCH: Final = 200  # documents that are asked for or stored at once
# The embedded engine looks at all documents of a collection before it answers with the first.
SCAN_SECONDS: Final = 600.0
INSERT_SECONDS: Final = 60.0
OF_THIS_PLACE: Final = {"schema", "restore", "probe"}  # what ``meta`` says of the place, not shop
# A running server notes every 15 s that its summaries are settled.
SETTLED_LATELY: Final = timedelta(seconds=45)

_JSON: Final = json_util.RELAXED_JSON_OPTIONS.with_options(tz_aware=True, tzinfo=UTC)


class NotEmpty(Exception):
    """Something else lies where a backup was to be restored; the message says what, in words."""


class Begun(NamedTuple):
    """A restore that is under way: since when, and whether all documents have been stored."""

    at: datetime
    is_stored: bool


class Kept(NamedTuple):
    """A conversation as it is kept, and what its messages are found by."""

    id: str
    first_seq: int
    last_seq: int
    json: bytes


@dataclass(frozen=True, slots=True)
class Handover:
    """That a guest turned out to be a buyer, and whether all that was theirs has been moved."""

    guest: str
    buyer: str
    done: bool
    document: tuple[tuple[str, Any], ...]

    def json(self, *, done: bool) -> bytes:
        return _json({**dict(self.document), "done": done})


class Archive:
    """The documents of one shop's database. All methods raise ``Unavailable``."""

    def __init__(self, database: Any) -> None:
        self._db = database

    # --- Taking ---------------------------------------------------------------------------------

    async def schema(self) -> tuple[int, str] | None:
        """Version and epoch; None where no shop is. Raises ``SchemaTooNew``, or
        ``RestoreUnfinished``."""
        async with translated():
            marks = await marks_of(self._db)
        check(marks)
        schema = marks.get("schema")
        return None if schema is None else (schema["version"], schema["epoch"])

    async def documents(self, collection: str) -> AsyncIterator[bytes]:
        """All documents of a collection, in no order, but for what concerns the place alone."""
        async for document in self._scan(collection, {}):
            if collection != "meta" or document["_id"] not in OF_THIS_PLACE:
                yield _json(document)

    async def handovers(self) -> dict[str, Handover]:
        """By guest. They are held in memory: a line for each guest who was ever identified."""
        return {
            document["_id"]: Handover(
                document["_id"], document["buyer"], document["done"], tuple(document.items())
            )
            async for document in self._scan("handovers", {})
        }

    async def conversations(self) -> AsyncIterator[Kept]:
        async for document in self._scan("conversations", {}):
            yield _kept(document)

    async def conversations_again(
        self, people: Iterable[str], ids: Iterable[str]
    ) -> AsyncIterator[Kept]:
        """The conversations of some people, and some more, each once."""
        theirs = {"participants.key": {"$in": list(people)}}
        more = {"_id": {"$in": [ObjectId(id_) for id_ in ids]}}
        seen = set()
        for where in (theirs, more):
            async for document in self._scan("conversations", where):
                if document["_id"] not in seen:
                    seen.add(document["_id"])
                    yield _kept(document)

    async def messages(
        self, conversation_id: str, first: int, last: int
    ) -> list[tuple[int, bytes]]:
        """The messages of one conversation with ``first`` ≤ ``seq`` ≤ ``last``, in order."""
        place = {"conversation": ObjectId(conversation_id), "seq": {"$gte": first, "$lte": last}}
        async with translated():
            found = await self._db.messages.find(place).to_list(None)
        found.sort(key=lambda document: document["seq"])
        return [(document["seq"], _json(document)) for document in found]

    async def _scan(self, collection: str, where: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        cursor = self._db[collection].find(where).batch_size(BATCH)
        try:
            while True:
                async with translated():
                    with pymongo.timeout(SCAN_SECONDS):
                        batch = await cursor.to_list(BATCH)
                if not batch:
                    return
                for document in batch:
                    yield document
        finally:
            await cursor.close()

    # --- Putting back ---------------------------------------------------------------------------

    async def begin_restore(self, sha256: str, at: datetime, *, alone: bool) -> Begun:
        """Marks an empty place as one that is being restored into, and makes its indexes.

        What was begun from the same file goes on. ``alone`` says that nobody else can be using the
        database. Raises ``NotEmpty``.
        """
        async with translated():
            marks = await marks_of(self._db)
            mark = marks.get("restore")
            if mark is not None:
                if mark["done"]:
                    raise NotEmpty("A backup was restored here before")
                if mark["sha256"] != sha256:
                    raise NotEmpty("A restore of another file was interrupted here")
            else:
                settled = marks.get("settled")
                if not alone and settled and abs(at - settled["at"]) < SETTLED_LATELY:
                    raise NotEmpty("A server runs on this database, or did half a minute ago")
                for name in await self._db.list_collection_names():
                    if name != "meta" and await self._db[name].find_one({}, {"_id": 1}):
                        raise NotEmpty("A shop lies here")
                mark = {"_id": "restore", "sha256": sha256, "at": at, "epoch": new_epoch()}
                mark |= {"stored": False, "done": False}
                await self._db.meta.insert_one(mark)
            await make_indexes(self._db)
        return Begun(mark["at"], mark["stored"])

    async def put_back(
        self, collection: str, lines: Sequence[bytes], *, begun_at: datetime
    ) -> None:
        """Stores documents. One that lies there already must be the same.

        Sellers with an account sign in anew: which of their sessions were ended since the backup
        nobody knows. Raises ``NotEmpty``.
        """
        documents = [json_util.loads(line.decode(), json_options=_JSON) for line in lines]
        for document in documents:
            if collection == "participants" and "password_hash" in document:
                document["tokens_valid_from"] = int(begun_at.timestamp()) + 1
        async with translated():
            if collection == "meta":
                for document in documents:
                    await self._db.meta.replace_one({"_id": document["_id"]}, document, upsert=True)
                return
            try:
                with pymongo.timeout(INSERT_SECONDS):
                    await self._db[collection].insert_many(documents, ordered=False)
            except BulkWriteError as error:
                faults = error.details.get("writeErrors", [])
                if not faults or any(fault["code"] != DUPLICATE_KEY for fault in faults):
                    raise
                for fault in faults:
                    document = documents[fault["index"]]
                    if await self._db[collection].find_one({"_id": document["_id"]}) != document:
                        raise NotEmpty("Something was changed here while it was restored") from None

    async def finish_restore(self, version: int) -> None:
        """Makes the restored place one that can be served: with this program's schema, and with an
        epoch that no client has heard of."""
        async with translated():
            # From here on documents may differ from the file's: they are brought up to date.
            mark = await self._db.meta.find_one_and_update(
                {"_id": "restore"}, {"$set": {"stored": True}}
            )
            schema = {"version": version, "epoch": mark["epoch"]}
            await self._db.meta.update_one({"_id": "schema"}, {"$set": schema}, upsert=True)
            await bring_up(self._db)
            await self._db.meta.update_one({"_id": "restore"}, {"$set": {"done": True}})


def _json(document: dict[str, Any]) -> bytes:
    text: str = json_util.dumps(document, json_options=_JSON, separators=(",", ":"))
    return text.encode()


def _kept(document: dict[str, Any]) -> Kept:
    return Kept(
        id=str(document["_id"]),
        first_seq=document.get("first_seq", 1),
        last_seq=document["last_seq"],
        json=_json(document),
    )
