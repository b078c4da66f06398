"""Distances between means of samples without the bias of their noise, and scalings with standard errors."""

from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float

    @property
    def z(self) -> float:
        """The number in units of its error."""
        return self.value / self.error


def mean_square(samples: np.ndarray, other: np.ndarray | None = None) -> Estimate:
    r"""$|E a - E b|^2$, mean over entries: $|\bar a - \bar b|^2 - s_a^2 / M_a - s_b^2 / M_b$, unbiased.

    It may be negative where there is nothing but noise. With S the covariance of $\bar a - \bar b$ and $\delta$ its
    mean, the variance of the sum over entries is $4 \delta^T S \delta + 2\, \mathrm{tr}\, S^2$ for Gaussian means;
    both terms are estimated from products of different samples, as entries may outnumber samples.

    Args:
        samples: independent, along the first axis, shape (M_a, ...), M_a at least 2.
        other: of b, shape (M_b, ...); None: b = 0.

    >>> mean_square(np.array([[3.0], [5.0]])).value  # 16 - 2 / 2
    15.0
    """
    sets = [np.asarray(s, float).reshape(len(s), -1) for s in (samples, other) if s is not None]
    centred = [s - s.mean(0) for s in sets]
    delta = sets[0].mean(0) - (sets[1].mean(0) if len(sets) > 1 else 0.0)
    along, trace, noise = 0.0, 0.0, 0.0  # delta^T S delta + tr S^2, tr S^2, tr S
    for x in centred:
        m, gram = len(x), x @ x.T
        own = np.diagonal(gram)
        noise += float(np.sum(own)) / (m * (m - 1))
        along += float(np.mean((x @ delta) ** 2)) / m  # centred samples are independent of their mean
        trace += float(np.sum(gram**2) - np.sum(own**2)) / (m * (m - 1)) / m**2
    if len(sets) > 1:
        trace += 2 * float(np.mean((centred[0] @ centred[1].T) ** 2)) / (len(sets[0]) * len(sets[1]))
    variance = max(4 * along - 2 * trace, trace)
    return Estimate(float((delta @ delta - noise) / delta.size), float(np.sqrt(variance) / delta.size))


def root(square: Estimate) -> Estimate:
    """The square root; of a negative estimate 0, with the error that an estimate of its own error's size would have."""
    value = np.sqrt(max(square.value, 0.0))
    return Estimate(float(value), float(square.error / (2 * max(value, np.sqrt(square.error / 2)))))


def mean_of(samples: np.ndarray) -> Estimate:
    """Mean of independent numbers, shape (M,)."""
    return Estimate(float(np.mean(samples)), float(np.std(samples, ddof=1) / np.sqrt(len(samples))))


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Of two independent estimates."""
    return Estimate(a.value - b.value, float(np.hypot(a.error, b.error)))


def power(x: np.ndarray, y: list[Estimate]) -> Estimate:
    """The exponent p of y ~ x^p: weighted least squares of the logarithms, its error from those of y.

    >>> round(power(np.array([1.0, 2.0, 4.0]), [Estimate(v, 0.01) for v in (4.0, 2.0, 1.0)]).value, 12)
    -1.0
    """
    values = np.array([e.value for e in y])
    weight = (values / np.array([e.error for e in y])) ** 2
    u = np.log(np.asarray(x, float))
    u = u - np.average(u, weights=weight)
    curvature = float(np.sum(weight * u**2))
    return Estimate(float(np.sum(weight * u * np.log(values)) / curvature), curvature**-0.5)
