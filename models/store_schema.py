"""The database's schema: its indexes, its version, and the steps that bring an older one up.

The version lies in ``meta`` beside the epoch. It is looked at before anything is changed; a step's
number is written when the step is done, so a process killed inside one does that step once more.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pymongo
from pymongo import ASCENDING, IndexModel, UpdateOne

INDEX_SECONDS: Final = 20.0  # the indexes of a collection; on a busy machine they take their time
STEP_SECONDS: Final = 3600.0  # a step may have to look at every document
PAGE: Final = 200  # documents that a step changes at once

log = logging.getLogger("shopbell.schema")

# What each query needs. (conversation, seq) and sent_as also decide: they are what numbering and
# retries rest on when two processes share one database.
INDEXES: Final[dict[str, list[IndexModel]]] = {
    "messages": [
        IndexModel([("conversation", ASCENDING), ("seq", ASCENDING)], unique=True, name="place"),
        IndexModel([("sent_as", ASCENDING)], unique=True, name="sent_as"),
        IndexModel([("recipient", ASCENDING), ("at", ASCENDING)], name="inbox"),
        IndexModel([("sender", ASCENDING), ("at", ASCENDING)], name="sent"),
    ],
    "conversations": [
        IndexModel([("pair", ASCENDING)], unique=True, name="pair"),
        IndexModel([("participants.key", ASCENDING), ("updated_at", ASCENDING)], name="newest"),
        IndexModel([("unread_for", ASCENDING), ("updated_at", ASCENDING)], name="unread"),
    ],
    "handovers": [
        IndexModel([("done", ASCENDING)], name="open"),
        IndexModel([("buyer", ASCENDING)], name="buyer"),
    ],
    "erasures": [
        IndexModel([("at", ASCENDING)], name="latest"),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0, name="expiry"),
    ],
    "participants": [IndexModel([("type", ASCENDING)], name="type")],
    "revoked": [
        IndexModel([("at", ASCENDING)], name="latest"),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0, name="expiry"),
    ],
}


class SchemaTooNew(Exception):
    """The database was written by a newer Shopbell."""


class RestoreUnfinished(Exception):
    """A restore into this database was interrupted: what lies there is no whole shop."""


@dataclass(frozen=True, slots=True)
class Step:
    """What leads to ``version`` from the one before.

    It does no harm when it is done again, be it begun, half done or done by another process. The
    indexes of today are there when it runs, but not every field of today.
    """

    version: int
    run: Callable[[Any], Awaitable[None]]


async def note_turns(database: Any) -> None:
    """Conversations from before answers were counted learn since when their last sender speaks."""
    without = {"turn_at": {"$exists": False}}
    shown = {"last_seq": 1, "first_seq": 1}
    changes: list[UpdateOne] = []
    async for conversation in database.conversations.find(without, shown):
        turn_at = await _turn_at(database, conversation)
        # One that a newer process has noted meanwhile stays.
        where = {"_id": conversation["_id"], **without}
        changes.append(UpdateOne(where, {"$set": {"turn_at": turn_at}}))
        if len(changes) == PAGE:
            await database.conversations.bulk_write(changes, ordered=False)
            changes = []
    if changes:
        await database.conversations.bulk_write(changes, ordered=False)


async def _turn_at(database: Any, conversation: dict[str, Any]) -> Any:
    """When the last message's sender began to speak; None where nobody spoke."""
    speaker = turn_at = None
    high = conversation["last_seq"]
    while high >= conversation["first_seq"]:
        low = high - PAGE + 1
        page = {"conversation": conversation["_id"], "seq": {"$gte": low, "$lte": high}}
        found = await database.messages.find(page, {"seq": 1, "sender": 1, "at": 1}).to_list(None)
        for message in sorted(found, key=lambda message: -message["seq"]):
            if speaker not in {None, message["sender"]}:
                return turn_at
            speaker, turn_at = message["sender"], message["at"]
        high = low - 1
    return turn_at


STEPS: Final = (Step(2, note_turns),)
VERSION: Final = 1 + len(STEPS)


async def prepare(database: Any, place: str | None = None, *, steps: Sequence[Step] = STEPS) -> str:
    """Brings a database to this program's schema, or makes a new one, and returns its epoch.

    ``place`` names the files that it lies in: where it lay in others before, somebody put a copy
    back, and what clients remember may never have been said there. That is another epoch. Raises
    ``SchemaTooNew`` or ``RestoreUnfinished``, before anything is changed.
    """
    check(await marks_of(database), newest=1 + len(steps))
    schema = await bring_up(database, steps)
    if place is None or place == schema.get("place"):
        return cast(str, schema["epoch"])
    epoch = schema["epoch"]
    if "place" in schema:
        log.warning("The database's files were put back or moved; clients load all anew.")
        epoch = new_epoch()
    change = {"place": place, "epoch": epoch}
    await database.meta.update_one({"_id": "schema"}, {"$set": change})
    return cast(str, epoch)


async def bring_up(database: Any, steps: Sequence[Step] = STEPS) -> dict[str, Any]:
    """Makes what is missing, takes the steps that are due, and returns what is noted of the
    schema. To be called when ``check`` has nothing against it."""
    await make_indexes(database)
    fresh = {"version": 1 + len(steps), "epoch": new_epoch()}
    await database.meta.update_one({"_id": "schema"}, {"$setOnInsert": fresh}, upsert=True)
    schema: dict[str, Any] = await database.meta.find_one({"_id": "schema"})
    for step in steps:
        if step.version > schema["version"]:
            await _take(step, database)
    return schema


async def make_indexes(database: Any) -> None:
    """Makes the indexes that are missing."""
    for collection, indexes in INDEXES.items():
        with pymongo.timeout(INDEX_SECONDS):
            await database[collection].create_indexes(indexes)


async def marks_of(database: Any) -> dict[str, Any]:
    """What ``meta`` says of the database as a whole, by name."""
    found = await database.meta.find({}).to_list(None)
    return {document["_id"]: document for document in found}


def check(marks: dict[str, Any], *, newest: int = VERSION) -> None:
    """Raises ``SchemaTooNew`` or ``RestoreUnfinished``."""
    version = marks.get("schema", {}).get("version", 1)
    if version > newest:
        raise SchemaTooNew(
            f"The database has schema {version}, "
            f"this Shopbell knows {newest}: use a newer Shopbell."
        )
    if "restore" in marks and not marks["restore"]["done"]:
        raise RestoreUnfinished(
            "A restore into this database was interrupted: give the same restore command again."
        )


def new_epoch() -> str:
    """A name for a history of writes that nobody has heard of yet."""
    return secrets.token_hex(8)


async def _take(step: Step, database: Any) -> None:
    log.info("The database is brought to schema %d.", step.version)
    with pymongo.timeout(STEP_SECONDS):
        await step.run(database)
    before = {"_id": "schema", "version": {"$lt": step.version}}
    await database.meta.update_one(before, {"$set": {"version": step.version}})
