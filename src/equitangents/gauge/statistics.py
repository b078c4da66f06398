"""Means of Markov chains with honest errors."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class ChainMean(NamedTuple):
    """The mean, its standard error, and the integrated autocorrelation time in steps (0.5 for independent draws)."""

    mean: float
    error: float
    time: float


def autocorrelation_time(series: ArrayLike, window: float = 5.0) -> float:
    r"""$\tau = \frac12 + \sum_{t=1}^{W} \rho(t)$ with the smallest $W \ge$ window $\times\, \tau$.

    Args:
        series: (steps,) or (steps, chains), after thermalisation.
        window: larger: less bias, more noise.

    Raises:
        ValueError: another shape, or fewer than 8 steps.

    References:
        Madras and Sokal (1988), J. Stat. Phys. 50, 109; Wolff (2004), arXiv:hep-lat/0306017.

    >>> draws = np.random.default_rng(0).normal(size=100_000)
    >>> abs(autocorrelation_time(draws) - 0.5) < 0.05
    True
    """
    series = _series(series)
    steps = len(series)
    centred = series - series.mean()
    power = np.abs(np.fft.rfft(centred, 2 * steps, axis=0)) ** 2
    covariance = np.fft.irfft(power, axis=0)[:steps].mean(1) / np.arange(steps, 0, -1)
    if covariance[0] == 0:
        return 0.5
    times = np.cumsum(covariance / covariance[0]) - 0.5
    wide = np.arange(steps) >= window * times
    return float(max(times[np.argmax(wide)] if wide.any() else times[-1], 0.5))


def chain_mean(series: ArrayLike) -> ChainMean:
    r"""The mean of a chain, or of several of equal length, with the error $\sigma \sqrt{2 \tau / n}$.

    Args:
        series: (steps,) or (steps, chains), after thermalisation.
    """
    series = _series(series)
    time = autocorrelation_time(series)
    return ChainMean(float(series.mean()), float(series.std() * np.sqrt(2 * time / series.size)), time)


def _series(series: ArrayLike) -> np.ndarray:
    series = np.asarray(series, float)
    if series.ndim not in (1, 2) or len(series) < 8:
        raise ValueError(
            f"expected a series (steps,) or (steps, chains) of at least 8 steps, got shape {series.shape}."
        )
    return series.reshape(len(series), -1)
