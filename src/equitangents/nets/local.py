"""Locally connected layers: convolutions whose weights are not shared between sites."""

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from .base import Params, Shape, check_shape
from .conv import AbstractConv
from .window import pad_sites, patches, window_margins, window_output


class ConvLocal(AbstractConv):
    r"""$z_i(t) = \sigma_w (c|S|)^{-1/2} \sum_{j, s \in S} W_{ij}(t, s)\, x_j(t + s) + \sigma_b b_i(t)$.

    As `Conv`, but with weights of their own at each site t. Output sites are independent, so at infinite width
    only equal sites have a covariance; a network without pooling has the kernel of the same network with `Conv`.

    Attributes:
        width: number of output channels; ignored by infinite-width rules.
        window: sizes of the filter, such as (3, 3).
        strides: step of the window along each axis; ones if not given.
        padding: "SAME", "VALID" or "CIRCULAR".
        sigma_w: standard deviation of the weights, before the factor 1/sqrt(fan_in), fan_in = channels * |window|.
        sigma_b: standard deviation of the biases, one for each channel and site.
        lambda_w: learning-rate factor of the weights, before 1/fan_in; None means sigma_w**2.
        lambda_b: learning-rate factor of the biases; None means sigma_b**2.

    References:
        Novak et al. (2019), arXiv:1810.05148, section 5.1.
    """

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=len(self.window))
        sites = window_output(self, shape[:-1], self.window, self.steps, self.padding)
        out = (*sites, self.width)
        return out, self.draw(key, (*sites, self.fan_in(shape), self.width), out)

    def apply(self, params: Params, x: Array) -> Array:
        margins = window_margins(x.shape[:-1], self.window, self.steps, self.padding)
        inputs = patches(pad_sites(x, margins, self.padding), self.window, self.steps)
        shape = (*inputs.shape, self.width)
        return self.combine(params, lambda w: jnp.einsum("...i,...io->...o", inputs, w), x, inputs.shape[-1], shape)
