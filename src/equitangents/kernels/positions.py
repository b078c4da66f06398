r"""Positional embeddings at infinite width: $k + \sigma_b^2 R$ and $\Theta + \lambda_b R$, or shares of both terms."""

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import Positions
from .kernel import Kernel, at_sites, check_all_pairs
from .linear import scaled
from .propagate import independent_sum, propagate


@propagate.register(Positions)
def _(layer: Positions, k: Kernel) -> Kernel:
    check_all_pairs(layer, k)
    dtype = k.k12.dtype
    r = jnp.asarray(layer.covariance(k.sites), dtype).reshape(*k.sites, *k.sites)
    size, rate = jnp.asarray(layer.sigma_b**2, dtype), jnp.asarray(layer.rate_b, dtype)

    def like(held: Array) -> Array:
        """R at the sites, or the pairs of sites, that are held."""
        return r if held.ndim == 2 * len(k.sites) else at_sites(r, k.sites)

    v11, v22 = (None if v is None else size * like(v) for v in (k.k11, k.k22))
    r12 = like(k.k12)
    d = None if k.d is None else 1 - r12
    own = Kernel(v11, size * r12, v22, d, rate * r12, k.sites, True)
    if layer.share is None:
        return independent_sum([k, own])
    shares = ((1 - layer.share) ** 0.5, layer.share**0.5)
    out = independent_sum([scaled(term, share, share) for term, share in zip((k, own), shares, strict=True)])
    return Kernel(out.k11, out.k12, out.k22, out.d, out.ntk, out.sites, False)
