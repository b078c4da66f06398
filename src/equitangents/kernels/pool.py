"""Averages over sites, and flattening, at infinite width."""

import math

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import AvgPool, Flatten, GlobalAvgPool
from ..nets.window import window_output
from .conv import window_mean
from .kernel import Kernel, Needs, at_sites, diagonal
from .linear import global_average, independent_average, joint_average
from .propagate import needs, propagate


@propagate.register(GlobalAvgPool)
def _(layer: GlobalAvgPool, k: Kernel) -> Kernel:
    return global_average(k)


@propagate.register(AvgPool)
def _(layer: AvgPool, k: Kernel) -> Kernel:
    sites = window_output(layer, k.sites, layer.window, layer.steps, layer.padding)

    def over_first(array: Array) -> Array:
        return window_mean(array, k.sites, layer.window, layer.steps, layer.padding, False)

    def mean(array: Array) -> Array:
        axes = len(k.sites)
        swapped = jnp.moveaxis(over_first(array), range(axes), range(-axes, 0))
        return jnp.moveaxis(over_first(swapped), range(axes), range(-axes, 0))

    def together(array: Array) -> Array:
        return window_mean(array, k.sites, layer.window, layer.steps, layer.padding, True)

    return independent_average(k, mean, together, sites)


@needs.register(GlobalAvgPool)
@needs.register(AvgPool)
def _(layer: AvgPool | GlobalAvgPool, after: Needs) -> Needs:
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
        return jnp.mean(at_sites(array, sites))

    return mean
