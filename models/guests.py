"""A guest turns out to be a buyer: what they wrote becomes the buyer's, once.

The handover is noted before anything is moved, and each step may be done twice, so that a process
killed in the middle is finished by the next one.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from models.accounts import Accounts
from models.codec import encode_event
from models.conversation import Conversation, Identity, Participant, Place, Step, StoredMessage
from models.errors import Unauthorized, Unavailable
from models.events import Reset
from models.hub import Hub
from models.journal import Journal
from models.ledger import Ledger
from models.store import Store, Taken
from models.tokens import VOUCHED_SECONDS, Tokens

PAGE: Final = 200  # messages moved at once
LOOKS: Final = 3  # for what is the guest's; the first finds all, the next what landed meanwhile
RETRY_SECONDS: Final = 0.5
RETRY_SECONDS_MOST: Final = 30.0

log = logging.getLogger("shopbell.guests")


class Guests:
    """Identifies buyers and hands over what they wrote as guests."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        journal: Journal,
        hub: Hub,
        accounts: Accounts,
        tokens: Tokens,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._journal = journal
        self._hub = hub
        self._accounts = accounts
        self._tokens = tokens

    async def identify(self, identity: str, guest_token: str | None) -> tuple[str, Identity]:
        """A token for the buyer whom the shop vouches for; a guest's conversation becomes theirs.

        Raises ``Unauthorized`` for a bad identity, ``Unavailable``. A bad or used guest token
        changes nothing.
        """
        vouched = self._tokens.read_identity(identity)
        buyer = Place(vouched.participant.key, vouched.name)
        if self._accounts.is_erased(buyer.key, vouched.issued_at):
            raise Unauthorized  # the shop has to say anew that they are there
        guest = self._guest(guest_token)
        if guest is not None and await self._store.begin_handover(guest.key, buyer.key, buyer.name):
            await self._finish(guest.key, buyer)
        token = self._tokens.issue(vouched.participant, vouched.name, seconds=VOUCHED_SECONDS)
        return token, self._tokens.read(token)

    async def current(self, who: Identity, recipient: Participant) -> Participant:
        """Who a recipient is by now: a seller may still answer the guest of an open page."""
        if recipient.verified or await self._ledger.between(who.key, recipient.key) is not None:
            return recipient
        buyer = await self._store.handed_over_to(recipient.key)
        return recipient if buyer is None else Participant.from_key(buyer)

    async def resume(self) -> None:
        """Finishes what a killed process began; to be called before serving."""
        for guest, buyer in await self._store.open_handovers():
            await self._hand_over(guest, buyer)

    # --- Inside ---------------------------------------------------------------------------------

    def _guest(self, token: str | None) -> Identity | None:
        if token is None:
            return None
        try:
            identity = self._accounts.authenticate(token)
        except Unauthorized:
            return None
        return None if identity.participant.verified else identity

    async def _finish(self, guest: str, buyer: Place) -> None:
        """Hands over, and does not leave it half done while the database is away: the guest's token
        may have ended by then, so nobody could ask for it again."""
        pause = RETRY_SECONDS
        while True:
            try:
                return await self._hand_over(guest, buyer)
            except Unavailable:
                log.warning("a guest's conversation waits for the database to be handed over")
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_SECONDS_MOST)

    async def _hand_over(self, guest: str, buyer: Place) -> None:
        """Moves everything of a guest's; each step may be done twice. Raises ``Unavailable``."""
        await self._accounts.revoke_participant(guest)
        async with self._journal.alone:  # nothing is numbered meanwhile
            await self._ledger.settle()
            for _ in range(LOOKS):
                ids = await self._store.conversations_naming(guest)
                for conversation in [await self._ledger.get(id_) for id_ in ids]:
                    if conversation is not None:
                        await self._move(conversation, guest, buyer)
                if not ids:
                    break
            self._journal.refuse(guest)
            await self._ledger.settle()
            await self._store.end_handover(guest)

    async def _move(self, conversation: Conversation, guest: str, buyer: Place) -> None:
        await self._ledger.recheck(conversation)
        seller = next(key for key in conversation.keys if key.startswith("Seller:"))
        target = await self._ledger.between(buyer.key, seller)
        changed = {conversation.id}
        try:
            if target is None or target is conversation:
                await self._rename(conversation, guest, buyer)
            else:
                changed.add(target.id)
                await self._append(conversation, target, guest, buyer)
        finally:  # also where only the last answer was lost: the next try finds nothing to move
            for id_ in changed:
                self._hub.publish([seller, buyer.key], encode_event(Reset(id_)))

    async def _rename(self, conversation: Conversation, guest: str, buyer: Place) -> None:
        """The conversation stays, its buyer gets another name."""
        if guest in conversation.keys:
            await self._store.rename_place(conversation, guest, buyer)
            self._ledger.rename(conversation, guest, buyer)
        async for page in self._pages(conversation):
            named = [message for message in page if guest in (message.sender, message.recipient)]
            left = [message.renamed(guest, buyer.key) for message in named]
            while left := left[await self._rewritten(left) :]:
                left[0] = replace(left[0], client_id=uuid.uuid4().hex)  # the buyer has used it, too
        seq = conversation.last_seq
        for last in await self._store.messages_between(conversation.id, seq, seq):
            conversation.last = last
        self._ledger.touch(conversation)

    async def _append(
        self, conversation: Conversation, target: Conversation, guest: str, buyer: Place
    ) -> None:
        """The buyer has spoken with this seller before: the guest's messages follow those, in their
        own order, and times do not run backwards."""
        await self._ledger.recheck(target)
        base = None
        async for page in self._pages(conversation):
            left = [message.renamed(guest, buyer.key) for message in page]
            if left and base is None:  # some may have been moved before a process was killed
                base = target.last_seq - (left[0].seq - conversation.first_seq)
            while left:
                placed = _behind(target, left)
                count = await self._rewritten(placed)
                for message in placed[:count]:
                    self._ledger.take_in(target, message)
                if left := left[count:]:
                    last_seq = target.last_seq
                    await self._ledger.recheck(target)
                    if target.last_seq == last_seq:  # so it is not the place that is taken
                        left[0] = replace(left[0], client_id=uuid.uuid4().hex)
        if base is None:
            base = target.last_seq - (conversation.last_seq - conversation.first_seq + 1)
        self._take_watermarks_along(conversation, target, base)
        await self._ledger.settle()  # before what it was taken from is gone
        try:
            await self._store.delete_conversation(conversation.id)
        finally:  # without an answer it may be gone all the same; if not, it is taken up again
            self._ledger.forget(conversation)

    def _take_watermarks_along(
        self, conversation: Conversation, target: Conversation, base: int
    ) -> None:
        """What had been read there has been read here, for whoever had read all up to ``base``,
        the last message before the moved ones. For others the unread would be skipped."""
        offset = base - conversation.first_seq + 1
        for place in target.places:
            there = conversation.side_of(place.key)
            for kind, seq, seen, steps in (
                ("delivered", place.delivered_seq, there.delivered_seq, there.delivered),
                ("read", place.read_seq, there.read_seq, there.read),
            ):
                if seq >= base:
                    at = steps[-1].at if steps else target.updated_at
                    for step in [*steps, Step(seen, at)]:
                        moved = Step(step.seq + offset, step.at)
                        self._ledger.advance(target, place, kind, moved)

    async def _pages(self, conversation: Conversation) -> AsyncIterator[list[StoredMessage]]:
        for start in range(conversation.first_seq, conversation.last_seq + 1, PAGE):
            yield await self._store.messages_between(conversation.id, start, start + PAGE - 1)

    async def _rewritten(self, messages: list[StoredMessage]) -> int:
        """How many of these messages could be rewritten, from the first on."""
        if not messages:
            return 0
        try:
            await self._store.rewrite_messages(messages)
        except Taken as taken:
            return taken.stored
        return len(messages)


def _behind(target: Conversation, messages: list[StoredMessage]) -> list[StoredMessage]:
    """The messages, numbered as the next ones of another conversation."""
    placed = []
    at = target.last.at if target.last else messages[0].at
    for seq, message in enumerate(messages, target.last_seq + 1):
        at = max(at, message.at)
        placed.append(replace(message, conversation_id=target.id, seq=seq, at=at))
    return placed
