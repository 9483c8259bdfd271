"""How soon a seller usually answers and when they are usually back, as buyers are told.

What is counted in memory is written to the seller's record once a minute: a killed process loses
that minute, and of one second's messages may count some twice. Of two processes on one database
each writes its own counts in the place of the other's.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from models import events
from models.conversation import Participant, moment
from models.errors import Unavailable
from models.ledger import Entry
from models.presence import Presence
from models.store import Store
from models.timesheet import Timesheet

SETTLE_SECONDS: Final = 60.0

log = logging.getLogger("shopbell.availability")


class Availability:
    """Keeps the timesheets of the sellers who were active since the start."""

    def __init__(
        self, store: Store, presence: Presence, *, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._presence = presence
        self._now = now
        self._sheets: dict[str, Timesheet] = {}
        self._whole: set[str] = set()  # whose stored days are in their sheet
        self._behind: set[str] = set()  # whose record is behind their sheet

    async def of(self, seller_id: str) -> events.Availability:
        """What anybody may know of a seller; whether there is one is not asked.

        Who is invisible looks as if they were not there. Raises ``Unavailable``.
        """
        key = Participant("Seller", seller_id).key
        if key in self._sheets:
            sheet = await self._whole_sheet(key)
        else:
            sheet = await self._store.timesheet(key)
        now = moment(self._now())
        is_online = self._presence.status_of(key) == "online"
        back_at = None if is_online else sheet.back_at(now)
        return events.Availability(
            replies_in=sheet.replies_in(now.date()),
            back_at=events.timestamp(back_at) if back_at else None,
        )

    def heard(self, entry: Entry) -> None:
        """A message is stored: counts if it is a seller's answer to a buyer."""
        message, asked_at = entry.message, entry.asked_at
        types = [Participant.from_key(key).type for key in (message.sender, message.recipient)]
        if asked_at is not None and types == ["Seller", "Buyer"]:
            self._sheet(message.sender).answered(message.at, message.at - asked_at)
            self._behind.add(message.sender)

    def forget(self, key: str) -> None:
        """Drops what is known of a seller who was erased."""
        self._sheets.pop(key, None)
        self._whole.discard(key)
        self._behind.discard(key)

    async def settle(self) -> None:
        """Notes who is online, and writes the sheets on which there is something new.

        Raises ``Unavailable``; nothing is lost then.
        """
        now = moment(self._now())
        for key in self._presence.online():
            if Participant.from_key(key).type == "Seller" and self._sheet(key).saw(now):
                self._behind.add(key)
        for key in list(self._behind):
            sheet = await self._whole_sheet(key)
            sheet.forget(now.date())
            self._behind.discard(key)
            try:
                await self._store.write_timesheet(key, sheet)
            except BaseException:
                self._behind.add(key)
                raise

    async def keep_settling(self) -> None:
        """Settles once a minute, for as long as the server runs."""
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                await self.settle()
            except Unavailable:
                log.warning("timesheets wait for the database: %d", len(self._behind))

    def _sheet(self, key: str) -> Timesheet:
        return self._sheets.setdefault(key, Timesheet())

    async def _whole_sheet(self, key: str) -> Timesheet:
        """The sheet with what was stored before; read once."""
        sheet = self._sheet(key)
        if key not in self._whole:
            stored = await self._store.timesheet(key)
            if key not in self._whole:  # else somebody was quicker
                self._whole.add(key)
                sheet.add(stored.days)
        return sheet
