"""Depthwise convolutions at infinite width: the covariances of a convolution, but nothing is Gaussian."""

from ..nets import DepthwiseConv
from .conv import convolved
from .kernel import Kernel, Needs
from .linear import apply_weights
from .propagate import needs, propagate


@propagate.register(DepthwiseConv)
def _(layer: DepthwiseConv, k: Kernel) -> Kernel:
    out = apply_weights(layer, convolved(layer, k))
    return Kernel(out.k11, out.k12, out.k22, out.d, out.ntk, out.sites, False)


@needs.register(DepthwiseConv)
def _(layer: DepthwiseConv, after: Needs) -> Needs:
    return after
