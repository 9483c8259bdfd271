"""Whether the shop can do its work just now: the database takes writes, the disk has room."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from models.checks import disk_is_low
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
        self._probe: asyncio.Task[bool] | None = None
        self._begun_at = 0.0
        self._is_up = True
        metrics.read_from("database_up", lambda: self._is_up)

    async def check(self) -> None:
        """Returns if all is well. Raises ``Unavailable`` with the reason."""
        if self._directory is not None and disk_is_low(self._directory):
            raise Unavailable("The disk is nearly full.")
        probe = self._current_probe()
        left = self._begun_at + PROBE_SECONDS - self._now()
        # One that hangs is not cancelled: when it ends, the database is back.
        await asyncio.wait({probe}, timeout=max(0.0, left))
        self._is_up = probe.done() and not probe.cancelled() and probe.result()
        if not self._is_up:
            raise Unavailable

    def _current_probe(self) -> "asyncio.Task[bool]":
        is_stale = self._now() - self._begun_at > FRESH_SECONDS
        if self._probe is None or (self._probe.done() and is_stale):
            self._begun_at = self._now()
            self._probe = asyncio.create_task(self._ask())
        return self._probe

    async def _ask(self) -> bool:
        begun = self._now()
        try:
            await self._store.probe()
        except Unavailable:
            return False
        self._metrics.asked_database("probe", self._now() - begun)
        return True
