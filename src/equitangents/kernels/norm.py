"""Normalisation at infinite width: the variance of the channels is a number, so only scales change."""

import jax.numpy as jnp
from jax import lax

from ..nets import LayerNorm
from .kernel import Kernel, spread, variances_of
from .propagate import propagate


@propagate.register(LayerNorm)
def _(layer: LayerNorm, k: Kernel) -> Kernel:
    if not k.gaussian:
        raise ValueError(
            "LayerNorm expected channels of mean zero, as after a layer with weights, got an input or the output of a "
            "nonlinearity; put it after Dense or Conv."
        )
    v11, v22 = variances_of(layer, k)
    epsilon = jnp.asarray(layer.epsilon, k.k12.dtype)
    s11, s22 = spread(v11, v22, k)
    scale = lax.rsqrt(s11 + epsilon) * lax.rsqrt(s22 + epsilon)
    self1, self2 = (_normalised(v, k.sites, epsilon) for v in (v11, v22))
    return Kernel(self1, k.k12 * scale, self2, k.d, k.ntk * scale, k.sites, True)


def _normalised(v, sites, epsilon):
    one = Kernel(None, v, None, None, v, sites)
    s1, s2 = spread(v, v, one)
    return v * lax.rsqrt(s1 + epsilon) * lax.rsqrt(s2 + epsilon)
