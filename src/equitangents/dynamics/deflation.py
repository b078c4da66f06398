r"""$S = Q \Lambda Q^T + R$: the few large eigenvalues of a kernel apart, and how large the rest is.

The largest eigenvalue of a kernel belongs to an almost constant function and may be hundreds of times the next. A
polynomial in R has to be right on a spectrum that is that much shorter.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float

BLOCK = 16  # vectors that are iterated
STEPS = {4: 4, 8: 8}  # products with S before the Ritz values are taken, by the bytes of a number
GROWTH, TRIES = 1.5, 3  # of the bound of the rest, until it is certain


class Deflated(NamedTuple):
    """Attributes:
    values: shape (r,), the largest eigenvalues, to rounding.
    vectors: shape (n, r).
    rest: R, shape (n, n).
    bound: no eigenvalue of R is above it; certain, as the Cholesky factor of bound - R exists.
    """

    values: Float[Array, " r"]
    vectors: Float[Array, "n r"]
    rest: Float[Array, "n n"]
    bound: float


def deflate(matrix: Float[Array, "n n"]) -> Deflated | None:
    """Take the leading eigenvectors that a few products with S find to all digits; None where there are none.

    Args:
        matrix: symmetric, positive semidefinite; numbers that can be looked at.

    References:
        Halko, Martinsson and Tropp (2011), SIAM Review 53, algorithms 4.4 and 5.3.
    """
    values, vectors, errors = _ritz(matrix)
    rounding = len(matrix) ** 0.5 * float(jnp.finfo(matrix.dtype).eps) * values[0]
    accurate = errors <= rounding
    count = int(jnp.argmin(accurate)) if not bool(accurate.all()) else BLOCK - 1
    if not count:
        return None
    values, vectors, after = values[:count], vectors[:, :count], values[count] + errors[count] + rounding
    rest = _rest(matrix, values, vectors)
    for power in range(1, TRIES + 1):
        bound = GROWTH**power * after
        if bool(_is_above(bound, rest)):
            return Deflated(values, vectors, rest, float(bound))
    return None


@jax.jit
def _ritz(matrix: Array) -> tuple[Array, Array, Array]:
    """Ritz values, largest first, Ritz vectors, and how far each pair is from one: the norm of S u - s u."""
    block = jr.normal(jr.key(0), (len(matrix), BLOCK), matrix.dtype)
    for _ in range(STEPS[matrix.dtype.itemsize]):
        block = matrix @ jnp.linalg.qr(block)[0]
    basis = jnp.linalg.qr(block)[0]
    image = matrix @ basis
    values, turn = jnp.linalg.eigh(basis.T @ image)
    values, turn = values[::-1], turn[:, ::-1]
    vectors = basis @ turn
    return values, vectors, jnp.linalg.norm(image @ turn - vectors * values[None, :], axis=0)


@jax.jit
def _rest(matrix: Array, values: Array, vectors: Array) -> Array:
    return matrix - (vectors * values[None, :]) @ vectors.T


@jax.jit
def _is_above(bound: Array, matrix: Array) -> Array:
    """Whether bound - matrix is positive definite."""
    shifted = jnp.diag(jnp.full(len(matrix), bound)) - matrix
    return jnp.isfinite(lax.linalg.cholesky(shifted, symmetrize_input=False)[-1, -1])
