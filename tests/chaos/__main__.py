"""The long tier: ``python -m tests.chaos`` kills, soaks and drops for as long as it is told, and
prints its figures as a table for the README.

It starts its own servers on free ports in a directory of its own, and stops them. Exit status 1 if
a promise was broken.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random, randrange
from typing import Final

from tests.chaos.checker import faults
from tests.chaos.crowd import LightSocket, Traffic, allow_descriptors, open_many
from tests.chaos.history import History
from tests.chaos.killing import kill_loop, restart_loop
from tests.chaos.load import MEBIBYTE, Sample, percentile, sample, slope_per_hour
from tests.chaos.people import AWAY
from tests.chaos.processes import ServerProcess, running
from tests.chaos.slow import silence, stuck_readers
from tests.chaos.storm import storm

IDLE: Final = 2_000
PACE: Final = 100  # messages a second of the soak
BURST_PACE: Final = 400  # P24's target
BURST_SECONDS: Final = 10
SAMPLE_SECONDS: Final = 10
WARM_UP: Final = 1 / 3  # of the soak; the engine fills its cache meanwhile
CLOSED_SECONDS: Final = 40  # P11
OFFLINE_SECONDS: Final = 60  # P10
RESTART_SECONDS: Final = 5.0  # P14
SLOPE: Final = 2.0  # percent an hour, P24

Row = tuple[str, str]


class Broken(Exception):
    """A promise was broken: in what way."""


async def kills(count: int, directory: Path, chance: Random) -> list[Row]:
    """P1: what was acknowledged survives SIGKILL of server, database and both."""
    begun = time.monotonic()
    history = await kill_loop(directory / "kills", chance, kills=count, note=_say)
    took = time.monotonic() - begun
    _check(history)
    shown = sum(line.op == "receive" for line in history)
    what = f"{count} kills of server, database and both under 8 writers"
    return [
        (what, f"{history.acknowledged} acknowledged, none lost, doubled or moved"),
        ("… shown by 10 clients that came back", f"{shown} messages, each once and in order"),
        ("… took", f"{took / 60:.1f} min"),
    ]


async def restarts(count: int, directory: Path) -> list[Row]:
    """P14: planned stops every few seconds lose nothing and refuse nothing for good."""
    history = await restart_loop(
        directory / "restarts", restarts=count, seconds=RESTART_SECONDS, note=_say
    )
    _check(history)
    if refused := sum(line.op == "send" and line.state == "fail" for line in history):
        raise Broken(f"{refused} messages were refused for good")
    return [
        (
            f"{count} restarts, one every {RESTART_SECONDS:.0f} s, under 8 writers",
            f"{history.acknowledged} acknowledged, none lost, doubled, moved or refused",
        )
    ]


def _check(history: History) -> None:
    if found := faults(history):
        handle, name = tempfile.mkstemp(suffix=".jsonl", prefix="history-")
        os.close(handle)
        history.write(Path(name))
        raise Broken("; ".join([*found[:5], f"the history is in {name}"]))


async def soak(minutes: float, directory: Path) -> list[Row]:
    """P24: idle sockets and steady messages with flat memory, descriptors and tasks."""
    rows: list[Row] = []
    async with running(directory / "soak") as server:
        empty = await sample(server, 0)
        idle = await open_many(server, (f"idle-{number}" for number in range(IDLE // 2)))
        half = await sample(server, 0)
        idle += await open_many(server, (f"idle-{number}" for number in range(IDLE // 2, IDLE)))
        _say(f"{len(idle)} idle sockets")
        traffic = Traffic(server)
        await traffic.open()
        try:
            samples = await _soaked(server, traffic, minutes)
            rows += [
                ("1,000 idle sockets", f"{_mib(half.memory)}, of which {_mib(empty.memory)} empty"),
                *_soak_rows(samples, traffic, idle, minutes),
            ]
            traffic.forget()
            await traffic.run(BURST_PACE, BURST_SECONDS)
            rows.append(_pace_row(f"{BURST_PACE} messages/s for {BURST_SECONDS} s", traffic))
        finally:
            traffic.close()
            for socket in idle:
                socket.close()
    return rows


async def _soaked(server: ServerProcess, traffic: Traffic, minutes: float) -> list[Sample]:
    begun = time.monotonic()
    running_traffic = asyncio.ensure_future(traffic.run(PACE, minutes * 60))
    samples: list[Sample] = []
    try:
        while not running_traffic.done():
            await asyncio.wait([running_traffic], timeout=SAMPLE_SECONDS)
            with suppress(*AWAY):  # a look that is late is no end of a soak
                samples.append(await sample(server, time.monotonic() - begun))
                if len(samples) % 6 == 0:
                    last = samples[-1]
                    _say(f"{last.at / 60:.0f} min: {_mib(last.memory)}, {traffic.sent} sent")
        await running_traffic
    finally:
        running_traffic.cancel()
    return samples


def _soak_rows(
    samples: list[Sample], traffic: Traffic, idle: list[LightSocket], minutes: float
) -> list[Row]:
    warm = [one for one in samples if one.at >= samples[-1].at * WARM_UP]
    slope = slope_per_hour(warm)
    gone = sum(socket.is_closed for socket in idle)
    if traffic.lost or traffic.holes or gone:
        raise Broken(f"{traffic.lost} lost, {traffic.holes} holes, {gone} idle sockets gone")
    if minutes >= 30 and slope > SLOPE:
        raise Broken(f"memory grows by {slope:.1f} %/h")
    what = f"{minutes:g} min with {IDLE:,} idle sockets"
    return [
        _pace_row(f"{what} and {PACE} messages/s", traffic),
        ("… memory", f"{_range([one.memory for one in warm])}, slope {slope:+.1f} %/h"),
        ("… of the database", f"{_range([one.engine for one in warm])}"),
        (
            "… descriptors",
            f"{min(o.descriptors for o in warm):.0f}–{max(o.descriptors for o in warm):.0f}",
        ),
        ("… tasks", f"{min(o.tasks for o in warm):.0f}–{max(o.tasks for o in warm):.0f}"),
        ("… worst lag of the loop", _ms(samples[-1].lag)),
    ]


def _pace_row(what: str, traffic: Traffic) -> Row:
    acked, received = traffic.acked, traffic.received
    counts = f"{traffic.sent} sent, {len(acked)} acknowledged, {traffic.lost} lost"
    to_ack = f"p50 {_ms(percentile(acked, 50))}, p99 {_ms(percentile(acked, 99))}"
    to_reader = f"p50 {_ms(percentile(received, 50))}, p99 {_ms(percentile(received, 99))}"
    return what, f"{counts}; to the ack {to_ack}; to the reader {to_reader}"


async def dropped(count: int, directory: Path, seed: int) -> list[Row]:
    """P11: clients that are dropped at once come back spread out."""
    async with running(directory / "dropped") as server:
        seen = await storm(server, count, seed=seed)
    if seen.back < count:
        raise Broken(f"of {count} dropped clients {count - seen.back} did not come back")
    return [
        (
            f"{count} clients of realtime.js dropped at once",
            f"all back after {seen.seconds:.1f} s, at most {seen.most_in_a_second} in one second",
        ),
        ("… a neighbour's messages meanwhile", f"p99 {_ms(seen.neighbour)} to the ack"),
    ]


async def silent(directory: Path) -> list[Row]:
    """P10, P11: the way to a client swallows everything and resets nothing; real times."""
    async with running(directory / "silent") as server:
        seen = await silence(server)
    if seen.closed > CLOSED_SECONDS or seen.offline > OFFLINE_SECONDS:
        raise Broken(f"a dead socket was closed after {seen.closed:.0f} s, told {seen.offline:.0f}")
    return [
        (
            "a client whose way is dead",
            f"closed after {seen.closed:.0f} s, offline for others after {seen.offline:.0f} s",
        )
    ]


async def stuck(megabytes: int, directory: Path) -> list[Row]:
    """P12: readers that do not read, under this much traffic."""
    async with running(directory / "stuck") as server:
        seen = await stuck_readers(server, megabytes)
    if seen.outbox > MEBIBYTE or seen.slow_closes != seen.readers:
        raise Broken(f"{seen.outbox} bytes waited, {seen.slow_closes} of {seen.readers} let go")
    waited = f"at most {_mib(seen.outbox)} waited"
    lines = f"{seen.lines / seen.readers:.0f} log lines each"
    grown = f"memory {seen.grown / MEBIBYTE:+.1f} MiB"
    return [
        (
            f"{seen.readers} stuck readers one after the other, {megabytes} MiB of traffic",
            f"each closed with 1013, {waited}, {grown}, {lines}",
        ),
        ("… a neighbour's messages meanwhile", f"p99 {_ms(seen.neighbour)} to the ack"),
    ]


async def main(words: argparse.Namespace) -> int:
    allow_descriptors()
    rows: list[Row] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        directory = Path(name)
        parts: list[tuple[str, float, Callable[[], Awaitable[list[Row]]]]] = [
            ("dropped", words.dropped, lambda: dropped(words.dropped, directory, words.seed)),
            ("silent", words.silent, lambda: silent(directory)),
            ("stuck", words.stuck_mebibytes, lambda: stuck(words.stuck_mebibytes, directory)),
            ("restarts", words.restarts, lambda: restarts(words.restarts, directory)),
            ("soak", words.soak_minutes, lambda: soak(words.soak_minutes, directory)),
            ("kills", words.kills, lambda: kills(words.kills, directory, Random(words.seed))),
        ]
        for part, asked, run in parts:
            if not asked:
                continue
            _say(f"--- {part}")
            try:
                rows += await run()
            except Broken as broken:
                failed.append(f"{part}: {broken}")
            except Exception as error:  # noqa: BLE001  # the figures of the others are worth having
                failed.append(f"{part}: {error!r}")
    command = " ".join(["python -m tests.chaos", *sys.argv[1:]])
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    sys.stdout.write(f"\n`{command}`, {datetime.now(UTC):%Y-%m-%d}, {machine}:\n\n")
    sys.stdout.write("| what | measured |\n| --- | --- |\n")
    sys.stdout.writelines(f"| {what} | {measured} |\n" for what, measured in rows)
    sys.stdout.writelines(f"\nBROKEN {sentence} (--seed={words.seed})\n" for sentence in failed)
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _mib(size: float) -> str:
    return f"{size / MEBIBYTE:.0f} MiB"


def _range(sizes: list[float]) -> str:
    return f"{min(sizes) / MEBIBYTE:.0f}–{max(sizes) / MEBIBYTE:.0f} MiB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="The long tier.")
    parser.add_argument("--kills", type=int, default=300, help="0: none")
    parser.add_argument("--restarts", type=int, default=24, help="every 5 s; 0: none")
    parser.add_argument("--soak-minutes", type=float, default=30, help="0: none")
    parser.add_argument("--dropped", type=int, default=500, help="clients at once; 0: none")
    parser.add_argument("--silent", type=int, default=1, help="0: no dead way, which takes 1 min")
    parser.add_argument("--stuck-mebibytes", type=int, default=200, help="0: no stuck readers")
    parser.add_argument("--seed", type=int, default=randrange(2**32))
    sys.exit(asyncio.run(main(parser.parse_args())))
