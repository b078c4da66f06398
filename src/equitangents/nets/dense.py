"""Fully connected layers."""

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from .base import Params, Scalar, Shape, check_shape
from .weights import AbstractWeighted


class Dense(AbstractWeighted):
    r"""Fully connected layer $z_i = \sigma_w n^{-1/2} \sum_j W_{ij} x_j + \sigma_b b_i$, with $W, b \sim N(0, 1)$.

    It acts on the channels, at every site alike, and takes `(*sites, fan_in)` to `(*sites, width)`.

    Attributes:
        width: number of output channels; ignored by infinite-width rules.
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in).
        sigma_b: standard deviation of the biases, in the units of the output.
        lambda_w: learning-rate factor of the weights, before the factor 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.

    References:
        Jacot et al. (2018), arXiv:1806.07572, section 2 (NTK parameterisation).
    """

    width: int = eqx.field(static=True)
    sigma_w: Scalar = 1.0
    sigma_b: Scalar = 0.0
    lambda_w: Scalar | None = None
    lambda_b: Scalar | None = None

    def fan_in(self, shape: Shape) -> int:
        return shape[-1]

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return (*shape[:-1], self.width), self.draw(key, (shape[-1], self.width))

    def apply(self, params: Params, x: Array) -> Array:
        return self.combine(params, lambda w: x @ w, x, x.shape[-1])
