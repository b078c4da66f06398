"""How much of an empirical kernel is held at once: groups of outputs, chunks of examples, tiles of pairs."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from .layerwise import Network, Split, cheapest, feature_bytes, pair_bytes
from .tiles import _even, _filled, _rows, _transposed, gram

CACHE = 2**25
"""Bytes of intermediate results that one chunk of examples may take on a CPU, where its last cache should hold them."""


ROWS = 400
"""Rows of a matrix product that is large enough to run at full speed."""


class Plan(NamedTuple):
    """Sizes, all static.

    Attributes:
        split: which parameters are treated how.
        group: outputs at once.
        chunk: items whose gradients are computed at once; an item is an example and a group of outputs.
        block: items whose gradients are held at once; None: those of all, computed once.
        tile: items on each side of the pairs that are multiplied at once.
    """

    split: Split
    group: int
    chunk: int
    block: int | None
    tile: int


def make_plan(network: Network, n1: int, n2: int | None, outputs: str, budget: int) -> Plan:
    """Sizes for n1 examples, with themselves if n2 is None: half of the budget for what is held, half for the way."""
    rows, pairs = n1 + (n2 or 0), n1 * n1 // 2 if n2 is None else n1 * n2
    working = network.working_bytes

    def sizes(group: int) -> tuple[Split, int, int]:
        split = cheapest(network, rows, pairs, outputs, group)
        held = feature_bytes(network, split, group)
        return split, held, (1 + group) * working + 2 * held

    group = network.size
    while group > 1 and max(sum(sizes(group)[1:]), pair_bytes(network, sizes(group)[0], outputs, group)) > budget // 4:
        group = -(-group // 2)
    group = _even(network.size, group)
    split, held, way = sizes(group)
    items1, items2 = (n * (-(-network.size // group) if outputs == "full" else 1) for n in (n1, n2 or 0))
    cache, all_items = CACHE if jax.default_backend() == "cpu" else budget, max(items1, items2)
    if all_items * way <= min(budget // 4, 2 * cache):  # then nothing is copied to its place
        chunk = all_items
    else:
        chunk = max(1, min(budget // 4, cache) // max(way, 1))
    block = None if (items1 + items2) * held <= budget // 2 else max(1, budget // (4 * held))
    tile = max(1, math.isqrt(budget // 4 // pair_bytes(network, split, outputs, group)))
    if n2 is None:  # only tiles on and above the diagonal are computed
        tile = min(tile, -(-ROWS // group) if outputs == "full" else ROWS)
    return Plan(split, group, chunk, block, tile)


def tiled(prepare: Callable[[Any], Any], multiply: Callable[[Any, Any], Array], x1: Any, x2: Any, plan: Plan) -> Array:
    """The matrix multiply(prepare(x1), prepare(x2)), upper half only if x2 is None; `Plan` says what is held."""

    def prepared(x: Any) -> Any:
        n = jax.tree.leaves(x)[0].shape[0]
        rows = _even(n, plan.chunk)
        if rows >= n:
            return jax.vmap(prepare)(x)
        chunks = jax.tree.map(lambda a: a.reshape(-1, rows, *a.shape[1:]), _filled(x, rows))
        done = lax.map(jax.vmap(prepare), chunks)
        return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:n], done)

    def product(a: Any, b: Any | None) -> Array:
        sizes = [_even(n, min(plan.tile, n)) for n in (_length(a), _length(a if b is None else b))]
        return gram(lambda *rows: (multiply(*rows),), a, b, (sizes[0], sizes[1]))[0]

    if plan.block is None:
        return product(prepared(x1), None if x2 is None else prepared(x2))
    n1, n2 = _length(x1), _length(x1 if x2 is None else x2)
    rows1, rows2 = (_even(n, plan.block) for n in (n1, n2))
    full1, full2 = _filled(x1, rows1), _filled(x1 if x2 is None else x2, rows2)
    blocks1, blocks2 = _length(full1) // rows1, _length(full2) // rows2
    shape = jax.eval_shape(
        lambda a, b: product(prepared(_rows(a, 0, rows1)), prepared(_rows(b, 0, rows2))), full1, full2
    )
    whole = jnp.zeros((blocks1 * rows1, blocks2 * rows2, *shape.shape[2:]), shape.dtype)

    def strip(whole: Array, i: Array) -> tuple[Array, None]:
        """One block of rows, prepared once, with all blocks of columns."""
        first = prepared(_rows(full1, i * rows1, rows1))

        @jax.checkpoint
        def block(first: Any, j: Array) -> Array:
            return product(first, prepared(_rows(full2, j * rows2, rows2)))

        def place(whole: Array, j: Array) -> Array:
            part = block(first, j)
            rest = (0,) * (part.ndim - 2)
            if x2 is None:
                whole = lax.dynamic_update_slice(whole, _transposed(part), (j * rows2, i * rows1, *rest))
            return lax.dynamic_update_slice(whole, part, (i * rows1, j * rows2, *rest))

        def column(whole: Array, j: Array) -> tuple[Array, None]:
            if x2 is None:
                return lax.cond(j >= i, place, lambda whole, _: whole, whole, j), None
            return place(whole, j), None

        return lax.scan(column, whole, jnp.arange(blocks2))[0], None

    return lax.scan(strip, whole, jnp.arange(blocks1))[0][:n1, :n2]


def _length(x: Any) -> int:
    return jax.tree.leaves(x)[0].shape[0]
