"""Convolution of functions on the group of roto-translations."""

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..kernels import Kernel, Needs, apply_weights, joint_average, needs, propagate
from ..nets.base import Params, Shape, check_shape
from ..nets.window import pad_sites, patches
from ..numerics import materialise
from .planar import AbstractPlanar, check_over_group, offsets, tiling, turned_filters
from .sums import mean_over_group, turned_mean


class GroupConv(AbstractPlanar):
    r"""$z_i(r, t) = \sigma_w (c|G||S|)^{-1/2} \sum_{j, q, x} k_{ij}(q, x) f_j(rq, t + R^r x) + \sigma_b b_i$, x in S.

    Takes functions on the group `(|G|, height, width, c)`, as `Lift` gives them, to others, `(|G|, height', width',
    width)`. Arguments, attributes and errors as for `Lift`, with fan_in = c|G||S|.

    References:
        Cohen and Welling (2016), arXiv:1602.07576; Misof, Kessel and Gerken (2024), arXiv:2406.06504.

    >>> from equitangents.nets import output_shape
    >>> output_shape(GroupConv("C4", 16, 3, padding="VALID"), (4, 8, 8, 16))
    (4, 6, 6, 16)
    """

    __init__ = AbstractPlanar.__init__  # said again for type checkers, which would make one from the fields

    def fan_in(self, shape: Shape) -> int:
        return shape[-1] * self.group.order * offsets(self, shape[1:-1])

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        check_over_group(self, self.group, shape[:-1], 3)
        tiles, order = tiling(self, shape[1:-1]), self.group.order
        params = self.draw(key, (order, tiles.moved.shape[1], shape[-1], self.width))
        return (order, *tiles.sites, self.width), params

    def apply(self, params: Params, x: Array) -> Array:
        order, height, breadth, channels = x.shape
        tiles = tiling(self, (height, breadth))
        padded = pad_sites(x, tiles.margins, self.padding, first=1)
        padded = jnp.moveaxis(padded, 0, 2).reshape(*tiles.padded, order * channels)
        source = turned_filters(tiles)
        first = self.group.table[self.group.inverse]  # [r, p] -> r^-1 p
        inputs = patches(padded, tiles.frame, self.strides)

        def linear(w: Array) -> Array:
            w = jnp.pad(w.reshape(order, -1, channels, self.width), [(0, 0), (0, 1), (0, 0), (0, 0)])
            w = w[first[:, :, None], source[:, None, :]]  # (r, p, places, channels, width)
            w = jnp.transpose(w, (2, 1, 3, 0, 4)).reshape(-1, order * self.width)
            out = inputs @ w
            return jnp.moveaxis(out.reshape(*tiles.sites, order, self.width), 2, 0)

        return self.combine(params, linear, x, self.fan_in(x.shape))


@propagate.register(GroupConv)
def _(layer: GroupConv, k: Kernel) -> Kernel:
    check_over_group(layer, layer.group, k.sites, 3)
    tiles = tiling(layer, k.sites[1:])

    def pad(array: Array, pairs: bool) -> Array:
        array = materialise(array) if pairs else array  # XLA fills margins one number at a time
        array = pad_sites(array, tiles.margins, layer.padding, first=1)
        return pad_sites(array, tiles.margins, layer.padding, first=4) if pairs else array

    def mean(array: Array, pairs: bool) -> Array:
        return turned_mean(layer, tiles, mean_over_group(layer, array) if pairs else jnp.mean(array, axis=0))

    padded, sites = ((k.sites[0], *size) for size in (tiles.padded, tiles.sites))
    return apply_weights(layer, joint_average(k, pad, mean, padded, sites))


@needs.register(GroupConv)
def _(layer: GroupConv, after: Needs) -> Needs:
    return after
