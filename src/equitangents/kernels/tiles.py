"""How a Gram matrix is cut into tiles, and how the tiles are put together."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


def tile_rows(backend: str, entries: int, n1: int, n2: int, itemsize: int) -> tuple[int, int]:
    """Rows and columns of one tile.

    On a CPU a tile of a layer's arrays should stay in cache; a GPU wants it as large as its memory bears. The budgets
    are those that `python -m benchmarks.kernels_peer` found best: 2^17 numbers an array without sites, 2^15 at equal
    sites, and 1 MB with pairs of sites. A kernel holds about ten such arrays.

    Args:
        backend: as `jax.default_backend()` names it.
        entries: numbers that one pair of inputs holds, that is pairs of sites.
        n1, n2: sizes of the batches.
        itemsize: bytes of a number.
    """
    on_cpu = 2**17 if entries == 1 else 2**15 if entries < 2**10 else 2**20 // itemsize
    budget, most = (on_cpu, 512) if backend == "cpu" else (2**24, 256)
    rows = max(1, min(most, math.isqrt(budget // max(entries, 1))))
    return _side(n1, rows), _side(n2, rows)


def piece_entries(backend: str) -> int:
    """Numbers in an array of a piece, a few rows of a tile that go through the layers together; see `tile_rows`."""
    return 2**15 if backend == "cpu" else 2**24


def _side(n: int, rows: int) -> int:
    """About `rows`, such that tiles overlap little; large ones fill vector registers, and most products' own tiles.

    Products of 32 rows a piece take a sixth less processor time than those of 8, and are about half of the work.
    """
    if rows < 32 or n <= rows:
        return _even(n, rows)
    least = min(_even(n, rows), rows * 3 // 4)
    sides = range(rows // 8 * 8, least - 1, -8)
    return min(sides, key=lambda side: -(-n // side) * side * (1.0 if side % 32 == 0 else 1.04))


def _even(n: int, rows: int) -> int:
    """At most `rows`, such that few are done twice or added to fill the last batch."""
    return -(-n // -(-n // rows))


def gram(tile: Callable[..., tuple[Array, ...]], x1, x2, rows: tuple[int, int]) -> tuple[Array, ...]:
    """The matrices that `tile(rows of x1, rows of x2)` gives block by block; upper half only if x2 is None.

    Args:
        tile: takes two slices of the pytrees x1 and x2 along their first axis, returns arrays (rows1, rows2, ...).
        x1, x2: pytrees of arrays with leading axes n1 and n2; x2 is None for the symmetric matrix of x1 with itself;
            then exchanged arguments must give `out[j, i]` with the first and second half of its other axes exchanged.
        rows: size of a tile; both are taken equal if x2 is None.
    """
    n1, n2 = (jax.tree.leaves(x)[0].shape[0] for x in (x1, x1 if x2 is None else x2))
    rows1, rows2 = min(rows[0], n1), min(rows[1 if x2 is not None else 0], n2)
    if n1 <= rows1 and n2 <= rows2:
        whole = tile(x1, x1 if x2 is None else x2)
        return whole if x2 is not None else tuple((part + _transposed(part)) / 2 for part in whole)
    corners = [(i, j) for i in _starts(n1, rows1) for j in _starts(n2, rows2) if x2 is not None or i <= j]
    other = x1 if x2 is None else x2
    shapes = jax.eval_shape(lambda a, b: tile(_rows(a, 0, rows1), _rows(b, 0, rows2)), x1, other)
    zeros = tuple(jnp.zeros((n1, n2, *s.shape[2:]), s.dtype) for s in shapes)

    @jax.checkpoint
    def block(start: Array) -> tuple[Array, ...]:
        return tile(_rows(x1, start[0], rows1), _rows(other, start[1], rows2))

    def place(whole: tuple[Array, ...], start: Array) -> tuple[tuple[Array, ...], None]:
        done = []
        for out, part in zip(whole, block(start), strict=True):
            done.append(lax.dynamic_update_slice(out, part, (start[0], start[1], *[0] * (part.ndim - 2))))
        return tuple(done), None

    whole, _ = lax.scan(place, zeros, jnp.asarray(corners))
    return whole if x2 is not None else _mirrored(whole, corners, rows1)


def _mirrored(whole: tuple[Array, ...], corners: list[tuple[int, int]], rows: int) -> tuple[Array, ...]:
    """The lower half from the upper one, to the last bit; tiles on the diagonal hold both, and the mean is taken.

    From memory, as XLA may compute what is written twice in two ways, which round differently.
    """

    def change(function: Callable[[Array], Array]) -> Callable:
        def step(whole: tuple[Array, ...], start: Array) -> tuple[tuple[Array, ...], None]:
            done = []
            for out in whole:
                rest = (0,) * (out.ndim - 2)
                part = lax.dynamic_slice(out, (start[0], start[1], *rest), (rows, rows, *out.shape[2:]))
                done.append(lax.dynamic_update_slice(out, function(part), (start[1], start[0], *rest)))
            return tuple(done), None

        return step

    off, on = (jnp.asarray([c for c in corners if (c[0] == c[1]) == equal]) for equal in (False, True))
    whole = lax.scan(change(_transposed), whole, off)[0]
    return lax.scan(change(lambda part: (part + _transposed(part)) / 2), whole, on)[0]


def by_rows(function: Callable, arrays, entries: int):
    """`function(arrays)`, for so many rows at a time that a piece has about this many entries.

    Args:
        function: acts on each row of its arguments alike; returns arrays with the same first axis.
        arrays: a pytree of arrays with one first axis.
        entries: numbers in an array of a piece.
    """
    rows = jax.tree.leaves(arrays)[0].shape[0]
    columns = max(a.size for a in jax.tree.leaves(arrays)) // rows
    few = max(r for r in range(1, rows + 1) if rows % r == 0 and (r == 1 or r * columns <= entries))
    if few in (1, rows):
        return function(arrays)
    cut = jax.tree.map(lambda a: a.reshape(-1, few, *a.shape[1:]), arrays)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), lax.map(function, cut))


def _starts(n: int, rows: int) -> list[int]:
    """First rows of the tiles; the last tile ends at n, so that it may overlap the one before, and nothing is added."""
    return [min(start, n - rows) for start in range(0, n, rows)]


def _rows(x, start, rows: int):
    return jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, rows), x)


def _filled(x, rows: int):
    """x with its last example repeated until batches of `rows` fill it."""

    def fill(a: Array) -> Array:
        return jnp.pad(a, [(0, -a.shape[0] % rows)] + [(0, 0)] * (a.ndim - 1), mode="edge")

    return jax.tree.map(fill, x)


def _transposed(part: Array) -> Array:
    """(i, j, *s, *t) to (j, i, *t, *s): the same covariances with the two inputs exchanged; a last odd axis stays."""
    axes = (part.ndim - 2) // 2
    both = 2 + 2 * axes
    return jnp.transpose(part, (1, 0, *range(2 + axes, both), *range(2, 2 + axes), *range(both, part.ndim)))
