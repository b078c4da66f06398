r"""The end of training, $S^{-1} b$: by Cholesky where $S$ is safely positive definite, else the pseudo-inverse."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Bool, Float

from .spectrum import differentiable_once, resolution


class Inverse(NamedTuple):
    """A symmetric positive semidefinite matrix beside what is needed to solve with it.

    `largest` is about the largest eigenvalue, from below; `factor` is the lower Cholesky factor where `definite`, else
    it holds eigenvectors, and `values` the eigenvalues. None carries derivatives; those of `matrix` are used.
    """

    matrix: Float[Array, "n n"]
    largest: Float[Array, ""]
    definite: Bool[Array, ""]
    factor: Float[Array, "n n"]
    values: Float[Array, " n"]


@jax.jit
def invert(matrix: Float[Array, "n n"]) -> Inverse:
    """Factorise. The eigendecomposition, ten times dearer, is only computed where Cholesky is not trusted.

    It is not where a pivot, which no eigenvalue need exceed, is below n eps times the largest eigenvalue: one
    that is n times smaller than the pivot may be there, and count as zero in `learned`.
    """
    fixed = lax.stop_gradient(matrix)
    lower = lax.linalg.cholesky(fixed, symmetrize_input=False)
    pivot = jnp.min(jnp.diagonal(lower)) ** 2  # nan where the factorisation failed
    largest = _largest(fixed)
    definite = pivot > matrix.shape[0] * float(jnp.finfo(matrix.dtype).eps) * largest

    def spectral(_: Array, fixed: Array) -> tuple[Array, Array]:
        values, vectors = jnp.linalg.eigh(fixed)
        return vectors, values

    def kept(lower: Array, _: Array) -> tuple[Array, Array]:
        return lower, jnp.ones_like(lower[0])

    # operands, no closures: JAX 0.6 leaks these when it evaluates at compile time
    factor, values = lax.cond(definite, kept, spectral, lower, fixed)
    return Inverse(matrix, largest, definite, factor, values)


@jax.custom_jvp
@jax.jit
def settled(inverse: Inverse, b: Float[Array, "n m"]) -> Float[Array, "n m"]:
    r"""$S^+ b$, with first derivatives in `inverse.matrix` (of constant rank), and derivatives of every order in b.

    $\dot S^+ = -S^+ \dot S S^+ + S^+ S^+ \dot S (1 - S S^+) + (1 - S^+ S) \dot S S^+ S^+$: Golub and Pereyra (1973),
    theorem 4.3.

    Raises:
        NotImplementedError: for second derivatives with respect to `inverse.matrix`.
    """

    def by_cholesky() -> Array:
        half = lax.linalg.triangular_solve(inverse.factor, b, left_side=True, lower=True)
        return lax.linalg.triangular_solve(inverse.factor, half, left_side=True, lower=True, transpose_a=True)

    def by_eigenvectors() -> Array:
        s, v = inverse.values, inverse.factor
        zero = s <= resolution(s)
        return v @ (jnp.where(zero, 0, 1 / jnp.where(zero, 1, s))[:, None] * (v.T @ b))

    return lax.cond(inverse.definite, by_cholesky, by_eigenvectors)


@settled.defjvp
def _(primals, tangents):
    inverse, b = primals
    inverse_dot, b_dot = tangents
    inverse = differentiable_once(inverse)  # reverse mode would take the factor for a constant
    s, s_dot = inverse.matrix, inverse_dot.matrix
    out = settled(inverse, b)

    def null_part(v: Array) -> Array:
        return jnp.where(inverse.definite, 0, v - settled(inverse, s @ v))

    outside = jnp.where(inverse.definite, 0, b - s @ out)
    turned = settled(inverse, settled(inverse, s_dot @ outside)) + null_part(s_dot @ settled(inverse, out))
    return out, settled(inverse, b_dot - s_dot @ out) + turned


def _largest(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    """A few steps of the power method."""
    v = jr.normal(jr.key(0), (matrix.shape[0],), matrix.dtype)
    for _ in range(4):
        v = matrix @ (v / jnp.maximum(jnp.linalg.norm(v), jnp.finfo(v.dtype).tiny))
    return jnp.linalg.norm(v)
