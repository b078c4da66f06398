r"""Convolutions at infinite width: $k'(t, t') = \sigma_w^2 |S|^{-1} \sum_{s \in S} k(t + s, t' + s) + \sigma_b^2$."""

import itertools
import math

from jax import lax
from jaxtyping import Array

from ..nets import Conv
from ..nets.window import pad_sites, window_margins, window_output
from .kernel import Kernel, Needs
from .linear import apply_weights, joint_average
from .propagate import needs, propagate


def window_mean(k: Array, window: tuple[int, ...], steps: tuple[int, ...], pairs: bool) -> Array:
    """Mean over a window of an array over padded sites, or over pairs of them, both sites moved by the same offset.

    Axes after those of the sites are kept. The shifted slices are added one after the other; the compiler fuses them
    into one pass.
    """
    copies = 2 if pairs else 1
    sizes = k.shape[: len(window)]
    last = [(n - w) // s * s + 1 for n, w, s in zip(sizes, window, steps, strict=True)]
    rest = k.shape[copies * len(window) :]
    total = None
    for offset in itertools.product(*map(range, window)):
        start = offset * copies + (0,) * len(rest)
        stop = tuple(o + n for o, n in zip(offset, last, strict=True)) * copies + rest
        shifted = lax.slice(k, start, stop, steps * copies + (1,) * len(rest))
        total = shifted if total is None else total + shifted
    assert total is not None
    return total / math.prod(window)


@propagate.register(Conv)
def _(layer: Conv, k: Kernel) -> Kernel:
    margins = window_margins(k.sites, layer.window, layer.steps, layer.padding)
    padded = tuple(n + low + high for n, (low, high) in zip(k.sites, margins, strict=True))
    sites = window_output(layer, k.sites, layer.window, layer.steps, layer.padding)

    def pad(array: Array, pairs: bool) -> Array:
        array = pad_sites(array, margins, layer.padding)
        return pad_sites(array, margins, layer.padding, first=len(k.sites)) if pairs else array

    def mean(array: Array, pairs: bool) -> Array:
        return window_mean(array, layer.window, layer.steps, pairs)

    return apply_weights(layer, joint_average(k, pad, mean, padded, sites))


@needs.register(Conv)
def _(layer: Conv, after: Needs) -> Needs:
    return after
