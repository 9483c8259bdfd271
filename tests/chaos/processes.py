"""The real ``server.py`` with its embedded database, as processes that are killed and come back."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

from models.conversation import Participant
from models.tokens import Tokens

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 30  # on a busy machine
STOP_SECONDS: Final = 12  # CONTRACT section 1 allows 10

Part = Literal["server", "engine", "both"]


class ServerProcess:
    """A server that is always started on the same port and directory; its log is a file.

    ``words`` follow ``server.py`` on the command line, ``before`` precedes it (``["prlimit",
    "--nofile=64"]``), ``environment`` is added to ours, which is given without SHOPBELL_…
    """

    def __init__(
        self,
        directory: Path,
        *words: str,
        before: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.log = directory.with_suffix(".log")
        self.url = ""
        self.starts = 0
        self._words = words or ("--rate-limits=off",)
        self._before = before
        self._environment = environment or {}
        self._port = 0
        self._process: Any = None

    async def start(self) -> None:
        """Returns when it serves. Raises ``TimeoutError``, or ``AssertionError`` with its log."""
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("SHOPBELL_", "MONGODB"))
        }
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *[*self._before, sys.executable, str(ROOT / "server.py"), f"--port={self._port}"],
                *[f"--data-dir={self.directory}", *self._words],
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**inherited, **self._environment},
            )
        async with asyncio.timeout(START_SECONDS):
            ready = (await self._process.stdout.readline()).decode()
        assert ready, self.log.read_text()[-2_000:]
        self.url = ready.split()[4]
        self._port = int(self.url.rpartition(":")[2])
        self.starts += 1

    def token(self, type_: str, id_: str) -> str:
        """What introduces somebody, signed with the secrets of the data directory."""
        secret, identity = (
            (self.directory / name).read_text().strip() for name in ("secret", "identity-secret")
        )
        participant = Participant("Seller" if type_ == "Seller" else "Buyer", id_)
        return Tokens(secret, identity).issue(participant, id_, seconds=86_400)

    @property
    def pid(self) -> int:
        pid: int = self._process.pid
        return pid

    @property
    def engine_pids(self) -> list[int]:
        """The database's process; none while it is being started again."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if children.exists() else []

    def signal(self, number: signal.Signals, part: Part) -> None:
        """Sends SIGKILL, SIGSTOP, SIGCONT or SIGTERM to the server, to its database, or to both."""
        pids = self.engine_pids if part in {"engine", "both"} else []
        pids += [self.pid] if part in {"server", "both"} else []
        for pid in pids:
            os.kill(pid, number)
        if number == signal.SIGSTOP:
            assert pids, "there is nobody to be stopped"
            for pid in pids:
                _wait_until_stopped(pid)

    async def kill(self, part: Part) -> None:
        """SIGKILL. Where the server is hit, another one serves when this returns; a database alone
        is brought back by its server, in its own time."""
        self.signal(signal.SIGKILL, part)
        if part in {"server", "both"}:
            await self._process.wait()
            await self.start()

    async def stop(self, seconds: float = STOP_SECONDS) -> int | None:
        """SIGTERM, and the exit status; who does not stop in time is killed, and None returned."""
        if self._process is None or self._process.returncode is not None:
            return None if self._process is None else self._process.returncode
        self._process.terminate()
        return await self.ended(seconds)

    async def ended(self, seconds: float = STOP_SECONDS) -> int | None:
        """The exit status of one that was told to stop; it is killed where that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                status: int = await self._process.wait()
                return status
        except TimeoutError:
            self.signal(signal.SIGKILL, "both")
            await self._process.wait()
            return None


def _wait_until_stopped(pid: int) -> None:
    """Until each thread is: one may be in the middle of a write to the disk."""
    deadline = time.monotonic() + START_SECONDS
    while not all(map(_is_stopped, Path(f"/proc/{pid}/task").glob("*/stat"))):
        assert time.monotonic() < deadline, f"{pid} does not stop"
        time.sleep(0.001)


def _is_stopped(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return True  # it has ended


@asynccontextmanager
async def running(directory: Path, *words: str, **how: Any) -> AsyncIterator[ServerProcess]:
    """A ``ServerProcess`` for a while; it is stopped at the end, whatever happened."""
    server = ServerProcess(directory, *words, **how)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
