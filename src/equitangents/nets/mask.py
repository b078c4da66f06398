"""Inputs of different length: sites that do not count."""

from functools import singledispatch

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from .activations import AbstractActivation
from .attention import Attention
from .base import AbstractLayer, Params, Scalar, Shape, check_range
from .combinators import Parallel, Residual, Serial, _check_layers
from .conv import Conv
from .dense import Dense
from .dropout import Dropout
from .norm import LayerNorm
from .pool import AvgPool, Flatten, GlobalAvgPool, GlobalSumPool, SumPool
from .positions import Positions
from .recurrent import Recurrent
from .sites import Slice


class Masked(AbstractLayer):
    """Layers that leave out the sites whose channels are all equal to `value`; the first layer of a network.

    Masked sites are zero before and after each layer inside, and `GlobalAvgPool` divides by the number of the others.
    So inputs of different length, filled up with `value` at the end, have the outputs and kernels that they have alone,
    and more filling changes nothing (but `Flatten`, which keeps dividing by the number of all sites). Windows with
    "SAME" padding and stride 1 keep the mask; with "VALID" padding a window that reads a masked site is masked.

    `Attention` does not read masked sites. `Recurrent` forgets at a masked time and begins anew after it, so inputs may
    be filled up at the end or, with `Slice(-1)` behind it, at the start.

    What comes after `Masked` knows nothing of masks, so a pool or `Flatten` belongs inside, as the last layer with
    sites.

    Attributes:
        value: what stands at masked sites, a finite number.
        layers: the layers inside.
    """

    value: Scalar
    layers: tuple[AbstractLayer, ...]

    def __init__(self, value: Scalar, *layers: AbstractLayer):
        _check_layers(self, layers)
        self.value, self.layers = value, layers
        check_range(self, "value")

    def __repr__(self) -> str:
        return f"Masked({', '.join(map(repr, (self.value, *self.layers)))})"

    def find(self, x: Array) -> Array:
        """1 at the sites of x that count and 0 at those that do not; over leading axes of x alike."""
        masked = jnp.all(x == jnp.asarray(self.value, x.dtype), axis=-1)
        return jnp.where(masked, jnp.zeros((), x.dtype), jnp.ones((), x.dtype))

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        if len(shape) < 2:
            raise ValueError(f"Masked expected sites, an example (*sites, channels), got shape {tuple(shape)}.")
        inside = Serial(*self.layers)
        after_mask(inside, jnp.ones(shape[:-1]))
        return inside.init(key, shape)

    def apply(self, params: Params, x: Array) -> Array:
        real = self.find(x)
        return apply_masked(Serial(*self.layers), params, x * real[..., None], real)[0]


@singledispatch
def after_mask(layer: AbstractLayer, real: Array) -> Array | None:
    """Which sites count after a layer, if `real` count before it; None where there are no sites to mask any more."""
    raise NotImplementedError(
        f"{type(layer).__name__} has no rule for masks; put it after Masked(...), or write one with "
        f"@after_mask.register({type(layer).__name__})."
    )


@after_mask.register(Dense)
@after_mask.register(AbstractActivation)
@after_mask.register(LayerNorm)
@after_mask.register(Dropout)
@after_mask.register(Residual)
@after_mask.register(Attention)
@after_mask.register(Positions)
@after_mask.register(Recurrent)
def _(layer: AbstractLayer, real: Array) -> Array | None:
    if isinstance(layer, Residual):
        after_mask(layer.layer, real)
    return real


@after_mask.register(Conv)
@after_mask.register(AvgPool)
@after_mask.register(SumPool)
def _(layer: Conv | AvgPool | SumPool, real: Array) -> Array | None:
    strided = any(step > 1 for step in layer.steps)
    if layer.padding == "SAME" and not strided and not (isinstance(layer, AvgPool) and layer.normalize_edges):
        return real
    if layer.padding != "VALID":
        raise NotImplementedError(
            f"{layer!r} has no rule for masks, as its windows depend on the padded length; use padding='VALID', or "
            "'SAME' with stride 1 (and no normalize_edges)."
        )
    window = layer.window
    apart = layer.apart if isinstance(layer, Conv) else (1,) * len(window)
    for axis, (w, step, d) in enumerate(zip(window, layer.steps, apart, strict=True)):
        count = (real.shape[axis] - (w - 1) * d - 1) // step + 1
        reads = jnp.arange(count)[:, None] * step + jnp.arange(w)[None, :] * d
        real = jnp.min(jnp.take(real, reads, axis=axis), axis=axis + 1)
    return real


@after_mask.register(Slice)
def _(layer: Slice, real: Array) -> Array | None:
    left = real[layer.slices]
    return left if left.ndim else None


@after_mask.register(GlobalAvgPool)
@after_mask.register(GlobalSumPool)
@after_mask.register(Flatten)
def _(layer: AbstractLayer, real: Array) -> Array | None:
    return None


@after_mask.register(Serial)
def _(layer: Serial, real: Array) -> Array | None:
    left: Array | None = real
    for inside in layer.layers:
        left = left if left is None else after_mask(inside, left)
    return left


@after_mask.register(Parallel)
def _(layer: Parallel, real: Array) -> Array | None:
    left = [after_mask(inside, real) for inside in layer.layers]
    return left[0]


def share(real: Array) -> Array:
    """Number of all sites over the number of those that count, 0 if none does: the factor of an average."""
    count = jnp.sum(real)
    return jnp.where(count > 0, real.size / jnp.maximum(count, 1), 0.0).astype(real.dtype)


def apply_masked(layer: AbstractLayer, params: Params, x: Array, real: Array | None) -> tuple[Array, Array | None]:
    """The output and its mask, of an input that is zero where it is masked; zero there again."""
    if real is None:
        return layer.apply(params, x), None
    left = after_mask(layer, real)
    if isinstance(layer, Serial):
        mask: Array | None = real
        for inside, own in zip(layer.layers, params, strict=True):
            x, mask = apply_masked(inside, own, x, mask)
        return x, mask
    if isinstance(layer, Residual):
        return x + apply_masked(layer.layer, params, x, real)[0], left
    if isinstance(layer, Parallel):
        outs = [apply_masked(inside, own, x, real)[0] for inside, own in zip(layer.layers, params, strict=True)]
        return sum(outs[1:], outs[0]), left
    masks = (real,) if isinstance(layer, Attention | Recurrent) else ()  # they read other sites by rules of their own
    out = layer.apply(params, x, *masks)
    if isinstance(layer, GlobalAvgPool):
        out = out * share(real)
    return (out if left is None else out * left[..., None]), left
