r"""Exact Bayesian inference with the infinitely wide network as prior: the Gaussian process of K or of Theta."""

from typing import Any, NamedTuple

from jax.typing import ArrayLike
from jaxtyping import Array

from equitangents.numerics import on_one_thread

from .checks import check_inputs
from .flow import GradientFlow
from .inverse import settled
from .regression import as_kernel, evaluate


class Posterior(NamedTuple):
    """Mean, shape (m, outputs) or (m,), and covariance of each output, shape (m, m)."""

    mean: Array
    covariance: Array


def nngp_posterior(kernel: Any, x_train: ArrayLike, y_train: ArrayLike, x: ArrayLike, *, ridge: ArrayLike) -> Posterior:
    r"""Posterior of the network's outputs, mean $K(x, X) S^{-1} Y$, covariance $K(x, x) - K(x, X) S^{-1} K(X, x)$.

    Here $S = K(X, X) + \lambda$. The ridge is the variance of Gaussian noise on the labels; at ridge 0, S^{-1} is the
    pseudo-inverse. The mean is that of training the last layer alone to the end (`GradientFlow` with the NNGP for NTK,
    t = inf). At ridge 0 so is the covariance; otherwise that ensemble, which fits the same labels in each member,
    varies less by $\lambda K(x, X) S^{-2} K(X, x)$.

    Args:
        kernel: a description of a network, or a function (x1, x2) -> (nngp, ntk); the NTK is not used.
        x_train, y_train: training inputs (n, ...) and labels (n, outputs) or (n,).
        x: test inputs, shape (m, ...).
        ridge: variance of the noise, at least 0; no default.

    Returns:
        Named tuple (mean, covariance).

    Raises:
        ValueError, TypeError: as `GradientFlow`.

    References:
        Lee et al. (2018), arXiv:1711.00165.

    >>> import jax.numpy as jnp
    >>> kernel = lambda x1, x2=None: (x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> mean, covariance = nngp_posterior(kernel, jnp.ones((1, 1)), jnp.ones(1), jnp.ones((1, 1)), ridge=1.0)
    >>> round(float(mean[0]), 6), round(float(covariance[0, 0]), 6)
    (0.5, 0.5)
    """
    return _posterior(kernel, x_train, y_train, x, ridge, 0)


def ntkgp_posterior(
    kernel: Any, x_train: ArrayLike, y_train: ArrayLike, x: ArrayLike, *, ridge: ArrayLike
) -> Posterior:
    r"""The same with the NTK as covariance of the prior: mean $\Theta(x, X) S^{-1} Y$, $S = \Theta(X, X) + \lambda$.

    The mean is that of `GradientFlow` at t = inf; the covariance is exact Bayesian inference, which that of trained
    ensembles is not. An ensemble that adds to each network a random function which makes its prior the NTK has it too.

    Args, returns, raises: as `nngp_posterior`; the NNGP is not used.

    References:
        He, Lakshminarayanan and Teh (2020), arXiv:2007.05864, section 3.

    >>> import jax.numpy as jnp
    >>> kernel = lambda x1, x2=None: (0 * x1 @ (x1 if x2 is None else x2).T, x1 @ (x1 if x2 is None else x2).T)
    >>> mean, covariance = ntkgp_posterior(kernel, jnp.ones((1, 1)), jnp.ones(1), jnp.ones((1, 1)), ridge=1.0)
    >>> round(float(mean[0]), 6), round(float(covariance[0, 0]), 6)
    (0.5, 0.5)
    """
    return _posterior(kernel, x_train, y_train, x, ridge, 1)


def _posterior(kernel: Any, x_train: Any, y_train: Any, x: Any, ridge: ArrayLike, which: int) -> Posterior:
    kernel = as_kernel(kernel)
    x_train, x = check_inputs("x_train", x_train), check_inputs("x", x)
    gram = evaluate(kernel, x_train)[which]
    problem = GradientFlow.from_gram(gram, gram, y_train, loss="sum", ridge=ridge).regression
    k11, k1x = evaluate(kernel, x)[which], evaluate(kernel, x, x_train)[which]
    b = on_one_thread(len(gram), lambda: settled(problem.inverse(), k1x.T.astype(gram.dtype)))
    covariance = k11 - k1x @ b
    mean = (b.T @ problem.y_train.reshape(len(gram), -1)).reshape(len(k1x), *problem.y_train.shape[1:])
    return Posterior(mean, (covariance + covariance.T) / 2)
