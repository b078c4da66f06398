r"""Gaussian means of products of derivatives of a smooth nonlinearity, on a grid in as many dimensions as samples.

With $z = L u$, L lower triangular and $L L^T = K$ (which may be singular), the last variable is summed over first,
$E[A(u_{<s}) f(z_s)] = E[A\, E_s f]$, for each f once. Nodes are those of the trapezoidal rule: at variance 10 it
is far better than Gauss-Hermite (`equitangents.numerics`). All is summed as deviations from the values at z = 0:
covariances then keep their digits where K is tiny.
"""

import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ..numerics import derivatives, safe_divide, safe_sqrt
from .request import Request, samples_of, tangent

Function = Callable[[Array], Array]


class _Layout(NamedTuple):
    """Where things are; all indices are NumPy arrays.

    Attributes:
        orders: highest derivative at each sample.
        factors: for each sample (functions, 4): which derivatives are multiplied; `order + 1` stands for 1.
        of_x, of_y: (samples, patterns): which function of each sample belongs to X, to Y.
        pairs: (number, 2): functions of the last sample whose product is needed for a covariance.
        of_pair: (patterns,) which; the last one is absent.
    """

    orders: tuple[int, ...]
    factors: tuple[np.ndarray, ...]
    of_x: np.ndarray
    of_y: np.ndarray
    pairs: np.ndarray
    of_pair: np.ndarray


@functools.lru_cache(maxsize=256)
def _layout(patterns: tuple[Request, ...]) -> _Layout:
    size = max(len(samples_of(pattern)) for pattern in patterns)
    split = [[[tuple(o for at, o in blob if at == i) for blob in pattern] for pattern in patterns] for i in range(size)]
    functions = [sorted({f for pattern in split[i] for f in pattern}) for i in range(size)]
    of_x, of_y = (
        np.array([[functions[i].index(pattern[side]) for pattern in split[i]] for i in range(size)]) for side in (0, 1)
    )
    orders = tuple(max(o for f in functions[i] for o in (0, *f)) for i in range(size))
    width = max(1, max(len(f) for each in functions for f in each))
    factors = tuple(np.array([[*f, *(orders[i] + 1,) * (width - len(f))] for f in functions[i]]) for i in range(size))
    both = (of_x[-1], of_y[-1])
    last = [(x, y) if () not in (functions[-1][x], functions[-1][y]) else None for x, y in zip(*both, strict=True)]
    pairs = sorted({pair for pair in last if pair is not None})
    of_pair = np.array([len(pairs) if pair is None else pairs.index(pair) for pair in last])
    return _Layout(orders, factors, of_x, of_y, np.array(pairs, int).reshape(-1, 2), of_pair)


def factor(k: Array) -> list[list[Array]]:
    r"""Lower triangular L with $L L^T = K$, row by row; pivots that are not positive become columns of zeros."""
    size = k.shape[0]
    rows: list[list[Array]] = []
    for i in range(size):
        row: list[Array] = []
        for j in range(i):
            rest = k[i, j] - sum((row[m] * rows[j][m] for m in range(j)), jnp.zeros_like(k[0, 0]))
            row.append(safe_divide(rest, rows[j][j]))
        rows.append([*row, safe_sqrt(k[i, i] - sum((r * r for r in row), jnp.zeros_like(k[0, 0])))])
    return rows


Rule = tuple[Array, Array]
"""Nodes and weights, (n,) each, for a standard normal variable."""


def grid_means(phi: Function, patterns: tuple[Request, ...], rule: Rule, k: Array) -> Array:
    """Values of `patterns` for a centred Gaussian vector of covariance k, each pattern with all its samples.

    Args:
        phi: the nonlinearity, elementwise, smooth; it may be closed over values that are themselves differentiated.
        patterns: requests over the samples 0, ..., s - 1.
        rule: for each dimension.
        k: (s, s), positive semidefinite.

    Returns:
        (number of patterns,). Derivatives with respect to k are again such means, finite where k is singular; those
        with respect to numbers of phi are the derivatives of the sums.
    """
    phi, numbers = jax.closure_convert(phi, jnp.zeros((), k.dtype))
    return _grid_means(phi, patterns, rule, k, numbers)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _grid_means(
    phi: Callable[..., Array], patterns: tuple[Request, ...], rule: Rule, k: Array, numbers: list[Array]
) -> Array:
    return _values(phi, patterns, rule, k, numbers)


