"""The servers that are measured, each a process on loopback with a database of its own."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from models.engine import Engine, running_uri
from models.store import create_user, probe
from tests.bench.people import SECRET

ROOT: Final = Path(__file__).parents[2]
PEER: Final = Path(__file__).parent / "peer"
START_SECONDS: Final = 60
STOP_SECONDS: Final = 12
INSTALL_SECONDS: Final = 120


class Server:
    """A process that prints a line with its address, until ``stop``. ``name`` is its column."""

    name: ClassVar[str]
    protocol: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        self.url = ""
        self.directory = directory
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process, f"{self.name} is not running"
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """The server's, and its database's where that is an embedded one."""
        return [self.pid]

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return {}

    def start(self) -> float:
        """Starts it, and returns how many seconds that took. Raises ``AssertionError`` with its
        log."""
        begun = time.perf_counter()
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("SHOPBELL_", "MONGODB"))
        }
        log = self.directory / f"{self.protocol}.log"
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env={**inherited, **self.environment()},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl+C is ours: we stop it when we have all
            )
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert "http://" in line, f"{self.name} did not start: {log.read_text()[-2000:]}"
        self.url = next(word for word in line.split() if word.startswith("http://"))
        return time.perf_counter() - begun

    def stop(self) -> None:
        """Ends it, politely first. Does nothing where there is nothing."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class Database:
    """An embedded engine as Shopbell has it, or databases on ``uri``, dropped at the end."""

    def __init__(self, directory: Path, uri: str | None) -> None:
        self._given = uri
        self._engine: Engine | None = None
        self.uri = uri or ""
        if uri is None:
            self._engine = Engine(directory / "engine", create_user=create_user, probe=probe)

    @property
    def pids(self) -> list[int]:
        return [self._engine.pid] if self._engine and self._engine.pid else []

    def start(self) -> None:
        if self._engine:
            self.uri = asyncio.run(self._engine.start())

    def stop(self) -> None:
        if self._engine:
            asyncio.run(self._engine.stop())


class Shopbell(Server):
    """The product: as it is, with limits for floods off."""

    name = "Shopbell"
    protocol = "shopbell"

    def __init__(self, directory: Path, uri: str | None, database: str) -> None:
        super().__init__(directory)
        self.database = database
        self._uri = uri

    def command(self) -> list[str]:
        return [
            *[sys.executable, "server.py", "--port=0", "--rate-limits=off"],
            *[f"--data-dir={self.directory / 'data'}", f"--database={self.database}"],
            *([f"--mongodb-uri={self._uri}"] if self._uri else []),
        ]

    def environment(self) -> Mapping[str, str]:
        return {"SHOPBELL_SECRET": SECRET}

    @property
    def database_uri(self) -> str:
        """While it runs."""
        uri = self._uri or asyncio.run(running_uri(self.directory / "data"))
        assert uri, "Shopbell's database is not found"
        return uri

    @property
    def pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *(int(pid) for pid in children.split())]


class NodePeer(Server):
    """The seed's design, on a database like Shopbell's."""

    name = "Node peer"
    protocol = "node"

    def __init__(self, directory: Path, at: Database, database: str) -> None:
        super().__init__(directory)
        self.at = at
        self.database = database
        self.packages = directory / "peer"

    def install(self) -> None:
        """Fetches its three packages, as the lock file names them, into a temporary folder. Raises
        ``OSError`` where there is no npm, or ``subprocess.SubprocessError``."""
        shutil.copytree(PEER, self.packages, ignore=shutil.ignore_patterns("node_modules"))
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        with (self.directory / "npm.log").open("w") as log:
            subprocess.run(
                command, cwd=self.packages, stdout=log, stderr=log, check=True,
                timeout=INSTALL_SECONDS,
            )  # fmt: skip

    def command(self) -> list[str]:
        return ["node", str(self.packages / "server.js")]

    def environment(self) -> Mapping[str, str]:
        return {
            "PEER_URI": self.at.uri,
            "PEER_DATABASE": self.database,
            "PEER_SECRET": SECRET,
            "NODE_ENV": "production",
        }

    @property
    def pids(self) -> list[int]:
        return [self.pid, *self.at.pids]


class Floor(Server):
    """Tornado that only echoes."""

    name = "Tornado echo"
    protocol = "echo"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.bench.echo"]
