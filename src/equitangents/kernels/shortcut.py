"""Cheaper descriptions with the same kernel: one open function, through which layers offer them."""

import functools
from collections.abc import Iterator

from ..nets import AbstractLayer, Serial, output_shape
from ..nets.base import Shape


@functools.singledispatch
def shortcut(layer: AbstractLayer, after: tuple[AbstractLayer, ...], shape: Shape) -> tuple[AbstractLayer, int] | None:
    """One layer in place of `layer` and the first few `after` it, of the same kernel at less cost.

    The default, None, is that there is none. `nngp`, `ntk` and `kernel` take what is offered.

    Args:
        layer: the description.
        after: the layers that follow it.
        shape: shape of one example before `layer`.

    Returns:
        The layer that stands for them, with rules for `propagate` and `needs` and the output shape of the last of
        them; and how many of `after` it takes in.
    """
    return None


def shortened(net: AbstractLayer, shape: Shape) -> AbstractLayer:
    """`net` for examples of `shape`, with all shortcuts taken; its kernels are the same, to rounding."""
    if not isinstance(net, Serial):
        return net
    layers = tuple(one_by_one(net))
    if not any(shortcut.dispatch(type(layer)) is not shortcut.dispatch(object) for layer in layers):
        return net
    out: list[AbstractLayer] = []
    i = 0
    while i < len(layers):
        one, more = shortcut(layers[i], layers[i + 1 :], shape) or (layers[i], 0)
        out.append(one)
        shape = output_shape(one, shape)
        i += 1 + more
    return Serial(*out)


def one_by_one(net: AbstractLayer) -> Iterator[AbstractLayer]:
    """The layers of a chain, and of the chains in it."""
    if not isinstance(net, Serial):
        yield net
        return
    for layer in net.layers:
        yield from one_by_one(layer)
