"""Finding somebody's conversations by the name of the other side.

The database has no index that serves the beginning of any word of a name in the order of time, and
one made for it (a key for each word, or each beginning of one) doubled the cost of every write. So
the names of one person's conversations are kept in memory once they have looked for one, and what
has changed since is read before each answer. The first look reads all names, 20,000 in three
seconds from the embedded engine; after it a page of 50 takes 30 ms, however many there are.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from unicodedata import combining, normalize

from models.conversation import Conversation, Participant
from models.ledger import SETTLED_MARGIN, Ledger
from models.store import AHEAD, FIRST_WINDOW, OLDEST, WINDOW_GROWTH, Cursor, Named, Store

NAMES_KEPT: Final = 200_000  # about 400 bytes each
PEOPLE_KEPT: Final = 1000  # who looked for a name; any guest may, and have no conversation at all
NAMES_AT_ONCE: Final = 1000  # the embedded engine is busy with them for a tenth of a second
GUEST_LETTERS: Final = 4  # of a guest's id, which their shown name ends in
# What guests are called, in the languages that pages speak: one finds what one sees.
GUEST_WORDS: Final = ("guest", "gast", "visitante", "زائر")

# Letters that Unicode does not take apart into a plain one and a mark.
_PLAIN: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe"}
)
_RUN: Final = re.compile(r"\w+")


def plain(text: str) -> str:
    """A text without capitals and accents, so that "Zoë" and "zoe" are the same."""
    taken_apart = normalize("NFKD", text.casefold())
    return "".join(c for c in taken_apart if not combining(c)).casefold().translate(_PLAIN)


def words_of(name: str) -> str:
    """What one may begin to type to find a name, each with a space before it: its words, and the
    parts of "Anna-Maria"."""
    found = plain(name)
    return "".join(f" {word}" for word in dict.fromkeys([*found.split(), *_RUN.findall(found)]))


def starts_of(name: str) -> list[str]:
    """What is looked for among the words of a name."""
    return [f" {word}" for word in plain(name).split()]


def is_called(words: str, starts: list[str]) -> bool:
    """Whether each of these is the beginning of one of the words."""
    return all(start in words for start in starts)


@dataclass(slots=True)
class _Known:
    """The other sides of one person's conversations, by conversation: those that last moved between
    two moments. ``span`` is how far back the next look goes."""

    read_from: datetime
    read_to: datetime
    words: dict[str, str] = field(default_factory=dict)
    at: dict[str, datetime] = field(default_factory=dict)
    span: timedelta = FIRST_WINDOW
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take_in(self, found: Iterable[Named]) -> None:
        for named in found:
            self.words[named.id] = _words(named)
            self.at[named.id] = named.at


class Directory:
    """Who is in whose conversations, by name."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._known: OrderedDict[str, _Known] = OrderedDict()  # by key, the latest to ask last
        ledger.on_rename = self._renamed  # a guest's new name is no newer than their last message

    async def newest_of(
        self, key: str, name: str, *, before: Cursor | None, limit: int, unread: bool
    ) -> list[Conversation]:
        """Somebody's conversations with people of this name, newest first."""
        starts = starts_of(name)
        behind = self._ledger.behind_of(key)
        unread_in = await self._ledger.unread_of(key) if unread else None
        known = await self._read(key)
        named = list(known.words)
        for start in starts:
            named = [id_ for id_ in named if start in known.words[id_]]
        places = {id_: known.at[id_] for id_ in named}
        for conversation in [*behind, *self._ledger.behind_of(key)]:
            places.pop(conversation.id, None)
            if is_called(_words_in(conversation, key), starts):
                places[conversation.id] = conversation.updated_at
        cursors = sorted(Cursor(at, id_) for id_, at in places.items())
        found: list[Conversation] = []
        while cursors and len(found) < limit:
            newest = [cursors.pop() for _ in range(min(limit, len(cursors)))]
            chosen = {
                c.id
                for c in newest
                if (before is None or c < before) and (unread_in is None or c.id in unread_in)
            }
            found += [
                c
                for c in (await self._ledger.get_all(chosen) if chosen else ())
                if key in c.keys and c.last_seq and is_called(_words_in(c, key), starts)
            ]
        found.sort(key=lambda c: Cursor(c.updated_at, c.id), reverse=True)
        return found[:limit]

    async def _read(self, key: str) -> _Known:
        """All that is known, with what the database has heard since the last time. Where it does
        not answer, the next time goes on from there."""
        now = datetime.now(UTC)
        known = self._known.setdefault(key, _Known(read_from=now, read_to=now))
        self._known.move_to_end(key)
        try:
            async with known.lock:
                since = known.read_to - SETTLED_MARGIN
                known.take_in(await self._store.names_of(key, since, now + AHEAD))
                known.read_to = max(known.read_to, now)
                while known.read_from > OLDEST:
                    since = max(OLDEST, known.read_from - known.span)
                    found = await self._store.names_of(key, since, known.read_from)
                    known.take_in(found)
                    known.read_from = since
                    known.span *= min(WINDOW_GROWTH, NAMES_AT_ONCE / max(1, len(found)))
        finally:
            self._forget_the_oldest()
        return known

    def _renamed(self, conversation: Conversation) -> None:
        for key in conversation.keys:
            if known := self._known.get(key):
                known.words[conversation.id] = _words_in(conversation, key)
                known.at[conversation.id] = conversation.updated_at

    def _forget_the_oldest(self) -> None:
        kept = sum(len(known.at) for known in self._known.values())
        while len(self._known) > PEOPLE_KEPT or (kept > NAMES_KEPT and len(self._known) > 1):
            _, forgotten = self._known.popitem(last=False)
            kept -= len(forgotten.at)


def _words_in(conversation: Conversation, key: str) -> str:
    peer = conversation.peer_of(key)
    return _words(Named(conversation.id, conversation.updated_at, peer.key, peer.name))


def _words(named: Named) -> str:
    """The words of the name that somebody is shown under."""
    who = Participant.from_key(named.key)
    if who.verified:
        return words_of(named.name or who.id)
    return words_of(" ".join((*GUEST_WORDS, who.id[-GUEST_LETTERS:])))
