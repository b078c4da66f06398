r"""Sine and cosine: every mean is a sum of exponentials, for any number of samples.

$\prod_{i=1}^k \cos\psi_i = 2^{-k} \sum_{\epsilon} \cos(\sum_i \epsilon_i \psi_i)$ over all signs, and
$\langle \cos(b\, e \cdot z + \varphi) \rangle = \cos\varphi\; e^{-b^2 e^T K e / 2}$.
"""

import functools
import itertools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
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
        factors, orders: (patterns,) how many factors there are, and derivatives.
    """

    x: np.ndarray
    y: np.ndarray
    quarters: np.ndarray
    weight: np.ndarray
    factors: np.ndarray
    orders: np.ndarray


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
    return _Signs(*sums, quarters, weight, counts, np.array([sum(o for _, o in x + y) for x, y in patterns]))


def _waves(a: Scalar, b: Scalar, c: Scalar, patterns: tuple[Request, ...], k: Array) -> Array:
    r"""For $\phi(z) = a \cos(b z + c)$, whose derivative is a quarter turn and a factor b."""
    signs = _signs(patterns, k.shape[0])
    a, b, c = (jnp.asarray(number, k.dtype) for number in (a, b, c))
    x, y, weight = (jnp.asarray(part, k.dtype) for part in (signs.x, signs.y, signs.weight))
    own = jnp.einsum("pcs,st,pct->pc", x, k, x) + jnp.einsum("pcs,st,pct->pc", y, k, y)
    cross = jnp.einsum("pcs,st,pct->pc", x, k, y)
    phase = c * jnp.sum(x + y, axis=-1)
    cosine, sine = (np.array(table)[signs.quarters % 4] for table in ((1.0, 0.0, -1.0, 0.0), (0.0, 1.0, 0.0, -1.0)))
    turned = weight * (jnp.cos(phase) * cosine - jnp.sin(phase) * sine) * jnp.exp(-(b**2) * own / 2)
    is_mean = jnp.asarray(np.array([not y for _, y in patterns]))[:, None]
    values = jnp.sum(turned * jnp.where(is_mean, 1.0, jnp.expm1(-(b**2) * cross)), axis=1)
    size = jnp.stack([a**n for n in range(int(signs.factors.max()) + 1)])[signs.factors]
    return values * size * jnp.stack([b**n for n in range(int(signs.orders.max()) + 1)])[signs.orders]


@expectations.register(Cos)
def _(layer: Cos, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _waves(layer.a, layer.b, layer.c, patterns, k)


@expectations.register(Sin)
def _(layer: Sin, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    return _waves(layer.a, layer.b, layer.c - math.pi / 2, patterns, k)


@expectations.register(Rbf)
def _(layer: Rbf, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    b = jnp.sqrt(2 * jnp.asarray(layer.gamma, k.dtype))
    return _waves(math.sqrt(2), b, -math.pi / 4, patterns, k)
