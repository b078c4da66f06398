r"""Exact Bayesian inference with the infinitely wide network as prior, the Gaussian process with covariance K."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from .checks import check_inputs
from .flow import GradientFlow
from .regression import as_kernel, evaluate
from .spectrum import learned


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
    >>> float(mean[0]), float(covariance[0, 0])
    (0.5, 0.5)
    """
    kernel = as_kernel(kernel)
    x_train, x = check_inputs("x_train", x_train), check_inputs("x", x)
    gram = evaluate(kernel, x_train)[0]
    last_layer = GradientFlow.from_gram(gram, gram, y_train, loss="sum", ridge=ridge)
    k11, k1x = evaluate(kernel, x)[0], evaluate(kernel, x, x_train)[0]
    end = jnp.asarray(jnp.inf, gram.dtype)
    covariance = k11 - k1x @ learned(last_layer._clock(end), last_layer.regression.spectrum(), k1x.T)
    return Posterior(last_layer.mean_from(k1x, end), (covariance + covariance.T) / 2)
