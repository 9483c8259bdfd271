"""Plots of what was found, as one SVG that can be read on light and on dark ground."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.typing import RcKeyType

WIDTH, HEIGHT = 5.6, 4.2  # of a plot, in inches
IN_A_ROW: Final = 2
ROOM: Final = 3  # times, below and above: what is flat looks flat
TICKS: Final = (1, 2, 5)  # of each power of ten
GREY: Final = "#7d8590"  # stands out from white and from black alike
STYLE: Final[dict[RcKeyType, Any]] = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.prop_cycle": cycler(color=["#1c7ed6", "#e8590c", "#2f9e44", "#ae3ec9", "#e6a700"]),
    "font.size": 10,
    "grid.alpha": 0.3,
    "grid.color": GREY,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "svg.fonttype": "none",  # words stay words
    "svg.hashsalt": "shopbell",  # the same figures give the same file
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


@dataclass(frozen=True)
class Line:
    """Points, from the left to the right. A dashed one has the colour of the one before it."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True)
class Plot:
    """Lines over a number, both axes logarithmic. Values are above 0."""

    title: str
    across: str
    upwards: str
    lines: Sequence[Line]


def svg(plots: Sequence[Plot]) -> str:
    """All of them, two in a row. One at least."""
    rows = -(-len(plots) // IN_A_ROW)
    with mpl.rc_context(STYLE):
        figure = Figure((WIDTH * IN_A_ROW, HEIGHT * rows), layout="constrained")
        every = figure.subplots(rows, IN_A_ROW, squeeze=False).flat
        for place, axes in enumerate(every):
            if place < len(plots):
                _draw(plots[place], axes)
            else:
                axes.set_axis_off()
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def _draw(plot: Plot, axes: Axes) -> None:
    colour = -1
    for line in plot.lines:
        colour += not line.dashed
        across, up = zip(*line.points, strict=True)
        style = "--" if line.dashed else "-"
        axes.loglog(across, up, style, color=f"C{colour}", marker=".", label=line.name)
    values = [up for line in plot.lines for _, up in line.points]
    axes.set_ylim(min(values) / ROOM, max(values) * ROOM)
    axes.set(title=plot.title, xlabel=plot.across, ylabel=plot.upwards)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=TICKS))
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True)
    axes.legend()
