"""Averages over sites, and the reading of all sites as channels."""

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Shape, check_shape
from .window import Padding, as_sizes, check_window, pad_sites, window_margins, window_output


class AvgPool(AbstractLayer):
    """Average over a window of sites, moved by `strides` (the window itself if not given).

    With "SAME" padding the sites outside count as zeros: the sum is divided by the size of the whole window.

    Attributes:
        window: sizes of the window, such as (2, 2).
        strides: step along each axis; equal to the window if not given.
        padding: "VALID", "SAME" or "CIRCULAR".
    """

    window: tuple[int, ...] = eqx.field(static=True)
    strides: tuple[int, ...] = eqx.field(static=True, default=())
    padding: Padding = eqx.field(static=True, default="VALID")

    def __init__(self, window: tuple[int, ...] | int, strides: tuple[int, ...] | int = (), padding: str = "VALID"):
        self.window = as_sizes("AvgPool", "window", window)
        given = self.window if strides == () else as_sizes("AvgPool", "strides", strides)
        check_window("AvgPool", self.window, given, padding)
        self.strides = () if given == self.window else given
        self.padding = padding  # type: ignore[assignment]

    @property
    def steps(self) -> tuple[int, ...]:
        """Strides, one for each axis of sites."""
        return self.strides or self.window

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=len(self.window))
        return (*window_output(self, shape[:-1], self.window, self.steps, self.padding), shape[-1]), {}

    def apply(self, params: Params, x: Array) -> Array:
        margins = window_margins(x.shape[:-1], self.window, self.steps, self.padding)
        padded = pad_sites(x, margins, self.padding)
        total = lax.reduce_window(padded, np.zeros((), x.dtype), lax.add, (*self.window, 1), (*self.steps, 1), "VALID")
        return total / math.prod(self.window)


class GlobalAvgPool(AbstractLayer):
    """Average over all sites: `(*sites, channels)` to `(channels,)`."""

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return (shape[-1],), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.mean(x, axis=tuple(range(x.ndim - 1)))


class Flatten(AbstractLayer):
    """All sites read as channels: `(*sites, channels)` to `(sites * channels,)`."""

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return (math.prod(shape),), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.reshape(x, (-1,))
