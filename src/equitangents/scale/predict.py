"""Predictions from coefficients, with tiles of the kernel between new and training inputs that are never kept."""

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .cg import Progress
from .store import GramStore, filled
from .tile import GramSpec, gram_tile


def predict(
    store: GramStore,
    spec: GramSpec,
    name: str,
    coefficients: np.ndarray,
    x: np.ndarray,
    *,
    workers: int | None = None,
    progress: Progress = lambda *_: None,
) -> np.ndarray:
    r"""$f(x) = \sum_i k(x, x_i)\, a_i$ over the inputs of a store, in blocks of its tiles.

    Args:
        store: where the training inputs are.
        spec: the description that it was made for.
        name: which of its kernels.
        coefficients: a, shape (n, k).
        x: new inputs (m, *sites, channels) of the same shape; converted to the store's precision.
        workers: threads; the number of cores by default. Each holds one tile.
        progress: called as (what, done, total).

    Returns:
        Shape (m, k), float64.

    Raises:
        ValueError: inputs or coefficients of other shapes.
    """
    if coefficients.ndim != 2 or len(coefficients) != store.n:
        raise ValueError(f"expected coefficients ({store.n}, k), got shape {coefficients.shape}.")
    if x.shape[1:] != store.inputs.shape[1:]:
        raise ValueError(f"expected inputs of shape {store.inputs.shape[1:]}, as in training, got {x.shape[1:]}.")
    spec, side = dataclasses.replace(spec, kernels=(name,)), store.side
    x = x.astype(store.inputs.dtype, copy=False)
    out = np.zeros((len(x), coefficients.shape[1]))

    def part(place: tuple[int, int]) -> np.ndarray:
        rows, columns = (slice(i * side, (i + 1) * side) for i in place)
        mine, theirs = filled(x[rows], side), store.block(place[1])
        tile = gram_tile(spec, mine, theirs)[0][: len(x[rows]), : len(coefficients[columns])]
        return tile.astype(np.float64) @ coefficients[columns]

    places = [(i, j) for i in range(-(-len(x) // side)) for j in range(-(-store.n // side))]
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for done, (place, found) in enumerate(zip(places, pool.map(part, places), strict=True), start=1):
            out[place[0] * side : (place[0] + 1) * side] += found
            progress("predict", done, len(places))
    return out
