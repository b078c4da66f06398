"""Fully connected layers at infinite width: k' = sigma_w^2 E[phi phi] + sigma_b^2."""

from ..nets import Dense
from .kernel import Kernel, Needs
from .linear import apply_weights
from .propagate import needs, propagate


@propagate.register(Dense)
def _(layer: Dense, k: Kernel) -> Kernel:
    return apply_weights(layer, k)


@needs.register(Dense)
def _(layer: Dense, after: Needs) -> Needs:
    return after
