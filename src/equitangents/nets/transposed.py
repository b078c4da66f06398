"""Transposed convolutions: zeros between the sites, then a convolution."""

import math

from jaxtyping import Array, PRNGKeyArray

from .base import Params, Shape, check_shape
from .conv import AbstractConv
from .window import pad_sites, patches, spaced


class ConvTranspose(AbstractConv):
    r"""$z_i(t) = \sigma_w (c|S|)^{-1/2} \sum_{j, s \in S} W_{ij}(s) \hat x_j(t + s) + \sigma_b b_i$.

    Here $\hat x$ is x with stride - 1 zeros after each site, so that n sites give n * stride ("SAME", "CIRCULAR": a
    torus) or n * stride + max(window - stride, 0) ("VALID"). The window starts where `jax.lax.conv_transpose` has it.
    The whole window normalises, also where it reads zeros; output sites differ in variance if the stride does not
    divide the window.

    Attributes:
        width: number of output channels; ignored by infinite-width rules.
        window: sizes of the filter, such as (3, 3).
        strides: how many output sites there are for each input site; ones if not given.
        padding: "SAME", "VALID" or "CIRCULAR".
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = channels * |window|.
        sigma_b: standard deviation of the biases, one for each channel.
        lambda_w: learning-rate factor of the weights, before 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.

    References:
        Dumoulin and Visin (2016), arXiv:1603.07285, section 4.

    >>> from equitangents.nets import output_shape
    >>> output_shape(ConvTranspose(3, (2, 2), (2, 2)), (4, 4, 1))
    (8, 8, 3)
    """

    @property
    def margins(self) -> list[tuple[int, int]]:
        """Sites to add before and after each axis of the spaced input."""
        if self.padding == "VALID":
            return [(w - 1, max(w - s, 0)) for w, s in zip(self.window, self.steps, strict=True)]
        low = [min(w - 1, (w + s - 1) // 2) for w, s in zip(self.window, self.steps, strict=True)]
        return [(left, w - 1 - left) for w, left in zip(self.window, low, strict=True)]

    def sites(self, sites: Shape) -> Shape:
        """Sites of the output."""
        sums = [low + high for low, high in self.margins]
        return tuple(n * s + m - w + 1 for n, s, m, w in zip(sites, self.steps, sums, self.window, strict=True))

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=len(self.window))
        return (*self.sites(shape[:-1]), self.width), self.draw(key, (*self.window, shape[-1], self.width))

    def apply(self, params: Params, x: Array) -> Array:
        padded = pad_sites(spaced(x, self.steps), self.margins, self.padding)
        inputs = patches(padded, self.window, (1,) * len(self.window))
        inputs = inputs.reshape(*self.sites(x.shape[:-1]), math.prod(self.window) * x.shape[-1])
        return self.combine(params, lambda w: inputs @ w.reshape(-1, self.width), x, self.fan_in(x.shape))
