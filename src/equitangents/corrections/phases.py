r"""The plane of $(\sigma_w, \sigma_b)$: where deep networks forget directions, where they magnify them."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array
from numpy.typing import ArrayLike

from ..nets import AbstractActivation
from .criticality import Criticality, criticality
from .susceptibility import moments

PLAIN_STEPS, NEWTON_STEPS = 200, 30
DIVERGED = 1e6


class PhaseDiagram(NamedTuple):
    r"""Fixed points over a grid: $\chi_\perp < 1$ ordered (inputs become alike), > 1 chaotic, = 1 the critical line.

    Attributes:
        phi: the nonlinearity.
        sigma_w, sigma_b: the axes, shapes (w,) and (b,).
        k_star: the variance reached from K = 1, shape (b, w); inf where it exceeds 1e6.
        chi_parallel, chi_perp: there, shape (b, w); at K = 1e6 where k_star is inf.
        critical: the critical point of the nonlinearity.
    """

    phi: AbstractActivation
    sigma_w: np.ndarray
    sigma_b: np.ndarray
    k_star: np.ndarray
    chi_parallel: np.ndarray
    chi_perp: np.ndarray
    critical: Criticality

    @property
    def xi_perp(self) -> np.ndarray:
        r"""Depth scale $1 / |\log\chi_\perp|$ in layers."""
        with np.errstate(divide="ignore"):
            return 1 / np.abs(np.log(self.chi_perp))


def phase_diagram(phi: AbstractActivation, sigma_w: ArrayLike, sigma_b: ArrayLike) -> PhaseDiagram:
    r"""Fixed points and susceptibilities over a grid of priors.

    The map $K \to C_b + C_W g(K)$ is applied 200 times from K = 1, and what is left by Newton's method, which halves
    the distance also where the approach is a power of depth.

    Args:
        phi: the nonlinearity.
        sigma_w, sigma_b: standard deviations, shapes (w,) and (b,), not negative.

    Raises:
        ValueError: axes that are not vectors of numbers that are not negative.

    References:
        Poole et al. (2016), arXiv:1606.05340, figure 1; Schoenholz et al. (2017), arXiv:1611.01232.

    >>> from equitangents.nets import Erf
    >>> found = phase_diagram(Erf(), [0.5, 1.5], [0.1])
    >>> (found.chi_perp < 1).tolist()  # ordered, chaotic
    [[True, False]]
    """
    w, b = (np.asarray(axis, float) for axis in (sigma_w, sigma_b))
    for name, axis in (("sigma_w", w), ("sigma_b", b)):
        if axis.ndim != 1 or not axis.size or not np.all(axis >= 0):
            raise ValueError(f"expected {name} to be a vector of numbers >= 0, got {axis!r}; pass for example [1, 2].")
    c_b, c_w = (jnp.asarray(a) for a in np.meshgrid(b**2, w**2, indexing="ij"))
    k, parallel, perp = (np.array(a, float) for a in _fixed(phi, c_w, c_b))
    k[k >= DIVERGED] = np.inf
    return PhaseDiagram(phi, w, b, k, parallel, perp, criticality(phi))


@eqx.filter_jit
def _fixed(phi: AbstractActivation, c_w: Array, c_b: Array) -> tuple[Array, Array, Array]:
    def plain(_, k: Array) -> Array:
        return jnp.minimum(c_b + c_w * moments(phi, k).g, DIVERGED)

    def newton(_, k: Array) -> Array:
        found = moments(phi, k)
        slope = 1 - c_w * found.g_prime
        moved = k + (c_b + c_w * found.g - k) / jnp.where(slope > 1e-12, slope, jnp.inf)  # stable points only
        return jnp.where(k < DIVERGED, jnp.clip(moved, c_b, DIVERGED), k)

    k = lax.fori_loop(0, PLAIN_STEPS, plain, jnp.ones_like(c_w))
    k = lax.fori_loop(0, NEWTON_STEPS, newton, k)
    found = jax.tree.map(lambda m: c_w * m, moments(phi, k))
    return k, found.g_prime, found.p
