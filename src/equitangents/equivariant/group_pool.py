"""Averages over a group."""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..kernels import Kernel, Needs, global_average, independent_average, needs, propagate
from ..nets import AbstractLayer
from ..nets.base import Params, Shape, check_shape


class GroupPool(AbstractLayer):
    """Average over the group: `(|G|, *sites, c)` to `(c,)` over all of it, or to `(*sites, c)` over the point group.

    After `Lift` and `GroupConv`, "all" is the average over rotations and translations, which is invariant, and "point"
    gives an image that turns with the input. After `ActionLift` and `RegularConv` the two are the same.

    Attributes:
        over: "all" or "point".
    """

    over: Literal["all", "point"] = eqx.field(static=True, default="all")

    def __init__(self, over: str = "all"):
        if over not in ("all", "point"):
            raise ValueError(f"GroupPool: expected over to be 'all' or 'point', got {over!r}.")
        self.over = over  # type: ignore[assignment]

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        _check_sites(shape[:-1])
        return (shape[-1:] if self.over == "all" else tuple(shape[1:])), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.mean(x, axis=tuple(range(x.ndim - 1)) if self.over == "all" else 0)


@propagate.register(GroupPool)
def _(layer: GroupPool, k: Kernel) -> Kernel:
    _check_sites(k.sites)
    if layer.over == "all":
        return global_average(k)
    group = (0, len(k.sites))

    def together(array: Array) -> Array:
        return jnp.mean(jnp.diagonal(array, axis1=group[0], axis2=group[1]), axis=-1)

    return independent_average(k, lambda array: jnp.mean(array, axis=group), together, k.sites[1:])


@needs.register(GroupPool)
def _(layer: GroupPool, after: Needs) -> Needs:
    return Needs(True, "none" if after.variances == "none" else "pairs")


def _check_sites(sites: Shape) -> None:
    if not sites:
        raise ValueError(
            "GroupPool expected a function on a group, of shape (|G|, *sites, channels), got a vector; lift the input "
            "to the group first."
        )
