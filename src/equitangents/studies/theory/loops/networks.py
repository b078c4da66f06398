"""Networks that predict the trace of a Wilson loop at each site, gauge equivariant and not."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ....gauge.layers import LCB, Plaquettes, Trace
from ....nets import Conv, Relu, Serial
from ....nets.base import AbstractLayer, Params, Shape

LAYERS = {
    (1, 1): ((2, 1),),
    (1, 2): ((4, 1),),
    (2, 2): ((4, 1), (4, 1)),
    (2, 4): ((4, 1), (4, 1), (4, 2)),
    (4, 4): ((4, 1), (4, 1), (4, 2), (4, 2)),
}
"""Channels and reach of the L-CB layers for a loop: each doubles one side, and carries loops as far as that is long."""

LEARNED = {(4, 4): ((2, 2), (2, 4), (4, 4))}
"""Loops that are learned one after the other on the way to a large one, each from the layers of the one before."""


class LinkEntries(AbstractLayer):
    """Links (*sites, D, N, N) as real channels (*sites, 2 D N N): what a network that knows no gauges is given."""

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return (*shape[:-3], 2 * int(np.prod(shape[-3:]))), {}

    def apply(self, params: Params, x: Array) -> Array:
        flat = x.reshape(*x.shape[:-3], -1)
        return jnp.concatenate([flat.real, flat.imag], axis=-1)


def loop_network(size: tuple[int, int]) -> Serial:
    """The gauge equivariant network for loops of this size."""
    layers = (LCB(channels, reach=reach) for channels, reach in LAYERS[size])
    return Serial(Plaquettes(), *layers, Trace(), Conv(1, (1, 1), sigma_b=1.0))


def plain_network(width: int, depth: int) -> Serial:
    """A convolutional network on the entries of links."""
    blocks: list[AbstractLayer] = []
    for _ in range(depth):
        blocks += [Conv(width, (3, 3), padding="CIRCULAR", sigma_w=2**0.5), Relu()]
    return Serial(LinkEntries(), *blocks, Conv(1, (1, 1), sigma_b=1.0))
