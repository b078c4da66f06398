r"""Sine and cosine: every mean is a sum of exponentials, for any number of samples.

$\prod_{i=1}^k \cos\psi_i = 2^{-k} \sum_{\epsilon} \cos(\sum_i \epsilon_i \psi_i)$ over all signs, and
$\langle \cos(b\, e \cdot z + \varphi) \rangle = \cos\varphi\; e^{-b^2 e^T K e / 2}$.

Where K is small these terms cancel: of $\langle \sin\psi_1 \sin\psi_2 \rangle \approx \kappa_{12}$, $\kappa = b^2 K$,
the digits of 1 are left. There the same sum is written with
$e^{-\epsilon_i \epsilon_j \kappa} = \cosh\kappa - \epsilon_i \epsilon_j \sinh\kappa$: a polynomial in the signs, whose
coefficient of $\prod_{i \in S} \epsilon_i$ belongs to sines at S and cosines elsewhere, each of its own size.
"""

import functools
import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ..nets import Cos, Rbf, Sin
from ..nets.base import Scalar
from .expectations import expectations
from .request import Request
from .rules import Rules


class _Signs(NamedTuple):
    """Of each pattern all choices of signs, padded with weight 0.

    Attributes:
        x, y: (patterns, choices, samples) the sums of signs at each sample, of the factors of X and of Y.
        quarters: (patterns, choices) sum of sign * order: quarter turns.
        weight: (patterns, choices).
    """

    x: np.ndarray
    y: np.ndarray
    quarters: np.ndarray
    weight: np.ndarray


@functools.lru_cache(maxsize=64)
def _signs(patterns: tuple[Request, ...], samples: int) -> _Signs:
    counts = np.array([len(x) + len(y) for x, y in patterns])
    shape = (len(patterns), 2 ** int(counts.max()))
    sums, quarters, weight = np.zeros((2, *shape, samples)), np.zeros(shape, int), np.zeros(shape)
    for p, (x, y) in enumerate(patterns):
        for c, signs in enumerate(itertools.product((1, -1), repeat=len(x) + len(y))):
            weight[p, c] = 0.5 ** len(signs)
            for i, (sign, (sample, order)) in enumerate(zip(signs, x + y, strict=True)):
                sums[int(i >= len(x)), p, c, sample] += sign
                quarters[p, c] += sign * order
    return _Signs(sums[0], sums[1], quarters, weight)


class _Factors(NamedTuple):
    """Of each pattern its factors, those of X first; absent ones have no sample, and are 1.

    Attributes:
        sample, order: (patterns, factors); the number of samples stands for none.
        second: (patterns, factors) whether it belongs to Y.
    """

    sample: np.ndarray
    order: np.ndarray
    second: np.ndarray


@functools.lru_cache(maxsize=64)
def _factors(patterns: tuple[Request, ...], samples: int) -> _Factors:
    count = max(len(x) + len(y) for x, y in patterns)
    rows = [[*x, *y, *[(samples, 0)] * (count - len(x) - len(y))] for x, y in patterns]
    both = np.array(rows)
    second = np.array([[len(x) <= i for i in range(count)] for x, _ in patterns])
    return _Factors(both[..., 0], both[..., 1], second)


SMALL = 0.1
"""The variance of b z up to which the polynomial in the signs is used; both ways keep nearly all digits there."""


def _waves(a: Scalar, b: Scalar, c: Scalar, turn: int, patterns: tuple[Request, ...], k: Array) -> Array:
    r"""For $\phi(z) = a \cos(b z + c + \mathrm{turn}\, \pi / 2)$; a derivative is a quarter turn and a factor b."""
    factors, samples = _factors(patterns, k.shape[0]), k.shape[0]
    a, b, c = (jnp.asarray(number, k.dtype) for number in (a, b, c))
    kappa = b**2 * k
    small = jnp.max(jnp.diagonal(kappa)) < SMALL
    values = lax.cond(
        small,
        lambda: _by_parity(factors, jnp.where(small, kappa, 0.0), c, turn),  # finite also where both are computed
        lambda: _by_signs(patterns, kappa, c, turn),
    )
    heights, slopes = (factors.sample < samples).sum(1), factors.order.sum(1)
    return values * _powers(a, heights) * _powers(b, slopes)


