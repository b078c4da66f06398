"""Nonlinearities at infinite width: `propagate` through the open function `dual`."""

import contextlib
import functools
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ..nets import AbstractActivation
from ..numerics import (
    Expansion,
    dual_by_quadrature,
    expansion,
    hermite_coefficients,
    materialise,
    parity_of,
    quadrature_error,
    series_dual,
    series_tails,
)
from ..numerics.doubled import Doubled, finite, with_low, with_slope_of
from ..numerics.hermite import Parity
from .kernel import Kernel, defect_from_covariance, spread, variances_of
from .nearby import defect_after
from .propagate import propagate

Dual = tuple[Array, Array, Array] | tuple[Array, Array]


@functools.singledispatch
def dual(layer: AbstractActivation, k11: Array, k22: Array, d: Array) -> Dual:
    r"""$E[\phi(u)\phi(v)]$, $E[\phi'(u)\phi'(v)]$, and the angle defect of $(\phi(u), \phi(v))$.

    Here $(u, v)$ is a centred Gaussian of variances k11, k22 and covariance sqrt(k11 k22) (1 - d). A rule may leave the
    defect out; it is then found from both expectations, as `nearby.defect_after` says. The default is a Hermite series,
    or quadrature where the series converges slowly, as for functions with kinks.

    Args:
        layer: the nonlinearity.
        k11, k22: variances, not negative. What is computed from one of them alone costs nothing beside d.
        d: angle defect in [0, 2]; all three of shapes that broadcast.
    """
    plan = series_plan(layer, d.dtype == jnp.float64)
    if plan is not None:
        one, two = (_expanded(layer, k, plan.terms) for k in (k11, k22))
        return series_dual(one, two, d, plan.parity)

    def phi(z: Array) -> Array:  # a method would be hashed
        return layer.phi(z)

    e, e_prime = dual_by_quadrature(phi, k11, k22, d, kinks=layer.kinks)
    # the quadrature reads a variance of 0 as a tiny one, whose image would overflow where later layers divide by it
    vanishes = ((k11 <= 0) | (k22 <= 0)) & (layer.phi(jnp.zeros_like(e)) == 0)
    return e - lax.stop_gradient(jnp.where(vanishes, e, 0)), e_prime


class SeriesPlan(NamedTuple):
    """How many terms of the Hermite series of phi' are summed, and whether phi is odd or even."""

    terms: int
    parity: Parity


REFERENCE_VARIANCE = 16.0
MOST_TERMS = 256


