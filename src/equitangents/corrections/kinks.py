r"""Nonlinearities $a \min(z, 0) + b \max(z, 0)$, ReLU and its relatives: $\sigma'' = (b - a) \delta(z)$.

Means of two factors, with $c = (b - a) / 2$ and $n_{pq}$ those of the sign function, are
$m_{pq} = c^2 n_{p-1,q-1}$ for p, q > 0 (plus $((a + b) / 2)^2$ for p = q = 1), and
$m_{0q} = k_{11} m_{2q} + k_{12} m_{1,q+1}$ from $\sigma = z \sigma'$. For parallel samples,
$z_2 = c z_1$, single means of higher derivatives are infinite. But such samples are parallel in every finite network,
so only derivatives along c are needed, and these know the product on the line: slopes are constant on both sides of 0,
$\sigma(z) \sigma(c z)$ is $c z^2$ times $a^2$ or $b^2$ for $c > 0$ and times $a b$ on both sides for $c < 0$. With
$s = (a^2 + b^2) / 2$ or $a b$, they are those of $m_{00} = s k_{12}$, $m_{11} = s$, and 0 for the others.
"""

import functools
import itertools
import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..nets import AbRelu, Abs, LeakyRelu, Relu
from ..nets.base import Scalar, is_known
from ..numerics import arcsin_safe, safe_divide, safe_sqrt
from .expectations import expectations
from .orthant import OneSidedMeans
from .pairs import erf_means, pair_covariance, split
from .request import Request
from .rules import Rules
from .term import Blob

COINCIDENT = 1e-12
"""Samples whose squared correlation differs from 1 by less are taken as parallel."""
_MOMENTS = {0: 1.0, 2: 2.0, 4: 8.0}
"""E r^d of the radius in two dimensions."""
_RULE = np.polynomial.legendre.leggauss(16)
"""Exact in double precision for trigonometric polynomials of degree 4 over half a turn."""


def _kinked(a: Scalar, b: Scalar, patterns: tuple[Request, ...], k: Array) -> Array:
    orthants = functools.cache(
        lambda samples, signs: OneSidedMeans(k[np.ix_(samples, samples)] * np.outer(signs, signs).astype(k.dtype))
    )

    slopes = jnp.asarray(a, k.dtype), jnp.asarray(b, k.dtype)

    def pair(pattern: Request) -> Array:
        return _pair(pattern, *slopes, k)

    def mean(blob: Blob) -> Array:
        few = len({sample for sample, _ in blob}) <= 2
        return _angular(blob, *slopes, k) if few else _by_orthants(blob, a, b, orthants)

    def others(rest: tuple[Request, ...]) -> Array:
        return jnp.stack([_same_neuron(pattern, mean) for pattern in rest])

    return split(patterns, pair, others)


def _pair(pattern: Request, a: Array, b: Array, k: Array) -> Array:
    ((one, p), (two, q)), _ = pattern
    k11, k12, k22 = pair_covariance(pattern, k)
    even = (b - a) ** 2 / 4
    slopes = jnp.where(k12 < 0, a * b, (a**2 + b**2) / 2)
    parallel = {(0, 0): slopes * k12, (1, 1): slopes}.get((p, q), jnp.zeros_like(k11))
    if one == two:
        return parallel
    near = k11 * k22 - k12**2 <= COINCIDENT * k11 * k22
    l11, l22, l12 = jnp.where(near, 1.0, k11), jnp.where(near, 1.0, k22), jnp.where(near, 0.0, k12)

    sign = erf_means(jnp.ones_like(k11), l11, l12, l22)

    def mean(p: int, q: int) -> Array:
        if p and q:
            return even * sign(p - 1, q - 1) + (((a + b) / 2) ** 2 if p == q == 1 else 0.0)
        if p == 0:
            return l11 * mean(2, q) + l12 * mean(1, q + 1)
        return l22 * mean(p, 2) + l12 * mean(p + 1, 1)

    if (p + q) % 2:
        raise NotImplementedError(f"no recursion asks for the mean of derivatives {p} and {q} of a kinked function.")
    return jnp.where(near, parallel, mean(p, q))


def _same_neuron(pattern: Request, mean: Callable[[Blob], Array]) -> Array:
    """Means of four factors, or covariances of two with two, without derivatives of the kink."""
    x, y = pattern
    if any(order > 1 for _, order in x + y):
        raise NotImplementedError(
            "P, Q, R, S, T and U of a nonlinearity with a kink need products of delta functions with steps at one "
            "point, which are not defined; leave them out of `tensors`, or take a smooth one such as Gelu."
        )
    whole = mean(tuple(sorted(x + y)))
    return whole - mean(x) * mean(y) if y else whole


def _by_orthants(
    blob: Blob, a: Scalar, b: Scalar, orthants: Callable[[tuple[int, ...], tuple[int, ...]], OneSidedMeans]
) -> Array:
    r"""As `_angular`, over three or four samples: a sum over the signs of all of them."""
    samples = tuple(sorted({sample for sample, _ in blob}))
    number = [sum(s == sample for s, _ in blob) for sample in samples]
    power = tuple(sum(s == sample and order == 0 for s, order in blob) for sample in samples)
    parts = []
    for signs in itertools.product((1, -1), repeat=len(samples)):
        slopes = [(b if sign > 0 else a) ** n for sign, n in zip(signs, number, strict=True)]
        if not any(is_known(slope) and slope == 0 for slope in slopes):
            sign = math.prod(s**p for s, p in zip(signs, power, strict=True))
            parts.append(sign * functools.reduce(jnp.multiply, slopes, orthants(samples, signs).mean(power)))
    return functools.reduce(jnp.add, parts)


def _angular(blob: Blob, a: Array, b: Array, k: Array) -> Array:
    r"""$\langle \prod z_s^{i_s} \mathrm{slope}(z_s)^{n_s} \rangle$ as E r^d times a mean over angles."""
    first, last = blob[0][0], blob[-1][0]
    number = [sum(s == sample for s, _ in blob) for sample in (first, last)]
    power = [sum(s == sample and order == 0 for s, order in blob) for sample in (first, last)]
    if first == last:
        number[1] = power[1] = 0
    n1, n2 = number
    i1, i2 = power
    r1, r2 = safe_sqrt(k[first, first]), safe_sqrt(k[last, last])
    correlation = safe_divide(k[first, last], r1 * r2)
    theta = 2 * arcsin_safe(safe_sqrt((1 - correlation) / 2))
    nodes, weights = _RULE

    def sector(start: Array, end: Array) -> Array:
        angle = start + (end - start) * (nodes + 1) / 2
        return (end - start) / 2 * jnp.sum(weights * jnp.cos(angle) ** i1 * jnp.cos(angle - theta) ** i2)

    half = math.pi / 2
    same, opposite = sector(theta - half, half + 0 * theta), sector(-half + 0 * theta, theta - half)
    mean = ((a ** (n1 + n2) + b ** (n1 + n2)) * same + (b**n1 * a**n2 + a**n1 * b**n2) * opposite) / (2 * math.pi)
    return _MOMENTS[i1 + i2] * r1**i1 * r2**i2 * mean


@expectations.register(Relu)
def _(layer: Relu, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _kinked(0.0, 1.0, patterns, k)


@expectations.register(LeakyRelu)
def _(layer: LeakyRelu, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _kinked(layer.slope, 1.0, patterns, k)


@expectations.register(AbRelu)
def _(layer: AbRelu, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _kinked(layer.a, layer.b, patterns, k)


@expectations.register(Abs)
def _(layer: Abs, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _kinked(-1.0, 1.0, patterns, k)
