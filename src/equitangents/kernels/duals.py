r"""Closed forms of $E[\phi(u)\phi(v)]$ and $E[\phi'(u)\phi'(v)]$, in the angle defect so that no digits are lost."""

import math

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import Abs, Cos, Erf, Gelu, Identity, LeakyRelu, Relu, Sin
from ..numerics import angle_of_defect, relu_defect, safe_sqrt
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
    d_out = d + even**2 / total * 2 * (d_relu - d)
    e = total * safe_sqrt(k11) * safe_sqrt(k22) * (1 - d_out)
    return e, odd**2 + even**2 * (1 - 2 * angle / math.pi), d_out


@dual.register(LeakyRelu)
def _(layer: LeakyRelu, k11: Array, k22: Array, d: Array) -> Dual:
    slope = jnp.asarray(layer.slope, d.dtype)
    return _with_kink((1 + slope) / 2, (1 - slope) / 2, k11, k22, d)


@dual.register(Abs)
def _(layer: Abs, k11: Array, k22: Array, d: Array) -> Dual:
    near = jnp.minimum(d, 2 - d)  # |z| does not see a sign
    e, e_prime, d_out = _with_kink(0.0, 1.0, k11, k22, near)
    return e, jnp.where(d <= 1, e_prime, -e_prime), d_out


def _noisy_defect(k11: Array, k22: Array, d: Array, w: Array | float) -> Array:
    """Angle defect of sqrt(w) u + x and sqrt(w) v + y, with x and y independent of unit variance."""
    s = safe_sqrt(k11) * safe_sqrt(k22)
    s_out = jnp.sqrt(1 + w * k11) * jnp.sqrt(1 + w * k22)
    return ((1 + w * (k11 + k22)) / (s_out + w * s) + w * s * d) / s_out


@dual.register(Erf)
def _(layer: Erf, k11: Array, k22: Array, d: Array) -> Dual:
    """Equation (11) of Williams (1996), Computing with infinite networks."""
    a, b, c = layer.numbers(d)
    w = 2 * b**2
    arcsine = math.pi / 2 - angle_of_defect(_noisy_defect(k11, k22, d, w))
    determinant = 1 + w * (k11 + k22) + w**2 * k11 * k22 * d * (2 - d)
    return a**2 * 2 / math.pi * arcsine + c**2, a**2 * 2 * w / math.pi / jnp.sqrt(determinant)


@dual.register(Gelu)
def _(layer: Gelu, k11: Array, k22: Array, d: Array) -> Dual:
    r"""From $\phi = z \Phi(z)$ by integration by parts; `root` is that of $(1 + k_{11})(1 + k_{22}) - k_{12}^2$."""
    k12 = safe_sqrt(k11) * safe_sqrt(k22) * (1 - d)
    minor = k11 * k22 * d * (2 - d)
    root = jnp.sqrt(1 + k11 + k22 + minor)
    both_positive = 0.5 - angle_of_defect(_noisy_defect(k11, k22, d, 1.0)) / (2 * math.pi)
    inverses = 1 / (1 + k11) + 1 / (1 + k22)
    e = k12 * both_positive + (minor + k12**2 * inverses) / (2 * math.pi * root)
    return e, both_positive + k12 / (2 * math.pi * root) * (inverses + 1 / root**2)


@dual.register(Sin)
def _(layer: Sin, k11: Array, k22: Array, d: Array) -> Dual:
    a, b, c = layer.numbers(d)
    return _sine(a, b, c, k11, k22, d)


@dual.register(Cos)
def _(layer: Cos, k11: Array, k22: Array, d: Array) -> Dual:
    a, b, c = layer.numbers(d)
    return _sine(a, b, c + math.pi / 2, k11, k22, d)


def _sine(a: Array, b: Array, c: Array, k11: Array, k22: Array, d: Array) -> Dual:
    """phi(z) = a sin(b z + c): the characteristic function of the Gaussian at u - v and at u + v."""
    difference = jnp.exp(-(b**2) * half_distance(k11, k22, d))
    total = jnp.exp(-(b**2) * half_distance(k11, k22, 2 - d)) * jnp.cos(2 * c)
    return a**2 / 2 * (difference - total), a**2 * b**2 / 2 * (difference + total)
