"""The numbers in the tables of the command `corrections`."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ..corrections import Criticality, Moments, chi_parallel, chi_perp, criticality
from ..corrections.report import relative_sizes
from ..corrections.stages import stages
from ..nets import AbstractLayer


class LayerRow(NamedTuple):
    r"""One layer with weights: means over inputs and sites, deviations the largest over them.

    Attributes:
        layer, width: number, and channels that come in.
        kernel, ntk: K and $\Theta$ of an input with itself.
        kernel_shift, ntk_shift: $G_1/n$ and $H_1/n$.
        kernel_deviation, ntk_deviation: $\sqrt{V/n}\,/K$ and $\sqrt{(A+2B)/n}\,/\Theta$.
        error: of the quadrature, the largest over the tensors, relative; 0 for closed forms.
    """

    layer: int
    width: int
    kernel: float
    ntk: float
    kernel_shift: float
    ntk_shift: float
    kernel_deviation: float
    ntk_deviation: float
    error: float


class ActivationRow(NamedTuple):
    r"""One nonlinearity: its class and critical prior, and the susceptibilities of the layer that it begins.

    Attributes:
        layer: of the weights after it.
        phi: description.
        critical: its critical prior.
        sigma_w, sigma_b: of the weights after it.
        variance: K before it, the mean over inputs and sites.
        chi_parallel, chi_perp: at that variance and sigma_w.
    """

    layer: int
    phi: str
    critical: Criticality
    sigma_w: float
    sigma_b: float
    variance: float
    chi_parallel: float
    chi_perp: float


def layer_row(found: Moments) -> LayerRow:
    """Of one layer with weights."""
    n, sizes = found.width, relative_sizes(found)
    k, theta, g1, h1 = (
        float(np.trace(a) / len(a)) for a in map(np.asarray, (found.K, found.Theta, found.G1, found.H1))
    )
    deviations = [float(np.sqrt(max(0.0, np.max(size)) / n)) for size in sizes[2:]]
    error = max(map(float, found.errors.values()))
    return LayerRow(found.layer, n, k, theta, g1 / n, h1 / n, deviations[0], deviations[1], error)


def activation_rows(net: AbstractLayer, x: np.ndarray, found: tuple[Moments, ...]) -> list[ActivationRow]:
    """One row for each nonlinearity."""
    parts, between = stages(net, jnp.asarray(x))
    rows, known = [], {repr(phi): criticality(phi) for phi in between}
    for phi, part, before in zip(between, parts[1:], found, strict=False):
        variance, sigma_w = float(np.trace(before.K) / len(before.K)), float(part.weighted.sigma_w)
        rows.append(
            ActivationRow(
                layer=before.layer + 1,
                phi=repr(phi),
                critical=known[repr(phi)],
                sigma_w=sigma_w,
                sigma_b=float(part.weighted.sigma_b),
                variance=variance,
                chi_parallel=float(chi_parallel(phi, sigma_w, variance)),
                chi_perp=float(chi_perp(phi, sigma_w, variance)),
            )
        )
    return rows
