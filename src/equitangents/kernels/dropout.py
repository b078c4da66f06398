"""Dropout at infinite width: an entry with itself gains variance, masks of different entries are independent."""

import math

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import Dropout
from ..nets.dropout import OneEvaluation
from .kernel import Kernel, Needs, variances_of
from .propagate import needs, propagate


@propagate.register(Dropout)
def _(layer: Dropout, k: Kernel) -> Kernel:
    if not layer.training:
        return k
    return _masked(layer, k, same=False)


@propagate.register(OneEvaluation)
def _(layer: OneEvaluation, k: Kernel) -> Kernel:
    return _masked(layer, k, same=True)


def _masked(layer: Dropout | OneEvaluation, k: Kernel, same: bool) -> Kernel:
    if k.one_row:
        raise ValueError(
            "Dropout expected covariances between all sites, got those of a function on a group, which depend on "
            "g h^-1 alone; masks of each node are no such function. Set training=False, or put Dropout after "
            "RotationPool."
        )
    v11, v22 = variances_of(layer, k)
    keep = 1 - jnp.asarray(layer.rate, k.k12.dtype)
    here = _same_site(k.k12, k.sites) if same else jnp.zeros((), bool)
    factor = jnp.where(here, 1 / keep, 1.0)
    d = None if k.d is None else jnp.where(here, k.d, (1 - keep) + keep * k.d)
    self1, self2 = (v * jnp.where(_same_site(v, k.sites), 1 / keep, 1.0) for v in (v11, v22))
    return Kernel(self1, k.k12 * factor, self2, d, k.ntk * factor, k.sites, False)


def _same_site(v: Array, sites: tuple[int, ...]) -> Array:
    """Where an array over sites, or pairs of sites, has one site with itself."""
    if not sites or v.ndim == len(sites):
        return jnp.ones(v.shape, bool)
    size = math.prod(sites)
    return jnp.eye(size, v.size // size, dtype=bool).reshape(v.shape)


@needs.register(Dropout)
@needs.register(OneEvaluation)
def _(layer: Dropout | OneEvaluation, after: Needs) -> Needs:
    return after | Needs(False, "sites")
