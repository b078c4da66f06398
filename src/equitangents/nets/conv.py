"""Convolutions on one to three axes of sites."""

import math

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from .base import Params, Scalar, Shape, check_shape
from .weights import AbstractWeighted
from .window import (
    Convolved,
    Padding,
    as_sizes,
    as_window,
    pad_sites,
    patch_product,
    reach,
    window_margins,
    window_output,
)


class AbstractConv(AbstractWeighted):
    """A layer whose weights act on a window of sites; what each number means is said by the layers themselves."""

    width: int = eqx.field(static=True)
    window: tuple[int, ...] = eqx.field(static=True)
    strides: tuple[int, ...] = eqx.field(static=True, default=())
    padding: Padding = eqx.field(static=True, default="SAME")
    sigma_w: Scalar = eqx.field(default=1.0)
    sigma_b: Scalar = eqx.field(default=0.0)
    lambda_w: Scalar | None = eqx.field(default=None)
    lambda_b: Scalar | None = eqx.field(default=None)

    def __init__(
        self,
        width: int,
        window: tuple[int, ...] | int,
        strides: tuple[int, ...] | int = (),
        padding: str = "SAME",
        sigma_w: Scalar = 1.0,
        sigma_b: Scalar = 0.0,
        lambda_w: Scalar | None = None,
        lambda_b: Scalar | None = None,
    ):
        self.width = width
        self.window, self.strides = as_window(type(self).__name__, window, strides, padding)
        self.padding = padding  # type: ignore[assignment]
        self.sigma_w, self.sigma_b = sigma_w, sigma_b
        self.lambda_w, self.lambda_b = lambda_w, lambda_b

    @property
    def steps(self) -> tuple[int, ...]:
        """Strides, one for each axis of sites."""
        return self.strides or (1,) * len(self.window)

    def fan_in(self, shape: Shape) -> int:
        return shape[-1] * math.prod(self.window)


class Conv(AbstractConv):
    r"""Convolution $z_i(t) = \sigma_w (c|S|)^{-1/2} \sum_{j, s \in S} W_{ij}(s) x_j(t + s) + \sigma_b b_i$.

    Takes `(*sites, channels)` with as many axes of sites as the window has, 1 to 3, to `(*sites, width)`. At the
    border, "SAME" pads with zeros and keeps the normalisation by the whole window; "CIRCULAR" is a torus.

    Attributes:
        width: number of output channels; ignored by infinite-width rules.
        window: sizes of the filter, such as (3, 3).
        strides: step of the window along each axis; ones if not given.
        padding: "SAME", "VALID" or "CIRCULAR".
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = channels * |window|.
        sigma_b: standard deviation of the biases, one for each channel.
        lambda_w: learning-rate factor of the weights, before 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.
        dilation: distance of neighbouring sites in the window; ones if not given.

    References:
        Arora et al. (2019), arXiv:1904.11955, section 4 (convolutional NTK).
    """

    dilation: tuple[int, ...] = eqx.field(static=True, default=())

    def __init__(
        self,
        width: int,
        window: tuple[int, ...] | int,
        strides: tuple[int, ...] | int = (),
        padding: str = "SAME",
        sigma_w: Scalar = 1.0,
        sigma_b: Scalar = 0.0,
        lambda_w: Scalar | None = None,
        lambda_b: Scalar | None = None,
        dilation: tuple[int, ...] | int = (),
    ):
        super().__init__(width, window, strides, padding, sigma_w, sigma_b, lambda_w, lambda_b)
        ones = (1,) * len(self.window)
        apart = ones if dilation == () else as_sizes("Conv", "dilation", dilation)
        if len(apart) != len(ones):
            raise ValueError(f"Conv: expected as many dilations as window sizes, got {apart} for window {self.window}.")
        self.dilation = () if apart == ones else apart

    @property
    def apart(self) -> tuple[int, ...]:
        """Dilations, one for each axis of sites."""
        return self.dilation or (1,) * len(self.window)

    @property
    def reach(self) -> tuple[int, ...]:
        """Sites from the first to the last that the window reads."""
        return reach(self.window, self.apart)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=len(self.window))
        sites = window_output(self, shape[:-1], self.reach, self.steps, self.padding)
        return (*sites, self.width), self.draw(key, (*self.window, shape[-1], self.width))

    def apply(self, params: Params, x: Array) -> Array:
        margins = window_margins(x.shape[:-1], self.reach, self.steps, self.padding)
        inputs = x
        if self.padding == "CIRCULAR":
            inputs, margins = pad_sites(x, margins, self.padding), [(0, 0)] * len(margins)
        product = patch_product(Convolved(tuple(margins), self.steps, self.apart))
        shape = (*self.window, x.shape[-1], self.width)
        return self.combine(params, lambda w: product(inputs, w.reshape(shape)), x, self.fan_in(x.shape), shape)
