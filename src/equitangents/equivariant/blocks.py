r"""Group convolutions with one block of covariances after the other, in place of all $|G|^2$.

Where footprints are closed under the group and windows lie symmetrically, covariances of functions on the group depend
on r and r' only through $h = r' r^{-1}$, and with the second image turned,
$C_h[t, u] = K[(r, t), (hr, R^h u)]$ is the kernel of the same network over the trivial group, between f and
$\rho(h)^{-1} f'$: a lifting gives $|S|^{-1} \sum_y K_0[t + y, R^h (u + y)]$, a group convolution averages $C_h$ over
$|G|$ equal terms and the window, and layers that act on sites alike do so in each block.
"""

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from ..groups import PointGroup, point_group
from ..kernels import Kernel, Needs, needs, propagate, shortcut
from ..kernels.kernel import at_sites, defect_from_covariance, defect_from_distance, half_distance, spread, variances_of
from ..kernels.linear import mean_of_all
from ..kernels.repeats import folded
from ..nets import (
    AbstractActivation,
    AbstractLayer,
    AvgPool,
    Concatenate,
    Dense,
    GlobalAvgPool,
    LayerNorm,
    Parallel,
    Product,
    Residual,
    Serial,
    Shared,
    output_shape,
)
from ..nets.base import Params, Shape
from ..numerics import materialise
from .group_conv import GroupConv
from .group_pool import GroupPool
from .lift import Lift
from .planar import AbstractPlanar, tiling
from .sums import turn_second


class TurnMean(AbstractLayer):
    r"""$\frac{1}{|G|} \sum_h k(f, \rho(h)^{-1} f')$, averaged over sites or turned back by h: kernels only.

    Stands for `Lift`, ..., `GroupPool`; made by `shortcut`. One h after the other: memory is that of one kernel.

    Attributes:
        net: the layers before the pool, over the trivial group.
        group: the point group.
        over: of the pool, "all" or "point".
    """

    net: AbstractLayer
    group: PointGroup = eqx.field(static=True)
    over: str = eqx.field(static=True)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        (_, *sites, channels), params = self.net.init(key, shape)
        return ((channels,) if self.over == "all" else (*sites, channels)), params

    def apply(self, params: Params, x: Array) -> Array:
        raise NotImplementedError("a mean over turned inputs has kernels only; apply the network it came from.")


@shortcut.register(Lift)
def _(layer: Lift, after: tuple[AbstractLayer, ...], shape: Shape) -> tuple[AbstractLayer, int] | None:
    if layer.negative_control:
        return None
    inside = output_shape(layer, shape)
    for i, one in enumerate(after):
        if isinstance(one, GroupPool | GlobalAvgPool):
            over = one.over if isinstance(one, GroupPool) else "all"
            return TurnMean(_over_trivial_group(Serial(layer, *after[:i])), layer.group, over), i + 1
        if not in_blocks(one, layer.group, inside):
            return None
        inside = output_shape(one, inside)
    return None


@functools.singledispatch
def in_blocks(layer: AbstractLayer, group: PointGroup, shape: Shape) -> bool:
    r"""Whether `layer`, on functions over `group` of this shape, takes each $C_h$ to one, as over the trivial group.

    The default is no, and kernels are then computed with all blocks.
    """
    return False


@in_blocks.register(AbstractActivation)
@in_blocks.register(Dense)
@in_blocks.register(LayerNorm)
def _(layer: AbstractLayer, group: PointGroup, shape: Shape) -> bool:
    return True


@in_blocks.register(GroupConv)
def _(layer: GroupConv, group: PointGroup, shape: Shape) -> bool:
    return layer.group == group and not layer.negative_control


@in_blocks.register(AvgPool)
def _(layer: AvgPool, group: PointGroup, shape: Shape) -> bool:
    """Pools over space whose windows the group maps to one another."""
    if len(layer.window) != 3 or layer.window[0] > 1 or layer.steps[0] > 1:
        return False
    steps = layer.steps[1:]
    like = GroupConv(group, 1, layer.window[1:], strides=steps, padding=layer.padding, negative_control=True)
    tiles = tiling(like, shape[1:-1])
    return tiles.closed and tiles.symmetric and not (group.swaps_axes and steps[0] != steps[1])


@in_blocks.register(Serial)
def _(layer: Serial, group: PointGroup, shape: Shape) -> bool:
    for inside in layer.layers:
        if not in_blocks(inside, group, shape):
            return False
        shape = output_shape(inside, shape)
    return True


@in_blocks.register(Residual)
@in_blocks.register(Shared)
def _(layer: Residual | Shared, group: PointGroup, shape: Shape) -> bool:
    return in_blocks(layer.layer, group, shape)


