"""Training, irreducible representation by irreducible representation: loss, its shares, spectra and speeds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import GREY, decades, panels, powers_of_ten, styled, ticks_at

COLOURS = ("#222222", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1")
MARKERS = "osD^vP<>"


class Arm(NamedTuple):
    """How the loss of one way to train falls, in each representation.

    Attributes:
        title: name of the arm.
        line_t, line: times and expected loss, shapes (a,) and (a, irreps).
        t, value, error: of trained networks, shapes (b,), (b, irreps) and (b, irreps); standard errors.
        share, share_error: of the loss, shape (b, irreps) each.
    """

    title: str
    line_t: np.ndarray
    line: np.ndarray
    t: np.ndarray
    value: np.ndarray
    error: np.ndarray
    share: np.ndarray
    share_error: np.ndarray


class Decomposed(NamedTuple):
    """A figure: arms side by side, one colour for each representation."""

    title: str
    names: Sequence[str]
    arms: Sequence[Arm]


class Spectra(NamedTuple):
    """Eigenvalues for each representation, and speeds measured at several widths.

    Attributes:
        title: of the figure.
        names: of the representations.
        values: eigenvalues of each, decreasing.
        ratios: for each width, label and, for each representation, (measured / predicted, standard error).
    """

    title: str
    names: Sequence[str]
    values: Sequence[np.ndarray]
    ratios: Sequence[tuple[str, Sequence[tuple[np.ndarray, np.ndarray]]]]


@styled
def loss_by_irrep(result: Decomposed) -> Figure:
    """Loss in each representation (above) and its share (below) against time; points with two standard errors."""
    figure, axes = panels(2, len(result.arms), 5.2, result.title, sharex=True, sharey="row")
    top = max(float(arm.line.sum(1).max()) for arm in result.arms)
    for (upper, lower), arm in zip(axes.T, result.arms, strict=True):
        total = arm.line.sum(1)
        for i, name in enumerate(result.names):
            look = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
            if arm.line[:, i].max() <= 1e-6 * top:
                continue
            upper.plot(arm.line_t, arm.line[:, i], color=look["color"], lw=1.3)
            lower.plot(arm.line_t, arm.line[:, i] / total, color=look["color"], lw=1.3)
            for panel, value, error in ((upper, arm.value, arm.error), (lower, arm.share, arm.share_error)):
                panel.errorbar(
                    arm.t, value[:, i], 2 * error[:, i], ls="none", ms=3.4, elinewidth=0.9, label=name, **look
                )
        upper.set(title=arm.title, xscale="log", yscale="log", ylim=(1e-3 * top, 1.5 * top))
        lower.set(xlabel="time, learning rate x steps", ylim=(0, 1.02))
        ticks_at(lower.xaxis, powers_of_ten(np.asarray(arm.line_t).tolist()))
    decades(axes[0, 0])
    axes[0, 0].set_ylabel("loss in the representation")
    axes[1, 0].set_ylabel("share of the loss")
    _legend(figure, axes)
    return figure


@styled
def spectrum_by_irrep(result: Spectra) -> Figure:
    """Eigenvalues by rank (left); measured over predicted speed of the first eigenfunctions at each width (right)."""
    figure, axes = panels(1, 1 + len(result.ratios), 3.1, result.title, width_ratios=[1.3] + [1] * len(result.ratios))
    left, rest = axes[0, 0], axes[0, 1:]
    for panel in rest[1:]:
        panel.sharey(rest[0])
    for i, (name, values) in enumerate(zip(result.names, result.values, strict=True)):
        look = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        left.plot(1 + np.arange(len(values)), values, lw=1, ms=3.4, label=name, **look)
        for panel, (_, ratios) in zip(rest, result.ratios, strict=True):
            ratio, error = ratios[i]
            rank = 1 + np.arange(len(ratio)) + 0.14 * (i - (len(result.names) - 1) / 2)
            panel.errorbar(rank, ratio, 2 * error, ls="none", ms=3.4, elinewidth=0.9, **look)
    left.set(yscale="log", xlabel="rank", ylabel="eigenvalue = learning speed", title="predicted")
    decades(left)
    for panel, (label, _) in zip(rest, result.ratios, strict=True):
        panel.axhline(1, color=GREY, lw=0.9, ls=":")
        panel.set(title=label, xlabel="rank")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        panel.tick_params(labelleft=panel is rest[0])
    if len(rest):
        rest[0].set_ylabel("measured / predicted")
    _legend(figure, axes)
    return figure


def _legend(figure: Figure, axes: np.ndarray) -> None:
    entries: dict[str, Any] = {}
    for panel in axes.flat:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=8)
