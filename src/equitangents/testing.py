"""Assertions for those who write their own layers and kernels; each failure says what was measured."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from .groups import Action
from .symmetry.metrics import errors_over_group


def assert_equivariant(
    function: Callable[[Array], Any], x: ArrayLike, action_in: Action, action_out: Action, *, tolerance: float | int
) -> None:
    r"""Fail unless $|f(\rho_{in}(g) x) - \rho_{out}(g) f(x)|$ is at most `tolerance` for all g, examples and entries.

    Args:
        function: takes a batch (n, *example) to (n, *output); `jax.vmap` makes it from one for single examples.
        x: shape (n, *example); random numbers are best, as symmetric inputs hide errors.
        action_in, action_out: of one group; `trivial_action` on the output asks for invariance.
        tolerance: largest absolute error allowed; 0 asks for equality.

    Raises:
        AssertionError: with the worst element, its error and the size of the output.
        ValueError: shapes or groups that do not fit, or a tolerance that is no number from 0.

    >>> from equitangents.groups import cyclic, permutation_action, trivial_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> assert_equivariant(lambda x: x**2, jnp.array([[1.0, 3.0]]), swap, swap, tolerance=0)
    >>> assert_equivariant(lambda x: x, jnp.array([[1.0, 3.0]]), swap, trivial_action(cyclic(2)), tolerance=1e-6)
    Traceback (most recent call last):
    ...
    AssertionError: not equivariant: error 2 at element 1 (r), tolerance 1e-06, largest output 3.
    """
    _check_tolerance(tolerance)
    errors = np.asarray(errors_over_group(function, x, action_in, action_out))
    worst = int(np.argmax(errors))  # the first NaN, where there is one
    if not errors[worst] <= tolerance:
        largest = float(jnp.max(jnp.abs(function(jnp.asarray(x)))))
        raise AssertionError(
            f"not equivariant: error {errors[worst]:.3g} at element {worst} ({action_in.group.labels[worst]}), "
            f"tolerance {tolerance:g}, largest output {largest:.3g}."
        )


def assert_matches_monte_carlo(draws: ArrayLike | tuple[Any, ...], expected: ArrayLike, z: float | int = 5) -> None:
    """Fail unless the mean of random draws is within z of its standard errors of `expected`, in every entry.

    Args:
        draws: independent draws, shape (draws, *shape) with at least two; or a pair (mean, standard error) of shape
            `shape` each. A tuple is always such a pair.
        expected: shape `shape`.
        z: how many standard errors are allowed; at 5 a right value fails once in 1.7 million entries.

    Raises:
        AssertionError: with the worst entry, its mean, its standard error and the value expected. An entry without any
            scatter must be right to rounding.
        ValueError: shapes that do not fit, fewer than two draws, or z that is not above 0.

    >>> assert_matches_monte_carlo(jnp.array([0.9, 1.1, 1.0, 0.8]), 1.0)
    >>> assert_matches_monte_carlo((0.95, 0.01), 1.2)
    Traceback (most recent call last):
    ...
    AssertionError: expected 1.2, measured 0.95 +- 0.01: off by 25 standard errors, 5 allowed.
    """
    mean, error = _mean_and_error(draws)
    expected = np.asarray(expected)
    if not (mean.shape == error.shape == expected.shape) or not mean.size:
        raise ValueError(
            f"expected mean, standard error and expected value of one shape, not empty; got {mean.shape}, "
            f"{error.shape} and {expected.shape}; draws come along the first axis."
        )
    if not z > 0:
        raise ValueError(f"expected z above 0 standard errors; got {z}.")
    rounding = 16 * np.finfo(mean.dtype).eps * np.abs(expected)
    off = np.abs(mean - expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.where(off <= rounding, 0.0, off / error)
    worst = np.unravel_index(int(np.argmax(scores)), scores.shape)  # the first NaN, where there is one
    if not scores[worst] <= z:
        at = f" at {tuple(map(int, worst))} of {mean.shape}" if worst else ""
        raise AssertionError(
            f"expected {expected[worst]:.6g}, measured {mean[worst]:.6g} +- {error[worst]:.2g}{at}: "
            f"off by {scores[worst]:.3g} standard errors, {z:g} allowed."
        )


def assert_positive_semidefinite(matrix: ArrayLike, tolerance: float | int | None = None) -> None:
    """Fail unless a matrix is Hermitian and has no eigenvalue below 0, up to rounding.

    Args:
        matrix: shape (..., n, n), real or complex.
        tolerance: allowed size of negative eigenvalues and of differences from the conjugate transpose, relative to
            the largest eigenvalue of the matrix by size; n eps of its precision by default.

    Raises:
        AssertionError: with the asymmetry, or the smallest eigenvalue and the largest.
        ValueError: the matrix is not square or empty, or the tolerance is no number from 0.

    >>> assert_positive_semidefinite(jnp.ones((2, 2)))
    >>> assert_positive_semidefinite(jnp.array([[1.0, 2.0], [2.0, 1.0]]), tolerance=1e-6)
    Traceback (most recent call last):
    ...
    AssertionError: not positive semidefinite: smallest eigenvalue -1, largest 3; tolerance 1e-06 of the largest.
    """
    matrix = np.asarray(matrix)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or not matrix.size:
        raise ValueError(f"expected a matrix (n, n), or several (..., n, n), n > 0; got shape {matrix.shape}.")
    if matrix.dtype.kind not in "fc":
        matrix = matrix.astype(float)
    if tolerance is None:
        tolerance = float(matrix.shape[-1] * np.finfo(matrix.dtype).eps)
    _check_tolerance(tolerance)
    if not np.isfinite(matrix).all():
        raise AssertionError(f"not positive semidefinite: {(~np.isfinite(matrix)).sum()} entries are not finite.")
    adjoint = matrix.conj().swapaxes(-1, -2)
    asymmetry = np.abs(matrix - adjoint).max((-1, -2))
    values = np.linalg.eigvalsh((matrix + adjoint) / 2)
    allowed = tolerance * np.abs(values).max(-1)
    if (asymmetry > allowed).any():
        raise AssertionError(
            f"not Hermitian: entries differ from the conjugate transpose by up to {asymmetry.max():.3g}; "
            f"tolerance {tolerance:.2g} of the largest eigenvalue, {np.abs(values).max():.3g}."
        )
    if (values[..., 0] < -allowed).any():
        worst = values[np.unravel_index(int(np.argmin(values[..., 0] + allowed)), values.shape[:-1])]
        raise AssertionError(
            f"not positive semidefinite: smallest eigenvalue {worst[0]:.3g}, largest {worst[-1]:.3g}; "
            f"tolerance {tolerance:.2g} of the largest."
        )


def _mean_and_error(draws: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(draws, tuple):
        if len(draws) != 2:
            raise ValueError(f"expected a pair (mean, standard error), or an array of draws; got {len(draws)} entries.")
        mean, error = (np.asarray(part, float) for part in draws)
        if (error < 0).any():
            raise ValueError(f"expected standard errors from 0; got {error.min():g}.")
        return mean, error
    draws = np.asarray(draws)
    if draws.ndim == 0 or len(draws) < 2:
        raise ValueError(f"expected at least two draws along the first axis; got shape {draws.shape}.")
    draws = draws.astype(float)  # sums of many float32 lose digits
    return np.asarray(draws.mean(0)), np.asarray(draws.std(0, ddof=1) / math.sqrt(len(draws)))


def _check_tolerance(tolerance: float | int) -> None:
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"expected a tolerance from 0, finite; got {tolerance}.")
