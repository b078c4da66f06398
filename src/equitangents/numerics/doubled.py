r"""Single-precision numbers with what rounding took from them: unevaluated sums `high + low` of some 45 bits.

For the few quantities that belong to one input and whose rounding errors a deep network enlarges. After Dekker (1971),
A floating-point technique for extending the available precision. Products of halves are exact, so that it does not
matter whether the compiler fuses a product with the sum that follows.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array


class Doubled(NamedTuple):
    """The number high + low, |low| at most about half a last digit of high; float32, elementwise, shapes broadcast."""

    high: Array
    low: Array


def doubled(x: ArrayLike) -> Doubled:
    """Of a number in any precision.

    >>> x = doubled(0.1)
    >>> abs(float(x.high) + float(x.low) - 0.1) < 1e-15
    True
    """
    if not isinstance(x, jax.Array):
        number = np.asarray(x, float)
        first = number.astype(np.float32)
        return Doubled(jnp.asarray(first), jnp.asarray((number - first).astype(np.float32)))
    high = x.astype(jnp.float32)
    return Doubled(high, (x - high.astype(x.dtype)).astype(jnp.float32))


def constant(x: float, like: Array) -> Doubled:
    """A number for each entry of `like`, which the compiler does not know: it reorders sums with those it knows."""
    value = doubled(x)
    known = like == like  # not so for NaN, which is why the compiler keeps it
    return Doubled(jnp.where(known, value.high, 0), jnp.where(known, value.low, 0))


def with_low(high: Array, low: Array | None) -> Doubled:
    """A number and what is known below its last digit, of which no more than that is believed; without derivatives."""
    high = lax.stop_gradient(high)
    most = jnp.finfo(jnp.float32).eps * jnp.abs(high)
    return Doubled(high, jnp.zeros_like(high) if low is None else jnp.clip(low, -most, most))


def _sum_of_two(a: Array, b: Array) -> Doubled:
    total = a + b
    of_b = total - a
    return Doubled(total, (a - (total - of_b)) + (b - of_b))


def _product_of_two(a: Array, b: Array) -> Doubled:
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    high, low = _sum_of_two(a1 * b1, a1 * b2 + a2 * b1)
    return Doubled(high, low + a2 * b2)


def _halves(a: Array) -> tuple[Array, Array]:
    """The first twelve bits of the digits, and the rest."""
    bits = lax.bitcast_convert_type(a, jnp.int32) & jnp.int32(-(2**12))
    first = lax.bitcast_convert_type(bits, jnp.float32)
    return first, a - first


def add(a: Doubled, b: Doubled) -> Doubled:
    """a + b."""
    high, low = _sum_of_two(a.high, b.high)
    return _sum_of_two(high, low + (a.low + b.low))


def multiply(a: Doubled, b: Doubled) -> Doubled:
    """a b."""
    high, low = _product_of_two(a.high, b.high)
    return _sum_of_two(high, low + (a.high * b.low + a.low * b.high))


def negative(a: Doubled) -> Doubled:
    """-a."""
    return Doubled(-a.high, -a.low)


def divide(a: Doubled, b: Doubled) -> Doubled:
    """a / b, b not 0."""
    first = a.high / b.high
    rest = add(a, negative(multiply(Doubled(first, jnp.zeros_like(first)), b)))
    return _sum_of_two(first, rest.high / b.high)


def root(a: Doubled) -> Doubled:
    """The square root of a > 0."""
    first = jnp.sqrt(a.high)
    rest = add(a, negative(_product_of_two(first, first)))
    return _sum_of_two(first, rest.high / (2 * first))


_ARCTANGENTS = np.arctan(np.arange(9) / 8)


def arctangent(a: Doubled) -> Doubled:
    r"""$\arctan a$ for 0 <= a <= 1: of the nearest eighth c, from a table, and $\arctan((a - c) / (1 + a c))$."""
    index = jnp.round(8 * a.high).astype(jnp.int32)
    eighth = doubled(index.astype(jnp.float32) / 8)
    one = constant(1.0, a.high)
    rest = divide(add(a, negative(eighth)), add(one, multiply(a, eighth)))
    x = rest.high**2
    series = rest.high * x * (-1 / 3 + x * (1 / 5 - x * (1 / 7 - x / 9)))
    table = doubled(_ARCTANGENTS)
    return add(Doubled(table.high[index], table.low[index]), add(rest, doubled(series)))


def mean_square(x: Array) -> Doubled:
    """The mean of x^2 over the last axis.

    Leading digits that are multiples of one power of two add up without rounding, in any order; the rest is small.
    """
    size = x.shape[-1]
    first, second = _halves(x)
    squares = first * first
    bound = 2 * size * jnp.max(squares, axis=-1, keepdims=True)
    power = lax.bitcast_convert_type(lax.bitcast_convert_type(bound, jnp.int32) & jnp.int32(0x7F800000), jnp.float32)
    unit = jnp.maximum(power * 2.0**-23, jnp.finfo(jnp.float32).tiny)
    leading = jnp.floor(squares / unit) * unit
    rest = (squares - leading) + (2 * first * second + second * second)
    total = _sum_of_two(jnp.sum(leading, axis=-1), jnp.sum(rest, axis=-1))
    return divide(total, constant(size, total.high))


@jax.custom_jvp
def with_slope_of(plain: Array, value: Array) -> Array:
    """`value` where it is finite, with the derivatives of `plain`, which it agrees with but for rounding."""
    return jnp.where(jnp.isfinite(value), value, plain)


@with_slope_of.defjvp
def _(primals, tangents):
    return with_slope_of(*primals), tangents[0]


def finite(low: Array) -> Array:
    """0 where there is nothing to be known of rounding, as beyond the largest numbers."""
    return jnp.where(jnp.isfinite(low), low, 0)
