r"""Bloch Hamiltonians $H(k)$ and the gauge field of their filled bands.

$$U_\mu(k) = \text{unitary part of } \langle u_m(k) | u_n(k + \hat\mu) \rangle, \qquad k_\mu = 2\pi j_\mu / n_\mu$$

A Hamiltonian is any function from momenta (..., D) to Hermitian matrices (..., M, M) that has the period $2\pi$ in each
component. NumPy, float64: no label should depend on the precision JAX is set to.
"""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import numpy as np

from .links import Links, check_sites, dagger, described
from .unitary import polar

Hamiltonian = Callable[[np.ndarray], np.ndarray]

TOUCHING = 1e-8
"""Bands closer than this, in units of the largest energy, are taken for degenerate."""


class TightBinding(eqx.Module):
    r"""$H(k) = \sum_R t_R e^{i k \cdot R}$; `tight_binding` builds it from half of the terms.

    Attributes:
        vectors: R, integers of shape (terms, D).
        hoppings: t_R, complex, shape (terms, M, M), with $t_{-R} = t_R^\dagger$.
    """

    vectors: np.ndarray
    hoppings: np.ndarray

    def __call__(self, k: np.ndarray) -> np.ndarray:
        """H(k) for momenta (..., D), shape (..., M, M)."""
        return np.tensordot(np.exp(1j * (np.asarray(k) @ self.vectors.T)), self.hoppings, 1)

    @property
    def dim(self) -> int:
        """D, the number of momenta."""
        return self.vectors.shape[1]

    @property
    def bands(self) -> int:
        """M, the number of bands."""
        return self.hoppings.shape[-1]


def tight_binding(terms: Mapping[tuple[int, ...], np.ndarray]) -> TightBinding:
    r"""$H(k) = t_0 + \sum_R (t_R e^{i k \cdot R} + \text{h.c.})$ from a dictionary {R: t_R}, one of each pair R, -R.

    Raises:
        ValueError: terms of different shapes, both R and -R, or energies at R = 0 that are not Hermitian.

    >>> chain = tight_binding({(1,): np.array([[0.5]])})
    >>> chain(np.array([[0.0], [np.pi]])).real.ravel().tolist()
    [1.0, -1.0]
    """
    if not terms or len({(len(r), np.shape(t)) for r, t in terms.items()}) > 1:
        raise ValueError("expected at least one term, all with vectors of one length and matrices of one shape.")
    vectors: list[tuple[int, ...]] = []
    hoppings: list[np.ndarray] = []
    for r, t in terms.items():
        back = tuple(-x for x in r)
        if not any(r):
            if not np.allclose(t, np.conj(t).T):
                raise ValueError("expected a Hermitian matrix at R = 0; the adjoint is added for the others only.")
            vectors, hoppings = [*vectors, r], [*hoppings, t]
        elif back in terms:
            raise ValueError(f"expected one of {r} and {back}; the adjoint is added here.")
        else:
            vectors, hoppings = [*vectors, r, back], [*hoppings, t, np.conj(t).T]
    return TightBinding(np.array(vectors), np.array(hoppings, complex))


def one_by_one(h: Callable[[np.ndarray], np.ndarray]) -> Hamiltonian:
    """Makes a Hamiltonian of momenta (..., D) from a function of one momentum (D,), by a loop."""
    return np.vectorize(h, signature="(d)->(m,m)", otypes=[complex])


def momenta(shape: tuple[int, ...]) -> np.ndarray:
    r"""The grid $k_\mu = 2\pi j_\mu / n_\mu$, shape (*shape, D); its last point is not its first.

    >>> momenta((2, 1)).tolist()
    [[[0.0, 0.0]], [[3.141592653589793, 0.0]]]
    """
    check_sites(shape)
    return 2 * np.pi * np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1)


def energies(h: Hamiltonian, k: np.ndarray) -> np.ndarray:
    """The bands at momenta (..., D), ascending, shape (..., M)."""
    return np.linalg.eigvalsh(_evaluate(h, k))


def direct_gap(h: Hamiltonian, shape: tuple[int, ...], filled: int) -> float:
    """The least distance of the bands `filled` and `filled + 1`, counted from 1, at one momentum of the grid."""
    return float(_gaps(h, momenta(shape), filled).min())


