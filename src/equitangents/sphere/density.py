r"""Molecules as signals on a sphere around each atom.

$s_i(x) = \sum_{j \in z} Z_i Z_j r_{ij}^{-p} \exp(-(x \cdot \hat r_{ij} - 1)^2 / \beta)$: a channel for each element z
and power p.
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .harmonics import real_harmonics
from .wigner import check_degree

BETA = -((math.cos(math.pi / 4) - 1) ** 2) / math.log(0.05)
"""The bump has fallen to 0.05 at 45 degrees."""


def spherical_densities(
    positions: Array,
    charges: Array,
    lmax: int,
    elements: tuple[int, ...] = (1, 6, 7, 8, 9),
    powers: tuple[float, ...] = (2, 6),
    beta: float = BETA,
) -> Array:
    r"""Coefficients of the density that each atom sees; they turn with the molecule, and do not see where it is.

    A bump $h(x \cdot \hat r)$ has the coefficients $h_l R_{lm}(\hat r)$ with $h_l = 2\pi \int_{-1}^1 h(t) P_l(t)\, dt$
    (Funk and Hecke), so no grid on the sphere is needed.

    Args:
        positions: (atoms, 3), in any unit of length.
        charges: (atoms,), atomic numbers; atoms of charge 0 fill up small molecules and are not seen.
        lmax: band limit; at 6 about a tenth of the density's norm is left out, at 10 2 %, at 20 2e-4.
        elements: atomic numbers that have channels.
        powers: of the inverse distance.
        beta: width of the bumps.

    Returns:
        (atoms, (lmax + 1)^2, elements * powers), elements slowest.

    Raises:
        ValueError: shapes that do not fit, or a width that is not positive.

    References:
        The features of Misof, Kessel and Gerken (2024), arXiv:2406.06504, section 5, for QM9.

    >>> water = jnp.array([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.8, -0.5]])
    >>> spherical_densities(water, jnp.array([8, 1, 1]), 4).shape
    (3, 25, 10)
    """
    check_degree("lmax", lmax)
    if positions.ndim != 2 or positions.shape[1] != 3 or charges.shape != positions.shape[:1]:
        raise ValueError(
            f"expected positions (atoms, 3) and charges (atoms,), got {positions.shape} and {charges.shape}; use "
            "jax.vmap for many molecules."
        )
    if not beta > 0:
        raise ValueError(f"expected beta > 0, got {beta}.")
    dtype = positions.dtype
    z = charges.astype(dtype)
    apart = positions[None] - positions[:, None]  # from i to j
    seen = (z[:, None] > 0) & (z[None] > 0) & ~np.eye(len(positions), dtype=bool)
    r = jnp.sqrt(jnp.where(seen, jnp.sum(apart**2, axis=-1), 1.0))
    bumps = real_harmonics(lmax, apart / r[..., None])
    bumps = bumps * jnp.asarray(_zonal(lmax, float(beta)), dtype)[None, None, :]
    sizes = [jnp.where(seen, z[:, None] * z[None] * r**-p, 0) for p in powers]
    kinds = (z[:, None] == jnp.asarray(elements, dtype)[None, :]).astype(dtype)
    out = jnp.einsum("pij,jz,ijk->ikzp", jnp.stack(sizes), kinds, bumps)
    return out.reshape(len(positions), (lmax + 1) ** 2, -1)


@functools.lru_cache(maxsize=64)
def _zonal(lmax: int, beta: float) -> np.ndarray:
    """h_l at each coefficient (l, m); Gauss-Legendre with nodes enough for bumps far narrower than usual."""
    t, w = np.polynomial.legendre.leggauss(256 + lmax)
    h = w * np.exp(-((t - 1) ** 2) / beta)
    legendre = np.polynomial.legendre.legvander(t, lmax)
    return np.repeat(2 * np.pi * (h @ legendre), 2 * np.arange(lmax + 1) + 1)
