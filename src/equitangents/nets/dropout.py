"""Dropout."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Scalar, Shape, check_range, check_shape, is_known


class Dropout(AbstractLayer):
    r"""$x_i m_i / (1 - p)$ with $m_i = 0$ with probability p = rate, 1 otherwise, drawn anew at each evaluation.

    The kernel is that of the random network: an entry with itself has the variance $k / (1 - p)$, all other
    covariances stay. In `nngp(net, x)` and `ntk(net, x)` the diagonal is one evaluation with itself; off it, and
    everywhere in `ntk(net, x1, x2)`, evaluations have masks of their own. With `training=False` the kernel is that of
    the mean network.

    `apply` is the mean network, $m_i = 1 - p$, which has no randomness besides its weights; `sample` draws a mask.

    Attributes:
        rate: probability p of a zero, in [0, 1).
        training: whether the kernel is that of the random network.

    References:
        Srivastava et al. (2014); Schoenholz et al. (2017), arXiv:1611.01232, section 3.3.
    """

    rate: Scalar = 0.5
    training: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        check_range(self, "rate", low=0.0)
        if is_known(self.rate) and self.rate >= 1:
            raise ValueError(f"Dropout: expected rate below 1, got {self.rate}.")

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return shape, {}

    def apply(self, params: Params, x: Array) -> Array:
        return x

    def sample(self, key: PRNGKeyArray, x: Array) -> Array:
        """x with a random mask."""
        keep = 1 - jnp.asarray(self.rate, x.dtype)
        return jnp.where(jr.bernoulli(key, keep, x.shape), x / keep, jnp.zeros_like(x))


class OneEvaluation(AbstractLayer):
    """`Dropout` where both inputs of a kernel are one evaluation, with one mask; for the diagonal of a Gram matrix."""

    rate: Scalar

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return shape, {}

    def apply(self, params: Params, x: Array) -> Array:
        return x


def one_evaluation(net: AbstractLayer) -> tuple[AbstractLayer, bool]:
    """The network with `OneEvaluation` in place of each `Dropout` that is training, and whether there is any."""
    found: list[Dropout] = []

    def replaced(layer: object) -> object:
        if isinstance(layer, Dropout) and layer.training:
            found.append(layer)
            return OneEvaluation(layer.rate)
        return layer

    return jax.tree.map(replaced, net, is_leaf=lambda layer: isinstance(layer, Dropout)), bool(found)