@in_blocks.register(Parallel)
@in_blocks.register(Concatenate)
@in_blocks.register(Product)
def _(layer: Parallel | Concatenate | Product, group: PointGroup, shape: Shape) -> bool:
    return all(in_blocks(inside, group, shape) for inside in layer.layers)


def _over_trivial_group(net: AbstractLayer) -> AbstractLayer:
    def change(layer: Any) -> Any:  # or a number of another layer
        return dataclasses.replace(layer, group=point_group("C1")) if isinstance(layer, AbstractPlanar) else layer

    return jax.tree.map(change, net, is_leaf=lambda layer: isinstance(layer, AbstractPlanar))


@needs.register(TurnMean)
def _(layer: TurnMean, after: Needs) -> Needs:
    return needs(layer.net, Needs(True, "none" if after.variances == "none" else "pairs"))


@propagate.register(TurnMean)
def _(layer: TurnMean, k: Kernel) -> Kernel:
    if not k.pairs:
        raise ValueError("a mean over turns expected covariances between different sites; `needs` drops them.")
    out, apart = _mean_over_turns(layer, k)
    kept = [v is not None and v.ndim == 2 * len(k.sites) for v in (k.k11, k.k22)]
    if not all(kept) or apart is None:
        return out
    k11, k22 = (_mean_over_turns(layer, _with_itself(v, k))[0].k12 for v in variances_of(layer, k))
    s11, s22 = spread(k11, k22, out)
    d = jnp.minimum(defect_from_covariance(s11, out.k12, s22), defect_from_distance(s11, s22, apart))
    return Kernel(k11, out.k12, k22, d, out.ntk, out.sites, out.gaussian)


def _mean_over_turns(layer: TurnMean, k: Kernel) -> tuple[Kernel, Array | None]:
    """k12 and ntk after the pool, and the mean distance of sites that are pooled together."""
    net, group = folded(layer.net), layer.group
    static: list[tuple[Shape, bool]] = []

    def pooled(array: Array, h: Array) -> Array:
        if layer.over == "all":
            return mean_of_all(materialise(array))
        image = array[0, :, :, 0]  # over the trivial group: (1, height, width) twice
        return lax.switch(h, [functools.partial(turn_second, matrix=m.T) for m in group.matrices], image)

    def one(h: Array) -> tuple[Array, Array, Array | None]:
        out = propagate(net, lax.switch(h, [functools.partial(_turned, matrix=m) for m in group.matrices], k))
        static.append((out.sites, out.gaussian))
        apart = None
        if out.k11 is not None and out.k22 is not None and out.d is not None:
            if layer.over == "all":  # equal sites
                own = [at_sites(array, out.sites) for array in (out.k11, out.k22, out.d)]
                apart = jnp.mean(half_distance(*own))
            else:  # equal turns
                apart = half_distance(*spread(out.k11, out.k22, out), out.d)[0, :, :, 0]
            apart = jnp.where(h == group.identity, apart, 0) * group.order
        return pooled(out.k12, h), pooled(out.ntk, h), apart

    shapes = jax.eval_shape(one, jax.ShapeDtypeStruct((), jnp.int32))
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    @functools.partial(jax.checkpoint, prevent_cse=False)  # a backward pass holds one kernel, too
    def add(total: tuple, h: Array) -> tuple[tuple, None]:
        return jax.tree.map(jnp.add, total, one(h)), None

    total, _ = lax.scan(add, zeros, jnp.arange(group.order, dtype=jnp.int32))
    k12, ntk, apart = jax.tree.map(lambda array: array / group.order, total)
    sites, gaussian = static[-1]
    return Kernel(None, k12, None, None, ntk, () if layer.over == "all" else sites[1:], gaussian), apart


def _turned(k: Kernel, matrix: np.ndarray) -> Kernel:
    """The kernel of f and f' turned: R u in place of u, the site of the second input."""

    def own(v: Array | None) -> Array | None:
        if v is None:
            return None
        v = turn_second(v, matrix)
        return jnp.moveaxis(turn_second(jnp.moveaxis(v, (2, 3), (0, 1)), matrix), (0, 1), (2, 3)) if v.ndim > 2 else v

    d = None if k.d is None else turn_second(k.d, matrix)
    k12, ntk = turn_second(k.k12, matrix), turn_second(k.ntk, matrix)
    return Kernel(k.k11, k12, own(k.k22), d, ntk, k.sites, k.gaussian, low11=k.low11, low22=own(k.low22))


def _with_itself(v: Array, k: Kernel) -> Kernel:
    """The kernel of an input with itself, from its variances between sites; without a tangent kernel."""
    s1, s2 = spread(v, v, Kernel(None, v, None, None, v, k.sites))
    return Kernel(v, v, v, defect_from_covariance(s1, v, s2), jnp.zeros_like(v), k.sites, k.gaussian)
