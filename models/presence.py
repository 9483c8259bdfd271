"""Who is here and who is composing: in memory only, with deadlines that one timer looks at.

Presence is best effort and never delays a message. What is said here is told on by ``chat.py``; who
may see whom is kept here, because it is asked for at every change.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from models.events import TYPING_SECONDS, PresenceStatus

GRACE_SECONDS: Final = 15.0  # CONTRACT section 4: a page change shows nothing


@dataclass(slots=True)
class _Here:
    name: str
    sockets: int = 0
    status: PresenceStatus = "online"
    gone_after: float | None = None  # when the grace ends; None while a socket is there


class Presence:
    """Counts registered sockets, and keeps who shares a conversation with whom among those here."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._here: dict[str, _Here] = {}
        self._partners: dict[str, set[str]] = {}  # of those who are here
        self._partner_of: defaultdict[str, set[str]] = defaultdict(set)  # the same, turned round
        self._visitors: defaultdict[str, dict[str, int]] = defaultdict(dict)  # seller -> buyers

    def arrive(self, key: str, name: str) -> bool:
        """A socket was registered; true if its participant was not here before."""
        came = key not in self._here
        here = self._here.setdefault(key, _Here(name))
        here.name = name
        here.sockets += 1
        here.gone_after = None
        return came

    def leave(self, key: str) -> bool:
        """A registered socket is gone; true if it was the participant's last."""
        here = self._here.get(key)
        if here is None:
            return False
        here.sockets -= 1
        if here.sockets > 0:
            return False
        here.gone_after = self._now() + GRACE_SECONDS
        return True

    def gone(self) -> dict[str, PresenceStatus]:
        """Those whose grace has ended since the last call, and as what they were seen. Who may be
        told of it is known until ``forget`` is called."""
        now = self._now()
        over = {
            key: here.status
            for key, here in self._here.items()
            if here.gone_after is not None and here.gone_after <= now
        }
        for key in over:
            del self._here[key]
        return over

    def forget(self, key: str) -> None:
        """Drops what somebody who is gone may see."""
        for partner in self._partners.pop(key, set()):
            self._partner_of[partner].discard(key)
            if not self._partner_of[partner]:
                del self._partner_of[partner]

    def set_status(self, key: str, status: PresenceStatus) -> bool:
        """How present somebody wants to be; true if that is a change."""
        here = self._here.get(key)
        if here is None or here.status == status:
            return False
        here.status = status
        return True

    def status_of(self, key: str) -> PresenceStatus:
        here = self._here.get(key)
        return "offline" if here is None else here.status

    def name_of(self, key: str) -> str | None:
        """What somebody who is here is called; None for who is not."""
        here = self._here.get(key)
        return None if here is None else here.name

    def online(self) -> list[str]:
        """Who is seen online now."""
        return [key for key, here in self._here.items() if here.status == "online"]

    def is_here(self, key: str) -> bool:
        """Whether somebody is here, be it invisibly."""
        return key in self._here

    def share(self, key: str, partners: Iterable[str]) -> None:
        """Somebody who is here has conversations with these."""
        for partner in partners:
            self._partners.setdefault(key, set()).add(partner)
            self._partner_of[partner].add(key)

    def visit(self, key: str, seller: str) -> None:
        """A socket of a buyer is on this seller's page."""
        visitors = self._visitors[seller]
        visitors[key] = visitors.get(key, 0) + 1

    def end_visit(self, key: str, seller: str) -> None:
        visitors = self._visitors[seller]
        visitors[key] = visitors.get(key, 1) - 1
        if not visitors[key]:
            del visitors[key]
        if not visitors:
            del self._visitors[seller]

    def watchers_of(self, key: str) -> set[str]:
        """Who may be told of somebody's presence: those who share a conversation, and for a seller
        the buyers on their page."""
        return self.visible_to(key) | set(self._visitors.get(key, ()))

    def visible_to(self, key: str) -> set[str]:
        """Whose presence somebody may see, the seller whose page they visit left out."""
        return self._partners.get(key, set()) | self._partner_of.get(key, set())


class Composing(NamedTuple):
    """Somebody composes a message; ``conversation_id`` is None before the first one."""

    typist: str
    name: str
    recipient: str
    conversation_id: str | None


class TypingBoard:
    """Who is composing a message to whom, and until when that is believed."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until: dict[tuple[str, str], tuple[Composing, float]] = {}

    def start(self, composing: Composing) -> None:
        """Believes it for another six seconds."""
        pair = composing.typist, composing.recipient
        self._until[pair] = composing, self._now() + TYPING_SECONDS

    def stop(self, typist: str, recipient: str) -> list[Composing]:
        """Ends it, and returns it if it was on."""
        return self._take([pair for pair in [(typist, recipient)] if pair in self._until])

    def stop_all(self, typist: str) -> list[Composing]:
        """Ends and returns all of a typist's."""
        return self._take([pair for pair in self._until if pair[0] == typist])

    def over(self) -> list[Composing]:
        """Ends and returns what has run out."""
        now = self._now()
        return self._take([pair for pair, (_, until) in self._until.items() if until <= now])

    def _take(self, pairs: list[tuple[str, str]]) -> list[Composing]:
        return [self._until.pop(pair)[0] for pair in pairs]
