"""Nonlinearities at infinite width: `propagate` through the open function `dual`."""

import contextlib
import functools
import math
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import AbstractActivation
from ..numerics import dual_by_quadrature, materialise, quadrature_error
from ..numerics.doubled import Doubled, finite, with_low, with_slope_of
from .kernel import Kernel, defect_from_covariance, spread, variances_of
from .nearby import defect_after
from .propagate import propagate
from .series import series_error, series_of, series_plan, untabled

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
        return series_of(layer, plan, k11, k22, d)

    def phi(z: Array) -> Array:  # a method would be hashed
        return layer.phi(z)

    e, e_prime = dual_by_quadrature(phi, k11, k22, d, kinks=layer.kinks)
    # the quadrature reads a variance of 0 as a tiny one, whose image would overflow where later layers divide by it
    vanishes = ((k11 <= 0) | (k22 <= 0)) & (layer.phi(jnp.zeros_like(e)) == 0)
    return e - lax.stop_gradient(jnp.where(vanishes, e, 0)), e_prime


def method_of(layer: AbstractActivation) -> Literal["closed form", "series", "quadrature"]:
    """How the dual of this nonlinearity is computed."""
    if has_closed_form(layer):
        return "closed form"
    return "quadrature" if series_plan(layer, True) is None else "series"


def estimated_error(layer: AbstractActivation, variance: float | int, double: bool = False) -> float:
    r"""Error of both expectations of a nonlinearity at one variance, relative to those at d = 0; 0 in closed form.

    It counts what a series leaves out and what its coefficients miss, or what doubling the nodes of a quadrature
    changes, and no rounding. Under `jit`, where the kernels cannot warn, ask here for the variances that you expect.

    Args:
        layer: the nonlinearity; its numbers must be known.
        variance: of preactivations, above 0.
        double: of kernels in float64 rather than float32; needs x64 on.

    Raises:
        ValueError: a variance that is not above 0 or not finite.
        TypeError: the nonlinearity holds arrays or traced numbers.

    >>> from equitangents import Relu, Tanh
    >>> estimated_error(Relu(), 1e6), estimated_error(Tanh(), 1e3) < 1e-5
    (0.0, True)
    """
    if not 0 < variance < math.inf:
        raise ValueError(f"expected a variance of preactivations above 0, finite; got {variance}.")
    if has_closed_form(layer):
        return 0.0
    return _estimated(layer, float(variance), double, jax.config.jax_enable_x64)  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=256)
def _estimated(layer: AbstractActivation, variance: float, double: bool, x64: bool) -> float:
    traced = isinstance(jnp.zeros(()), jax.core.Tracer)  # JAX 0.6 leaks tracers where this is asked for in vain
    with jax.ensure_compile_time_eval() if traced else contextlib.nullcontext():
        plan = series_plan(layer, double)
        if plan is None:
            return quadrature_error(lambda z: layer.phi(z), kinks=layer.kinks, variance=variance)
        # the driver traces its numbers
        return series_error(layer, untabled() if jax.tree.leaves(layer) else plan, variance, double)


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
    size = math.prod(sites)
    same_site = jnp.eye(size, v.size // size, dtype=bool).reshape(v.shape)
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
