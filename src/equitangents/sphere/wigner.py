r"""Wigner matrices $D^l = e^{-i\alpha J_z} e^{-i\beta J_y} e^{-i\gamma J_z}$, by diagonalising $J_y$.

Recursions in l lose digits; the eigenvectors of $J_y$, whose eigenvalues are the integers from -l to l, do not.
Tables are NumPy, float64, computed once. Rows and columns go from m = -l to l.
"""

import functools

import numpy as np
from numpy.typing import ArrayLike


@functools.lru_cache(maxsize=256)
def _eigenvectors(l: int) -> np.ndarray:
    """Columns: eigenvectors of J_y with eigenvalues -l, ..., l, in the basis of J_z."""
    m = np.arange(-l, l)
    raised = np.sqrt(l * (l + 1) - m * (m + 1.0))  # <m + 1| J_+ |m>
    j_y = np.diag(raised, -1) / 2j - np.diag(raised, 1) / 2j
    return np.linalg.eigh(j_y)[1]


def check_degree(name: str, l: int) -> None:
    """Raise unless `l` is an integer from 0."""
    if isinstance(l, bool) or not isinstance(l, int | np.integer):
        raise TypeError(f"expected {name} to be an integer, got {l!r} of type {type(l).__name__}; pass an int.")
    if l < 0:
        raise ValueError(f"expected {name} of at least 0, got {l}.")


def wigner_d(l: int, beta: ArrayLike) -> np.ndarray:
    r"""$d^l_{mn}(\beta) = \langle m | e^{-i\beta J_y} | n \rangle$, real.

    Args:
        l: degree, from 0.
        beta: angles in radians, any shape.

    Returns:
        Shape (*beta.shape, 2l+1, 2l+1).

    References:
        Feng, Wang, Yang and Jin (2015), arXiv:1507.04535, for the method.

    >>> wigner_d(1, 0.3)[2, 1] + np.sin(0.3) / np.sqrt(2) < 1e-15
    np.True_
    """
    check_degree("l", l)
    v = _eigenvectors(l)
    phases = np.exp(-1j * np.multiply.outer(np.asarray(beta, float), np.arange(-l, l + 1)))
    return np.real((v * phases[..., None, :]) @ v.conj().T)


def wigner_D(l: int, alpha: ArrayLike, beta: ArrayLike, gamma: ArrayLike) -> np.ndarray:
    r"""$D^l_{mn} = e^{-i m \alpha} d^l_{mn}(\beta) e^{-i n \gamma}$: complex coefficients of degree l turn by it.

    Args:
        l: degree, from 0.
        alpha, beta, gamma: Euler angles in radians, of $R = R_z(\alpha) R_y(\beta) R_z(\gamma)$; shapes that broadcast.

    Returns:
        Shape (*angles, 2l+1, 2l+1), complex unitary.
    """
    alpha, beta, gamma = np.broadcast_arrays(alpha, beta, gamma)
    m = np.arange(-l, l + 1)
    left, right = (np.exp(-1j * np.multiply.outer(angle, m)) for angle in (alpha, gamma))
    return left[..., :, None] * wigner_d(l, beta) * right[..., None, :]


def real_basis(l: int) -> np.ndarray:
    r"""The unitary C with real harmonics $R_{lm} = \sum_n C_{mn} Y_{ln}$, shape (2l+1, 2l+1).

    $R_{lm} = \sqrt2 (-1)^m \mathrm{Re}\, Y_{lm}$ for m > 0, and $\sqrt2 (-1)^m \mathrm{Im}\, Y_{l|m|}$ for m < 0. Real
    coefficients are $r = \bar C f$, complex ones $f = C^T r$.
    """
    check_degree("l", l)
    c = np.zeros((2 * l + 1, 2 * l + 1), complex)
    c[l, l] = 1
    for m in range(1, l + 1):
        sign = (-1) ** m
        c[l + m, [l + m, l - m]] = np.array([sign, 1]) / np.sqrt(2)
        c[l - m, [l + m, l - m]] = np.array([sign, -1]) / (1j * np.sqrt(2))
    return c


def wigner_real(l: int, alpha: ArrayLike, beta: ArrayLike, gamma: ArrayLike) -> np.ndarray:
    r"""$\bar C D^l C^T$, orthogonal: real coefficients of degree l turn by it. Arguments and shapes as `wigner_D`.

    For l = 1 it is the matrix of the rotation itself, with axes in the order y, z, x.
    """
    c = real_basis(l)
    return np.real(c.conj() @ wigner_D(l, alpha, beta, gamma) @ c.T)
