r"""From outputs of members on orbits to numbers: deviations, same predictions, their predictions and intervals."""

from typing import Any, NamedTuple

import numpy as np

BLOCKS = 4  # ensembles below which no interval over members is drawn


def sizes(members: int) -> list[int]:
    """1, 2, 4, ... up to the number of members.

    >>> sizes(10)
    [1, 2, 4, 8]
    """
    return [2**i for i in range(members.bit_length())]


def blocks(outputs: np.ndarray, size: int) -> np.ndarray:
    """Means of disjoint ensembles of `size` members along the first axis."""
    count = len(outputs) // size
    return outputs[: count * size].reshape(count, size, *outputs.shape[1:]).mean(1, dtype=np.float64)


def off_orbit(outputs: np.ndarray) -> np.ndarray:
    """The part of outputs (..., elements, items, outputs) that is not their mean over the elements."""
    return outputs - outputs.mean(-3, keepdims=True)


def mean_square(deviations: np.ndarray) -> Any:
    """Sum over outputs, mean over elements and items; `symmetry.orbit_deviation` squared, mean over items."""
    return (deviations**2).sum(-1).mean((-2, -1))


class Law(NamedTuple):
    r"""$|d_M|^2 = \sum_a (\sqrt{\lambda_a / M}\, z_a + b_a)^2 + r$, the mean square deviation of M Gaussian members.

    Attributes:
        values: $\lambda$, (rank,).
        offsets: b, of the infinite ensemble, along the same axes.
        rest: r, the square of the infinite ensemble's deviation along all others.
    """

    values: np.ndarray
    offsets: np.ndarray
    rest: float

    @property
    def variance(self) -> float:
        """Of one member, v: the expected square is floor + v / M."""
        return float(self.values.sum())

    @property
    def floor(self) -> float:
        """Of the infinite ensemble."""
        return float((self.offsets**2).sum() + self.rest)

    def expected(self, members: np.ndarray | int) -> Any:
        """Of the mean square of ensembles of so many members."""
        return self.floor + self.variance / np.asarray(members)

    def band(self, members: int, draws: int, seed: int) -> np.ndarray:
        """Mean squares of disjoint ensembles of 1, 2, 4, ... of `members` members, drawn again and again.

        Returns:
            Shape (draws, sizes): what another set of so many independent Gaussian members would show.
        """
        rng, root = np.random.default_rng(seed), np.sqrt(self.values)
        found = np.zeros((draws, len(sizes(members))))
        for i in range(draws):
            drawn = rng.standard_normal((members, len(root)), dtype=np.float32) * root
            for j, _ in enumerate(sizes(members)):
                found[i, j] = ((drawn + self.offsets) ** 2).sum(1).mean() + self.rest
                drawn = (drawn[0 : len(drawn) // 2 * 2 : 2] + drawn[1::2]) / 2
        return found


def law(covariance: np.ndarray, mean: np.ndarray, back: np.ndarray | None = None) -> Law:
    """The law of the deviation from the covariance of all outputs on all orbits.

    Args:
        covariance: of one output before it is moved back, (elements, items, elements, items).
        mean: of the infinite ensemble, moved back, (elements, items, outputs).
        back: as in `Task`.
    """
    elements, items, outputs = mean.shape
    turn = np.broadcast_to(np.eye(outputs), (elements, outputs, outputs)) if back is None else back
    relative = np.einsum("gcx,hdx->ghcd", turn, turn)
    projector = np.eye(elements) - 1 / elements
    full = np.einsum("gihj,ghcd->gichjd", covariance, relative)
    full = np.einsum("ag,gichjd,bh->aicbjd", projector, full, projector, optimize=True)
    size = elements * items * outputs
    values, axes = np.linalg.eigh(full.reshape(size, size) / (elements * items))
    kept = values > 1e-6 * values[-1]
    deviation = off_orbit(mean).reshape(size) / np.sqrt(elements * items)
    offsets = axes[:, kept].T @ deviation
    return Law(values[kept], offsets, max(float(deviation @ deviation - offsets @ offsets), 0.0))


class Test(NamedTuple):
    """Attributes:
    square: unbiased estimate of the square of what remains in an infinite ensemble.
    z: that over its standard error where nothing remains.
    """

    square: float
    z: float


def infinite_deviation(outputs: np.ndarray) -> Test:
    r"""$\frac{1}{M(M-1)} \sum_{i \ne j} d_i \cdot d_j$ for deviations d of members: its mean is that of $|E d|^2$.

    Under E d = 0 its variance is $2 / M(M-1)$ times the mean of $(d_i \cdot d_j)^2$.
    """
    members, elements, items = outputs.shape[:3]
    d = off_orbit(outputs.astype(np.float64)).reshape(members, -1) / np.sqrt(elements * items)
    gram = d @ d.T
    apart = gram[~np.eye(members, dtype=bool)]
    square, scale = apart.mean(), np.sqrt(2 * (apart**2).mean() / (members * (members - 1)))
    return Test(float(square), float(square / scale))


def member_variance(outputs: np.ndarray) -> tuple[float, float]:
    """Variance of the deviation of one member, and its standard error."""
    d = off_orbit(outputs.astype(np.float64))
    d -= d.mean(0)
    squares = mean_square(d) * len(d) / (len(d) - 1)
    return float(squares.mean()), float(squares.std(ddof=1) / np.sqrt(len(d)))


def same_prediction(outputs: np.ndarray) -> np.ndarray:
    """Share of the elements at which the predicted class is that of the first, (ensembles, items).

    Of outputs (ensembles, elements, items, classes); times |G| it is `symmetry.orbit_same_prediction`.
    """
    best = outputs.argmax(-1)
    return (best == best[:, :1]).mean(1)


def predicted_same_prediction(
    mean: np.ndarray, covariance: np.ndarray, members: int, draws: int, seed: int
) -> np.ndarray:
    """The same for members of the infinite width, by sampling N(mean, covariance / members); (items,).

    Args:
        mean: (elements, items, classes).
        covariance: of each output, (items, elements, elements).
    """
    values, axes = np.linalg.eigh(covariance)
    root = axes * np.sqrt(np.maximum(values, 0))[:, None, :] / np.sqrt(members)
    rng, total = np.random.default_rng(seed), np.zeros(mean.shape[1])
    for _ in range(draws):
        noise = np.einsum("igh,ihc->gic", root, rng.standard_normal((*root.shape[:2], mean.shape[-1])))
        total += same_prediction((mean + noise)[None])[0]
    return total / draws


def interval(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Mean of values (ensembles, items) and its 95 % interval: both are resampled, ensembles where there are enough."""
    count, items = values.shape
    rng = np.random.default_rng(seed)
    columns = rng.multinomial(items, np.full(items, 1 / items), resamples) / items
    rows = rng.multinomial(count, np.full(count, 1 / count), resamples) / count
    if count < BLOCKS:
        rows[:] = 1 / count
    drawn = np.einsum("rk,ki,ri->r", rows, values, columns, optimize=True)
    return np.array([values.mean(), *np.percentile(drawn, [2.5, 97.5])])
