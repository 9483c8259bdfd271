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
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
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

KEPT: Final = 20_000  # conversations in memory, about 2 kB each
PAGE: Final = 200  # messages read at once while a summary is mended
SETTLE_SECONDS: Final = 0.25  # a summary lags behind its messages by this much when all is calm
SETTLE_SHARE: Final = 0.1  # of the database's time; messages go first
SETTLE_BATCH: Final = 200
# A little more than a clock may be off between two looks; settling twice does no harm.
SETTLED_MARGIN: Final = timedelta(seconds=60)

log = logging.getLogger("shopbell.ledger")

Found = Callable[[Conversation, list[StoredMessage]], None]


class Ledger:
    """Live conversations, each one object for all who ask.

    ``on_found`` is told of stored messages that nobody was told of yet: those whose outcome was
    unknown, and another process's.
    """

    def __init__(self, store: Store, *, now: Callable[[], float] = time.time) -> None:
        self.on_found: Found = lambda conversation, messages: None
        self._store = store
        self._now = now
        self._by_pair: OrderedDict[str, Conversation] = OrderedDict()
        self._pairs: dict[str, str] = {}  # conversation id -> pair
        self._dirty: dict[str, _Touched] = {}  # those whose summary is behind, by id
        self._touches = 0
        self._settled_at: datetime | None = None

    # --- Looking up -----------------------------------------------------------------------------

    async def between(self, one: str, other: str) -> Conversation | None:
        """Two participants' conversation, if they ever spoke."""
        pair = pair_of(one, other)
        if (known := self._known(pair)) is not None:
            return known
        found = await self._store.conversation_by_pair(pair)
        return None if found is None else await self._taken_up(found)

    async def get(self, conversation_id: str) -> Conversation | None:
        """A conversation by id, for whoever asks; the caller checks who that is."""
        if (pair := self._pairs.get(conversation_id)) and (known := self._known(pair)) is not None:
            return known
        found = await self._store.conversation(conversation_id)
        return None if found is None else await self._taken_up(found)

    async def get_all(self, conversation_ids: Iterable[str]) -> list[Conversation]:
        """Those of these conversations that exist, to be shown. One look for all; what was not in
        use before is not taken up, which would cost a query each."""
        wanted = set(conversation_ids)
        live = [self._by_pair[self._pairs[id_]] for id_ in wanted if id_ in self._pairs]
        missing = wanted - {conversation.id for conversation in live}
        return live + (await self._store.conversations(missing) if missing else [])

    async def opened(
        self, pairs: dict[tuple[str, str], tuple[str, str]]
    ) -> dict[str, Conversation]:
        """The conversations of all these pairs of keys (with the two names), by their sorted pair,
        made where there is none."""
        wanted = {pair_of(*keys): (keys, names) for keys, names in pairs.items()}
        missing = [pair for pair in wanted if self._known(pair) is None]
        if missing:
            found = await self._store.conversations_by_pairs(missing)
            await self._take_up_all(found)
            new = [self._new(*wanted[pair]) for pair in missing if self._known(pair) is None]
            if new:
                await self._store.insert_conversations(new)
                # Another process may have been quicker; what lies in the database counts.
                made = await self._store.conversations_by_pairs("|".join(c.keys) for c in new)
                await self._take_up_all(made)
        return {pair: self._by_pair[pair] for pair in wanted}

    async def newest_of(
        self, key: str, *, before: Cursor | None, limit: int, unread: bool
    ) -> list[Conversation]:
        """Somebody's conversations, newest first. What the summaries do not say yet is overlaid."""
        stored = await self._store.conversations_of(
            key, before=before, limit=limit + len(self._dirty_of(key)), unread=unread
        )
        found = self._overlaid(key, stored)
        wanted = [
            c
            for c in found
            if (before is None or (c.updated_at, c.id) < before)
            and c.last_seq
            and (not unread or c.unread_of(key))
        ]
        return sorted(wanted, key=lambda c: (c.updated_at, c.id), reverse=True)[:limit]

    async def unread_of(self, key: str) -> dict[str, int]:
        """How many messages are unread for somebody, in each conversation that has any."""
        found = self._overlaid(key, await self._store.unread_conversations(key))
        return {c.id: c.unread_of(key) for c in found if c.unread_of(key)}

    # --- Changing, after the database has it ----------------------------------------------------

    def add(self, conversation: Conversation, message: StoredMessage) -> int:
        """Takes in a stored message, the next one by ``seq``, and returns how far its sender had
        read before: sending reads all."""
        sender = conversation.place_of(message.sender)
        read_before = sender.read_seq
        conversation.last_seq = message.seq
        conversation.last = message
        conversation.updated_at = max(conversation.updated_at, message.at)
        _advance(sender, "read", Step(message.seq, message.at))
        self.touch(conversation)
        return read_before

    def advance(self, conversation: Conversation, place: Place, kind: str, step: Step) -> None:
        """Takes in a watermark that was stored."""
        _advance(place, kind, step)
        if kind == "read":
            self.touch(conversation)  # less is unread now, and the summary says so

    def touch(self, conversation: Conversation) -> None:
        """Marks a conversation whose summary is behind."""
        self._touches += 1
        self._dirty[conversation.id] = _Touched(conversation, self._touches)

    async def recheck(self, conversation: Conversation) -> None:
        """Reads what lies behind the last known message, takes it in and tells ``on_found``."""
        while True:
            start = conversation.last_seq + 1
            tail = await self._store.messages_between(conversation.id, start, start + PAGE - 1)
            fresh = []
            for message in tail:
                if message.seq == conversation.last_seq + 1:
                    self.add(conversation, message)
                    fresh.append(message)
            if fresh:
                self.on_found(conversation, fresh)
            if len(tail) < PAGE:
                return

    def forget(self, conversation: Conversation) -> None:
        """Drops a conversation from memory, for one who changed it in the database."""
        self._dirty.pop(conversation.id, None)
        self._pairs.pop(conversation.id, None)
        self._by_pair.pop("|".join(conversation.keys), None)

    # --- Settling -------------------------------------------------------------------------------

    async def mend(self) -> None:
        """Brings the summaries up to the messages that a killed process left behind."""
        settled_at = await self._store.settled_at()
        if settled_at is not None:
            left = await self._store.messages_since(settled_at - SETTLED_MARGIN)
            for conversation_id in {message.conversation_id for message in left}:
                await self.get(conversation_id)  # being taken up mends
        await self.settle()

    async def settle(self) -> None:
        """Writes the summaries that are behind. Raises ``Unavailable``; nothing is lost then."""
        at = moment(self._now())
        behind = list(self._dirty.items())
        for start in range(0, len(behind), SETTLE_BATCH):
            batch = behind[start : start + SETTLE_BATCH]
            await self._store.write_summaries([touched.conversation for _, touched in batch])
            for id_, touched in batch:
                if self._dirty.get(id_) == touched:  # else something came while it was written
                    del self._dirty[id_]
        if self._settled_at is None or at - self._settled_at > SETTLED_MARGIN / 4:
            await self._store.write_settled_at(at)
            self._settled_at = at
        self._forget_the_oldest()

    async def keep_settling(self) -> None:
        """Settles again and again, for as long as the server runs. The busier the database, the
        more changes of a conversation share one write."""
        took = 0.0
        while True:
            await asyncio.sleep(max(SETTLE_SECONDS, took / SETTLE_SHARE))
            started = time.monotonic()
            try:
                await self.settle()
            except Unavailable:
                log.warning("summaries wait for the database: %d", len(self._dirty))
            took = time.monotonic() - started

    # --- Inside ---------------------------------------------------------------------------------

    def _known(self, pair: str) -> Conversation | None:
        known = self._by_pair.get(pair)
        if known is not None:
            self._by_pair.move_to_end(pair)
        return known

    async def _taken_up(self, found: Conversation) -> Conversation:
        """The one live object for a conversation that was read, looked at for messages that its
        summary does not know."""
        pair = "|".join(found.keys)
        if (known := self._known(pair)) is not None:
            return known  # somebody else took it up meanwhile
        self._by_pair[pair] = found
        self._pairs[found.id] = pair
        await self.recheck(found)
        return found

    async def _take_up_all(self, found: Iterable[Conversation]) -> None:
        for conversation in found:
            await self._taken_up(conversation)

    def _new(self, keys: tuple[str, str], names: tuple[str, str]) -> Conversation:
        (first, first_name), (second, second_name) = sorted(zip(keys, names, strict=True))
        places = (Place(first, first_name), Place(second, second_name))
        return Conversation(new_id(), places, 0, None, moment(self._now()))

    def _dirty_of(self, key: str) -> list[Conversation]:
        live = (touched.conversation for touched in self._dirty.values())
        return [conversation for conversation in live if key in conversation.keys]

    def _overlaid(self, key: str, stored: list[Conversation]) -> list[Conversation]:
        """What was read, replaced by what is live, and what is only live so far. The others are not
        taken up: a list would cost a query a row."""
        by_id = {c.id: self._by_pair.get("|".join(c.keys), c) for c in stored}
        return list((by_id | {c.id: c for c in self._dirty_of(key)}).values())

    def _forget_the_oldest(self) -> None:
        for pair in list(self._by_pair)[: max(0, len(self._by_pair) - KEPT)]:
            conversation = self._by_pair[pair]
            if conversation.id not in self._dirty:
                del self._by_pair[pair], self._pairs[conversation.id]


class _Touched(NamedTuple):
    conversation: Conversation
    number: int  # of the last touch, to tell whether another one came


def _advance(place: Place, kind: str, step: Step) -> None:
    if kind == "read" and step.seq > place.read_seq:
        place.read_seq = step.seq
        place.read = [*place.read[1 - STEPS_KEPT :], step]
    if step.seq > place.delivered_seq:
        place.delivered_seq = step.seq
        place.delivered = [*place.delivered[1 - STEPS_KEPT :], step]
