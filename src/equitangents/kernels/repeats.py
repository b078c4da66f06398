"""Blocks of layers that repeat, as one scan: a deep network is traced and compiled as fast as a shallow one."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..nets import AbstractLayer, Serial
from ..nets.base import Params, Shape, is_known
from ..numerics import safe_sqrt
from .kernel import Kernel, Needs, spread
from .propagate import needs, propagate

FEWEST = 3
"""Fewer repetitions are written out: the compiler then fuses one layer with the next."""


class Repeated(AbstractLayer):
    """`count` copies of a block, one after the other, alike but for their numbers. Made by `folded`, for kernels only.

    Attributes:
        numbers: leaves of the block, stacked along a first axis; a Python 0.0 where it is 0 in all copies.
        structure: what the leaves belong to.
        count: how many copies.
    """

    numbers: list[Any]
    structure: Any = eqx.field(static=True)
    count: int = eqx.field(static=True)

    def block(self, i: int) -> AbstractLayer:
        """Copy number i."""
        return jax.tree.unflatten(self.structure, [n if is_known(n) else n[i] for n in self.numbers])

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        raise NotImplementedError("a folded description has kernels only; draw parameters for the one it came from.")

    def apply(self, params: Params, x: Array) -> Array:
        raise NotImplementedError("a folded description has kernels only; apply the one it came from.")


def folded(net: AbstractLayer) -> AbstractLayer:
    """`net` with repeated blocks of its layers as `Repeated`; its kernels are the same."""
    if not isinstance(net, Serial):
        return net
    layers, shapes = net.layers, [jax.tree.structure(layer) for layer in net.layers]
    out: list[AbstractLayer] = []
    i = 0
    while i < len(layers):
        period, count = max(((p, _count(shapes, i, p)) for p in range(1, 9)), key=lambda found: found[0] * found[1])
        if count < FEWEST:
            period, count = 1, 1
            out.append(layers[i])
        else:
            out.append(_stacked([Serial(*layers[j : j + period]) for j in range(i, i + period * count, period)]))
        i += period * count
    return Serial(*out)


def _count(shapes: list[Any], start: int, period: int) -> int:
    """How often the block of this length at `start` occurs from there on; 0 if it is shorter or not repeated enough."""
    block, count = shapes[start : start + period], 1
    while shapes[start + count * period : start + (count + 1) * period] == block:
        count += 1
    return count if count >= FEWEST else 0


def _stacked(blocks: list[Serial]) -> Repeated:
    columns = zip(*map(jax.tree.leaves, blocks), strict=True)
    return Repeated([_column(list(column)) for column in columns], jax.tree.structure(blocks[0]), len(blocks))


def _column(numbers: list[Any]) -> Any:
    if all(map(is_known, numbers)):
        return 0.0 if not any(numbers) else np.asarray(numbers, float)
    return jnp.stack([jnp.asarray(number) for number in numbers])


@propagate.register(Repeated)
def _(layer: Repeated, k: Kernel) -> Kernel:
    k = propagate(layer.block(0), k)
    after = jax.eval_shape(lambda k: propagate(layer.block(1), k), k)
    if _shape(after) != _shape(k):  # sites shrink, for instance
        for i in range(1, layer.count):
            k = propagate(layer.block(i), k)
        return k

    def step(k: Kernel, numbers: list[Array]) -> tuple[Kernel, None]:
        rest = iter(numbers)
        leaves = [n if is_known(n) else next(rest) for n in layer.numbers]
        return _packed(propagate(jax.tree.unflatten(layer.structure, leaves), _unpacked(k))), None

    stacked = [jnp.asarray(n)[1:] for n in layer.numbers if not is_known(n)]
    return _unpacked(jax.lax.scan(step, _packed(k), stacked, length=layer.count - 1)[0])


def _packed(k: Kernel) -> Kernel:
    """Without k12 where the defect tells it: one array less goes through memory."""
    return k if k.d is None else eqx.tree_at(lambda k: k.k12, k, None)


def _unpacked(k: Kernel) -> Kernel:
    if k.k12 is not None:
        return k
    s11, s22 = spread(k.k11, k.k22, k)
    k12 = safe_sqrt(s11) * safe_sqrt(s22) * (1 - k.d)
    return eqx.tree_at(lambda k: k.k12, k, k12, is_leaf=lambda leaf: leaf is None)


def _shape(k: Kernel) -> Any:
    return jax.tree.structure(k), [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(k)]


@needs.register(Repeated)
def _(layer: Repeated, after: Needs) -> Needs:
    for i in reversed(range(layer.count)):
        before = needs(layer.block(i), after)
        if before == after:
            break
        after = before
    return after
