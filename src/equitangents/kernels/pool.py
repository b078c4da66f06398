"""Averages over sites, and flattening, at infinite width."""

import math

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import AvgPool, Flatten, GlobalAvgPool, GlobalSumPool, MaxPool, SumPool
from ..nets.window import pad_sites, window_margins, window_output
from .conv import window_mean
from .kernel import Kernel, Needs, at_sites, check_all_pairs, diagonal, spread, variances_of
from .linear import global_average, independent_average, joint_average, mean_of_all, scaled
from .propagate import needs, propagate


@propagate.register(GlobalAvgPool)
def _(layer: GlobalAvgPool, k: Kernel) -> Kernel:
    return global_average(k)


@propagate.register(GlobalSumPool)
def _(layer: GlobalSumPool, k: Kernel) -> Kernel:
    size = math.prod(k.sites)
    return scaled(global_average(k), size, size)


@propagate.register(AvgPool)
def _(layer: AvgPool, k: Kernel) -> Kernel:
    factor = layer.edge_factor(k.sites)
    return _averaged(layer, k) if factor is None else scaled(_averaged(layer, k), factor, factor)


@propagate.register(SumPool)
def _(layer: SumPool, k: Kernel) -> Kernel:
    size = math.prod(layer.window)
    return scaled(_averaged(layer, k), size, size)


@propagate.register(MaxPool)
def _(layer: MaxPool, k: Kernel) -> Kernel:
    raise NotImplementedError(
        "MaxPool has no kernel in closed form: the largest of several correlated Gaussians is not Gaussian, and "
        "E[max u max v] is an integral over all of them; use AvgPool, or monte_carlo and empirical_ntk of the finite "
        "network."
    )


def _averaged(layer: AvgPool | SumPool, k: Kernel) -> Kernel:
    check_all_pairs(layer, k)
    margins = window_margins(k.sites, layer.window, layer.steps, layer.padding)
    sites = window_output(layer, k.sites, layer.window, layer.steps, layer.padding)

    def over_first(array: Array) -> Array:
        return window_mean(array, k.sites, layer.window, layer.steps, layer.padding, False)

    def mean(array: Array) -> Array:
        axes = len(k.sites)
        swapped = jnp.moveaxis(over_first(array), range(axes), range(-axes, 0))
        return jnp.moveaxis(over_first(swapped), range(axes), range(-axes, 0))

    def pad(array: Array) -> Array:
        return pad_sites(array, margins, layer.padding)

    def together(array: Array) -> Array:
        padded = pad_sites(pad(array), margins, layer.padding, first=len(k.sites))
        inside = pad(jnp.ones(k.sites, array.dtype))
        v11, v22 = (pad(at_sites(v, k.sites)) for v in variances_of(layer, k))
        like = Kernel(None, padded, None, None, padded, inside.shape)
        (i1, i2), (s1, s2) = spread(inside, inside, like), spread(v11, v22, like)
        # where only one of two windows reads the zeros outside, the other's site is as far as it is large
        far = padded + (s1 * (1 - i2) + s2 * (1 - i1)) / 2
        return window_mean(far, inside.shape, layer.window, layer.steps, "VALID", True)

    return independent_average(k, mean, together, sites)


@needs.register(GlobalAvgPool)
@needs.register(GlobalSumPool)
@needs.register(AvgPool)
@needs.register(SumPool)
def _(layer: AvgPool | SumPool | GlobalAvgPool | GlobalSumPool, after: Needs) -> Needs:
    return Needs(True, "none" if after.variances == "none" else "pairs")


@propagate.register(Flatten)
def _(layer: Flatten, k: Kernel) -> Kernel:
    out = joint_average(diagonal(k), lambda array, pairs: array, _mean_of_sites(k.sites), k.sites, ())
    alike = k.gaussian and math.prod(k.sites) == 1  # channels of different sites have different variances
    return Kernel(out.k11, out.k12, out.k22, out.d, out.ntk, (), alike)


@needs.register(Flatten)
def _(layer: Flatten, after: Needs) -> Needs:
    return Needs(False, "none" if after.variances == "none" else "sites")


def _mean_of_sites(sites: tuple[int, ...]):
    def mean(array: Array, pairs: bool) -> Array:
        return mean_of_all(at_sites(array, sites))

    return mean
