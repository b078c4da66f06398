r"""Convolutions at infinite width: $k'(t, t') = \sigma_w^2 |S|^{-1} \sum_{s \in S} k(t + s, t' + s) + \sigma_b^2$."""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ..nets import Conv, ConvLocal, DepthwiseConv
from ..nets.base import Shape
from ..nets.window import reach, window_margins, window_output
from ..numerics import materialise
from .kernel import Kernel, Needs, check_all_pairs
from .linear import apply_weights, joint_average
from .propagate import needs, propagate

MOST_MIXED = 64
"""Up to so many sites along the last axes a window is a matrix product, which beats moving short rows."""


def window_mean(
    k: Array, sites: Shape, window: Shape, steps: Shape, padding: str, pairs: bool, apart: Shape = ()
) -> Array:
    """Mean over a window of an array over sites, or over pairs of them, both sites moved by the same offset.

    Axes after those of the sites are kept. One axis of sites after the other: moved copies are added, each a move of
    the whole array in memory, and what crosses a border is zero. Steps are taken at the end.

    Args:
        k: of shape (*sites, ...), or (*sites, *sites, ...) with `pairs`.
        sites, window, steps, padding: as the layer has them.
        pairs: whether k belongs to pairs of sites.
        apart: distance of neighbours in the window along each axis; ones if not given.
    """
    if pairs:
        k = materialise(k)  # what led to it would be computed again for each move, one number at a time
    apart = apart or (1,) * len(window)
    read = reach(window, apart)
    margins = window_margins(sites, read, steps, padding)
    last = len(sites) if pairs or k.ndim > len(sites) else _mixed_from(sites)
    for axis, (w, far, (low, _)) in enumerate(zip(window[:last], apart, margins, strict=False)):
        moves = [far * i - low for i in range(w)]
        if pairs and padding != "CIRCULAR":
            k = _sum_of_moved_pairs(k, sites, axis, moves)
        else:
            copies = [_moved(k, sites, axis, s, padding, pairs) for s in moves]
            k = sum(copies[1:], copies[0])
    if last < len(sites):
        each = zip(sites[last:], window[last:], apart[last:], margins[last:], strict=True)
        reads = functools.reduce(np.kron, [_band(n, w, far, low, padding) for n, w, far, (low, _) in each])
        flat = k.reshape(*sites[:last], -1)
        k = jnp.matmul(flat, jnp.asarray(reads, k.dtype), precision="highest").reshape(k.shape)
    sizes = zip(sites, read, steps, margins, strict=True)
    out = tuple((n + low + high - w) // s + 1 for n, w, s, (low, high) in sizes)
    if out != tuple(sites):
        taken = tuple(slice(0, (n - 1) * s + 1, s) for n, s in zip(out, steps, strict=True))
        k = k[taken * (2 if pairs else 1)]
    return k / math.prod(window)


def _mixed_from(sites: Shape) -> int:
    """The first of the last axes that have at most `MOST_MIXED` sites together."""
    first = len(sites)
    while first and math.prod(sites[first - 1 :]) <= MOST_MIXED:
        first -= 1
    return first


def _band(n: int, window: int, apart: int, low: int, padding: str) -> np.ndarray:
    """(old sites, new sites): how often the window of each new site along an axis reads each site."""
    reads = np.zeros((n, n))
    for place in (np.arange(n) + apart * i - low for i in range(window)):
        inside = np.ones(n, bool) if padding == "CIRCULAR" else (place >= 0) & (place < n)
        np.add.at(reads, (place[inside] % n, np.flatnonzero(inside)), 1)
    return reads


def _moved(k: Array, sites: Shape, axis: int, s: int, padding: str, pairs: bool) -> Array:
    """The array at sites moved by s along one axis: zero beyond the border, or from the other side of the torus."""
    if s == 0:
        return k
    if padding == "CIRCULAR":
        axes = (axis, axis + len(sites)) if pairs else (axis,)
        return jnp.roll(k, (-s,) * len(axes), axes)
    beyond = jnp.zeros((*k.shape[:axis], min(abs(s), sites[axis]), *k.shape[axis + 1 :]), k.dtype)
    kept = lax.slice_in_dim(k, max(s, 0), max(sites[axis] + min(s, 0), max(s, 0)), axis=axis)
    return jnp.concatenate([kept, beyond] if s > 0 else [beyond, kept], axis)


def _sum_of_moved_pairs(k: Array, sites: Shape, axis: int, moves: list[int]) -> Array:
    """The sum of an array over pairs of sites moved by each of `moves`, with zeros beyond the border.

    One copy with margins, in which a move of both sites is one step, and one loop that reads it at each step.
    """
    moves = [s for s in moves if abs(s) < sites[axis]]
    if not moves:
        return jnp.zeros_like(k)
    axes = (axis, axis + len(sites))
    step = sum(math.prod(k.shape[a + 1 :]) for a in axes)
    flat, margin = k.reshape(-1), step * max(map(abs, moves))
    # what stands in the margins is masked; XLA would write a copy with zeros for each of the slices
    wide = jnp.concatenate([flat[flat.size - margin :], flat, flat[:margin]]) if margin else flat

    def inside(s: int) -> np.ndarray:
        ok = np.ones((), bool)
        for a in axes:
            place = np.arange(k.shape[a]) + s
            ok = ok & ((place >= 0) & (place < k.shape[a])).reshape([-1 if b == a else 1 for b in range(k.ndim)])
        return np.broadcast_to(ok, k.shape).reshape(-1)

    starts = [(s, margin + s * step) for s in moves]
    parts = [flat if s == 0 else jnp.asarray(inside(s), k.dtype) * wide[at : at + flat.size] for s, at in starts]
    return sum(parts[1:], parts[0]).reshape(k.shape)


def convolved(layer: Conv | ConvLocal | DepthwiseConv, k: Kernel) -> Kernel:
    """Averages over the window, before weights and biases."""
    check_all_pairs(layer, k)
    apart = layer.apart if isinstance(layer, Conv) else (1,) * len(layer.window)
    sites = window_output(layer, k.sites, reach(layer.window, apart), layer.steps, layer.padding)

    def mean(array: Array, pairs: bool) -> Array:
        return window_mean(array, k.sites, layer.window, layer.steps, layer.padding, pairs, apart)

    def alone(v11: Array, v22: Array) -> Array:
        return read_alone(v11, v22, k.sites, layer.window, layer.steps, apart)

    return joint_average(
        k, lambda array, pairs: array, mean, k.sites, sites, alone if layer.padding == "SAME" else None
    )


def read_alone(v11: Array, v22: Array, sites: Shape, window: Shape, steps: Shape, apart: Shape) -> Array:
    """Mean over windows of the variance at one site where the other is beyond the border: (*new sites, *new sites).

    Products of two matrices (new sites, offsets): what each offset reads, and whether it is beyond the border.

    Args:
        v11, v22: variances of the first input and of the second, over sites.
        sites, window, steps, apart: as for `window_mean`, with padding SAME.
    """
    place, inside = np.zeros((1, 1), int), np.ones((1, 1), bool)  # (new sites, offsets), one axis after the other
    new: tuple[int, ...] = ()
    margins = window_margins(sites, reach(window, apart), steps, "SAME")
    for n, w, s, far, (low, high) in zip(sites, window, steps, apart, margins, strict=True):
        first = np.arange(0, n + low + high - (w - 1) * far, s) - low
        along = first[:, None] + far * np.arange(w)[None]
        place = place[:, None, :, None] * n + np.clip(along, 0, n - 1)[None, :, None, :]
        inside = inside[:, None, :, None] & ((along >= 0) & (along < n))[None, :, None, :]
        new = (*new, len(along))
        place, inside = (a.reshape(math.prod(new), -1) for a in (place, inside))
    beyond = jnp.asarray(~inside, v11.dtype) / math.prod(window)
    reads1, reads2 = (jnp.where(inside, v.reshape(-1)[place], 0) for v in (v11, v22))
    both = jnp.matmul(reads1, beyond.T, precision="highest") + jnp.matmul(beyond, reads2.T, precision="highest")
    return both.reshape(*new, *new)


@propagate.register(Conv)
def _(layer: Conv, k: Kernel) -> Kernel:
    return apply_weights(layer, convolved(layer, k))


@needs.register(Conv)
def _(layer: Conv, after: Needs) -> Needs:
    return after
