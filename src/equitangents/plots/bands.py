"""Bands of topological insulators and their Berry curvature."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .style import ARMS, GREY, panels, styled

FILLED, EMPTY = ARMS["equivariant"].colour, ARMS["augmented"].colour


@styled
def band_structure(path: Any) -> Figure:
    """Energies of a `gauge.BandPath`, filled and empty bands apart, with the gap along the path."""
    lower, upper = path.bands[:, : path.filled], path.bands[:, path.filled :]
    title = f"Bands, {path.filled} filled"
    if upper.shape[1]:
        title += f", least direct gap on this path {np.min(upper[:, 0] - lower[:, -1]):.3g}"
    figure, axes = panels(1, 1, 3.2, title)
    panel = axes[0, 0]
    for bands, colour, label in ((upper, EMPTY, "empty"), (lower, FILLED, "filled")):
        for index, band in enumerate(bands.T):
            panel.plot(path.distance, band, color=colour, label=label if index == 0 else None)
    panel.set_xticks(path.corners, path.names)
    panel.set_xlim(path.distance[0], path.distance[-1])
    panel.set_ylabel("energy")
    panel.grid(axis="y", visible=False)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper")
    return figure


@styled
def berry_curvature(curvature: Any) -> Figure:
    """The Berry curvature of a `gauge.BerryCurvature` over the Brillouin zone, centred at k = 0, with its integral."""
    density = np.asarray(curvature.density)
    title = (
        f"Berry curvature, C = {curvature.chern} ({curvature.method}, {curvature.margin:.2f} rad from the branch cut)"
    )
    figure, axes = panels(1, 1, 3.6, title)
    panel = axes[0, 0]
    edges = [(np.arange(n + 1) - n // 2) / n * 2 * np.pi for n in density.shape]  # a plaquette starts at its momentum
    centred = np.roll(density, [n // 2 for n in density.shape], (0, 1))
    largest = max(float(np.abs(density).max()), 1e-12)
    mesh = panel.pcolormesh(*edges, centred.T, cmap="RdBu_r", vmin=-largest, vmax=largest, rasterized=True)
    panel.set_aspect("equal", anchor="W")
    figure.colorbar(mesh, cax=panel.inset_axes((1.05, 0, 0.05, 1)), label="flux / area")  # beside the square it becomes
    ticks, names = [-np.pi, 0, np.pi], ["−π", "0", "π"]
    panel.set_xticks(ticks, names)
    panel.set_yticks(ticks, names)
    panel.set_xlabel("k₁")
    panel.set_ylabel("k₂")
    panel.grid(False)
    panel.tick_params(color=GREY)
    return figure
