"""What the pieces of a run say together: accuracies over seeds with intervals, in words."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from ...piece import Get
from .config import Run
from .work import last_part, measure_name


@dataclass(frozen=True)
class Accuracy:
    """A share over seeds, with an interval of 95 %.

    Attributes:
        each: of the seeds.
        value, low, high: their mean, with Student's interval over seeds; for one seed that over lattices.
    """

    each: np.ndarray
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def accuracy(rows: np.ndarray) -> Accuracy:
    """From rows (seeds, 6) of `work.numbers`."""
    each = rows[:, 0]
    if len(each) == 1:
        return Accuracy(each, float(each[0]), float(rows[0, 1]), float(rows[0, 2]))
    mean = float(each.mean())
    half = float(student.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each)))
    half = max(half, float(np.mean((rows[:, 2] - rows[:, 1]) / 2)) / np.sqrt(len(each)))  # seeds that agree by chance
    return Accuracy(each, mean, max(0.0, mean - half), min(1.0, mean + half))


def rows_of(run: Run, where: str, key: str, get: Get) -> np.ndarray:
    """A row of each seed, (seeds, 6)."""
    return np.stack([get(measure_name(run, seed, where))[key] for seed in range(run.seeds)])


def found(run: Run, key: str, get: Get) -> Accuracy:
    """The accuracy of a run on random links."""
    return accuracy(rows_of(run, "haar", key, get))


def diverged(run: Run, get: Get) -> list[int]:
    """Steps of the parts in which the loss of a seed ceased to be finite."""
    steps = [int(get(last_part(run, seed))["diverged"]) for seed in range(run.seeds)]
    return [step for step in steps if step >= 0]


def ensemble(run: Run, get: Get) -> Accuracy:
    """The accuracy of the mean answer of all seeds, with an interval over lattices."""
    from scipy.stats import binomtest

    parts = [get(measure_name(run, seed, "haar")) for seed in range(run.seeds)]
    mean = np.mean([part["predicted"] for part in parts], axis=0)
    right = int(np.sum(np.rint(mean) == parts[0]["chern"]))
    interval = binomtest(right, len(mean)).proportion_ci()
    share = right / len(mean)
    return Accuracy(np.array([share]), share, float(interval.low), float(interval.high))


def weights(run: Run, grid: int) -> int:
    """Real numbers that are trained."""
    import jax

    from ....gauge.chern import start

    return sum(leaf.size for leaf in jax.tree.leaves(start(run.training(grid, 0)).params))
