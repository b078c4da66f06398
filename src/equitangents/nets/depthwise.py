"""Depthwise convolutions: each channel on its own."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from .base import Params, Scalar, Shape, check_shape, check_size
from .weights import AbstractWeighted
from .window import Padding, as_window, pad_sites, patches, window_margins, window_output


class DepthwiseConv(AbstractWeighted):
    r"""$z_{cm}(t) = \sigma_w |S|^{-1/2} \sum_{s \in S} W_{cm}(s)\, x_c(t + s) + \sigma_b b_{cm}$ for each channel c.

    Takes `(*sites, channels)` to `(*sites, channels * multiplier)`. Followed by `Dense`, it is a separable convolution.

    At infinite width an output is a sum of |S| products of two random numbers, not Gaussian: averages over channels
    have the covariances of `Conv`, and after a `Dense`, which sums over channels, all is Gaussian again. So `Dense`, a
    pool or `Flatten` may follow, but a nonlinearity directly behind is refused.

    Attributes:
        window: sizes of the filter, such as (3, 3).
        multiplier: filters for each input channel.
        strides: step of the window along each axis; ones if not given.
        padding: "SAME", "VALID" or "CIRCULAR".
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = |window|.
        sigma_b: standard deviation of the biases.
        lambda_w: learning-rate factor of the weights, before 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.

    References:
        Chollet (2017), arXiv:1610.02357, section 1.
    """

    window: tuple[int, ...] = eqx.field(static=True)
    multiplier: int = eqx.field(static=True, default=1)
    strides: tuple[int, ...] = eqx.field(static=True, default=())
    padding: Padding = eqx.field(static=True, default="SAME")
    sigma_w: Scalar = 1.0
    sigma_b: Scalar = 0.0
    lambda_w: Scalar | None = None
    lambda_b: Scalar | None = None

    def __init__(
        self,
        window: tuple[int, ...] | int,
        multiplier: int = 1,
        strides: tuple[int, ...] | int = (),
        padding: str = "SAME",
        sigma_w: Scalar = 1.0,
        sigma_b: Scalar = 0.0,
        lambda_w: Scalar | None = None,
        lambda_b: Scalar | None = None,
    ):
        self.window, self.strides = as_window("DepthwiseConv", window, strides, padding)
        self.multiplier = multiplier
        check_size(self, "multiplier")
        self.padding = padding  # type: ignore[assignment]
        self.sigma_w, self.sigma_b = sigma_w, sigma_b
        self.lambda_w, self.lambda_b = lambda_w, lambda_b

    @property
    def width(self) -> int:  # type: ignore[override]
        """Output channels for one input channel."""
        return self.multiplier

    @property
    def steps(self) -> tuple[int, ...]:
        """Strides, one for each axis of sites."""
        return self.strides or (1,) * len(self.window)

    def fan_in(self, shape: Shape) -> int:
        return math.prod(self.window)

    def channels(self, shape: Shape) -> int:
        return shape[-1] * self.multiplier

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=len(self.window))
        sites = window_output(self, shape[:-1], self.window, self.steps, self.padding)
        out = shape[-1] * self.multiplier
        return (*sites, out), self.draw(key, (self.fan_in(shape), shape[-1], self.multiplier), (out,))

    def apply(self, params: Params, x: Array) -> Array:
        margins = window_margins(x.shape[:-1], self.window, self.steps, self.padding)
        inputs = patches(pad_sites(x, margins, self.padding), self.window, self.steps)
        *sites, _ = inputs.shape
        weight_shape = (self.fan_in(x.shape), x.shape[-1], self.multiplier)
        split = inputs.reshape(*sites, *weight_shape[:2])

        def linear(w: Array) -> Array:
            return jnp.einsum("...sc,scm->...cm", split, w).reshape(*sites, -1)

        return self.combine(params, linear, x, self.fan_in(x.shape), weight_shape)
