"""What every closed-form trajectory gives: a Gaussian process, its mean and covariance, at each moment of training."""

import abc
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .checks import check_inputs, check_matrix
from .clocks import AbstractClock
from .regression import Regression, evaluate
from .spectrum import Spectrum, learned

Cross = tuple[Array, Array]


class AbstractTrajectory(eqx.Module):
    """Distribution over initialisations of an infinitely wide network in training: a Gaussian process at each moment.

    Outputs are independent and share one kernel, so the mean has the trailing shape of the labels and one covariance
    serves every output. The moment `t` is a number or a 1-D array, which adds a leading axis to the result; inf is
    allowed.
    """

    regression: eqx.AbstractVar[Regression]

    @abc.abstractmethod
    def _clock(self, t: Float[Array, ""]) -> AbstractClock:
        """The moment in units of the sum loss."""

    @abc.abstractmethod
    def _check(self, t: ArrayLike | None) -> None:
        """Raise where `t` is no moment of this training."""

    def mean(self, x: ArrayLike, t: ArrayLike) -> Array:
        r"""Mean predictor $\Theta(x, X) w_t(S) Y$ at test inputs; $f_0$ has mean zero.

        Args:
            x: test inputs, shape (m, ...).
            t: moment in [0, inf], shape () or (times,).

        Returns:
            Shape (m, outputs), or (m,) for labels of shape (n,); times first where `t` has them.

        Raises:
            ValueError: for inputs that are empty or not finite, for negative moments, or without a kernel function.
        """
        self._check(t)
        return self.mean_from(self.regression.cross(check_inputs("x", x))[1], t)

    def mean_train(self, t: ArrayLike) -> Array:
        """Mean predictor at the training inputs, of the shape of the labels; see `mean`."""
        return self.mean_from(self.regression.ntk, t)

    def mean_from(self, ntk_test_train: ArrayLike, t: ArrayLike) -> Array:
        """Mean predictor from the NTK of test with training inputs, shape (m, n); see `mean`."""
        self._check(t)
        problem = self.regression
        n = len(problem.ntk)
        ntk = check_matrix("the test-train NTK", ntk_test_train, (_rows(ntk_test_train), n)).astype(problem.ntk.dtype)
        mean = partial(_mean, problem.spectrum(), problem.y_train, ntk)
        return self._over(mean, t)

    def covariance(self, x1: ArrayLike, x2: ArrayLike | None = None, t: ArrayLike | None = None) -> Array:
        r"""Covariance over initialisations of each output, at test inputs.

        $\Sigma_t(x, x') = K(x, x') - B_t(x) K(X, x') - K(x, X) B_t(x')^T + B_t(x) K(X, X) B_t(x')^T$ with
        $B_t(x) = \Theta(x, X) w_t(S)$ and K the NNGP.

        Args:
            x1, x2: test inputs, shapes (m1, ...) and (m2, ...); None for x2 means x1.
            t: moment in [0, inf], shape () or (times,); must be given.

        Returns:
            Shape (m1, m2), times first where `t` has them.

        Raises:
            ValueError: as for `mean`.
        """
        self._check(t)
        problem = self.regression
        x1 = check_inputs("x1", x1)
        x2 = None if x2 is None else check_inputs("x2", x2)
        cross1 = problem.cross(x1)
        cross2 = None if x2 is None else problem.cross(x2)
        return self.covariance_from(evaluate(problem.kernel, x1, x2)[0], cross1, cross2, t)

    def covariance_from(self, nngp_12: ArrayLike, cross1: Any, cross2: Any, t: ArrayLike | None) -> Array:
        """Covariance from stored kernels; see `covariance`.

        Args:
            nngp_12: NNGP of the two batches, shape (m1, m2).
            cross1: (nngp, ntk) of the first batch with the training inputs, shape (m1, n) each.
            cross2: the same of the second, shape (m2, n) each; None if it is the first.
            t: moment in [0, inf], shape () or (times,).
        """
        self._check(t)
        problem = self.regression
        nngp1, ntk1 = _check_cross("the first batch's", cross1, problem)
        nngp2, ntk2 = (nngp1, ntk1) if cross2 is None else _check_cross("the second batch's", cross2, problem)
        k12 = check_matrix("the test-test NNGP", nngp_12, (len(ntk1), len(ntk2))).astype(problem.ntk.dtype)
        second = None if cross2 is None else (nngp2, ntk2)
        covariance = partial(_covariance, problem.spectrum(), problem.nngp, k12, (nngp1, ntk1), second)
        return self._over(covariance, t)

    def _over(self, at: Callable[[AbstractClock], Array], t: Any) -> Array:
        t = jnp.asarray(t).astype(self.regression.ntk.dtype)
        return jax.vmap(lambda moment: at(self._clock(moment)))(t) if t.ndim else at(self._clock(t))


@jax.jit
def _mean(spectrum: Spectrum, y: Array, ntk: Array, clock: AbstractClock) -> Array:
    weights = learned(clock, spectrum, y.reshape(len(y), -1))
    return (ntk @ weights).reshape(len(ntk), *y.shape[1:])


@jax.jit
def _covariance(
    spectrum: Spectrum, nngp: Array, k12: Array, cross1: Cross, cross2: Cross | None, clock: AbstractClock
) -> Array:
    nngp1, ntk1 = cross1
    nngp2, ntk2 = cross1 if cross2 is None else cross2
    b1 = learned(clock, spectrum, ntk1.T).T
    b2 = b1 if cross2 is None else learned(clock, spectrum, ntk2.T).T
    sigma = k12 - b1 @ nngp2.T - (nngp1 - b1 @ nngp) @ b2.T
    return (sigma + sigma.T) / 2 if cross2 is None else sigma


def _check_cross(name: str, cross: Any, problem: Regression) -> tuple[Array, Array]:
    if not isinstance(cross, tuple | list) or len(cross) != 2:
        raise TypeError(
            f"expected {name} cross kernels as a pair (nngp, ntk); got {type(cross).__name__}. Each has shape (m, n)."
        )
    shape = (_rows(cross[1]), len(problem.ntk))
    nngp = check_matrix(f"{name} cross NNGP", cross[0], shape)
    return nngp.astype(problem.ntk.dtype), check_matrix(f"{name} cross NTK", cross[1], shape).astype(problem.ntk.dtype)


def _rows(matrix: Any) -> int:
    return jnp.shape(matrix)[0] if jnp.ndim(matrix) else 0
