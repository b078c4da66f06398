r"""Positional embeddings at infinite width: $k + \sigma_b^2 R$ and $\Theta + \lambda_b R$, or shares of both terms."""

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import Positions
from .kernel import Kernel, at_sites
from .linear import scaled
from .propagate import independent_sum, propagate


@propagate.register(Positions)
def _(layer: Positions, k: Kernel) -> Kernel:
    dtype = k.k12.dtype
    r = jnp.asarray(layer.covariance(k.sites), dtype).reshape(*k.sites, *k.sites)
    size, rate = jnp.asarray(layer.sigma_b**2, dtype), jnp.asarray(layer.rate_b, dtype)

    def like(held: Array | None) -> Array | None:
        """R at the sites, or the pairs of sites, that are held."""
        return None if held is None else (r if held.ndim == 2 * len(k.sites) else at_sites(r, k.sites))

    r11, r12, r22 = like(k.k11), like(k.k12), like(k.k22)
    v11, v22 = (None if v is None else size * v for v in (r11, r22))
    d = None if k.d is None else 1 - r12  # type: ignore[operator]
    own = Kernel(v11, size * r12, v22, d, rate * r12, k.sites, True)  # type: ignore[operator]
    if layer.share is None:
        return independent_sum([k, own])
    shares = ((1 - layer.share) ** 0.5, layer.share**0.5)
    out = independent_sum([scaled(term, share, share) for term, share in zip((k, own), shares, strict=True)])
    return Kernel(out.k11, out.k12, out.k22, out.d, out.ntk, out.sites, False)
