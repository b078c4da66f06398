r"""The second Chern number in 4 dimensions.

$$C_2 = \frac{1}{4\pi^2} \sum_k \operatorname{Re} \operatorname{tr} (F_{01} F_{23} - F_{02} F_{13} + F_{03} F_{12})$$

with $F_{\mu\nu} = -i \log W_{\mu\nu}$. All plaquettes start at the same k, so each trace is gauge invariant. On a
grid of n points in each direction it is no integer; the error falls as $1/n^2$.
"""

from collections.abc import Sequence

import numpy as np

from .bands import Hamiltonian, links_from_bands
from .links import Links
from .loops import plaquette
from .topology import numbers
from .unitary import log_unitary


def second_chern_density(links: Links) -> np.ndarray:
    """The terms of the sum, whose sum is the second Chern number; (*batch, *sites), gauge invariant at each site.

    Raises:
        ValueError: a lattice that is not of 4 dimensions; links that are not unitary, as for `flux`.
        TypeError: something else than `Links`; traced links.
    """
    links = numbers(links)
    if links.dim != 4:
        raise ValueError(f"expected links on a lattice of 4 dimensions, got {links.dim}.")

    def product(mu: int, nu: int, rho: int, sigma: int) -> np.ndarray:
        one, two = (log_unitary(np.asarray(plaquette(links, *plane))) for plane in ((mu, nu), (rho, sigma)))
        return np.einsum("...ij,...ji->...", one, two).real

    return (product(0, 1, 2, 3) - product(0, 2, 1, 3) + product(0, 3, 1, 2)) / (4 * np.pi**2)


def second_chern_number(links: Links) -> np.ndarray | np.floating:
    """The sum of `second_chern_density` over the lattice, not rounded; shape batch."""
    return np.sum(second_chern_density(links), axis=(-4, -3, -2, -1))[()]


def richardson(values: Sequence[float], sizes: Sequence[int]) -> float:
    r"""The limit of $v(n) = v + a / n^2 + b / n^4 + \dots$ through all the values given.

    >>> round(richardson([1 + 3 / 10**2, 1 + 3 / 12**2], [10, 12]), 12)
    1.0
    """
    if len(values) != len(sizes) or len(set(sizes)) != len(sizes) or not len(sizes):
        raise ValueError(
            f"expected one value for each of several different sizes, got {len(values)} and {tuple(sizes)}."
        )
    x = 1 / np.asarray(sizes, float) ** 2
    weights = [np.prod([other / (other - own) for j, other in enumerate(x) if j != i]) for i, own in enumerate(x)]
    return float(np.dot(weights, values))


def extrapolated_second_chern_number(h: Hamiltonian, filled: int, sizes: Sequence[int] = (10, 12)) -> float:
    """The second Chern number of the lowest bands from grids of several sizes, by `richardson`; not rounded."""
    return richardson([float(second_chern_number(links_from_bands(h, (n,) * 4, filled))) for n in sizes], sizes)
