"""What is drawn of bands: energies along a path of momenta, and the Berry curvature over the Brillouin zone."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .bands import Hamiltonian, check_filled, energies
from .links import Links, check_links
from .topology import branch_margin, chern_number, flux


class BandPath(NamedTuple):
    """Bands along a path; `plots.band_structure` draws it.

    Attributes:
        distance: along the path, (points,).
        bands: ascending, (points, M).
        corners: distances of the named points, (corners,).
        names: of those points.
        filled: how many bands, from the lowest.
    """

    distance: np.ndarray
    bands: np.ndarray
    corners: np.ndarray
    names: tuple[str, ...]
    filled: int


class BerryCurvature(NamedTuple):
    r"""Fluxes over the two-dimensional Brillouin zone; `plots.berry_curvature` draws it.

    Attributes:
        density: flux through each plaquette over its area, (nx, ny): the Berry curvature, whose integral is $2\pi C$.
        chern: C.
        margin: of its label, in radians (`branch_margin`).
        method: "trlog" or "det".
    """

    density: np.ndarray
    chern: int
    margin: float
    method: str


def band_path(h: Hamiltonian, corners: Mapping[str, Sequence[float]], filled: int, points: int = 60) -> BandPath:
    """The bands along straight lines between named momenta.

    Args:
        h: the Hamiltonian.
        corners: momenta (D,) by name, at least two; a name that comes twice needs a mark, such as "G" and "G'".
        filled: how many bands are filled.
        points: of each line.

    Raises:
        ValueError: fewer than two momenta, of unequal length, or what `links_from_bands` refuses of h and `filled`.
    """
    if len(corners) < 2:
        raise ValueError(f"expected at least two named momenta, got {list(corners)}.")
    if len({np.shape(k) for k in corners.values()}) > 1:
        raise ValueError(f"expected momenta of one length, got {dict(corners)}.")
    at = np.array([*corners.values()], float)
    steps = np.arange(points) / points
    lines = [a + steps[:, None] * (b - a) for a, b in itertools.pairwise(at)]
    k = np.concatenate([*lines, at[-1:]])
    lengths = np.linalg.norm(np.diff(at, axis=0), axis=1)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    distance = np.concatenate([[0], np.cumsum(np.repeat(lengths / points, points))])
    bands = energies(h, k)
    check_filled(filled, bands.shape[-1])
    return BandPath(distance, bands, ends, tuple(corners), filled)


def berry_curvature(links: Links, method: str = "trlog") -> BerryCurvature:
    """The Berry curvature of one field on a grid of two momenta, as its plaquettes have it."""
    check_links(links)
    if links.dim != 2 or links.batch:
        raise ValueError(f"expected one field in 2 dimensions, got batch {links.batch} and sites {links.sites}.")
    area = np.prod(2 * np.pi / np.array(links.sites))
    chern, margin = chern_number(links, method), branch_margin(links, method)
    return BerryCurvature(flux(links, method) / area, int(chern), float(margin), method)
