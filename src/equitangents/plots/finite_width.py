"""Means of finite networks against 1/width and depth."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from .style import GREY, panels, styled, ticks_at

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


class Curve(NamedTuple):
    """Sampled means at several widths or depths, and a line that predicts them.

    Attributes:
        label: of the points.
        x, value, error: of the points; errors are standard errors.
        line_x, line: of the prediction.
        limit: at infinite width; None: not drawn.
        colour: of points and line.
    """

    label: str
    x: np.ndarray
    value: np.ndarray
    error: np.ndarray
    line_x: np.ndarray
    line: np.ndarray
    limit: float | None = None
    colour: str = COLOURS[0]


class Panel(NamedTuple):
    """What one pair of axes shows."""

    title: str
    y_label: str
    curves: Sequence[Curve]
    log: bool = False


class Sheet(NamedTuple):
    """A figure of panels in rows of this many columns; `shared`: panels of a row have one y axis."""

    title: str
    x_label: str
    panels: Sequence[Panel]
    columns: int
    log_x: bool = True
    shared: bool = False


@styled
def means_against(sheet: Sheet) -> Figure:
    """Points with bars of two standard errors, predictions as lines, limits dotted."""
    rows = -(-len(sheet.panels) // sheet.columns)
    figure, axes = panels(rows, sheet.columns, 0.9 + 2.1 * rows, sheet.title, sharey="row" if sheet.shared else "none")
    for axis, panel in zip(axes.flat, sheet.panels, strict=False):
        for curve in panel.curves:
            colour = curve.colour
            axis.plot(curve.line_x, curve.line, color=colour, lw=1.3)
            axis.errorbar(
                curve.x, curve.value, 2 * curve.error, fmt="o", color=colour, ms=3.8, elinewidth=1, label=curve.label
            )
            if curve.limit is not None:
                axis.axhline(curve.limit, color=GREY, lw=0.9, ls=":")
        axis.set(title=panel.title, ylabel=panel.y_label)
        if panel.log:
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
        if sheet.log_x:
            axis.set_xscale("log")
            ticks_at(axis.xaxis, {x for curve in panel.curves for x in np.asarray(curve.x).tolist()})
        if len(panel.curves) > 1:
            axis.legend()
    for axis in axes[-1]:
        axis.set_xlabel(sheet.x_label)
    return figure
