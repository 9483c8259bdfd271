"""Somebody goes: their record, their tokens, and what they wrote, while the server runs or not.

It is ordered in the database first, so that whoever dies in the middle is finished by the next one,
and a running server, which looks there every few seconds, hears of it: it refuses their tokens and
sees to what lives in memory. Each step may be done twice. The messages stay, emptied: ``seq`` has
no holes, and a message that is sent once more is known by its ``client_id``.

Their id stays, as the shop's own name of them, and what others wrote to them stays others'. Drafts
in people's browsers and backups are out of reach.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from models.accounts import Accounts
from models.codec import encode_event
from models.conversation import Conversation, Participant, moment
from models.errors import NotFound, Unavailable
from models.events import Reset
from models.hub import Hub
from models.journal import Journal
from models.ledger import Ledger
from models.store import Erasure, Store
from models.tokens import AHEAD_SECONDS, LONGEST_SECONDS

PAGE: Final = 100  # messages emptied in one update: the embedded engine needs a tenth of a second
REFRESH_SECONDS: Final = 2  # CONTRACT section 2 gives a revocation 5 s
# Orders are dated before they are written, which may take 5 s; and clocks differ.
OVERLAP: Final = timedelta(seconds=30)
# What had been let in before the order was heard of may still be stored for so long.
AFTERMATH_SECONDS: Final = 20.0
ORDER_SECONDS: Final = LONGEST_SECONDS + AHEAD_SECONDS


class Erased(NamedTuple):
    """A conversation that somebody is gone from, under these keys, and how many messages were
    emptied in it."""

    conversation: Conversation
    keys: Sequence[str]
    messages: int


async def ordered(
    store: Store, participant: Participant, *, now: Callable[[], float] = time.time
) -> Erasure:
    """Notes that somebody has to go. No token made before the next second is good from now on.

    Raises ``NotFound`` where nothing is kept of them, ``Unavailable``.
    """
    key = participant.key
    if not await is_known(store, key):
        raise NotFound(f"Nothing is kept of {participant.type} {participant.id}.")
    seconds = now()
    order = Erasure(key, moment(seconds), int(seconds) + 1, is_done=False)
    # Afterwards no token of theirs can be valid; but conversations of sellers are found by them.
    is_seller = participant.type == "Seller"
    await store.order_erasure(order, None if is_seller else moment(seconds + ORDER_SECONDS))
    return order


async def is_known(store: Store, key: str) -> bool:
    """Whether anything is kept of somebody: a record, a conversation, or that they were erased.

    Raises ``Unavailable``.
    """
    if await store.participant(key) is not None or await store.erasure(key) is not None:
        return True
    return bool(await store.conversations_of(key, before=None, limit=1))


async def carried_out(store: Store, order: Erasure) -> AsyncGenerator[Erased]:
    """Removes what the database keeps of somebody, conversation by conversation. Raises
    ``Unavailable``; to be called again then.

    The order stays open: a server that has not heard of it yet may write something back, so that is
    for the server to end, or for the next one that starts.
    """
    keys = [order.key, *await store.guests_of(order.key)]  # some of it may not be handed over yet
    for key in keys:
        if not await _has_new_account(store, key, order):
            await store.forget_participant(key)
        async for ids in store.conversation_ids_of(key):
            for conversation in await store.conversations(ids):
                yield await _erased(store, conversation, keys, order)


async def _has_new_account(store: Store, key: str, order: Erasure) -> bool:
    """Whether a seller was added anew under the id of one who was erased."""
    person = await store.participant(key)
    if person is None or person.password_hash is None or person.first_seen is None:
        return False
    return person.first_seen >= moment(order.valid_from)


async def _erased(
    store: Store, conversation: Conversation, keys: Sequence[str], order: Erasure
) -> Erased:
    count, first = 0, conversation.first_seq
    while True:
        last = first + PAGE - 1
        count += await store.erase_messages(conversation.id, keys, first, last, order.at)
        # The summary may not know the last ones yet: what counts is where messages end.
        if last >= conversation.last_seq and not await store.messages_between(
            conversation.id, last + 1, last + 1
        ):
            break
        first = last + 1
    await store.erase_summary(conversation, keys, order.at)
    return Erased(conversation, keys, count)


class _Due(NamedTuple):
    """An order that is to be followed from a moment on, for the first time or once more."""

    at: float
    again: bool
    order: Erasure


class Erasures:
    """A running server's share: nobody who was erased gets in, and nothing of them lives on in
    memory. ``forgetful`` are told the key of each."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        journal: Journal,
        hub: Hub,
        accounts: Accounts,
        forgetful: Sequence[Callable[[str], None]],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._journal = journal
        self._hub = hub
        self._accounts = accounts
        self._forgetful = forgetful
        self._now = now
        self._known: dict[str, datetime] = {}  # who was ordered to go, and when
        self._due: list[_Due] = []
        self._looked_at: datetime | None = None

    async def open(self) -> None:
        """Learns who was erased, and finishes what a killed process began; to be called before
        serving. Raises ``Unavailable``."""
        for order in await self._news():
            if not order.is_done:
                await self._follow(order, again=True)

    async def refresh(self) -> None:
        """Heeds the orders that have come, and follows what is due. Raises ``Unavailable``; what
        was not followed then comes next time."""
        now = time.monotonic()
        for order in await self._news():
            # What had been let in before may still be stored for a while.
            self._due += [_Due(now, False, order), _Due(now + AFTERMATH_SECONDS, True, order)]
        self._due.sort()
        while self._due and self._due[0].at <= time.monotonic():
            await self._follow(self._due[0].order, again=self._due[0].again)
            self._due.pop(0)

    async def watch(self) -> None:
        """Refreshes for ever; while the database is away, who is gone stays gone."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with suppress(Unavailable):
                await self.refresh()

    async def _news(self) -> list[Erasure]:
        """The orders that were not known yet; from now on, the tokens of these are refused."""
        began = moment(self._now())
        since = self._looked_at - OVERLAP if self._looked_at else moment(0)
        news = [
            order
            for order in await self._store.erasures_since(since)
            if self._known.get(order.key) != order.at
        ]
        for order in news:
            self._known[order.key] = order.at
            self._accounts.end_tokens(order.key, order.valid_from)
        self._looked_at = began
        return news

    async def _follow(self, order: Erasure, *, again: bool) -> None:
        """Removes what is stored and what lives in memory, and has open pages load it anew.

        Where that is done ``again``, nothing can write it back any more, and the order ends.
        """
        async with self._journal.alone:  # nothing of theirs is between two places now
            self._journal.forget(order.key, order.valid_from)
        for forget in self._forgetful:
            forget(order.key)
        async for conversation, keys, messages in carried_out(self._store, order):
            self._ledger.erase(conversation, keys, order.at)
            if messages or not again:
                self._hub.publish(conversation.keys, encode_event(Reset(conversation.id)))
        await self._ledger.settle()  # what was behind may have been written as it was before
        if again:
            await self._store.end_erasure(order)
