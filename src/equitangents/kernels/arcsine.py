"""Duals of erf and GELU: the arcsine of a correlation, and how far it falls with d, without cancellation.

With w the noise scale, $s = w k / (1 + w k)$, $t = \rho \\sqrt{s_1 s_2}$ is the correlation of $\\sqrt w u + x$ and
$\\sqrt w v + y$, x and y independent of unit variance. Few square roots and divisions are left for each pair.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import Erf, Gelu
from ..nets.base import is_known
from ..numerics import (
    affine_defect,
    angle_of_defect,
    arcsine_ratio,
    arcsine_ratio_of_square,
    as_defect,
    materialise,
    safe_sqrt,
)
from ..numerics.doubled import Doubled, add, arctangent, constant, divide, multiply, negative, root
from .activations import Dual, doubled_second_moment, dual, second_moment
from .kernel import Needs
from .nearby import defect_of_variances, log_variance, near_limit, variance_metric
from .propagate import needs


class Correlation(NamedTuple):
    r"""Of two noisy variables, for each pair.

    Attributes:
        size: $\sqrt{s_1 s_2}$.
        both: $s_1 s_2$.
        minor: $1 - \rho^2$.
        cosine: of the arcsine, $\sqrt{1 - t^2}$.
        equal: the cosine at d = 0.
        sine: of the difference of arcsin t at d = 0 and at d, divided by `size`; good where d is small.
    """

    size: Array
    both: Array
    minor: Array
    cosine: Array
    equal: Array
    sine: Array


def correlation(one: "Noisy", two: "Noisy", d: Array) -> Correlation:
    """From what belongs to each variable and the angle defect before the noise."""
    rho, minor = 1 - d, d * (2 - d)
    both = one.share * two.share
    rest = one.rest + one.share * two.rest  # 1 - both
    cosine, equal = jnp.sqrt(rest + both * minor), jnp.sqrt(rest)
    sine = minor / (cosine + jnp.maximum(rho, 0) * equal)
    return Correlation(one.root * two.root, both, minor, cosine, equal, sine)


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
    return Noisy(share, safe_sqrt(share), rest, jnp.sqrt(rest), scale, metric, log_variance(k))


def _start(one: Noisy, two: Noisy, d: Array) -> tuple[Array, Array]:
    """The defect after at d = 0, good for near pairs, and where they are near."""
    start, near = defect_of_variances(one.metric, two.metric, one.log, two.log)
    return start, near & (d < near_limit(d.dtype))


@dual.register(Erf)
def _(layer: Erf, k11: Array, k22: Array, d: Array) -> Dual:
    """Equation (11) of Williams (1996), Computing with infinite networks."""
    a, b, c = layer.numbers(d)
    w = 2 * b**2
    (one, norm1), (two, norm2) = materialise(tuple(_erf_own(k, w) for k in (k11, k22)))
    pair = correlation(one, two, d)
    scale, rho = a**2 * 2 / math.pi, 1 - d
    t = pair.size * rho
    start, near = _start(one, two, d)
    # one arcsine: of the difference of near pairs, else of the smaller of t, without its size, and the cosine
    small = jnp.abs(t) <= pair.cosine
    square = jnp.where(small, t, pair.cosine) ** 2
    ratio = arcsine_ratio_of_square(jnp.where(near, jnp.minimum(pair.both * pair.sine**2, 0.25), square))
    other = math.pi / 2 - pair.cosine * ratio
    angle = jnp.where(small, rho * ratio, jnp.where(rho < 0, -other, other))
    inverse = one.scale * two.scale
    far = 1 - angle * jnp.where(small, inverse, norm1 * norm2)
    d_out = as_defect(jnp.where(near, start + pair.sine * ratio * inverse, far))
    e = scale * jnp.where(near, pair.size * (1 - d_out) / inverse, angle * jnp.where(small, pair.size, 1))
    e_prime = scale * w * one.rest_root * two.rest_root / pair.cosine
    if is_known(layer.c) and layer.c == 0:
        return e, e_prime, d_out
    before1, before2 = (scale * noisy.share / noisy.scale**2 for noisy in (one, two))
    return e + c**2, e_prime, affine_defect(before1, before2, d_out, 1.0, c**2)


def _erf_own(k: Array, w: Array) -> tuple[Noisy, Array]:
    r"""What belongs to one input, and $\alpha^{-1/2}$, $\alpha = \arcsin s$, where s is at least 1/4.

    The metric is $q^2 F''/4$ of $F(y) = \log\arcsin e^y$ at $y = \log s$.
    """
    x = w * k
    q = 1 / (1 + x)
    s = x * q
    cosine = jnp.sqrt(q * (1 + s))
    arcsine = arcsine_ratio(s, cosine)
    ratio = q / (cosine * arcsine)  # q T / alpha, T the tangent of alpha
    metric = jnp.maximum(ratio / (1 + s) - ratio**2, 0) / 4
    return _noisy(k, w, lax.rsqrt(arcsine), metric), lax.rsqrt(jnp.maximum(s, 0.25) * arcsine)


@dual.register(Gelu)
def _(layer: Gelu, k11: Array, k22: Array, d: Array) -> Dual:
    r"""From $\phi = z \Phi(z)$ by integration by parts: $E[\phi\phi] = r_1 r_2 S$, with S in terms of $\arccos t$.

    $d' = ((S_1 + S_2)/2 - S - (\sqrt{S_1} - \sqrt{S_2})^2/2) / \sqrt{S_1 S_2}$ with $S_i = E[\phi^2] / k_{ii}$. What is
    subtracted is small for large variances: the absolute error is two to ten times below that of $1 - \cos$.
    """
    (one, own1), (two, own2) = materialise(tuple(_gelu_own(k) for k in (k11, k22)))
    pair = correlation(one, two, d)
    rho, sums, inverse = 1 - d, one.rest + two.rest, one.rest_root * two.rest_root / pair.cosine
    density = pair.size / (2 * math.pi * pair.cosine)
    negative_one = angle_of_defect(own1.gap + one.root * own2.gap + pair.size * d) / (2 * math.pi)
    both_positive, bend = 0.5 - negative_one, density * (pair.minor + rho**2 * sums)
    e_prime = both_positive + rho * density * (sums + inverse**2)
    narrower = sums * pair.size**2 / (pair.equal * (pair.equal + pair.cosine)) - (1 - sums)
    x = jnp.minimum(pair.both * pair.sine**2, 0.25)
    angle = pair.sine * (1 + x * (1 / 6 + x * (3 / 40 + x * (5 / 112 + x * 35 / 1152))))
    fall = d * both_positive + pair.size * angle / (2 * math.pi) + density * pair.minor * narrower
    lost = d / 2 + (own1.half + own2.half) + (rho * negative_one - bend) - (own1.norm - own2.norm) ** 2 / 2
    size = one.scale * two.scale
    start, near = _start(one, two, d)
    d_out = jnp.where(near, start + fall * size, lost * size)
    return own1.deviation * own2.deviation * (1 - d_out), e_prime, as_defect(d_out)


class GeluOwn(NamedTuple):
    r"""What belongs to one input, with $S = E[\phi^2] / k$.

    Attributes:
        half: half of S - 1/2.
        norm: the square root of S.
        deviation: that of $E[\phi^2]$.
        gap: $1 - \sqrt{k / (1 + k)}$.
    """

    half: Array
    norm: Array
    deviation: Array
    gap: Array


def _gelu_own(k: Array) -> tuple[Noisy, GeluOwn]:
    lost = _gelu_lost(k)
    norm = jnp.sqrt(0.5 - lost)
    noisy = _noisy(k, 1.0, 1 / norm, variance_metric(_gelu_aligned, k))
    return noisy, GeluOwn(-lost / 2, norm, safe_sqrt(k) * norm, noisy.rest / (1 + noisy.root))


def _gelu_lost(k: Array) -> Array:
    r"""$1/2 - E[\phi^2] / k$, of which ReLU would have 0."""
    rest = 1 / (1 + k)
    share = k * rest
    return angle_of_defect(rest) / (2 * math.pi) - share * jnp.sqrt(rest / (1 + share)) / math.pi


@second_moment.register(Gelu)
def _(layer: Gelu, k: Array) -> Array:
    return k * (0.5 - _gelu_lost(k))


@doubled_second_moment.register(Gelu)
def _(layer: Gelu, k: Doubled) -> Doubled:
    r"""$k / 2 - k (\arctan u - u k / (1 + k)) / \pi$ with $u = (1 + 2k)^{-1/2}$."""
    return _gelu_doubled(k)


@jax.jit  # traced once
def _gelu_doubled(k: Doubled) -> Doubled:
    one, half, inverse_pi = (constant(c, k.high) for c in (1.0, 0.5, 1 / math.pi))
    u = divide(one, root(add(one, Doubled(2 * k.high, 2 * k.low))))
    bend = multiply(u, divide(k, add(one, k)))
    return multiply(k, add(half, multiply(add(bend, negative(arctangent(u))), inverse_pi)))


@needs.register(Gelu)
def _(layer: Gelu, after: Needs) -> Needs:
    """With all digits of variances: at sigma_w = 1.5 each layer enlarges what rounding does to them by 1.15."""
    return after | Needs(False, "sites", True)


def _gelu_aligned(k11: Array, k22: Array) -> Array:
    r"""$E[\phi(r_1 z) \phi(r_2 z)] / (r_1 r_2)$."""
    q1, q2 = 1 / (1 + k11), 1 / (1 + k22)
    s1, s2 = k11 * q1, k22 * q2
    t, cosine = safe_sqrt(s1 * s2), jnp.sqrt(q1 + s1 * q2)
    inverse = jnp.sqrt(q1 * q2) / cosine
    g = safe_sqrt(k11 * k22)
    return 0.25 + t * arcsine_ratio(t, cosine) / (2 * math.pi) + g * (q1 + q2) * inverse / (2 * math.pi)
