"""From matrices to numbers that gauge transformations do not change."""

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ...nets.base import Params, Shape
from .covariant import AbstractGaugeLayer, Covariant, check_covariant, check_matrices
from .pointwise import traces


class Trace(AbstractGaugeLayer):
    r"""$\operatorname{Re} \operatorname{tr} W_c$, then $\operatorname{Im} \operatorname{tr} W_c$.

    (*sites, C, N, N) to real (*sites, 2 C), which all other layers of the library take: `Conv(1, (1, 1))` is a linear
    readout at each site, `GlobalSumPool()` the sum over sites.
    """

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        return (*shape[:-3], 2 * check_matrices(self, shape)), {}

    def apply(self, params: Params, x: Covariant) -> Array:
        check_covariant(self, x)
        t = traces(x.matrices)
        return jnp.concatenate([t.real, t.imag], axis=-1)
