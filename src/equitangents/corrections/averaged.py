r"""One random network with its last layer averaged analytically: low-noise estimators of V, D, F, A, B, G1, H1.

Given the layers before, the covariance and the mean tangent kernel of the outputs are

$$\hat G_{12} = C_b + \frac{C_W}{n} \sum_j \sigma_{j1}\sigma_{j2}, \qquad
  \hat\Lambda_{12} = \lambda_b + \frac1n \sum_j [\lambda_W \sigma_{j1}\sigma_{j2} + C_W \sigma'_{j1}\sigma'_{j2} \hat H_{jj;12}],$$

and at any width $V = n\,\mathrm{Cov}(\hat G, \hat G)$, $D = n\,\mathrm{Cov}(\hat G, \hat\Lambda)$,
$A = n\,\mathrm{Cov}(\hat\Lambda, \hat\Lambda)$, $F = E\hat F$, $B = E\hat B$ with sums over two neurons for the hatted
ones. See Roberts, Yaida and Hanin (2022), arXiv:2106.10165, sections 4.3 and 8.3.
"""

import itertools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from ..nets import AbstractActivation, Dense
from .mlp import Mlp
from .neuron import through_neuron

Limit = tuple[Array, Array]


class Averages(NamedTuple):
    r"""Of the outputs of one network, over its last layer, for S samples.

    Attributes:
        size, tangent: $\hat G - K$ and $\hat\Lambda - \Theta$, shape (S, S).
        f, b: $\hat F_{1324}$ and $\hat B_{1324}$, shape (S, S, S, S) in the order of their indices.
        shift: estimates of $E\hat G - K$ and $E\hat\Lambda - \Theta$ of little noise, shape (2, S, S).
    """

    size: Array
    tangent: Array
    f: Array
    b: Array
    shift: Array


def averages(mlp: Mlp, x: Array, limits: list[Limit], key: PRNGKeyArray) -> Averages:
    r"""Draws all layers but the last.

    The shift is followed through the layers: two steps of averaging give
    $E[(\hat G', \hat\Lambda') \mid \ell - 1] = M(\hat G, \hat\Lambda, \hat F / n)$, an integral over one Gaussian
    neuron. What is linear in $\hat G - K$, $\hat\Lambda - \Theta$ there is replaced by the shift of the layer before.

    Args:
        mlp: the network, of two layers at least.
        x: (S, features).
        limits: K and $\Theta$ of each layer at infinite width, (S, S) each.
        key: PRNG key.
    """
    z, h = _affine(mlp.dense[0], x.T, key), None
    shift = jnp.zeros((2, len(x), len(x)), x.dtype)
    now = None
    for number, (phi, layer) in enumerate(zip(mlp.phi, mlp.dense[1:], strict=True), start=1):
        inside, after = limits[number - 1 : number + 1]
        if now is not None:
            shift = _followed(phi, layer, inside, now, mlp.dense[number - 2].width, shift)
        signal, slope = jax.jvp(phi.phi, (z,), (jnp.ones_like(z),))
        t = _seen(slope, h, inside[1])
        now = Averages(*_averaged(layer, signal, t, after), shift)
        if number < len(mlp.phi):
            z, h = _drawn(layer, signal, t, jr.fold_in(key, number))
    assert now is not None
    return now


def _affine(layer: Dense, signal: Array, key: PRNGKeyArray) -> Array:
    """Preactivations (width, S) of a random layer for signals (n, S), of which only the distribution counts."""
    return _weights(layer, signal, key) @ signal + _biases(layer, signal, key)


def _weights(layer: Dense, signal: Array, key: PRNGKeyArray) -> Array:
    n = len(signal)
    return jr.normal(jr.fold_in(key, 0), (layer.width, n), signal.dtype) * (layer.sigma_w / math.sqrt(n))


def _biases(layer: Dense, signal: Array, key: PRNGKeyArray) -> Array:
    return jr.normal(jr.fold_in(key, 1), (layer.width, 1), signal.dtype) * layer.sigma_b


def _seen(slope: Array, h: Array | None, theta: Array) -> Array:
    r"""$\sigma'_{j\alpha} \hat H_{jk;\alpha\beta} \sigma'_{k\beta}$, shape (S, S, n, n).

    Of shape (S, S, n) in the first layer (h None), whose tangent kernel is theta for every neuron and 0 between two.
    """
    if h is None:
        return theta[:, :, None] * slope.T[:, None] * slope.T[None]
    return slope.T[:, None, :, None] * h * slope.T[None, :, None, :]


def _averaged(layer: Dense, signal: Array, t: Array, limit: Limit) -> tuple[Array, Array, Array, Array]:
    """All but the shift, for the layer after these signals (n, S); t as `_seen` returns it."""
    n, c_w = len(signal), layer.sigma_w**2
    overlap = signal.T @ signal / n
    if t.ndim == 3:
        f, own = jnp.einsum("ja,bdj,jc->abcd", signal, t, signal), jnp.sum(t, -1)
        b = jnp.einsum("acj,bdj->abcd", t, t)
    else:
        f, own = jnp.einsum("ja,bdjk,kc->abcd", signal, t, signal), jnp.einsum("abjj->ab", t)
        b = jnp.einsum("acjk,bdjk->abcd", t, t)
    size = layer.sigma_b**2 + c_w * overlap - limit[0]
    tangent = layer.rate_b + layer.rate_w * overlap + c_w / n * own - limit[1]
    return size, tangent, c_w**2 / n * f, c_w**2 / n * b


def _drawn(layer: Dense, signal: Array, t: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
    """Preactivations (width, S) and tangent kernel (S, S, width, width) of the next layer."""
    n, samples = signal.shape
    w = _weights(layer, signal, key)
    own = layer.rate_b + layer.rate_w * (signal.T @ signal) / n
    eye = jnp.eye(layer.width, dtype=w.dtype)
    blocks: dict[tuple[int, int], Array] = {}
    for a, b in itertools.combinations_with_replacement(range(samples), 2):
        inside = (w * t[a, b][None]) @ w.T if t.ndim == 3 else w @ t[a, b] @ w.T
        blocks[a, b] = inside + own[a, b] * eye
        blocks[b, a] = blocks[a, b].T
    h = jnp.stack([blocks[a, b] for a in range(samples) for b in range(samples)])
    return w @ signal + _biases(layer, signal, key), h.reshape(samples, samples, layer.width, layer.width)


def _followed(phi: AbstractActivation, layer: Dense, inside: Limit, before: Averages, n: int, shift: Array) -> Array:
    """The shift after one more layer; n is the width over which `before` are averages."""
    start, linear = jax.linearize(lambda k, theta: through_neuron(phi, layer, k, theta), *inside)
    moved = through_neuron(phi, layer, inside[0] + before.size, inside[1] + before.tangent, before.f / n)
    return moved - start + linear(shift[0] - before.size, shift[1] - before.tangent)
