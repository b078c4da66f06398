"""Embeddings of tokens."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from .base import Params, Scalar, Shape, check_shape, check_size
from .weights import AbstractWeighted


class Embedding(AbstractWeighted):
    r"""$z_i(s) = \sigma_w c^{-1/2} \sum_{j=1}^c W_{ij}[x_j(s)] + \sigma_b b_i$ of tokens $x_j(s)$.

    The first layer of a network whose examples are integers from 0 to vocabulary - 1, `(*sites, c)`: c = 1 for
    a text, or c columns of
    categories, each with a table of its own. Their kernel is how many of the c tokens agree, divided by c.

    Attributes:
        vocabulary: number of different tokens.
        width: number of output channels; ignored by infinite-width rules.
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(c).
        sigma_b: standard deviation of the biases.
        lambda_w: learning-rate factor of the weights, before 1/c; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.

    >>> from equitangents import ntk
    >>> ntk(Embedding(5, 8), jnp.array([[1, 2], [1, 3]]))
    Array([[1. , 0.5],
           [0.5, 1. ]], dtype=float32)
    """

    vocabulary: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    sigma_w: Scalar = 1.0
    sigma_b: Scalar = 0.0
    lambda_w: Scalar | None = None
    lambda_b: Scalar | None = None

    def __check_init__(self) -> None:
        check_size(self, "vocabulary")

    def fan_in(self, shape: Shape) -> int:
        return shape[-1]

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return (*shape[:-1], self.width), self.draw(key, (shape[-1], self.vocabulary, self.width))

    def apply(self, params: Params, x: Array) -> Array:
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise TypeError(f"Embedding expected tokens, integers from 0 to {self.vocabulary - 1}, got {x.dtype}.")
        columns = jnp.arange(x.shape[-1])
        like = jnp.zeros((), jnp.result_type(float))
        shape = (x.shape[-1], self.vocabulary, self.width)
        return self.combine(params, lambda w: jnp.sum(w[columns, x], axis=-2), like, x.shape[-1], shape)
