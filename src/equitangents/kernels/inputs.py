"""Covariances of raw inputs, accurate for nearly equal ones."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ..nets import AbstractLayer, Concatenate, Embedding, Masked, Parallel, Product, Serial
from ..numerics import as_defect, difference_defect, materialise, safe_divide, safe_sqrt
from ..numerics.doubled import finite, mean_square, with_slope_of
from .kernel import Needs

NEAR = 1e-2
"""Defects below this are recomputed from differences: a rounded cosine has lost half its digits there."""
MANY = 32
"""With more near pairs than this in a row of a tile, whole rows are recomputed."""

FEW = 4
"""Sums over more channels than this are a loop."""


class Batch(NamedTuple):
    """Inputs, with what belongs to each of them alone.

    Attributes:
        x: (n, *sites, channels), with zeros at masked sites.
        variances: k11, of shape (n, *sites), or (n, *sites, *sites) where pairs of sites are needed, or None.
        mask: (n, *sites), 1 at sites that count; None if the network does not begin with `Masked`.
        low: what rounding took from variances of shape (n, *sites), in single precision, or None if not needed.
        number: (n,) of each input in a batch that is compared with itself; None where two batches are compared.
    """

    x: Array
    variances: Array | None
    mask: Array | None
    low: Array | None = None
    number: Array | None = None


def batch(net: AbstractLayer, x: Array, needs: Needs, alone: bool = False) -> Batch:
    """What the network needs to know of each input; `alone` where they are compared with one another."""
    x, mask = _masked(net, x)
    variances = _variances(x, needs)
    number = jnp.arange(len(x)) if alone else None
    if not needs.digits or variances is None or variances.ndim >= x.ndim or x.dtype != jnp.float32:
        return Batch(x, variances, mask, None, number)
    exact = mean_square(lax.stop_gradient(x))
    return Batch(x, with_slope_of(variances, exact.high), mask, finite(exact.low), number)


def _variances(x: Array, needs: Needs) -> Array | None:
    channels = x.shape[-1]
    if needs.variances == "none":
        return None
    if jnp.issubdtype(x.dtype, jnp.integer):
        full = needs.variances == "pairs" and x.ndim > 2
        return jax.vmap(lambda one: _equal_tokens(one, one, full))(x)
    if needs.variances == "sites" or x.ndim == 2:
        return jnp.sum(x * x, axis=-1) / channels
    flat = x.reshape(x.shape[0], -1, channels)
    return (jnp.einsum("nsc,ntc->nst", flat, flat) / channels).reshape(x.shape[0], *x.shape[1:-1], *x.shape[1:-1])


def input_covariances(one: Batch, two: Batch, needs: Needs) -> tuple[Array, Array | None]:
    """k12 and the angle defect d of two batches, each (n1, n2, *pairs) or (n1, n2, *sites); d is None if not needed."""
    x1, x2 = one.x, two.x
    sites, channels = x1.shape[1:-1], x1.shape[-1]
    if jnp.issubdtype(x1.dtype, jnp.integer):
        full = needs.pairs and bool(sites)
        equal = jax.vmap(lambda a: jax.vmap(lambda b: _equal_tokens(a, b, full))(x2))(x1)
        return equal, None if needs.variances == "none" else 1 - equal
    if x1.ndim == 2 and one.variances is not None and two.variances is not None:
        known = one.number is not None and two.number is not None
        same = one.number[:, None] == two.number[None, :] if known else None  # type: ignore[index]
        return _vectors(x1, x2, one.variances, two.variances, same)
    f1, f2 = (x.reshape(x.shape[0], -1, channels) for x in (x1, x2))
    pairs = needs.pairs and bool(sites)
    shape = (x1.shape[0], x2.shape[0], *sites, *(sites if pairs else ()))
    k12 = materialise(_over_channels(jnp.multiply, f1, f2, pairs).reshape(shape) / channels)
    if needs.variances == "none":
        return k12, None
    d = _over_channels(lambda a, b: (a - b) ** 2, _unit(f1), _unit(f2), pairs) / 2
    return k12, materialise(as_defect(d).reshape(shape))


def _over_channels(function: Callable[[Array, Array], Array], f1: Array, f2: Array, pairs: bool) -> Array:
    """The sum of function(f1, f2) over channels, of all pairs of inputs, and of sites if `pairs`.

    Channel by channel: a few sums of whole arrays are much faster than one sum over a short last axis.
    """
    one, two = jnp.moveaxis(f1, -1, 0), jnp.moveaxis(f2, -1, 0)  # (channels, n, sites)
    one = one[:, :, None, :, None] if pairs else one[:, :, None, :]
    two = two[:, None, :, None, :] if pairs else two[:, None, :, :]
    if len(one) <= FEW:
        return sum((function(a, b) for a, b in zip(one[1:], two[1:], strict=True)), function(one[0], two[0]))
    zero = jnp.zeros(jnp.broadcast_shapes(one.shape[1:], two.shape[1:]), f1.dtype)
    return lax.scan(lambda total, ab: (total + function(*ab), None), zero, (one, two))[0]


def _equal_tokens(x1: Array, x2: Array, pairs: bool) -> Array:
    """The share of columns in which two examples have the same token, at equal sites or at all pairs of them."""
    sites = x1.shape[:-1]
    if pairs:
        ones = (1,) * len(sites)
        x1, x2 = x1.reshape(*sites, *ones, -1), x2.reshape(*ones, *sites, -1)
    return jnp.mean(x1 == x2, axis=-1, dtype=jnp.result_type(float))


def _unit(x: Array) -> Array:
    """x divided by its norm over the last axis; zero stays zero."""
    norm = safe_sqrt(jnp.sum(x * x, axis=-1, keepdims=True))
    return safe_divide(x, jnp.broadcast_to(norm, x.shape))


def _vectors(x1: Array, x2: Array, k11: Array, k22: Array, same: Array | None) -> tuple[Array, Array]:
    """Covariances and angle defects of two batches of vectors, by one matrix product; `same` pairs are of one input."""
    r1, r2 = safe_sqrt(k11), safe_sqrt(k22)
    size = math.sqrt(x1.shape[1])
    d = _defects(x1, x2, safe_divide(1 / size, r1), safe_divide(1 / size, r2), same)
    return r1[:, None] * r2[None, :] * (1 - d), d


@jax.custom_jvp
def _defects(x1: Array, x2: Array, scale1: Array, scale2: Array, same: Array | None) -> Array:
    """Half the squared distances of all pairs of the vectors scale * x, of norm 1, or 0 where the vector is zero.

    A rounded cosine has lost the digits of a small defect: pairs below `NEAR`, or nearly opposite, are done again from
    their difference or sum, one pair in each row at a time, as they are few; whole rows where they are many. It is 0
    where an input is known to be paired with itself, `same`.
    """
    product = jnp.matmul(x1, x2.T, precision=lax.Precision.HIGHEST) * (scale1[:, None] * scale2[None, :])
    zeros1, zeros2 = ((scale == 0).astype(x1.dtype) / 2 for scale in (scale1, scale2))
    d = jnp.clip(1 - product - zeros1[:, None] - zeros2[None, :], 0, 2)
    d = d if same is None else jnp.where(same, 0, d)

    def near(d: Array) -> Array:
        close = jnp.minimum(d, 2 - d) < NEAR
        return close if same is None else close & ~same

    def pair_by_pair(d: Array) -> Array:
        u1, u2, columns = x1 * scale1[:, None], x2 * scale2[:, None], jnp.arange(len(x2))

        def again(state: tuple[Array, Array]) -> tuple[Array, Array]:
            d, left = state
            j = jnp.argmax(left, axis=1)
            chosen = left & (columns[None, :] == j[:, None])
            side = jnp.sign(1 - jnp.take_along_axis(d, j[:, None], axis=1))
            apart = difference_defect(u1, side * u2[j])[:, None]
            return jnp.where(chosen, jnp.where(side > 0, apart, 2 - apart), d), left & ~chosen

        return lax.while_loop(lambda state: jnp.any(state[1]), again, (d, near(d)))[0]

    def row_by_row(d: Array) -> Array:
        u1, u2 = x1 * scale1[:, None], x2 * scale2[:, None]

        def row(given: tuple[Array, Array]) -> Array:
            u, d = given
            aligned = jnp.where(d < NEAR, difference_defect(u[None], u2), d)
            return jnp.where(d > 2 - NEAR, 2 - difference_defect(u[None], -u2), aligned)

        return lax.map(row, (u1, d))

    most = jnp.max(jnp.sum(near(d), axis=1, dtype=jnp.int32))
    way = (most > 0).astype(jnp.int32) + (most > MANY).astype(jnp.int32)
    return lax.switch(way, [lambda d: d, pair_by_pair, row_by_row], d)


@_defects.defjvp
def _(primals, tangents):
    r"""$(u_1 - u_2) \cdot (\dot u_1 - \dot u_2)$ with u = scale * x, by matrix products where no pair is near."""
    x1, x2, scale1, scale2, same = primals
    dx1, dx2, dscale1, dscale2, _ = tangents
    u1, u2 = x1 * scale1[:, None], x2 * scale2[:, None]
    du1, du2 = dx1 * scale1[:, None] + x1 * dscale1[:, None], dx2 * scale2[:, None] + x2 * dscale2[:, None]
    d = _defects(*primals)

    def products(u1: Array, u2: Array, du1: Array, du2: Array) -> Array:
        own = jnp.sum(u1 * du1, axis=-1)[:, None] + jnp.sum(u2 * du2, axis=-1)[None, :]
        across = jnp.matmul(u1, du2.T, precision=lax.Precision.HIGHEST)
        return own - across - jnp.matmul(du1, u2.T, precision=lax.Precision.HIGHEST)

    @jax.checkpoint  # the differences of all pairs are not kept for a backward pass
    def differences(u1: Array, u2: Array, du1: Array, du2: Array) -> Array:
        return jnp.sum((u1[:, None] - u2[None]) * (du1[:, None] - du2[None]), axis=-1)

    apart = jnp.ones_like(d, bool) if same is None else ~same
    near = jnp.any(apart & (d > 0) & (d < NEAR))  # at 0 products have the right derivatives
    tangent = lax.cond(near, differences, products, u1, u2, du1, du2)
    return d, jnp.where(apart, tangent, 0)


def _masked(net: AbstractLayer, x: Array) -> tuple[Array, Array | None]:
    """A batch with zeros at masked sites, and its mask; None if the network does not begin with `Masked`."""
    while isinstance(net, Serial):
        net = net.layers[0]
    if not isinstance(net, Masked):
        return x, None
    real = net.find(x)
    return x * real[..., None], real


def vocabulary(net: AbstractLayer) -> int | None:
    """Number of different tokens that the network takes; None if it takes floating point numbers."""
    while isinstance(net, Serial):
        net = net.layers[0]
    if isinstance(net, Parallel | Concatenate | Product):
        return vocabulary(net.layers[0])
    return net.vocabulary if isinstance(net, Embedding) else None


def check_inputs(x: object, name: str, tokens: int | None = None) -> None:
    """Raise unless `x` is a batch of examples of finite floating point numbers, or of `tokens` different integers.

    Numbers are looked at where they can be.
    """
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise TypeError(
            f"expected {name} to be an array (n, *sites, channels), got {type(x).__name__}; use jnp.asarray."
        )
    shape = tuple(x.shape)
    if len(shape) < 2:
        raise ValueError(
            f"expected {name} of shape (n, *sites, channels), got shape {shape}; add a batch axis with {name}[None]."
        )
    if math.prod(shape) == 0:
        raise ValueError(f"expected {name} to hold examples, got the empty shape {shape}.")
    if tokens is not None:
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise TypeError(f"expected {name} of tokens, integers, got {x.dtype}; convert with {name}.astype(int).")
        if isinstance(x, jax.core.Tracer):
            return
        low, high = int(np.asarray(x).min()), int(np.asarray(x).max())
        if low < 0 or high >= tokens:
            raise ValueError(f"expected {name} of tokens from 0 to {tokens - 1}, got {low} to {high}.")
        return
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"expected {name} of floating point numbers, got {x.dtype}; convert with {name}.astype(float).")
    if not isinstance(x, jax.core.Tracer) and not np.isfinite(np.asarray(x)).all():
        raise ValueError(f"expected {name} to be finite, got NaN or infinity in it; clean the data first.")
