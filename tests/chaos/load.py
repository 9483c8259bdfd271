"""What a running server costs: read from ``/metrics`` and /proc, and a line drawn through it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.caller import call

MEBIBYTE: Final = 1024 * 1024
PAGE_BYTES: Final = 4096


class Sample(NamedTuple):
    """How things stood: ``at`` in seconds, memory in bytes."""

    at: float
    memory: float
    engine: float
    descriptors: float
    tasks: float
    lag: float


async def metric(server: Any, name: str) -> float:
    """One value of ``/metrics``, 0 where it is not told; ``name`` is a regular expression."""
    return _value((await call(server, "GET", "/metrics")).body, name)


async def sample(server: Any, at: float) -> Sample:
    """One look at ``/metrics``."""
    text = (await call(server, "GET", "/metrics")).body
    return Sample(
        at,
        _value(text, "process_resident_memory_bytes"),
        sum(map(_resident, server.engine_pids)),
        _value(text, "process_open_fds"),
        _value(text, "shopbell_tasks"),
        _value(text, "shopbell_loop_lag_worst_seconds"),
    )


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def slope_per_hour(samples: Sequence[Sample]) -> float:
    """The growth of memory in percent of its mean an hour, by least squares."""
    times = [one.at for one in samples]
    sizes = [one.memory for one in samples]
    middle, mean = sum(times) / len(times), sum(sizes) / len(sizes)
    spread = sum((time - middle) ** 2 for time in times)
    rise = sum((t - middle) * (size - mean) for t, size in zip(times, sizes, strict=True))
    return 0.0 if not spread else 3600 * 100 * rise / spread / mean


def percentile(values: Sequence[float], percent: float) -> float:
    """0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0
