r"""Elementary functions whose values and first derivatives are finite at their singular points.

Everything here is elementwise, broadcasts as NumPy does, and keeps the precision of its inputs. The *angle defect* of
two vectors is $d = 1 - \cos\theta \in [0, 2]$: carried in place of the cosine, it keeps its last digits for nearly
equal vectors.
"""

import functools
import math
from collections.abc import Sequence
from fractions import Fraction

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array

from .materialise import materialise


def _to_array(x: ArrayLike) -> Array:
    x = jnp.asarray(float(x) if isinstance(x, int) else x)  # a Python number stays weakly typed
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


def safe_sqrt(x: ArrayLike) -> Array:
    r"""$\sqrt x$ for $x > 0$; value and derivative 0 for $x \le 0$.

    >>> float(safe_sqrt(4.0)), float(jax.grad(safe_sqrt)(0.0))
    (2.0, 0.0)
    """
    x = _to_array(x)
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)


def safe_divide(a: ArrayLike, b: ArrayLike) -> Array:
    """a / b where b is not 0; value and derivatives 0 where it is.

    >>> float(safe_divide(1.0, 0.0)), float(jax.grad(safe_divide, 1)(1.0, 0.0))
    (0.0, 0.0)
    """
    a, b = _to_array(a), _to_array(b)
    legal = b != 0
    return jnp.where(legal, a / jnp.where(legal, b, 1), 0)


@jax.custom_jvp
def as_defect(d: ArrayLike) -> Array:
    """d clipped to [0, 2], with the derivative 1 at both ends: where two inputs coincide d is 0, its second is not.

    >>> float(as_defect(-0.1)), float(jax.grad(as_defect)(0.0)), float(jax.grad(as_defect)(-0.1))
    (0.0, 1.0, 0.0)
    """
    return jnp.clip(_to_array(d), 0, 2)


@as_defect.defjvp
def _(primals, tangents):
    (d,), (dd,) = primals, tangents
    d = _to_array(d)
    rounding = 8 * float(jnp.finfo(d.dtype).eps)
    return as_defect(d), jnp.where((d >= -rounding) & (d <= 2 + rounding), dd, 0)


@jax.custom_jvp
def arcsin_safe(x: ArrayLike) -> Array:
    r"""$\arcsin x$ in $[-\pi/2, \pi/2]$, of x clipped to [-1, 1]; derivative 0 where $|x| \ge 1$.

    >>> round(float(arcsin_safe(1.5)), 4), float(jax.grad(arcsin_safe)(1.0))
    (1.5708, 0.0)
    """
    return jnp.arcsin(jnp.clip(_to_array(x), -1, 1))


@arcsin_safe.defjvp
def _(primals, tangents):
    (x,), (dx,) = primals, tangents
    return arcsin_safe(x), safe_divide(1.0, safe_sqrt((1 - x) * (1 + x))) * dx


@functools.cache
def _coefficients(integrated: bool, degree: int) -> tuple[float, ...]:
    r"""Polynomial in d on [0, 1], lowest power first, for $\theta / \sqrt d$, or its integral over d by $d^{3/2}$.

    The Taylor series $\theta = \sqrt{2d} \sum_n a_n (d/2)^n$, $a_n = \binom{2n}{n} / (4^n (2n+1))$, or its integral,
    which is $\sin\theta - \theta\cos\theta$, economised: leading powers are removed by shifted Chebyshev polynomials.
    Exact arithmetic until the last step, since the powers are close to dependent. As equation 4.4.46 of Abramowitz and
    Stegun (1964), but with a bounded relative error; it falls by 3 + sqrt 8 with each degree.
    """
    size = 64
    series = [Fraction(math.comb(2 * n, n), 8**n * (2 * n + 1)) for n in range(size)]
    if integrated:
        series = [a * Fraction(2, 2 * n + 3) for n, a in enumerate(series)]
    chebyshev = [[1], [-1, 2]]
    for _ in range(2, size):
        last, before = chebyshev[-1], chebyshev[-2]
        doubled = [0, *(4 * c for c in last)]
        minus = [*(-2 * c for c in last), 0]
        chebyshev.append([x + y - z for x, y, z in zip(doubled, minus, [*before, 0, 0], strict=True)])
    while len(series) > degree + 1:
        top = series.pop()
        shifted = chebyshev[len(series)]
        series = [a - top * Fraction(c, shifted[-1]) for a, c in zip(series, shifted, strict=False)]
    return tuple(math.sqrt(2) * float(a) for a in series)


