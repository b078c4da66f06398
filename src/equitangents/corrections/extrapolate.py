r"""From values at several widths to their limit: $t(n) = t + t_1/n + t_2/n^2$, by weighted least squares."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Extrapolated(NamedTuple):
    """A fit at 1/width = 0.

    Attributes:
        value: the intercept.
        error: its standard error, from those of the values.
        chi2: sum of squared deviations from the fit in standard errors; expect about `freedom`.
        freedom: number of widths less that of coefficients.
    """

    value: np.ndarray
    error: np.ndarray
    chi2: np.ndarray
    freedom: int


def extrapolate(widths: Sequence[int], values: ArrayLike, errors: ArrayLike, degree: int = 1) -> Extrapolated:
    """Weighted fit of a polynomial in 1/width, for each component on its own.

    Args:
        widths: different ones, more than `degree`.
        values, errors: shape (widths, ...), errors positive; components without error (0) are taken as exact zeros if
            their values vanish too.
        degree: 1 or 2, of the polynomial.

    Raises:
        ValueError: too few widths, errors that are not positive.

    >>> fit = extrapolate([10, 20, 40], [1.2, 1.1, 1.05], [0.01, 0.01, 0.01])
    >>> round(float(fit.value), 6), fit.freedom
    (1.0, 1)
    """
    x = 1 / np.asarray(widths, float)
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    if len(set(widths)) <= degree or degree < 0:
        raise ValueError(f"expected more than {degree} different widths for a fit of degree {degree}, got {widths}.")
    if values.shape != errors.shape or values.shape[0] != len(x):
        raise ValueError(f"expected values and errors of shape ({len(x)}, ...), got {values.shape} and {errors.shape}.")
    if not np.all((errors > 0) | ((errors == 0) & (values == 0))):
        raise ValueError("expected positive standard errors; those of exact values cannot be weighted.")
    shape = values.shape[1:]
    flat, spread = values.reshape(len(x), -1), errors.reshape(len(x), -1)
    spread = np.where(spread > 0, spread, 1.0)
    design = x[:, None] ** np.arange(degree + 1)
    rows = design[None] / spread.T[:, :, None]  # (components, widths, coefficients)
    inverse = np.linalg.pinv(rows)
    found = np.einsum("ckw,cw->ck", inverse, (flat / spread).T)
    rest = (flat / spread).T - np.einsum("cwk,ck->cw", rows, found)
    error = np.where(np.any(errors.reshape(len(x), -1) > 0, 0), np.linalg.norm(inverse[:, 0], axis=-1), 0.0)
    value, chi2 = found[:, 0], (rest**2).sum(-1)
    return Extrapolated(value.reshape(shape), error.reshape(shape), chi2.reshape(shape), len(x) - degree - 1)
