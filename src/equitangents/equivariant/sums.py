r"""Averages over group and window of covariances between pairs of sites.

A group convolution gives the mean over q in G and x in S of $K[(rq, t + R^r x), (r'q, t' + R^{r'} x)]$. With
$h = r' r^{-1}$ the sum over q makes blocks $B_h = |G|^{-1} \sum_p K[(p, \cdot), (hp, \cdot)]$. If S is closed under the
group, the result depends on r and r' only through h: it is $|S|^{-1} \sum_{y \in S} B_h[t + y, t' + R^h y]$.
Lifting is the same with one block for all h, the covariances of the image.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ..numerics import materialise
from .planar import AbstractPlanar, Tiling


def mean_over_group(layer: AbstractPlanar, k: Array) -> list[Array]:
    """The blocks B_h of covariances (|G|, h, w, |G|, h, w), in the order of the elements h."""
    first = np.arange(layer.group.order)
    return list(jnp.mean(jnp.moveaxis(k, 3, 1)[first[None], layer.group.table], axis=1))


def turned_mean(layer: AbstractPlanar, tiles: Tiling, k: Array | list[Array]) -> Array:
    """The mean over the footprint: of blocks B_h, or of variances at the sites, to arrays over the new sites."""
    slices = tiles.closed and tiles.symmetric and math.prod(tiles.sites) > 1
    if isinstance(k, list):
        return by_blocks(layer, tiles, k) if slices else by_indices(layer, tiles, k)
    if slices:
        out = _window_mean(k, tiles, layer.strides, 1)
        return jnp.broadcast_to(out, (layer.group.order, *tiles.sites))
    return jnp.mean(k.reshape(-1)[_places(layer, tiles)], axis=-1).reshape(layer.group.order, *tiles.sites)


def by_blocks(layer: AbstractPlanar, tiles: Tiling, k: list[Array]) -> Array:
    """Closed footprints: turn the second image of block h by R^h, slide one window over both, and turn back."""
    group = layer.group
    turned = [turn_second(block, matrix) for block, matrix in zip(k, group.matrices, strict=True)]
    means = [_window_mean(block, tiles, layer.strides, 2) for block in turned]
    back = [turn_second(block, matrix.T) for block, matrix in zip(means, group.matrices, strict=True)]
    between = group.table[:, group.inverse].T  # [r, r'] -> r' r^-1
    return jnp.moveaxis(jnp.stack(back)[between], 1, 3)


def by_indices(layer: AbstractPlanar, tiles: Tiling, k: list[Array]) -> Array:
    """Any footprint, and windows as large as the image: the sum as it is written, with indices."""
    group, places = layer.group, _places(layer, tiles)
    size = math.prod(tiles.padded)
    flat = [block.reshape(size, size) for block in k]
    rows = []
    for r in group.elements:
        blocks = [flat[group.table[s, group.inverse[r]]] for s in group.elements]
        row = [jnp.mean(block[places[r][:, None], places[s][None]], axis=-1) for s, block in enumerate(blocks)]
        rows.append(jnp.stack([block.reshape(*tiles.sites, *tiles.sites) for block in row], axis=2))
    return jnp.stack(rows)


def _places(layer: AbstractPlanar, tiles: Tiling) -> np.ndarray:
    """Index of the padded site t + R^r x at [r, t, x]."""
    first = [np.arange(n) * step for n, step in zip(tiles.sites, layer.strides, strict=True)]
    corner = (first[0][:, None] * tiles.padded[1] + first[1][None]).reshape(1, -1, 1)
    row, column = np.divmod(tiles.moved, tiles.frame[1])
    return corner + (row * tiles.padded[1] + column)[:, None, :]


def turn_second(block: Array, matrix: np.ndarray) -> Array:
    """`block` with R v in place of v = its last two axes, about their centre."""
    first, second = block.ndim - 2, block.ndim - 1
    if matrix[0, 0] == 0:
        block = jnp.swapaxes(block, first, second)
        flipped = [axis for axis, sign in ((first, matrix[1, 0]), (second, matrix[0, 1])) if sign < 0]
    else:
        flipped = [axis for axis, sign in ((first, matrix[0, 0]), (second, matrix[1, 1])) if sign < 0]
    return lax.rev(block, flipped) if flipped else block


def _window_mean(k: Array, tiles: Tiling, steps: tuple[int, int], copies: int) -> Array:
    """Mean over the footprint, all copies of (height, width) moved by the same offset."""
    spans = [(n - 1) * step + 1 for n, step in zip(tiles.sites, steps, strict=True)]
    if copies == 2:
        k = materialise(k)  # what led to it would be computed again for each place of the footprint
    total = None
    for place in tiles.moved[0]:
        start = divmod(int(place), tiles.frame[1])
        stop = tuple(o + n for o, n in zip(start, spans, strict=True))
        part = lax.slice(k, start * copies, stop * copies, steps * copies)
        total = part if total is None else total + part
    assert total is not None
    return total / tiles.moved.shape[1]
