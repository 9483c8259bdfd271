"""Who is connected, and the way of events to them. Plain state without I/O: no loop, no Tornado.

The hub knows one process. A second one would join at ``publish``, the only way out for events.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from models.conversation import Conversation, Identity

OUTBOX_BYTES: Final = 1024 * 1024  # CONTRACT section 4: over 1 MiB waiting is too slow a reader
FRAME_EVENTS: Final = 500  # events put into one frame at most
TOO_SLOW: Final = 1013  # RFC 6455 registry: try again later
SESSION_ENDED: Final = 4401


class Outbox:
    """Encoded events that wait for one socket, bounded in bytes.

    Typing and presence (``droppable``) are left out once half the bound waits: they are out of date
    soon anyway, and must never cost somebody a message.
    """

    def __init__(self, limit: int = OUTBOX_BYTES) -> None:
        self._waiting: list[bytes] = []  # no deque: an empty one takes 700 bytes
        self._limit = limit
        self.bytes = 0

    @property
    def is_half_empty(self) -> bool:
        return self.bytes <= self._limit // 2

    def put(self, event: bytes, *, droppable: bool = False, large: bool = False) -> bool:
        """Takes an event; false where it would pass the bound, and the reader is to be let go.

        A ``large`` one is taken whatever its size where nothing waits: then nobody is slow.
        """
        if droppable and self.bytes + len(event) > self._limit // 2:
            return True
        is_alone = large and not self.bytes
        if self.bytes + len(event) > self._limit and not is_alone:
            return False
        self._waiting.append(event)
        self.bytes += len(event)
        return True

    def take(self) -> bytes | None:
        """The next frame: the one event that waits, or an array of several. None if none does."""
        events = self._waiting[:FRAME_EVENTS]
        if not events:
            return None
        del self._waiting[:FRAME_EVENTS]
        self.bytes -= sum(map(len, events))
        return events[0] if len(events) == 1 else b"[" + b",".join(events) + b"]"

    def empty(self) -> list[bytes]:
        """Takes all that waits, one by one."""
        events, self._waiting = self._waiting, []
        self.bytes = 0
        return events


class CatchUp(NamedTuple):
    """What a socket asked for when it registered: where it stands, and in which history; and the
    conversations that it was told of."""

    since: dict[str, int]
    epoch: str | None
    listed: Sequence[Conversation]


class Connection:
    """One registered or not yet registered socket, as the models see it.

    ``wake`` is called when there is something to write, ``close`` with a close code when the socket
    has to go; both come from the door and must not wait.
    """

    def __init__(
        self,
        who: Identity,
        *,
        wake: Callable[[], None],
        close: Callable[[int, str], None],
        limit: int = OUTBOX_BYTES,
    ) -> None:
        self.who = who
        self.outbox = Outbox(limit)
        self.registered = False  # events reach it
        self.is_here = False  # it counts for its participant's presence
        self.rooms: set[str] = set()
        self.seller: str | None = None  # on whose page a buyer is
        self.context: bytes | None = None  # what that page said last, as an event
        self.catching_up: CatchUp | None = None
        self._wake = wake
        self._close = close
        self._held: Outbox | None = None  # bounded as well: a replay may take its time
        self._limit = limit
        self.is_closing = False
        self.closed_with: int | None = None  # our own code; who is too slow never sends it back
        self.pushed_at: float | None = None  # since when the oldest live event waits
        self.unanswered = 0  # messages handed in on it whose answer is not queued yet

    def push(self, event: bytes, *, droppable: bool = False) -> None:
        """Queues an encoded event. Never waits; a reader over the bound is closed."""
        if self._held is None:
            if self.pushed_at is None:
                self.pushed_at = time.monotonic()
            self._put(self.outbox, event, droppable=droppable)
        else:
            self._put(self._held, event, droppable=droppable)

    def answer(self, frame: bytes) -> None:
        """Queues an answer or a part of a replay, past what is held back.

        The answer to ``register_user`` may hold a hundred long messages, some megabytes.
        """
        self._put(self.outbox, frame, large=True)

    def hold(self) -> None:
        """Keeps live events back until ``release``, while what was missed is read and sent."""
        if self._held is None:
            self._held = Outbox(self._limit)

    def release(self) -> None:
        """Lets the held events follow."""
        if self._held is not None:
            held, self._held = self._held, None
            for event in held.empty():
                self._put(self.outbox, event)

    def close(self, code: int, reason: str) -> None:
        """Ends the socket. What waits is dropped, and so is what comes after this: a stuck reader
        may take seconds to go, and must cost no memory meanwhile."""
        if not self.is_closing:
            self.ended()
            self.closed_with = code
            self._close(code, reason)

    def ended(self) -> None:
        """Nobody reads any more: nothing is kept, and nothing is taken from now on."""
        self.is_closing = True
        self.outbox.empty()
        self._held = None

    def _put(
        self, outbox: Outbox, event: bytes, *, droppable: bool = False, large: bool = False
    ) -> None:
        if self.is_closing:
            return
        if outbox.put(event, droppable=droppable, large=large):
            self._wake()
        else:
            self.close(TOO_SLOW, "too slow a reader")


class Hub:
    """The sockets of every participant, and those that have a conversation on their screen."""

    def __init__(self) -> None:
        self._of: defaultdict[str, set[Connection]] = defaultdict(set)  # open ones, by key
        self._rooms: defaultdict[str, set[Connection]] = defaultdict(set)
        self.count = 0

    def connect(self, connection: Connection) -> None:
        """Counts an open socket; events reach it once it is registered."""
        self._of[connection.who.key].add(connection)
        self.count += 1

    def disconnect(self, connection: Connection) -> None:
        """Forgets a socket. May be called twice."""
        key = connection.who.key
        if connection in self._of.get(key, ()):
            self._of[key].discard(connection)
            self.count -= 1
            if not self._of[key]:
                del self._of[key]
        for room in list(connection.rooms):
            self.leave(room, connection)

    def join(self, room: str, connection: Connection) -> None:
        """Puts a socket into a room, unless it has gone while its question was being answered."""
        if connection not in self._of.get(connection.who.key, ()):
            return
        connection.rooms.add(room)
        self._rooms[room].add(connection)

    def leave(self, room: str, connection: Connection) -> None:
        connection.rooms.discard(room)
        self._rooms[room].discard(connection)
        if not self._rooms[room]:
            del self._rooms[room]

    def open_of(self, key: str) -> int:
        """How many sockets somebody has open, registered or not."""
        return len(self._of.get(key, ()))

    def registered_of(self, key: str) -> list[Connection]:
        return [connection for connection in self._of.get(key, ()) if connection.registered]

    def in_room(self, room: str) -> set[Connection]:
        return set(self._rooms.get(room, ()))

    def everybody(self) -> Iterator[Connection]:
        """Every open socket; safe against changes meanwhile."""
        return iter([connection for open_ in self._of.values() for connection in open_])

    @property
    def is_quiet(self) -> bool:
        """Whether all that was asked for has been answered, and all answers were taken."""
        return not any(c.unanswered or c.outbox.bytes for c in self.everybody())

    def close_refused(self, is_refused: Callable[[Identity], bool]) -> None:
        """Ends the sockets of those whose token is no longer good."""
        for connection in self.everybody():
            if is_refused(connection.who):
                connection.close(SESSION_ENDED, "the session has ended")

    def publish(
        self,
        keys: Iterable[str],
        event: bytes,
        *,
        but: object = None,
        droppable: bool = False,
    ) -> None:
        """Queues one encoded event for every registered socket of these participants, but one."""
        for key in set(keys):
            for connection in self.registered_of(key):
                if connection is not but:
                    connection.push(event, droppable=droppable)
