r"""One random network with its last layer averaged analytically: low-noise estimators of V, D, F, A, B, G1, H1.

Given the layers before, the covariance and the mean tangent kernel of the outputs are

$$\hat G_{12} = C_b + \frac{C_W}{n} \sum_j \sigma_{j1}\sigma_{j2}, \qquad
  \hat\Lambda_{12} = \lambda_b
  + \frac1n \sum_j [\lambda_W \sigma_{j1}\sigma_{j2} + C_W \sigma'_{j1}\sigma'_{j2} \hat H_{jj;12}],$$

and at any width $V = n\,\mathrm{Cov}(\hat G, \hat G)$, $D = n\,\mathrm{Cov}(\hat G, \hat\Lambda)$,
$A = n\,\mathrm{Cov}(\hat\Lambda, \hat\Lambda)$, $F = E\hat F$, $B = E\hat B$ with sums over two neurons for the hatted
ones. See Roberts, Yaida and Hanin (2022), arXiv:2106.10165, sections 4.3 and 8.3.
"""

import itertools
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from ..nets import AbstractActivation, Dense
from .chain import Chain
from .neuron import through_neuron

Limit = tuple[Array, Array]


class Averages(NamedTuple):
    r"""Of the outputs of one network, over its last layer, for S samples.

    Attributes:
        size, tangent: $\hat G - K$ and $\hat\Lambda - \Theta$, shape (S, S).
        f, b: $\hat F_{1324}$ and $\hat B_{1324}$, shape (S, S, S, S) in the order of their indices.
        own: covariance over neurons of the summands of $\hat G$ and $\hat\Lambda$, (2, S, S, 2, S, S); unbiased for
            that of one neuron given the layers before it, as its neurons are then independent.
    """

    size: Array
    tangent: Array
    f: Array
    b: Array
    own: Array


def averages(net: Chain, x: Array, limits: list[Limit], key: PRNGKeyArray) -> list[Averages]:
    r"""Of layers 2, ..., L, each given all layers before it.

    Args:
        net: the network, of two layers at least.
        x: (S, features).
        limits: K and $\Theta$ of each layer at infinite width, (S, S) each.
        key: PRNG key; the last layer is not drawn.
    """
    z, h = _affine(net.dense[0], x.T, key), None
    found = []
    for number, (phi, layer) in enumerate(zip(net.activations, net.dense[1:], strict=True), start=1):
        signal, slope = jax.jvp(phi.phi, (z,), (jnp.ones_like(z),))
        t = _seen(slope, h, limits[number - 1][1])
        found.append(_averaged(layer, signal, t, limits[number]))
        if number < len(net.activations):
            z, h = _drawn(layer, signal, t, jr.fold_in(key, number))
    return found


def followed(net: Chain, limits: list[Limit], found: list[Averages]) -> tuple[Array, Array]:
    r"""Mean of $(\hat G - K, \hat\Lambda - \Theta)$ of the outputs over networks, and covariance, with little noise.

    Followed through the layers: two steps of averaging give
    $E[(\hat G', \hat\Lambda') \mid \ell - 1] = M(\hat G, \hat\Lambda, \hat F / n)$, an integral over one Gaussian
    neuron, whose own covariance over the width is added to that of M. What is linear or quadratic in
    $\hat G - K$, $\hat\Lambda - \Theta$ there has means known from the layer before, which replace the sampled ones.

    Args:
        net, limits: as for `averages`.
        found: of `averages`, with an axis of networks in front, two at least. For the mean alone the last may be
            absent, and the covariance is then without its neurons.

    Returns:
        (2, S, S) and (2, S, S, 2, S, S), both unbiased at any width.
    """
    size = found[0].size
    shift = jnp.zeros((2, *size.shape[1:]), size.dtype)
    cov = _of_neurons(net, found, 0)
    for number, (phi, layer) in enumerate(zip(net.activations[1:], net.dense[2:], strict=True), start=1):
        any_width = Dense(1, layer.sigma_w, layer.sigma_b, layer.lambda_w, layer.lambda_b)
        n = jnp.asarray(net.dense[number - 1].width, size.dtype)
        shift, cov = _one_layer(phi, any_width, limits[number], found[number - 1], n, shift, cov)
        if number < len(found):
            cov = cov + _of_neurons(net, found, number)
    return shift, cov


def _of_neurons(net: Chain, found: list[Averages], number: int) -> Array:
    return jnp.mean(found[number].own, 0) / net.dense[number].width


def covariance(one: Array, two: Array) -> Array:
    """Unbiased, over the first axis: [..., ...] of one[...] and two[...]."""
    one, two = (a - jnp.mean(a, 0, keepdims=True) for a in (one, two))
    return jnp.tensordot(one, two, (0, 0)) / (len(one) - 1)


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


def _averaged(layer: Dense, signal: Array, t: Array, limit: Limit) -> Averages:
    """For the layer after these signals (n, S); t as `_seen` returns it."""
    n, c_w = len(signal), layer.sigma_w**2
    products = jnp.einsum("ja,jb->abj", signal, signal)
    if t.ndim == 3:
        f, inside = jnp.einsum("ja,bdj,jc->abcd", signal, t, signal), t
        b = jnp.einsum("acj,bdj->abcd", t, t)
    else:
        f, inside = jnp.einsum("ja,bdjk,kc->abcd", signal, t, signal), jnp.einsum("abjj->abj", t)
        b = jnp.einsum("acjk,bdjk->abcd", t, t)
    each = jnp.stack([c_w * products, layer.rate_w * products + c_w * inside])
    size, tangent = jnp.mean(each, -1)
    size, tangent = layer.sigma_b**2 + size - limit[0], layer.rate_b + tangent - limit[1]
    own = covariance(jnp.moveaxis(each, -1, 0), jnp.moveaxis(each, -1, 0))
    return Averages(size, tangent, c_w**2 / n * f, c_w**2 / n * b, own)


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


@eqx.filter_jit
def _one_layer(
    phi: AbstractActivation, layer: Dense, inside: Limit, before: Averages, n: Array, shift: Array, cov: Array
) -> tuple[Array, Array]:
    """Both one layer on, given the layer before; n is the width over which `before` are averages."""

    def flat(point: Array) -> Array:  # no F: its mean is no shift of K and Theta
        return through_neuron(phi, layer, *point.reshape(shift.shape)).reshape(-1)

    centre, size = jnp.stack(inside).reshape(-1), shift.size
    slope, curve = jax.jacfwd(flat)(centre), jax.jacfwd(jax.jacfwd(flat))(centre)
    points = jnp.stack([before.size, before.tangent], 1)
    moved = jax.vmap(lambda p, f: through_neuron(phi, layer, inside[0] + p[0], inside[1] + p[1], f / n))
    after, points = (a.reshape(-1, size) for a in (moved(points, before.f), points))
    excess = covariance(points, points) - cov.reshape(size, size)  # of what was sampled
    bent = jnp.einsum("iab,ab->i", curve, excess) / 2
    mean = jnp.mean(after, 0) - flat(centre) - slope @ (jnp.mean(points, 0) - shift.reshape(-1)) - bent
    return mean.reshape(shift.shape), (covariance(after, after) - slope @ excess @ slope.T).reshape(cov.shape)
