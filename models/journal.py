"""Group commit: the one place where messages get their numbers and become durable.

Senders hand over a draft and wait. While one round of writes is under way the next drafts gather,
and a round takes all that wait: a lone message has no added latency, a crowd shares one journaled
write. What must hold, whatever fails in between:

- an answer means stored: it is given only after the journaled insert returned;
- ``seq`` is dense and appears in order: inserts are ordered, so what is stored of a conversation is
  always a beginning of what was numbered, and only what is stored is published;
- one ``client_id`` is one message: two unique indexes decide, of repeats and of what another
  process stored. Where one refuses, the next round looks repeats up before it numbers anything;
- a write of unknown outcome is looked for before its conversation is numbered again.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from models.conversation import (
    Conversation,
    Identity,
    Participant,
    Step,
    StoredMessage,
    moment,
    pair_of,
)
from models.errors import ChatError, Conflict, Internal, NotYours, Unauthorized, Unavailable
from models.events import MessageType
from models.ledger import Ledger
from models.metrics import Metrics
from models.store import Advance, Store, Taken, new_id

ROUND_SIZE: Final = 500  # drafts a round takes at most
# A round is told at once. Of so much text, with its HTML, one reader's outbox takes twice as much.
ROUND_CHARACTERS: Final = 64 * 1024
WAITING: Final = 5_000  # drafts and marks that may wait; more are refused at once
PATIENCE_SECONDS: Final = 4.5  # CONTRACT section 4: `unavailable` comes within 5 s
TRIES: Final = 20  # races a draft may lose for its number; of two processes each loses half
LOOK_AGAIN_SECONDS: Final = 1.0  # between two looks for writes of unknown outcome
DOUBT_SECONDS: Final = 15.0  # so long after the database answers, a write has come or is dead

_Name = tuple[str, str]  # of a message: its sender's key and client_id

log = logging.getLogger("shopbell.journal")


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked message that has no number yet. ``origin`` is told of nothing: it asked."""

    sender: Identity
    recipient: Participant
    recipient_name: str
    text: str
    subject: str | None
    kind: MessageType
    client_id: str
    origin: object = None

    @property
    def keys(self) -> tuple[str, str]:
        return self.sender.key, self.recipient.key


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a draft."""

    message: StoredMessage
    conversation: Conversation
    duplicate: bool


@dataclass(slots=True)
class _Waiting:
    draft: Draft
    future: asyncio.Future[Stored]
    since: float
    tries: int = 0

    @property
    def name(self) -> _Name:
        return self.draft.sender.key, self.draft.client_id


@dataclass(slots=True)
class _Mark:
    conversation: Conversation
    key: str
    kind: Literal["delivered", "read"]
    message: StoredMessage
    origin: object
    future: asyncio.Future[int]


@dataclass(frozen=True, slots=True)
class Marked:
    """A watermark that moved just now, for those who are told of it."""

    conversation: Conversation
    key: str
    kind: Literal["delivered", "read"]
    message: StoredMessage
    step: Step
    origin: object


class Journal:
    """Numbers and stores messages and moves watermarks, in rounds.

    The ledger tells of messages, ``on_marked`` is told of watermarks: in order, and before whoever
    asked gets the answer. It may not wait. While ``has_room`` says no, nothing new is stored.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        metrics: Metrics,
        *,
        now: Callable[[], float] = time.time,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.on_marked: Callable[[Marked], None] = lambda marked: None
        self._store = store
        self._ledger = ledger
        self._metrics = metrics
        self._now = now
        self._has_room = has_room
        self._drafts: list[_Waiting] = []
        self._marks: list[_Mark] = []
        self._doubtful: dict[_Name, float | None] = {}  # unknown outcomes, and until when
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.alone = asyncio.Lock()  # held by a round, and by whoever moves messages by hand
        self._has_met_repeats = False  # the last insert was refused: the next round looks first
        self._gone: set[str] = set()  # guests who became buyers since the start
        self._stopping = False

    # --- For those who wait ---------------------------------------------------------------------

    def append(self, draft: Draft) -> asyncio.Future[Stored]:
        """Takes a draft into the next round; drafts are numbered in the order they are appended.

        The future gives what is stored, or raises ``Conflict`` for a ``client_id`` of another
        message, or ``Unavailable``.
        """
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        if self._refuses(future):
            return future
        if not self._gone.isdisjoint(draft.keys):
            _refuse(future, Unavailable())
            return future
        self._drafts.append(_Waiting(draft, future, time.monotonic()))
        self._wake()
        return future

    def mark(
        self,
        conversation: Conversation,
        key: str,
        kind: Literal["delivered", "read"],
        message: StoredMessage,
        origin: object = None,
    ) -> asyncio.Future[int]:
        """Moves a participant's watermark up to a stored message, after the drafts before it.

        The future gives where the watermark stands then, or raises ``Unavailable``.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._refuses(future):
            return future
        self._marks.append(_Mark(conversation, key, kind, message, origin, future))
        self._wake()
        return future

    # --- The rounds -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Does round after round, for as long as the server runs."""
        while True:
            await self._something_to_do()
            started = time.monotonic()
            async with self.alone:
                drafts = self._next_round()
                marks, self._marks = self._marks, []
                with _answering([waiting.future for waiting in drafts]):
                    await self._store_drafts(drafts)
                with _answering([mark.future for mark in marks]):
                    await self._store_marks(marks)
            if drafts or marks:
                self._metrics.asked_database("round", time.monotonic() - started)
            if not self._drafts and not self._marks:
                self._work.clear()
                self._idle.set()

    def refuse(self, key: str) -> None:
        """Takes nothing more from or for somebody who is somebody else by now. To be called by
        whoever holds ``alone``; whoever tries again finds out."""
        self._gone.add(key)
        for waiting in self._drafts:
            if not self._gone.isdisjoint(waiting.draft.keys):
                _refuse(waiting.future, Unavailable())

    def forget(self, key: str, valid_from: int) -> None:
        """Takes nothing more of what somebody sent with a token made before ``valid_from``. To be
        called by whoever holds ``alone``."""
        for waiting in self._drafts:
            sender = waiting.draft.sender
            if sender.key == key and sender.issued_at < valid_from:
                _refuse(waiting.future, Unauthorized())

    async def drain(self, seconds: float) -> None:
        """Takes nothing new, and waits until all that was accepted is answered, or time is up."""
        self._stopping = True
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            log.warning("stopped with %d messages unanswered", len(self._drafts))

    async def _something_to_do(self) -> None:
        limit = LOOK_AGAIN_SECONDS if self._doubtful else None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._work.wait(), limit)

    def _next_round(self) -> list[_Waiting]:
        """Takes as many drafts as a round may have, one at least."""
        size = characters = 0
        for waiting in self._drafts[:ROUND_SIZE]:
            characters += len(waiting.draft.text)
            if size and characters > ROUND_CHARACTERS:
                break
            size += 1
        drafts, self._drafts = self._drafts[:size], self._drafts[size:]
        return drafts

    async def _store_drafts(self, drafts: Sequence[_Waiting]) -> None:
        overdue = time.monotonic() - PATIENCE_SECONDS
        for waiting in drafts:
            if waiting.since < overdue:
                _refuse(waiting.future, Unavailable())  # whoever waited has been told so already
        fresh = await self._without_repeats([w for w in drafts if not w.future.done()])
        if not self._has_room():
            for waiting in itertools.chain(*fresh):
                _refuse(waiting.future, Unavailable("The disk is nearly full. Please try later."))
            return
        if not fresh:
            return
        numbered = await self._numbered(fresh)
        self._doubtful |= dict.fromkeys((one.name for one in numbered), None)
        stored = len(numbered)
        try:
            await self._store.insert_messages([one.message for one in numbered])
        except Taken as taken:
            stored = taken.stored
        for one in numbered:
            del self._doubtful[one.name]
        self._tell(numbered[:stored])
        if stored < len(numbered):
            await self._number_again(numbered[stored:])

    async def _without_repeats(self, drafts: Sequence[_Waiting]) -> list[list[_Waiting]]:
        """The drafts that are not known to be stored, twins together; the others are answered.
        Writes of unknown outcome are looked for as well."""
        stored = await self._stored_before(drafts) if self._has_to_look(drafts) else {}
        conversations = {
            id_: await self._ledger.get(id_)
            for id_ in {message.conversation_id for message in stored.values()}
        }
        for message in stored.values():
            conversation = conversations[message.conversation_id]
            if conversation is not None and message.seq > conversation.last_seq:
                await self._ledger.recheck(conversation)
        self._settle_doubts(stored)
        fresh: dict[_Name, list[_Waiting]] = {}
        for waiting in drafts:
            if (found := stored.get(waiting.name)) is None:
                fresh.setdefault(waiting.name, []).append(waiting)
            elif (conversation := conversations[found.conversation_id]) is None:
                _refuse(waiting.future, Unavailable())  # merged away this moment; try again
            else:
                _answer_repeat(waiting, found, conversation)
        return list(fresh.values())

    def _has_to_look(self, drafts: Sequence[_Waiting]) -> bool:
        """Whether repeats are looked for before the insert. A look takes as long as the insert, and
        repeats are rare, so the index finds them; unless there is reason to expect one, or nothing
        is inserted, or the first message of a conversation would leave an empty one behind."""
        if self._doubtful:
            return True
        return bool(drafts) and (
            self._has_met_repeats
            or not self._has_room()
            or not all(self._ledger.is_live(waiting.draft.keys) for waiting in drafts)
        )

    async def _stored_before(self, drafts: Sequence[_Waiting]) -> dict[_Name, StoredMessage]:
        names = {waiting.name for waiting in drafts} | self._doubtful.keys()
        found = await self._store.messages_sent_as(names)
        self._has_met_repeats = False
        return {(message.sender, message.client_id): message for message in found}

    def _settle_doubts(self, stored: Container[_Name]) -> None:
        """A write that was given up may still come, for a while after the database answers."""
        now = time.monotonic()
        for name, until in list(self._doubtful.items()):
            if name in stored or (until is not None and until < now):
                del self._doubtful[name]
            elif until is None:
                self._doubtful[name] = now + DOUBT_SECONDS

    async def _numbered(self, fresh: Sequence[list[_Waiting]]) -> list["_Numbered"]:
        pairs = {}
        for first, *_ in fresh:
            draft = first.draft
            names = (draft.sender.name, draft.recipient_name)
            pairs[draft.sender.key, draft.recipient.key] = names
        conversations = await self._ledger.opened(pairs)
        last = {c.id: (c.last_seq, c.last.at if c.last else None) for c in conversations.values()}
        numbered = []
        for waiting in fresh:
            draft = waiting[0].draft
            conversation = conversations[pair_of(draft.sender.key, draft.recipient.key)]
            seq, at = last[conversation.id]
            now = moment(self._now())
            at = now if at is None else max(now, at)  # a clock stepped back turns no time back
            last[conversation.id] = (seq + 1, at)
            message = StoredMessage(
                id=new_id(),
                conversation_id=conversation.id,
                seq=seq + 1,
                sender=draft.sender.key,
                recipient=draft.recipient.key,
                client_id=draft.client_id,
                kind=draft.kind,
                subject=draft.subject,
                text=draft.text,
                at=at,
            )
            numbered.append(_Numbered(waiting, message, conversation))
        return numbered

    def _tell(self, numbered: Sequence["_Numbered"]) -> None:
        """Makes stored messages visible, in order, and answers those who sent them."""
        for one in numbered:
            message, conversation = one.message, one.conversation
            first, *twins = one.waiting
            if message.seq > conversation.last_seq:  # else somebody who looked was quicker
                conversation.place_of(message.sender).name = first.draft.sender.name
                self._ledger.add(conversation, message, first.draft.origin)
            if not first.future.done():
                first.future.set_result(Stored(message, conversation, duplicate=False))
            for twin in twins:
                _answer_repeat(twin, message, conversation)

    async def _number_again(self, numbered: Sequence["_Numbered"]) -> None:
        """One is stored already, or another process was quicker: learn of it, try again."""
        self._has_met_repeats = True
        conversation = numbered[0].conversation
        last_seq = conversation.last_seq
        await self._ledger.recheck(conversation)
        for waiting in numbered[0].waiting:
            waiting.tries += 1
            if waiting.tries > TRIES:
                _refuse(waiting.future, Unavailable())
        again = [waiting for one in numbered for waiting in one.waiting]
        self._drafts = [waiting for waiting in again if not waiting.future.done()] + self._drafts
        if conversation.last_seq > last_seq:  # two processes must not stay in step
            await asyncio.sleep(random.uniform(0, 0.02))

    async def _store_marks(self, marks: Sequence[_Mark]) -> None:
        moves: dict[tuple[str, str, str], tuple[_Mark, Step]] = {}
        at = moment(self._now())
        for mark in marks:
            if mark.key not in mark.conversation.keys:  # a guest who is a buyer by now
                _refuse(mark.future, NotYours())
        marks = [mark for mark in marks if not mark.future.done()]
        for mark in marks:
            seq = mark.message.seq
            name = (mark.conversation.id, mark.key, mark.kind)
            if seq > max(_watermark(mark), moves[name][1].seq if name in moves else 0):
                moves[name] = (mark, Step(seq, at))
        if moves:
            await self._store.advance(
                [
                    Advance(m.conversation.id, m.conversation.keys.index(m.key), m.kind, step)
                    for m, step in moves.values()
                ]
            )
        for mark, step in moves.values():
            if step.seq > _watermark(mark):  # else a read in this round took the delivery along
                place = mark.conversation.place_of(mark.key)
                self._ledger.advance(mark.conversation, place, mark.kind, step)
                self._tell_marked(mark, step)
        for mark in marks:
            if not mark.future.done():
                mark.future.set_result(_watermark(mark))

    def _tell_marked(self, mark: _Mark, step: Step) -> None:
        try:
            self.on_marked(
                Marked(mark.conversation, mark.key, mark.kind, mark.message, step, mark.origin)
            )
        except Exception:  # it is stored, and that counts
            log.exception("a watermark could not be told of")

    def _refuses(self, future: asyncio.Future[Any]) -> bool:
        if self._stopping:
            _refuse(future, Unavailable("The server is restarting. Please try again."))
        elif len(self._drafts) + len(self._marks) >= WAITING:
            _refuse(future, Unavailable("Too much is waiting to be stored. Please try again."))
        return future.done()

    def _wake(self) -> None:
        self._idle.clear()
        self._work.set()


