"""Normalisation."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Scalar, Shape, check_range, check_shape


class LayerNorm(AbstractLayer):
    r"""$(x_i - \bar x) / \sqrt{\mathrm{var}(x) + \epsilon}$ over the channels of each site, without parameters.

    Attributes:
        epsilon: added to the variance, so that constant channels give zeros; at least 1e-30.

    References:
        Ba, Kiros and Hinton (2016), arXiv:1607.06450.
    """

    epsilon: Scalar = 1e-12

    def __check_init__(self) -> None:
        check_range(self, "epsilon", low=1e-30)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return shape, {}

    def apply(self, params: Params, x: Array) -> Array:
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean(centred**2, axis=-1, keepdims=True)
        return centred * lax.rsqrt(variance + jnp.asarray(self.epsilon, x.dtype))
