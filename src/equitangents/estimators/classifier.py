"""Classification with infinitely wide networks."""

from typing import Any

import numpy as np
from scipy.special import ndtr
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .base import AbstractTrained


class NTKClassifier(ClassifierMixin, AbstractTrained):
    r"""Infinitely wide networks trained on one-hot labels, shifted to mean zero, by gradient flow on squared loss.

    One output for each class; the largest wins. `predict_proba` is the fraction of networks of the ensemble that vote
    for a class. Their outputs are independent Gaussians of one variance $\sigma^2$ around the means $\mu_k$, so it is
    $p_k = E_z \prod_{j \ne k} \Phi(z + (\mu_k - \mu_j) / \sigma)$ with z standard normal.

    Args:
        net, depth, activation, sigma_w, sigma_b, shape, ridge, t, loss: as `NTKRegressor`.

    >>> import numpy as np
    >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> NTKClassifier().fit(x, ["left", "left", "right", "right"]).predict([[-1.5], [1.5]]).tolist()
    ['left', 'right']
    """

    def fit(self, X: Any, y: Any) -> Any:
        """Fit to X of shape (n, features) and labels y of shape (n,)."""
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        classes = len(self.classes_)
        if classes < 2:
            raise ValueError(
                f"expected at least two classes, got one class, {self.classes_[0]!r}; nothing to tell apart."
            )
        self._fit(X, np.eye(classes)[index] - 1 / classes)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Mean output for each class, shape (m, classes); for two classes the difference second minus first, (m,)."""
        mean = self._mean(self._validated(X))[0]
        return mean[:, 1] - mean[:, 0] if len(self.classes_) == 2 else mean

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest mean output, shape (m,)."""
        mean = self._mean(self._validated(X))[0]
        return self.classes_[np.argmax(mean, axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Fraction of trained networks that vote for each class, shape (m, classes)."""
        x = self._validated(X)
        mean, nngp, cross = self._mean(x)
        std = np.sqrt(self._variance(x, nngp, cross))
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        floor = np.finfo(mean.dtype).eps * (1 + np.abs(mean).max())
        apart = (mean[:, :, None] - mean[:, None, :]) / np.maximum(std, floor)[:, None, None]
        votes = np.empty(mean.shape)
        for k in range(len(self.classes_)):
            others = np.delete(apart[:, k], k, axis=1)
            votes[:, k] = np.prod(ndtr(nodes[None, :, None] + others[:, None, :]), axis=2) @ weights
        return votes / votes.sum(axis=1, keepdims=True)
