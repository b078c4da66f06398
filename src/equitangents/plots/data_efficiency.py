"""Learning curves of several arms, the factors between them, and what more images of each example give."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from .style import ARMS, GREY, decades, legend, panels, styled, ticks_at


class ErrorCurve(NamedTuple):
    """Attributes:
    arm: one of `style.ARMS`, whose colour and marker it has.
    label: in the legend.
    n, value, low, high: training sizes, errors and intervals; errors that are nan are left out.
    control: drawn thin and dashed.
    """

    arm: str
    label: str
    n: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    control: bool = False


class ErrorPanel(NamedTuple):
    """Attributes:
    title: above it.
    curves: later ones lie above earlier ones.
    """

    title: str
    curves: Sequence[ErrorCurve]


class ErrorSheet(NamedTuple):
    """A figure of panels in rows; those of a row share an axis with the label of the row."""

    title: str
    rows: Sequence[tuple[str, Sequence[ErrorPanel]]]
    x_label: str = "training examples"


@styled
def error_curves(sheet: ErrorSheet) -> Figure:
    """Errors against training sizes, both on logarithmic axes; bands are intervals."""
    columns = max(len(row) for _, row in sheet.rows)
    figure, axes = panels(len(sheet.rows), columns, 0.9 + 2.1 * len(sheet.rows), sheet.title, sharey="row")
    for line, (label, row) in zip(axes, sheet.rows, strict=True):
        for axis, panel in zip(line, row, strict=True):
            for curve in panel.curves:
                draw_curve(axis, curve)
            axis.set(xscale="log", yscale="log", title=panel.title)
            ticks_at(axis.xaxis, {float(n) for curve in panel.curves for n in curve.n})
        for axis in line:
            decades(axis)
        line[0].set_ylabel(label)
    for axis in axes[-1]:
        axis.set_xlabel(sheet.x_label)
    legend(figure, axes)
    return figure


def draw_curve(axis: object, curve: ErrorCurve) -> None:
    """One curve; the equivariant arm has large open markers, so that what it covers is seen inside them."""
    look, there = ARMS[curve.arm], np.isfinite(curve.value)
    n, value, low, high = (array[there] for array in (curve.n, curve.value, curve.low, curve.high))
    face = {"markerfacecolor": "none", "ms": 8.5, "lw": 1.0} if curve.arm == "equivariant" else {}
    if curve.control:
        face = {"ls": (0, (4, 2)), "lw": 1.0, "markerfacecolor": "white"}
    axis.plot(n, value, color=look.colour, marker=look.marker, label=curve.label, **face)  # type: ignore[attr-defined]
    axis.fill_between(n, low, high, color=look.colour, alpha=0.13, lw=0)  # type: ignore[attr-defined]


class FactorRow(NamedTuple):
    """One factor with its interval, whether it is only a lower bound, and whether its interval has no upper end."""

    label: str
    value: float
    low: float
    high: float
    bound: bool
    arm: str = "equivariant"
    open_end: bool = False


class FactorSheet(NamedTuple):
    """Rows from top to bottom."""

    title: str
    rows: Sequence[FactorRow]


@styled
def data_factors(sheet: FactorSheet) -> Figure:
    """Each factor as a point with a bar, on a logarithmic axis with a line at 1; bounds have an arrow."""
    figure, axes = panels(1, 1, 1.0 + 0.24 * len(sheet.rows), sheet.title)
    axis = axes[0, 0]
    for i, row in enumerate(sheet.rows):
        colour = ARMS[row.arm].colour
        axis.plot([row.low, row.high], [i, i], color=colour, lw=1.6)
        if row.open_end:
            axis.plot(row.high, i, color=colour, marker=">", ms=4)
        axis.plot(row.value, i, color=colour, marker=">" if row.bound else ARMS[row.arm].marker)
    axis.axvline(1, color=GREY, lw=0.9, ls=":")
    axis.set(xscale="log", xlabel="examples that the plain kernel needs for one of the equivariant kernel")
    axis.set_yticks(range(len(sheet.rows)), [row.label for row in sheet.rows])
    axis.set_ylim(len(sheet.rows) - 0.4, -0.6)
    low, high = axis.get_xlim()
    ticks_at(axis.xaxis, [v for v in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= v <= high])
    axis.grid(axis="y", visible=False)
    return figure


class OrbitSheet(NamedTuple):
    """Attributes:
    title: of the figure.
    rotations: of each example at random, (r,).
    error, distance: for each draw, (draws, r): mean absolute error, and distance from the invariant predictor.
    solids: names and numbers of rotations of finite groups.
    solid_error, solid_distance: (draws, solids).
    limit: error of the invariant predictor, (draws,).
    unit: of both.
    """

    title: str
    rotations: np.ndarray
    error: np.ndarray
    distance: np.ndarray
    solids: Sequence[tuple[str, int]]
    solid_error: np.ndarray
    solid_distance: np.ndarray
    limit: np.ndarray
    unit: str


@styled
def orbit_curves(sheet: OrbitSheet) -> Figure:
    """Error, and distance from the invariant predictor, against the number of rotations; bars: two standard errors."""
    figure, axes = panels(1, 2, 3.1, sheet.title)
    orders = np.array([order for _, order in sheet.solids])
    pairs = ((sheet.error, sheet.solid_error), (sheet.distance, sheet.solid_distance))
    for axis, (random, solid) in zip(axes[0], pairs, strict=True):
        for x, y, arm, label in (
            (sheet.rotations, random, "augmented", "random rotations"),
            (orders, solid, "averaged", "all rotations of " + ", ".join(name for name, _ in sheet.solids)),
        ):
            look, bars = ARMS[arm], 2 * y.std(0, ddof=1) / len(y) ** 0.5
            axis.errorbar(x, y.mean(0), bars, color=look.colour, marker=look.marker, label=label, elinewidth=1)
        axis.set(xscale="log", yscale="log", xlabel="rotations of each molecule")
        ticks_at(axis.xaxis, [*sheet.rotations, *orders])
    axes[0, 0].axhline(sheet.limit.mean(), color=ARMS["equivariant"].colour, lw=1.2, label="SO(3) kernel")
    axes[0, 0].set(title="error", ylabel=f"mean absolute error, {sheet.unit}")
    axes[0, 1].set(title="distance from the SO(3) predictor", ylabel=f"root mean square, {sheet.unit}")
    for axis in axes[0]:
        decades(axis)
    legend(figure, axes, 4)
    return figure
