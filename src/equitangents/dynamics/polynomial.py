r"""$w(S) b$ without a decomposition: $w$ as a Chebyshev series on $[0, \lambda_{\max}]$, S used in products alone.

Early in training $w$ is smooth on the spectrum and few terms are enough:
about $\sqrt{t \lambda_{\max} \log(1/\epsilon)}$.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from .clocks import AbstractClock

NODES = 256


def coefficients(clock: AbstractClock, bound: float, dtype: np.dtype, most: int) -> np.ndarray | None:
    """Chebyshev coefficients of the gain on [0, bound], or None where `most` of them do not give all digits.

    They come from interpolation in `NODES` points. The series is cut where all that is left out adds to less than the
    rounding of its largest value; their number is rounded up to a multiple of four, so that few programs are compiled.
    """
    odd = 2 * np.arange(NODES) + 1
    # the integer part of the angles is reduced first, as the rounding of large angles would hide small coefficients
    cosines = np.cos(np.pi / (2 * NODES) * (np.outer(np.arange(NODES), odd) % (4 * NODES)))
    gains = np.asarray(clock.gain(jnp.asarray(bound / 2 * (1 + cosines[1]), dtype)), np.float64)
    if not np.isfinite(gains).all():
        return None
    c = 2 / NODES * cosines @ gains
    c[0] /= 2
    # the gains are rounded, which leaves about eps / sqrt(NODES) in each coefficient; beyond `most` there is no more
    left_out = np.cumsum(np.abs(c[::-1]))[::-1]
    noise = 4 * np.finfo(dtype).eps * np.abs(gains).max() * np.sqrt(NODES)
    kept = int(np.argmax(left_out < noise)) if (left_out < noise).any() else NODES
    kept = 4 * -(-max(kept, 1) // 4)
    return c[:kept] if kept <= most else None


@jax.jit
def _series(c: Array, matrix: Array, scale: Array, b: Array) -> Array:
    """sum of c_k T_k(scale matrix - 1) b by the three-term recursion; the argument has its spectrum in [-1, 1]."""

    def shifted(v: Array) -> Array:
        return scale * (matrix @ v) - v

    def step(state, c_k):
        before, now, total = state
        after = 2 * shifted(now) - before
        return (now, after, total + c_k * after), None

    first = shifted(b)
    (_, _, total), _ = lax.scan(step, (b, first, c[0] * b + c[1] * first), c[2:])
    return total


def apply_series(c: np.ndarray, matrix: Float[Array, "n n"], bound: float, b: Float[Array, "n m"]) -> Array:
    """The series in `matrix`, whose eigenvalues lie in [0, bound], times b."""
    return _series(jnp.asarray(c, matrix.dtype), matrix, jnp.asarray(2 / bound, matrix.dtype), b)


@jax.jit
def _row_sum(matrix: Array) -> Array:
    return jnp.max(jnp.sum(jnp.abs(matrix), axis=1))


def row_bound(matrix: Array) -> float:
    """An upper bound of the largest eigenvalue: the largest sum of sizes along a row (Gershgorin)."""
    return float(_row_sum(matrix))
