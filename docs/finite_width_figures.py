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

from equitangents.corrections import expand, phase_diagram, sample_tensors
from equitangents.corrections.averaged import averages
from equitangents.corrections.chain import chain
from equitangents.corrections.sample import layer_limits
from equitangents.nets import AbstractActivation, Dense, Gelu, Relu, Serial, Tanh
from equitangents.plots import means_against, phases, save
from equitangents.plots.finite_width import COLOURS, Curve, Panel, Sheet

WIDTHS = (10, 20, 50, 110, 220)
X = np.array([[0.6, -0.9, 0.4, 0.8], [-0.2, 0.7, 1.1, 0.3]])


def bias_free(phi: AbstractActivation, width: int, depth: int, c_w: float) -> Serial:
    """Layers without biases, rates 1 for all weights."""
    dense = Dense(width, math.sqrt(c_w), 0.0, 1.0, 0.0)
    return Serial(*[dense, phi] * (depth - 1), Dense(1, math.sqrt(c_w), 0.0, 1.0, 0.0))


def against_width(phi: AbstractActivation, c_w: float, title: str, deviation: bool) -> Sheet:
    """E z z and E Theta of two inputs, diagonal and off it; `deviation`: less their limits, times the width."""
    limit = expand(bias_free(phi, 10, 4, c_w), jnp.asarray(X))[-1]
    found = []
    for width in WIDTHS:
        draws = 10_000 if width <= 50 else 2_000 if width <= 120 else 500
        found.append(
            sample_tensors(bias_free(phi, width, 4, c_w), jnp.asarray(X), ("G1", "H1"), draws, jr.key(width), batch=50)
        )
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
    return Sheet(title, "width", parts, 2, shared=deviation)


def against_depth() -> Sheet:
    """The mean tangent kernel of one input at each layer of ReLU networks of 30 layers, and at infinite width.

    Drawn at C_W = 2: without biases the tangent kernel of layer l is homogeneous in C_W, of degree l - 1.
    """
    layers, x = np.array([2, 5, 10, 15, 20, 25, 30]), jnp.asarray(X[:1])
    net = chain(bias_free(Relu(), 200, 30, 2.0), x)
    limits = layer_limits(net, x)
    draw = jax.jit(lambda key: [layer.tangent[0, 0] for layer in averages(net, x, limits, key)])
    theta = np.array([float(limit[1][0, 0]) for limit in limits])
    drawn = theta[None, 1:] + np.array([draw(key) for key in jr.split(jr.key(1), 1000)])
    mean, error = drawn.mean(0)[layers - 2], drawn.std(0, ddof=1)[layers - 2] / math.sqrt(len(drawn))
    curves = []
    for c_w, colour in zip((0.25, 2.0, 4.0), COLOURS, strict=False):
        scale = (c_w / 2) ** (layers - 1.0)
        limit = scale * theta[layers - 1]
        curves.append(Curve(f"C_W = {c_w:g}", layers, scale * mean, scale * error, layers, limit, None, colour))
    critical = Panel("C_W = 2, critical: linear in depth", "E NTK", curves[1:2])
    return Sheet("ReLU without biases: sampled at width 200, and infinite width (lines)", "layer",
                 [Panel("three priors", "E NTK", curves, log=True), critical], 2, log_x=False)  # fmt: skip


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
