"""Wilson loops as networks see them."""

import numpy as np
from matplotlib.figure import Figure

from .style import ARMS, GREY, styled


@styled
def loops_found_against_true(panels: list[tuple[str, str, np.ndarray, np.ndarray]]) -> Figure:
    """A panel for each loop (columns) and kind of network (rows): (loop, kind, true, found)."""
    loops, kinds = list(dict.fromkeys(p[0] for p in panels)), list(dict.fromkeys(p[1] for p in panels))
    figure = Figure(figsize=(2.1 * len(loops) + 0.6, 2.1 * len(kinds) + 0.5), layout="constrained")
    axes = figure.subplots(len(kinds), len(loops), sharex=True, sharey=True, squeeze=False)
    for loop, kind, true, found in panels:
        ax = axes[kinds.index(kind), loops.index(loop)]
        ax.plot([-1, 1], [-1, 1], color=GREY, linewidth=0.8, zorder=0)
        ax.plot(true.ravel(), found.ravel(), ".", color=ARMS[kind].colour, markersize=2, alpha=0.5, rasterized=True)
        ax.set_xlim(-1.05, 1.05)
        ax.set_ylim(-1.3, 1.3)
        ax.set_aspect("equal")
        if kind == kinds[0]:
            ax.set_title(loop)
    for ax, kind in zip(axes[:, 0], kinds, strict=True):
        ax.set_ylabel(kind)
    figure.supxlabel("half of the trace of the loop", fontsize=9.5)
    return figure
