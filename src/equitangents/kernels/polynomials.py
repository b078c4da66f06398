"""Duals of polynomials, whole and rectified: exact at all variances."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..nets import RectifiedMonomial
from ..nets.base import is_known
from ..nets.polynomials import AbstractPolynomial
from ..numerics import Expansion, angle_of_defect, expansion, relu_defect, safe_sqrt, series_dual
from ..numerics.hermite import Parity
from .activations import Dual, dual
from .nearby import near_limit


@dual.register(AbstractPolynomial)
def _(layer: AbstractPolynomial, k11: Array, k22: Array, d: Array) -> Dual:
    r"""The Hermite series ends: $E[\phi \phi] = \sum_n a_n(k_{11}) a_n(k_{22}) \rho^n$."""
    return series_dual(_expanded(layer, k11), _expanded(layer, k22), d, _parity(layer))


def _parity(layer: AbstractPolynomial) -> Parity:
    present = {i % 2 for i, c in enumerate(layer.powers) if not (is_known(c) and c == 0)}
    return {frozenset({0}): "even", frozenset({1}): "odd"}.get(frozenset(present), "none")  # type: ignore[return-value]


def _expanded(layer: AbstractPolynomial, k: Array) -> Expansion:
    powers = [jnp.asarray(c, k.dtype) for c in layer.powers]
    slopes = [i * c for i, c in enumerate(powers)][1:]
    r = safe_sqrt(k)
    parts = [_coefficient(slopes, n, r, k) for n in range(len(slopes))]
    return expansion(_coefficient(powers, 0, r, k), jnp.stack(parts) if parts else jnp.zeros((0, *k.shape), k.dtype), k)


def _coefficient(powers: list[Array], n: int, r: Array, k: Array) -> Array:
    r"""$E[p(r z) h_n(z)] = r^n \sum_i c_{n+2i} (n+2i)! / (2^i i! \sqrt{n!}) k^i$."""
    total = jnp.zeros_like(k)
    for i in reversed(range((len(powers) - n + 1) // 2)):
        factor = math.factorial(n + 2 * i) / (2**i * math.factorial(i) * math.sqrt(math.factorial(n)))
        total = total * k + factor * powers[n + 2 * i]
    return total * r**n


@dual.register(RectifiedMonomial)
def _(layer: RectifiedMonomial, k11: Array, k22: Array, d: Array) -> Dual:
    r"""Equation (2) of Cho and Saul (2009), $E[\phi \phi] = (r_1 r_2)^n J_n(\theta) / (2 \pi)$; finite everywhere.

    $J_n = A_n \sin\theta + B_n (\pi - \theta)$ with polynomials in $\cos\theta$. By Price's theorem
    $dJ_n / d\cos\theta = n^2 J_{n-1}$, from which the defect of near pairs follows without cancellation.
    """
    n, g = layer.degree, safe_sqrt(k11) * safe_sqrt(k22)
    whole = math.pi * math.prod(range(1, 2 * n, 2))
    if n == 0:
        d_out = angle_of_defect(d) / math.pi + jnp.zeros_like(g)
        return (1 - d_out) / 2, jnp.zeros_like(d_out), d_out  # its derivative is 0 as JAX has it
    if n == 1:
        d_out = relu_defect(d)[0] + jnp.zeros_like(g)
    else:
        far = 1 - _arc(n, d) / whole
        near = d < near_limit(d.dtype)
        inside = jnp.where(near, d, 0)
        nodes, weights = np.polynomial.legendre.leggauss(4)
        mean = sum(
            w * x * _arc(n - 1, inside * x**2)
            for x, w in zip(((nodes + 1) / 2).tolist(), weights.tolist(), strict=True)
        )
        d_out = jnp.where(near, n**2 / whole * inside * mean, far) + jnp.zeros_like(g)
    return g**n * (1 - d_out) * whole / (2 * math.pi), n**2 * g ** (n - 1) * _arc(n - 1, d) / (2 * math.pi), d_out


def _arc(n: int, d: Array) -> Array:
    r"""$J_n$ of the angle whose defect is d."""
    sine_part, angle_part = _arc_polynomials(n)
    rho = 1 - d
    rest = math.pi - angle_of_defect(d)
    return jnp.polyval(jnp.asarray(sine_part[::-1], d.dtype), rho) * safe_sqrt(d * (2 - d)) + rest * jnp.polyval(
        jnp.asarray(angle_part[::-1], d.dtype), rho
    )


def _arc_polynomials(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A_n and B_n, lowest power first: A' = 2 n c A + (1 - c^2) dA/dc + B, B' = (2 n + 1) c B + (1 - c^2) dB/dc."""
    c, square = np.polynomial.Polynomial([0, 1]), np.polynomial.Polynomial([1, 0, -1])
    first, second = np.polynomial.Polynomial([0]), np.polynomial.Polynomial([1])
    for m in range(n):
        first, second = (
            2 * m * c * first + square * first.deriv() + second,
            (2 * m + 1) * c * second + square * second.deriv(),
        )
    return first.coef, second.coef
