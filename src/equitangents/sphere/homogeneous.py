r"""Covariances K[R, R'] that are no function of $R R'^{-1}$, as after a local filter, and how a convolution makes one.

In real irreps $K[R, R'] = \sum A^{ll'}_{mn,m'n'} D^l_{mn}(R)\, D^{l'}_{m'n'}(R')$. A group convolution with a filter on
all of the group takes the average over $K[RS, R'S]$, which by orthogonality is
$k(R R'^{-1}) = \sum_l d_l^{-1} \sum_{mm'} [\sum_n A^{ll}_{mn,m'n}]\, D^l_{mm'}(R R'^{-1})$. With complex irreps there
are signs, $\sum_n (-1)^n A^{ll}_{mn,m',-n}$ and so on; real ones need none.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..groups.value import frozen
from .groups import AbstractRotations
from .wigner import wigner_d


@functools.lru_cache(maxsize=64)
def zonal_filter(lmax: int, angle: float) -> np.ndarray:
    r"""$A_{lm,l'm'} = \frac1{|S|} \int_S R_{lm} R_{l'm'}\, dx$ over the cap S of this opening angle about the z axis.

    A filter of white noise on the cap has $K_1[R, R'] = f^T D(R) A D(R')^T f'/c$.

    Args:
        lmax: band limit of the signals.
        angle: in radians, in (0, pi]; at pi it is the whole sphere, and A is $1 / 4\pi$.

    Returns:
        Shape ((lmax + 1)^2, (lmax + 1)^2), symmetric; zero between different m.

    Raises:
        ValueError: an angle out of range.
    """
    if not 0 < angle <= np.pi:
        raise ValueError(f"expected an opening angle in (0, pi] radians, got {angle}.")
    low = np.cos(angle)
    t, w = np.polynomial.legendre.leggauss(lmax + 1)  # products of degree 2 lmax
    z, w = low + (1 - low) * (t + 1) / 2, w / 2
    size = (lmax + 1) ** 2
    values = np.zeros((size, len(z)))
    orders = np.zeros(size, int)
    for l in range(lmax + 1):
        d = wigner_d(l, np.arccos(z))[:, :, l]
        for m in range(-l, l + 1):
            values[l * l + l + m] = np.sqrt((2 * l + 1) / (4 * np.pi)) * (-1) ** m * d[:, l + abs(m)]
            orders[l * l + l + m] = m
    return frozen(np.where(orders[:, None] == orders, (values * w) @ values.T, 0))


def right_average(group: AbstractRotations, k: Array, lmax: int) -> Array:
    r"""The matrix a with $\int K[RS, R'S]\, dS = \sum_l \sum_{mm'} a_{lm,lm'} D^l_{mm'}(R R'^{-1})$.

    `group.correlation(a)` is that function at the nodes.

    Args:
        group: K is given at its nodes; exact if K has degrees up to lmax and order > lmax.
        k: shape (size, size).
        lmax: degrees that are kept, at most order - 1.

    Returns:
        Shape (coefficients, coefficients), zero between different degrees.

    Raises:
        ValueError: shapes that do not fit, or an order too small.
    """
    if k.shape != (group.size, group.size):
        raise ValueError(
            f"expected covariances at pairs of nodes of {group}, ({group.size},) * 2, got shape {k.shape}."
        )
    if not 0 <= lmax < group.order:
        raise ValueError(f"expected lmax from 0 to {group.order - 1} with {group}, got {lmax}; raise the order.")
    out = jnp.zeros((group.start(lmax + 1),) * 2, k.dtype)
    for l, own in enumerate(group.degrees(lmax)):
        weighted = jnp.asarray(group.irreps(l) * group.weights[:, None, None], k.dtype)
        half = jnp.einsum("qmn,qr->mnr", weighted, k)
        contracted = jnp.einsum("mnr,rpn->mp", half, weighted)  # sum_n of the coefficients over the multiplicity^2
        out = out.at[own, own].set(contracted * group.multiplicity(l))
    return out
