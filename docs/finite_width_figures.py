"""Experiments of Guillen, Misof and Gerken (2025), arXiv:2508.11522, as figures.

python docs/finite_width_figures.py [FOLDER [NAME ...]]

Sampled means of finite networks against K + G1/n and Theta + H1/n (GELU, 4 layers), the tangent kernel of ReLU against
depth at three priors, and the corrections of ReLU, which are none for an input with itself. About three minutes.
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from equitangents import monte_carlo, nngp_and_ntk
from equitangents.corrections import expand, phase_diagram, sample_tensors
from equitangents.nets import AbstractActivation, Dense, Gelu, Relu, Serial, Tanh
from equitangents.plots import means_against, phases, save
from equitangents.plots.finite_width import Curve, Panel, Sheet

WIDTHS = (10, 15, 20, 30, 50, 80, 120, 220)
X = jnp.array([[0.6, -0.9, 0.4, 0.8], [-0.2, 0.7, 1.1, 0.3]])


def bias_free(phi: AbstractActivation, width: int, depth: int, c_w: float) -> Serial:
    """Layers without biases, rates 1 for all weights."""
    dense = Dense(width, math.sqrt(c_w), 0.0, 1.0, 0.0)
    return Serial(*[dense, phi] * (depth - 1), Dense(1, math.sqrt(c_w), 0.0, 1.0, 0.0))


def against_width(phi: AbstractActivation, c_w: float, title: str, deviation: bool) -> Sheet:
    """E z z and E Theta of two inputs, diagonal and off it; `deviation`: less their limits, times the width."""
    limit = expand(bias_free(phi, 10, 4, c_w), X)[-1]
    found = []
    for width in WIDTHS:
        draws = 20_000 if width <= 50 else 4_000 if width <= 120 else 1_500
        found.append(sample_tensors(bias_free(phi, width, 4, c_w), X, ("G1", "H1"), draws, jr.key(width), batch=100))
    n, smooth = np.array(WIDTHS, float), np.geomspace(WIDTHS[0], WIDTHS[-1], 100)
    parts = []
    for name, mean, first in (("NNGP", limit.K, "G1"), ("NTK", limit.Theta, "H1")):
        for place, where in (((0, 0), "an input with itself"), ((0, 1), "two inputs")):
            start, slope = float(mean[place]), float(limit.tensors[first][place])
            shifts = [(run.mean[first][place], run.error[first][place]) for run in found]
            value, error = (np.array(column) / n for column in zip(*shifts, strict=True))
            zero = 0.0 if deviation else start
            curve = Curve("sampled", n, zero + value, error, smooth, zero + slope / smooth, zero)
            label = f"E {name} - limit" if deviation else f"E {name}"
            parts.append(Panel(f"{name}, {where}", label, [curve]))
    return Sheet(title, "width", parts, 2)


def against_depth() -> Sheet:
    """The mean tangent kernel of ReLU networks of width 200 divided by that of the first layer, and its spread."""
    depths, curves = (2, 5, 10, 15, 20, 25, 30), []
    for c_w in (0.25, 2.0, 4.0):
        rows = []
        for depth in depths:
            found = monte_carlo(bias_free(Relu(), 200, depth, c_w), X[:1], key=jr.key(depth), networks=200)
            rows.append((found.ntk[0, 0], found.ntk_error[0, 0]))
        value, error = (np.array(column, float) for column in zip(*rows, strict=True))
        exact = [float(nngp_and_ntk(bias_free(Relu(), 1, depth, c_w), X[:1])[1][0, 0]) for depth in depths]
        curves.append(Curve(f"C_W = {c_w:g}", np.array(depths), value, error, np.array(depths), np.array(exact)))
    linear = Panel("critical prior, C_W = 2: linear in depth", "E NTK", curves[1:2])
    return Sheet("ReLU without biases, width 200, and infinite width (lines)", "layers",
                 [Panel("three priors", "E NTK", curves, log=True), linear], 2, log_x=False)  # fmt: skip


FIGURES: dict[str, Callable[[], object]] = {
    "finite-width-gelu": lambda: means_against(
        against_width(Gelu(), 1.98305826, "GELU, 4 layers: sampled means and limit + correction / width", False)
    ),
    "finite-width-relu": lambda: means_against(
        against_width(Relu(), 2.0, "ReLU, 4 layers: no correction for an input with itself", True)
    ),
    "finite-width-depth": lambda: means_against(against_depth()),
    "phases-tanh": lambda: phases(phase_diagram(Tanh(), np.linspace(0.5, 2.5, 81), np.linspace(0, 1, 61))),
}


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    names = sys.argv[2:] or list(FIGURES)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/figures")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        save(FIGURES[name](), folder / name)


if __name__ == "__main__":
    main()
