"""A whole shop's chat: the models' parts, in the order in which they need each other."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from models.accounts import Accounts
from models.availability import Availability
from models.chat import Chat
from models.disk import disk_is_low
from models.engine import place_of
from models.erasure import Erasures
from models.errors import Unavailable
from models.guests import Guests
from models.history import History
from models.hub import Hub
from models.journal import Journal
from models.ledger import Ledger
from models.live import Live
from models.looks import Looks
from models.metrics import Metrics
from models.pace import Pace
from models.presence import Presence, TypingBoard
from models.readiness import Readiness
from models.retention import Retention
from models.settings import Settings
from models.store import Store
from models.tokens import Tokens

DRAIN_SECONDS: Final = 5.0  # how long a stop waits for messages that were accepted
SETTLE_SECONDS: Final = 0.5  # for summaries where that time is up; they can be recomputed


class Shop:
    """The parts of one shop, made inside the running loop.

    ``settings`` must have their secrets. Nothing happens before ``open``; ``work`` must run for as
    long as anybody is served. ``now`` is what messages and visits are dated by.
    """

    def __init__(
        self, settings: Settings, store: Store, *, now: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self.store = store
        self.metrics = Metrics()
        self.hub = Hub()
        self.pace = Pace(enabled=settings.rate_limits)
        self.tokens = Tokens(settings.secret, settings.identity_secret)
        self.accounts = Accounts(store, self.tokens, self.pace)
        self.ledger = Ledger(store, now=now)
        files = settings.data_dir if settings.mongodb_uri is None else None
        self.journal = Journal(
            store,
            self.ledger,
            self.metrics,
            now=now,
            has_room=lambda: files is None or not disk_is_low(files),
        )
        presence = Presence()
        self.preferences = Looks(store, now=now)
        self.history = History(store, self.ledger, presence)
        self.availability = Availability(store, presence, now=now)
        self.guests = Guests(store, self.ledger, self.journal, self.hub, self.accounts, self.tokens)
        self.chat = Chat(
            store=store,
            ledger=self.ledger,
            journal=self.journal,
            hub=self.hub,
            live=Live(self.hub, presence, TypingBoard(), now=now),
            history=self.history,
            availability=self.availability,
            guests=self.guests,
            tokens=self.tokens,
            pace=self.pace,
            metrics=self.metrics,
            now=now,
        )
        self.erasures = Erasures(
            store,
            self.ledger,
            self.journal,
            self.hub,
            self.accounts,
            [self.chat.forget, self.availability.forget],
            now=now,
        )
        self.retention = Retention(
            store, self.ledger, self.journal, self.hub, settings.retention_days, now=now
        )
        self.accounts.on_revoked = self.hub.close_refused
        self.pace.on_limit = self.metrics.limited
        self.readiness = Readiness(store, self.metrics, files)
        self._measure()

    async def open(self) -> None:
        """Readies the database, and finishes what a killed process left half done.

        Raises ``Unavailable``, ``SchemaTooNew`` or ``RestoreUnfinished``.
        """
        is_embedded = self.settings.mongodb_uri is None
        place = place_of(self.settings.data_dir) if is_embedded else None
        self.chat.epoch = await self.store.prepare(place)
        await self.accounts.refresh()
        await self.preferences.refresh()
        await self.ledger.mend()
        await self.guests.resume()
        await self.erasures.open()

    def work(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What has to run beside the doors, by name."""
        return {
            "journal": self.journal.run(),
            "ledger": self.ledger.keep_settling(),
            "clock": self.chat.keep_time(),
            "last seen": self.chat.keep_last_seen(),
            "availability": self.availability.keep_settling(),
            "accounts": self.accounts.watch(),
            "preferences": self.preferences.watch(),
            "erasures": self.erasures.watch(),
            "retention": self.retention.keep(),
            "lag": self.metrics.watch_lag(),
        }

    async def drain(self) -> None:
        """Takes no more messages, stores those that were accepted, and writes what is behind.

        Raises ``Unavailable``; the next start finds the rest.
        """
        limit = time.monotonic() + DRAIN_SECONDS
        await self.journal.drain(DRAIN_SECONDS)
        try:
            async with asyncio.timeout(max(SETTLE_SECONDS, limit - time.monotonic())):
                await self.ledger.settle()
                await self.availability.settle()
        except TimeoutError:
            raise Unavailable from None

    def _measure(self) -> None:
        """Tells the metrics where to look."""
        hub, breaker, read_from = self.hub, self.store.breaker, self.metrics.read_from
        read_from("sockets_open", lambda: hub.count)
        read_from("sockets_registered", lambda: sum(c.registered for c in hub.everybody()))
        read_from("outbox_bytes", lambda: sum(c.outbox.bytes for c in hub.everybody()))
        read_from("database_waiting", lambda: breaker.waiting)
        read_from("breaker_open", lambda: breaker.is_open)
        read_from("breaker_openings", lambda: breaker.times_opened)

    def close(self) -> None:
        """Lets go of threads and connections."""
        self.accounts.close()
        self.preferences.close()
        self.store.close()
