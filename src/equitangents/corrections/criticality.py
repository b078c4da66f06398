r"""At which scales of the prior depth neither magnifies nor forgets: $\chi_\parallel(K^*) = \chi_\perp(K^*) = 1$.

Both are 1 where $E[\phi\phi''] = 0$, or at $K^* = 0$, or for every K if $\phi$ is a straight line on each side of 0.
"""

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

from ..nets import AbstractActivation
from .susceptibility import moments

Universality = Literal["scale-invariant", "K* = 0", "half-stable", "none"]


class Criticality(NamedTuple):
    r"""The critical prior of a nonlinearity.

    Attributes:
        universality: "scale-invariant", where every variance is a fixed point; "K* = 0", where the variance falls as
            1/depth; "half-stable", where it is stable from one side; "none".
        sigma_w, sigma_b: standard deviations of weights and biases; nan for "none".
        k_star: the fixed point; nan where every variance is one, or none.
        p_perp: exponent of the tangent kernel's factors, $\prod \chi_\perp \sim \ell^{-p_\perp}$; 0 but for "K* = 0".
    """

    universality: Universality
    sigma_w: float
    sigma_b: float
    k_star: float
    p_perp: float = 0.0


def criticality(phi: AbstractActivation) -> Criticality:
    r"""Universality class and critical $(\sigma_w, \sigma_b)$ of a nonlinearity.

    - $\phi(z) = a_\pm z$: $C_b = 0$, $C_W = 2 / (a_+^2 + a_-^2)$.
    - $\phi(0) = 0 \ne \phi'(0) = \sigma_1$ and $a_1 = \sigma_3/\sigma_1 + \frac34 (\sigma_2/\sigma_1)^2 < 0$:
      $C_b = 0$, $C_W = 1/\sigma_1^2$, $K^* = 0$; and $p_\perp = b_1/a_1$ with
      $b_1 = \sigma_3/\sigma_1 + (\sigma_2/\sigma_1)^2$.
    - else the smallest $K^*$ in [1e-3, 1e4] with $E[\phi\phi''] = 0$ and $C_b = K^* - C_W g(K^*) \ge 0$,
      $C_W = 1 / E\phi'^2$.

    Raises:
        TypeError: not a nonlinearity.
        NotImplementedError: for a nonlinearity without a finite network.

    References:
        Roberts, Yaida and Hanin (2022), arXiv:2106.10165, chapter 5.

    >>> from equitangents.nets import Relu, Tanh
    >>> criticality(Relu()).universality, round(criticality(Relu()).sigma_w ** 2, 4)
    ('scale-invariant', 2.0)
    >>> criticality(Tanh())
    Criticality(universality='K* = 0', sigma_w=1.0, sigma_b=0.0, k_star=0.0, p_perp=1.0)
    """
    if not isinstance(phi, AbstractActivation):
        raise TypeError(f"expected a nonlinearity such as Tanh() or Activation(f), got {phi!r}.")
    z = np.linspace(0.3, 3, 10)
    plus, minus = (np.asarray(phi.phi(jnp.asarray(s * z)), float) / z for s in (1, -1))
    size = max(np.abs(plus).max(), np.abs(minus).max())
    if max(np.ptp(plus), np.ptp(minus)) < 1e-6 * size:
        return Criticality("scale-invariant", math.sqrt(2 / (plus[0] ** 2 + minus[0] ** 2)), 0.0, math.nan)
    at_zero = _at_zero(phi)
    return at_zero or _half_stable(phi) or Criticality("none", math.nan, math.nan, math.nan)


def derivatives_at_zero(phi: AbstractActivation) -> tuple[float, float, float, float]:
    r"""$\phi(0), \phi'(0), \phi''(0), \phi'''(0)$."""
    f, values = (lambda z: phi.phi(z)), []
    for _ in range(4):
        values.append(float(f(jnp.zeros(()))))
        f = jax.grad(f)
    return values[0], values[1], values[2], values[3]


def _at_zero(phi: AbstractActivation) -> Criticality | None:
    if 0.0 in phi.kinks:
        return None
    value, first, second, third = derivatives_at_zero(phi)
    if abs(value) > 1e-7 or abs(first) < 1e-7:
        return None
    b_1 = third / first + (second / first) ** 2
    a_1 = b_1 - (second / first) ** 2 / 4
    return Criticality("K* = 0", 1 / abs(first), 0.0, 0.0, b_1 / a_1) if a_1 < 0 else None


def _half_stable(phi: AbstractActivation) -> Criticality | None:
    """Roots of E[phi phi''] = g' - p; beyond a kink they are still those of both susceptibilities."""

    def gap(k):
        found = moments(phi, k)
        return np.asarray((found.g_prime - found.p) / found.p, float)

    grid = np.geomspace(1e-3, 1e4, 700)
    gaps = gap(grid)
    for i in np.nonzero(gaps[:-1] * gaps[1:] < 0)[0]:
        k = brentq(gap, *grid[i : i + 2], xtol=1e-14)
        g, _, p = (float(m) for m in moments(phi, k))
        if p > 0 and k >= g / p:
            return Criticality("half-stable", p**-0.5, math.sqrt(k - g / p), k)
    return None
