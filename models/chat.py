"""Everything that can happen in a shop's chat, one method each, named by what a user would say.

The methods check first (that fails because of the input) and act then (that fails only because the
world is broken). ``who`` is always an identity that a token vouched for. The hub knows one process
only. A message whose acknowledgement was lost *is* stored, so every retry keeps its ``client_id``.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Literal

from msgspec.structs import replace

from models import events, wire
from models.availability import Availability
from models.codec import encode_event
from models.conversation import (
    Conversation,
    Identity,
    Participant,
    StoredMessage,
    check_may_talk,
    moment,
)
from models.errors import ChatError, Forbidden, Invalid, NotFound, RateLimited, Unavailable
from models.events import timestamp
from models.guests import Guests
from models.history import History
from models.hub import CatchUp, Connection, Hub
from models.journal import Draft, Journal, Marked, Stored
from models.ledger import Entry, Ledger
from models.live import Live
from models.metrics import Metrics
from models.pace import RULES, Pace
from models.store import Store
from models.text import (
    MESSAGE_CHARACTERS,
    SUBJECT_CHARACTERS,
    clean_message,
    clean_subject,
    clean_title,
)
from models.tokens import Tokens

FRAME_BYTES: Final = 64 * 1024  # CONTRACT section 4: a frame over 64 KiB closes with 1009
CATCH_UP_PAGE: Final = 300
CATCH_UP_MOST: Final = 1_000  # CONTRACT section 4: where more are missing, `reset`
CONVERSATIONS_SHOWN: Final = 100
REGISTERING: Final = 8  # read at a time: a crowd that comes back must not hold up who writes
NAMES_KNOWN: Final = 50_000

log = logging.getLogger("shopbell.chat")


class Chat:
    """The commands. The only one that tells what happened to the participants' sockets."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        journal: Journal,
        hub: Hub,
        live: Live,
        history: History,
        availability: Availability,
        guests: Guests,
        tokens: Tokens,
        pace: Pace,
        metrics: Metrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.epoch = ""  # the store's; known once it is open
        self._store = store
        self._ledger = ledger
        self._journal = journal
        self._hub = hub
        self._live = live
        self._history = history
        self._availability = availability
        self._guests = guests
        self._tokens = tokens
        self._pace = pace
        self._metrics = metrics
        self._now = now
        self._registering = asyncio.Semaphore(REGISTERING)
        self._left: dict[str, datetime] = {}  # who is gone, and that it is not stored yet
        self._introduced: dict[str, str] = {}  # whose record is known to be there, and their name
        ledger.on_entry = self._tell_entry
        journal.on_marked = self._tell_marked

    # --- Coming, catching up, going -------------------------------------------------------------

    async def register(
        self, who: Identity, command: events.RegisterUser, connection: Connection
    ) -> events.Registered:
        """A socket begins to listen. Live events are held back until ``catch_up`` was called.

        On a socket that is registered already it answers the same again, and catches up. May be
        cancelled.
        """
        _check_same(who, command.user_id, command.user_type, "user")
        if who.participant.type == "Seller":
            await self._introduce(who)
        connection.hold()  # subscribed first, read second: nothing falls in between
        first = not connection.registered
        connection.registered = True
        try:
            async with self._registering:
                newest = await self._newest_of(who.key)
                if not self._ledger.is_unread_known(who.key):
                    await self._history.unread_count(who)  # from here on it answers at once
                    newest = await self._newest_of(who.key)
                # The list and the sum are of one moment: clients add up what comes after it.
                as_of_now = [conversation.copy() for conversation in newest]
                unread = await self._history.unread_count(who)
                shown = await self._history.shown(who, as_of_now)
            if connection.is_closing:
                raise Unavailable  # it has gone meanwhile; who is counted now would stay for ever
        except BaseException:
            connection.registered = not first
            connection.release()
            raise
        connection.catching_up = CatchUp(command.since or {}, command.epoch, newest)
        if first:
            self._live.arrive(connection, [c.peer_of(who.key).key for c in newest])
        if who.participant.type == "Buyer":
            seller = command.seller_id and Participant("Seller", command.seller_id).key
            self._live.visit(connection, seller)
        return events.Registered(
            user=who.user,
            server_time=timestamp(moment(self._now())),
            epoch=self.epoch,
            unread=unread.count,
            conversations=shown,
            limits=self._limits(who),
            token=self._tokens.renewed(who),
        )

    async def catch_up(self, connection: Connection, flush: Callable[[], Awaitable[None]]) -> None:
        """After the answer to ``register_user``: who is online, what was missed, then live events.

        ``flush`` waits until the socket has taken what is queued, so a long replay never fills the
        outbox. Raises ``Unavailable``; the live events flow all the same.
        """
        wanted, connection.catching_up = connection.catching_up, None
        if wanted is None:
            return
        try:
            await flush()  # the answer to ``register_user`` may be large
            connection.answer(encode_event(self._live.online_users(connection)))
            own = [id_ for id_ in wanted.since if _is_object_id(id_)]
            for conversation in await self._ledger.get_all(own, wanted.listed):
                if connection.who.key in conversation.keys:
                    seq = wanted.since[conversation.id]
                    foreign = wanted.epoch is not None and wanted.epoch != self.epoch
                    await self._replay(connection, conversation, seq, flush, foreign=foreign)
        finally:
            connection.release()

    def disconnect(self, connection: Connection) -> None:
        """A socket is gone. May be called twice."""
        self._hub.disconnect(connection)
        connection.registered = False
        self._live.leave(connection)

    async def update_status(
        self, who: Identity, command: events.UpdateStatus, connection: Connection
    ) -> events.StatusUpdated:
        """The user wants to be seen as online, away, or not at all: that looks like leaving."""
        if self._live.set_status(who.key, command.status) and command.status == "offline":
            self._left[who.key] = moment(self._now())
        return events.StatusUpdated(command.status)

    async def update_context(
        self, who: Identity, command: events.UpdateContext, connection: Connection
    ) -> events.Nothing:
        """The user looks at another page of the shop. Raises ``Forbidden`` for a seller."""
        if who.participant.type != "Buyer":
            raise Forbidden("Only buyers look at pages of a shop.")
        product = command.product
        if product is not None:
            product = replace(product, name=clean_title(product.name))
        context = replace(command, title=clean_title(command.title), product=product)
        self._live.show_context(connection, context)
        return events.Nothing()

    # --- Writing --------------------------------------------------------------------------------

    async def send(self, who: Identity, command: events.SendMessage) -> events.Sent:
        """Stores a message for good and tells both sides."""
        return await (await self.post(who, command))

    async def post(
        self, who: Identity, command: events.SendMessage, connection: Connection | None = None
    ) -> Coroutine[Any, None, events.Sent]:
        """Takes a message in, in the order of the calls; what is returned waits until it is stored.

        Raises ``Forbidden`` for another's name and for buyer to buyer, ``Invalid``, ``NotFound``
        for an unknown recipient, ``RateLimited``; what is returned raises ``Conflict`` or
        ``Unavailable``. While a draft waits for its round, to cancel that is to take it back.
        """
        started = time.monotonic()
        try:
            draft = await self._drafted(who, command, connection)
        except (ChatError, asyncio.CancelledError):
            self._metrics.sent("refused", time.monotonic() - started)
            raise
        return self._sent(who, self._journal.append(draft), started)

    async def _drafted(
        self, who: Identity, command: events.SendMessage, connection: Connection | None
    ) -> Draft:
        """The message that somebody may send, checked."""
        _check_same(who, command.sender_id, command.sender_type, "sender")
        recipient = Participant(command.recipient_type, command.recipient_id)
        check_may_talk(who.participant, recipient)
        text, subject = clean_message(command.message), clean_subject(command.subject)
        self._pace.take(f"messages:{who.participant.type}", who.key)
        recipient = await self._guests.current(who, recipient)
        conversation = await self._ledger.between(who.key, recipient.key)
        recipient_name = await self._name_of(recipient, conversation)
        if who.participant.type == "Seller":
            await self._introduce(who)  # first: a start looks for what sellers wrote and were sent
        return Draft(
            sender=who,
            recipient=recipient,
            recipient_name=recipient_name,
            text=text,
            subject=subject,
            kind=command.message_type,
            client_id=command.client_id or uuid.uuid4().hex,
            origin=connection,
        )

    async def set_typing(
        self, who: Identity, command: events.Typing, connection: Connection | None = None
    ) -> events.Nothing:
        """The user composes a message, or stopped. More than one a second is dropped in silence."""
        recipient = Participant(command.recipient_type, command.recipient_id)
        check_may_talk(who.participant, recipient)
        if not command.is_typing:
            self._live.stop_typing(who.key, recipient.key)
            return events.Nothing()
        try:
            self._pace.take("typing", who.key)
        except RateLimited:
            return events.Nothing()
        conversation = await self._ledger.between(who.key, recipient.key)
        await self._name_of(recipient, conversation)
        spoken = conversation is not None and conversation.last_seq > 0
        self._live.start_typing(
            who, recipient.key, conversation.id if conversation and spoken else None
        )
        return events.Nothing()

    # --- Receiving ------------------------------------------------------------------------------

    async def mark_delivered(
        self, who: Identity, command: events.MarkAsDelivered, connection: Connection | None = None
    ) -> events.Delivered:
        """A device of the user has all messages up to ``seq``."""
        conversation = await self._history.own(who, command.conversation_id)
        message = await self._history.message_at(conversation, command.seq)
        seq = conversation.place_of(who.key).delivered_seq
        if message is not None:
            seq = await self._journal.mark(conversation, who.key, "delivered", message, connection)
        return events.Delivered(conversation.id, seq)

    async def mark_read(
        self, who: Identity, command: events.MarkAsRead, connection: Connection | None = None
    ) -> events.Read:
        """The user has read a message, and with it all before."""
        if command.message_id is not None:
            message, conversation = await self._history.own_message(who, command.message_id)
            return await self._read_up_to(who, conversation, message, connection)
        if command.conversation_id is None:
            raise Invalid("A message_id is missing, or a conversation_id.", field="message_id")
        if command.seq is None:
            raise Invalid("seq is missing.", field="seq")
        conversation = await self._history.own(who, command.conversation_id)
        last = await self._history.message_at(conversation, command.seq)
        if last is None:
            read_seq = conversation.place_of(who.key).read_seq
            return events.Read(conversation.id, read_seq, conversation.unread_of(who.key))
        return await self._read_up_to(who, conversation, last, connection, mine=True)

    async def read_message(self, who: Identity, message_id: str) -> events.MessageReadAnswer:
        """The recipient has read one message, over HTTP; ``unread`` is the sum over all."""
        await self.mark_read(who, events.MarkAsRead(message_id=message_id))
        unread = await self._history.unread_count(who)
        return events.MessageReadAnswer(await self._history.message(who, message_id), unread.count)

    async def join(
        self, who: Identity, command: events.JoinRoom, connection: Connection
    ) -> events.Joined:
        """The conversation is on this socket's screen now."""
        conversation = await self._history.own(who, command.room)
        self._hub.join(conversation.id, connection)
        self._live.tell_context(connection, conversation.peer_of(who.key).key)
        [shown] = await self._history.shown(who, [conversation])
        return events.Joined(conversation.id, shown)

    async def leave(
        self, who: Identity, command: events.LeaveRoom, connection: Connection
    ) -> events.Left:
        """The conversation is no longer on this socket's screen."""
        conversation = await self._history.own(who, command.room)
        self._hub.leave(conversation.id, connection)
        return events.Left(conversation.id)

    def forget(self, key: str) -> None:
        """Drops what is known of somebody who was erased; should they come back, they are new."""
        self._introduced.pop(key, None)
        self._left.pop(key, None)

    # --- The timer ------------------------------------------------------------------------------

    async def keep_time(self) -> None:
        """Ends typing and presence that ran out, and beats, for as long as the server runs."""
        beat_at = 0.0
        while True:
            await asyncio.sleep(0.5)
            gone = self._live.tick()
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + events.BEAT_SECONDS
                beat = encode_event(events.Beat(timestamp(moment(self._now()))))
                for connection in self._hub.everybody():
                    if connection.registered:
                        connection.push(beat)
            self._left |= gone

    async def keep_last_seen(self) -> None:
        """Stores when people left, in its own time: a hung database must not hold the clock."""
        while True:
            await asyncio.sleep(0.5)
            try:
                for key, at in list(self._left.items()):
                    await self._store.saw(key, at)
                    if self._left.get(key) == at:
                        del self._left[key]
            except Unavailable:
                log.warning("when somebody left waits for the database: %d", len(self._left))

    # --- Telling --------------------------------------------------------------------------------

    def _tell_entry(self, entry: Entry) -> None:
        """A message is stored: both sides see it, and the sender has read all before it."""
        message, conversation = entry.message, entry.conversation
        self._live.stop_typing(message.sender, message.recipient)
        self._availability.heard(entry)
        if message.seq == 1:
            self._live.meet(message.sender, message.recipient)
        event = encode_event(wire.message(message, conversation))
        self._hub.publish(conversation.keys, event, but=entry.origin)
        previous = entry.previous
        if previous is not None and entry.read_before < previous.seq:
            at = timestamp(message.at)
            self._tell_read(conversation, message.sender, previous, at, entry.origin)

    def _tell_marked(self, marked: Marked) -> None:
        at = timestamp(marked.step.at)
        if marked.kind == "read":
            self._tell_read(marked.conversation, marked.key, marked.message, at, marked.origin)
            return
        conversation, message = marked.conversation, marked.message
        type_, id_ = Participant.from_key(marked.key)
        peer = conversation.peer_of(marked.key).key
        delivered = events.MessageDelivered(
            conversation.id, message.id, message.seq, id_, type_, at
        )
        self._hub.publish([peer], encode_event(delivered))
        self._tell_updated(conversation, message, peer, "delivered")

    def _tell_read(
        self,
        conversation: Conversation,
        reader: str,
        message: StoredMessage,
        at: events.Timestamp,
        origin: object,
    ) -> None:
        type_, id_ = Participant.from_key(reader)
        read = events.MessageRead(conversation.id, message.id, message.seq, id_, type_, at)
        self._hub.publish(conversation.keys, encode_event(read), but=origin)
        self._tell_updated(conversation, message, conversation.peer_of(reader).key, "read")

    def _tell_updated(
        self,
        conversation: Conversation,
        message: StoredMessage,
        sender: str,
        status: events.MessageStatus,
    ) -> None:
        """For the one who wrote: how far what they wrote has come."""
        changes = events.MessageChanges(status)
        updated = events.MessageUpdated(conversation.id, message.id, message.seq, changes)
        self._hub.publish([sender], encode_event(updated))

    # --- Inside ---------------------------------------------------------------------------------

    async def _sent(
        self, who: Identity, stored: asyncio.Future[Stored], started: float
    ) -> events.Sent:
        outcome: Literal["repeated", "acked", "refused"] = "refused"
        try:
            result = await stored
            with suppress(Unavailable):  # it is stored; a buyer's next one introduces them as well
                await self._introduce(who)
            outcome = "repeated" if result.duplicate else "acked"
        finally:
            self._metrics.sent(outcome, time.monotonic() - started)
        return events.Sent(wire.message(result.message, result.conversation), result.duplicate)

    async def _read_up_to(
        self,
        who: Identity,
        conversation: Conversation,
        message: StoredMessage,
        connection: Connection | None,
        *,
        mine: bool = False,
    ) -> events.Read:
        """Moves the read watermark. With ``mine``, the last message may be one's own: what is meant
        is all up to it."""
        if message.sender == who.key and not mine:
            raise Forbidden("One's own message is read by others.")
        seq = await self._journal.mark(conversation, who.key, "read", message, connection)
        return events.Read(conversation.id, seq, conversation.unread_of(who.key))

    async def _replay(
        self,
        connection: Connection,
        conversation: Conversation,
        seq: int,
        flush: Callable[[], Awaitable[None]],
        *,
        foreign: bool,
    ) -> None:
        """Sends what one conversation has above ``seq``, or one ``reset``: also where some of that
        is not kept any more, for a client would ask for ever for what lies before the rest."""
        last = conversation.last_seq
        gone = seq < min(last, conversation.first_seq - 1)
        if foreign or gone or seq > last or last - seq > CATCH_UP_MOST:
            self._reset(connection, conversation)
            return
        if seq < last:
            self._metrics.caught_up()
        for first in range(seq + 1, last + 1, CATCH_UP_PAGE):
            if connection.is_closing:
                return
            end = min(last, first + CATCH_UP_PAGE - 1)
            page = await self._store.messages_between(conversation.id, first, end)
            if len(page) <= end - first:  # it has just become too old to be kept
                self._reset(connection, conversation)
                return
            for message in page:
                connection.answer(encode_event(wire.message(message, conversation)))
                await flush()  # after each: a page of long messages is ten times the outbox

    def _reset(self, connection: Connection, conversation: Conversation) -> None:
        connection.answer(encode_event(events.Reset(conversation.id)))
        self._metrics.reset()

    async def _newest_of(self, key: str) -> list[Conversation]:
        """What is told of somebody's conversations when a socket registers."""
        return await self._ledger.newest_of(
            key, before=None, limit=CONVERSATIONS_SHOWN, unread=False
        )

    async def _introduce(self, who: Identity) -> None:
        """Keeps a record of who has written, or sells; once for each name."""
        if self._introduced.get(who.key) == who.name:
            return
        if len(self._introduced) >= NAMES_KNOWN:
            self._introduced.clear()
        self._introduced[who.key] = who.name  # before it is: many first messages come at once
        try:
            await self._store.introduce(who.key, who.name, moment(self._now()))
        except BaseException:  # also a door that waits no longer
            self._introduced.pop(who.key, None)
            raise

    async def _name_of(self, recipient: Participant, conversation: Conversation | None) -> str:
        """What somebody whom one may write to is called, in the conversation with them if there is
        one. Raises ``NotFound`` for who is not known: a seller by an account or by having
        registered, a buyer by a message or a socket. Who was erased has no name in a conversation,
        and is not known until they come back."""
        if conversation is not None and (name := conversation.place_of(recipient.key).name):
            return name
        if (shown := self._live.presence.name_of(recipient.key)) is not None:
            return shown
        person = await self._store.participant(recipient.key)
        if person is None:
            raise NotFound("Nobody is known by this id.", field="recipient_id")
        return person.name

    def _limits(self, who: Identity) -> events.Limits:
        rule = RULES[f"messages:{who.participant.type}"]
        return events.Limits(
            message_characters=MESSAGE_CHARACTERS,
            subject_characters=SUBJECT_CHARACTERS,
            frame_bytes=FRAME_BYTES,
            messages_burst=rule.at_once,
            messages_per_second=1 / rule.seconds,
        )


def _check_same(who: Identity, id_: str | None, type_: str | None, what: str) -> None:
    """What a client says of itself is the token's, or it is refused (CONTRACT section 4)."""
    if id_ not in (None, who.participant.id) or type_ not in (None, who.participant.type):
        raise Forbidden(f"This {what} is not who the token says.")


def _is_object_id(text: str) -> bool:
    return len(text) == 24 and set(text) <= set("0123456789abcdef")
