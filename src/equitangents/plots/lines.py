"""Panels of measured points with intervals, each beside the line that theory foretells for it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from .style import GREY, decades, legend, panels, styled, ticks_at

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#4d4d4d", "#e69f00")  # Okabe and Ito (2008)
MARKERS = ("s", "D", "^", "v", "o", "P")


@dataclass(frozen=True, eq=False)
class Line:
    """Attributes:
    label: in the legend; equal labels are one entry.
    look: colour and marker by number.
    x, y: measured points; none are drawn where y is empty.
    low, high: ends of intervals at x, drawn as bars.
    band: (low, high) at x, drawn shaded.
    foretold: (x, y) of a dashed line.
    """

    label: str
    look: int
    x: Any = ()
    y: Any = ()
    low: Any = None
    high: Any = None
    band: Any = None
    foretold: Any = None


@dataclass(frozen=True, eq=False)
class Panel:
    """Attributes:
    title, xlabel, ylabel: words; an empty ylabel is left out.
    lines: what is drawn.
    log: "x", "y", "xy" or "".
    limits: of the y axis, None where the data decide.
    rule: a dotted horizontal line.
    ticks: of the x axis; None leaves them to Matplotlib, as 1 k, 1 M, ... where it is logarithmic.
    """

    title: str
    xlabel: str
    ylabel: str
    lines: tuple[Line, ...]
    log: str = "x"
    limits: tuple[float, float] | None = None
    rule: float | None = None
    ticks: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Lines:
    """Attributes:
    title: of the figure.
    panels: side by side.
    share: whether they have one y axis.
    theory: what dashed lines are called in the legend; "" where there are none.
    """

    title: str
    panels: tuple[Panel, ...]
    share: bool = True
    theory: str = "predicted by the kernel"


@styled
def lines(result: Lines) -> Figure:
    """The panels side by side, with one legend; dashed lines belong to the points of their colour."""
    figure, axes = panels(1, len(result.panels), 3.5, result.title, sharey=result.share)
    for panel, spec in zip(axes[0], result.panels, strict=True):
        for line in spec.lines:
            _draw(panel, line)
        if result.theory:
            panel.plot([], [], color="#222222", lw=1.2, ls=(0, (4, 2)), label=result.theory)
        if spec.rule is not None:
            panel.axhline(spec.rule, color=GREY, lw=0.8, ls=":")
        if "x" in spec.log:
            panel.set_xscale("log")
        if "y" in spec.log:
            panel.set_yscale("log")
        if spec.limits is not None:
            panel.set_ylim(*spec.limits)
        if spec.ticks is not None:
            ticks_at(panel.xaxis, spec.ticks)
        elif "x" in spec.log:
            panel.xaxis.set_major_formatter(EngFormatter(sep=" "))
            panel.xaxis.set_minor_formatter(NullFormatter())
        panel.set(title=spec.title, xlabel=spec.xlabel)
        if spec.ylabel:
            panel.set_ylabel(spec.ylabel)
    for panel, spec in zip(axes[0], result.panels, strict=True):  # scales of shared axes undo what was set before
        if "y" in spec.log:
            decades(panel)
    legend(figure, axes, columns=4)
    return figure


def _draw(panel: Any, line: Line) -> None:
    colour, marker = COLOURS[line.look % len(COLOURS)], MARKERS[line.look % len(MARKERS)]
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    if len(y):
        panel.plot(x, y, color=colour, marker=marker, lw=0 if line.foretold is not None else 0.9, label=line.label)
    elif line.foretold is not None:
        panel.plot([], [], color=colour, lw=1.2, label=line.label)
    if line.low is not None and line.high is not None:
        panel.vlines(x, line.low, line.high, color=colour, lw=1.1, alpha=0.8)
    if line.band is not None:
        panel.fill_between(x, *line.band, color=colour, alpha=0.16, lw=0)
    if line.foretold is not None:
        panel.plot(*line.foretold, color=colour, lw=1.2, ls=(0, (4, 2)))
