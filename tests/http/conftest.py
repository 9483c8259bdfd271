"""Proxies as people put them before a server, and commands as they give them."""

import asyncio
import io
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.proxies import Program, certificate

SERVER = Path(__file__).parents[2] / "server.py"


@pytest.fixture(scope="session")
def own_certificate(tmp_path_factory):
    """A certificate for localhost, its key beside it."""
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def run_program(tmp_path):
    """Starts a program: ``await run_program(command, port)`` returns when it listens there."""
    running = []

    async def start(command, port):
        directory = tmp_path / f"program-{len(running)}"
        directory.mkdir()
        running.append(Program(command, directory))
        await running[-1].start(port)

    yield start
    for program in running:
        program.stop()


@pytest.fixture
def give(io_loop, monkeypatch, capsys):
    """Gives a command, and says how it ended: ``give("export", "maya", data_dir=…, stdin="…")``.

    It is carried out in this process, and only the log is not set up anew: to start Python and load
    the program takes a second, which the tests that are about the process itself pay.
    """
    for name in os.environ:
        if name.startswith(("SHOPBELL_", "MONGODB")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("models.logs.set_up", lambda *_, **__: None)

    def give(*words, data_dir, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        status = runpy.run_path(str(SERVER))["main"]([*words, f"--data-dir={data_dir}"])
        asyncio.set_event_loop(io_loop.asyncio_loop)  # asyncio.run has left none
        told = capsys.readouterr()
        return SimpleNamespace(returncode=status, stdout=told.out, stderr=told.err)

    return give
