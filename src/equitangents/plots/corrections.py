"""What 1/width adds, as figures: deviations between networks against layer, means against width."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..corrections import Moments
from ..corrections.report import relative_sizes
from .finite_width import COLOURS
from .style import GREY, panels, powers_of_ten, styled, ticks_at

INPUTS = len(COLOURS)  # that are drawn, at most


@styled
def fluctuations_against_layer(layers: Sequence[Moments]) -> Figure:
    r"""$\sqrt{V/n}\,/K$ and $\sqrt{(A+2B)/n}\,/\Theta$, the largest over the inputs, of each layer."""
    figure, axes = panels(1, 1, 2.8, "Deviation between networks, relative to the limit")
    axis, numbers = axes[0, 0], [found.layer for found in layers]
    for i, (name, marker) in enumerate((("NNGP", "o"), ("NTK", "s"))):
        sizes = [np.sqrt(np.max(relative_sizes(found)[2 + i]) / found.width) for found in layers]
        axis.plot(numbers, 100 * np.array(sizes), color=COLOURS[i], marker=marker, label=name)
    axis.set(xlabel="layer with weights", ylabel="per cent")
    axis.set_ylim(bottom=0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    return figure


@styled
def means_against_width(found: Moments) -> Figure:
    r"""$K + G_1/n$ and $\Theta + H_1/n$ of inputs with themselves, and one deviation between networks as a band.

    From the width on at which no deviation is above one half, or from the network's if that is less; the first site of
    each input, where there are sites.
    """
    sizes, sites = relative_sizes(found), max(1, int(np.prod(found.sites)))
    half = 4 * max(float(np.max(sizes.nngp_variance)), float(np.max(sizes.ntk_variance)))
    least = max(1, min(math.ceil(half), found.width))
    widths = np.geomspace(least, 16 * max(least, found.width), 120)
    figure, axes = panels(1, 2, 3.1, "Means over networks: limit + correction / width")
    indices = range(0, len(found.K), sites)[:INPUTS]
    for axis, title, limit, first, variance in (
        (axes[0, 0], "NNGP", found.K, found.G1, sizes.nngp_variance * np.diagonal(found.K) ** 2),
        (axes[0, 1], "NTK", found.Theta, found.H1, sizes.ntk_variance * np.diagonal(found.Theta) ** 2),
    ):
        for i, colour in zip(indices, COLOURS, strict=False):
            mean, deviation = float(limit[i, i]) + float(first[i, i]) / widths, np.sqrt(variance[i] / widths)
            axis.plot(widths, mean, color=colour, label=f"input {i // sites + 1}")
            axis.fill_between(widths, mean - deviation, mean + deviation, color=colour, alpha=0.13, lw=0)
            axis.axhline(float(limit[i, i]), color=colour, lw=0.9, ls=":")
        axis.axvline(found.width, color=GREY, lw=0.9, ls="--")
        axis.set(title=title, xlabel="width", xscale="log")
        ticks_at(axis.xaxis, powers_of_ten([float(widths[0]), float(widths[-1])]))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    if len(indices) > 1:
        axes[0, 1].legend()
    return figure
