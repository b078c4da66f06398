"""Duals of erf and GELU: the arcsine of a correlation, and how far it falls with d, without cancellation.

With w the noise scale, $s = w k / (1 + w k)$, $t = \rho \\sqrt{s_1 s_2}$ is the correlation of $\\sqrt w u + x$ and
$\\sqrt w v + y$, x and y independent of unit variance. Few square roots and divisions are left for each pair.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import Erf, Gelu
from ..nets.base import is_known
from ..numerics import affine_defect, arcsine_ratio, materialise, safe_sqrt
from .activations import Dual, dual
from .nearby import defect_of_variances, log_variance, near_limit, variance_metric


class Correlation(NamedTuple):
    r"""Of two noisy variables, for each pair.

    Attributes:
        size: $\sqrt{s_1 s_2}$.
        minor: $1 - \rho^2$.
        cosine: of the arcsine, $\sqrt{1 - t^2}$.
        equal: the same at d = 0.
        arcsine: arcsin(t) / t.
        fall: arcsin t at d = 0 less that at d, divided by `size`, where d is small.
    """

    size: Array
    minor: Array
    cosine: Array
    equal: Array
    arcsine: Array
    fall: Array


def correlation(one: "Noisy", two: "Noisy", d: Array) -> Correlation:
    """From what belongs to each variable and the angle defect before the noise."""
    size = one.root * two.root
    rho, minor = 1 - d, d * (2 - d)
    both = one.share * two.share
    rest = one.rest + one.share * two.rest  # 1 - both
    cosine, equal = jnp.sqrt(rest + both * minor), jnp.sqrt(rest)
    sine = minor / (cosine + jnp.maximum(rho, 0) * equal)  # of the difference of the arcsines, divided by size
    x = jnp.minimum(both * sine**2, 0.25)
    fall = sine * (1 + x * (1 / 6 + x * (3 / 40 + x * (5 / 112 + x * 35 / 1152))))
    return Correlation(size, minor, cosine, equal, arcsine_ratio(size * rho, cosine), fall)


class Noisy(NamedTuple):
    r"""What belongs to one input, each of the shape of its variance.

    Attributes:
        share: $s = w k / (1 + w k)$.
        root: its square root.
        rest: $1 - s$.
        rest_root: the square root of that.
        scale: $\sqrt{E \phi^2 / s}$, but for a factor of all inputs.
        metric: `variance_metric`.
        log: `log_variance`.
    """

    share: Array
    root: Array
    rest: Array
    rest_root: Array
    scale: Array
    metric: Array
    log: Array


def _noisy(k: Array, w: Array | float, scale: Array, metric: Array) -> Noisy:
    rest = 1 / (1 + w * k)
    share = w * k * rest
    return materialise(Noisy(share, safe_sqrt(share), rest, jnp.sqrt(rest), scale, metric, log_variance(k)))


def _defect(one: Noisy, two: Noisy, d: Array, fall: Array, ratio: Array) -> Array:
    """The defect after: `ratio` is 1 less it; `fall` is the part of it that d makes, good for near pairs."""
    start, near = defect_of_variances(one.metric, two.metric, one.log, two.log)
    near = near & (d < near_limit(d.dtype))
    return jnp.clip(jnp.where(near, start + fall, 1 - ratio), 0, 2)


@dual.register(Erf)
def _(layer: Erf, k11: Array, k22: Array, d: Array) -> Dual:
    """Equation (11) of Williams (1996), Computing with infinite networks."""
    a, b, c = layer.numbers(d)
    w = 2 * b**2
    one, two = (_noisy(k, w, *_erf_scale_and_metric(w * k)) for k in (k11, k22))
    pair = correlation(one, two, d)
    scale = a**2 * 2 / math.pi
    shape = (1 - d) * pair.arcsine
    e, e_prime = scale * pair.size * shape, scale * w * one.rest_root * two.rest_root / pair.cosine
    inverse = one.scale * two.scale
    d_out = _defect(one, two, d, pair.fall * inverse, shape * inverse)
    if is_known(layer.c) and layer.c == 0:
        return e, e_prime, d_out
    before1, before2 = (scale * noisy.share / noisy.scale**2 for noisy in (one, two))
    return e + c**2, e_prime, affine_defect(before1, before2, d_out, 1.0, c**2)


def _erf_scale_and_metric(x: Array) -> tuple[Array, Array]:
    r"""$\sqrt{s / \alpha}$, $\alpha = \arcsin s$; and $q^2 F''/4$ of $F(y) = \log\arcsin e^y$ at $y = \log s$."""
    q = 1 / (1 + x)
    s = x * q
    cosine = jnp.sqrt(q * (1 + s))
    arcsine = arcsine_ratio(s, cosine)
    ratio = 1 / (cosine * arcsine)  # T / alpha, T the tangent of alpha = arcsin s
    return lax.rsqrt(arcsine), q**2 / 4 * jnp.maximum(ratio / cosine**2 - ratio**2, 0)


@dual.register(Gelu)
def _(layer: Gelu, k11: Array, k22: Array, d: Array) -> Dual:
    r"""From $\phi = z \Phi(z)$ by integration by parts; `root` is that of $(1 + k_{11})(1 + k_{22}) - k_{12}^2$."""
    one, two = (_noisy(k, 1.0, lax.rsqrt(_gelu_aligned(k, k)), _gelu_metric(k)) for k in (k11, k22))
    pair = correlation(one, two, d)
    roots = one.rest_root * two.rest_root
    rho, sums, inverse = 1 - d, one.rest + two.rest, roots / pair.cosine  # 1 / root
    g = safe_sqrt(k11) * safe_sqrt(k22)
    density = g * inverse / (2 * math.pi)
    both_positive = 0.25 + pair.size * rho * pair.arcsine / (2 * math.pi)
    shape = rho * both_positive + density * (pair.minor + rho**2 * sums)
    e_prime = both_positive + rho * density * (sums + inverse**2)
    narrower = sums * (g * roots) ** 2 / (pair.equal * (pair.equal + pair.cosine)) - (1 - sums)
    fall = d * both_positive + pair.size * pair.fall / (2 * math.pi) + density * pair.minor * narrower
    size = one.scale * two.scale
    return g * shape, e_prime, _defect(one, two, d, fall * size, shape * size)


def _gelu_metric(k: Array) -> Array:
    return variance_metric(_gelu_aligned, k)


def _gelu_aligned(k11: Array, k22: Array) -> Array:
    r"""$E[\phi(r_1 z) \phi(r_2 z)] / (r_1 r_2)$."""
    q1, q2 = 1 / (1 + k11), 1 / (1 + k22)
    s1, s2 = k11 * q1, k22 * q2
    t, cosine = safe_sqrt(s1 * s2), jnp.sqrt(q1 + s1 * q2)
    inverse = jnp.sqrt(q1 * q2) / cosine
    g = safe_sqrt(k11 * k22)
    return 0.25 + t * arcsine_ratio(t, cosine) / (2 * math.pi) + g * (q1 + q2) * inverse / (2 * math.pi)
