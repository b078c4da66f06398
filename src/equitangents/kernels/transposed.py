r"""Transposed convolutions: $k'(t, t') = \sigma_w^2 |S|^{-1} \sum_s \hat k(t + s, t' + s) + \sigma_b^2$.

$\hat k$ is k with zeros between the sites, so output sites have a covariance only if they differ by whole strides.
"""

from jaxtyping import Array

from ..nets import ConvTranspose
from ..nets.window import pad_sites, spaced
from .conv import window_mean
from .kernel import Kernel, Needs
from .linear import apply_weights, joint_average
from .propagate import needs, propagate


@propagate.register(ConvTranspose)
def _(layer: ConvTranspose, k: Kernel) -> Kernel:
    sizes = [n * s + low + high for n, s, (low, high) in zip(k.sites, layer.steps, layer.margins, strict=True)]

    def pad(array: Array, pairs: bool) -> Array:
        for first in (0, len(k.sites))[: 2 if pairs else 1]:
            array = pad_sites(spaced(array, layer.steps, first), layer.margins, layer.padding, first)
        return array

    def mean(array: Array, pairs: bool) -> Array:
        return window_mean(array, tuple(sizes), layer.window, (1,) * len(layer.window), "VALID", pairs)

    return apply_weights(layer, joint_average(k, pad, mean, tuple(sizes), layer.sites(k.sites)))


@needs.register(ConvTranspose)
def _(layer: ConvTranspose, after: Needs) -> Needs:
    return after
