"""Whether the shop can do its work just now: the database takes writes, the disk has room."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from models import store_schema
from models.disk import disk_is_low
from models.errors import Unavailable
from models.metrics import Metrics
from models.store import Store

PROBE_SECONDS: Final = 1.0
# Anybody may ask, and each probe is a write: so many ask, one probe answers them all.
FRESH_SECONDS: Final = 0.5


class Readiness:
    """Probes the database when somebody asks, at most twice a second and never two at a time.

    ``directory`` is where the embedded database has its files.
    """

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        directory: Path | None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._directory = directory
        self._now = now
        self._probe: asyncio.Task[dict[str, str]] | None = None
        self._begun_at = 0.0
        self._is_up = True
        metrics.read_from("database_up", lambda: self._is_up)

    async def faults(self) -> dict[str, str]:
        """What is wrong, by the part that fails; nothing if all is well. Takes a second at most."""
        found = {}
        if self._directory is not None and disk_is_low(self._directory):
            found["disk"] = "The disk is nearly full."
        probe = self._current_probe()
        left = self._begun_at + PROBE_SECONDS - self._now()
        # One that hangs is not cancelled: when it ends, the database is back.
        await asyncio.wait({probe}, timeout=max(0.0, left))
        if not probe.done() or probe.cancelled():
            found["database"] = f"The database did not answer within {PROBE_SECONDS:.0f} s."
        else:
            found |= probe.result()
        if self._store.breaker.is_open:
            found["breaker"] = "Calls to the database are refused until it answers."
        self._is_up = "database" not in found
        return found

    def _current_probe(self) -> "asyncio.Task[dict[str, str]]":
        is_stale = self._now() - self._begun_at > FRESH_SECONDS
        if self._probe is None or (self._probe.done() and is_stale):
            self._begun_at = self._now()
            self._probe = asyncio.create_task(self._ask())
        return self._probe

    async def _ask(self) -> dict[str, str]:
        begun = self._now()
        try:
            await self._store.probe()
            version = await self._store.schema_version()
        except Unavailable:
            return {"database": "The database cannot be written and read."}
        self._metrics.asked_database("probe", self._now() - begun)
        if version != store_schema.VERSION:
            return {
                "schema": f"The schema is {version}, this Shopbell knows {store_schema.VERSION}."
            }
        return {}
