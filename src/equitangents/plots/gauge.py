"""Networks that learn Chern numbers: a phase diagram, fluxes at sites, accuracy against the size of the lattice."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from .irreps import COLOURS, MARKERS
from .style import GREY, decades, legend, panels, styled, ticks_at


class ChernMap(NamedTuple):
    """A phase diagram beside the exact one.

    Attributes:
        title: of the figure.
        x, y: phases and masses, (a,) and (b,).
        exact, found: integers, and what the network says, (b, a) each.
        edge_x, edge: masses where the gap closes at phases, (c,) each; also at -edge.
        names: of the axes.
    """

    title: str
    x: np.ndarray
    y: np.ndarray
    exact: np.ndarray
    found: np.ndarray
    edge_x: np.ndarray
    edge: np.ndarray
    names: tuple[str, str] = ("phi / pi", "m")


class Fluxes(NamedTuple):
    """Fluxes at sites: those of one lattice as maps, all as points.

    Attributes:
        title: of the figure.
        exact, found: (lattices, nx, ny), in units of 2 pi.
    """

    title: str
    exact: np.ndarray
    found: np.ndarray


class Accuracies(NamedTuple):
    """Shares that are right on one kind of links, with intervals: (sides,) each."""

    label: str
    sides: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Transfer(NamedTuple):
    """Accuracy against the size of the lattice.

    Attributes:
        title: of the figure.
        networks: for each panel its title, what was measured, and the prediction: sides and shares.
    """

    title: str
    networks: Sequence[tuple[str, Sequence[Accuracies], np.ndarray, np.ndarray]]


class Losses(NamedTuple):
    """Losses of each training, by label, one for each step."""

    title: str
    curves: Sequence[tuple[str, np.ndarray]]


@styled
def chern_map(result: ChernMap) -> Figure:
    """The exact diagram (left) and the network's unrounded answer (right), with the lines where the gap closes."""
    figure, axes = panels(1, 2, 3.2, result.title, sharey=True)
    for panel, values, name in zip(axes[0], (result.exact, result.found), ("exact", "network"), strict=True):
        mesh = panel.pcolormesh(
            result.x, result.y, values, cmap="RdBu_r", vmin=-1.2, vmax=1.2, shading="nearest", rasterized=True
        )
        for sign in (1, -1):
            panel.plot(result.edge_x, sign * result.edge, color="#222222", lw=0.9)
        panel.set(title=name, xlabel=result.names[0])
        panel.grid(False)
    axes[0, 0].set_ylabel(result.names[1])
    bar = figure.colorbar(mesh, ax=list(axes[0]), label="Chern number")
    bar.ax.yaxis.set_major_locator(FixedLocator([-1, 0, 1]))
    return figure


@styled
def fluxes_found(result: Fluxes) -> Figure:
    """One lattice as it is and as the network sees it, and all sites: outputs against fluxes."""
    figure, axes = panels(1, 3, 2.9, result.title, width_ratios=[1, 1, 1.35])
    top = float(np.abs(result.exact[0]).max())
    for panel, field, name in zip(axes[0], (result.exact[0], result.found[0]), ("flux", "output"), strict=False):
        panel.imshow(field.T, origin="lower", cmap="RdBu_r", vmin=-top, vmax=top)
        panel.set(title=f"{name}, sum {field.sum():+.2f}", xlabel="site in x", ylabel="site in y")
        panel.grid(False)
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
    right = axes[0, 2]
    ends = np.array([result.exact.min(), result.exact.max()])
    right.plot(ends, ends, color=GREY, lw=0.9, ls=":")
    right.plot(result.exact.ravel(), result.found.ravel(), ".", ms=2.2, color=COLOURS[2], alpha=0.6, rasterized=True)
    right.set(title=f"all sites of {len(result.exact)} lattices", xlabel="flux / 2 pi", ylabel="output")
    return figure


@styled
def accuracy_against_grid(result: Transfer) -> Figure:
    """Share of Chern numbers found against the side of the lattice, with the prediction from the error at one site."""
    figure, axes = panels(1, len(result.networks), 3.0, result.title, sharey=True)
    for panel, (name, curves, sides, predicted) in zip(axes[0], result.networks, strict=True):
        for curve in curves:
            i = KINDS.index(curve.label) if curve.label in KINDS else len(KINDS)
            look = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)], "label": curve.label}
            bars = 100 * np.abs(np.stack([curve.value - curve.low, curve.high - curve.value]))
            panel.errorbar(curve.sides, 100 * curve.value, bars, lw=1.2, ms=3.6, elinewidth=0.9, **look)
        panel.plot(sides, 100 * predicted, color=GREY, ls="--", lw=1.3, label="erf(0.5 / (s sqrt(2 n)))")
        panel.set(title=name, xlabel="sites on each side")
        panel.set_ylim(0, 103)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0, 0].set_ylabel("Chern numbers found, %")
    legend(figure, axes)
    return figure


KINDS = ("random links", "haldane", "qwz", "hofstadter", "coupled-layers")


@styled
def chern_losses(result: Losses) -> Figure:
    """Losses, averaged over fiftieths of each training, against the step."""
    figure, axes = panels(1, 1, 3.0, result.title)
    panel = axes[0, 0]
    for i, (label, losses) in enumerate(result.curves):
        width = max(1, len(losses) // 50)
        kept = losses[: len(losses) // width * width].reshape(-1, width)
        steps = width * (np.arange(len(kept)) + 0.5)
        dashes = "--" if i >= len(COLOURS) else "-"
        panel.plot(steps, kept.mean(1), color=COLOURS[i % len(COLOURS)], ls=dashes, lw=1.3, label=label)
    panel.set(xlabel="step", ylabel="loss", xscale="log", yscale="log")
    ticks_at(panel.xaxis, [10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0])
    decades(panel)
    legend(figure, axes, 4)
    return figure
