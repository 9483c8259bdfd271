"""A guest turns out to be a buyer: what they wrote becomes the buyer's, once.

The handover is noted before anything is moved, and each step may be done twice, so that a process
killed in the middle is finished by the next one.
"""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from models.accounts import Accounts
from models.conversation import Conversation, Identity, Participant, Place, Step, StoredMessage
from models.errors import Unauthorized
from models.events import Reset, encode_event
from models.hub import Hub
from models.journal import Journal
from models.ledger import Ledger
from models.store import Store, Taken
from models.tokens import VOUCHED_SECONDS, Tokens

PAGE: Final = 200  # messages moved between two looks at the database


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
        guest = self._guest(guest_token)
        if guest is not None and await self._store.begin_handover(
            guest.key, vouched.participant.key
        ):
            await self._accounts.revoke_participant(guest.key)
            await self._hand_over(guest.key, Place(vouched.participant.key, vouched.name))
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
            await self._accounts.revoke_participant(guest)
            person = await self._store.participant(buyer)
            await self._hand_over(guest, Place(buyer, person.name if person else ""))

    # --- Inside ---------------------------------------------------------------------------------

    def _guest(self, token: str | None) -> Identity | None:
        if token is None:
            return None
        try:
            identity = self._accounts.authenticate(token)
        except Unauthorized:
            return None
        return None if identity.participant.verified else identity

    async def _hand_over(self, guest: str, buyer: Place) -> None:
        async with self._journal.alone:  # nothing is numbered meanwhile
            await self._ledger.settle()
            moved = True
            while moved:
                moved = False
                for conversation in await self._conversations_of(guest):
                    moved = True
                    await self._move(conversation, guest, buyer)
            await self._store.end_handover(guest)

    async def _conversations_of(self, guest: str) -> list[Conversation]:
        """Those that are the guest's, and those in which a message still bears the guest's name."""
        own = await self._store.conversations_of(guest, before=None, limit=PAGE)
        found = {conversation.id for conversation in own}
        for role in ("sender", "recipient"):
            for message in await self._store.messages_of(guest, role, before=None, limit=PAGE):
                found.add(message.conversation_id)
        return await self._ledger.get_all(found)

    async def _move(self, conversation: Conversation, guest: str, buyer: Place) -> None:
        seller = next(key for key in conversation.keys if key.startswith("Seller:"))
        target = await self._ledger.between(buyer.key, seller)
        self._ledger.forget(conversation)
        if target is None or target.id == conversation.id:
            await self._rename(conversation, guest, buyer)
            changed = [conversation.id]
        else:
            await self._append(conversation, target, guest, buyer)
            changed = [conversation.id, target.id]
        for id_ in changed:
            self._hub.publish([seller, buyer.key], encode_event(Reset(id_)))

    async def _rename(self, conversation: Conversation, guest: str, buyer: Place) -> None:
        """The conversation stays, its buyer gets another name."""
        if guest in conversation.keys:
            await self._store.rename_place(conversation, guest, buyer)
        await self._rewrite(conversation, conversation.first_seq, _renamed(guest, buyer.key))
        if (renamed := await self._ledger.get(conversation.id)) is not None:
            if renamed.last is not None:
                renamed.last = _renamed(guest, buyer.key)(renamed.last)
            self._ledger.touch(renamed)

    async def _append(
        self, conversation: Conversation, target: Conversation, guest: str, buyer: Place
    ) -> None:
        """The buyer has spoken with this seller before: the guest's messages follow those, in their
        own order, and times do not run backwards."""
        read_all = [
            key
            for key, place in ((p.key, p) for p in target.places)
            if not target.unread_of(key)
            and not conversation.unread_of(guest if key == buyer.key else key)
        ]
        rename = _renamed(guest, buyer.key)

        def at_the_end(message: StoredMessage) -> StoredMessage:
            last_at = target.last.at if target.last else message.at
            return replace(
                rename(message),
                conversation_id=target.id,
                seq=target.last_seq + 1,
                at=max(message.at, last_at),
            )

        await self._rewrite(
            conversation, 1, at_the_end, lambda message: self._ledger.take_in(target, message)
        )
        for key in read_all:
            if target.last is not None:
                step = Step(target.last_seq, target.last.at)
                self._ledger.advance(target, target.place_of(key), "read", step)
        await self._store.delete_conversation(conversation.id)

    async def _rewrite(
        self,
        conversation: Conversation,
        first: int,
        change: Callable[[StoredMessage], StoredMessage],
        then: Callable[[StoredMessage], object] = lambda message: None,
    ) -> None:
        """Changes every message of a conversation, one after the other."""
        for start in range(first, conversation.last_seq + 1, PAGE):
            page = await self._store.messages_between(conversation.id, start, start + PAGE - 1)
            for message in page:
                changed = change(message)
                try:
                    await self._store.rewrite_message(changed)
                except Taken:  # the buyer has used this client_id as well
                    changed = replace(changed, client_id=uuid.uuid4().hex)
                    await self._store.rewrite_message(changed)
                then(changed)


def _renamed(old: str, new: str) -> Callable[[StoredMessage], StoredMessage]:
    def rename(message: StoredMessage) -> StoredMessage:
        return replace(
            message,
            sender=new if message.sender == old else message.sender,
            recipient=new if message.recipient == old else message.recipient,
        )

    return rename
