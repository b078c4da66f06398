"""Masks at infinite width: covariances with masked sites are zero, and averages divide by the number of the others."""

import dataclasses

from jaxtyping import Array

from ..nets import AbstractLayer, Attention, GlobalAvgPool, Masked, Parallel, Recurrent, Residual, Serial
from ..nets.mask import after_mask, share
from .kernel import Kernel, Needs
from .linear import scaled, zeroed
from .propagate import dependent, draws_weights, independent_sum, needs, propagate


@propagate.register(Masked)
def _(layer: Masked, k: Kernel) -> Kernel:
    if k.mask1 is None or k.mask2 is None:
        raise ValueError("Masked expected raw inputs, from which it reads masks; make it the first layer of a network.")
    return _masked(Serial(*layer.layers), k, k.mask1, k.mask2)[0]


@needs.register(Masked)
def _(layer: Masked, after: Needs) -> Needs:
    return needs(Serial(*layer.layers), after)


def _masked(
    layer: AbstractLayer, k: Kernel, mask1: Array | None, mask2: Array | None
) -> tuple[Kernel, Array | None, Array | None]:
    if mask1 is None or mask2 is None:
        return propagate(layer, k), None, None
    left1, left2 = after_mask(layer, mask1), after_mask(layer, mask2)
    if isinstance(layer, Serial):
        for inside in layer.layers:
            k, mask1, mask2 = _masked(inside, k, mask1, mask2)
        return k, mask1, mask2
    if isinstance(layer, Residual):
        if not draws_weights(layer.layer):
            raise dependent(layer)
        return independent_sum([k, _masked(layer.layer, k, mask1, mask2)[0]]), left1, left2
    if isinstance(layer, Parallel):
        if [draws_weights(inside) for inside in layer.layers].count(False) > 1:
            raise dependent(layer)
        return independent_sum([_masked(inside, k, mask1, mask2)[0] for inside in layer.layers]), left1, left2
    if isinstance(layer, Attention | Recurrent):  # which read other sites by rules of their own
        k = dataclasses.replace(k, mask1=mask1, mask2=mask2)
    out = propagate(layer, k)
    if isinstance(layer, GlobalAvgPool):
        out = scaled(out, share(mask1), share(mask2))
    if left1 is None or left2 is None:
        return out, None, None
    return zeroed(out, left1, left2), left1, left2
