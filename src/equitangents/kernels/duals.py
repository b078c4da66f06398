r"""Closed forms of $E[\phi(u)\phi(v)]$ and $E[\phi'(u)\phi'(v)]$, in the angle defect so that no digits are lost."""

import math

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import AbRelu, Abs, Cos, Exp, ExpNormalized, Gabor, Gaussian, Identity, LeakyRelu, Rbf, Relu, Sign, Sin
from ..numerics import angle_of_defect, as_defect, relu_defect, safe_divide, safe_sqrt
from .activations import Dual, dual
from .kernel import half_distance


@dual.register(Identity)
def _(layer: Identity, k11: Array, k22: Array, d: Array) -> Dual:
    return safe_sqrt(k11) * safe_sqrt(k22) * (1 - d), jnp.ones_like(d), d


@dual.register(Relu)
def _(layer: Relu, k11: Array, k22: Array, d: Array) -> Dual:
    """Equations (3) and (6) of Cho and Saul (2009)."""
    d_out, angle = relu_defect(d)
    return safe_sqrt(k11) * safe_sqrt(k22) * (1 - d_out) / 2, (math.pi - angle) / (2 * math.pi), d_out


def _with_kink(odd, even, k11: Array, k22: Array, d: Array) -> tuple[Array, Array, Array]:
    """phi(z) = odd * z + even * |z|; both parts contribute on their own, as their product averages to zero."""
    d_relu, angle = relu_defect(d)
    total = odd**2 + even**2
    d_out = d + safe_divide(even**2, total) * 2 * (d_relu - d)
    e = total * safe_sqrt(k11) * safe_sqrt(k22) * (1 - d_out)
    return e, odd**2 + even**2 * (1 - 2 * angle / math.pi), d_out


@dual.register(LeakyRelu)
def _(layer: LeakyRelu, k11: Array, k22: Array, d: Array) -> Dual:
    slope = jnp.asarray(layer.slope, d.dtype)
    return _with_kink((1 + slope) / 2, (1 - slope) / 2, k11, k22, d)


@dual.register(AbRelu)
def _(layer: AbRelu, k11: Array, k22: Array, d: Array) -> Dual:
    a, b = layer.numbers(d)
    return _with_kink((b + a) / 2, (b - a) / 2, k11, k22, d)


@dual.register(Abs)
def _(layer: Abs, k11: Array, k22: Array, d: Array) -> Dual:
    near = jnp.minimum(d, 2 - d)  # |z| does not see a sign
    e, e_prime, d_out = _with_kink(0.0, 1.0, k11, k22, near)
    return e, jnp.where(d <= 1, e_prime, -e_prime), d_out


@dual.register(Sign)
def _(layer: Sign, k11: Array, k22: Array, d: Array) -> Dual:
    d_out = 2 / math.pi * angle_of_defect(d)
    seen = ((k11 > 0) & (k22 > 0)).astype(d.dtype)
    return seen * (1 - d_out), jnp.zeros_like(d), d_out


@dual.register(Sin)
def _(layer: Sin, k11: Array, k22: Array, d: Array) -> Dual:
    a, b, c = layer.numbers(d)
    return _sine(a, b, jnp.cos(2 * c), k11, k22, d)


@dual.register(Cos)
def _(layer: Cos, k11: Array, k22: Array, d: Array) -> Dual:
    a, b, c = layer.numbers(d)
    return _sine(a, b, -jnp.cos(2 * c), k11, k22, d)


@dual.register(Rbf)
def _(layer: Rbf, k11: Array, k22: Array, d: Array) -> Dual:
    gamma = jnp.asarray(layer.gamma, d.dtype)
    d_out = -jnp.expm1(-2 * gamma * half_distance(k11, k22, d))
    return 1 - d_out, 2 * gamma * (1 - d_out), d_out


