"""Layers that multiply every matrix by a number made of traces, which gauge transformations do not change."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ...nets.base import Params, Shape, check_range
from .covariant import AbstractGaugeLayer, Covariant, check_covariant, check_matrices


class GEAct(AbstractGaugeLayer):
    r"""$W_c \to \phi(\operatorname{Re} \operatorname{tr} W_c)\, W_c$.

    Attributes:
        phi: a function of real numbers; ReLU by default. For the theorem of universal approximation it is bounded and
            does not decrease, such as `jax.nn.sigmoid`.

    References:
        Favoni et al. (2022), arXiv:2012.12901, equation (8); Huang et al. (2025), arXiv:2502.15376, section 4.
    """

    phi: Callable[[Array], Array] = eqx.field(static=True, default=jax.nn.relu)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_matrices(self, shape)
        return shape, {}

    def apply(self, params: Params, x: Covariant) -> Covariant:
        check_covariant(self, x)
        return x.with_matrices(self.phi(traces(x.matrices).real)[..., None, None].astype(x.matrices.dtype) * x.matrices)


class TrNorm(AbstractGaugeLayer):
    r"""$W_c \to W_c / \max(|C^{-1} \sum_{c'} \operatorname{tr} W_{c'}|, \epsilon)$ at each site.

    There is no limit of infinite width: the mean over channels vanishes with $C^{-1/2}$.

    Attributes:
        floor: epsilon.

    References:
        Huang et al. (2025), arXiv:2502.15376, section 4.
    """

    floor: float = 1e-3

    def __check_init__(self):
        check_range(self, "floor", low=1e-30)  # matrices may be zero

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_matrices(self, shape)
        return shape, {}

    def apply(self, params: Params, x: Covariant) -> Covariant:
        check_covariant(self, x)
        mean = jnp.mean(traces(x.matrices), axis=-1)
        square = mean.real**2 + mean.imag**2
        small = square <= self.floor**2
        size = jnp.where(small, self.floor, jnp.sqrt(jnp.where(small, 1, square)))  # a root has no slope at 0
        return x.with_matrices(x.matrices / size[..., None, None, None].astype(x.matrices.dtype))


def traces(w: Array) -> Array:
    """(..., N, N) to (...)."""
    return jnp.trace(w, axis1=-2, axis2=-1)
