"""What is older than a shop wants to keep goes, from the front of each conversation.

``first_seq`` says from where on messages are kept. It is stored before anything is removed, so that
what is left of a conversation is dense at any moment, and no number is given out twice: whoever
dies in between leaves messages behind that nobody is shown, and that the next round removes.

Without haste: a little at a time, and the database is left alone for much longer than it worked.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, Literal

from models.codec import encode_event
from models.conversation import Conversation, StoredMessage, moment
from models.errors import Unavailable
from models.events import Reset
from models.hub import Hub
from models.journal import Journal
from models.ledger import Ledger
from models.store import Cursor, Store

ROUND: Final = 100  # messages, and of one conversation no more at once
ROLES: Final[tuple[Literal["sender", "recipient"], ...]] = ("recipient", "sender")
SHARE: Final = 0.1  # of the database's time; people go first
PAUSE_SECONDS: Final = 0.25  # at least, between two rounds
REST_SECONDS: Final = 600.0  # where nothing is too old

log = logging.getLogger("shopbell.retention")


class Retention:
    """Removes what was said more than ``days`` ago; 0 keeps all for ever."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        journal: Journal,
        hub: Hub,
        days: int,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._journal = journal
        self._hub = hub
        self._days = timedelta(days=days)
        self._now = now
        # How far back this sweep has come, of what each seller received and sent.
        self._reached: dict[tuple[str, str], Cursor] = {}

    async def keep(self) -> None:
        """Removes round after round, for as long as the server runs."""
        while self._days:
            started = time.monotonic()
            try:
                is_more = await self.remove_some()
            except Unavailable:
                log.warning("messages that are too old wait for the database")
                is_more = False
            took = time.monotonic() - started
            await asyncio.sleep(max(PAUSE_SECONDS, took / SHARE) if is_more else REST_SECONDS)

    async def remove_some(self) -> bool:
        """Removes some of what is too old; false where nothing is. Raises ``Unavailable``."""
        too_old = Cursor(moment(self._now()) - self._days, "")
        for seller in await self._store.seller_keys():  # one side of each conversation sells
            for role in ROLES:
                before = self._reached.get((seller, role), too_old)
                old = await self._store.messages_of(seller, role, before=before, limit=ROUND)
                if old:
                    await self._remove(old)
                    self._reached[seller, role] = Cursor(old[-1].at, old[-1].id)
                    return True
        self._reached.clear()
        return False

    async def _remove(self, old: Sequence[StoredMessage]) -> None:
        """Removes these messages, and in each conversation those between them. What lies before is
        shown to nobody from now on, and comes next."""
        seqs: defaultdict[str, list[int]] = defaultdict(list)
        for message in old:
            seqs[message.conversation_id].append(message.seq)
        # Taken up now, as it may take a while. None: a killed process left these behind.
        known = {id_: await self._ledger.get(id_) for id_ in seqs}
        gone = {id_: max(seqs[id_]) for id_ in seqs if known[id_] is None}
        shortened: list[Conversation] = []
        news: list[Conversation] = []
        async with self._journal.alone:  # nobody moves a guest's messages meanwhile
            for id_ in seqs:
                if (conversation := self._ledger.live(id_)) is not None:
                    if self._ledger.cut(conversation, max(seqs[id_]) + 1):
                        news.append(conversation)
                    shortened.append(conversation)
                    gone[id_] = min(max(seqs[id_]), conversation.last_seq)
        await self._store.cut(shortened)
        for id_, last in gone.items():
            for first in range(min(seqs[id_]), last + 1, ROUND):
                await self._store.remove_messages(id_, first, min(last, first + ROUND - 1))
        for conversation in news:
            self._tell(conversation)

    def _tell(self, conversation: Conversation) -> None:
        """What somebody had not read is gone: an open page counts it no more."""
        self._hub.publish(conversation.keys, encode_event(Reset(conversation.id)))
