"""Reading: conversations, messages and counts, always on behalf of somebody.

There is no way to get at a conversation but through ``own``, which asks who wants it.
"""

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from models import events, wire
from models.conversation import Conversation, Identity, Participant, StoredMessage
from models.directory import Directory
from models.errors import Invalid, NotFound, NotYours
from models.ledger import Ledger
from models.presence import Presence
from models.store import Cursor, Store


class History:
    """What was said, page by page, as the asking participant may see it."""

    def __init__(self, store: Store, ledger: Ledger, presence: Presence) -> None:
        self._store = store
        self._ledger = ledger
        self._presence = presence
        self._directory = Directory(store, ledger)

    # --- One conversation -----------------------------------------------------------------------

    async def own(self, who: Identity, conversation_id: str) -> Conversation:
        """A conversation of theirs. Raises ``NotYours`` whether or not it exists."""
        conversation = await self._ledger.get(conversation_id)
        if conversation is None or who.key not in conversation.keys or not conversation.last_seq:
            raise NotYours
        return conversation

    async def own_message(
        self, who: Identity, message_id: str
    ) -> tuple[StoredMessage, Conversation]:
        """A message of a conversation of theirs, with it. Raises ``NotYours``."""
        message = await self._store.message(message_id)
        if message is None:
            raise NotYours
        conversation = await self.own(who, message.conversation_id)
        if not conversation.first_seq <= message.seq <= conversation.last_seq:
            raise NotYours  # not yet visible in its order, or not any more
        return message, conversation

    async def message_at(self, conversation: Conversation, seq: int) -> StoredMessage | None:
        """The message with this number; one past the last counts as the last."""
        last = conversation.last
        if last is None or seq >= last.seq:
            return last
        found = await self._store.messages_between(conversation.id, seq, seq)
        return found[0] if found else None

    async def conversation(
        self,
        who: Identity,
        participant: Participant,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> events.ConversationPage:
        """A page of the conversation with somebody; of two who never spoke an empty one."""
        conversation = await self._ledger.between(who.key, participant.key)
        if conversation is None or not conversation.last_seq:
            return events.ConversationPage(None, [], has_more=False)
        return await self._page(who, conversation, before, after, limit)

    async def conversation_by_id(
        self,
        who: Identity,
        conversation_id: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> events.ConversationPage:
        """A page of a conversation of theirs. Raises ``NotYours``."""
        conversation = await self.own(who, conversation_id)
        return await self._page(who, conversation, before, after, limit)

    async def message(self, who: Identity, message_id: str) -> events.Message:
        """One message. Raises ``NotYours``."""
        message, conversation = await self.own_message(who, message_id)
        return wire.message(message, conversation)

    # --- Lists and counts -----------------------------------------------------------------------

    async def conversations(
        self,
        who: Identity,
        *,
        limit: int,
        before: str | None = None,
        filter: Literal["all", "unread"] = "all",  # noqa: A002  # the contract's word
        name: str = "",
    ) -> events.ConversationList:
        """A page of somebody's conversations, newest first; with a ``name``, only those with people
        who are called so."""
        cursor, unread = _cursor(before), filter == "unread"
        if name.strip():
            found = await self._directory.newest_of(
                who.key, name, before=cursor, limit=limit + 1, unread=unread
            )
        else:
            found = await self._ledger.newest_of(
                who.key, before=cursor, limit=limit + 1, unread=unread
            )
        page = found[:limit]
        more = len(found) > limit
        following = _cursor_text(Cursor(page[-1].updated_at, page[-1].id)) if more else None
        return events.ConversationList(await self.shown(who, page), following)

    async def received(
        self, who: Identity, *, limit: int, before: str | None = None, unread: bool = False
    ) -> events.MessageList:
        """A page of the messages somebody received, newest first."""
        among = None
        if unread:
            counts = await self._ledger.unread_of(who.key)
            conversations = await self._ledger.get_all(counts)
            among = {c.id: c.unread_range_of(who.key) for c in conversations}
            if not any(among.values()):
                return events.MessageList([], None)
        return await self._messages(who, "recipient", limit, before, among)

    async def sent(
        self, who: Identity, *, limit: int, before: str | None = None
    ) -> events.MessageList:
        """A page of the messages somebody sent, newest first."""
        return await self._messages(who, "sender", limit, before, None)

    async def unread_count(self, who: Identity) -> events.UnreadCount:
        """How much is unread, in all and by conversation."""
        counts = await self._ledger.unread_of(who.key)
        return events.UnreadCount(sum(counts.values()), counts)

    async def seller(self, seller_id: str) -> events.Seller:
        """A seller as anybody may see them. Raises ``NotFound``."""
        key = Participant("Seller", seller_id).key
        person = await self._store.participant(key)
        if person is None:
            raise NotFound("There is no such seller.")
        last_seen = events.timestamp(person.last_seen) if person.last_seen else None
        status = self._presence.status_of(key)
        return events.Seller(seller_id, "Seller", person.name, status, last_seen)

    async def shown(
        self, who: Identity, conversations: Iterable[Conversation]
    ) -> list[events.Conversation]:
        """Conversations of theirs as wire objects."""
        conversations = list(conversations)
        keys = {key for conversation in conversations for key in conversation.keys}
        people = await self._store.participants(keys) if keys else {}
        return [
            wire.conversation(c, who.key, status=self._presence.status_of, people=people)
            for c in conversations
        ]

    # --- Inside ---------------------------------------------------------------------------------

    async def _page(
        self,
        who: Identity,
        conversation: Conversation,
        before: int | None,
        after: int | None,
        limit: int,
    ) -> events.ConversationPage:
        """``seq`` is dense, so every page is a range bounded on both sides, at any depth alike."""
        oldest, newest = conversation.first_seq, conversation.last_seq
        if after is not None:
            first = max(oldest, after + 1)
            last = min(newest, first + limit - 1)
            if before is not None:
                last = min(last, before - 1)
            has_more = last < (newest if before is None else min(newest, before - 1))
        else:
            last = newest if before is None else min(newest, before - 1)
            first = max(oldest, last - limit + 1)
            has_more = first > oldest
        found = await self._store.messages_between(conversation.id, first, last)
        messages = [wire.message(message, conversation) for message in found]
        [shown] = await self.shown(who, [conversation])
        return events.ConversationPage(shown, messages, has_more)

    async def _messages(
        self,
        who: Identity,
        role: Literal["sender", "recipient"],
        limit: int,
        before: str | None,
        among: dict[str, range] | None,
    ) -> events.MessageList:
        found = await self._store.messages_of(
            who.key, role, before=_cursor(before), limit=limit + 1, among=among
        )
        page = found[:limit]
        live = {c.id: c for c in await self._ledger.get_all({m.conversation_id for m in page})}
        messages = [
            wire.message(m, conversation)
            for m in page
            # A guest's conversation may have been merged this moment; what is stored, but not yet
            # visible in its order, comes with an event; and what is too old is about to go.
            if (conversation := live.get(m.conversation_id))
            and conversation.first_seq <= m.seq <= conversation.last_seq
        ]
        more = len(found) > limit
        following = _cursor_text(Cursor(page[-1].at, page[-1].id)) if more else None
        return events.MessageList(messages, following)


def _cursor_text(cursor: Cursor) -> str:
    """Opaque to clients: it promises nothing but to lead on."""
    milliseconds = round(cursor.at.timestamp() * 1000)
    return base64.urlsafe_b64encode(f"{milliseconds}.{cursor.id}".encode()).decode().rstrip("=")


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        milliseconds, _, id_ = plain.partition(".")
        at = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (ValueError, OverflowError, OSError, binascii.Error):
        raise Invalid("This cursor is not one of ours.", field="before") from None
    if len(id_) != 24 or not 2000 <= at.year < 3000:
        raise Invalid("This cursor is not one of ours.", field="before")
    return Cursor(at, id_)
