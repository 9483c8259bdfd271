"""What is measured, and how: spreads of a few rounds, percentiles of many latencies, and what a
process takes of the machine, read from /proc."""

import os
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

TICKS: Final = os.sysconf("SC_CLK_TCK")
KIBIBYTE: Final = 1024


class Spread(NamedTuple):
    """The middle of some rounds, and how far they lie apart."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value at least."""
        return cls(statistics.median(values), min(values), max(values))


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; 0 if there are none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round, as each pair of rounds met the same machine."""
    pairs = zip(ours, theirs, strict=False)
    return [one / other for one, other in pairs if other]


def schedule(per_second: float, seconds: float, seed: int) -> list[float]:
    """When the messages of an open loop are due, in seconds from its beginning.

    People do not wait for each other: the gaps are exponential. The same seed gives every server
    the same load.
    """
    chance = Random(seed)
    due, times = chance.expovariate(per_second), []
    while due < seconds:
        times.append(due)
        due += chance.expovariate(per_second)
    return times


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has taken so far, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_bytes(pid: int) -> int:
    """The memory that is a process's own, with its part of what it shares (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * KIBIBYTE
    raise ValueError(f"no Pss of process {pid}")
