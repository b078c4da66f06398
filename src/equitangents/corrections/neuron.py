"""The mean over one Gaussian neuron, for samples whose covariance is itself random."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..kernels import dual
from ..kernels.kernel import defect_from_covariance
from ..nets import AbstractActivation, Dense


def through_neuron(phi: AbstractActivation, layer: Dense, k: Array, theta: Array, f: Array | None = None) -> Array:
    r"""Covariance and tangent kernel after a nonlinearity and a dense layer, for many neurons of correlated tangents.

    $$K' = C_b + C_W\langle\sigma\sigma\rangle, \quad \Theta' = \lambda_b + \lambda_W\langle\sigma\sigma\rangle
      + C_W [\Theta\langle\sigma'\sigma'\rangle + \tfrac1n F_{\rho\alpha\kappa\beta}
      \langle\partial_\rho\partial_\kappa(\sigma'_\alpha\sigma'_\beta)\rangle].$$

    With $\langle\partial_\rho\partial_\kappa f\rangle = (1 + \delta_{\rho\kappa})\, \partial\langle f\rangle / \partial
    K_{\rho\kappa}$, which holds for functions with kinks too.

    Args:
        phi, layer: the nonlinearity and the dense layer after it.
        k, theta: covariance and tangent kernel before, shape (S, S).
        f: $F / n$ of the neurons before, shape (S, S, S, S); None: 0.

    Returns:
        Both, shape (2, S, S).
    """
    samples = len(k)
    one, two = np.triu_indices(samples, 1)
    alone = np.arange(samples)

    def same(k: Array) -> tuple[Array, Array]:
        return dual(phi, k, k, jnp.zeros_like(k))[:2]

    def pair(k11: Array, k12: Array, k22: Array) -> tuple[Array, Array]:
        return dual(phi, k11, k22, defect_from_covariance(k11, k12, k22))[:2]

    on = (k[alone, alone],)
    off = k[one, one], k[one, two], k[two, two]
    if f is None:
        (e_on, p_on), (e_off, p_off) = same(*on), pair(*off)
        bent_on, bent_off = jnp.zeros_like(p_on), jnp.zeros_like(p_off)
    else:
        towards_on = (2 * f[alone, alone, alone, alone],)
        cross = f[one, one, two, two] + f[two, one, one, two]
        towards_off = 2 * f[one, one, one, two], cross, 2 * f[two, one, two, two]
        (e_on, p_on), (_, bent_on) = jax.jvp(same, on, towards_on)
        (e_off, p_off), (_, bent_off) = jax.jvp(pair, off, towards_off)
    e, p, bent = (_full(*parts) for parts in ((e_on, e_off), (p_on, p_off), (bent_on, bent_off)))
    tangent = layer.rate_b + layer.rate_w * e + layer.sigma_w**2 * (p * theta + bent)
    return jnp.stack([layer.sigma_b**2 + layer.sigma_w**2 * e, tangent])


def _full(diagonal: Array, upper: Array) -> Array:
    """The symmetric matrix."""
    one, two = np.triu_indices(len(diagonal), 1)
    return jnp.diag(diagonal).at[one, two].set(upper).at[two, one].set(upper)
