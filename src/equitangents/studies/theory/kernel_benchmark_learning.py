r"""Learning curves of kernel regression, and how many examples one saves over another.

$$\text{factor}(n) = n / n', \qquad \text{error}'(n') = \text{error}(n)$$

for the plain kernel's error after n examples and the size n' at which the other curve reaches it, by linear
interpolation of log error in log n.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from ...numerics.threads import on_one_thread

BEYOND = 4.0


class Fit(NamedTuple):
    """Coefficients (n, outputs), and the ridge that leave-one-out errors chose, as it is added to the diagonal."""

    coefficients: np.ndarray
    ridge: float


def fit(k: np.ndarray, y: np.ndarray, ridges: tuple[float, ...]) -> Fit:
    r"""$\alpha = (K + \lambda I)^{-1} y$ for the ridge with the least leave-one-out error of all.

    The error of the i-th example left out is $\alpha_i / [(K + \lambda I)^{-1}]_{ii}$.

    Args:
        k: symmetric, (n, n).
        y: (n, outputs).
        ridges: in units of the mean diagonal of k.

    References:
        Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, equation (5.12).
    """
    values, vectors = on_one_thread(len(k), lambda: np.linalg.eigh((k + k.T) / 2))
    turned, unit = vectors.T @ y, float(np.mean(np.diagonal(k)))
    best: tuple[float, Fit] | None = None
    for ridge in ridges:
        inverse = 1 / (np.maximum(values, 0) + ridge * unit)
        alpha = vectors @ (inverse[:, None] * turned)
        diagonal = (vectors**2) @ inverse
        error = float(np.mean((alpha / diagonal[:, None]) ** 2))
        if best is None or error < best[0]:
            best = error, Fit(alpha, ridge * unit)
    assert best is not None
    return best[1]


def solved(k: np.ndarray, ridge: float, y: np.ndarray) -> np.ndarray:
    r"""$(K + \lambda I)^{-1} y$; k is overwritten."""
    k[np.diag_indices(len(k))] += ridge
    return on_one_thread(len(k), lambda: scipy.linalg.solve(k, y, assume_a="pos", overwrite_a=True))


def resampled(losses: tuple[np.ndarray, ...], resamples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Mean losses (resamples, sizes) of resampled draws and test examples, the same ones for all arrays.

    Args:
        losses: (draws, sizes, tests) each.
        resamples: how many.
        rng: of the choice.
    """
    draws, _, tests = losses[0].shape
    d = rng.multinomial(draws, np.full(draws, 1 / draws), resamples) / draws
    t = rng.multinomial(tests, np.full(tests, 1 / tests), resamples) / tests
    return tuple(np.einsum("bd,dst,bt->bs", d, loss, t, optimize=True) for loss in losses)


def interval(losses: np.ndarray, resamples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean losses of each size, and their 95 % intervals over draws and test examples."""
    low, high = np.quantile(resampled((losses,), resamples, rng)[0], (0.025, 0.975), axis=0)
    return losses.mean((0, 2)), low, high


class Factor(NamedTuple):
    """How many times more examples the plain kernel needs, at each of its training sizes; 95 % intervals.

    Attributes:
        value, low, high: shape (sizes,).
        bound: where the other curve starts below that error already: the factor is at least this.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    bound: np.ndarray


def data_efficiency(
    plain: np.ndarray, other: np.ndarray, sizes: tuple[int, ...], resamples: int, rng: np.random.Generator
) -> Factor:
    """The factor with a bootstrap over draws of the training set and over test examples, the same for both curves.

    Args:
        plain, other: losses of each draw, size and test example, (draws, sizes, tests), paired.
        sizes: increasing.
        resamples: number of the bootstrap.
        rng: of the bootstrap.
    """
    n = np.asarray(sizes, float)
    value, bound = horizontal(plain.mean((0, 2)), other.mean((0, 2)), n)
    pairs = zip(*resampled((plain, other), resamples, rng), strict=True)
    found = np.array([horizontal(one, two, n)[0] for one, two in pairs])
    low, high = np.quantile(found, (0.025, 0.975), axis=0)
    return Factor(value, low, high, bound)


def horizontal(plain: np.ndarray, other: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The factor at each size, and whether it is only a bound.

    Beyond the largest size the other curve goes on with its mean slope, until `BEYOND` times that size.

    >>> n = np.array([8.0, 16.0, 32.0])
    >>> value, bound = horizontal(1 / n, 0.5 / n, n)
    >>> value.round(6).tolist(), bound.tolist()
    ([1.0, 2.0, 2.0], [True, False, False])
    """
    tiny = 1e-12
    log_n, log_e = np.log(n), np.log(np.maximum(np.minimum.accumulate(other), tiny))
    wanted = np.log(np.maximum(plain, tiny))
    slope = min((log_e[-1] - log_e[0]) / (log_n[-1] - log_n[0]), -1e-3)
    reached = np.interp(-wanted, -log_e, log_n)
    beyond = np.minimum((wanted - log_e[-1]) / slope, np.log(BEYOND))
    reached = np.where(wanted < log_e[-1], log_n[-1] + beyond, reached)
    bound = wanted > log_e[0]
    return np.exp(log_n - reached), bound