def _degree(x: Array) -> int:
    return 19 if x.dtype == jnp.float64 else 7


def _horner(x: Array, coefficients: Sequence[float]) -> Array:
    value = jnp.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        value = value * x + c
    return value


def _polynomial(x: Array, integrated: bool) -> Array:
    return _horner(x, _coefficients(integrated, _degree(x)))


def _fold(d: Array) -> tuple[Array, Array]:
    """d clipped to [0, 2], and the smaller of d and 2 - d, which is exact."""
    d = as_defect(d)
    return d, jnp.minimum(d, 2 - d)


def _slope(d: Array) -> Array:
    return safe_divide(1.0, safe_sqrt(d * (2 - d)))


@jax.custom_jvp
def angle_of_defect(d: ArrayLike) -> Array:
    r"""The angle $\theta = 2 \arcsin\sqrt{d/2}$ in $[0, \pi]$ of a defect $d = 1 - \cos\theta$.

    Accurate to its last digits at both ends. By polynomials in d, as XLA's inverse trigonometry is slow.

    Args:
        d: any shape, clipped to [0, 2].

    Returns:
        The angle in radians; its derivative is $1/\sqrt{d(2-d)}$, and 0 at d = 0 and d = 2.

    >>> [round(float(t), 4) for t in angle_of_defect(jnp.array([0.0, 1.0, 2.0]))]
    [0.0, 1.5708, 3.1416]
    """
    d, e = _fold(_to_array(d))
    angle = jnp.sqrt(e) * _polynomial(e, integrated=False)
    return jnp.where(d > 1, jnp.pi - angle, angle)


@angle_of_defect.defjvp
def _(primals, tangents):
    (d,), (dd,) = primals, tangents
    return angle_of_defect(d), _slope(d) * dd


@jax.custom_jvp
def relu_defect(d: ArrayLike) -> tuple[Array, Array]:
    r"""Defect $d - (\sin\theta - \theta\cos\theta)/\pi$ of two Gaussians after ReLU, and the angle $\theta$ before it.

    No cancellation for small d. The derivative of the first is $1 - \theta/\pi$, everywhere; of the second, see
    `angle_of_defect`. Equation (6) of Cho and Saul (2009), arcs of order 1, written for the defect.

    Args:
        d: any shape, clipped to [0, 2].

    Returns:
        The defect after, in [0, 1], and the angle before, in radians; both of the shape of d.

    >>> [round(float(e), 4) for e in relu_defect(1.0)]
    [0.6817, 1.5708]
    """
    d, e = _fold(_to_array(d))
    # a root for each, as XLA would write a common one to memory; that of e / 2 it does not take for the same
    angle = jnp.sqrt(e / 2) * (math.sqrt(2) * _polynomial(e, integrated=False))
    # with f = sin - theta cos as a function of d: f(d) = f(2 - d) + pi (d - 1)
    d_out = jnp.minimum(d, 1) - e * jnp.sqrt(e) * _polynomial(e, integrated=True) / jnp.pi
    return d_out, jnp.where(d > 1, jnp.pi - angle, angle)


@relu_defect.defjvp
def _(primals, tangents):
    (d,), (dd,) = primals, tangents
    d_out, angle = relu_defect(d)
    return (d_out, angle), ((1 - angle / jnp.pi) * dd, _slope(d) * dd)


