"""Links with their Chern numbers, drawn as they are needed."""

from dataclasses import dataclass, fields, replace

import jax
import jax.random as jr
import numpy as np

from ..algebra import exponential, random_algebra, scaled
from ..haar import random_links
from ..links import Links
from ..topology import flux

TRIES = 64  # batches drawn for one of trivial links; at 5 x 5 about a fifth of all links are trivial


@dataclass(frozen=True)
class ChernData:
    r"""Batches of Haar links of U(N) and their labels: the n-th batch of a seed is always the same.

    Plaquettes of Haar links of several bands are hardly ever near 1, as all are where a grid resolves a band structure.
    A share of smooth links, $e^{s P}$ with P of `random_algebra` and s uniform in [0, 1] for each lattice, shows these.

    Attributes:
        bands: N, the number of filled bands.
        sites: of the lattice.
        label: "trlog" or "det"; see `chern_number`.
        trivial: only links whose label is 0.
        batch: links in a batch.
        smooth: share of a batch that are smooth links.

    Raises:
        ValueError: numbers that make no sense.
    """

    bands: int = 1
    sites: tuple[int, int] = (5, 5)
    label: str = "trlog"
    trivial: bool = False
    batch: int = 64
    smooth: float = 0.0

    def __post_init__(self):
        if self.bands < 1 or self.batch < 1:
            raise ValueError(f"expected at least 1 band and a batch of at least 1, got {self.bands} and {self.batch}.")
        if len(self.sites) != 2 or min(self.sites) < 2:
            raise ValueError(f"expected a lattice of two dimensions, at least 2 x 2, got {self.sites}.")
        if not 0 <= self.smooth <= 1:
            raise ValueError(f"expected a share of smooth links from 0 to 1, got {self.smooth}.")
        if self.smooth and self.trivial:
            raise ValueError("expected smooth links or trivial ones alone, got both: most smooth links are trivial.")
        if self.label not in ("trlog", "det"):
            raise ValueError(f"expected label 'trlog' or 'det', got {self.label!r}.")

    @property
    def group(self) -> str:
        """The gauge group, "U(N)"."""
        return f"U({self.bands})"

    def on(self, sites: tuple[int, int]) -> "ChernData":
        """The same on another lattice."""
        return replace(self, sites=sites)

    def haar(self) -> "ChernData":
        """The same of Haar links alone, as they are drawn, in a random gauge."""
        given = {f.name: getattr(self, f.name) for f in fields(ChernData)}
        return ChernData(**given | {"smooth": 0.0})

    def links(self, key: jax.Array, count: int) -> np.ndarray:
        """(count, *sites, 2, N, N), in the precision JAX is set to; smooth ones first."""
        rough = np.asarray(random_links(key, self.group, self.sites, (count,)).array)
        smooth = round(self.smooth * count)
        if not smooth:
            return rough
        size, direction = jr.split(jr.fold_in(key, 1))
        p = random_algebra(direction, self.group, (smooth, *rough.shape[1:]), rough.dtype)
        s = jr.uniform(size, (smooth, 1, 1, 1, 1, 1), p.real.dtype)
        return np.concatenate([np.asarray(exponential(scaled(s, p))), rough[smooth:]])

    def draw(self, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch `number` of a seed: links (batch, *sites, 2, N, N), complex64, and Chern numbers (batch,), float32."""
        key = jr.fold_in(jr.key(seed), number)
        if not self.trivial:
            return labelled(self, key, self.batch)
        kept: list[np.ndarray] = []
        for attempt in range(TRIES):
            links, chern = labelled(self, jr.fold_in(key, attempt), self.batch)
            kept.append(links[chern == 0])
            if sum(map(len, kept)) >= self.batch:
                return np.concatenate(kept)[: self.batch], np.zeros(self.batch, np.float32)
        raise RuntimeError(
            f"expected {self.batch} trivial links among {TRIES * self.batch} random ones, found fewer; use fewer sites."
        )


def labelled(data: ChernData, key: jax.Array, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` links and their Chern numbers."""
    array = data.links(key, count)
    return array.astype(np.complex64), chern_of(array, data.group, data.label)


def chern_of(array: np.ndarray, group: str, label: str) -> np.ndarray:
    """Chern numbers of a batch of links (batch, *sites, 2, N, N), float32."""
    total = flux(Links(array, group), label).sum(axis=(-1, -2)) / (2 * np.pi)
    return np.rint(total).astype(np.float32)
