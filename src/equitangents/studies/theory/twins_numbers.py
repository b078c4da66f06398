"""What the ensembles of pairs say: means along the limit, differences, variances, each with a standard error."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..piece import Arrays
from .unbiased import Estimate, mean_of, mean_square, root

FEWEST = 4  # disjoint ensembles of a size that is shown


class Ensemble(NamedTuple):
    """Outputs (members, 2, times, tests, classes) of pairs, averaged over orbits and not, and how many diverged."""

    averaged: np.ndarray
    raw: np.ndarray
    diverged: int

    @classmethod
    def of(cls, parts: list[Arrays]) -> "Ensemble":
        """From the pieces, without pairs of which a network diverged."""
        kept = [~part["diverged"] for part in parts]
        averaged = np.concatenate([part["averaged"][k] for part, k in zip(parts, kept, strict=True)])
        raw = np.concatenate([part.get("raw", part["averaged"])[k] for part, k in zip(parts, kept, strict=True)])
        return cls(averaged, raw, int(sum(np.sum(~k) for k in kept)))

    @property
    def means(self) -> np.ndarray:
        """Of pairs, averaged over orbits, (members, times, tests, classes)."""
        return self.averaged.mean(1, dtype=float)


@dataclass(frozen=True, eq=False)
class Ensembles:
    """All of a study; `found` by case, whether augmented, and width."""

    config: Any
    limits: dict[str, Arrays]
    found: dict[tuple[str, bool, int], Ensemble]

    @property
    def diverged(self) -> int:
        return sum(2 * one.diverged for one in self.found.values())

    @property
    def total(self) -> int:
        return sum(2 * (len(one.averaged) + one.diverged) for one in self.found.values())

    def pairs(self, case: str, width: int) -> int:
        return len(self.found[case, True, width].averaged)


def along_limit(e: Ensembles, case: str, augmented: bool, width: int, t: int) -> Estimate:
    r"""$\langle E f, \mu_t \rangle / \langle \mu_t, \mu_t \rangle$ over tests and classes, $\mu$ of the limit."""
    mu = e.limits[case]["mean_imposed"][t]
    return mean_of(np.mean(e.found[case, augmented, width].means[:, t] * mu, axis=(1, 2)) / np.mean(mu**2))


def apart(e: Ensembles, case: str, width: int, t: int) -> Estimate:
    """Root mean square of the difference of the two means, relative to that of the limit."""
    scale = np.mean(e.limits[case]["mean"][t] ** 2)
    square = mean_square(*(e.found[case, arm, width].means[:, t] for arm in (True, False)))
    return root(Estimate(square.value / scale, square.error / scale))


def variance_ratio(e: Ensembles, kind: str, width: int, t: int) -> Estimate:
    """Variance of single networks, mean over tests and classes, over that of infinite width.

    Args:
        kind: "averaged", augmented and averaged over orbits; "raw", augmented; "imposed".
    """
    one, limit = e.found["theorem", kind != "imposed", width], e.limits["theorem"]
    outputs = (one.raw if kind == "raw" else one.averaged)[:, :, t].astype(float)
    variances = limit["variance"][t] if kind == "raw" else np.diagonal(limit["covariance_imposed"][t])
    return mean_of(pair_variances(outputs) / np.mean(variances))


def pair_variances(outputs: np.ndarray) -> np.ndarray:
    """Squares whose mean is the variance of one network, from pairs of opposite sign (pairs, 2, ...); shape (pairs,).

    Half the difference of a pair has mean zero; the pairs' means are independent. Together they are all of a network.
    """
    means, halves = outputs.mean(1), (outputs[:, 0] - outputs[:, 1]) / 2
    apart = (means - means.mean(0)) ** 2 * len(means) / (len(means) - 1)
    return np.mean((halves**2 + apart).reshape(len(means), -1), axis=1)


def against_members(e: Ensembles, width: int, opposite: bool) -> tuple[list[int], list[Estimate], list[float] | None]:
    """Root mean square of the difference of two ensembles of M, relative to the limit, over disjoint ensembles.

    Args:
        opposite: in pairs, M = 2, 4, ...; else single networks, augmented ones not averaged over orbits.

    Returns:
        sizes M, values, and what noise alone gives at infinite width (None for pairs: nothing).
    """
    limit, t = e.limits["theorem"], -1
    scale = np.mean(limit["mean"][t] ** 2)
    sets = []
    for augmented in (True, False):
        outputs = e.found["theorem", augmented, width].raw[:, :, t].astype(float)
        sets.append(outputs.mean(1) if opposite else outputs[:, 0])
    total = min(map(len, sets))
    sizes, values = [], []
    m = 1
    while total // m >= FEWEST:
        k = total // m
        means = [s[: k * m].reshape(k, m, *s.shape[1:]).mean(1) for s in sets]
        square = mean_of(np.mean((means[0] - means[1]) ** 2, axis=(1, 2)) / scale)
        sizes.append(2 * m if opposite else m)
        values.append(root(square))
        m *= 2
    if opposite:
        return sizes, values, None
    noise = np.mean(limit["variance"][t]) + np.mean(np.diagonal(limit["covariance_imposed"][t]))
    return sizes, values, [float(np.sqrt(noise / scale / m)) for m in sizes]
