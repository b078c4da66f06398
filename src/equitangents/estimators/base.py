"""What all estimators share: the network, the kernel of the training set, mean and variance."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import nets
from ..equivariant.text import parse_net
from ..nets import AbstractActivation, AbstractLayer, Dense, Serial
from .matrices import matrices, variances
from .saving import save
from .solver import Solver, solver


class AbstractKernelEstimator(BaseEstimator):
    """An infinitely wide network, fitted in closed form. Not to be used itself: see its subclasses.

    The network is `net`, a description or its text such as "Serial(Dense(1), Relu(), Dense(1))"; None: `depth` hidden
    layers with `activation` ("relu", "erf", "gelu", ... or a description) and the standard deviations `sigma_w`,
    `sigma_b` of weights and biases. Widths do not matter. `shape` is that of one example as the network takes it, such
    as (8, 8, 1) for images in rows of 64 features; None: (features,).

    Computed in float32 for float32 inputs, else in float64, whatever the flags of JAX.
    """

    def __init__(
        self,
        net=None,
        *,
        depth=2,
        activation="relu",
        sigma_w=2**0.5,
        sigma_b=0.1,
        shape=None,
        ridge=1e-3,
    ):
        self.net = net
        self.depth = depth
        self.activation = activation
        self.sigma_w = sigma_w
        self.sigma_b = sigma_b
        self.shape = shape
        self.ridge = ridge

    def _network(self) -> AbstractLayer:
        if isinstance(self.net, str):
            return parse_net(self.net, W=1)
        if isinstance(self.net, AbstractLayer):
            return self.net
        if self.net is not None:
            raise TypeError(f"expected net as a description, its text, or None; got {self.net!r}. Write Serial(...).")
        if isinstance(self.depth, bool) or not isinstance(self.depth, int | np.integer) or self.depth < 0:
            raise ValueError(f"expected depth as a whole number of hidden layers, at least 0; got {self.depth!r}.")
        hidden = (Dense(1, sigma_w=self.sigma_w, sigma_b=self.sigma_b), _activation(self.activation)) * self.depth
        return Serial(*hidden, Dense(1, sigma_w=self.sigma_w, sigma_b=self.sigma_b))

    def _examples(self, x: np.ndarray) -> np.ndarray:
        if self.shape is None:
            return x
        if np.prod(self.shape) != x.shape[1]:
            raise ValueError(f"expected shape to hold {x.shape[1]} features; got shape={self.shape}. Match it to X.")
        return x.reshape(len(x), *self.shape)

    def _check_numbers(self) -> None:
        if not (np.isfinite(self.ridge) and self.ridge >= 0):
            raise ValueError(f"expected ridge to be finite and at least 0; got {self.ridge!r}. Choose another value.")

    def _time(self, n: int) -> float:
        """Moment of training in the sum loss."""
        return np.inf

    def _kernels(self, x1: np.ndarray, x2: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """NNGP of the prior, and the kernel that learns."""
        return matrices(self._network(), x1, x2)

    def _fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """Fit targets of shape (n, outputs)."""
        self._check_numbers()
        self.X_fit_ = self._examples(np.array(x))
        self._prepare()
        self.dual_coef_ = self._solver(y.astype(x.dtype))

    def _prepare(self) -> None:
        self._nngp, gram = self._kernels(self.X_fit_)
        self._solver: Solver = solver(gram, float(self.ridge), self._time(len(gram)))

    def _mean(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, shape (m, outputs), and the cross kernels it is made of."""
        nngp, cross = self._kernels(x, self.X_fit_)
        return cross @ self.dual_coef_, nngp, cross

    def _variance(self, x: np.ndarray, nngp: np.ndarray, cross: np.ndarray) -> np.ndarray:
        """Variance of each output, shape (m,): over networks that differ in their initialisation alone."""
        if not hasattr(self, "_solver"):  # loaded from a file
            self._prepare()
        b = self._solver(cross.T)
        spread = self._prior(x) - 2 * np.sum(nngp.T * b, axis=0) + np.sum(b * (self._nngp @ b), axis=0)
        return np.maximum(spread, 0)

    def _prior(self, x: np.ndarray) -> np.ndarray:
        """Variance before training, shape (m,)."""
        return variances(self._network(), x)

    def _validated(self, x: Any) -> np.ndarray:
        check_is_fitted(self, "dual_coef_")
        x = validate_data(self, x, dtype=[np.float64, np.float32], reset=False)
        return self._examples(x.astype(self.X_fit_.dtype))

    def save(self, path: Any) -> None:
        """Write the fitted estimator to one file, whole or not at all; `load` reads it back. No pickle.

        Raises:
            ValueError: not fitted, or a network that cannot be written as text.
        """
        check_is_fitted(self, "dual_coef_")
        save(self, path)


class AbstractTrained(AbstractKernelEstimator):
    """Trained by gradient flow until `t`, in the units of `loss`."""

    def __init__(  # scikit-learn reads the names from this signature: they stand here once more
        self,
        net=None,
        *,
        depth=2,
        activation="relu",
        sigma_w=2**0.5,
        sigma_b=0.1,
        shape=None,
        ridge=1e-3,
        t=np.inf,
        loss="mean",
    ):
        super().__init__(
            net, depth=depth, activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, shape=shape, ridge=ridge
        )
        self.t = t
        self.loss = loss

    def _check_numbers(self) -> None:
        super()._check_numbers()
        if self.loss not in ("sum", "mean"):
            raise ValueError(f'expected loss="sum" or loss="mean"; got {self.loss!r}.')
        if not self.t >= 0:
            raise ValueError(f"expected t from 0 to inf; got {self.t!r}. Choose another time.")

    def _time(self, n: int) -> float:
        return float(self.t) / (n if self.loss == "mean" else 1)


def _activation(activation: Any) -> AbstractActivation:
    if isinstance(activation, AbstractActivation):
        return activation
    known = {
        name.lower(): value
        for name, value in vars(nets).items()
        if isinstance(value, type) and issubclass(value, AbstractActivation) and name != "Activation"
    }
    try:
        return known[str(activation).lower()]()
    except (KeyError, TypeError):
        raise ValueError(
            f"expected activation as a description such as Relu(), or its name such as 'relu' or 'erf'; "
            f"got {activation!r}. Write it as nets.Relu()."
        ) from None
