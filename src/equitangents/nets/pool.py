"""Averages over sites, and the reading of all sites as channels."""

import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from .base import AbstractLayer, Params, Shape, check_shape
from .window import Padding, as_sizes, check_window, pad_sites, window_margins, window_output


class AbstractPool(AbstractLayer):
    """A layer that reads a window of sites of each channel on its own."""

    window: tuple[int, ...] = eqx.field(static=True)
    strides: tuple[int, ...] = eqx.field(static=True, default=())
    padding: Padding = eqx.field(static=True, default="VALID")

    def __init__(self, window: tuple[int, ...] | int, strides: tuple[int, ...] | int = (), padding: str = "VALID"):
        name = type(self).__name__
        self.window = as_sizes(name, "window", window)
        given = self.window if strides == () else as_sizes(name, "strides", strides)
        check_window(name, self.window, given, padding)
        self.strides = () if given == self.window else given
        self.padding = padding  # type: ignore[assignment]

    @property
    def steps(self) -> tuple[int, ...]:
        """Strides, one for each axis of sites."""
        return self.strides or self.window

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape, sites=len(self.window))
        return (*window_output(self, shape[:-1], self.window, self.steps, self.padding), shape[-1]), {}

    def reduce(self, x: Array, start: float, combine: Callable) -> Array:
        """`combine` over the windows of x (*sites, channels), with `start` at the sites outside."""
        margins = window_margins(x.shape[:-1], self.window, self.steps, self.padding)
        first = np.asarray(start, x.dtype)
        if self.padding == "CIRCULAR":
            x, margins = pad_sites(x, margins, self.padding), [(0, 0)] * len(margins)
        return lax.reduce_window(x, first, combine, (*self.window, 1), (*self.steps, 1), [*margins, (0, 0)])


class AvgPool(AbstractPool):
    """Average over a window of sites, moved by `strides` (the window itself if not given).

    With "SAME" padding the sites outside count as zeros: the sum is divided by the size of the whole window, unless
    `normalize_edges`, where it is divided by the number of real sites.

    Attributes:
        window: sizes of the window, such as (2, 2).
        strides: step along each axis; equal to the window if not given.
        padding: "VALID", "SAME" or "CIRCULAR".
        normalize_edges: whether sites outside do not count; only "SAME" padding has any.
    """

    normalize_edges: bool = eqx.field(static=True, default=False)

    def __init__(
        self,
        window: tuple[int, ...] | int,
        strides: tuple[int, ...] | int = (),
        padding: str = "VALID",
        normalize_edges: bool = False,
    ):
        super().__init__(window, strides, padding)
        if not isinstance(normalize_edges, bool):
            raise TypeError(f"AvgPool: expected normalize_edges to be True or False, got {normalize_edges!r}.")
        self.normalize_edges = normalize_edges

    def edge_factor(self, sites: Shape) -> Array | None:
        """Size of the window over the number of sites that it reads at each place, or None where that is 1."""
        if self.padding != "SAME" or not self.normalize_edges:
            return None
        return math.prod(self.window) / self.reduce(jnp.ones((*sites, 1)), 0, lax.add)[..., 0]

    def apply(self, params: Params, x: Array) -> Array:
        mean = self.reduce(x, 0, lax.add) / math.prod(self.window)
        factor = self.edge_factor(x.shape[:-1])
        return mean if factor is None else mean * factor[..., None].astype(x.dtype)


class SumPool(AbstractPool):
    """Sum over a window of sites, moved by `strides` (the window itself if not given).

    Attributes:
        window: sizes of the window, such as (2, 2).
        strides: step along each axis; equal to the window if not given.
        padding: "VALID", "SAME" or "CIRCULAR".
    """

    def apply(self, params: Params, x: Array) -> Array:
        return self.reduce(x, 0, lax.add)


class MaxPool(AbstractPool):
    r"""Largest value in a window of sites, of each channel on its own.

    A finite layer only. At infinite width its input is Gaussian with correlated sites, and a kernel behind it would
    need $E[\max_s u_s \max_s v_s]$, an integral over 2|S| correlated Gaussians without a closed form for general S.
    `nngp` and `ntk` say so; `monte_carlo` and `empirical_ntk` work.

    Attributes:
        window: sizes of the window, such as (2, 2).
        strides: step along each axis; equal to the window if not given.
        padding: "VALID", "SAME" (sites outside never win) or "CIRCULAR".
    """

    def apply(self, params: Params, x: Array) -> Array:
        return self.reduce(x, -math.inf, lax.max)


class GlobalAvgPool(AbstractLayer):
    """Average over all sites: `(*sites, channels)` to `(channels,)`."""

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return (shape[-1],), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.mean(x, axis=tuple(range(x.ndim - 1)))


class GlobalSumPool(AbstractLayer):
    """Sum over all sites: `(*sites, channels)` to `(channels,)`."""

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return (shape[-1],), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.sum(x, axis=tuple(range(x.ndim - 1)))


class Flatten(AbstractLayer):
    """All sites read as channels: `(*sites, channels)` to `(sites * channels,)`."""

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        check_shape(self, shape)
        return (math.prod(shape),), {}

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.reshape(x, (-1,))
