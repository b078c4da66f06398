"""From predictions to numbers with intervals: what is measured of every arm, over the same test items."""

from dataclasses import dataclass

import numpy as np

Number = tuple[float, float, float]  # value, and both ends of its 95 % interval


def binomial_interval(count: int, trials: int, level: float = 0.05) -> tuple[float, float]:
    """The Clopper-Pearson interval of a share, of confidence 1 - level."""
    from scipy.stats import beta

    low = 0.0 if count == 0 else float(beta.ppf(level / 2, count, trials - count + 1))
    high = 1.0 if count == trials else float(beta.ppf(1 - level / 2, count + 1, trials - count))
    return low, high


@dataclass(frozen=True, eq=False)
class Resampling:
    """Bootstrap over test items: the same resamples for all arms, so that differences are paired.

    Attributes:
        y: labels of the items, shape (m,).
        classes: number of classes.
        weights: how often each item is in each resample, shape (resamples, m).
    """

    y: np.ndarray
    classes: int
    weights: np.ndarray

    @classmethod
    def make(cls, y: np.ndarray, classes: int, resamples: int, seed: int) -> "Resampling":
        counts = np.random.default_rng(seed + 4).multinomial(len(y), np.full(len(y), 1 / len(y)), size=resamples)
        return cls(y, classes, counts.astype(np.float64))

    @property
    def one_hot(self) -> np.ndarray:
        return np.eye(self.classes)[self.y]

    def mean(self, values: np.ndarray) -> Number:
        """The mean over items of `values`, shape (m,)."""
        return _number(values.mean(), self.weights @ values / len(values))

    def root_mean(self, squares: np.ndarray) -> Number:
        """The root of the mean over items."""
        value, low, high = self.mean(squares)
        return float(np.sqrt(value)), float(np.sqrt(max(low, 0))), float(np.sqrt(max(high, 0)))

    def by_class(self, values: np.ndarray) -> list[Number]:
        """The mean over the items of each class."""
        own = self.one_hot
        present = self.weights @ own
        with np.errstate(invalid="ignore", divide="ignore"):
            point = values @ own / own.sum(axis=0)
            drawn = self.weights @ (values[:, None] * own) / present
        return [_number(point[c], drawn[:, c]) for c in range(self.classes)]

    def balanced(self, values: np.ndarray) -> Number:
        """The mean over classes of the mean over their items."""
        own = self.one_hot
        own = own[:, own.any(axis=0)]
        present = self.weights @ own
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = self.weights @ (values[:, None] * own) / present
        return _number((values @ own / own.sum(axis=0)).mean(), np.nanmean(drawn, axis=1))


def _number(value: float, drawn: np.ndarray) -> Number:
    drawn = np.sort(drawn[np.isfinite(drawn)])
    if not drawn.size:
        return float(value), np.nan, np.nan
    place = 0.025 * (drawn.size - 1)
    first, part = int(place), place - int(place)
    low = drawn[first] * (1 - part) + drawn[min(first + 1, drawn.size - 1)] * part
    high = drawn[-1 - first] * (1 - part) + drawn[max(-2 - first, -drawn.size)] * part
    return float(value), float(low), float(high)


@dataclass(frozen=True, eq=False)
class Outputs:
    """Predictions of one predictor, or of several drawn alike, on orbits.

    Attributes:
        orbit: shape (draws, |G|, items, classes), the outputs at rho(g) x.
        identity: where the unmoved items are.
        element: a random element for each item, shape (items,).
    """

    orbit: np.ndarray
    identity: int
    element: np.ndarray

    def at(self, inputs: str) -> np.ndarray:
        """Outputs (draws, items, classes) on "canonical" or "rotated" items."""
        if inputs == "rotated":
            return self.orbit[:, self.element, np.arange(self.orbit.shape[2])]
        return self.orbit[:, self.identity]

    def same_prediction(self, inputs: str) -> np.ndarray:
        """On how many elements the prediction is that of the item itself, mean over draws, shape (items,)."""
        best = self.orbit.argmax(axis=-1)
        own = self.at(inputs).argmax(axis=-1)
        return (best == own[:, None]).sum(axis=1).mean(axis=0)

    def squared_deviation(self) -> np.ndarray:
        """Square of `symmetry.orbit_deviation`, mean over draws, shape (items,)."""
        orbit = self.orbit.astype(np.float64)
        apart = orbit - orbit.mean(axis=1, keepdims=True)
        return (apart**2).sum(axis=-1).mean(axis=(0, 1))


def correct(outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The share of draws that get each item right, from outputs (draws, items, classes)."""
    return (outputs.argmax(axis=-1) == y).mean(axis=0)


def confusion(outputs: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """The share of each true class that is predicted as each class, shape (classes, classes)."""
    predicted = np.eye(classes)[outputs.argmax(axis=-1)].mean(axis=0)
    own = np.eye(classes)[y]
    with np.errstate(invalid="ignore"):
        return own.T @ predicted / own.sum(axis=0)[:, None]
