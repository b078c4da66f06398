"""Band models with known Chern numbers, drawn at random away from where their gaps close."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import numpy as np

from ..bands import TightBinding, links_from_bands
from ..models import coupled_layers, haldane, hofstadter, qwz

FLUXES = tuple((p, q) for q in range(3, 10) for p in range(1, q) if np.gcd(p, q) == 1)
MARGIN = 0.3  # least distance of a mass from where a gap closes


class Insulator(NamedTuple):
    """Attributes:
    name: with its parameters.
    h: Bloch Hamiltonian.
    filled: bands.
    chern: exact, from the formula of the model.
    """

    name: str
    h: TightBinding
    filled: int
    chern: int


def draw_qwz(rng: np.random.Generator, filled: int) -> Insulator:
    """`qwz`, u from -4 to 4."""
    u = away(lambda: rng.uniform(-4, 4), (-2, 0, 2))
    return Insulator(f"qwz u={u:.2f}", qwz(u), 1, qwz_chern(u))


def draw_haldane(rng: np.random.Generator, filled: int) -> Insulator:
    """`haldane` with t2 = 0.2, m from -2 to 2 and phi from -pi to pi."""
    while True:
        m, phi = rng.uniform(-2, 2), rng.uniform(-np.pi, np.pi)
        edge = float(haldane_edge(phi))
        if min(abs(m - edge), abs(m + edge)) > MARGIN:
            return Insulator(f"haldane m={m:.2f} phi={phi:.2f}", haldane(m, phi), 1, haldane_chern(m, phi))


def draw_hofstadter(rng: np.random.Generator, filled: int) -> Insulator:
    """`hofstadter`, one of the fluxes with at most 9 sites in a cell that has a gap above the filled bands."""
    fluxes = [(p, q) for p, q in FLUXES if q > filled and 2 * filled != q]
    p, q = fluxes[rng.integers(len(fluxes))]
    return Insulator(f"hofstadter {p}/{q}", hofstadter(p, q), filled, hofstadter_chern(p, q, filled))


def draw_layers(rng: np.random.Generator, filled: int) -> Insulator:
    """`coupled_layers`: a `qwz` for each filled band, coupled too weakly to close the gap that each of them has."""
    us = [away(lambda: rng.uniform(-3, 3), (-2, 0, 2), 0.5) for _ in range(filled)]
    coupling = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    coupling *= 0.2 / np.linalg.norm(coupling, 2)  # a layer's gap is at least 1, two neighbours take at most 0.8
    chern = sum(map(qwz_chern, us))
    name = "coupled-layers u=" + ",".join(f"{u:.2f}" for u in us)
    return Insulator(name, coupled_layers([qwz(u) for u in us], coupling), filled, chern)


FAMILIES: dict[str, Callable[[np.random.Generator, int], Insulator]] = {
    "haldane": draw_haldane,
    "qwz": draw_qwz,
    "hofstadter": draw_hofstadter,
    "coupled-layers": draw_layers,
}
ONE_BAND = ("haldane", "qwz")


def families(bands: int) -> tuple[str, ...]:
    """Names of the models in which that many bands can be filled."""
    return tuple(name for name in FAMILIES if bands == 1 or name not in ONE_BAND)


def examples() -> list[Insulator]:
    """Some of each model."""
    found = [Insulator(f"qwz u={u}", qwz(u), 1, qwz_chern(u)) for u in (-3.0, -1.0, 0.5, 1.9, 3.0)]
    for m, phi in ((0.0, 0.5), (0.5, -0.5), (0.9, 0.5), (1.2, 0.5)):
        angle = phi * np.pi
        found.append(Insulator(f"haldane m={m} phi={phi} pi", haldane(m, angle), 1, haldane_chern(m, angle)))
    for p, q in ((1, 3), (2, 5), (3, 7)):
        found += [Insulator(f"hofstadter {p}/{q}", hofstadter(p, q), r, hofstadter_chern(p, q, r)) for r in range(1, q)]
    for us in ((1.0, 1.0), (1.0, -1.0), (0.5, 1.0, 1.5), (1.0,) * 7):
        layers = coupled_layers([qwz(u) for u in us], 0.1)
        name = "coupled-layers u=" + ",".join(map(str, us))
        found.append(Insulator(name, layers, len(us), sum(map(qwz_chern, us))))
    return found


def draw_bands(
    name: str, bands: int, sites: tuple[int, int], count: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Links of random insulators, and their Chern numbers.

    Each is seen from a random origin of momentum, which changes links and fluxes but no Chern number.

    Args:
        name: one of `FAMILIES`.
        bands: filled ones.
        sites: the grid of momenta.
        count: how many.
        seed: of the parameters.

    Returns:
        Links (count, *sites, 2, bands, bands), complex64, and exact Chern numbers (count,): those of a grid that is
        too coarse may differ, see `chern_number`.

    Raises:
        ValueError: another name, or more bands than the model has.
    """
    if name not in FAMILIES:
        raise ValueError(f"expected a model {', '.join(FAMILIES)}, got {name!r}; choose one.")
    if bands > 1 and name in ONE_BAND:
        raise ValueError(f"expected one filled band, as {name} has two in all, got {bands}; try coupled-layers.")
    if name == "hofstadter" and bands > 8:
        raise ValueError(f"expected at most 8 filled bands of hofstadter, got {bands}; try coupled-layers.")
    rng = np.random.default_rng((seed, bands, *sites))
    links, chern = [], []
    for _ in range(count):
        one = FAMILIES[name](rng, bands)
        moved = from_origin(one.h, rng.uniform(0, 2 * np.pi, 2))
        links.append(np.asarray(links_from_bands(moved, sites, one.filled).array, np.complex64))
        chern.append(one.chern)
    return np.stack(links), np.array(chern)


def from_origin(h: TightBinding, k: np.ndarray) -> TightBinding:
    """H(k + q) as a function of q."""
    phases = np.exp(1j * (h.vectors @ k))
    return eqx.tree_at(lambda h: h.hoppings, h, phases[:, None, None] * h.hoppings)


def away(draw: Callable[[], float], closed: tuple[float, ...], margin: float = MARGIN) -> float:
    """A number drawn again until it is far from all of `closed`."""
    while True:
        u = draw()
        if min(abs(u - c) for c in closed) > margin:
            return u


def qwz_chern(u: float) -> int:
    """1 for 0 < u < 2, -1 for -2 < u < 0, else 0."""
    return int(np.sign(u)) if abs(u) < 2 else 0


def haldane_edge(phi: float | np.ndarray, t2: float = 0.2) -> float | np.ndarray:
    r"""$3\sqrt3\, t_2 |\sin\phi|$: the mass at which the gap closes."""
    return 3 * np.sqrt(3) * t2 * np.abs(np.sin(phi))


def haldane_chern(m: float, phi: float, t2: float = 0.2) -> int:
    r"""$\mathrm{sign}(\sin\phi)$ below that mass, else 0."""
    return int(np.sign(np.sin(phi))) if abs(m) < float(haldane_edge(phi, t2)) else 0


def hofstadter_chern(p: int, q: int, filled: int) -> int:
    r"""$-t$ with $r = p t \bmod q$ and $|t| < q / 2$, r the number of filled bands.

    >>> [hofstadter_chern(3, 7, r) for r in range(1, 7)]
    [2, -3, -1, 1, 3, -2]
    """
    t = filled * pow(p, -1, q) % q
    return q - t if 2 * t > q else -t
