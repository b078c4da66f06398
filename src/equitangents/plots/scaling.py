"""Measured numbers with their errors against width, members or steps, with what theory says as lines."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from .style import GREY, WIDTH, decades, panels, styled, ticks_at

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MARKERS = ("o", "s", "D", "^")


class Points(NamedTuple):
    """Attributes:
    label: in the legend.
    x, value, error: with standard errors.
    look: number of the colour and the marker.
    """

    label: str
    x: Sequence[float]
    value: Sequence[float]
    error: Sequence[float]
    look: int = 0


class Line(NamedTuple):
    """Attributes:
    label: in the legend.
    x, y: of the line.
    look: number of the colour; None: grey.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    look: int | None = None


class Chart(NamedTuple):
    """What one pair of axes shows."""

    title: str
    points: Sequence[Points]
    lines: Sequence[Line] = ()


class Board(NamedTuple):
    """A figure of charts side by side, which share the y axis if `shared`."""

    title: str
    x_label: str
    y_label: str
    charts: Sequence[Chart]
    log_x: bool = True
    log_y: bool = True
    shared: bool = True


@styled
def measured_against(board: Board) -> Figure:
    """Points with bars of two standard errors; on a logarithmic axis those not resolved by two are upper limits."""
    columns = len(board.charts)
    labels = {p.label for chart in board.charts for p in chart.points}
    labels |= {line.label for chart in board.charts for line in chart.lines}
    side_by_side = min(len(labels), int(100 * WIDTH / (45 + 6.5 * max(map(len, labels)))))  # in the legend
    height = 2.9 + 0.22 * -(-len(labels) // side_by_side)
    figure, axes = panels(1, columns, height, board.title, sharey="row" if board.shared else "none")
    for axis, chart in zip(axes[0], board.charts, strict=True):
        axis.set(title=chart.title, xlabel=board.x_label)
        axis.set_xscale("log" if board.log_x else "linear")
        axis.set_yscale("log" if board.log_y else "linear")
        for line in chart.lines:
            colour = GREY if line.look is None else COLOURS[line.look]
            axis.plot(line.x, line.y, color=colour, lw=1.1, ls=(0, (4, 2)), label=line.label)
        for points in chart.points:
            draw_points(axis, points, board.log_y)
        ticks_at(axis.xaxis, {x for points in chart.points for x in points.x})
    axes[0, 0].set_ylabel(board.y_label)
    if board.log_y:
        for axis in axes[0]:
            decades(axis)
    handles: dict[str, Any] = {}
    for axis in axes[0]:
        handles |= dict(zip(*axis.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower left", ncols=side_by_side)
    return figure


def draw_points(axis: Any, points: Points, log: bool) -> None:
    """Points with bars; arrows down from two errors above those that are not resolved, on a logarithmic axis."""
    x, value, error = (np.asarray(a, float) for a in (points.x, points.value, points.error))
    colour, marker = COLOURS[points.look], MARKERS[points.look]
    seen = (value > 2 * error) | (not log)
    axis.plot(x[seen], value[seen], color=colour, lw=0.8, alpha=0.45)
    axis.errorbar(
        x[seen], value[seen], 2 * error[seen], fmt=marker, color=colour, ms=4.2, elinewidth=1, label=points.label
    )
    if not seen.all():
        top = np.maximum(value, 0)[~seen] + 2 * error[~seen]
        axis.errorbar(
            x[~seen], top, 0.35 * top, uplims=True, fmt=marker, color=colour, mfc="white", ms=4.2, elinewidth=1
        )
