"""What was found, as a table: for the terminal, and as Markdown for the README."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.bench.measuring import Spread, ratios

HEADS: Final = ("scenario", "Shopbell", "Node peer", "floor or limit", "to peer", "to limit")
TARGET_HEADS: Final = ("asked for", "Shopbell", "Node peer", "floor or limit", "measured", "")


@dataclass(frozen=True)
class Target:
    """What is asked for: of the measured value itself, or of its ratio to the peer's or the
    limit's."""

    of: Literal["value", "peer", "limit"]
    words: str
    at_least: float | None = None
    at_most: float | None = None

    def is_met(self, measured: float) -> bool:
        if self.at_least is not None:
            return measured >= self.at_least
        return self.at_most is None or measured <= self.at_most


@dataclass(frozen=True)
class Row:
    """One measure: a value for each round, of Shopbell, of the peer, and of what no server with
    these means can pass."""

    scenario: str
    unit: str
    ours: Sequence[float]
    peer: Sequence[float] = ()
    limit: Sequence[float] = ()
    targets: Sequence[Target] = field(default=())

    @property
    def to_peer(self) -> list[float]:
        return ratios(self.ours, self.peer)

    @property
    def to_limit(self) -> list[float]:
        return ratios(self.ours, self.limit)

    def measured(self, target: Target) -> float | None:
        """The median that a target is about; None where it was not measured."""
        values = {"value": self.ours, "peer": self.to_peer, "limit": self.to_limit}[target.of]
        return Spread.of(values).median if values else None

    @property
    def cells(self) -> tuple[str, ...]:
        name = f"{self.scenario}, {self.unit}" if self.unit else self.scenario
        values = (self.ours, self.peer, self.limit)
        return (name, *map(cell, values), times(self.to_peer), times(self.to_limit))


def number(value: float) -> str:
    """With three digits that count, and commas between thousands."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def cell(values: Sequence[float]) -> str:
    """The median and, of several rounds, the lowest and the highest."""
    if not values:
        return ""
    spread = Spread.of(values)
    if len(values) == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)} to {number(spread.high)})"


def times(values: Sequence[float]) -> str:
    """A ratio, median and spread."""
    return f"× {cell(values)}" if values else ""


def measures(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The lines of the table of all that was measured."""
    return [row.cells for row in rows]


def verdicts(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The lines of the table of targets."""
    return [
        (target.words, cell(row.ours), cell(row.peer), cell(row.limit), *verdict(row, target))
        for row in rows
        for target in row.targets
    ]


def verdict(row: Row, target: Target) -> tuple[str, str]:
    """What a target is about, as measured, and whether that is what was asked for."""
    measured = row.measured(target)
    if measured is None:
        return "", "not measured"
    sign = "" if target.of == "value" else "× "
    return sign + number(measured), "met" if target.is_met(measured) else "missed"


def plain(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table for the terminal."""
    widths = [max(len(line[column]) for line in [heads, *lines]) for column in range(len(heads))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [heads, *lines]
    )


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table for the README."""
    ruled = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)
