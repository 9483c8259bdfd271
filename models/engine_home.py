"""The embedded database's directory: its lock, its password, its record, its log.

What ``engine.py`` does with the process itself is not known here.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import quote_plus

USER: Final = "shopbell"
WAIT_SECONDS: Final = 20.0  # for a server that is just starting
GLANCE_SECONDS: Final = 0.2  # between two looks
KNOCK_SECONDS: Final = 0.05  # loopback answers at once, or its owner is stuck
LOG_BYTES: Final = 1024 * 1024
TAIL_BYTES: Final = 64 * 1024
# Of WiredTiger's cache, in percent: how full of changes it may be before whoever asks for something
# has to clear it first. At the usual 20 and 10 the engine comes to hang for good: one clears, with
# the engine's one lock in its hand, and cannot, since what the others have begun to read is still
# held, and they wait for the lock. Its own threads begin at 5 and 2.5, and keep up by themselves.
EVICTION: Final = "eviction_dirty_trigger=80,\neviction_updates_trigger=80\n"


class EngineError(Exception):
    """The embedded database cannot be had. The message is a sentence for the shop's owner."""


class EngineBusy(EngineError):
    """Another living server has this data directory."""


class EngineHome:
    """What lies where in ``data_dir/engine``, and how it is read and written there."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.path = data_dir.resolve() / "engine"
        self.config = self.path / "config.toml"
        self.database = self.path / "database"
        self.unfinished = self.path / "database.new"
        self.lock = self.path / "lock"
        self.log = self.path / "log"
        self.password = self.path / "password"
        self.record = self.path / "process.json"

    def prepare(self) -> None:
        """Makes the directory, for its owner's eyes only, and what must lie there."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        self.path.chmod(0o700)

    def try_lock(self) -> int | None:
        """The lock's descriptor, or None while somebody living holds it.

        No child inherits descriptors of ours, so it is free as soon as its holder is dead.
        """
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        os.ftruncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        return lock

    def busy(self) -> EngineBusy:
        holder = self.lock.read_text()
        return EngineBusy(f"The data directory {self.data_dir} is in use by process {holder}.")

    def make_secrets(self) -> None:
        """The password is made before the user that it belongs to, so no crash can part them."""
        self.write(self.config, "# Everything is said by flags; see models/engine_process.py.\n")
        if self.password.exists():
            return
        if self.database.exists():
            raise EngineError(f"The database's password is missing: {self.password}.")
        self.write(self.password, secrets.token_urlsafe(32))

    def tune(self, storage: Path) -> None:
        """Leaves in ``storage`` what WiredTiger is to know and the engine has no flag for.

        A file of that name there is read after all that the engine says (WiredTiger, "Database
        configuration").
        """
        storage.mkdir(mode=0o700, exist_ok=True)
        self.write(storage / "WiredTiger.config", EVICTION, for_good=False)

    def bytes_in(self, storage: Path) -> int:
        """How much is stored, while no engine is at it."""
        return sum(path.stat().st_size for path in storage.iterdir())

    def read_password(self) -> str:
        return self.password.read_text().strip()

    def open_uri(self, port: int) -> str:
        return f"mongodb://127.0.0.1:{port}/?directConnection=true"

    def uri(self, port: int) -> str:
        """Without ``retryWrites``: the engine keeps the answer of each such write for half an hour
        and goes through all of them, up to 10,000, at every write. What a lost answer leaves open
        the journal looks up itself, and other writes may be made twice."""
        login = f"{USER}:{quote_plus(self.read_password())}"
        options = "authSource=admin&authMechanism=SCRAM-SHA-256&directConnection=true"
        return f"mongodb://{login}@127.0.0.1:{port}/?{options}&retryWrites=false"

    def write_record(self, pid: int, port: int) -> None:
        # Not for good: after a power cut there is no such process, and a stalled disk would
        # stall the server's loop here.
        self.write(self.record, json.dumps({"pid": pid, "port": port}), for_good=False)

    def read_record(self) -> tuple[int, int] | None:
        """Pid and port of the last engine that was started here and not ended politely."""
        try:
            record = json.loads(self.record.read_bytes())
            return int(record["pid"]), int(record["port"])
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def is_engine(self, pid: int) -> bool:
        """Whether the process is an engine of this very directory, and no stranger with its pid."""
        if sys.platform == "linux":
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                return False
            return (b"--config", os.fsencode(self.config)) in pairwise(words)
        asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        found = subprocess.run(asked, capture_output=True, check=False).stdout  # noqa: S603  # a pid
        return b" --config " + os.fsencode(self.config) + b" " in found

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def trim_log(self) -> None:
        """Keeps only the log's end once it is too long. The child appends, and may go on doing so;
        what it writes in this very moment may be lost."""
        with contextlib.suppress(OSError):  # a full disk must not stop the one who watches
            if self.log_size() > LOG_BYTES:
                tail = self._log_tail(0)
                os.truncate(self.log, 0)
                with self.log.open("ab") as file:
                    file.write(tail)

    def log_after(self, start: int) -> str:
        """What was logged after ``start``, of much only the end."""
        return self._log_tail(start).decode(errors="replace")

    def _log_tail(self, start: int) -> bytes:
        with self.log.open("rb") as file:
            file.seek(max(start, self.log_size() - TAIL_BYTES))
            return file.read(TAIL_BYTES)

    def write(self, path: Path, text: str, *, for_good: bool = True) -> None:
        """Replaces a file in one step: after a crash it is the old one or the new one.

        ``for_good`` means that after a power cut it is the new one.
        """
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        draft.touch(0o600, exist_ok=False)
        with draft.open("w") as file:
            file.write(text)
            file.flush()
            if for_good:
                os.fsync(file.fileno())
        draft.replace(path)
        if for_good:
            self.sync()

    def finish_database(self) -> None:
        """The freshly made database gets its name, and with it counts."""
        self.unfinished.replace(self.database)
        self.sync()

    def sync(self) -> None:
        """Names in a directory last only once the directory itself is written."""
        directory = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def knock(port: int) -> bool:
    """Whether anybody listens on the loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), KNOCK_SECONDS).close()
    except OSError:
        return False
    return True


def has_database(data_dir: Path) -> bool:
    """Whether an embedded database was ever made in ``data_dir``."""
    return EngineHome(data_dir).database.exists()


def place_of(data_dir: Path) -> str | None:
    """What tells this embedded database's files from a copy of them; None where there are none.

    A file that is never written again keeps its number and its time of change; no copy can have
    both. A restart changes nothing, and moving them elsewhere on the same disk neither.
    """
    try:
        found = EngineHome(data_dir).password.stat()
    except OSError:
        return None
    return f"{found.st_ino} {found.st_ctime_ns}"


async def running_uri(data_dir: Path) -> str | None:
    """The way to the database of the server that lives on ``data_dir``; None if no server does.

    For commands that are given beside a running server; waits for one that is just starting.
    Raises ``EngineBusy`` if a server lives there whose database does not listen.
    """
    home = EngineHome(data_dir)
    if not home.lock.exists():
        return None
    deadline = time.monotonic() + WAIT_SECONDS
    while (lock := home.try_lock()) is None:
        record = home.read_record()
        # While it provisions (see ``Engine``) the database has not got its name yet.
        if record is not None and home.database.exists() and knock(record[1]):
            return home.uri(record[1])
        if time.monotonic() > deadline:
            raise home.busy()
        await asyncio.sleep(GLANCE_SECONDS)
    os.close(lock)
    return None
