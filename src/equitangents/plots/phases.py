"""Order and chaos over the plane of prior scales."""

from typing import Any

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from .style import GREY, panels, styled


@styled
def phases(diagram: Any) -> Figure:
    """chi_perp and the fixed variance of a `corrections.PhaseDiagram`, the line chi_perp = 1 and the critical point."""
    figure, axes = panels(1, 2, 3.3, f"Phases of deep networks with {diagram.phi}", sharey=True)
    x, y = diagram.sigma_w, diagram.sigma_b
    chi = np.asarray(diagram.chi_perp)
    low, high = min(float(chi.min()), 0.9), max(float(chi.max()), 1.1)
    norm = TwoSlopeNorm(1.0, low, high)
    mesh = axes[0, 0].pcolormesh(x, y, chi, cmap="PuOr_r", norm=norm, shading="nearest", rasterized=True)
    figure.colorbar(mesh, ax=axes[0, 0])
    axes[0, 0].set_title("chi_perp: order below 1, chaos above")
    k = np.where(np.isfinite(diagram.k_star), diagram.k_star, np.nan)
    mesh = axes[0, 1].pcolormesh(x, y, np.ma.masked_invalid(k), cmap="viridis", shading="nearest", rasterized=True)
    figure.colorbar(mesh, ax=axes[0, 1])
    axes[0, 1].set_title("fixed variance K*" + (", none in white" if np.isnan(k).any() else ""))
    for panel, colour in zip(axes[0], (GREY, "white"), strict=True):
        panel.grid(False)
        if chi.min() < 1 < chi.max():
            panel.contour(x, y, chi, levels=[1.0], colors=[colour], linewidths=1.4)
        point = diagram.critical
        if x[0] <= point.sigma_w <= x[-1] and y[0] <= point.sigma_b <= y[-1]:
            panel.plot(point.sigma_w, point.sigma_b, "o", color="white", mec="black", ms=6, clip_on=False)
        panel.set_xlabel("sigma_w")
    axes[0, 0].set_ylabel("sigma_b")
    return figure
