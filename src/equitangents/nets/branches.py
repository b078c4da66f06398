"""Networks of one input side by side: their channels joined, or their outputs multiplied."""

import math

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PRNGKeyArray

from .activations import AbstractActivation
from .base import AbstractLayer, Params, Shape
from .combinators import Parallel, Residual, Serial, _check_layers
from .depthwise import DepthwiseConv
from .norm import LayerNorm
from .pool import AbstractPool, GlobalAvgPool, GlobalSumPool
from .shared import Shared
from .sites import SiteMap, Slice
from .weights import AbstractWeighted


class Concatenate(AbstractLayer):
    """The channels of several networks of one input, side by side.

    A kernel is an average over channels, so here it is the average of the branches' kernels in proportion to their
    numbers of channels. These are read from the widths of their last layers with weights; where a branch has none, as
    in `Concatenate(Identity(), Dense(8))`, state `proportions`. Channels of different branches are differently
    distributed, so a layer with weights must come before the next nonlinearity.

    Attributes:
        layers: the branches, of one shape of sites.
        proportions: shares of the channels, one for each branch, which sum to 1; None reads them from the widths.
    """

    layers: tuple[AbstractLayer, ...]
    proportions: tuple[float, ...] | None = eqx.field(static=True, default=None)

    def __init__(self, *layers: AbstractLayer, proportions: tuple[float, ...] | None = None):
        _check_layers(self, layers)
        self.layers = layers
        self.proportions = None if proportions is None else tuple(float(p) for p in proportions)
        if self.proportions is not None and (
            len(self.proportions) != len(layers) or min(self.proportions) <= 0 or abs(sum(self.proportions) - 1) > 1e-9
        ):
            raise ValueError(
                f"Concatenate expected {len(layers)} positive proportions that sum to 1, got {self.proportions}."
            )

    def __repr__(self) -> str:
        shares = [] if self.proportions is None else [f"proportions={self.proportions}"]
        return f"Concatenate({', '.join([*map(repr, self.layers), *shares])})"

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each branch in the channels."""
        if self.proportions is not None:
            return self.proportions
        widths = [last_width(layer) for layer in self.layers]
        known = [width for width in widths if width is not None]
        if len(known) < len(widths):
            raise ValueError(
                "Concatenate expected the shares of channels, as not all branches end in a layer with a width; state "
                "proportions=(...), one for each branch."
            )
        return tuple(width / sum(known) for width in known)

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        drawn = [layer.init(k, shape) for layer, k in zip(self.layers, jr.split(key, len(self.layers)), strict=True)]
        shapes = [tuple(out) for out, _ in drawn]
        if len({out[:-1] for out in shapes}) != 1:
            raise ValueError(f"Concatenate expected branches of one shape of sites, got outputs {shapes}.")
        total = sum(out[-1] for out in shapes)
        if self.proportions is not None and any(
            not math.isclose(out[-1], p * total, rel_tol=1e-6) for out, p in zip(shapes, self.proportions, strict=True)
        ):
            raise ValueError(
                f"Concatenate expected channels in the proportions {self.proportions}, got outputs {shapes}; adapt one."
            )
        return (*shapes[0][:-1], total), [params for _, params in drawn]

    def apply(self, params: Params, x: Array) -> Array:
        return jnp.concatenate([layer.apply(p, x) for layer, p in zip(self.layers, params, strict=True)], axis=-1)


class Product(AbstractLayer):
    """The product of several networks of one input, entry by entry, each with its own weights.

    At infinite width all branches but one must end in a layer with its own weights, as then they are independent. A
    product is not Gaussian: a layer with weights must come before the next nonlinearity.
    """

    layers: tuple[AbstractLayer, ...]

    def __init__(self, *layers: AbstractLayer):
        _check_layers(self, layers)
        self.layers = layers

    def __repr__(self) -> str:
        return f"Product({', '.join(map(repr, self.layers))})"

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        drawn = [layer.init(k, shape) for layer, k in zip(self.layers, jr.split(key, len(self.layers)), strict=True)]
        shapes = [tuple(out) for out, _ in drawn]
        if len(set(shapes)) != 1:
            raise ValueError(f"Product expected branches of one output shape, got {shapes}; adapt their widths.")
        return shapes[0], [params for _, params in drawn]

    def apply(self, params: Params, x: Array) -> Array:
        return math.prod(
            (layer.apply(p, x) for layer, p in zip(self.layers, params, strict=True)), start=jnp.ones((), x.dtype)
        )


KEEP = (AbstractActivation, LayerNorm, AbstractPool, GlobalAvgPool, GlobalSumPool, Slice, SiteMap)
"""Layers that keep the number of channels."""


def last_width(layer: AbstractLayer) -> int | None:
    """Number of output channels as far as the description alone says it; None where it depends on the input."""
    if isinstance(layer, DepthwiseConv):
        return None
    if isinstance(layer, AbstractWeighted):
        return layer.width
    if isinstance(layer, Residual | Shared):
        return last_width(layer.layer)
    if isinstance(layer, Parallel | Product):
        return next((w for w in map(last_width, layer.layers) if w is not None), None)
    if isinstance(layer, Concatenate):
        widths = [last_width(inside) for inside in layer.layers]
        return None if None in widths else sum(width for width in widths if width is not None)
    if isinstance(layer, Serial):
        for inside in reversed(layer.layers):
            width = last_width(inside)
            if width is not None:
                return width
            if not isinstance(inside, KEEP):
                return None
    return None
