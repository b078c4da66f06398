"""A layer that changes the links themselves."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import PRNGKeyArray

from ...nets.base import Params, Shape
from ..algebra import algebra_part, series_exponential
from .covariant import AbstractGaugeLayer, Covariant, check_covariant, check_matrices


class LinkExp(AbstractGaugeLayer):
    r"""$U_\mu \to \exp\big([\sum_c \beta_{\mu c} W_c]_{\mathrm{ah}}\big)\, U_\mu$: links move within their group.

    `ah` is the projection on antihermitian matrices, without trace for SU(N). The new links transform as the old ones,
    since the exponent at x is turned by $\Omega(x)$ alone. Matrices stay as they are.

    Attributes:
        special: links of SU(N), else of U(N).
        scale: standard deviation of real beta, times the root of the number of channels.

    References:
        Favoni et al. (2022), arXiv:2012.12901, equation (9).
    """

    special: bool = eqx.field(static=True, default=True)
    scale: float = 0.1

    def init(self, key: PRNGKeyArray, shape: Shape) -> tuple[Shape, Params]:
        channels = check_matrices(self, shape)
        beta = self.scale / channels**0.5 * jr.normal(key, (len(shape) - 3, channels))
        return shape, {"beta": beta}

    def apply(self, params: Params, x: Covariant) -> Covariant:
        check_covariant(self, x)
        n = x.links.shape[-1]
        sums = jnp.einsum("mc,...cij->...mij", params["beta"].astype(x.links.dtype), x.matrices)
        exponent = algebra_part(sums, f"SU({n})" if self.special and n > 1 else f"U({n})")
        return Covariant(series_exponential(exponent) @ x.links, x.matrices)
