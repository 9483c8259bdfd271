"""The side of the chat that is never stored: who is here, who is composing, and who is told of it.

Best effort by design: it is lost with the process, and left out for a reader who is slow.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime

from models.codec import encode_event
from models.conversation import Identity, Participant, moment
from models.events import (
    ContextChanged,
    OnlineUser,
    OnlineUsers,
    PresenceStatus,
    UpdateContext,
    UserStatusChanged,
    UserTyping,
    timestamp,
)
from models.hub import Connection, Hub
from models.presence import Composing, Presence, TypingBoard


class Live:
    """Presence and typing of one process, told on through the hub."""

    def __init__(
        self,
        hub: Hub,
        presence: Presence,
        typing: TypingBoard,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.presence = presence
        self._hub = hub
        self._typing = typing
        self._now = now

    # --- Coming and going -----------------------------------------------------------------------

    def arrive(self, connection: Connection, partners: Iterable[str]) -> None:
        """A socket was registered, by somebody who has conversations with ``partners``."""
        key = connection.who.key
        connection.is_here = True
        came = self.presence.arrive(key, connection.who.name)
        self.presence.share(key, partners)
        if came:
            self.tell_status(key)

    def visit(self, connection: Connection, seller: str | None) -> None:
        """A buyer's socket is on this seller's page now, or on none."""
        key = connection.who.key
        if connection.seller is not None:
            self.presence.end_visit(key, connection.seller)
        connection.seller = seller
        if seller is not None:
            self.presence.visit(key, seller)

    def leave(self, connection: Connection) -> None:
        """A socket is gone, if it had arrived. With somebody's last one their typing ends."""
        if not connection.is_here:
            return
        connection.is_here = False
        key = connection.who.key
        self.visit(connection, None)
        if self.presence.leave(key):
            self._tell_typing(self._typing.stop_all(key), is_typing=False)

    def meet(self, one: str, other: str) -> None:
        """Two participants spoke for the first time: from now on they see each other."""
        for key, partner in ((one, other), (other, one)):
            if self.presence.is_here(key):
                self.presence.share(key, [partner])
                if self.presence.status_of(key) != "offline":
                    self._tell(self._status(key), [partner])

    def online_users(self, connection: Connection) -> OnlineUsers:
        """Who is here, of those whom this socket's participant may see."""
        visible = self.presence.visible_to(connection.who.key)
        if connection.seller is not None:
            visible = visible | {connection.seller}
        users = []
        for key in sorted(visible):
            status, name = self.presence.status_of(key), self.presence.name_of(key)
            if status != "offline" and name is not None:
                type_, id_ = Participant.from_key(key)
                users.append(OnlineUser(id=id_, type=type_, name=name, status=status))
        return OnlineUsers(users)

    def set_status(self, key: str, status: PresenceStatus) -> bool:
        """How present somebody wants to be; true if that is a change."""
        changed = self.presence.set_status(key, status)
        if changed:
            self.tell_status(key)
        return changed

    def tell_status(self, key: str) -> None:
        """Tells all who may know how present somebody is now."""
        self._tell(self._status(key), self.presence.watchers_of(key))

    def show_context(self, connection: Connection, context: UpdateContext) -> None:
        """Tells the seller on whose page a buyer's socket is, and those who talk with the buyer,
        what the buyer looks at."""
        type_, id_ = connection.who.participant
        sellers = self.presence.visible_to(connection.who.key)
        if connection.seller is not None:
            sellers = sellers | {connection.seller}
        connection.context = encode_event(ContextChanged(id_, type_, context))
        self._hub.publish(sellers, connection.context, droppable=True)

    def tell_context(self, connection: Connection, buyer: str) -> None:
        """Tells a seller's socket what a buyer looks at who said so before."""
        for told in self._hub.registered_of(buyer):
            if told.context is not None:
                connection.push(told.context, droppable=True)

    # --- Composing ------------------------------------------------------------------------------

    def start_typing(self, who: Identity, recipient: str, conversation_id: str | None) -> None:
        """Somebody composes a message; believed for six seconds."""
        composing = Composing(who.key, who.name, recipient, conversation_id)
        self._typing.start(composing)
        self._tell_typing([composing], is_typing=True)

    def stop_typing(self, typist: str, recipient: str) -> None:
        """Ends it, and tells so if it was on."""
        self._tell_typing(self._typing.stop(typist, recipient), is_typing=False)

    # --- The timer ------------------------------------------------------------------------------

    def tick(self) -> dict[str, datetime]:
        """Ends what has run out; to be called about twice a second. Returns who is gone, and when
        they were last seen; whoever was invisible has gone before, and so nobody hears of it."""
        self._tell_typing(self._typing.over(), is_typing=False)
        gone = {}
        for key, status in self.presence.gone().items():
            if status != "offline":
                gone[key] = moment(self._now())
                self.tell_status(key)
            self.presence.forget(key)
        return gone

    # --- Inside ---------------------------------------------------------------------------------

    def _status(self, key: str) -> UserStatusChanged:
        type_, id_ = Participant.from_key(key)
        at = timestamp(moment(self._now()))
        return UserStatusChanged(id_, type_, self.presence.status_of(key), last_seen=at)

    def _tell(self, event: UserStatusChanged, keys: Iterable[str]) -> None:
        self._hub.publish(keys, encode_event(event), droppable=True)

    def _tell_typing(self, composings: Iterable[Composing], *, is_typing: bool) -> None:
        for composing in composings:
            type_, id_ = Participant.from_key(composing.typist)
            event = UserTyping(composing.conversation_id, id_, type_, composing.name, is_typing)
            self._hub.publish([composing.recipient], encode_event(event), droppable=True)
