"""What every closed-form trajectory gives: a Gaussian process, its mean and covariance, at each moment of training."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from equitangents.numerics import on_one_thread

from .checks import check_inputs, check_matrix, concrete
from .clocks import AbstractClock
from .inverse import settled
from .polynomial import apply_series, coefficients
from .regression import Regression, evaluate
from .spectrum import is_late, learned
from .untrained import warn_of_untrained

SMALL = 256  # examples below which an eigendecomposition costs next to nothing


class Prediction(NamedTuple):
    """Mean, shape (m, outputs) or (m,), and covariance of each output, shape (m, m); times first, if any."""

    mean: Array
    covariance: Array


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
        y = problem.y_train
        return (ntk @ self._learned(t, y.reshape(n, -1))).reshape(*jnp.shape(t), len(ntk), *y.shape[1:])

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
        b1 = self._learned(t, ntk1.T)
        if cross2 is None:
            return _covariance(problem.nngp, k12, nngp1, None, b1, None)
        return _covariance(problem.nngp, k12, nngp1, nngp2, b1, self._learned(t, ntk2.T))

    def predict(self, x: ArrayLike, t: ArrayLike) -> Prediction:
        """Mean and covariance at test inputs in one pass: kernels are evaluated and systems solved once.

        Args:
            x: test inputs, shape (m, ...).
            t: moment in [0, inf], shape () or (times,).

        Returns:
            Named tuple: mean as from `mean`, covariance as from `covariance`.

        Raises:
            ValueError: as for `mean`.
        """
        self._check(t)
        x = check_inputs("x", x)
        return self.predict_from(evaluate(self.regression.kernel, x)[0], self.regression.cross(x), t)

    def predict_from(self, nngp: ArrayLike, cross: Any, t: ArrayLike) -> Prediction:
        """The same from stored kernels: NNGP of the test inputs, and (nngp, ntk) of these with the training inputs."""
        self._check(t)
        problem = self.regression
        nngp1, ntk1 = _check_cross("the", cross, problem)
        k11 = check_matrix("the test-test NNGP", nngp, (len(ntk1), len(ntk1))).astype(problem.ntk.dtype)
        b = self._learned(t, ntk1.T)
        mean = (jnp.swapaxes(b, -1, -2) @ problem.y_train.reshape(len(problem.ntk), -1)).reshape(
            *jnp.shape(t), len(ntk1), *problem.y_train.shape[1:]
        )
        return Prediction(mean, _covariance(problem.nngp, k11, nngp1, None, b, None))

    def _learned(self, t: Any, b: Float[Array, "n m"]) -> Float[Array, "*times n m"]:
        """w_t(S) b by the cheapest way that gives all digits.

        The end of training takes a Cholesky factor; one early moment, where numbers can be looked at, a series in
        products with S, if that costs at most half an eigendecomposition; all else the eigendecomposition.
        """
        problem, moments = self.regression, concrete(t)
        if moments is not None and moments.size and np.isinf(moments).all():
            inverse = problem.inverse()
            if concrete(inverse.definite) is not None and not inverse.definite:
                warn_of_untrained(inverse.values)
            end = on_one_thread(len(b), lambda: settled(inverse, b))
            return jnp.broadcast_to(end, (*moments.shape, *end.shape)) if moments.ndim else end
        t = jnp.asarray(t).astype(problem.ntk.dtype)
        if t.ndim:
            return self._decomposed(t, moments, b)
        most = 3 * len(b) // (b.shape[1] + 20)
        if moments is None or len(b) < SMALL or most < 8 or problem.decomposed() or not problem.is_known():
            return self._decomposed(t, moments, b)
        with jax.ensure_compile_time_eval():  # b may be traced, the moment and S are numbers
            clock = self._clock(jnp.asarray(moments, problem.ntk.dtype))
            c = coefficients(clock, problem.bound(), problem.ntk.dtype, most)
            if c is not None and len(c) * 3 * b.shape[1] <= len(b):  # less than to deflate
                return apply_series(c, problem.matrix(), problem.bound(), b)
            parts = problem.deflated()
            few = None
            if parts is not None and not bool(is_late(clock, parts.values[0])):
                few, gains = coefficients(clock, parts.bound, problem.ntk.dtype, most), clock.gain(parts.values)
        if parts is not None and few is not None:
            inside = parts.vectors.T @ b
            outside = apply_series(few, parts.rest, parts.bound, b - parts.vectors @ inside)
            return parts.vectors @ (gains[:, None] * inside) + outside
        if c is None:
            return self._decomposed(t, moments, b)
        return apply_series(c, problem.matrix(), problem.bound(), b)

    def _decomposed(self, t: Array, moments: np.ndarray | None, b: Float[Array, "n m"]) -> Float[Array, "*times n m"]:
        """w_t(S) b by the eigendecomposition; a warning where the last moment is late and float32 leaves some out."""
        spectrum = self.regression.spectrum()
        single = spectrum.values.dtype == jnp.float32
        if single and moments is not None and moments.size and self.regression.is_known():
            with jax.ensure_compile_time_eval():
                clock = self._clock(jnp.asarray(moments.max(), t.dtype))
                numbers = all(concrete(leaf) is not None for leaf in jax.tree.leaves(clock))
                if numbers and is_late(clock, spectrum.values[-1]):
                    warn_of_untrained(spectrum.values)
        if t.ndim:
            return jax.vmap(lambda moment: learned(self._clock(moment), spectrum, b))(t)
        return learned(self._clock(t), spectrum, b)


def _covariance(nngp: Array, k12: Array, nngp1: Array, nngp2: Array | None, b1: Array, b2: Array | None) -> Array:
    """At one moment or at several, which lead b1 and b2, shape (..., n, m); None is the first batch again."""
    if b1.ndim == 2:
        return _covariance_once(nngp, k12, nngp1, nngp2, b1, b2)
    return jax.vmap(lambda b, c: _covariance_once(nngp, k12, nngp1, nngp2, b, c))(b1, b2)


@jax.jit
def _covariance_once(nngp: Array, k12: Array, nngp1: Array, nngp2: Array | None, b1: Array, b2: Array | None) -> Array:
    if nngp2 is None or b2 is None:
        sigma = k12 - b1.T @ nngp1.T - (nngp1 - (nngp @ b1).T) @ b1
        return (sigma + sigma.T) / 2
    return k12 - b1.T @ nngp2.T - (nngp1 - (nngp @ b1).T) @ b2


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
