r"""The marginal likelihood of labels under a Gaussian process, and hyperparameters that maximise it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from equitangents.numerics import on_one_thread

from .checks import check_gram, check_inputs, check_number, check_targets, concrete
from .regression import as_kernel, evaluate

WHICH = ("nngp", "ntk")


def log_marginal_likelihood(
    kernel: Any, x: ArrayLike, y: ArrayLike, *, ridge: ArrayLike, which: str = "nngp"
) -> Float[Array, ""]:
    r"""$\log p(Y) = -\frac12 \mathrm{tr}\, Y^T S^{-1} Y - \frac{c}{2} \log\det S - \frac{n c}{2} \log 2\pi$.

    Here $S = K(X, X) + \lambda$ and c is the number of outputs, independent of each other. Differentiable in the
    numbers of the description, in the ridge and in the inputs; works under `jit` and `vmap`.

    Args:
        kernel: a description of a network, or a function (x1, x2) -> (nngp, ntk).
        x, y: inputs (n, ...) and labels (n, outputs) or (n,).
        ridge: variance of the noise on the labels, at least 0.
        which: "nngp", or "ntk" for the NTK as covariance.

    Raises:
        ValueError: for shapes that do not fit, or a matrix S that is not positive definite.

    References:
        Rasmussen and Williams (2006), equation (2.30).

    >>> import jax.numpy as jnp
    >>> kernel = lambda x1, x2=None: (x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> round(float(log_marginal_likelihood(kernel, jnp.ones((1, 1)), jnp.zeros(1), ridge=1.0)), 4)  # -log(4 pi) / 2
    -1.2655
    """
    if which not in WHICH:
        raise ValueError(f'expected which="nngp" or which="ntk"; got {which!r}. Choose the covariance.')
    check_number("ridge", ridge)
    x = check_inputs("x", x)
    gram = check_gram(which.upper(), evaluate(as_kernel(kernel), x)[WHICH.index(which)])
    y = check_targets(y, len(gram), gram.dtype).reshape(len(gram), -1)
    value = _log_likelihood(gram, jnp.asarray(ridge).astype(gram.dtype), y)
    number = concrete(value)
    if number is not None and not np.isfinite(number):
        raise ValueError(
            f"expected the {which.upper()} plus ridge {ridge} to be positive definite; its Cholesky factor does not "
            "exist. Raise the ridge, remove repeated inputs, or use float64."
        )
    return value


@jax.jit
def _log_likelihood(gram: Array, ridge: Array, y: Array) -> Array:
    n, outputs = y.shape
    lower = jnp.linalg.cholesky(gram + jnp.diag(jnp.full(n, ridge)))
    white = lax.linalg.triangular_solve(lower, y, left_side=True, lower=True)
    log_det = 2 * jnp.sum(jnp.log(jnp.diagonal(lower)))
    return -(jnp.sum(white**2) + outputs * log_det + outputs * n * np.log(2 * np.pi)) / 2


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Hyperparameters at the maximum of the marginal likelihood.

    Attributes:
        values: name -> number.
        log_errors: name -> standard error of its logarithm, from the curvature at the maximum (Laplace).
        log_covariance: covariance of the logarithms, in the order of `values`; shape (numbers, numbers).
        log_likelihood: the maximum.
        evaluations: calls of the marginal likelihood with its gradient.
    """

    values: dict[str, float]
    log_errors: dict[str, float]
    log_covariance: np.ndarray
    log_likelihood: float
    evaluations: int


def fit_hyperparameters(
    build: Callable[..., Any],
    x: ArrayLike,
    y: ArrayLike,
    start: Mapping[str, float],
    *,
    which: str = "nngp",
    bounds: tuple[float, float] = (1e-6, 1e6),
) -> Fitted:
    r"""Positive numbers of a description, and the ridge, that maximise `log_marginal_likelihood`: L-BFGS in their log.

    Args:
        build: makes a description, or a kernel function, of the numbers in `start` other than "ridge", by keyword; the
            numbers are arrays of shape () of the precision of x.
        x, y: inputs (n, ...) and labels (n, outputs) or (n,).
        start: name -> number above 0 to begin with; "ridge" must be among them, and is fitted too.
        which: "nngp" or "ntk".
        bounds: of each number, times its start.

    Returns:
        `Fitted`. The errors are standard deviations of the Gaussian with the curvature of the likelihood at the
        maximum, differences of its gradient; nan where the data do not determine a number.

    Raises:
        ValueError: for numbers that are not positive, no "ridge", or a start where S is not positive definite.

    References:
        Rasmussen and Williams (2006), section 5.4.1; MacKay (1999), Neural Computation 11, 1035 (errors in the log).

    >>> import jax.numpy as jnp
    >>> kernel = lambda scale: lambda x1, x2=None: (scale * x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> x, y = jnp.eye(2), jnp.array([[2.0, 1.0], [1.0, 2.0]])
    >>> fitted = fit_hyperparameters(kernel, x, y, {"scale": 1.0, "ridge": 1.0})
    >>> round(fitted.values["scale"] + fitted.values["ridge"], 2)  # the variance of the labels
    2.5
    """
    from scipy.optimize import minimize  # slow to import

    if "ridge" not in start:
        raise ValueError(f'expected a start for "ridge", the variance of the noise; got {sorted(start)}. Add it.')
    for name, value in start.items():
        check_number(name, value, strict=True)
    names = tuple(start)
    x, y = check_inputs("x", x), jnp.asarray(y)
    dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else jnp.result_type(float)
    origin = np.log([float(start[name]) for name in names])

    def objective(logs: np.ndarray) -> tuple[float, np.ndarray]:
        at = jnp.asarray(logs, dtype)
        value, gradient = on_one_thread(len(x), lambda: _negative(at, build, x, y, names, which))
        if not np.isfinite(value):
            return np.inf, np.zeros_like(logs)
        return float(value), np.asarray(gradient, np.float64)

    if not np.isfinite(objective(origin)[0]):
        raise ValueError(f"expected a positive definite matrix at the start {dict(start)}. Start from a larger ridge.")
    low, high = np.log(bounds)
    found = minimize(objective, origin, jac=True, method="L-BFGS-B", bounds=[(o + low, o + high) for o in origin])
    step = float(jnp.finfo(dtype).eps) ** 0.25
    rows = [objective(found.x + step * e)[1] - objective(found.x - step * e)[1] for e in np.eye(len(names))]
    covariance = _inverse(np.stack(rows) / (2 * step))
    return Fitted(
        dict(zip(names, map(float, np.exp(found.x)), strict=True)),
        dict(zip(names, map(float, np.sqrt(np.diagonal(covariance))), strict=True)),
        covariance,
        -float(found.fun),
        int(found.nfev) + 1 + 2 * len(names),
    )


@eqx.filter_jit  # compiled once for all data of one shape
@eqx.filter_value_and_grad
def _negative(logs: Array, build: Any, x: Array, y: Array, names: tuple[str, ...], which: str) -> Array:
    numbers = dict(zip(names, jnp.exp(logs), strict=True))
    ridge = numbers.pop("ridge")
    return -log_marginal_likelihood(build(**numbers), x, y, ridge=ridge, which=which)


def _inverse(curvature: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    if values[0] <= 0:
        return np.full_like(curvature, np.nan)
    return (vectors / values) @ vectors.T
