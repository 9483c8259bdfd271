"""The conversations as they stand right now, kept in memory while they are in use.

The database is the truth; this is what the last round of the journal made of it. A message is
durable once it is inserted, but the summary in its conversation's document (last message, unread,
the sender's own watermark) can be recomputed from messages, so it is written behind, many changes
at once. Everything that reads a conversation asks here, never the store, and so sees what was
answered.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from models.conversation import (
    Conversation,
    Place,
    Step,
    StoredMessage,
    moment,
    pair_of,
)
from models.errors import Unavailable
from models.store import STEPS_KEPT, Cursor, Store, new_id
from models.unread import UnreadCounts

KEPT: Final = 20_000  # conversations in memory, about 2 kB each
PAGE: Final = 200  # messages read at once while a summary is mended
SETTLE_SECONDS: Final = 0.25  # a summary lags behind its messages by this much when all is calm
SETTLE_SHARE: Final = 0.1  # of the database's time; messages go first
SETTLE_BATCH: Final = 200
SETTLE_PIECE: Final = 3  # with rests in between: a message must not wait for a long write
REST_SECONDS: Final = 5.0  # after the database did not answer
# A little more than a clock may be off between two looks; settling twice does no harm.
SETTLED_MARGIN: Final = timedelta(seconds=60)

log = logging.getLogger("shopbell.ledger")


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored message that has just become visible, for those who are told of it.

    The sender had read up to ``read_before``; by writing they have read all before this message.
    If it is an answer, the other side has waited for it since ``asked_at``. ``origin`` asked for it
    and is answered otherwise.
    """

    message: StoredMessage
    conversation: Conversation
    read_before: int
    previous: StoredMessage | None
    asked_at: datetime | None
    origin: object


class _Touch(NamedTuple):
    """A change that a summary does not know: the last one's number, and when the first came."""

    number: int
    since: datetime


