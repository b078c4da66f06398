r"""What depth does to one input at infinite width: $K \to C_b + C_W g(K)$ and its two susceptibilities.

$$g(K) = E\,\phi(u)^2, \quad \chi_\parallel = C_W\, g'(K), \quad \chi_\perp = C_W E\,\phi'(u)^2, \quad u \sim N(0, K),$$

with $C_W = \sigma_w^2$, $C_b = \sigma_b^2$: a change of the size of an input grows by $\chi_\parallel$ in each layer,
one of its direction by $\chi_\perp$, and so does the tangent kernel of the layers before.
"""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array
from scipy.optimize import brentq

from ..kernels import dual, second_moment
from ..kernels.activations import has_closed_form
from ..nets import AbstractActivation
from ..numerics import expectation_1d

NODES = 400  # in one dimension they cost nothing, and leave 1e-12 for tanh at variance 30


class SingleMoments(NamedTuple):
    r"""$g = E\phi^2$, its derivative $g'$ by the variance, and $p = E\phi'^2$; of the shape of the variance."""

    g: Array
    g_prime: Array
    p: Array


def moments(phi: AbstractActivation, k: ArrayLike, nodes: int | None = None) -> SingleMoments:
    """Expectations over one Gaussian preactivation of variance k.

    Args:
        phi: the nonlinearity.
        k: variances, not negative, any shape.
        nodes: of a quadrature; None: the closed form where the library has one, else 400 nodes.
    """
    return _moments(phi, jnp.asarray(k, jnp.result_type(float)), nodes)


@eqx.filter_jit
def _moments(phi: AbstractActivation, k: Array, nodes: int | None) -> SingleMoments:
    if nodes is None and has_closed_form(phi):
        g, g_prime = jax.jvp(lambda k: second_moment(phi, k), (k,), (jnp.ones_like(k),))
        return SingleMoments(g, g_prime, dual(phi, k, k, jnp.zeros_like(k))[1])
    nodes = nodes or (NODES if not phi.kinks else None)

    def mean(f):
        return expectation_1d(f, k, phi.kinks, nodes)

    def slope(z: Array) -> Array:
        return jax.jvp(phi.phi, (z,), (jnp.ones_like(z),))[1]

    zero = jnp.zeros_like(k)
    curvature = jax.jvp(slope, (zero,), (jnp.ones_like(k),))[1]
    at_zero = slope(zero) ** 2 + phi.phi(zero) * curvature
    g_prime = jnp.where(k > 0, mean(lambda z: z * phi.phi(z) * slope(z)) / jnp.where(k > 0, k, 1), at_zero)
    return SingleMoments(mean(lambda z: phi.phi(z) ** 2), g_prime, mean(lambda z: slope(z) ** 2))


def chi_parallel(phi: AbstractActivation, sigma_w: float, k: ArrayLike, nodes: int | None = None) -> Array:
    r"""$\chi_\parallel = C_W\, \partial_K E\phi^2 = C_W E[\phi'^2 + \phi\phi'']$ at variance k.

    >>> from equitangents.nets import Relu
    >>> round(float(chi_parallel(Relu(), 2**0.5, 3.0)), 5)
    1.0
    """
    return sigma_w**2 * moments(phi, k, nodes).g_prime


def chi_perp(phi: AbstractActivation, sigma_w: float, k: ArrayLike, nodes: int | None = None) -> Array:
    r"""$\chi_\perp = C_W E\,\phi'^2$ at variance k."""
    return sigma_w**2 * moments(phi, k, nodes).p


class FixedPoint(NamedTuple):
    r"""A variance that depth leaves as it is, $K^* = C_b + C_W g(K^*)$.

    Attributes:
        k: the variance $K^*$.
        chi_parallel, chi_perp: there; $\chi_\parallel < 1$: stable.
        xi_parallel, xi_perp: depth scales $-1 / \log \chi$ in layers, after which a change of size or direction is
            smaller by e (larger, where they are negative); infinite at $\chi = 1$, where powers of depth take over.
    """

    k: float
    chi_parallel: float
    chi_perp: float
    xi_parallel: float
    xi_perp: float


def depth_scale(chi: float) -> float:
    r"""$-1 / \log\chi$ layers; infinite where $\chi$ is 1 to single precision, 0 where it is 0."""
    if chi <= 0:
        return 0.0
    return math.inf if abs(chi - 1) < 1e-7 else -1 / math.log(chi)


def fixed_points(
    phi: AbstractActivation, sigma_w: float, sigma_b: float = 0.0, largest: float = 1e6
) -> list[FixedPoint]:
    r"""All fixed points $K^* = C_b + C_W g(K^*)$ between 0 and `largest`, in increasing order.

    Found as changes of sign, and as points where the map touches the diagonal, on a logarithmic grid of 1200 variances
    from 1e-6: two closer than 2.4 % may be missed. In float64 they are exact to about 1e-10, touching ones to 1e-5.

    Raises:
        ValueError: if every variance is a fixed point, as for ReLU at $C_W = 2$, $C_b = 0$.

    References:
        Poole et al. (2016), arXiv:1606.05340; Schoenholz et al. (2017), arXiv:1611.01232, sections 3 and 4.

    >>> from equitangents.nets import Tanh
    >>> [(round(p.k, 3), round(p.chi_perp, 3)) for p in fixed_points(Tanh(), 2**0.5)]  # the first is unstable
    [(0.0, 2.0), (0.618, 1.106)]
    """
    c_w, c_b = sigma_w**2, sigma_b**2

    def surplus(k):
        return c_b + c_w * np.asarray(moments(phi, k).g, float) - np.asarray(k, float)

    def slope(k):
        return c_w * np.asarray(moments(phi, k).g_prime, float) - 1

    grid = np.geomspace(1e-6, largest, 1200)
    values, slopes = surplus(grid), slope(grid)
    digits = float(jnp.finfo(jnp.result_type(float)).eps) ** 0.5
    if np.all(np.abs(values) < 100 * digits**2 * grid):
        raise ValueError(f"every variance is a fixed point of {phi} at sigma_w={sigma_w:g}, sigma_b={sigma_b:g}.")
    found = [0.0] if abs(surplus(0.0)) < 1e-30 else []
    found += [brentq(surplus, *grid[i : i + 2], xtol=1e-14) for i in np.nonzero(values[:-1] * values[1:] < 0)[0]]
    for i in np.nonzero((slopes[:-1] * slopes[1:] < 0) & (values[:-1] * values[1:] > 0))[0]:
        k = brentq(slope, *grid[i : i + 2], xtol=1e-14)
        if abs(surplus(k)) < digits * k:
            found.append(k)
    return [fixed_point(phi, sigma_w, k) for k in sorted(found)]


def fixed_point(phi: AbstractActivation, sigma_w: float, k: float) -> FixedPoint:
    """Susceptibilities and depth scales at a variance."""
    parallel, perp = float(chi_parallel(phi, sigma_w, k)), float(chi_perp(phi, sigma_w, k))
    return FixedPoint(float(k), parallel, perp, depth_scale(parallel), depth_scale(perp))
