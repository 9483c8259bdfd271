"""The embedded database's child process: how it is begun, addressed and ended.

When that is to be done is ``engine.py``'s to decide, where its files lie is ``engine_home.py``'s.
"""

import asyncio
import contextlib
import ctypes
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from models.engine_home import EngineError, EngineHome, knock

logger = logging.getLogger("shopbell.engine")

START_SECONDS: Final = 20.0  # it needs 1; replaying a long journal after a crash needs more
START_BYTES: Final = 10_000_000  # a second: it walks through all keys first, ten times as fast
STOP_SECONDS: Final = 3.0  # its share of the server's 10; it needs 0.2
KILL_SECONDS: Final = 2.0  # only a process that hangs in a dying disk outlives SIGKILL as long
TICK_SECONDS: Final = 0.02
LAST_LINES: Final = 3  # of a traceback, they tell what and where

# Runs as the child and then becomes the engine. PR_SET_PDEATHSIG (1) survives exec: the kernel
# sends the engine SIGKILL (9) when we die. SIGKILL, as a hung engine must go too, and journaled
# writes survive it. If we died before the prctl, that signal never comes; then getppid tells.
# Elsewhere than on Linux the engine lives on, until the next start ends it by its record.
# This is no preexec_fn, because that is Python between the fork and the exec of a process with
# threads (the driver has some): a lock that another thread held at the fork stays locked for ever.
LAUNCHER: Final = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("The server is gone.")
os.execv(sys.argv[2], sys.argv[2:])
"""


class PortTaken(EngineError):
    """Somebody else listens where the engine was to listen."""


class EngineProcess:
    """One port, and on it one child process after the other."""

    def __init__(self, home: EngineHome, *, cache_size: str) -> None:
        self._home = home
        self._cache_size = cache_size
        self._process: subprocess.Popen[bytes] | None = None
        self._reserved: socket.socket | None = None
        self.port = 0

    @property
    def pid(self) -> int | None:
        """The process id, while it lives."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def status(self) -> int | None:
        """What the last child ended with; None if it lives, or if there was none."""
        return self._process.poll() if self._process is not None else None

    def reserve_port(self) -> None:
        """Picks a free port. Linux lets us keep it bound beside the engine that listens: so no
        outgoing connection of anybody's gets it while the engine is being restarted."""
        self.free_port()
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        if sys.platform != "linux":
            self.free_port()

    def free_port(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    async def launch(self, storage: Path, *flags: str) -> None:
        """Starts a child and returns when it listens.

        Raises ``EngineError`` if it does not, ``PortTaken`` if it cannot there; ``end`` is still
        due then.
        """
        log_start = self._home.log_size()
        self._home.tune(storage)
        patience = START_SECONDS + self._home.bytes_in(storage) / START_BYTES
        self._spawn(storage, *flags)
        # Its own word for it: who answers on the port might be a stranger, to whom we would then
        # tell the new password.
        listening = f"listening on 127.0.0.1:{self.port}\n"
        deadline = time.monotonic() + patience
        while listening not in (said := self._home.log_after(log_start)):
            if self.pid is not None and time.monotonic() < deadline:
                await asyncio.sleep(TICK_SECONDS)
                continue
            trouble = "no answer" if self.status is None else f"it ended with status {self.status}"
            kind = PortTaken if f"[Errno {errno.EADDRINUSE}]" in said else EngineError
            last = " | ".join(said.splitlines()[-LAST_LINES:])
            where = self._home.log
            raise kind(f"The embedded database did not start, {trouble}. In {where}: {last}")

    def _spawn(self, storage: Path, *flags: str) -> None:
        # The parent-death signal is sent when the *thread* that forked ends.
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("The engine must be started from the main thread.")
        home = self._home
        program = Path(sys.executable).with_name("secantusd-py")
        if not program.exists():
            raise EngineError(f"The embedded database is not installed: no {program}.")
        command = [str(program), "--config", str(home.config), "--storage-path", str(storage)]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--cache-size", self._cache_size, "--sync-on-commit", "--log-level", "INFO"]
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(os.getpid()), *command]
        # Into a file, because a pipe that nobody empties for a while blocks the one who writes.
        log = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = subprocess.Popen(  # noqa: S603  # all words of it are ours
                [*command, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=home.path,
                env={k: v for k, v in os.environ.items() if not k.startswith("SHOPBELL_")},
                start_new_session=True,  # Ctrl-C is for the server, which has to drain first
                umask=0o077,
            )
        finally:
            os.close(log)
        home.write_record(self._process.pid, self.port)

    async def end(self, *, grace: float) -> None:
        """Ends the child: SIGTERM, and after ``grace`` SIGKILL. Without a child, nothing."""
        process = self._process
        if process is None:
            return
        begun = time.monotonic()
        if grace:
            _send(process.pid, signal.SIGTERM)
        while process.poll() is None:
            waited = time.monotonic() - begun
            if waited > grace + KILL_SECONDS:
                logger.error("The embedded database, process %d, cannot be ended.", process.pid)
                return
            if waited < grace:
                knock(self.port)  # its accepting thread wakes at that; else it is waited for, 2 s
            else:
                process.kill()
            await asyncio.sleep(TICK_SECONDS)
        if grace and process.returncode == -signal.SIGKILL:
            logger.warning("The embedded database had to be killed.")
        self._process = None
        self._home.record.unlink(missing_ok=True)


async def end_orphan(home: EngineHome) -> None:
    """Ends the engine that a killed server left, as it keeps the files locked.

    To be called with the lock held, which proves that server dead. One that outlives even this
    makes the start fail, with the reason.
    """
    record = home.read_record()
    if record is None:
        return
    pid, port = record
    for kind, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        deadline = time.monotonic() + seconds
        if home.is_engine(pid):
            logger.warning("Ending the database of a killed server, process %d.", pid)
            _send(pid, kind)
        while home.is_engine(pid) and time.monotonic() < deadline:
            knock(port)
            await asyncio.sleep(TICK_SECONDS)
    home.record.unlink(missing_ok=True)


def _send(pid: int, kind: signal.Signals) -> None:
    """Sends a signal to the engine's main thread, the only one that Python handles signals in.

    One to the whole process, as ``os.kill`` sends it, went to another thread in every fifth run;
    the main thread then slept on and knew nothing of it.
    """
    with contextlib.suppress(ProcessLookupError):
        try:
            ctypes.CDLL(None).tgkill(pid, pid, kind)
        except AttributeError:  # not Linux
            os.kill(pid, kind)
