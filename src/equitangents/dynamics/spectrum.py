r"""Functions of a training kernel, $w(S) b$, by one eigendecomposition, with derivatives where it is degenerate."""

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .clocks import AbstractClock

T = TypeVar("T")


class Spectrum(NamedTuple):
    r"""A symmetric positive semidefinite matrix $S = V \,\mathrm{diag}(s)\, V^T$ beside its eigendecomposition.

    The eigendecomposition must not carry derivatives of its own; those of `matrix` are used.
    """

    matrix: Float[Array, "n n"]
    values: Float[Array, " n"]
    vectors: Float[Array, "n n"]


@jax.custom_jvp
@jax.jit
def learned(clock: AbstractClock, s: Spectrum, b: Float[Array, "n m"]) -> Float[Array, "n m"]:
    r"""$w(S) b$ with $w(s) = (1 - p(s)) / s$: what training on residuals b, shape (n, m), has put on each example.

    Eigenvalues below `resolution` cannot be told from zero. While time max(s) < eps**-1/2 this does no harm, since
    w(s) = time along them; later rounding would drown the rest, and w = 0: the pseudo-inverse at infinite time.

    First derivatives with respect to the clock, `s.matrix` and `b` exist for repeated and for zero eigenvalues (of a
    rank that does not change), by divided differences of w: Daleckii and Krein (1965).

    Raises:
        NotImplementedError: for second derivatives with respect to `s.matrix`.
    """
    gains, _ = _gains(clock, s.values)
    return s.vectors @ (gains[:, None] * (s.vectors.T @ b))


@learned.defjvp
@jax.jit
def _(primals, tangents):
    clock, s, b = primals
    clock_dot, s_dot, b_dot = tangents
    _, values, v = differentiable_once(s)
    (gains, zero), (gains_dot, _) = jax.jvp(lambda c: _gains(c, values), (clock,), (clock_dot,))
    weight = _divided_differences(clock, values, gains, zero)
    c = v.T @ b
    out = v @ (gains[:, None] * c)
    out_dot = gains_dot[:, None] * c + gains[:, None] * (v.T @ b_dot) + (weight * (v.T @ s_dot.matrix @ v)) @ c
    return out, v @ out_dot


def _gains(clock: AbstractClock, s: Float[Array, " n"]) -> tuple[Float[Array, " n"], Array]:
    """w(s), and which eigenvalues count as zero by now."""
    zero = is_late(clock, jnp.max(s)) & (s <= resolution(s))
    return jnp.where(zero, 0, clock.gain(s)), zero


def resolution(s: Float[Array | np.ndarray, " n"]) -> Float[Array, ""] | np.floating:
    r"""Computed eigenvalues up to this cannot be told from zero: $\epsilon (10 \max s + 4 \sqrt n\,\bar s)$.

    Of JAX or of NumPy, as s is; $\epsilon$ is that of its precision.

    Measured in float32 for kernels of ReLU and erf, 250 to 2000 inputs in 1 to 500 dimensions: routines for symmetric
    matrices leave errors of 0.2 to 4 eps max s, at any n, and rounding of the kernel itself up to 6.6, where eight
    layers of erf act on one dimension. The second term is for entries that are rounded independently, each of the size
    of the mean eigenvalue: a matrix of such errors has the spectral norm $2 \sqrt n$ times their size.
    """
    eps = float(jnp.finfo(s.dtype).eps)
    return eps * (10 * s.max() + 4 * s.size**0.5 * s.mean())


def is_late(clock: AbstractClock, largest: Float[Array, ""]) -> Array:
    """Whether rounding along eigenvalues that cannot be told from zero would drown the rest."""
    return jnp.isinf(clock.time()) | (clock.time() * largest * float(jnp.finfo(largest.dtype).eps) ** 0.5 >= 1)


def _divided_differences(clock: AbstractClock, s: Array, gains: Array, zero: Array) -> Float[Array, "n n"]:
    """(w(a) - w(b)) / (a - b) for all pairs of eigenvalues, dw/ds on the diagonal.

    With p[a, b] the divided difference of p, w[a, b] = -(w(a) + p[a, b]) / b; b is the larger, so little cancels until
    time b is small, where the series takes over.
    """
    eps = float(jnp.finfo(s.dtype).eps)
    time = clock.time()
    first, second = s[:, None], s[None, :]
    a, b = jnp.minimum(first, second), jnp.maximum(first, second)
    gain_a = jnp.where(first <= second, gains[:, None], gains[None, :])

    p = clock.remaining(s)
    apart = time * (b - a) >= eps ** (1 / 3)
    quotient = (p[:, None] - p[None, :]) / jnp.where(apart, first - second, 1)
    slope = jnp.where(apart, quotient, clock.slope((a + b) / 2))
    closed = -(gain_a + slope) / jnp.where(b > 0, b, 1)

    early = time * b < eps ** (1 / 5)
    c, d = clock.moments()
    differences = jnp.where(early, d * (a + b) - c, closed)
    one_zero = (gains[:, None] + gains[None, :]) / jnp.where(b > 0, b, 1)
    both, either = zero[:, None] & zero[None, :], zero[:, None] | zero[None, :]
    return jnp.where(both, 0, jnp.where(either, one_zero, differences))


@jax.custom_jvp
def differentiable_once(factorised: T) -> T:
    """The same, for use inside a rule of derivatives: deriving that rule again raises."""
    return factorised


@differentiable_once.defjvp
def _(primals, tangents):
    raise NotImplementedError(
        "second derivatives with respect to the training kernel or the ridge have no rule; first derivatives do: "
        "difference them."
    )
