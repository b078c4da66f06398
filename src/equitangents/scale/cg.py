r"""Preconditioned conjugate gradients for $(K + \lambda_i I) x = b_i$, many right-hand sides and ridges at once.

Each column has its own coefficients, and all share the products with K, for which K is read once an iteration. The
products are in the precision of K; when a column claims to have converged its residual is computed again in float64,
and where it does not hold the iteration starts anew from there. So the residuals that are returned are those of the
solution, not of the recursion.

References:
    Saad (2003), Iterative Methods for Sparse Linear Systems, algorithm 9.1; restarts are iterative refinement, Higham
    (2002), Accuracy and Stability of Numerical Algorithms, chapter 12.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .matrix import SymmetricMatrix

Precondition = Callable[[np.ndarray, np.ndarray], np.ndarray]
Progress = Callable[[str, int, int], None]


class NotConvergedError(RuntimeError):
    """The residual that was asked for was not reached."""


class Solution(NamedTuple):
    """x (n, k) in float64; the relative residual |b - (K + ridge) x| / |b| of each column, in float64; iterations."""

    x: np.ndarray
    residuals: np.ndarray
    iterations: int


def conjugate_gradients(
    matrix: SymmetricMatrix,
    b: np.ndarray,
    ridges: np.ndarray,
    precondition: Precondition,
    *,
    tolerance: float = 1e-5,
    most: int = 300,
    start: np.ndarray | None = None,
    strict: bool = True,
    progress: Progress = lambda *_: None,
) -> Solution:
    """Solve until every relative residual is at most `tolerance`.

    Args:
        matrix: K.
        b: right-hand sides, shape (n, k).
        ridges: of each column, shape (k,), not negative.
        precondition: takes v (n, j) and the ridges of its columns to an approximation of (K + ridge)^{-1} v, linear,
            symmetric and positive definite.
        tolerance: relative residual.
        most: iterations in all.
        start: first guess, shape (n, k); zero by default.
        strict: raise where the tolerance is not reached; else warn.
        progress: called as (what, done, total), in hundredths of the digits that the worst column has to gain.

    Raises:
        NotConvergedError: with the largest residual and what to do.
        ValueError: shapes that do not fit.
    """
    if b.ndim != 2 or len(b) != matrix.n or ridges.shape != (b.shape[1],):
        raise ValueError(f"expected b ({matrix.n}, k) and k ridges, got {b.shape} and {ridges.shape}.")
    b = b.astype(np.float64)
    x = np.zeros_like(b) if start is None else start.astype(np.float64)
    size = np.linalg.norm(b, axis=0)
    scale = np.where(size > 0, size, 1)
    residual = b.copy() if start is None else _residual(matrix, b, ridges, x)
    error, spent, stuck = np.linalg.norm(residual, axis=0) / scale, 0, False
    while np.any(error > tolerance) and spent < most and not stuck:
        active = np.flatnonzero(error > tolerance)
        goal = tolerance * scale[active] / 2
        step, used = _descend(
            matrix, residual[:, active], ridges[active], precondition, goal, most - spent, _digits(progress, tolerance)
        )
        spent += used
        x[:, active] += step
        residual[:, active] = _residual(matrix, b[:, active], ridges[active], x[:, active])
        before, error = error.max(), np.linalg.norm(residual, axis=0) / scale
        stuck = error.max() > before / 2  # rounding alone is left
    if np.any(error > tolerance):
        text = (
            f"expected relative residuals of at most {tolerance:g}, got {error.max():.1e} after {spent} iterations; "
            "take a larger ridge, a preconditioner of higher rank, more iterations, or solver 'cholesky'."
        )
        if strict:
            raise NotConvergedError(text)
        warnings.warn(text, stacklevel=2)
    return Solution(x, error, spent)


def _digits(progress: Progress, tolerance: float) -> Callable[[float], None]:
    """Progress by the logarithm of how far the worst column is above the tolerance."""

    def tick(above: float) -> None:
        progress("solve", round(100 * min(1, max(0, 1 + math.log10(max(above, 1)) / math.log10(tolerance)))), 100)

    return tick


def _residual(matrix: SymmetricMatrix, b: np.ndarray, ridges: np.ndarray, x: np.ndarray) -> np.ndarray:
    return b - matrix.matvec(x) - ridges * x


def _descend(
    matrix: SymmetricMatrix,
    r: np.ndarray,
    ridges: np.ndarray,
    precondition: Precondition,
    goal: np.ndarray,
    most: int,
    tick: Callable[[float], None],
) -> tuple[np.ndarray, int]:
    """Conjugate gradients from zero, until the recursion says that each norm of the residual is below its goal."""
    x, left = np.zeros_like(r), np.arange(r.shape[1])  # columns that are still at work
    r = r.copy()
    z = precondition(r, ridges)
    p, rz = z.copy(), np.sum(r * z, axis=0)
    for done in range(1, most + 1):
        kp = matrix.matvec(p.astype(matrix.dtype)) + ridges[left] * p
        alpha = rz / np.sum(p * kp, axis=0)
        x[:, left] += alpha * p
        r -= alpha * kp
        above = np.linalg.norm(r, axis=0) / goal[left]
        tick(float(above.max()))
        open_ = above > 1
        if not open_.any():
            return x, done
        left, r, p, rz = left[open_], r[:, open_], p[:, open_], rz[open_]
        z = precondition(r, ridges[left])
        new = np.sum(r * z, axis=0)
        p, rz = z + new / rz * p, new
    return x, most
