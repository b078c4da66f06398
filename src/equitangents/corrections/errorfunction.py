"""The error function: means of two factors in closed form, of more by quadrature."""

import jax.numpy as jnp
from jaxtyping import Array

from ..nets import Erf
from ..nets.base import is_known
from .expectations import by_quadrature, expectations
from .pairs import erf_means, pair_covariance, split
from .request import Request
from .rules import Rules


@expectations.register(Erf)
def _(layer: Erf, patterns: tuple[Request, ...], k: Array, rules: Rules) -> Array:
    if not (is_known(layer.c) and layer.c == 0):
        return by_quadrature(layer, patterns, k, rules)
    a, b = jnp.asarray(layer.a, k.dtype), jnp.asarray(layer.b, k.dtype)

    def pair(pattern: Request) -> Array:
        (_, p), (_, q) = pattern[0]
        k11, k12, k22 = pair_covariance(pattern, k)
        w = 2 * b**2
        return a**2 * erf_means(w, 1 + w * k11, w * k12, 1 + w * k22)(p, q)

    return split(patterns, pair, lambda rest: by_quadrature(layer, rest, k, rules))
