"""What all sellers prefer, in memory, so that each page can wear its shop's look at no cost."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from models.conversation import Identity, Participant, moment
from models.errors import Forbidden, Unavailable
from models.picture import Picture, Pictures
from models.preferences import Preferences
from models.store import Store

REFRESH_SECONDS: Final = 5  # how old another process's change may be before it shows here


class Looks:
    """Sellers' preferences and logos. ``watch`` brings in what other processes stored."""

    def __init__(self, store: Store, *, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        self._pictures = Pictures()
        self._known: dict[str, Preferences] = {}  # by the seller's key
        # The same, with the version in whose place they stand; those that somebody asked for.
        self._logos: dict[str, tuple[str, Picture]] = {}
        self._saves = 0

    def of(self, seller_id: str) -> Preferences:
        """What a seller chose; the defaults for one who chose nothing, or is not known."""
        return self._known.get(_key(seller_id), Preferences())

    def all(self) -> dict[str, Preferences]:
        """The same for all who chose something, by their ids."""
        return {Participant.from_key(key).id: chosen for key, chosen in self._known.items()}

    async def logo(self, seller_id: str) -> Picture | None:
        """Raises ``Unavailable``."""
        key, version = _key(seller_id), self.of(seller_id).logo
        if not version:
            return None
        kept, picture = self._logos.get(key, ("", None))
        if kept != version:
            # May be another one, where a save was broken off after its picture was stored.
            picture = await self._store.logo(key)
            if picture is not None:
                self._logos[key] = (version, picture)
        return picture

    async def save(
        self, who: Identity, chosen: Preferences, logo: bytes | None = None
    ) -> Preferences:
        """Stores what a seller chose, with a new logo or with the one that ``chosen`` names.

        Raises ``Forbidden`` for buyers, ``Invalid`` for a file that is no logo, ``Unavailable``.
        """
        if who.participant.type != "Seller":
            raise Forbidden("Only sellers have a shop to look after.")
        picture = None if logo is None else await self._pictures.logo(logo)
        if picture is not None:
            chosen = replace(chosen, logo=picture.version)
        # A seller may have come with a token, and never have been here before.
        await self._store.introduce(who.key, who.name, moment(self._now()))
        await self._store.write_preferences(who.key, chosen, picture)
        self._saves += 1
        self._know({**self._known, who.key: chosen})
        return chosen

    async def refresh(self) -> None:
        """Reads what is stored. Raises ``Unavailable``."""
        saves = self._saves
        stored = await self._store.preferences()
        if saves == self._saves:  # else it may have been read before it was saved
            self._know(stored)

    async def watch(self) -> None:
        """Refreshes for ever; while the database is away, what is known holds."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with suppress(Unavailable):
                await self.refresh()

    def close(self) -> None:
        """Lets go of the thread that draws logos."""
        self._pictures.close()

    def _know(self, stored: dict[str, Preferences]) -> None:
        self._known = {key: chosen for key, chosen in stored.items() if chosen != Preferences()}
        self._logos = {key: logo for key, logo in self._logos.items() if key in self._known}


def _key(seller_id: str) -> str:
    return Participant("Seller", seller_id).key
