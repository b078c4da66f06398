r"""Means of two factors in closed form, for erf and for kinks.

For $\phi = \mathrm{erf}(b z)$, $w = 2 b^2$: $\phi^{(p)} = -w (z \phi^{(p-1)} + (p - 2) \phi^{(p-2)})$ for p > 1.
With Stein's identity and $m_{pq} = \langle \phi^{(p)}(z_1) \phi^{(q)}(z_2) \rangle$,
$(1 + w k_{11}) m_{pq} = -w (k_{12} m_{p-1,q+1} + (p - 2) m_{p-2,q})$.
"""

import functools
import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..numerics import arcsin_safe
from .request import Request


def is_pair(pattern: Request) -> bool:
    """Whether it is a mean of two factors, of one sample or of two."""
    return len(pattern[0]) == 2 and not pattern[1]


def split(
    patterns: tuple[Request, ...], pair: Callable[[Request], Array], others: Callable[[tuple[Request, ...]], Array]
) -> Array:
    """Values of all patterns: of pairs by one function, of the rest together by another."""
    rest = tuple(pattern for pattern in patterns if not is_pair(pattern))
    values = (
        [jnp.stack([pair(pattern) for pattern in patterns if is_pair(pattern)])] if len(rest) < len(patterns) else []
    )
    values += [others(rest)] if rest else []
    order = [i for i, p in enumerate(patterns) if is_pair(p)] + [i for i, p in enumerate(patterns) if not is_pair(p)]
    return jnp.concatenate(values)[np.argsort(order)]


def pair_covariance(pattern: Request, k: Array) -> tuple[Array, Array, Array]:
    """k11, k12, k22 of its two factors, which may be of one sample."""
    (one, _), (two, _) = pattern[0]
    return k[one, one], k[one, two], k[two, two]


def erf_means(w: Array, s1: Array, s12: Array, s2: Array) -> Callable[[int, int], Array]:
    r"""$m_{pq}$ for erf as a function of p and q, with $s_i = 1 + w k_{ii}$, $s_{12} = w k_{12}$.

    For the sign function, the limit of an infinite slope, w = 1 and $s = k$.

    References:
        Williams (1997), Computing with infinite networks, equation (11), for p = q = 0.
    """
    determinant = s1 * s2 - s12**2

    @functools.cache
    def mean(p: int, q: int) -> Array:
        if (p + q) % 2:
            return jnp.zeros_like(s1)
        if p == q == 0:
            return 2 / math.pi * arcsin_safe(s12 / jnp.sqrt(s1 * s2))
        if p == q == 1:
            return 2 / math.pi * w / jnp.sqrt(determinant)
        if p == 1:  # the recursion in q and that in p, solved for it
            return -w * (q - 2) * s1 / determinant * mean(1, q - 2)
        if p == 0:
            return -(s12 * mean(1, q - 1) + w * (q - 2) * (mean(0, q - 2) if q > 2 else 0.0)) / s2
        return -(s12 * mean(p - 1, q + 1) + w * (p - 2) * (mean(p - 2, q) if p > 2 else 0.0)) / s1

    return mean
