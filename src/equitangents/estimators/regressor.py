"""Regression with infinitely wide networks."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from .base import AbstractKernelEstimator, AbstractTrained


class _Regressor(RegressorMixin, AbstractKernelEstimator):
    def fit(self, X: Any, y: Any) -> Any:
        """Fit to X of shape (n, features) and y of shape (n,) or (n, outputs)."""
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True)
        self._one_output = y.ndim == 1
        self._fit(X, y.reshape(len(y), -1))
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Mean, shape (m,) or (m, outputs); with `return_std` a tuple of it and the standard deviation, same shape."""
        x = self._validated(X)
        mean, nngp, cross = self._mean(x)
        if not return_std:
            return mean[:, 0] if self._one_output else mean
        std = np.sqrt(self._variance(x, nngp, cross))
        return (mean[:, 0], std) if self._one_output else (mean, np.repeat(std[:, None], mean.shape[1], axis=1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class NTKRegressor(AbstractTrained, _Regressor):
    r"""The mean of an infinite ensemble of infinitely wide networks, trained by gradient flow on squared loss.

    $\mu_t(x) = \Theta(x, X) w_t(S) Y$, $S = \Theta(X, X) + \lambda$, $w_t(s) = (1 - e^{-s t}) / s$; see
    `equitangents.dynamics.GradientFlow`. The standard deviation is that of one network of the ensemble.

    Args:
        net, depth, activation, sigma_w, sigma_b, shape: the network; see `AbstractKernelEstimator`.
        ridge: penalty on the way that parameters have moved, at least 0.
        t: moment of training in units of 1 / learning rate; inf is the end.
        loss: "mean" or "sum" over examples of half the square: it sets the unit of t.

    References:
        Jacot et al. (2018), arXiv:1806.07572; Lee et al. (2019), arXiv:1902.06720.

    >>> import numpy as np
    >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 0.0])
    >>> mean, std = NTKRegressor(ridge=0.0).fit(x, y).predict(x, return_std=True)
    >>> bool(np.allclose(mean, y)) and bool((std < 1e-6).all())
    True
    """


class NNGPRegressor(_Regressor):
    r"""Bayesian inference with an infinitely wide network as prior: the Gaussian process with the NNGP as covariance.

    Mean $K(x, X) S^{-1} Y$, variance $K(x, x) - K(x, X) S^{-1} K(X, x)$ of the function, without the noise;
    $S = K(X, X) + \lambda$; see `equitangents.dynamics.nngp_posterior`.

    Args:
        net, depth, activation, sigma_w, sigma_b, shape: the network; see `AbstractKernelEstimator`.
        ridge: variance of Gaussian noise on the targets, at least 0.

    References:
        Lee et al. (2018), arXiv:1711.00165.

    >>> import numpy as np
    >>> x, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 0.0])
    >>> mean, std = NNGPRegressor(ridge=1.0).fit(x, y).predict(10 * x, return_std=True)
    >>> bool(std[2] > std[1] > std[0])
    True
    """

    def _kernels(self, x1: np.ndarray, x2: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        nngp, _ = super()._kernels(x1, x2)
        return nngp, nngp

    def _variance(self, x: np.ndarray, nngp: np.ndarray, cross: np.ndarray) -> np.ndarray:
        if not hasattr(self, "_solver"):  # loaded from a file
            self._prepare()
        return np.maximum(self._prior(x) - np.sum(cross.T * self._solver(cross.T), axis=0), 0)
