"""The embedded database: started, guarded, and taken along when the server goes.

The engine (``secantusd-py``, GPL-2.0-only, a beta) is only ever a child process that is spoken to
over loopback. What is said to a database is ``store.py``'s knowledge, so ``create_user`` and
``probe`` are passed in. The process itself is ``engine_process.py``'s, its files are
``engine_home.py``'s.
"""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from models.disk import disk_is_low
from models.engine_home import (
    GLANCE_SECONDS,
    USER,
    EngineBusy,
    EngineError,
    EngineHome,
    has_database,
    place_of,
    running_uri,
)
from models.engine_process import STOP_SECONDS, EngineProcess, PortTaken, end_orphan

__all__ = ["Engine", "EngineBusy", "EngineError", "has_database", "place_of", "running_uri"]

logger = logging.getLogger("shopbell.engine")

LOCK_SECONDS: Final = 1.0  # a command that asks whether a server lives holds the lock for moments
USER_SECONDS: Final = 10.0  # making a user needs 0.2
PROBE_SECONDS: Final = 2.0  # between two probes, and for each
PROBES_MISSED: Final = 3  # one may be a slow disk
PROBE_TRIES: Final = 5  # at the start; who listens has opened its files and should answer
RESTART_SECONDS: Final = (0.5, 10.0)  # the back-off's first step and its ceiling
STEADY_SECONDS: Final = 30.0  # after a life as long as this the back-off begins anew
PORT_TRIES: Final = 3
FAILURE_CHARACTERS: Final = 300


class Engine:
    """The embedded database on one data directory, from ``start`` to ``stop``.

    ``create_user(uri, username, password)`` is called once in a directory's life, on a database
    that asks nobody who they are: it makes a user in ``admin`` who may do everything.
    ``probe(uri)`` does a journaled write and a read. Both may raise anything.

    Tied to no event loop: a test session may start it in one and stop it in another.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        create_user: Callable[[str, str, str], Awaitable[None]],
        probe: Callable[[str], Awaitable[None]],
        cache_size: str = "128M",
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._home = EngineHome(data_dir)
        self._child = EngineProcess(self._home, cache_size=cache_size)
        self._create_user = create_user
        self._probe = probe
        self._probe_seconds = probe_seconds
        self._lock: int | None = None
        self._uri = ""
        self._failure = ""
        self._is_stopping = False

    @property
    def pid(self) -> int | None:
        """The child's process id, while it lives."""
        return self._child.pid

    async def start(self) -> str:
        """Starts the database and returns its URI, which stays valid until ``stop``.

        Raises ``EngineBusy`` if another server lives on the data directory, else ``EngineError``
        with the reason; nothing is left running then.
        """
        self._is_stopping = False
        try:
            self._home.prepare()
            await self._take_lock()
            await end_orphan(self._home)
            self._home.make_secrets()
            for tries_left in reversed(range(PORT_TRIES)):
                self._child.reserve_port()
                self._uri = self._home.uri(self._child.port)
                try:
                    if not self._home.database.exists():
                        await self._provision()
                    await self._serve()
                    break
                except PortTaken:
                    if not tries_left:
                        raise
        except BaseException as error:
            await self.stop()
            if isinstance(error, OSError):
                raise EngineError(f"The embedded database cannot start: {error}.") from error
            raise
        return self._uri

    async def watch(self) -> None:
        """Keeps the database alive until ``stop``: a task for the whole life of the server.

        A child that died or missed several probes is replaced, after a back-off, on the same port.
        On a full disk that is in vain, so it is replaced as soon as there is room again.
        """
        pause, ceiling = RESTART_SECONDS
        while not self._is_stopping:
            begun = time.monotonic()
            trouble = await self._until_unwell()
            if self._is_stopping:
                return
            if time.monotonic() - begun > STEADY_SECONDS:
                pause = RESTART_SECONDS[0]
            logger.warning("The embedded database %s; restart in %.1f s.", trouble, pause)
            try:
                await self._child.end(grace=0)  # it is dead or hangs: politeness is lost on it
                await self._pause(pause)
                await self._serve()
            except (EngineError, OSError) as error:  # OSError: a full disk takes no record
                if not self._is_stopping:
                    logger.warning("The restart failed: %s", error)
            pause = min(2 * pause, ceiling)

    async def stop(self, grace: float = STOP_SECONDS) -> None:
        """Ends the child, politely for ``grace`` seconds, and frees the data directory."""
        self._is_stopping = True
        await self._child.end(grace=grace)
        self._child.free_port()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _take_lock(self) -> None:
        deadline = time.monotonic() + LOCK_SECONDS
        while (lock := self._home.try_lock()) is None:
            if time.monotonic() > deadline:
                raise self._home.busy()
            await asyncio.sleep(GLANCE_SECONDS)
        self._lock = lock

    async def _provision(self) -> None:
        """Makes a database with its one user.

        The engine has no localhost exception: its first user is made while it asks nobody who they
        are. That is a fraction of a second, on a random loopback port, without any content; only
        somebody who watches the ports of this very machine could use it. The directory gets its
        name when all is done and closed, so a crash on the way leaves nothing that counts.
        """
        home = self._home
        shutil.rmtree(home.unfinished, ignore_errors=True)
        await self._launch(home.unfinished)
        try:
            made = self._create_user(home.open_uri(self._child.port), USER, home.read_password())
            await asyncio.wait_for(made, USER_SECONDS)
        except Exception as error:  # which kinds a driver has is store.py's knowledge
            raise EngineError(f"The database's user cannot be made: {error!r}.") from error
        await self._child.end(grace=STOP_SECONDS)
        home.finish_database()

    async def _serve(self) -> None:
        """Starts the database as it is to be used, and returns when it has answered."""
        await self._launch(self._home.database, "--auth")
        for _ in range(PROBE_TRIES):
            if await self._is_answering():
                logger.info("The embedded database serves on port %d.", self._child.port)
                return
            await asyncio.sleep(GLANCE_SECONDS)
        raise EngineError(f"The embedded database does not serve us: {self._failure}.")

    async def _launch(self, storage: Path, *flags: str) -> None:
        if self._is_stopping:
            raise EngineError("The embedded database is being stopped.")
        self._home.trim_log()
        await self._child.launch(storage, *flags)

    async def _is_answering(self) -> bool:
        try:
            await asyncio.wait_for(self._probe(self._uri), self._probe_seconds)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is not an answer
            self._failure = repr(error)[:FAILURE_CHARACTERS]
            return False
        return True

    async def _pause(self, seconds: float) -> None:
        """Waits before a restart, but not while room comes back to a disk that had none."""
        deadline = time.monotonic() + seconds
        was_low = disk_is_low(self._home.data_dir)
        while not self._is_stopping and time.monotonic() < deadline:
            if was_low and not disk_is_low(self._home.data_dir):
                return
            await asyncio.sleep(min(GLANCE_SECONDS, max(0, deadline - time.monotonic())))

    async def _until_unwell(self) -> str:
        """Returns what is wrong with the child, as soon as something is."""
        missed, next_probe = 0, time.monotonic() + self._probe_seconds
        while not self._is_stopping:
            if self.pid is None:
                status = self._child.status
                return "is not running" if status is None else f"ended with status {status}"
            if time.monotonic() >= next_probe:
                self._home.trim_log()
                missed = 0 if await self._is_answering() else missed + 1
                if missed == PROBES_MISSED:
                    return f"does not answer ({self._failure})"
                next_probe = time.monotonic() + self._probe_seconds
            await asyncio.sleep(GLANCE_SECONDS)
        return "is being stopped"
