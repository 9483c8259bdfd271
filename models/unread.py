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
    since the reading under way began."""

    counts: dict[str, int] | None = None
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

    async def of(self, key: str) -> dict[str, int]:
        """How many messages are unread for somebody, in each conversation that has any. Those who
        ask at once share one reading, which goes on if they do not wait for it. Raises
        ``Unavailable``."""
        known = self._known.setdefault(key, _Known())
        self._known.move_to_end(key)
        if known.reading is None and known.is_old:
            known.meanwhile.clear()
            known.reading = asyncio.create_task(self._read(key, known))
        if known.counts is None and known.reading is not None:
            await asyncio.shield(known.reading)
        if known.counts is None:
            raise Unavailable
        return known.counts.copy()

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
        if known.reading is not None:
            known.meanwhile[conversation_id] = unread
        if known.counts is not None:
            if unread:
                known.counts[conversation_id] = unread
            else:
                known.counts.pop(conversation_id, None)

    async def _read(self, key: str, known: _Known) -> None:
        """Where the database does not answer, what is known stays; who asks next tries again."""
        try:
            found = await self._look_up(key)
        except Unavailable:
            if known.counts is None:
                del self._known[key]
            return
        finally:
            known.reading = None
        found |= known.meanwhile
        known.counts = {id_: unread for id_, unread in found.items() if unread}
        known.read_at = time.monotonic()
        self._forget_the_oldest()

    def _forget_the_oldest(self) -> None:
        kept = sum(known.weight for known in self._known.values())
        for key, known in list(self._known.items())[:-1]:
            if kept <= KEPT:
                break
            if known.reading is None:
                del self._known[key]
                kept -= known.weight
