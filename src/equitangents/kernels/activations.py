"""Nonlinearities at infinite width: `propagate` through the open function `dual`."""

import functools

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import AbstractActivation
from ..numerics import dual_by_quadrature
from .kernel import Kernel, defect_from_covariance, spread, variances_of
from .propagate import propagate

Dual = tuple[Array, Array, Array] | tuple[Array, Array]


@functools.singledispatch
def dual(layer: AbstractActivation, k11: Array, k22: Array, d: Array) -> Dual:
    r"""$E[\phi(u)\phi(v)]$, $E[\phi'(u)\phi'(v)]$, and the angle defect of $(\phi(u), \phi(v))$.

    Here $(u, v)$ is a centred Gaussian of variances k11, k22 and covariance sqrt(k11 k22) (1 - d). A rule may leave the
    defect out; it is then found by subtraction, which loses digits near the diagonal. The default is quadrature.

    Args:
        layer: the nonlinearity.
        k11, k22: variances, not negative.
        d: angle defect in [0, 2]; all three of one shape.
    """

    def phi(z: Array) -> Array:  # a method would be hashed
        return layer.phi(z)

    e, e_prime = dual_by_quadrature(phi, k11, k22, d, kinks=layer.kinks)
    # the quadrature reads a variance of 0 as a tiny one, whose image would overflow where later layers divide by it
    vanishes = ((k11 <= 0) | (k22 <= 0)) & (layer.phi(jnp.zeros_like(e)) == 0)
    return e - lax.stop_gradient(jnp.where(vanishes, e, 0)), e_prime


def second_moment(layer: AbstractActivation, k: Array) -> Array:
    r"""$E[\phi(u)^2]$ for $u$ a centred Gaussian of variance k, elementwise."""
    return dual(layer, k, k, jnp.zeros_like(k))[0]


@propagate.register(AbstractActivation)
def _(layer: AbstractActivation, k: Kernel) -> Kernel:
    if not k.gaussian:
        raise ValueError(
            f"{type(layer).__name__} expected Gaussian preactivations, as after a layer with weights, got an input or "
            "the output of a nonlinearity; put Dense or Conv before it, and Flatten after it."
        )
    v11, v22 = variances_of(layer, k)
    if k.d is None:
        raise ValueError(f"{type(layer).__name__} needs the angle defect, which a rule before it did not keep.")
    s11, s22 = (jnp.broadcast_to(s, k.k12.shape) for s in spread(v11, v22, k))
    out = dual(layer, s11, s22, k.d)
    self1, self2 = _variances_after(layer, v11, k.sites), _variances_after(layer, v22, k.sites)
    e, e_prime = out[0], out[1]
    if len(out) == 3:
        d = out[2]
    else:
        after = Kernel(self1, e, self2, None, e, k.sites)
        d = defect_from_covariance(spread(self1, self2, after)[0], e, spread(self1, self2, after)[1])
    return Kernel(self1, e, self2, d, e_prime * k.ntk, k.sites, False)


def _variances_after(layer: AbstractActivation, v: Array, sites: tuple[int, ...]) -> Array:
    """Variances after the nonlinearity; between different sites if they were given so before it."""
    if not sites or v.ndim == len(sites):
        return second_moment(layer, v)
    one = Kernel(None, v, None, None, v, sites)
    s1, s2 = (jnp.broadcast_to(s, v.shape) for s in spread(v, v, one))
    size = round(v.size**0.5)
    same_site = jnp.eye(size, dtype=bool).reshape(v.shape)
    d = jnp.where(same_site, 0, defect_from_covariance(s1, v, s2))
    return dual(layer, s1, s2, d)[0]


def has_closed_form(layer: AbstractActivation) -> bool:
    """Whether a rule is registered for this nonlinearity, so that no quadrature is needed."""
    return dual.dispatch(type(layer)) is not dual.dispatch(object)
