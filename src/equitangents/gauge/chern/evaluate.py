"""How often a network finds the Chern number, and what its errors at single sites say about larger lattices."""

import functools
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.special import erf, erfinv
from scipy.stats import binomtest

from ..links import Links
from ..topology import flux
from .data import ChernData


@functools.partial(jax.jit, static_argnums=(0, 3))
def _outputs(net: Any, params: Any, links: jax.Array, piece: int) -> jax.Array:
    return jax.lax.map(lambda u: net.apply(params, u)[..., 0], links, batch_size=piece)


def local_fluxes(net: Any, params: Any, links: np.ndarray) -> np.ndarray:
    """The network's output at each site, (batch, *sites), for links (batch, *sites, 2, N, N)."""
    return np.asarray(_outputs(net, params, np.asarray(links, np.complex64), 1), float)


class Rescaling(NamedTuple):
    r"""What a network trained on trivial links alone is divided by: $k = \sum f C / \sum C^2$.

    Attributes:
        factor: k; its sign is not determined by training.
        error: one standard error.
    """

    factor: float
    error: float


def rescaling(predicted: np.ndarray, chern: np.ndarray) -> Rescaling:
    r"""The factor k of $f \approx k C$ by least squares on labelled links that are not all trivial.

    Args:
        predicted: f, sums over sites, (n,).
        chern: C, (n,).

    Raises:
        ValueError: all labels are 0.
    """
    square = float(np.sum(chern**2))
    if square == 0:
        raise ValueError("expected labels that are not all 0: a factor cannot be found from trivial links.")
    k = float(np.sum(predicted * chern)) / square
    rest = predicted - k * chern
    return Rescaling(k, float(np.sqrt(np.sum((chern * rest) ** 2))) / square)


@dataclass(frozen=True)
class Evaluation:
    """How a network does on links it has not seen.

    Attributes:
        predicted: sums over sites, after division by `factor`, (n,).
        chern: labels, (n,).
        factor: what outputs were divided by.
        site_error: s, root mean square of output minus flux at a site, in units of the Chern number.
        correlation: of outputs and fluxes at sites.
        accuracy: share of rounded sums that are the label.
        low, high: exact 95 % interval (Clopper and Pearson).
    """

    predicted: np.ndarray
    chern: np.ndarray
    factor: float
    site_error: float
    correlation: float
    accuracy: float
    low: float
    high: float

    @property
    def guessed(self) -> float:
        """Share of the most frequent label: what a guess gets."""
        return float(np.max(np.unique(self.chern, return_counts=True)[1]) / len(self.chern))


def vacuum_output(net: Any, params: Any, bands: int) -> float:
    """The output at a site of a lattice whose links are all 1: the flux there is 0.

    Random links of U(N), N > 1, have next to no such plaquettes, and fine grids of bands hardly any others.
    """
    one = np.broadcast_to(np.eye(bands, dtype=np.complex64), (1, 3, 3, 2, bands, bands))
    return float(local_fluxes(net, params, one)[0, 0, 0])


def evaluate(
    net: Any, params: Any, links: np.ndarray, label: str = "trlog", *, factor: float = 1.0, vacuum: float = 0.0
) -> Evaluation:
    """Compare a network with the truth on given links.

    Args:
        net, params: the network.
        links: (n, *sites, 2, N, N).
        label: "trlog" or "det".
        factor: divides the outputs; from `rescaling`.
        vacuum: subtracted before; from `vacuum_output`.
    """
    links = np.asarray(links)
    y = (local_fluxes(net, params, links) - vacuum) / factor
    f = flux(Links(links, f"U({links.shape[-1]})"), label) / (2 * np.pi)
    chern, predicted = np.rint(f.sum((1, 2))), y.sum((1, 2))
    right = int(np.sum(np.rint(predicted) == chern))
    interval = binomtest(right, len(links)).proportion_ci()
    return Evaluation(
        predicted=predicted,
        chern=chern,
        factor=factor,
        site_error=float(np.sqrt(np.mean((y - f) ** 2))),
        correlation=float(np.corrcoef(y.ravel(), f.ravel())[0, 1]) if y.std() > 0 else 0.0,
        accuracy=right / len(links),
        low=float(interval.low),
        high=float(interval.high),
    )


def fresh(data: ChernData, count: int, seed: int) -> np.ndarray:
    """`count` links of the kind, not those of any training: their seed is far from its seeds."""
    kind = replace(data, batch=min(count, 256), trivial=False)
    return np.concatenate([kind.draw(2**30 + seed, n)[0] for n in range(-(-count // kind.batch))])[:count]


def found_factor(net: Any, params: Any, data: ChernData, count: int = 1000) -> Rescaling:
    """The `rescaling` of a network on random links of the kind, trivial or not, that it has not seen."""
    links = fresh(data, count, 1)
    chern = np.rint(flux(Links(links, data.group), data.label).sum((1, 2)) / (2 * np.pi))
    return rescaling(local_fluxes(net, params, links).sum((1, 2)), chern)


def transfer_accuracy(site_error: float | np.ndarray, sites: int | np.ndarray) -> float | np.ndarray:
    r"""$\operatorname{erf}(0.5 / (s \sqrt{2 n}))$: how often errors of size s at n sites add to below 1/2."""
    return erf(0.5 / (np.asarray(site_error) * np.sqrt(2 * np.asarray(sites))))


def error_of_accuracy(accuracy: float, sites: int) -> float:
    """The site error with this `transfer_accuracy`."""
    return float(0.5 / (np.sqrt(2 * sites) * erfinv(accuracy)))
