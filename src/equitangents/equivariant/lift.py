"""Lifting: from images to functions on the group of roto-translations."""

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..kernels import Kernel, Needs, apply_weights, joint_average, needs, propagate
from ..nets.base import Params, Shape, check_shape
from ..nets.window import pad_sites, patches
from ..numerics import materialise
from .planar import AbstractPlanar, offsets, tiling, turned_filters
from .sums import turned_mean


class Lift(AbstractPlanar):
    r"""$z_i(r, t) = \sigma_w (c|S|)^{-1/2} \sum_{j, x \in S} k_{ij}(x) f_j(t + R^r x) + \sigma_b b_i$.

    Takes images `(height, width, c)` to functions on the group, `(|G|, height', width', width)`. The offsets x in S are
    counted from the centre of the window, and the point group acts about the centre of the image: rho(g) on the input
    becomes $z(r, t) \to z(g^{-1} r, g^{-1} t)$.

    Even windows are refused where they would move the sites by half a pixel: with "SAME" the symmetry is lost, and with
    "CIRCULAR" it is another one, about a point between the sites of the output. A footprint that is not closed under
    the group leaves this layer equivariant, but it is no longer what an augmented convolution of that footprint learns.

    Attributes:
        group: "C1", "C2", "C4", "D1", "D2", "D4" or a `PointGroup`.
        width: number of output channels; ignored by infinite-width rules.
        window: an integer, (height, width), or "all": the whole image, without padding, sites (|G|, 1, 1).
        strides: step of the window, an integer or a pair.
        padding: "SAME" (zeros), "VALID" or "CIRCULAR".
        footprint: which places of the window carry weights, an array of booleans; all if None.
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = c|S|.
        sigma_b: standard deviation of the biases.
        lambda_w: learning-rate factor of the weights, before 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.
        negative_control: allow what breaks the symmetry. Kernels then come from the tables of the group, with all pairs
            of its elements; without it, one turn after the other where that is exact, at a tenth of the memory.

    Raises:
        ValueError: a footprint or window that the group does not map to itself; on use, windows that do not lie
            symmetrically on the image.

    References:
        Cohen and Welling (2016), arXiv:1602.07576; Misof, Kessel and Gerken (2024), arXiv:2406.06504.

    >>> from equitangents.nets import output_shape
    >>> output_shape(Lift("C4", 16, 3), (8, 8, 1))
    (4, 8, 8, 16)
    """

    __init__ = AbstractPlanar.__init__  # said again for type checkers, which would make one from the fields

    def fan_in(self, shape: Shape) -> int:
        return shape[-1] * offsets(self, shape[:-1])

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=2)
        tiles = tiling(self, shape[:-1])
        params = self.draw(key, (tiles.moved.shape[1], shape[-1], self.width))
        return (self.group.order, *tiles.sites, self.width), params

    def apply(self, params: Params, x: Array) -> Array:
        tiles, channels, order = tiling(self, x.shape[:-1]), x.shape[-1], self.group.order
        padded = pad_sites(x, tiles.margins, self.padding)
        source = turned_filters(tiles)
        inputs = patches(padded, tiles.frame, self.strides)

        def linear(w: Array) -> Array:
            w = jnp.pad(w.reshape(-1, channels, self.width), [(0, 1), (0, 0), (0, 0)])[source]
            w = jnp.moveaxis(w, 0, 2).reshape(-1, order * self.width)
            out = inputs @ w
            return jnp.moveaxis(out.reshape(*tiles.sites, order, self.width), 2, 0)

        return self.combine(params, linear, x, self.fan_in(x.shape))


@propagate.register(Lift)
def _(layer: Lift, k: Kernel) -> Kernel:
    tiles = tiling(layer, _image(layer, k.sites))

    def pad(array: Array, pairs: bool) -> Array:
        array = materialise(array) if pairs else array  # XLA fills margins one number at a time
        array = pad_sites(array, tiles.margins, layer.padding)
        return pad_sites(array, tiles.margins, layer.padding, first=2) if pairs else array

    def mean(array: Array, pairs: bool) -> Array:
        return turned_mean(layer, tiles, [array] * layer.group.order if pairs else array)

    sites = (layer.group.order, *tiles.sites)
    return apply_weights(layer, joint_average(k, pad, mean, tiles.padded, sites))


@needs.register(Lift)
def _(layer: Lift, after: Needs) -> Needs:
    return after


def _image(layer: Lift, sites: Shape) -> Shape:
    check_shape(layer, (*sites, 1), sites=2)
    return sites
