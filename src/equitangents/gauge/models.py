"""Models of topological insulators, with the sign of their Chern numbers as `chern_number` gives it."""

from collections.abc import Sequence

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import ArrayLike

from .bands import TightBinding, certified_gap, tight_binding

ONE, X, Y, Z = (np.array(s) for s in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))


def qwz(u: float) -> TightBinding:
    r"""Qi, Wu and Zhang: $H = \sin k_x \sigma_x + \sin k_y \sigma_y + (u + \cos k_x + \cos k_y) \sigma_z$.

    The lower band has C = 1 for 0 < u < 2, -1 for -2 < u < 0, and 0 beyond; the gap closes at u = -2, 0, 2.

    References:
        Qi, Wu and Zhang (2006), arXiv:cond-mat/0505308.

    >>> qwz(1.0)(np.zeros(2)).real.tolist()
    [[3.0, 0.0], [0.0, -3.0]]
    """
    return tight_binding({(0, 0): u * Z, (1, 0): (Z - 1j * X) / 2, (0, 1): (Z - 1j * Y) / 2})


def haldane(m: float, phi: float, t1: float = 1.0, t2: float = 0.2) -> TightBinding:
    r"""Haldane's honeycomb: energies $\pm m$ on sites A, B, hopping t1 between and $t_2 e^{\pm i\phi}$ within them.

    In components of k along the reciprocal lattice vectors; a unit cell is joined to those at a1 and a2 by t1. The
    lower band has $C = \mathrm{sign}(\sin\phi)$ for $|m| < 3\sqrt3\, t_2 |\sin\phi|$, else 0, if t2 > 0.

    References:
        Haldane (1988), Phys. Rev. Lett. 61, 2015.
    """
    between = np.array([[0, t1], [0, 0]])
    within = t2 * np.diag([np.exp(-1j * phi), np.exp(1j * phi)])
    return tight_binding(
        {
            (0, 0): m * Z + t1 * X,
            (1, 0): between + within,
            (0, 1): between + within.conj(),
            (-1, 1): within,
        }
    )


def hofstadter(p: int, q: int) -> TightBinding:
    r"""A square lattice with p/q flux quanta through each cell: q bands, in the Landau gauge with q sites in a row.

    $H_{jj} = 2\cos(k_y + 2\pi p j / q)$, $H_{j, j+1} = 1$, and $H_{q-1, 0} = e^{i k_x}$ closes the row. With the
    lowest r bands filled C = -t, where $r = p t \bmod q$ and $|t| \le q / 2$ (for even q, r = q/2 has no gap).

    Raises:
        ValueError: q below 2.

    References:
        Hofstadter (1976), Phys. Rev. B 14, 2239; Thouless et al. (1982), Phys. Rev. Lett. 49, 405.
    """
    if q < 2:
        raise ValueError(f"expected a cell of at least 2 sites, got q = {q}; without flux there is one band.")
    inside = np.diag(np.ones(q - 1), 1)
    closing = np.zeros((q, q))
    closing[-1, 0] = 1
    phases = np.diag(np.exp(2j * np.pi * p * np.arange(q) / q))
    return tight_binding({(0, 0): inside + inside.T, (1, 0): closing, (0, 1): phases})


def coupled_layers(layers: Sequence[TightBinding], coupling: ArrayLike) -> TightBinding:
    r"""Layers on top of each other, $H_{l l} = H_l$, with the hopping $H_{l, l+1} = T$ between neighbouring ones.

    While the gap stays open the Chern number is the sum over layers: any number of filled bands, with any C.

    Args:
        layers: Hamiltonians of one layer each.
        coupling: T, a matrix (M, M), or a number for its multiple of 1.

    Raises:
        ValueError: layers of different dimension or numbers of bands, or a coupling of another shape.
    """
    if not layers or len({(h.dim, h.bands) for h in layers}) > 1:
        raise ValueError("expected at least one layer, all of one dimension and number of bands.")
    m, count = layers[0].bands, len(layers)
    t = np.asarray(coupling) * np.eye(m) if np.ndim(coupling) == 0 else np.asarray(coupling)
    if t.shape != (m, m):
        raise ValueError(f"expected a coupling of shape {(m, m)}, or a number, got {t.shape}.")
    vectors = np.concatenate([layer.vectors for layer in layers])
    blocks = []
    for index, layer in enumerate(layers):
        place = np.zeros((count, count))
        place[index, index] = 1
        blocks.append(np.kron(place, layer.hoppings))
    between = np.kron(np.diag(np.ones(count - 1), 1), t)
    vectors = np.concatenate([vectors, np.zeros((1, layers[0].dim), int)])
    return TightBinding(vectors, np.concatenate([*blocks, (between + between.conj().T)[None]]).astype(complex))


def dirac(m: float) -> TightBinding:
    r"""Dirac's model in 4 dimensions, $H = \sum_\mu \sin k_\mu \Gamma_\mu + (m + \sum_\mu \cos k_\mu) \Gamma_0$.

    $\Gamma_0 \Gamma_1 \Gamma_2 \Gamma_3 \Gamma_4 = -1$. With two bands filled the second Chern number is -3 for
    0 < m < 2, 1 for 2 < m < 4, 3 and -1 for the opposite m, and 0 beyond |m| = 4; the gap closes at m = 0, +-2, +-4.

    References:
        Qi, Hughes and Zhang (2008), arXiv:0802.3537, section III.
    """
    gamma = [np.kron(Z, Z), np.kron(X, ONE), np.kron(Y, ONE), np.kron(Z, X), np.kron(Z, Y)]
    steps = np.eye(4, dtype=int)
    hops = {tuple(int(x) for x in steps[mu]): (gamma[0] - 1j * gamma[mu + 1]) / 2 for mu in range(4)}
    return tight_binding({(0, 0, 0, 0): m * gamma[0], **hops})


def random_bands(
    key: PRNGKeyArray, bands: int, filled: int, dim: int = 2, reach: int = 1, min_gap: float = 0.05, tries: int = 1000
) -> TightBinding:
    r"""A random Hamiltonian, complex normal hoppings $t_R$ with $|R_\mu| \le$ reach, drawn again until it has a gap.

    The gap holds at all momenta, not only on a grid (`certified_gap`). Each $H(k)$ is a matrix of the Gaussian unitary
    ensemble, with energies from about -2 to 2.

    Args:
        key: random key.
        bands: M.
        filled: bands below the gap.
        dim: D.
        reach: largest component of a hopping.
        min_gap: least direct gap.
        tries: how often.

    Raises:
        ValueError: no gap found.
    """
    rng = np.random.default_rng(np.asarray(jr.key_data(key)).ravel())
    vectors = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * dim, indexing="ij"), -1).reshape(-1, dim)
    for _ in range(tries):
        real, imaginary = rng.normal(size=(2, len(vectors), bands, bands))
        t = (real + 1j * imaginary) / np.sqrt(4 * bands * len(vectors))
        h = TightBinding(vectors, t + t[::-1].conj().swapaxes(-1, -2))  # vectors[::-1] is -vectors
        if certified_gap(h, filled, min_gap / 2, enough=1.5 * min_gap) > min_gap:
            return h
    raise ValueError(
        f"found no gap of {min_gap} above band {filled} of {bands} in {tries} tries; ask for a smaller one."
    )
