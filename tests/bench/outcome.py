"""The findings of a run as a page: where and when it ran, the targets, the measures, the plot."""

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.contest import FLOOR, NODE, SHOPBELL, Findings, Growth
from tests.bench.plot import Line, Plot, svg
from tests.bench.report import HEADS, TARGET_HEADS, cell, markdown, measures, plain, verdicts

NAMES: Final = {SHOPBELL: "Shopbell", NODE: "Node peer", FLOOR: "Tornado echo"}
GROWTH_HEADS: Final = ("Shopbell, by size", "size", "small", "larger", "largest")
LEGEND: Final = (
    "Each value is the median of its rounds, with the lowest and the highest, and ratios are taken "
    "round by round: three rounds of 1.5 s, two starts, one round of what has no spread, up to "
    "twenty visits one after the other for pages, lists and counts. The limit is raw `insert_many` "
    "for saturation and raw `find` for pages of history, else a Tornado echo without storage."
)


def as_text(findings: Findings) -> str:
    """For the terminal."""
    return "\n".join(
        [
            machine(),
            "",
            plain(HEADS, measures(findings.rows)),
            "",
            plain(TARGET_HEADS, verdicts(findings.rows)),
            *(["", plain(*_growth(findings))] if findings.growth else []),
            "",
            *notes(findings),
        ]
    )


def as_markdown(findings: Findings) -> str:
    """For the README."""
    parts = [
        f"{machine()} {LEGEND}",
        markdown(TARGET_HEADS, verdicts(findings.rows)),
    ]
    if findings.growth:
        parts.append(markdown(*_growth(findings)))
    everything = markdown(HEADS, measures(findings.rows))
    parts.append(f"<details><summary>All measures</summary>\n\n{everything}\n\n</details>")
    parts.append("\n".join(f"- {note}" for note in notes(findings)))
    return "\n\n".join(parts) + "\n"


def as_plot(findings: Findings) -> str:
    """Latency, sent to seen, against the offered load; each cost against what it may grow with.
    Empty where none of that was measured."""
    plots = [Plot("From sent to seen", "messages a second, offered", "ms", _latencies(findings))]
    for of, grown in groupby(findings.growth, key=lambda one: one.of):
        lines = [Line(f"{one.words}, {one.unit}", _medians(one)) for one in grown]
        plots.append(Plot(f"What grows with {of}?", of, "", lines))
    plots = [plot for plot in plots if plot.lines]
    return svg(plots) if plots else ""


def _latencies(findings: Findings) -> list[Line]:
    lines = []
    for protocol, name in NAMES.items():
        if points := sorted(findings.curve.get(protocol, {}).items()):
            lines.append(Line(f"{name}, p50", [(rate, p50) for rate, (p50, _) in points]))
            dashed = [(rate, p99) for rate, (_, p99) in points]
            lines.append(Line(f"{name}, p99", dashed, dashed=True))
    return lines


def _medians(grown: Growth) -> list[tuple[float, float]]:
    return [(size, median(values)) for size, values in grown.costs.items()]


def notes(findings: Findings) -> list[str]:
    """What has to be known to judge the figures."""
    shares = sorted(findings.shares)
    if not shares:
        return findings.notes
    middle, most = shares[len(shares) // 2], shares[-1]
    share = (
        f"The load generator took {middle:.0%} of a core (median of rounds), {most:.0%} at most."
    )
    return [share, *findings.notes]


def machine() -> str:
    """When and on what."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = " ".join(found[1].split()) if found else platform.machine()
    python = ".".join(map(str, sys.version_info[:3]))
    cores = os.cpu_count()
    return f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores, {processor}, Python {python}, loopback."


def _growth(findings: Findings) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    lines = []
    for one in findings.growth:
        costs = [f"{size:,}: {cell(values)}" for size, values in one.costs.items()]
        costs += [""] * (len(GROWTH_HEADS) - 2 - len(costs))  # the time was over before
        lines.append((f"{one.words}, {one.unit}", one.of, *costs))
    return GROWTH_HEADS, lines
