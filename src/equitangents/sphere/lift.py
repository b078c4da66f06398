"""Lifting: from signals on the circle or the sphere to functions on the group of rotations."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..kernels import Kernel, Needs, apply_weights, needs, propagate
from ..kernels.kernel import at_sites, defect_from_covariance, defect_from_distance, half_distance, spread
from ..nets.base import Params, Scalar, Shape, check_shape
from .groups import SO3, AbstractRotations
from .homogeneous import zonal_filter
from .layers import AbstractRotationWeights, check_group


class RotationLift(AbstractRotationWeights):
    r"""$z_i(R) = \sigma_w (c\,V)^{-1/2} \sum_j \int k_{ij}(x)\, f_j(Rx)\, dx + \sigma_b b_i$ with white noise k.

    V is the size of the circle or the sphere, $2\pi$ or $4\pi$. Takes signals by their real harmonic coefficients,
    `(coefficients, c)`, to functions at the nodes of the group, `(group.size, width)`. White noise has coefficients
    $k_{lm} \sim N(0, 1)$; only degrees that the signal has count.

    At infinite width the covariance depends on $Q = R R'^{-1}$ alone,
    $k(Q) = \sigma_w^2 (c\,V)^{-1} \sum_j f_j^T D(Q) f'_j + \sigma_b^2$, and so it stays in all later layers. A `Kernel`
    here holds one row: covariances of the first input at $QR'$ and the second at $R'$, for any R', with Q = 1 and
    then the nodes; `sites` is (1,), and arrays over pairs have shape (1, 1 + group.size). Activations, `Dense` (which
    acts at each rotation alone) and `RotationConv` keep that form; RotationPool or RotationProjection ends it.

    With a `cap` the filter is local: white noise on the cap of that opening angle about the z axis, V its area. Then
    covariances depend on both rotations, until a `RotationConv` averages over the group; all pairs of nodes are held.

    Attributes:
        group: `SO2(order)` for signals on the circle, `SO3(order)` on the sphere.
        width: number of output channels; ignored by infinite-width rules.
        cap: opening angle in radians of the filter's support, with SO(3) only; None: the whole circle or sphere.
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = c.
        sigma_b: standard deviation of the biases.
        lambda_w: learning-rate factor of the weights, before 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.

    Raises:
        ValueError: signals of a higher degree than the nodes integrate, 2 order - 1, or, with a cap, than a convolution
            averages, order - 1.

    References:
        Cohen et al. (2018), arXiv:1801.10130; Misof, Kessel and Gerken (2024), arXiv:2406.06504.

    >>> from equitangents.nets import output_shape
    >>> from equitangents.sphere import SO3
    >>> output_shape(RotationLift(SO3(3), 16), (25, 1))
    (144, 16)
    """

    cap: float | None = eqx.field(static=True, default=None)

    def __init__(
        self,
        group: Any,
        width: int,
        cap: float | None = None,
        *,
        sigma_w: Scalar = 1.0,
        sigma_b: Scalar = 0.0,
        lambda_w: Scalar | None = None,
        lambda_b: Scalar | None = None,
    ):
        check_group(self, group)
        if cap is not None:
            if not isinstance(group, SO3):
                raise ValueError(f"RotationLift: expected a cap with SO3(order) only, got {group}; leave it out.")
            zonal_filter(0, float(cap))
        self.group, self.width, self.cap = group, width, None if cap is None else float(cap)
        self.sigma_w, self.sigma_b = sigma_w, sigma_b
        self.lambda_w, self.lambda_b = lambda_w, lambda_b

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=1)
        _band_limit(self, shape[0])
        return (self.group.size, self.width), self.draw(key, (shape[0] * shape[1], self.width))

    def apply(self, params: Params, x: Array) -> Array:
        turned = [  # coefficients of f(Rx), D(R)^T f
            jnp.einsum("qmn,mc->qnc", jnp.asarray(self.group.irreps(l), x.dtype), x[own])
            for l, own in enumerate(self.group.degrees(self.group.lmax(len(x))))
        ]
        seen = jnp.concatenate(turned, axis=1)
        if self.cap is None:
            seen = seen / self.group.volume**0.5
        else:
            seen = jnp.einsum("qmc,mn->qnc", seen, jnp.asarray(_root(_cap(self, len(x))), x.dtype))
        flat = seen.reshape(self.group.size, -1)
        return self.combine(params, lambda w: flat @ w, x, x.shape[-1], (x.size, self.width))


@propagate.register(RotationLift)
def _(layer: RotationLift, k: Kernel) -> Kernel:
    if len(k.sites) != 1 or not k.pairs:
        raise ValueError(f"RotationLift expected covariances of signals (coefficients, c), got sites {k.sites}.")
    _band_limit(layer, k.sites[0])
    if layer.cap is not None:
        return apply_weights(layer, _local(layer, k))
    k12, ntk = (row(layer.group, array) for array in (k.k12, k.ntk))
    if k.k11 is None or k.k22 is None or k.d is None:
        return apply_weights(layer, Kernel(None, k12, None, None, ntk, (1,)))
    own11, own22, d = (at_sites(v, k.sites) for v in (k.k11, k.k22, k.d))
    v11, v22 = jnp.sum(own11) / layer.group.volume, jnp.sum(own22) / layer.group.volume
    # degree 0 does not turn, so that all that is subtracted is what turning changes; what rounding leaves counts as 0
    moved = row(layer.group, k.k12.at[0, 0].set(0))
    lost, rounding = moved[0, 0] - moved, 16 * jnp.finfo(moved.dtype).eps * (v11 + v22)
    lost = jnp.where(jnp.abs(lost) < rounding, 0, lost)
    apart = jnp.sum(half_distance(own11, own22, d)) / layer.group.volume + lost
    defect = defect_from_distance(v11, v22, jnp.where((lost < 0) & (apart < rounding), 0, apart))
    k11, k22 = (row(layer.group, array) if array.ndim == 2 else v[None] for array, v in ((k.k11, v11), (k.k22, v22)))
    return apply_weights(layer, Kernel(k11, k12, k22, defect, ntk, (1,)))


@needs.register(RotationLift)
def _(layer: RotationLift, after: Needs) -> Needs:
    if layer.cap is None:
        return Needs(True, after.variances)
    # all pairs of nodes follow, more than the coefficients before have
    return Needs(True, "none" if after.variances == "none" else "pairs", held=layer.group.size**2)


def _band_limit(layer: RotationLift, coefficients: int) -> None:
    """Raise where the mean over the nodes, or with a cap the average in the Fourier domain, is not that of k(Q)."""
    lmax, order = layer.group.lmax(coefficients), layer.group.order
    least = lmax // 2 + 1 if layer.cap is None else lmax + 1
    if order < least:
        degrees = f"{2 * order - 1}, which its nodes integrate" if layer.cap is None else f"{order - 1} with a cap"
        raise ValueError(
            f"RotationLift({layer.group}, ...) expected signals up to degree {degrees}, got {coefficients} numbers, "
            f"up to degree {lmax}; take {type(layer.group).__name__}({least}) or more, or leave out higher degrees."
        )


def row(group: AbstractRotations, a: Array) -> Array:
    """Covariances at Q = 1 and at the nodes, shape (1, 1 + group.size), from those of coefficients."""
    same = jnp.trace(a)[None]
    return jnp.concatenate([same, group.correlation(a)])[None] / group.volume


def _local(layer: RotationLift, k: Kernel) -> Kernel:
    r"""All pairs of nodes: $\sum_{ab} K_{ab} [D(R) A D(R')^T]_{ab}$."""
    size, nodes = k.sites[0], layer.group.size
    turns = np.zeros((nodes, size, size))
    for l, own in enumerate(layer.group.degrees(layer.group.lmax(size))):
        turns[:, own, own] = layer.group.irreps(l)
    seen = turns @ _cap(layer, size)

    def between(a: Array) -> Array:
        half = jnp.einsum("qan,ab->qbn", jnp.asarray(seen, a.dtype), a)
        return half.reshape(nodes, -1) @ jnp.asarray(turns, a.dtype).reshape(nodes, -1).T

    k12, ntk = between(k.k12), between(k.ntk)
    if k.k11 is None or k.k22 is None:
        return Kernel(None, k12, None, None, ntk, (nodes,))
    k11, k22 = between(k.k11), between(k.k22)
    s11, s22 = (jnp.broadcast_to(v, k12.shape) for v in spread(k11, k22, Kernel(k11, k12, k22, None, ntk, (nodes,))))
    d = defect_from_covariance(s11, k12, s22)
    d = jnp.where(d < 32 * jnp.finfo(d.dtype).eps, 0, d)  # rounding, of which nonlinearities would take the root
    return Kernel(k11, k12, k22, d, ntk, (nodes,))


def _cap(layer: RotationLift, size: int) -> np.ndarray:
    assert layer.cap is not None
    return zonal_filter(layer.group.lmax(size), layer.cap)


def _root(a: np.ndarray) -> np.ndarray:
    """The square root of a positive matrix."""
    values, vectors = np.linalg.eigh(a)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
