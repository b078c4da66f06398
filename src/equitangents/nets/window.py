"""Windows that slide over sites: sizes, strides and padding, shared by convolutions, pools and their kernels."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from .base import AbstractLayer, Shape

Padding = Literal["SAME", "VALID", "CIRCULAR"]


def as_sizes(owner: str, name: str, sizes: tuple[int, ...] | int) -> tuple[int, ...]:
    """`sizes` as a tuple of positive integers; raises otherwise."""
    values = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    if not values or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in values):
        raise ValueError(f"{owner}: expected {name} to be positive integers, one for each site axis, got {sizes!r}.")
    return values


def check_window(owner: str, window: tuple[int, ...], strides: tuple[int, ...], padding: str) -> None:
    """Raise unless strides match the window and the padding is one of the known ones."""
    if len(window) > 3:
        raise ValueError(f"{owner}: expected a window of 1 to 3 sizes, got {len(window)}: {window}.")
    if len(strides) != len(window):
        raise ValueError(f"{owner}: expected as many strides as window sizes, got {strides} for window {window}.")
    if padding not in get_args(Padding):
        raise ValueError(f"{owner}: expected padding 'SAME', 'VALID' or 'CIRCULAR', got {padding!r}.")


def as_window(
    owner: str, window: tuple[int, ...] | int, strides: tuple[int, ...] | int, padding: str
) -> tuple[Shape, Shape]:
    """Sizes and strides of a window as tuples; strides of one are left out, so that equal layers are equal."""
    sizes = as_sizes(owner, "window", window)
    ones = (1,) * len(sizes)
    given = ones if strides == () else as_sizes(owner, "strides", strides)
    check_window(owner, sizes, given, padding)
    return sizes, () if given == ones else given


def reach(window: Shape, dilation: Shape) -> Shape:
    """Sites from the first to the last that a window reads, where `dilation` is the distance of neighbours in it."""
    return tuple((w - 1) * d + 1 for w, d in zip(window, dilation, strict=True))


def spaced(x: Array, steps: Shape, first: int = 0) -> Array:
    """`x` with step - 1 zeros after each site, along the axes from `first` on."""
    pads = [(0, 0, 0)] * first + [(0, s - 1, s - 1) for s in steps]
    return lax.pad(x, np.zeros((), x.dtype), pads + [(0, 0, 0)] * (x.ndim - len(pads)))


def window_margins(sites: Shape, window: Shape, strides: Shape, padding: str) -> list[tuple[int, int]]:
    """Sites to add before and after each axis, so that a VALID window then gives the wanted output."""
    if padding == "VALID":
        return [(0, 0)] * len(sites)
    margins = []
    for size, w, s in zip(sites, window, strides, strict=True):
        total = max((-(-size // s) - 1) * s + w - size, 0)
        margins.append((total // 2, total - total // 2))
    return margins


def pad_sites(x: Array, margins: Sequence[tuple[int, int]], padding: str, first: int = 0) -> Array:
    """`x` with margins around the axes from `first` on: zeros, or the other side of the torus."""
    if not any(sum(m) for m in margins):
        return x
    pads = [(0, 0)] * first + list(margins) + [(0, 0)] * (x.ndim - first - len(margins))
    return jnp.pad(x, pads, mode="wrap" if padding == "CIRCULAR" else "constant")


def patches(x: Array, window: Shape, steps: Shape, dilation: Shape | None = None) -> Array:
    """The windows of padded sites, `(*sites, |window| * channels)`, offsets slow and channels fast.

    A convolution is then a matrix product. On a CPU, training through it is 12 to 22 times faster than through XLA's
    convolution, whose gradients are slow inside a loop; it takes |window| times the memory of the input.
    """
    if x.shape[:-1] == tuple(window):
        return x.reshape(*[1] * len(window), -1)
    apart = dilation or (1,) * len(window)
    counts = [(n - w) // s + 1 for n, w, s in zip(x.shape, reach(window, apart), steps, strict=False)]

    def shifted(offset: tuple[int, ...]) -> Array:
        offset = tuple(o * d for o, d in zip(offset, apart, strict=True))
        stops = [o + (n - 1) * s + 1 for o, n, s in zip(offset, counts, steps, strict=True)]
        return lax.slice(x, (*offset, 0), (*stops, x.shape[-1]), (*steps, 1))

    return jnp.concatenate([shifted(o) for o in itertools.product(*map(range, window))], axis=-1)


class Convolved(NamedTuple):
    """Margins of zeros, steps and dilations of a convolution."""

    margins: tuple[tuple[int, int], ...]
    steps: Shape
    dilation: Shape


CONVOLUTIONS: dict[str, Convolved] = {}
"""What each `patch_product` does, by the name that it has in a program of JAX."""


@functools.cache
def patch_product(numbers: Convolved) -> Callable[[Array, Array], Array]:
    """The convolution of sites with a filter (*window, channels, outputs), as a product with `patches`.

    Compiled under a name of its own, so that one who reads a program knows what it is.
    """

    def product(x: Array, w: Array) -> Array:
        padded = pad_sites(x, numbers.margins, "SAME")
        return patches(padded, w.shape[:-2], numbers.steps, numbers.dilation) @ w.reshape(-1, w.shape[-1])

    product.__name__ = f"equitangents_patch_product_{tuple(numbers)}"
    CONVOLUTIONS[product.__name__] = numbers
    return jax.jit(product)


def channels_last(sites: int, outputs_first: bool = False) -> lax.ConvDimensionNumbers:
    """Axes (batch, *sites, channels) and filters (*window, inputs, outputs), or outputs and inputs exchanged."""
    signal, last = (0, sites + 1, *range(1, sites + 1)), (sites + 1, sites)
    return lax.ConvDimensionNumbers(signal, (*(last[::-1] if outputs_first else last), *range(sites)), signal)


def window_output(owner: AbstractLayer, sites: Shape, window: Shape, strides: Shape, padding: str) -> Shape:
    """Sites after sliding the window; raises if it does not fit."""
    margins = window_margins(sites, window, strides, padding)
    out = []
    for size, w, s, (low, high) in zip(sites, window, strides, margins, strict=True):
        if w > size + low + high:
            raise ValueError(
                f"{type(owner).__name__} expected sites at least as large as its window {window}, got {sites}; "
                "use a smaller window or padding='SAME'."
            )
        if padding == "CIRCULAR" and max(low, high) > size:
            raise ValueError(
                f"{type(owner).__name__} expected a window of at most twice the torus {sites}, got {window}."
            )
        out.append((size + low + high - w) // s + 1)
    return tuple(out)
