r"""Locally connected layers at infinite width: as a convolution at equal sites, zero between different ones."""

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import ConvLocal
from .conv import convolved
from .kernel import Kernel, Needs, at_sites, check_all_pairs, diagonal
from .linear import apply_weights
from .propagate import needs, propagate


@propagate.register(ConvLocal)
def _(layer: ConvLocal, k: Kernel) -> Kernel:
    check_all_pairs(layer, k)
    kept = [v is not None and bool(k.sites) and v.ndim == 2 * len(k.sites) for v in (k.k11, k.k22)]
    one = diagonal(k)
    v11, v22 = (None if v is None else at_sites(v, k.sites) for v in (k.k11, k.k22))
    one = Kernel(v11, one.k12, v22, one.d, one.ntk, k.sites, k.gaussian)
    out = apply_weights(layer, convolved(layer, one))
    self1, self2 = (
        _between(v, 0) if v is not None and full else v for v, full in zip((out.k11, out.k22), kept, strict=True)
    )
    if not k.pairs:
        return Kernel(self1, out.k12, self2, out.d, out.ntk, out.sites, True)
    d = None if out.d is None else _between(out.d, 1)
    return Kernel(self1, _between(out.k12, 0), self2, d, _between(out.ntk, 0), out.sites, True)


def _between(k: Array, other: float) -> Array:
    """An array over sites as one over pairs of sites, with `other` between different ones."""
    same = jnp.eye(k.size, dtype=bool)
    return jnp.where(same, k.reshape(-1, 1), jnp.asarray(other, k.dtype)).reshape(*k.shape, *k.shape)


@needs.register(ConvLocal)
def _(layer: ConvLocal, after: Needs) -> Needs:
    return after  # of which only equal sites are read; what comes before is how this rule knows what comes after