def _powers(number: Array, exponents: np.ndarray) -> Array:
    return jnp.stack([number**n for n in range(int(exponents.max()) + 1)])[exponents]


def _turned(c: Array, quarters: np.ndarray) -> tuple[Array, Array]:
    r"""Cosine and sine of $c + \mathrm{quarters}\, \pi / 2$, exact where c is 0."""
    x, y = jnp.cos(c), jnp.sin(c)
    return jnp.stack([x, -y, -x, y])[quarters % 4], jnp.stack([y, x, -y, -x])[quarters % 4]


def _by_signs(patterns: tuple[Request, ...], kappa: Array, c: Array, turn: int) -> Array:
    signs = _signs(patterns, kappa.shape[0])
    x, y, weight = (jnp.asarray(part, kappa.dtype) for part in (signs.x, signs.y, signs.weight))
    own = jnp.einsum("pcs,st,pct->pc", x, kappa, x) + jnp.einsum("pcs,st,pct->pc", y, kappa, y)
    cross = jnp.einsum("pcs,st,pct->pc", x, kappa, y)
    total = (signs.x + signs.y).sum(-1)
    cosine, sine = _turned(jnp.zeros_like(c), signs.quarters + turn * total.astype(int))
    phase = c * jnp.asarray(total, kappa.dtype)
    turned = weight * (jnp.cos(phase) * cosine - jnp.sin(phase) * sine) * jnp.exp(-own / 2)
    is_mean = jnp.asarray(np.array([not y for _, y in patterns]))[:, None]
    return jnp.sum(turned * jnp.where(is_mean, 1.0, jnp.expm1(-cross)), axis=1)


def _by_parity(factors: _Factors, kappa: Array, c: Array, turn: int) -> Array:
    """The polynomial has 2^factors coefficients; the bits of a number say which signs stand in the product."""
    present, count = factors.sample < kappa.shape[0], factors.sample.shape[1]
    sets, padded = np.arange(2**count), jnp.pad(kappa, ((0, 1), (0, 1)))
    i, j = np.array(list(itertools.combinations(range(count), 2)), int).reshape(-1, 2).T
    edges, across = padded[factors.sample[:, i], factors.sample[:, j]], factors.second[:, i] != factors.second[:, j]
    flips = jnp.asarray(sets[None] ^ ((1 << i) | (1 << j))[:, None])

    def grown(start: Array, edges: Array) -> Array:
        """What the factors of these pairs add to the coefficients, small as it may be beside them."""

        def pair(added: Array, one: tuple[Array, Array]) -> tuple[Array, None]:
            edge, flip = one
            now = start + added
            return added + 2 * jnp.sinh(edge / 2)[:, None] ** 2 * now - jnp.sinh(edge)[:, None] * now[:, flip], None

        return lax.scan(pair, jnp.zeros_like(start), (edges.T, flips))[0]

    one = jnp.zeros((len(present), len(sets)), kappa.dtype).at[:, 0].set(1.0)
    own = one + grown(one, jnp.where(across, 0.0, edges))
    is_mean = ~np.any(factors.second & present, axis=1, keepdims=True)
    coefficients = jnp.where(is_mean, own, grown(own, jnp.where(across, edges, 0.0)))
    cosine, sine = _turned(c, factors.order + turn)
    cosine, sine = jnp.where(present, cosine, 1.0), jnp.where(present, sine, 0.0)
    inside = (sets[:, None] >> np.arange(count)) & 1 == 1
    coefficients *= jnp.prod(jnp.where(inside[None], -sine[:, None], cosine[:, None]), axis=-1)
    signs = np.where(inside.sum(1) % 4 == 2, -1.0, 1.0)  # of i^-2; an odd number of sines has mean 0
    return jnp.exp(-jnp.sum(jnp.diagonal(padded)[factors.sample], 1) / 2) * (coefficients @ jnp.asarray(signs))


@expectations.register(Cos)
def _(layer: Cos, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _waves(layer.a, layer.b, layer.c, 0, patterns, k)


@expectations.register(Sin)
def _(layer: Sin, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _waves(layer.a, layer.b, layer.c, -1, patterns, k)


@expectations.register(Rbf)
def _(layer: Rbf, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    b = jnp.sqrt(2 * jnp.asarray(layer.gamma, k.dtype))
    return _waves(math.sqrt(2), b, math.pi / 4, -1, patterns, k)