def _sine(a: Array, b: Array, mirror: Array, k11: Array, k22: Array, d: Array) -> Dual:
    r"""phi(z) = a sin(b z + c), `mirror` = cos 2c: the characteristic function of the Gaussian at u - v and at u + v.

    Half the mean square of phi(u) - phi(v) is a^2/2 (1 - exp(-x) - mirror (f1 - f2)^2/2 + mirror f1 f2 (exp(x) - 1)),
    with x = b^2 half_distance and f = exp(-b^2 k), without cancellation.
    """
    f1, f2 = jnp.exp(-(b**2) * k11), jnp.exp(-(b**2) * k22)
    x = b**2 * half_distance(k11, k22, d)
    difference, total = jnp.exp(-x), jnp.exp(-(b**2) * half_distance(k11, k22, 2 - d)) * mirror
    near = jnp.where(mirror <= -1, b**2 * half_distance(k11, k22, jnp.minimum(d, 2 - d)), x)  # cos does not see a sign
    lost = -jnp.expm1(-near)
    apart = lost - mirror * (f1 - f2) ** 2 / 2 + mirror * _growth(near, f1 * f2, b**2 * (k11 + k22))
    s1, s2 = (_sine_size(mirror, k, f, b) for k, f in ((k11, f1), (k22, f2)))
    steps = safe_divide(mirror * (f2 - f1) * (f1 + f2), s1 + s2)
    inverse1, inverse2 = (safe_divide(jnp.ones_like(s), s) for s in (s1, s2))  # of tiny ones a product is too large
    d_out = as_defect((apart - steps**2 / 2) * inverse1 * inverse2)
    return a**2 / 2 * (difference - total), a**2 * b**2 / 2 * (difference + total), d_out


def _growth(x: Array, product: Array, total: Array) -> Array:
    """f1 f2 (exp(x) - 1) of a distance x <= total and f1 f2 = exp(-total), without overflow."""
    return jnp.where(x < 1, product * jnp.expm1(jnp.minimum(x, 1)), jnp.exp(jnp.minimum(x - total, 0)) - product)


def _sine_size(mirror: Array, k: Array, f: Array, b: Array) -> Array:
    r"""$\sqrt{1 - m e^{-2 b^2 k}}$, also where m = 1 and k is small."""
    return safe_sqrt(1 - mirror - mirror * jnp.expm1(-2 * b**2 * k))


@dual.register(Exp)
def _(layer: Exp, k11: Array, k22: Array, d: Array) -> Dual:
    a, b = layer.numbers(d)
    e = a**2 * jnp.exp(b**2 * ((k11 + k22) / 2 + safe_sqrt(k11) * safe_sqrt(k22) * (1 - d)))
    return e, b**2 * e, -jnp.expm1(-(b**2) * half_distance(k11, k22, d))


@dual.register(Gaussian)
def _(layer: Gaussian, k11: Array, k22: Array, d: Array) -> Dual:
    r"""$E = a^2 \det^{-1/2}$; $1 - (1 + x)^{-1/2}$ is the defect, $1 + x = \det / \sqrt{p_1 p_2}$, $p = 1 + 4 b k$."""
    a, b = jnp.asarray(layer.a, d.dtype), jnp.asarray(layer.b, d.dtype)
    p1, p2 = 1 + 4 * b * k11, 1 + 4 * b * k22
    root1, root2 = jnp.sqrt(p1), jnp.sqrt(p2)
    size = root1 * root2
    share = safe_sqrt(4 * b * k11 / p1) * safe_sqrt(4 * b * k22 / p2)
    step = 4 * b * (k11 - k22) / (root1 + root2)
    x = step / root1 * (step / root2) / 2 + share**2 * size * d * (2 - d) / 4
    e = a**2 / (jnp.sqrt(size) * jnp.sqrt(1 + x))
    return e, b * share * (1 - d) * e / (1 + x), -jnp.expm1(-jnp.log1p(x) / 2)


@dual.register(Gabor)
def _(layer: Gabor, k11: Array, k22: Array, d: Array) -> Dual:
    """The Gaussian factors change the covariance to that of inverse plus 2; under it, the dual of the sine."""
    k12, minor = safe_sqrt(k11) * safe_sqrt(k22) * (1 - d), k11 * k22 * d * (2 - d)
    determinant = 1 + 2 * (k11 + k22) + 4 * minor
    decay, phase = (k11 + k22 + 4 * minor) / (2 * determinant), k12 / determinant
    same, opposite = jnp.exp(phase - decay) / 2, jnp.exp(-phase - decay) / 2
    odd, even = (same - opposite) / jnp.sqrt(determinant), (same + opposite) / jnp.sqrt(determinant)
    return odd, 8 * phase * (1 - decay) * odd + (1 / determinant + 8 * phase**2) * even


@dual.register(ExpNormalized)
def _(layer: ExpNormalized, k11: Array, k22: Array, d: Array) -> Dual:
    gamma, shift = layer.numbers(d)
    slope = jnp.exp(gamma * (1 - d + shift))
    return safe_sqrt(k11) * safe_sqrt(k22) * slope, gamma * slope, -jnp.expm1(-gamma * d)
