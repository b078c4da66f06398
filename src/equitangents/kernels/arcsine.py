"""Duals of erf and GELU: the arcsine of a correlation, and how far it falls with d, without cancellation.

With w the noise scale, $s = w k / (1 + w k)$, $t = \rho \\sqrt{s_1 s_2}$ is the correlation of $\\sqrt w u + x$ and
$\\sqrt w v + y$, x and y independent of unit variance. Few square roots and divisions are left for each pair.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import Erf, Gelu
from ..nets.base import is_known
from ..numerics import affine_defect, arcsine_ratio, safe_sqrt
from .activations import Dual, dual
from .nearby import defect_of_variances, log_variance, near_limit, variance_metric


class Correlation(NamedTuple):
    r"""Of two noisy variables; all but the first for each pair.

    Attributes:
        size: $\sqrt{s_1 s_2}$.
        minor: $1 - \rho^2$.
        cosine: of the arcsine, $\sqrt{1 - t^2}$.
        equal: the same at d = 0.
        arcsine: arcsin t.
        fall: arcsin t at d = 0 less that at d, divided by `size`, where d is small.
    """

    size: Array
    minor: Array
    cosine: Array
    equal: Array
    arcsine: Array
    fall: Array


def correlation(k11: Array, k22: Array, d: Array, w: Array | float) -> Correlation:
    """From variances and the angle defect before the noise."""
    q1, q2 = 1 / (1 + w * k11), 1 / (1 + w * k22)
    s1, s2 = w * k11 * q1, w * k22 * q2
    size = safe_sqrt(s1) * safe_sqrt(s2)
    rho, minor = 1 - d, d * (2 - d)
    rest = q1 + s1 * q2  # 1 - s1 s2
    cosine, equal = jnp.sqrt(rest + s1 * s2 * minor), jnp.sqrt(rest)
    t = size * rho
    sine = minor / (cosine + jnp.maximum(rho, 0) * equal)  # of the difference of the arcsines, divided by size
    x = jnp.minimum((size * sine) ** 2, 0.25)
    fall = sine * (1 + x * (1 / 6 + x * (3 / 40 + x * (5 / 112 + x * 35 / 1152))))
    return Correlation(size, minor, cosine, equal, t * arcsine_ratio(t, cosine), fall)


@dual.register(Erf)
def _(layer: Erf, k11: Array, k22: Array, d: Array) -> Dual:
    """Equation (11) of Williams (1996), Computing with infinite networks."""
    a, b, c = layer.numbers(d)
    w = 2 * b**2
    pair = correlation(k11, k22, d, w)
    scale = a**2 * 2 / math.pi
    e, scale1, scale2 = scale * pair.arcsine, _erf_scale(k11, w), _erf_scale(k22, w)
    roots = safe_sqrt(1 / (1 + w * k11)) * safe_sqrt(1 / (1 + w * k22))
    e_prime = scale * w * roots / pair.cosine
    start, near = defect_of_variances(_erf_metric(k11, w), _erf_metric(k22, w), log_variance(k11), log_variance(k22))
    near = near & (d < near_limit(d.dtype))
    ratio = arcsine_ratio(pair.size * (1 - d), pair.cosine)
    inverse = 1 / (scale1 * scale2)
    d_out = jnp.clip(jnp.where(near, start + pair.fall * inverse, 1 - (1 - d) * ratio * inverse), 0, 2)
    if is_known(layer.c) and layer.c == 0:
        return e, e_prime, d_out
    one, two = (scale * _noisy_share(k, w) * r**2 for k, r in ((k11, scale1), (k22, scale2)))
    return e + c**2, e_prime, affine_defect(one, two, d_out, 1.0, c**2)


def _noisy_share(k: Array, w: Array) -> Array:
    return w * k / (1 + w * k)


def _erf_scale(k: Array, w: Array) -> Array:
    r"""$\sqrt{\arcsin(s) / s}$."""
    s, q = _noisy_share(k, w), 1 / (1 + w * k)
    return jnp.sqrt(arcsine_ratio(s, jnp.sqrt(q * (1 + s))))


def _erf_metric(k: Array, w: Array) -> Array:
    r"""`variance_metric` in closed form: $q^2 F''/4$ of $F(x) = \log\arcsin e^x$, $F'' = T (1 + T^2)/\alpha - T^2/\alpha^2$."""
    s, q = _noisy_share(k, w), 1 / (1 + w * k)
    cosine = jnp.sqrt(q * (1 + s))
    ratio = 1 / (cosine * arcsine_ratio(s, cosine))  # T / alpha, T the tangent of alpha = arcsin s
    return q**2 / 4 * jnp.maximum(ratio / cosine**2 - ratio**2, 0)


@dual.register(Gelu)
def _(layer: Gelu, k11: Array, k22: Array, d: Array) -> Dual:
    r"""From $\phi = z \Phi(z)$ by integration by parts; `root` is that of $(1 + k_{11})(1 + k_{22}) - k_{12}^2$."""
    pair = correlation(k11, k22, d, 1.0)
    q1, q2 = 1 / (1 + k11), 1 / (1 + k22)
    g, rho, roots, sums = safe_sqrt(k11) * safe_sqrt(k22), 1 - d, jnp.sqrt(q1) * jnp.sqrt(q2), q1 + q2
    both_positive = 0.25 + pair.arcsine / (2 * math.pi)
    inverse = roots / pair.cosine  # 1 / root
    shape = rho * both_positive + g * (pair.minor + rho**2 * sums) * inverse / (2 * math.pi)
    e_prime = both_positive + g * rho * inverse / (2 * math.pi) * (sums + inverse**2)
    scale1, scale2 = _gelu_scale(k11), _gelu_scale(k22)
    metric1, metric2 = variance_metric(_gelu_aligned, k11), variance_metric(_gelu_aligned, k22)
    start, near = defect_of_variances(metric1, metric2, log_variance(k11), log_variance(k22))
    near = near & (d < near_limit(d.dtype))
    spread = sums * g**2 * roots**2 / (pair.equal * (pair.equal + pair.cosine)) - (1 - sums)
    fall = d * both_positive + (pair.size * pair.fall + g * pair.minor * spread * inverse) / (2 * math.pi)
    size = scale1 * scale2
    d_out = jnp.clip(jnp.where(near, start + fall / size, 1 - shape / size), 0, 2)
    return g * shape, e_prime, d_out


def _gelu_aligned(k11: Array, k22: Array) -> Array:
    r"""$E[\phi(r_1 z) \phi(r_2 z)] / (r_1 r_2)$."""
    q1, q2 = 1 / (1 + k11), 1 / (1 + k22)
    s1, s2 = k11 * q1, k22 * q2
    t, cosine = jnp.sqrt(s1 * s2), jnp.sqrt(q1 + s1 * q2)
    inverse = jnp.sqrt(q1 * q2) / cosine
    g = jnp.sqrt(k11 * k22)
    return 0.25 + t * arcsine_ratio(t, cosine) / (2 * math.pi) + g * (q1 + q2) * inverse / (2 * math.pi)


def _gelu_scale(k: Array) -> Array:
    r"""$\sqrt{E \phi^2 / k}$."""
    q = 1 / (1 + k)
    s = k * q
    arcsine = s * arcsine_ratio(s, jnp.sqrt(q * (1 + s)))
    return jnp.sqrt(0.25 + arcsine / (2 * math.pi) + k * q / jnp.sqrt(1 + 2 * k) / math.pi)
