r"""Chern numbers of gauge fields: sums of the fluxes through plaquettes.

$$C = \frac{1}{2\pi} \sum_k F(k), \qquad F = \operatorname{Im} \operatorname{tr} \log W \text{ or } \arg\det W$$

with $W(k) = U_x(k) U_y(k + \hat x) U_x(k + \hat y)^\dagger U_y(k)^\dagger$: the sign of Fukui, Hatsugai and Suzuki,
opposite to PythTB's. Both are integers, as $\prod_k \det W(k) = 1$, and do not change under U(N) gauge transformations.
"""

from typing import Any

import jax
import numpy as np

from .links import Links, check_links, dagger
from .loops import plaquette
from .unitary import eigenphases

ROUNDING = {np.dtype(np.complex64): 1e-3, np.dtype(np.complex128): 1e-5}
"""Entries of U U^+ - 1 up to these are taken for rounding; in double precision the links may have been
in single precision before."""


def flux(links: Links, method: str = "trlog", plane: tuple[int, int] = (0, 1)) -> np.ndarray:
    r"""The flux through each plaquette, in radians, (*batch, *sites); its sum over a plane is $2\pi C$.

    Args:
        links: unitary links; `unitary.polar` makes them so.
        method: "trlog", the sum of the eigenphases of W, in $(-N\pi, N\pi]$, or "det", the phase of its determinant, in
            $(-\pi, \pi]$. They differ by a multiple of $2\pi$ where the eigenphases sum to more than $\pi$.
        plane: two directions; swapped, they change the sign.

    Raises:
        ValueError: another method, a plane the lattice does not have, or links that are not unitary: with an entry of
            $U U^\dagger - 1$ above 1e-3 in single precision, 1e-5 in double.
        TypeError: an array in place of `Links`; traced links: eigenvalues are found by NumPy.
    """
    w = _plaquette(links, method, plane)
    return np.sum(eigenphases(w), axis=-1) if method == "trlog" else np.angle(np.linalg.det(w))


def chern_number(links: Links, method: str = "trlog", plane: tuple[int, int] = (0, 1)) -> np.ndarray | np.integer:
    r"""The first Chern number: $\frac{1}{2\pi}$ the sum of `flux` over a plane, an integer.

    - "trlog" adds all eigenphases. It is additive, $C(U \oplus V) = C(U) + C(V)$, and right on coarser grids when bands
      are many.
    - "det" is the label of Fukui, Hatsugai and Suzuki. It sees $\det U$ only, so multiplying links by matrices of SU(N)
      does not change it, and it is not additive.

    They agree where no plaquette has eigenphases that sum to more than $\pi$: on grids fine enough, for U(1) and for
    SU(2); on random links of U(N), N >= 2, in a fifth of all cases on 5 x 5 sites. `branch_margin` says how near a
    label is to another one.

    Args:
        links: unitary links, a batch or one field.
        method: "trlog" or "det".
        plane: two directions.

    Returns:
        Integers of shape batch, or, in more than two dimensions, (*batch, *the other sites): one for each slice.

    Raises:
        ValueError, TypeError: what `flux` refuses.

    References:
        Fukui, Hatsugai and Suzuki (2005), arXiv:cond-mat/0503172 (det); Huang et al. (2025), arXiv:2502.15376 (trlog).
    """
    total = np.sum(flux(links, method, plane), axis=_plane_axes(links, plane)) / (2 * np.pi)
    return np.rint(total).astype(int)[()]


def branch_margin(links: Links, method: str = "trlog", plane: tuple[int, int] = (0, 1)) -> np.ndarray | np.floating:
    r"""The least distance of an eigenphase (of $\arg\det$) to $\pm\pi$ over a plane, in radians: confidence in a label.

    If each link moves by at most $\delta$ in operator norm, an eigenphase of W moves by at most $2\arcsin(2\delta)$,
    and $\arg\det W$ by N times that: below the margin no label can change. A margin says nothing of a grid that does
    not resolve the bands; refine the grid to see.

    Args, shape and errors as `chern_number`.

    References:
        Bhatia and Davis (1984), Linear Multilinear Algebra 15, 71, for the eigenvalues of unitary matrices.
    """
    if method == "trlog":
        distance = np.pi - np.abs(eigenphases(_plaquette(links, method, plane))).max(-1)
    else:
        distance = np.pi - np.abs(flux(links, method, plane))
    return np.min(distance, axis=_plane_axes(links, plane))[()]


def numbers(links: Any) -> Links:
    """The same links as NumPy arrays.

    Raises:
        TypeError: something else than `Links`, or traced links.
        ValueError: links that are nan, infinite or not unitary.
    """
    check_links(links)
    if isinstance(links.array, jax.core.Tracer):
        raise TypeError(
            "expected the numbers of the links, got a traced array: eigenvalues are found by NumPy; label the data "
            "outside of jax.jit, jax.vmap (the leading axes are a batch) and jax.grad."
        )
    array = np.asarray(links.array)
    if not np.all(np.isfinite(array)):
        raise ValueError("expected finite links, got nan or inf.")
    off = float(np.abs(array @ dagger(array) - np.eye(links.n)).max(initial=0.0))
    allowed = ROUNDING.get(array.dtype, 1e-5)
    if off > allowed:
        raise ValueError(
            f"expected unitary links, with entries of U U^+ - 1 of at most {allowed:.0e}, got one of {off:.1e}; take "
            "the nearest unitary ones, Links(polar(links.array), links.group)."
        )
    return Links(array, links.group)


def _plaquette(links: Any, method: str, plane: tuple[int, int]) -> np.ndarray:
    if method not in ("trlog", "det"):
        raise ValueError(f"expected method 'trlog' or 'det', got {method!r}.")
    return np.asarray(plaquette(numbers(links), *plane))


def _plane_axes(links: Links, plane: tuple[int, int]) -> tuple[int, int]:
    mu, nu = (len(links.batch) + direction for direction in plane)
    return mu, nu