def certified_gap(h: TightBinding, filled: int, tolerance: float = 0.05, enough: float = 0.0) -> float:
    r"""The least direct gap over all momenta, not only on a grid: a lower bound, `tolerance` too small at most.

    Branch and bound: within $r$ of a momentum, in each component, no energy moves by more than
    $\sum_R \lVert t_R \rVert \sum_\mu |R_\mu|\, r$ (Weyl), and cells that may still hold the minimum are halved.

    With `enough` above 0 the search stops early, as soon as a momentum has a smaller gap. What is then known: there is
    a gap of the result plus `tolerance`, which is below `enough`, and the least gap is no larger; the result is no
    lower bound. It is one whenever it is at least `enough` - `tolerance`, and always with `enough` = 0.

    Args:
        h: the Hamiltonian.
        filled: how many bands are filled.
        tolerance: how much too small the result may be.
        enough: a gap that is asked for; smaller ones need not be known well.

    Raises:
        TypeError: another function than a `TightBinding`, whose bound on slopes is needed.
        ValueError: a tolerance that is not positive.

    >>> chain = tight_binding({(0,): np.diag([1.0, -1.0]), (1,): np.diag([0.25, -0.25])})  # a gap of 2 + cos k
    >>> 0.95 <= certified_gap(chain, 1) <= 1.0
    True
    """
    if not isinstance(h, TightBinding):
        raise TypeError(f"expected h to be a TightBinding, got {described(h)}; direct_gap takes any function.")
    if not tolerance > 0:
        raise ValueError(f"expected a positive tolerance, got {tolerance}.")
    norms = np.linalg.norm(h.hoppings, ord=2, axis=(-2, -1))
    slope = 2 * float(norms @ np.abs(h.vectors).sum(1))
    half, least = np.pi / 4, np.inf
    centres = momenta((4,) * h.dim).reshape(-1, h.dim)
    corners = np.stack(np.meshgrid(*[(-0.5, 0.5)] * h.dim, indexing="ij"), axis=-1).reshape(-1, h.dim)
    while len(centres) and least >= enough:
        gaps = _gaps(h, centres, filled)
        least = min(least, float(gaps.min()))
        centres = centres[gaps - slope * half < least - tolerance]
        centres = (centres[:, None] + half * corners).reshape(-1, h.dim)
        half /= 2
    return least - tolerance


def links_from_bands(h: Hamiltonian, shape: tuple[int, ...], filled: int) -> Links:
    r"""The gauge field U(filled) of the lowest bands: polar factors of the overlaps of states at neighbouring momenta.

    The states are those that LAPACK returns, which is a gauge; what they are does not matter, so use nothing but
    gauge-invariant functions of the links.

    Args:
        h: a `TightBinding`, or any function from momenta (..., D) to Hermitian matrices (..., M, M), period 2 pi.
        shape: the grid of momenta, one size for each of the D directions.
        filled: how many bands, from the lowest.

    Returns:
        Links in NumPy, complex128, on the grid.

    Raises:
        ValueError: a function that returns something else or has another period, a number of bands out of range,
            a grid of another dimension, filled bands that touch an empty one on the grid, or neighbouring states that
            are orthogonal.
        TypeError: h that is no function, a shape or a number of bands that are no integers.

    References:
        Fukui, Hatsugai and Suzuki (2005), arXiv:cond-mat/0503172.
    """
    matrices = _evaluate(h, momenta(shape))
    around = _evaluate(h, 2 * np.pi * np.eye(len(shape)))
    if not np.allclose(around, matrices[(0,) * len(shape)]):
        raise ValueError(
            "expected h to have the period 2 pi in each momentum; take momenta along reciprocal lattice vectors, and "
            "the positions of orbitals out of the phases."
        )
    bands, states = np.linalg.eigh(matrices)
    gaps = _between(bands, filled)
    if gaps.min() < TOUCHING * np.abs(bands).max():
        at = tuple(map(int, np.unravel_index(np.argmin(gaps), gaps.shape)))
        raise ValueError(
            f"expected a gap above band {filled}, got {gaps.min():.1e} at the momentum {at} of the grid {shape}; "
            "change the parameters or the number of filled bands."
        )
    states = states[..., :filled]
    overlaps = [dagger(states) @ np.roll(states, -1, mu) for mu in range(len(shape))]
    return Links(np.stack([polar(np.asarray(overlap)) for overlap in overlaps], axis=-3), f"U({filled})")


def _evaluate(h: Any, k: np.ndarray) -> np.ndarray:
    if not callable(h):
        raise TypeError(f"expected h to be a function of momenta, got {described(h)}; tight_binding makes one.")
    if isinstance(h, TightBinding) and h.dim != k.shape[-1]:
        raise ValueError(
            f"expected momenta of {h.dim} components, of which h is a function, got {k.shape[-1]}; give a grid or "
            f"points of {h.dim} dimensions."
        )
    expected = f"expected h to map momenta {k.shape} to matrices ({', '.join([*map(str, k.shape[:-1]), 'M', 'M'])})"
    cure = "one_by_one(f) does, for a function f of one momentum that returns a square matrix"
    try:
        matrices = np.asarray(h(k))
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{expected}, got {type(error).__name__}: {str(error).rstrip('.')}; {cure}.") from error
    if matrices.ndim < 2 or matrices.shape != (*k.shape[:-1], *matrices.shape[-1:] * 2):
        raise ValueError(f"{expected}, got shape {matrices.shape}; {cure}.")
    if not np.allclose(matrices, dagger(matrices)):
        raise ValueError("expected Hermitian matrices h(k); add the adjoint of each hopping.")
    return matrices


def check_filled(filled: Any, bands: int) -> None:
    """Raise unless `filled` is a number of these bands."""
    if isinstance(filled, bool) or not isinstance(filled, int | np.integer):
        raise TypeError(f"expected filled to be an integer, a number of bands, got {filled!r}.")
    if not 1 <= filled <= bands:
        raise ValueError(f"expected from 1 to {bands} filled bands, got {filled}.")


def _gaps(h: Hamiltonian, k: np.ndarray, filled: Any) -> np.ndarray:
    return _between(energies(h, k), filled)


def _between(bands: np.ndarray, filled: Any) -> np.ndarray:
    """The gap above the filled bands, infinite if all are filled; (..., M) -> (...)."""
    check_filled(filled, bands.shape[-1])
    if filled == bands.shape[-1]:
        return np.full(bands.shape[:-1], np.inf)
    return bands[..., filled] - bands[..., filled - 1]
