r"""Convolutions at infinite width: $k'(t, t') = \sigma_w^2 |S|^{-1} \sum_{s \in S} k(t + s, t' + s) + \sigma_b^2$."""

import itertools
import math

from jax import lax
from jaxtyping import Array

from ..nets import Conv, ConvLocal, DepthwiseConv
from ..nets.window import pad_sites, reach, window_margins, window_output
from .kernel import Kernel, Needs
from .linear import apply_weights, joint_average
from .propagate import needs, propagate


def window_mean(
    k: Array, window: tuple[int, ...], steps: tuple[int, ...], pairs: bool, apart: tuple[int, ...] = ()
) -> Array:
    """Mean over a window of an array over padded sites, or over pairs of them, both sites moved by the same offset.

    Axes after those of the sites are kept. The shifted slices are added one after the other; the compiler fuses them
    into one pass.
    """
    copies = 2 if pairs else 1
    apart = apart or (1,) * len(window)
    sizes = k.shape[: len(window)]
    last = [(n - w) // s * s + 1 for n, w, s in zip(sizes, reach(window, apart), steps, strict=True)]
    rest = k.shape[copies * len(window) :]
    total = None
    for offset in itertools.product(*map(range, window)):
        offset = tuple(o * d for o, d in zip(offset, apart, strict=True))
        start = offset * copies + (0,) * len(rest)
        stop = tuple(o + n for o, n in zip(offset, last, strict=True)) * copies + rest
        shifted = lax.slice(k, start, stop, steps * copies + (1,) * len(rest))
        total = shifted if total is None else total + shifted
    assert total is not None
    return total / math.prod(window)


def convolved(layer: Conv | ConvLocal | DepthwiseConv, k: Kernel) -> Kernel:
    """Averages over the window, before weights and biases."""
    apart = layer.apart if isinstance(layer, Conv) else (1,) * len(layer.window)
    read = reach(layer.window, apart)
    margins = window_margins(k.sites, read, layer.steps, layer.padding)
    padded = tuple(n + low + high for n, (low, high) in zip(k.sites, margins, strict=True))
    sites = window_output(layer, k.sites, read, layer.steps, layer.padding)

    def pad(array: Array, pairs: bool) -> Array:
        array = pad_sites(array, margins, layer.padding)
        return pad_sites(array, margins, layer.padding, first=len(k.sites)) if pairs else array

    def mean(array: Array, pairs: bool) -> Array:
        return window_mean(array, layer.window, layer.steps, pairs, apart)

    return joint_average(k, pad, mean, padded, sites)


@propagate.register(Conv)
def _(layer: Conv, k: Kernel) -> Kernel:
    return apply_weights(layer, convolved(layer, k))


@needs.register(Conv)
def _(layer: Conv, after: Needs) -> Needs:
    return after
