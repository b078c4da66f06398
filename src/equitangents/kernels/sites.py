"""Fixed maps of the sites at infinite width: both inputs are mapped alike, each on its own sites."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..nets import SiteMap, Slice
from ..nets.sites import map_axis
from .kernel import Kernel, Needs, check_all_pairs
from .linear import independent_average
from .propagate import needs, propagate


@propagate.register(Slice)
def _(layer: Slice, k: Kernel) -> Kernel:
    check_all_pairs(layer, k)
    index = (*layer.slices, *(slice(None),) * (len(k.sites) - len(layer.index)))

    def read(array: Array) -> Array:
        return array[index * (array.ndim // len(k.sites))]

    v11, v22, d = (None if array is None else read(array) for array in (k.k11, k.k22, k.d))
    return Kernel(v11, read(k.k12), v22, d, read(k.ntk), np.empty(k.sites, bool)[index].shape, k.gaussian)


@needs.register(Slice)
def _(layer: Slice, after: Needs) -> Needs:
    return after


@propagate.register(SiteMap)
def _(layer: SiteMap, k: Kernel) -> Kernel:
    axes = len(k.sites)
    sites = (*k.sites[: layer.axis], len(layer.matrix), *k.sites[layer.axis + 1 :])

    def mapped(array: Array) -> Array:
        matrix = jnp.asarray(layer.matrix, array.dtype)
        return map_axis(matrix, map_axis(matrix, array, layer.axis), axes + layer.axis)

    def together(apart: Array) -> Array:
        r"""Of equal sites $(\sum_s M_s (u_s - v_s))^2 \le \sum_s |M_s| \sum_s |M_s| (u_s - v_s)^2$; none of others."""
        size = jnp.abs(jnp.asarray(layer.matrix, apart.dtype))
        own = jnp.diagonal(apart.reshape(math.prod(k.sites), -1)).reshape(k.sites)
        sums = jnp.sum(size, axis=1).reshape(-1, *(1,) * (axes - layer.axis - 1))
        bound = (map_axis(size, own, layer.axis) * jnp.broadcast_to(sums, sites)).reshape(-1, 1)
        none = float(jnp.finfo(apart.dtype).max) ** 0.5
        return jnp.where(jnp.eye(math.prod(sites), dtype=bool), bound, none).reshape(*sites, *sites)

    return independent_average(k, mapped, together, sites)


@needs.register(SiteMap)
def _(layer: SiteMap, after: Needs) -> Needs:
    return Needs(True, "none" if after.variances == "none" else "pairs")
