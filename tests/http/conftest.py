"""Proxies as people put them before a server."""

import pytest

from tests.proxies import Program, certificate


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