def _values(
    phi: Callable[..., Array], patterns: tuple[Request, ...], rule: Rule, k: Array, numbers: list[Array]
) -> Array:
    def elementwise(z: Array) -> Array:  # phi knows only single numbers by now
        return jax.vmap(lambda one: phi(one, *numbers))(z.reshape(-1)).reshape(z.shape)

    layout = _layout(patterns)
    zeros = _at_zero(elementwise, layout, k.dtype)
    rows = factor(k)
    if len(rows) < 3:
        first, second, mixed = _sums(elementwise, layout, rows, zeros, rule, ())
    else:  # one value of the first variable at a time bounds the memory

        def step(total: Array, node: tuple[Array, Array]) -> tuple[Array, None]:
            return total + node[1] * _sums(elementwise, layout, rows, zeros, rule, (node[0],)), None

        start = jnp.zeros((3, len(patterns)), k.dtype)
        first, second, mixed = lax.scan(jax.checkpoint(step), start, rule)[0]
    at_zero = _product(zero[of] for zero, of in zip(zeros, layout.of_x, strict=True))
    is_mean = jnp.asarray(np.array([not y for _, y in patterns]))
    return jnp.where(is_mean, at_zero + first, mixed - first * second)


@_grid_means.defjvp
def _(phi, patterns, primals, tangents):
    (rule, k, numbers), (_, dk, of_numbers) = primals, tangents
    raised, entries, coefficients = tangent(patterns)
    both = patterns + tuple(request for request in raised if request not in set(patterns))
    place = {request: i for i, request in enumerate(both)}
    values = _grid_means(phi, both, rule, k, numbers)
    which = np.array([place[request] for request in raised], int)
    dk = (dk + dk.T) / 2
    terms = jnp.asarray(coefficients, k.dtype) * dk[entries[:, 1], entries[:, 2]] * values[which[entries[:, 3]]]
    change = jax.ops.segment_sum(terms, entries[:, 0], len(patterns))
    if numbers:
        change += jax.jvp(lambda n: _values(phi, patterns, rule, k, n), (numbers,), (of_numbers,))[1]
    return values[: len(patterns)], change


def _product(factors: Iterable[Array]) -> Array:
    return functools.reduce(jnp.multiply, factors)


def _functions(layout: _Layout, sample: int, derivative: tuple[Array, ...]) -> Array:
    """(functions, ...): the products of derivatives that are needed of one sample."""
    needed = jnp.stack([*derivative[: layout.orders[sample] + 1], jnp.ones_like(derivative[0])])
    return _product(needed[column] for column in layout.factors[sample].T)


def _at_zero(phi: Function, layout: _Layout, dtype: jnp.dtype) -> list[Array]:
    """Of each sample the products at z = 0, (functions,)."""
    derivative = derivatives(phi, max(layout.orders))(jnp.zeros((), dtype))
    return [_functions(layout, sample, derivative) for sample in range(len(layout.orders))]


def _sums(
    phi: Function, layout: _Layout, rows: list[list[Array]], zeros: list[Array], rule: Rule, fixed: tuple[Array, ...]
) -> Array:
    """(3, patterns): the sums of X - X(0), of Y - Y(0) and of their product, first variables held `fixed`."""
    x, w = rule
    size, free = len(rows), len(rows) - len(fixed)

    def along(values: Array, axis: int) -> Array:
        return values.reshape((1,) * axis + (-1,) + (1,) * (free - 1 - axis))

    u = [*fixed, *(along(x, axis) for axis in range(free))]
    zeros = [zero.reshape(-1, *(1,) * (free - 1)) for zero in zeros]
    functions = []
    for i, row in enumerate(rows):
        z = functools.reduce(jnp.add, [a * b for a, b in zip(row, u[: i + 1], strict=True)])
        derivative = derivatives(phi, layout.orders[i])(z.reshape(z.shape or (1,) * free))
        functions.append(_functions(layout, i, derivative))
    deviation = functions[-1] - zeros[-1][..., None]
    mean = deviation @ w
    one, two = layout.pairs.T
    product = jnp.concatenate([(deviation[one] * deviation[two]) @ w, jnp.zeros((1, *mean.shape[1:]), x.dtype)])

    def split(of: np.ndarray) -> tuple[Array, Array, Array]:
        """X - X(0) = shift + before * (f - f(0)) with f of the last sample: before, shift, and the mean of f - f(0)."""
        one = jnp.ones((of.shape[1], *(1,) * (free - 1)), x.dtype)
        before = _product([one, *(functions[i][of[i]][..., 0] for i in range(size - 1))])
        at_zero = _product([one, *(zeros[i][of[i]] for i in range(size - 1))])
        return before, (before - at_zero) * zeros[-1][of[-1]], mean[of[-1]]

    (a, alpha, fx), (b, beta, fy) = split(layout.of_x), split(layout.of_y)
    weights = _product([jnp.ones((1,) * free, x.dtype), *(along(w, axis)[None, ..., 0] for axis in range(free - 1))])
    both = alpha * beta + alpha * b * fy + beta * a * fx + a * b * product[layout.of_pair]
    axes = tuple(range(1, free))
    return jnp.stack([jnp.sum(weights * part, axis=axes) for part in (alpha + a * fx, beta + b * fy, both)])