def series_plan(layer: AbstractActivation, double: bool) -> SeriesPlan | None:
    """Terms that leave 1e-6 of E[phi'^2], 1e-9 in float64, at variance 16; None where more than 1e-4 is left at 1."""
    if layer.kinks:
        return None
    try:
        return _plan(layer, double)
    except (TypeError, jax.errors.ConcretizationTypeError):  # it holds numbers that are traced
        return SeriesPlan(MOST_TERMS // 2, "none")


@functools.lru_cache(maxsize=256)
def _plan(layer: AbstractActivation, double: bool) -> SeriesPlan | None:
    def slope(z: Array) -> Array:
        return jax.jvp(layer.phi, (z,), (jnp.ones_like(z),))[1]

    with jax.ensure_compile_time_eval():
        numbers = np.arange(4, MOST_TERMS + 1)
        left = series_tails(slope, REFERENCE_VARIANCE, numbers.tolist())
        if series_tails(slope, 1.0, [MOST_TERMS])[0] > 1e-4:
            return None
        enough = numbers[left < (1e-9 if double and jax.config.jax_enable_x64 else 1e-6)]  # type: ignore[attr-defined]
        return SeriesPlan(int(enough[0]) if enough.size else MOST_TERMS, parity_of(layer.phi))


def _expanded(layer: AbstractActivation, k: Array, terms: int) -> Expansion:
    def slope(z: Array) -> Array:
        return jax.jvp(layer.phi, (z,), (jnp.ones_like(z),))[1]

    mean = hermite_coefficients(layer.phi, k, 1)[0]
    return materialise(expansion(mean, hermite_coefficients(slope, k, terms), k))


def method_of(layer: AbstractActivation) -> Literal["closed form", "series", "quadrature"]:
    """How the dual of this nonlinearity is computed."""
    if has_closed_form(layer):
        return "closed form"
    return "quadrature" if series_plan(layer, True) is None else "series"


@functools.lru_cache(maxsize=256)
def estimated_error(layer: AbstractActivation, variance: float, x64: bool) -> float:
    """Of both expectations where no closed form is registered, relative to the largest; TypeError if it is traced."""

    def slope(z: Array) -> Array:
        return jax.jvp(layer.phi, (z,), (jnp.ones_like(z),))[1]

    plan = series_plan(layer, x64)
    traced = isinstance(jnp.zeros(()), jax.core.Tracer)  # JAX 0.6 leaks tracers where this is asked for in vain
    with jax.ensure_compile_time_eval() if traced else contextlib.nullcontext():
        if plan is None:
            return quadrature_error(lambda z: layer.phi(z), kinks=layer.kinks, variance=variance)
        return float(series_tails(slope, variance, [plan.terms])[0])


@functools.singledispatch
def second_moment(layer: AbstractActivation, k: Array) -> Array:
    r"""$E[\phi(u)^2]$ for $u$ a centred Gaussian of variance k, elementwise; by `dual` where no rule is registered."""
    return dual(layer, k, k, jnp.zeros_like(k))[0]


@functools.singledispatch
def doubled_second_moment(layer: AbstractActivation, k: Doubled) -> Doubled | None:
    """`second_moment` to more than single precision; None, the default, if only its own digits are known.

    For a nonlinearity after which deep networks enlarge what rounding does to variances.
    """
    return None


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
    s11, s22 = spread(v11, v22, k)
    e, e_prime, d = _completed(layer, s11, s22, k.d)
    own = ((v11, k.low11), (v22, k.low22))
    (self1, low11), (self2, low22) = materialise(tuple(_with_digits(layer, v, low, k.sites) for v, low in own))
    return Kernel(self1, e, self2, d, e_prime * k.ntk, k.sites, False, low11=low11, low22=low22)


def _completed(layer: AbstractActivation, k11: Array, k22: Array, d: Array) -> tuple[Array, Array, Array]:
    out = dual(layer, k11, k22, d)
    if len(out) == 3:
        return out
    return (*out, defect_after(lambda *k: dual(layer, *k)[:2], k11, k22, d, smooth=has_closed_form(layer)))


def _variances_after(layer: AbstractActivation, v: Array, sites: tuple[int, ...]) -> Array:
    """Variances after the nonlinearity; between different sites if they were given so before it."""
    if not sites or v.ndim == len(sites):
        return second_moment(layer, v)
    one = Kernel(None, v, None, None, v, sites)
    s1, s2 = spread(v, v, one)
    size = round(v.size**0.5)
    same_site = jnp.eye(size, dtype=bool).reshape(v.shape)
    d = jnp.where(same_site, 0, defect_from_covariance(s1, v, s2))
    return dual(layer, s1, s2, d)[0]


def _with_digits(
    layer: AbstractActivation, v: Array, low: Array | None, sites: tuple[int, ...]
) -> tuple[Array, Array | None]:
    """Variances after the nonlinearity, and what rounding took from them where it is known."""
    plain = _variances_after(layer, v, sites)
    if v.dtype != jnp.float32 or v.ndim > len(sites):
        return plain, None
    exact = doubled_second_moment(layer, with_low(v, low))
    return (plain, None) if exact is None else (with_slope_of(plain, exact.high), finite(exact.low))


def has_closed_form(layer: AbstractActivation) -> bool:
    """Whether a rule is registered for this nonlinearity, so that no quadrature is needed."""
    return dual.dispatch(type(layer)) is not dual.dispatch(object)
