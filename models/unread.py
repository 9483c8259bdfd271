"""How much is unread for those who asked lately, so that asking again reads nothing.

A page, a socket that comes and every count ask for the same sum, over thousands of conversations
in a busy shop. It is read from the database once, and what the ledger takes in keeps it true. What
another process changes is found by reading again, now and then, behind the answers.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from models.conversation import Conversation
from models.errors import Unavailable

FRESH_SECONDS: Final = 60.0
KEPT: Final = 200_000  # conversations with something unread, about 200 bytes each
KEPT_FOR_ONE: Final = 10  # a person with none costs as much as so many


@dataclass(slots=True)
class _Known:
    """Somebody's counts, without zeros; None until they were read. ``meanwhile`` holds what changed
    since the reading under way began, ``changes`` how often anything did."""

    counts: dict[str, int] | None = None
    changes: int = 0
    read_at: float = 0.0
    reading: asyncio.Task[None] | None = None
    meanwhile: dict[str, int] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        return KEPT_FOR_ONE + len(self.counts or ())

    @property
    def is_old(self) -> bool:
        return self.counts is None or time.monotonic() > self.read_at + FRESH_SECONDS


class UnreadCounts:
    """Counts by participant and conversation. ``read`` looks somebody's up, as they were when it
    was called or later; it raises ``Unavailable``."""

    def __init__(self, read: Callable[[str], Awaitable[dict[str, int]]]) -> None:
        self._look_up = read
        self._known: OrderedDict[str, _Known] = OrderedDict()  # by key, the latest to ask last
        self._kept = 0  # the sum of their weights: a crowd that comes must not add it up each time

    async def of(self, key: str) -> dict[str, int]:
        """How many messages are unread for somebody, in each conversation that has any. Those who
        ask at once share one reading, which goes on if they do not wait for it. Raises
        ``Unavailable``."""
        known = self._remembered(key)
        if known.reading is None and known.is_old:
            known.meanwhile.clear()
            known.reading = asyncio.create_task(self._read(key, known))
        if known.counts is None and known.reading is not None:
            await asyncio.shield(known.reading)
        if known.counts is None:
            raise Unavailable
        return known.counts.copy()

    def is_known(self, key: str) -> bool:
        """Whether ``of`` answers somebody without waiting."""
        known = self._known.get(key)
        return known is not None and known.counts is not None

    def watch(self, key: str) -> Callable[[dict[str, int]], None]:
        """To be called before a look for more than somebody's counts. What it returns takes in the
        counts that were found, unless they have changed since: such a look may have missed that."""
        known = self._remembered(key)
        changes = known.changes

        def learn(counts: dict[str, int]) -> None:
            is_same = self._known.get(key) is known and known.changes == changes
            if is_same and known.reading is None:
                self._keep(known, counts)

        return learn

    def note(self, conversation: Conversation) -> None:
        """Takes in how much is unread for both sides by now."""
        for key in conversation.keys:
            self._set(key, conversation.id, conversation.unread_of(key))

    def drop(self, conversation_id: str, key: str) -> None:
        """Takes in that somebody has this conversation no more."""
        self._set(key, conversation_id, 0)

    def _set(self, key: str, conversation_id: str, unread: int) -> None:
        known = self._known.get(key)
        if known is None:
            return
        known.changes += 1
        if known.reading is not None:
            known.meanwhile[conversation_id] = unread
        if known.counts is not None:
            self._kept -= known.weight
            if unread:
                known.counts[conversation_id] = unread
            else:
                known.counts.pop(conversation_id, None)
            self._kept += known.weight

    async def _read(self, key: str, known: _Known) -> None:
        """Where the database does not answer, what is known stays; who asks next tries again."""
        try:
            found = await self._look_up(key)
        except Unavailable:
            if known.counts is None:
                self._forget(key)
            return
        finally:
            known.reading = None
        self._keep(known, found | known.meanwhile)

    def _keep(self, known: _Known, counts: dict[str, int]) -> None:
        self._kept -= known.weight
        known.counts = {id_: unread for id_, unread in counts.items() if unread}
        self._kept += known.weight
        known.read_at = time.monotonic()
        self._forget_the_oldest()

    def _remembered(self, key: str) -> _Known:
        """What is known of who asks, empty at first."""
        if key not in self._known:
            self._known[key] = known = _Known()
            self._kept += known.weight
        self._known.move_to_end(key)
        return self._known[key]

    def _forget(self, key: str) -> None:
        self._kept -= self._known.pop(key).weight

    def _forget_the_oldest(self) -> None:
        while self._kept > KEPT and len(self._known) > 1:
            key, oldest = next(iter(self._known.items()))
            if oldest.reading is not None:
                break  # the next who reads calls this again
            self._forget(key)
