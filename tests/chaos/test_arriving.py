"""All come in the same moment, as after a break of the network."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.chaos.processes import running

CROWD = 500
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(
        not SOMAXCONN.exists() or int(SOMAXCONN.read_text()) < CROWD,
        reason="needs Linux, and net.core.somaxconn for a crowd",
    ),
]


@pytest.mark.gen_test(timeout=60)
async def test_a_crowd_that_comes_while_it_is_busy_need_not_try_again(
    tmp_path, engine_uri, database_name
):
    """P11, P24: paused, so that it takes in nobody, a server has all of them wait in its queue;
    whom the system sends away there tries again after 1, 3 and 7 seconds.

    Fails with Tornado's queue, of 128.
    """
    where = [f"--mongodb-uri={engine_uri}", f"--database={database_name}", "--rate-limits=off"]
    async with running(tmp_path / "data", *where) as server:
        port = int(server.url.rpartition(":")[2])
        server.signal(signal.SIGSTOP, "server")
        try:
            coming = [
                asyncio.create_task(asyncio.open_connection("127.0.0.1", port))
                for _ in range(CROWD)
            ]
            _, outside = await asyncio.wait(coming, timeout=0.9)
        finally:
            server.signal(signal.SIGCONT, "server")
        assert not outside
        visitors = [task.result() for task in coming]
        for _, writer in visitors:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = await asyncio.gather(*(reader.read() for reader, _ in visitors))
        assert {answer.split(b" ", 2)[1] for answer in answers} == {b"200"}
        for _, writer in visitors:
            writer.close()
