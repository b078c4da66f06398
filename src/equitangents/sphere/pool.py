"""The end of a function on the group of rotations: its average, or its part of one degree."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..kernels import Kernel, Needs, independent_average, needs, propagate
from ..nets.base import Params, Shape
from .groups import AbstractRotations
from .layers import AbstractOverRotations, check_group, check_lifted, check_on_group
from .wigner import check_degree


class RotationPool(AbstractOverRotations):
    r"""$\int z(R)\, dR$, invariant: `(group.size, c)` to `(c,)`. At infinite width $\int k(Q)\, dQ$.

    The integral is the group's quadrature. k(Q) of a nonlinear network has degrees without end, but they fall off:
    docs/sphere.md has a table of what each order leaves. Polynomial networks are exact from some order on.

    Attributes:
        group: `SO2(order)` or `SO3(order)`, as in the layers before.

    References:
        Misof, Kessel and Gerken (2024), arXiv:2406.06504.
    """

    group: AbstractRotations = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_group(self, self.group)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_on_group(self, self.group, shape)
        return (shape[-1],), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.asarray(self.group.weights, x.dtype) @ x


class RotationProjection(AbstractOverRotations):
    r"""$y_m = \sqrt{d_l} \int D^l_{m0}(R)\, z(R)\, dR$: `(group.size, c)` to `(d_l, c)`, which turns as $y \to D^l y$.

    For equivariant outputs: l = 1 is a vector, in the order y, z, x (y, x in the plane), l = 0 the average, and the
    traceless part of a symmetric tensor is l = 2. At infinite width its kernel is the matrix $\int D^l(Q)\, k(Q)\, dQ$,
    with $K(Rf, f') = D^l(R)\, K(f, f')$. Only `Dense` without a bias keeps the symmetry after it. Of a linear network
    of signals up to degree lmax it is exact for lmax + l < 2 order.

    Attributes:
        group: `SO2(order)` or `SO3(order)`, as in the layers before.
        l: degree, at most order - 1.

    References:
        Matrix-valued kernels of this form: Reisert and Burkhardt (2007), JMLR 8, 385.
    """

    group: AbstractRotations = eqx.field(static=True)
    l: int = eqx.field(static=True)

    def __init__(self, group: Any, l: int):
        check_group(self, group)
        check_degree("l", l)
        if l >= group.order:
            raise ValueError(f"RotationProjection: expected l < {group.order} over {group}, got {l}; raise the order.")
        self.group, self.l = group, l

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_on_group(self, self.group, shape)
        return (self.group.dim(self.l), shape[-1]), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.asarray(_column(self), x.dtype).T @ x


def _column(layer: RotationProjection) -> np.ndarray:
    """Of D^l, with the weights of the nodes: (size, dim)."""
    table = layer.group.irreps(layer.l)
    return table[:, :, table.shape[-1] // 2] * layer.group.weights[:, None] * math.sqrt(table.shape[-1])


def _at_unit(layer: RotationPool | RotationProjection, k: Kernel, array: Array) -> Array:
    """The mean over equal rotations."""
    return array[0, 0] if k.sites == (1,) else jnp.asarray(layer.group.weights, array.dtype) @ jnp.diagonal(array)


@propagate.register(RotationPool)
def _(layer: RotationPool, k: Kernel) -> Kernel:
    check_lifted(layer, layer.group, k)

    def mean(array: Array) -> Array:
        weights = jnp.asarray(layer.group.weights, array.dtype)
        return array[0, 1:] @ weights if k.sites == (1,) else weights @ array @ weights

    return independent_average(k, mean, lambda array: _at_unit(layer, k, array), (), one_row=True)


@propagate.register(RotationProjection)
def _(layer: RotationProjection, k: Kernel) -> Kernel:
    check_lifted(layer, layer.group, k)
    table = layer.group.irreps(layer.l) * layer.group.weights[:, None, None]
    dim = table.shape[-1]

    def mean(array: Array) -> Array:
        if k.sites == (1,):
            return (array[0, 1:] @ jnp.asarray(table.reshape(layer.group.size, -1), array.dtype)).reshape(dim, dim)
        column = jnp.asarray(_column(layer), array.dtype)
        return column.T @ array @ column

    def together(apart: Array) -> Array:
        """No component of two averages is farther apart than the functions are."""
        none = float(jnp.finfo(apart.dtype).max) ** 0.5
        return jnp.where(jnp.eye(dim, dtype=bool), _at_unit(layer, k, apart), none)

    return independent_average(k, mean, together, (dim,), one_row=True)


@needs.register(RotationPool)
@needs.register(RotationProjection)
def _(layer: RotationPool | RotationProjection, after: Needs) -> Needs:
    variances = "none" if after.variances == "none" else "pairs"
    return Needs(True, variances, held=layer.group.size + 1)  # type: ignore[arg-type]