def arcsine_ratio(t: ArrayLike, cosine: ArrayLike) -> Array:
    r"""$\arcsin(t) / t$ for $|t| \le 1$, given $\sqrt{1 - t^2}$ to its last digits; 1 at t = 0.

    By $\arcsin t = 2 \arcsin(t / \sqrt{2 (1 + \sqrt{1 - t^2})})$ and the polynomial of `angle_of_defect`.

    >>> round(6 * float(arcsine_ratio(0.5, 0.75**0.5)), 4)
    6.2832
    """
    t, cosine = _to_array(t), _to_array(cosine)
    half = lax.rsqrt(1 + cosine)
    return half * _polynomial((t * half) ** 2, integrated=False)


def arcsine_ratio_of_square(x: ArrayLike) -> Array:
    r"""$\arcsin(t) / t$ of $x = t^2 \in [0, 1/2]$; 1 at 0. By the polynomial of `angle_of_defect`, at 2 x.

    >>> round(6 * float(arcsine_ratio_of_square(0.25)), 4)
    6.2832
    """
    x = _to_array(x)
    return _horner(x, [c * 2**n / math.sqrt(2) for n, c in enumerate(_coefficients(False, _degree(x)))])


@jax.custom_jvp
def sine_minus_angle_cosine(angle: ArrayLike) -> Array:
    r"""$\sin t - t \cos t = t^3/3 - t^5/30 + \dots$, $|t| \le \pi$, without cancellation; the derivative is $t \sin t$.

    >>> f"{float(sine_minus_angle_cosine(1e-3)):.5e}"
    '3.33333e-10'
    """
    t = _to_array(angle)
    x = jnp.minimum(t * t, 2.25)
    series = jnp.zeros_like(t)
    for k in range(12 if t.dtype == jnp.float64 else 7, 0, -1):
        series = 2 * k / math.factorial(2 * k + 1) - x * series
    return jnp.where(jnp.abs(t) < 1.5, t**3 * series, jnp.sin(t) - t * jnp.cos(t))


@sine_minus_angle_cosine.defjvp
def _(primals, tangents):
    (t,), (dt,) = primals, tangents
    return sine_minus_angle_cosine(t), t * jnp.sin(t) * dt


def affine_defect(k11: ArrayLike, k22: ArrayLike, d: ArrayLike, w: ArrayLike, b: ArrayLike) -> Array:
    r"""Angle defect after $k \to w k + b$: a dense layer, weight variance w, bias variance b; without cancellation.

    $d' = c_1 c_2 d + \tfrac12 (c_1 - c_2)^2 + \tfrac12 b (s_1 - s_2)^2$ with $s_i = (w k_{ii} + b)^{-1/2}$ and
    $c_i = s_i \sqrt{w k_{ii}}$: the bias turns each vector by an angle of cosine c towards one and the same
    direction. Roots and quotients belong to one input each, so that a pair costs products and sums alone.

    Args:
        k11, k22: variances before, any shapes that broadcast, not negative.
        d: defect before, in [0, 2].
        w, b: not negative.

    Returns:
        The defect after; d itself where a variance after the layer is 0. Derivatives are finite at zero variances too.

    >>> round(float(affine_defect(1.0, 1.0, 0.5, 3.0, 1.0)), 6)
    0.375
    """
    k11, k22, d, w, b = (_to_array(x) for x in (k11, k22, d, w, b))
    (c1, s1), (c2, s2) = materialise((_turned(k11, w, b), _turned(k22, w, b)))
    return c1 * c2 * d + (c1 - c2) ** 2 / 2 + b / 2 * (s1 - s2) ** 2


def _turned(k: Array, w: Array, b: Array) -> tuple[Array, Array]:
    """Cosine of the angle by which a bias turns a vector of variance k, and its sine over sqrt(b)."""
    size = safe_sqrt(w * k + b)
    return jnp.where(size > 0, safe_divide(safe_sqrt(w * k), size), 1), safe_divide(1.0, size)


def difference_defect(u1: Array, u2: Array) -> Array:
    r"""$\tfrac12 |u_1 - u_2|^2$, summed over the last axis: the accurate defect of nearly equal unit vectors.

    >>> round(float(difference_defect(jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))), 6)
    1.0
    """
    return jnp.sum((u1 - u2) ** 2, axis=-1) / 2
