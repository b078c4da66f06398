r"""Real spherical harmonics and their transform on a Gauss-Legendre x equiangular grid.

$R_{lm}(\beta, \alpha) = \sqrt{(2l+1)/4\pi}\; d^l_{|m|0}(\beta) (-1)^m \times \{1, \sqrt2 \cos m\alpha, \sqrt2 \sin
|m|\alpha\}$ for m = 0, m > 0, m < 0; orthonormal. Coefficients stand in one axis at l^2 + l + m, so that a lower band
limit is a prefix.
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike

from .wigner import check_degree, real_basis, wigner_d


def band_limit(coefficients: int) -> int:
    """lmax of (lmax + 1)^2 coefficients.

    Raises:
        ValueError: the number is no square.

    >>> band_limit(25)
    4
    """
    lmax = math.isqrt(coefficients) - 1
    if coefficients < 1 or (lmax + 1) ** 2 != coefficients:
        raise ValueError(
            f"expected (lmax + 1)^2 coefficients of a signal on the sphere, got {coefficients}; give every degree "
            "from 0 to lmax, with zeros where there is nothing."
        )
    return lmax


def spherical_grid(lmax: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """beta (lmax + 1,), alpha (2 lmax + 2,) and weights (lmax + 1,) of the grid for band limit lmax.

    A sum over the grid, weight times value, is the integral over the sphere, 4 pi for the constant 1; exact for
    harmonics up to degree 2 lmax + 1.
    """
    check_degree("lmax", lmax)
    x, w = np.polynomial.legendre.leggauss(lmax + 1)
    n = 2 * lmax + 2
    return np.arccos(x[::-1]), 2 * np.pi * np.arange(n) / n, 2 * np.pi / n * w[::-1]


@functools.lru_cache(maxsize=64)
def _tables(lmax: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the grid: meridians (lmax+1, 2 lmax+1, beta), circles (2 lmax+1, alpha), and the weights."""
    beta, alpha, weights = spherical_grid(lmax)
    meridians = np.zeros((lmax + 1, 2 * lmax + 1, len(beta)))
    for l in range(lmax + 1):
        column = wigner_d(l, beta)[:, :, l]
        for m in range(-l, l + 1):
            meridians[l, lmax + m] = math.sqrt((2 * l + 1) / (4 * math.pi)) * (-1) ** m * column[:, l + abs(m)]
    return meridians, _circles(lmax, alpha), weights


def _circles(lmax: int, alpha: np.ndarray) -> np.ndarray:
    """1, sqrt2 cos(m alpha) for m > 0, sqrt2 sin(|m| alpha) for m < 0; shape (2 lmax + 1, alpha)."""
    m = np.arange(1, lmax + 1)[:, None]
    sine, cosine = math.sqrt(2) * np.sin(m * alpha), math.sqrt(2) * np.cos(m * alpha)
    return np.concatenate([sine[::-1], np.ones((1, len(alpha))), cosine])


@functools.lru_cache(maxsize=64)
def _places(lmax: int) -> np.ndarray:
    """Place of (l, m), in order, in the flattened array (lmax + 1, 2 lmax + 1)."""
    return np.concatenate([l * (2 * lmax + 1) + lmax + np.arange(-l, l + 1) for l in range(lmax + 1)])


def synthesis(f: Array) -> Array:
    """Values (..., beta, alpha) on `spherical_grid(lmax)` of signals with real coefficients (..., (lmax + 1)^2)."""
    lmax = band_limit(f.shape[-1])
    meridians, circles, _ = (jnp.asarray(table, f.dtype) for table in _tables(lmax))
    spread = jnp.zeros((*f.shape[:-1], (lmax + 1) * (2 * lmax + 1)), f.dtype).at[..., _places(lmax)].set(f)
    spread = spread.reshape(*f.shape[:-1], lmax + 1, 2 * lmax + 1)
    return jnp.einsum("...lm,lmb,ma->...ba", spread, meridians, circles)


def analysis(values: Array) -> Array:
    """Real coefficients (..., (lmax + 1)^2) of values (..., lmax + 1, 2 lmax + 2) on `spherical_grid(lmax)`.

    Exact for signals of this band limit, of which it is the inverse of `synthesis`.

    Raises:
        ValueError: shapes that are no such grid.
    """
    lmax = values.shape[-2] - 1 if values.ndim >= 2 else -1
    if lmax < 0 or values.shape[-1] != 2 * lmax + 2:
        raise ValueError(
            f"expected values (..., lmax + 1, 2 lmax + 2) on spherical_grid(lmax), got shape {values.shape}."
        )
    meridians, circles, weights = (jnp.asarray(table, values.dtype) for table in _tables(lmax))
    spread = jnp.einsum("...ba,b,lmb,ma->...lm", values, weights, meridians, circles)
    return spread.reshape(*values.shape[:-2], -1)[..., _places(lmax)]


def to_complex(f: ArrayLike) -> np.ndarray:
    """Coefficients of complex harmonics from those of real ones, shape (..., (lmax + 1)^2)."""
    return _by_degree(f, lambda l: real_basis(l).T)


def to_real(f: ArrayLike) -> np.ndarray:
    """The inverse of `to_complex`; coefficients of a real signal become real.

    Raises:
        ValueError: the signal is not real, $f_{l,-m} \\ne (-1)^m \\bar f_{lm}$.
    """
    r = _by_degree(f, lambda l: real_basis(l).conj())
    if np.abs(r.imag).max(initial=0) > 1e-6 * np.abs(r).max(initial=0):
        raise ValueError("expected coefficients of a real signal, f_{l,-m} = (-1)^m conj(f_lm); take real part first.")
    return r.real


def _by_degree(f: ArrayLike, matrix) -> np.ndarray:
    f = np.asarray(f)
    blocks = [
        np.einsum("mn,...n->...m", matrix(l), f[..., l * l : (l + 1) ** 2]) for l in range(band_limit(f.shape[-1]) + 1)
    ]
    return np.concatenate(blocks, axis=-1)