@dataclass(frozen=True, slots=True)
class _Numbered:
    waiting: list[_Waiting]  # more than one where the same draft came twice in a round
    message: StoredMessage
    conversation: Conversation

    @property
    def name(self) -> _Name:
        return self.message.sender, self.message.client_id


def _watermark(mark: _Mark) -> int:
    place = mark.conversation.place_of(mark.key)
    return place.read_seq if mark.kind == "read" else place.delivered_seq


def _answer_repeat(waiting: _Waiting, message: StoredMessage, conversation: Conversation) -> None:
    """CONTRACT section 3, ``client_id``: the same again is the stored message, else a conflict. Of
    one that was erased nobody can tell any more what it said."""
    if waiting.future.done():
        return
    draft = waiting.draft
    is_same_text = message.text == draft.text or message.erased_at is not None
    if is_same_text and message.recipient == draft.recipient.key:
        waiting.future.set_result(Stored(message, conversation, duplicate=True))
    else:
        reason = "This client_id belongs to another message."
        _refuse(waiting.future, Conflict(reason, field="client_id"))


def _refuse(future: asyncio.Future[Any], error: ChatError) -> None:
    if not future.done():
        future.set_exception(error)


@contextlib.contextmanager
def _answering(futures: Sequence[asyncio.Future[Any]]) -> Iterator[None]:
    """Whatever goes wrong, nobody waits for ever and the next round comes."""
    try:
        yield
    except Unavailable as error:
        for future in futures:
            _refuse(future, Unavailable(error.message))
    except Exception:
        log.exception("a round of the journal failed")
        for future in futures:
            _refuse(future, Internal())