class Ledger:
    """Live conversations, each one object for all who ask.

    ``on_entry`` is told of every message in the order of ``seq``, be it one that the journal has
    just stored, one whose outcome was unknown, or another process's. ``on_rename`` is told when
    somebody has another name, or another one their place. Neither may wait.
    """

    def __init__(self, store: Store, *, now: Callable[[], float] = time.time) -> None:
        self.on_entry: Callable[[Entry], None] = lambda entry: None
        self.on_rename: Callable[[Conversation], None] = lambda conversation: None
        self._store = store
        self._now = now
        self._live: OrderedDict[str, Conversation] = OrderedDict()  # by id, the latest used last
        self._ids: dict[str, str] = {}  # pair -> id, of those that are live
        self._behind: dict[str, _Touch] = {}  # whose summary is behind, the longest first
        self._unread = UnreadCounts(self._read_unread)
        self._touches = 0
        self._moves = 0  # how often a conversation changed hands
        self._settled_at: datetime | None = None
        self._settling = asyncio.Lock()

    # --- Looking up -----------------------------------------------------------------------------

    async def between(self, one: str, other: str) -> Conversation | None:
        """Two participants' conversation, if they ever spoke."""
        pair = pair_of(one, other)
        if (known := self._known(self._ids.get(pair))) is not None:
            return known
        return await self._taken_up(lambda: self._store.conversation_by_pair(pair))

    async def get(self, conversation_id: str) -> Conversation | None:
        """A conversation by id, for whoever asks; the caller checks who that is."""
        if (known := self._known(conversation_id)) is not None:
            return known
        return await self._taken_up(lambda: self._store.conversation(conversation_id))

    def live(self, conversation_id: str) -> Conversation | None:
        """The same without a look into the database: one that is in use."""
        return self._live.get(conversation_id)

    def is_live(self, keys: tuple[str, str]) -> bool:
        """Whether the conversation of these two is in use."""
        return pair_of(*keys) in self._ids

    async def get_all(
        self, conversation_ids: Iterable[str], listed: Iterable[Conversation] = ()
    ) -> list[Conversation]:
        """Those of these conversations that exist, to be shown: one look for all that are neither
        live nor just ``listed``. They are not taken up, which would cost a query each."""
        wanted = set(conversation_ids)
        told = {c.id: c for c in listed if c.id in wanted}
        missing = wanted - self._live.keys() - told.keys()
        found = await self._store.conversations(missing) if missing else []
        live = {id_: self._live[id_] for id_ in wanted & self._live.keys()}
        return list((told | {c.id: c for c in found} | live).values())

    async def opened(
        self, pairs: dict[tuple[str, str], tuple[str, str]]
    ) -> dict[str, Conversation]:
        """The conversations of all these pairs of keys (with the two names), by their sorted pair,
        made where there is none."""
        wanted = {pair_of(*keys): (keys, names) for keys, names in pairs.items()}
        missing = [pair for pair in wanted if self._known(self._ids.get(pair)) is None]
        if missing:
            await self._take_up_all(await self._store.conversations_by_pairs(missing))
            new = {pair: self._new(*wanted[pair]) for pair in missing if pair not in self._ids}
            if new:
                await self._store.insert_conversations(list(new.values()))
                # Another process may have been quicker; what lies in the database counts.
                made = await self._store.conversations_by_pairs(new)
                ours = {conversation.id for conversation in new.values()}
                for conversation in made:
                    if conversation.id in ours:
                        self._publish(conversation, [])
                await self._take_up_all(c for c in made if c.id not in ours)
        return {pair: self._live[self._ids[pair]] for pair in wanted}

    async def newest_of(
        self, key: str, *, before: Cursor | None, limit: int, unread: bool
    ) -> list[Conversation]:
        """Somebody's conversations, newest first. What the summaries do not say yet is overlaid.
        Where that is all of them, what is unread in them is known from here on, too."""
        asked = limit
        while True:
            behind = self.behind_of(key)
            asked += len(behind)
            moves, learn = self._moves, self._unread.watch(key)
            stored = await self._store.conversations_of(
                key, before=before, limit=asked, unread=unread
            )
            end = min((_place_in_time(c) for c in stored), default=None)
            wanted = [
                c
                for c in self._overlaid(key, behind, stored)
                if (before is None or _place_in_time(c) < before)
                and c.last_seq
                and (not unread or c.unread_of(key))
            ]
            is_whole = len(stored) < asked
            if is_whole and before is None and not unread and moves == self._moves:
                learn({c.id: c.unread_of(key) for c in wanted})
            if not is_whole:  # what lies further back might belong in front of these
                wanted = [c for c in wanted if end is None or _place_in_time(c) >= end]
            if is_whole or len(wanted) >= limit:
                return sorted(wanted, key=_place_in_time, reverse=True)[:limit]
            asked *= 2

    async def unread_of(self, key: str) -> dict[str, int]:
        """How many messages are unread for somebody, in each conversation that has any."""
        return await self._unread.of(key)

    def is_unread_known(self, key: str) -> bool:
        """Whether ``unread_of`` answers without waiting."""
        return self._unread.is_known(key)

    def behind_of(self, key: str) -> list[Conversation]:
        """Somebody's conversations whose summaries in the database are behind."""
        live = (self._live[id_] for id_ in self._behind)
        return [conversation for conversation in live if key in conversation.keys]

    # --- Changing, after the database has it ----------------------------------------------------

    def add(self, conversation: Conversation, message: StoredMessage, origin: object) -> None:
        """Takes in a stored message, the next one by ``seq``, and tells of it."""
        previous, turn_at = conversation.last, conversation.turn_at
        asked_at = turn_at if conversation.is_answered_by(message) else None
        read_before = self.take_in(conversation, message)
        entry = Entry(message, conversation, read_before, previous, asked_at, origin)
        try:
            self.on_entry(entry)
        except Exception:  # it is stored, and that counts
            log.exception("a stored message could not be told of")

    def take_in(self, conversation: Conversation, message: StoredMessage) -> int:
        """Takes in a stored message, the next one by ``seq``, and returns how far its sender had
        read before: sending reads all."""
        sender = conversation.side_of(message.sender)
        read_before = sender.read_seq
        if conversation.last is None or conversation.is_answered_by(message):
            conversation.turn_at = message.at
        conversation.last_seq = message.seq
        conversation.last = message
        conversation.updated_at = max(conversation.updated_at, message.at)
        _advance(sender, "read", Step(message.seq, message.at))
        self.touch(conversation)
        return read_before

    def advance(self, conversation: Conversation, place: Place, kind: str, step: Step) -> None:
        """Takes in a watermark that was stored. The summary says so, too: one that is being written
        this moment may still hold the steps from before."""
        _advance(place, kind, step)
        self.touch(conversation)

    def cut(self, conversation: Conversation, first_seq: int) -> bool:
        """The messages before ``first_seq`` are kept no more: nobody is shown them, and nobody has
        them left to read. True if somebody had. To be stored before they are removed."""
        first_seq = min(first_seq, conversation.last_seq + 1)
        conversation.first_seq = max(conversation.first_seq, first_seq)
        if conversation.last is not None and conversation.last.seq < first_seq:
            conversation.last = conversation.turn_at = None
        was_unread = False
        for place in conversation.places:
            was_unread |= place.read_seq < first_seq - 1
            place.read_seq = max(place.read_seq, first_seq - 1)
            place.delivered_seq = max(place.delivered_seq, first_seq - 1)
        self.touch(conversation)
        return was_unread

    def touch(self, conversation: Conversation) -> None:
        """Marks a live conversation whose summary is behind."""
        if conversation.id in self._live:
            self._touches += 1
            before = self._behind.get(conversation.id)
            since = before.since if before else moment(self._now())
            self._behind[conversation.id] = _Touch(self._touches, since)
            self._unread.note(conversation)

    async def recheck(self, conversation: Conversation) -> None:
        """Reads what lies behind the last known message, takes it in and tells of it."""
        self._take_in_tail(conversation, await self._tail(conversation))

    # --- Changing hands -------------------------------------------------------------------------

    def rename(self, conversation: Conversation, old: str, place: Place) -> None:
        """Somebody else has the place of one, as the database says by now."""
        self._ids.pop("|".join(conversation.keys), None)
        moved = conversation.place_of(old)
        moved.key, moved.name = place.key, place.name
        self._unread.drop(conversation.id, old)
        if conversation.last is not None:
            conversation.last = conversation.last.renamed(old, place.key)
        self._ids["|".join(conversation.keys)] = conversation.id
        self._moves += 1
        self.touch(conversation)
        self.on_rename(conversation)

    def erase(self, conversation: Conversation, keys: Container[str], at: datetime) -> None:
        """Somebody is gone from a conversation, under one of these keys, as the database says by
        now: who has it in hand has neither their name nor their last words any more."""
        self._moves += 1  # one that is being taken up this moment is read again
        conversation = self._live.get(conversation.id, conversation)
        for place in conversation.places:
            if place.key in keys:
                place.name = ""
        if conversation.last is not None and conversation.last.sender in keys:
            conversation.last = conversation.last.erased(at)
        self.touch(conversation)
        self.on_rename(conversation)

    def forget(self, conversation: Conversation) -> None:
        """Drops a conversation that the database has no more."""
        self._behind.pop(conversation.id, None)
        self._live.pop(conversation.id, None)
        self._ids.pop("|".join(conversation.keys), None)
        for key in conversation.keys:
            self._unread.drop(conversation.id, key)
        self._moves += 1

    # --- Settling -------------------------------------------------------------------------------

    async def mend(self) -> None:
        """Brings the summaries up to the messages that a killed process left behind."""
        settled_at = await self._store.settled_at()
        if settled_at is not None:
            left = await self._store.sent_since(settled_at - SETTLED_MARGIN)
            for conversation in await self._store.conversations(left):
                if conversation.last_seq < left[conversation.id]:
                    await self.get(conversation.id)  # being taken up mends
        await self.settle()

    async def settle(self) -> None:
        """Writes the summaries that are behind. Raises ``Unavailable``; nothing is lost then."""
        await self._settle(SETTLE_BATCH)

    async def keep_settling(self) -> None:
        """Settles again and again, a few summaries at a time, for as long as the server runs. The
        busier the database, the more changes of a conversation share one write."""
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                await self._settle(SETTLE_PIECE, rest=1 / SETTLE_SHARE)
            except Unavailable:
                log.warning("summaries wait for the database: %d", len(self._behind))
                await asyncio.sleep(REST_SECONDS)

    async def _settle(self, size: int, rest: float = 0) -> None:
        """Writes what is behind now, so many at a time, and rests in between for so many times as
        long as that took."""
        behind = list(self._behind.items())
        for start in range(0, len(behind), size):
            took = await self._write_summaries(behind[start : start + size])
            await self._write_settled_at()
            if rest:
                await asyncio.sleep(min(REST_SECONDS, rest * took))
        await self._write_settled_at()
        self._forget_the_oldest()

    async def _write_summaries(self, behind: Sequence[tuple[str, "_Touch"]]) -> float:
        """Writes those that are still behind, and returns how many seconds that took."""
        async with self._settling:  # of two writes at once the older one might come last
            started, at = time.monotonic(), moment(self._now())
            batch = [(id_, touch) for id_, touch in behind if id_ in self._behind]
            if batch:
                await self._store.write_summaries([self._live[id_] for id_, _ in batch])
            for id_, touch in batch:
                current = self._behind.pop(id_, touch)
                if current.number != touch.number:  # something came while it was written
                    self._behind[id_] = current._replace(since=at)
            return time.monotonic() - started

    async def _write_settled_at(self) -> None:
        """Remembers from when on a start has to look for what is behind, four times a minute."""
        longest = next(iter(self._behind.values()), None)
        at = longest.since if longest else moment(self._now())
        since = self._settled_at
        if since is None or not since <= at < since + SETTLED_MARGIN / 4:  # or it was stepped back
            await self._store.write_settled_at(at)
            self._settled_at = at

    # --- Inside ---------------------------------------------------------------------------------

    def _known(self, conversation_id: str | None) -> Conversation | None:
        known = self._live.get(conversation_id) if conversation_id else None
        if known is not None:
            self._live.move_to_end(known.id)
        return known

    async def _taken_up(
        self, look: Callable[[], Awaitable[Conversation | None]]
    ) -> Conversation | None:
        """The one live object for a conversation in the database, with the messages that its
        summary does not know. Nobody sees it before it is whole."""
        while True:
            moves = self._moves
            found = await look()
            if found is None:
                return None
            tail = await self._tail(found)
            if moves == self._moves:  # else it may be somebody else's by now
                return self._publish(found, tail)

    async def _take_up_all(self, found: Iterable[Conversation]) -> None:
        for conversation in found:
            self._publish(conversation, await self._tail(conversation))

    def _publish(self, found: Conversation, tail: Iterable[StoredMessage]) -> Conversation:
        if (known := self._known(found.id)) is not None:
            return known  # somebody else took it up meanwhile
        self._live[found.id] = found
        self._ids["|".join(found.keys)] = found.id
        self._unread.note(found)  # another process may have changed it
        self._take_in_tail(found, tail)
        return found

    async def _tail(self, conversation: Conversation) -> list[StoredMessage]:
        """The stored messages behind the last known one."""
        tail: list[StoredMessage] = []
        start = conversation.last_seq + 1
        while True:
            page = await self._store.messages_between(conversation.id, start, start + PAGE - 1)
            tail += page
            start += PAGE
            if len(page) < PAGE:
                return tail

    def _take_in_tail(self, conversation: Conversation, tail: Iterable[StoredMessage]) -> None:
        for message in tail:
            if message.seq == conversation.last_seq + 1:  # else somebody was quicker
                self.add(conversation, message, None)

    def _new(self, keys: tuple[str, str], names: tuple[str, str]) -> Conversation:
        (first, first_name), (second, second_name) = sorted(zip(keys, names, strict=True))
        places = (Place(first, first_name), Place(second, second_name))
        return Conversation(new_id(), places, 0, None, moment(self._now()))

    async def _read_unread(self, key: str) -> dict[str, int]:
        """What the database says is unread for somebody, but for what is live: a summary may be
        behind when this begins and be written meanwhile, and a watermark may be stored of which
        nobody was told. What changes after that is noted."""
        behind = self.behind_of(key)
        counts = await self._store.unread_of(key)
        live = (self._live[id_] for id_ in counts.keys() & self._live.keys())
        return counts | {c.id: c.unread_of(key) for c in [*behind, *live] if key in c.keys}

    def _overlaid(
        self, key: str, behind: Iterable[Conversation], stored: Iterable[Conversation]
    ) -> list[Conversation]:
        """What was read, replaced by what is live, with what was behind before it was read or is
        behind by now. The others are not taken up: a list would cost a query a row."""
        found = {c.id: self._live.get(c.id, c) for c in stored}
        found |= {c.id: c for c in [*behind, *self.behind_of(key)] if c.id in self._live}
        return [conversation for conversation in found.values() if key in conversation.keys]

    def _forget_the_oldest(self) -> None:
        for id_ in list(islice(self._live, max(0, len(self._live) - KEPT))):
            if id_ not in self._behind:
                del self._ids["|".join(self._live.pop(id_).keys)]


def _place_in_time(conversation: Conversation) -> Cursor:
    return Cursor(conversation.updated_at, conversation.id)


def _advance(place: Place, kind: str, step: Step) -> None:
    if kind == "read" and step.seq > place.read_seq:
        place.read_seq = step.seq
        place.read = [*place.read[1 - STEPS_KEPT :], step]
    if step.seq > place.delivered_seq:
        place.delivered_seq = step.seq
        place.delivered = [*place.delivered[1 - STEPS_KEPT :], step]
