"""The clock is stepped under a running server; libfaketime plays the clock."""

import os
import re
import sys
from calendar import isleap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.conversation import Participant
from models.tokens import Tokens
from tests.caller import call
from tests.chaos.processes import running
from tests.sockets.client import Client, spoken

OMAR = {"recipient_id": "omar", "recipient_type": "Seller"}
LIBRARIES = sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(
        not LIBRARIES and "CI" not in os.environ,
        reason="needs libfaketime: apt-get install faketime",
    ),
    pytest.mark.skipif(sys.platform != "linux", reason="libfaketime is preloaded on Linux"),
]


def next_leap_day(now):
    years = (year for year in range(now.year, now.year + 9) if isleap(year))
    days = (datetime(year, 2, 29, tzinfo=UTC) for year in years)
    return next(day for day in days if day > now)


class Clock:
    """The clock of a server process, ahead of the true one by what a file says."""

    def __init__(self, file):
        self._file = file
        self.set(timedelta(0))
        self.environment = {
            "LD_PRELOAD": str(LIBRARIES[-1]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead):
        self.ahead = ahead
        draft = self._file.with_suffix(".new")  # never half of it is read
        draft.write_text(f"{ahead.total_seconds():+.0f}\n")
        draft.replace(self._file)

    def now(self):
        return datetime.now(UTC) + self.ahead


@pytest.mark.gen_test(timeout=90)
async def test_no_step_of_the_clock_turns_a_conversation_back(
    tmp_path, engine_uri, database_name, open_socket
):
    """P4, P23: an hour back, to the next leap day and past it, and all the way back again, with a
    kill in between: ``created_at`` never runs backwards, ``seq`` is dense and in the order of
    sending, and each message is dated by the clock where that is not behind.

    Fails when ``created_at`` is the clock's word alone, in ``models/journal.py``.
    """
    clock = Clock(tmp_path / "clock")
    where = [f"--mongodb-uri={engine_uri}", f"--database={database_name}", "--rate-limits=off"]
    async with running(tmp_path / "data", *where, environment=clock.environment) as server:

        def token(type_, id_):
            secret, identity = (
                (server.directory / name).read_text().strip()
                for name in ("secret", "identity-secret")
            )
            issued_at = clock.now() - timedelta(minutes=1)
            tokens = Tokens(secret, identity, now=issued_at.timestamp)
            return tokens.issue(Participant(type_, id_), id_, seconds=3600)

        sent = []

        async def send():
            data = {**OMAR, "message": "x", "client_id": f"c{len(sent)}"}
            answer = await call(
                server, "POST", "/api/messages/send", data, token=token("Buyer", "maya")
            )
            assert answer.status == 201, answer
            sent.append(datetime.fromisoformat(answer.body["message"]["created_at"]))
            return sent[-1]

        def is_now(at):
            return abs(at - clock.now()) < timedelta(seconds=20)

        await _introduce(open_socket, server, token("Seller", "omar"))
        first = await send()
        assert is_now(first)

        clock.set(timedelta(hours=-1))
        assert await send() == first
        await server.kill("server")
        assert await send() == first

        leap_day = next_leap_day(datetime.now(UTC))
        before_midnight = leap_day - timedelta(seconds=1)
        clock.set(before_midnight - datetime.now(UTC))
        for step in (timedelta(0), timedelta(hours=12), timedelta(days=1), timedelta(days=366)):
            clock.set(before_midnight + step - datetime.now(UTC))
            assert is_now(await send())
        assert any((at.month, at.day) == (2, 29) for at in sent)

        clock.set(timedelta(0))
        latest = sent[-1]
        assert await send() == latest

        path = "/api/messages/conversation/maya/Buyer?limit=100&after=0"
        read = await call(server, "GET", path, token=token("Seller", "omar"))
        stored = read.body["messages"]
        assert [message["seq"] for message in stored] == list(range(1, len(sent) + 1))
        assert [message["client_id"] for message in stored] == [f"c{n}" for n in range(len(sent))]
        assert [datetime.fromisoformat(message["created_at"]) for message in stored] == sent
        assert sent == sorted(sent)
        assert (await call(server, "GET", "/readyz")).status == 200
        # A thread of the driver may fall over libfaketime's sleep; of ours, nothing does.
        assert not re.search("(ERROR|CRITICAL) shopbell", server.log.read_text())


async def _introduce(open_socket, server, token):
    """A seller is known by having registered."""
    client = Client(await open_socket(f"{server.url}/ws", subprotocols=spoken(token)))
    await client.ask("register_user")
    await client.leave()
