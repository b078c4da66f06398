r"""Gaussian expectations of products by Hermite series: cheap for many pairs.

With $h_n = \mathrm{He}_n / \sqrt{n!}$ and $s_n(k) = E[\phi'(\sqrt k z) h_n(z)]$, which belong to one input each,

$$E[\phi'(u) \phi'(v)] = \sum_n s_n(k_{11}) s_n(k_{22}) \rho^n, \qquad \rho = 1 - d,$$

and the coefficients of $\phi$ are $a_n = \sqrt{k/n}\, s_{n-1}$, so pairs cost a sum of products and powers. What is
left out follows from Parseval: $E[\phi'^2] - \sum_n s_n^2$ for each input. See Daniely et al. (2016), arXiv:1602.05897.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from .safe import as_defect, safe_sqrt

Function = Callable[[Array], Array]
Parity = Literal["odd", "even", "none"]

UNROLLED = 8
"""Terms in one step of a loop: fewer cost time, more cost compile time."""


@functools.cache
def hermite_rule(terms: int, single: bool, nodes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    r"""Nodes z (nodes,) and weights (terms, nodes): $E[f(z) h_n(z)] \approx \sum_i w_{ni} f(z_i)$, n < terms.

    The trapezoidal rule on a range where $e^{-z^2/4}$, by which the weighted $h_n$ decay, falls to the last digit.

    >>> z, w = hermite_rule(3, single=False)
    >>> [round(c, 12) + 0.0 for c in (w @ z**2).tolist()]  # z^2 = 1 + sqrt(2) h_2
    [1.0, 0.0, 1.414213562373]
    """
    limit, usual = (8.6, 96) if single else (12.0, 224)
    z = np.linspace(-limit, limit, nodes or usual)
    h = [np.ones_like(z), z]
    for n in range(2, terms):
        h.append((z * h[-1] - math.sqrt(n - 1) * h[-2]) / math.sqrt(n))
    weights = np.exp(-(z**2) / 2) * (z[1] - z[0]) / math.sqrt(2 * math.pi)
    return z, np.stack(h[:terms]) * weights


def hermite_coefficients(f: Function, k: Array, orders: Sequence[int], factors: np.ndarray | None = None) -> Array:
    r"""$E[f(\sqrt k z) h_n(z)]$ for n in `orders`, the first of them 0: (orders, *shape of k); $z \sim N(0, 1)$.

    Each is times its factor, where `factors` are given. Derivatives at k = 0 are those of n = 0, $f''(0)/2$, and 0 for
    the others, which have none there.
    """
    z, w = hermite_rule(max(orders) + 1, k.dtype != jnp.float64)
    w = w[np.asarray(orders)] * (1 if factors is None else factors[:, None])
    points, weights = jnp.asarray(z, k.dtype), jnp.asarray(w, k.dtype)
    values = f(safe_sqrt(k)[None] * points.reshape(-1, *(1,) * k.ndim))
    found = jnp.tensordot(weights, values, 1, precision=lax.Precision.HIGHEST)

    def slope(x: Array) -> Array:
        return jax.jvp(f, (x,), (jnp.ones_like(x),))[1]

    zero = jnp.zeros_like(k)
    curvature = lax.stop_gradient(jax.jvp(slope, (zero,), (jnp.ones_like(k),))[1])
    from_zero = jnp.where(k > 0, 0, curvature / 2 * (k - lax.stop_gradient(k)))
    return jnp.concatenate([found[:1] + from_zero[None], found[1:]])


class Expansion(NamedTuple):
    r"""What belongs to one input: the Hermite coefficients of phi and of phi' at its variance.

    Attributes:
        size: $\sqrt{E \phi^2}$, of the shape of the variance.
        unit: the coefficients of phi divided by `size`, terms first.
        slopes: those of phi', terms first; one less.
        scale: $\sqrt k$ / `size`.
    """

    size: Array
    unit: Array
    slopes: Array
    scale: Array


def expansion(mean: Array, slopes: Array, k: Array, orders: np.ndarray | None = None) -> Expansion:
    """From E[phi] and the coefficients of phi', both at variance k; finite, with its derivatives, at k = 0 too.

    `orders` are those of phi that belong to `slopes`, all from 1 on by default.
    """
    positive = k > max(1e-30, float(jnp.finfo(k.dtype).tiny) ** 0.5)  # second derivatives overflow below
    r = safe_sqrt(jnp.where(positive, k, 1))
    found = np.arange(1, slopes.shape[0] + 1) if orders is None else orders
    roots = jnp.asarray(np.sqrt(found), k.dtype).reshape(-1, *(1,) * k.ndim)
    kept = jnp.where(positive | (mean == 0), 1, 0).astype(k.dtype)  # at k = 0 phi is its mean, or its slope
    vector = jnp.concatenate([(mean / r)[None], kept[None] * slopes / roots])
    norm = safe_sqrt(jnp.sum(vector**2, 0))
    inverse = jnp.where(norm > 0, 1 / jnp.where(norm > 0, norm, 1), 0)
    return Expansion(jnp.where(positive, r * norm, jnp.abs(mean)), vector * inverse[None], slopes, kept * inverse)


def series_dual(one: Expansion, two: Expansion, d: Array, parity: Parity = "none") -> tuple[Array, Array, Array]:
    r"""$E[\phi(u)\phi(v)]$, $E[\phi'(u)\phi'(v)]$ and the angle defect after, without cancellation.

    The defect is that at d = 0, $\tfrac12 \sum_n (a_n(k_{11}) - a_n(k_{22}))^2$ of the normalised coefficients, and a
    sum of $1 - \rho^n = (1 - \rho)(1 + \rho + \dots + \rho^{n-1})$, by Horner's rule on sums from above.

    Args:
        one, two: of u and of v, arrays that broadcast against d behind the axis of terms.
        d: angle defect before, in [0, 2].
        parity: of phi; half of the terms vanish unless it is "none".
    """
    rho = 1 - d
    base, gap = (rho, d) if parity == "none" else (rho * rho, d * (2 - d))
    first, step = {"none": (1, 1), "odd": (3, 2), "even": (2, 2)}[parity]
    orders = np.arange(first, one.unit.shape[0], step)[::-1]

    def term(carry, x):
        total, tails, slopes, apart = carry
        n_inverse, s1, s2, u1, u2 = x
        product = s1 * s2
        total = total + n_inverse * product
        return (total, tails * base + total, slopes * base + product, apart + (u1 - u2) ** 2), None

    pairs = (one.slopes[orders - 1], two.slopes[orders - 1], one.unit[orders], two.unit[orders])
    zero = jnp.zeros_like(d)
    start = (zero, zero, zero, (one.unit[0] - two.unit[0]) ** 2 + zero)
    inverses = jnp.asarray(1 / np.maximum(orders, 1), d.dtype)
    if orders.size > UNROLLED:
        start, _ = lax.scan(term, start, (inverses, *pairs), unroll=UNROLLED)
    else:
        for i in range(orders.size):
            start, _ = term(start, (inverses[i], *(a[i] for a in pairs)))
    total, tails, slopes, apart = start
    tails = tails * gap
    if parity == "even":
        slopes = slopes * rho
    if parity == "odd":  # 1 - rho^n = 1 - rho + rho (1 - rho^(n-1))
        product = one.slopes[0] * two.slopes[0]
        tails, slopes = rho * tails + d * (total + product), slopes * base + product
        apart = apart + (one.unit[1] - two.unit[1]) ** 2
    d_out = as_defect(apart / 2 + one.scale * two.scale * tails)
    return one.size * two.size * (1 - d_out), slopes, d_out


def parity_of(f: Function) -> Parity:
    """Whether f is odd or even, to the last digits, where it is looked at."""
    z = np.linspace(0.05, 6, 60)
    plus, minus = (np.asarray(f(jnp.asarray(x))) for x in (z, -z))
    close = 8 * np.finfo(plus.dtype).eps * np.abs(plus).max()
    if np.abs(plus + minus).max() <= close:
        return "odd"
    return "even" if np.abs(plus - minus).max() <= close else "none"


def series_tails(f: Function, variance: float, terms: Sequence[int]) -> np.ndarray:
    r"""$1 - \sum_{n < N} c_n^2 / E[f^2]$ for each N of `terms`: what Parseval leaves; in the default precision.

    >>> bool(series_tails(jnp.tanh, 1.0, [4, 16, 64])[2] < 1e-6)
    True
    """
    single = not jax.config.jax_enable_x64  # type: ignore[attr-defined]
    z, w = hermite_rule(int(max(terms)), single)
    values = np.asarray(f(jnp.asarray(math.sqrt(variance) * z)), np.float64)
    whole = w[0] @ values**2
    partial = np.cumsum((w @ values) ** 2)
    return np.maximum(1 - partial[np.asarray(terms) - 1] / max(whole, 1e-300), 0)
