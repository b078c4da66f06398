r"""Attention at infinite width, in its two closed cases.

With queries tied to keys and scores divided by d, the scores converge to numbers, $A_1 = \zeta(k^K_{11})$ of each input
on its own, and values are averaged with them: $k' = A_1 k^V A_2^T$. With independent queries, identity scores
divided by
$\sqrt d$ and infinitely many heads, $k'(s, s') = k^Q(s, s') \sum_{tt'} k^K(t, t')\, k^V(t, t')$. Masked sites t, t' are
left out of scores and sums.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import Attention
from ..nets.attention import score
from .kernel import Kernel, Needs, check_all_pairs, defect_from_covariance, spread
from .linear import apply_weights, zeroed
from .propagate import needs, propagate


@propagate.register(Attention)
def _(layer: Attention, k: Kernel) -> Kernel:
    check_all_pairs(layer, k)
    if k.k11 is None or k.k22 is None or not k.pairs:
        raise ValueError("Attention expected sites and covariances between them, of each input with itself too.")
    if layer.query is None:
        return apply_weights(layer.out, _tied(layer, k))
    if layer.scores != "identity":
        raise NotImplementedError(
            f"Attention with independent queries and {layer.scores} scores has no kernel in closed form: at 1/sqrt(d) "
            "the scores stay random, and their average is an integral over all pairs of sites (Hron et al. 2020, "
            "section 3); use scores='identity', or query=None, which ties queries to keys and divides by d."
        )
    placed, value = _placed(layer, k), apply_weights(layer.value, k)
    query, key = apply_weights(layer.query, placed), apply_weights(layer.key, placed)
    if k.mask1 is not None and k.mask2 is not None:
        key = zeroed(key, k.mask1, k.mask2)
    assert query.k11 is not None and query.k22 is not None
    assert key.k11 is not None and key.k22 is not None and value.k11 is not None and value.k22 is not None
    ntk = query.ntk * jnp.sum(key.k12 * value.k12)
    ntk = ntk + query.k12 * jnp.sum(key.ntk * value.k12 + key.k12 * value.ntk)
    read = [jnp.sum(a * b) for a, b in ((key.k11, value.k11), (key.k12, value.k12), (key.k22, value.k22))]
    e = defect_from_covariance(read[0], read[1], read[2])
    d = None if query.d is None else query.d + e - query.d * e
    k11, k12, k22 = query.k11 * read[0], query.k12 * read[1], query.k22 * read[2]
    return apply_weights(layer.out, Kernel(k11, k12, k22, d, ntk, k.sites, True))


def _placed(layer: Attention, k: Kernel) -> Kernel:
    """What queries and keys read."""
    return k if layer.positions is None else propagate(layer.positions, k)


def _tied(layer: Attention, k: Kernel) -> Kernel:
    key, value = apply_weights(layer.key, _placed(layer, k)), apply_weights(layer.value, k)
    size = math.prod(k.sites)
    a1, a2 = (
        score(layer.scores, v.reshape(size, size), None if real is None else real.reshape(size))  # type: ignore[union-attr]
        for v, real in ((key.k11, k.mask1), (key.k22, k.mask2))
    )

    def read(left: Array, v: Array, right: Array) -> Array:
        return (left @ v.reshape(size, size) @ right.T).reshape(v.shape)

    k11, k22 = read(a1, value.k11, a1), read(a2, value.k22, a2)  # type: ignore[arg-type]
    k12, ntk = read(a1, value.k12, a2), read(a1, value.ntk, a2)
    s11, s22 = spread(k11, k22, k)
    d = defect_from_covariance(jnp.broadcast_to(s11, k12.shape), k12, jnp.broadcast_to(s22, k12.shape))
    return Kernel(k11, k12, k22, d, ntk, k.sites, True)


@needs.register(Attention)
def _(layer: Attention, after: Needs) -> Needs:
    return Needs(True, "pairs")
