"""Lie algebras of U(N) and SU(N): antihermitian matrices, for SU(N) without trace."""

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Complex, Float, PRNGKeyArray

from .links import dagger, is_special

Matrices = Complex[Array, "*shape n n"]


def algebra_part(m: Matrices, group: str) -> Matrices:
    r"""The orthogonal projection onto the Lie algebra, $(M - M^\dagger)/2$, for SU(N) less its trace over N."""
    part = (m - dagger(m)) / 2
    if not is_special(group):
        return part
    n = m.shape[-1]
    trace = jnp.trace(part, axis1=-2, axis2=-1)[..., None, None]
    return part - trace * jnp.eye(n, dtype=m.dtype).reshape(*(1,) * (m.ndim - 2), n, n) / n


def scaled(number: float | Float[Array, "*shape"], m: Complex[Array, "..."]) -> Complex[Array, "..."]:
    """The product of real numbers and matrices (or entries), in the precision of the latter."""
    return jnp.asarray(number, m.dtype) * m


def random_algebra(key: PRNGKeyArray, group: str, shape: tuple[int, ...], dtype: jnp.dtype) -> Matrices:
    r"""Elements with the density $e^{-\operatorname{tr} P^\dagger P / 2}$, of a shape that ends with N, N."""
    return 2**0.5 * algebra_part(jr.normal(key, shape, dtype), group)


def exponential(p: Matrices) -> Matrices:
    """exp of antihermitian matrices, unitary to rounding, by their eigenvectors: not for gradients."""
    theta, v = jnp.linalg.eigh(-1j * p)
    phases = jax.lax.complex(jnp.cos(theta), jnp.sin(theta))
    return (v * phases[..., None, :]) @ dagger(v)


def series_exponential(p: Matrices) -> Matrices:
    r"""exp of matrices up to a norm of about 50, with all derivatives: $(e^{P / 64})^{64}$ by a Taylor series.

    `exponential` is more accurate, and has no derivatives where eigenvalues coincide; `jax.scipy.linalg.expm` misses
    1e-9 of complex matrices of norm 7 in double precision.
    """
    x, one = p / 64, jnp.broadcast_to(jnp.eye(p.shape[-1], dtype=p.dtype), p.shape)
    total = one
    for order in range(12, 0, -1):
        total = one + x @ total / order
    for _ in range(6):
        total = total @ total
    return total


def reunitarise(u: Matrices, group: str) -> Matrices:
    r"""Removes what rounding added, $U (3 - U^\dagger U) / 2$, and for SU(N) the phase of the determinant."""
    n = u.shape[-1]
    u = 1.5 * u - u @ (dagger(u) @ u) / 2
    if not is_special(group):
        return u
    phase = jnp.angle(jnp.linalg.det(u))[..., None, None] / n
    return u * jax.lax.complex(jnp.cos(phase), -jnp.sin(phase))
