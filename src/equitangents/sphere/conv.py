"""Convolution of functions on the group of rotations."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..kernels import Kernel, Needs, apply_weights, needs, propagate
from ..kernels.kernel import defect_from_covariance
from ..nets.base import Params, Scalar, Shape
from .groups import AbstractRotations
from .homogeneous import right_average
from .layers import AbstractRotationWeights, check_group, check_lifted, check_on_group
from .wigner import check_degree


class RotationConv(AbstractRotationWeights):
    r"""$z_i(R) = \sigma_w c^{-1/2} \sum_j \int k_{ij}(S)\, f_j(RS)\, dS + \sigma_b b_i$, k white noise on the group.

    Takes functions at the nodes of the group, `(group.size, c)`, to others, `(group.size, width)`.

    At infinite width the covariance is a function of $R R'^{-1}$ alone, which the average over S does not change: this
    layer has the kernel of `Dense`, whose filter is the unit element alone, and of a filter of any support.

    After a local lift (`RotationLift` with a cap) the average is done in the Fourier domain, `right_average`, up to
    degree order - 1: the kernel is that of finite layers with the default `lmax`.

    A finite layer works with harmonic coefficients of f up to degree `lmax`. A nonlinearity makes degrees without end,
    so finite networks are equivariant, and their kernels those of infinite width, up to what lies above it.

    Attributes:
        group: `SO2(order)` or `SO3(order)`.
        width: number of output channels; ignored by infinite-width rules.
        lmax: band limit of the filter, at most order - 1, which is the default; ignored by infinite-width rules.
        sigma_w, sigma_b, lambda_w, lambda_b: as for `RotationLift`, fan_in = c.

    References:
        Cohen et al. (2018), arXiv:1801.10130; Misof, Kessel and Gerken (2024), arXiv:2406.06504.
    """

    lmax: int | None = eqx.field(static=True, default=None)

    def __init__(
        self,
        group: Any,
        width: int,
        lmax: int | None = None,
        *,
        sigma_w: Scalar = 1.0,
        sigma_b: Scalar = 0.0,
        lambda_w: Scalar | None = None,
        lambda_b: Scalar | None = None,
    ):
        check_group(self, group)
        if lmax is not None:
            check_degree("lmax", lmax)
            if lmax >= group.order:
                raise ValueError(
                    f"RotationConv: expected lmax < {group.order}, which the nodes of {group} resolve, got {lmax}; "
                    "take a group of larger order."
                )
        self.group, self.width, self.lmax = group, width, lmax
        self.sigma_w, self.sigma_b = sigma_w, sigma_b
        self.lambda_w, self.lambda_b = lambda_w, lambda_b

    @property
    def degrees(self) -> range:
        return range(self.group.order if self.lmax is None else self.lmax + 1)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_on_group(self, self.group, shape)
        return (self.group.size, self.width), self.draw(key, self._weights(shape[-1]))

    def apply(self, params: Params, x: Array) -> Array:
        group, c = self.group, x.shape[-1]
        weighted = jnp.asarray(group.weights, x.dtype)[:, None] * x
        tables = [jnp.asarray(group.irreps(l), x.dtype) for l in self.degrees]
        coefficients = [jnp.einsum("qmn,qc->mnc", table, weighted) for table in tables]

        def linear(w: Array) -> Array:
            out, start = jnp.zeros((group.size, self.width), x.dtype), 0
            for l, table, own in zip(self.degrees, tables, coefficients, strict=True):
                dim = group.dim(l)
                filters = w[start : start + dim**2].reshape(dim, dim, c, self.width)  # [p, n]
                start += dim**2
                mixed = jnp.einsum("mnc,pnci->mpi", own, filters) * group.multiplicity(l) ** 0.5
                out = out + jnp.einsum("qmp,mpi->qi", table, mixed)
            return out

        return self.combine(params, linear, x, c, self._weights(c))

    def _weights(self, c: int) -> Shape:
        return (sum(self.group.dim(l) ** 2 for l in self.degrees), c, self.width)


@propagate.register(RotationConv)
def _(layer: RotationConv, k: Kernel) -> Kernel:
    check_lifted(layer, layer.group, k)
    return apply_weights(layer, k if k.sites == (1,) else _averaged(layer.group, k))


def _averaged(group: AbstractRotations, k: Kernel) -> Kernel:
    """One row, of the average over joint turns from the right of all pairs of nodes, up to degree order - 1.

    At Q = 1 too, where that is less than the mean over the diagonal: finite layers leave out higher degrees alike.
    """

    def averaged(array: Array) -> Array:
        a = right_average(group, array, group.order - 1)
        return jnp.concatenate([jnp.trace(a)[None], group.correlation(a)])[None]  # irreps of Q = 1 are unit matrices

    k12, ntk = averaged(k.k12), averaged(k.ntk)
    if k.k11 is None or k.k22 is None or k.k11.ndim != 2 or k.k22.ndim != 2:
        return Kernel(None, k12, None, None, ntk, (1,), k.gaussian)
    k11, k22 = averaged(k.k11), averaged(k.k22)
    d = defect_from_covariance(jnp.full_like(k12, k11[0, 0]), k12, jnp.full_like(k12, k22[0, 0]))
    return Kernel(k11, k12, k22, jnp.where(d < 32 * jnp.finfo(d.dtype).eps, 0, d), ntk, (1,), k.gaussian)


@needs.register(RotationConv)
def _(layer: RotationConv, after: Needs) -> Needs:
    return after  # with a local lift before it, pairs of variances come by themselves
