"""What a test needs of the machine: programs, and ports that stay free."""

import os
import random
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import pytest

OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def needed(program: str, package: str) -> str:
    """The program's path. Without it the test is skipped; in CI it fails."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        give_up(f"{program} is needed: apt-get install --no-install-recommends {package}")
    return path


def give_up(missing: str) -> NoReturn:
    """Skips the test for what is missing. In CI, where nothing may be, it fails."""
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def free_port() -> int:
    """A port of loopback that nobody listens on just now.

    It is none of those that the system gives to outgoing connections: one of the other tests'
    would take it before whom it is for.
    """
    outgoing_from = int(OUTGOING.read_text().split()[0]) if OUTGOING.exists() else 49_152
    for _ in range(100):
        port = random.randrange(10_000, outgoing_from)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("Of a hundred ports none was free.")
