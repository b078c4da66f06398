r"""Training of infinitely wide networks under squared loss, in closed form.

$f_t(x) = f_0(x) + \Theta(x, X) \, w_t(S) \, (Y - f_0(X))$, $S = \Theta(X, X) + \lambda$, $w_t(s) = (1 - e^{-s t}) / s$.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .checks import check_momentum, check_number, check_times, concrete
from .clocks import BITS, AbstractClock, DescentClock, FlowClock, MomentumClock
from .rates import rate_limit
from .regression import Regression, from_gram, from_kernel
from .trajectory import AbstractTrajectory


class GradientFlow(AbstractTrajectory):
    r"""Gradient flow of an infinitely wide network on squared loss: mean and covariance at any time.

    Each network of the ensemble follows $f_t(x) = f_0(x) + \Theta(x, X) \, w_t(S) \, (Y - f_0(X))$, where
    $f_0 \sim N(0, K)$, $S = \Theta(X, X) + \lambda$ and $w_t(s) = (1 - e^{-s t}) / s$. Time is in units of
    1 / learning rate.

    **Loss.** "sum" is $L = \frac12 \sum_i |f(x_i) - y_i|^2$ over the N training examples and all outputs. "mean"
    is L / N: t above becomes t / N.

    **Ridge.** The penalised loss is $L + \frac\lambda2 |\theta - \theta_0|^2$ for "sum", and that divided by N for
    "mean", so that a ridge means the same for both: the mean ends at $\Theta(x, X) (\Theta(X, X) + \lambda)^{-1} Y$.
    The linearised network moves in the span of the training gradients J, $\theta_t - \theta_0 = J^T a_t$ with
    $J J^T = \Theta(X, X)$, so $\dot a = Y - f_0(X) - S a$ and $a_t = w_t(S) (Y - f_0(X))$. Training on full orbits of
    a group of order |G| with ridge $\lambda$ has the mean of training with the group-averaged kernel and ridge
    $\lambda / |G|$.

    **Zero modes.** Repeated or symmetric inputs give eigenvectors with eigenvalue zero. Nothing is learned along
    them: t = inf is the pseudo-inverse; where equal inputs have different labels, it predicts their mean. An
    eigenvalue of S below about 10 eps times the largest counts as zero once t times the largest exceeds eps**-1/2
    (eps = 2.2e-16 in float64, 1.2e-7 in float32, where a warning says how many were larger than rounding).

    **Transformations.** A pytree: works under `jit` and `vmap`. First derivatives with respect to inputs, labels,
    time, ridge and the training kernel (so the numbers of a description) exist, also where eigenvalues repeat; second
    derivatives with respect to training kernel and ridge raise NotImplementedError. All is computed in the precision
    of the training NTK; set a ridge or use float64 late.

    Args:
        kernel: a description of a network, or any function (x1, x2) -> (nngp, ntk), x2 = None meaning x1, of shape
            (n1, n2) each. A plain function counts as static; parameters to differentiate belong in a module or pytree.
        x_train: shape (n, ...).
        y_train: shape (n, outputs) or (n,); converted to the precision of the kernel.
        loss: "sum" or "mean"; no default.
        ridge: penalty, at least 0.

    Raises:
        ValueError: for shapes that do not fit, entries that are not finite, or a kernel that is no Gram matrix.
        TypeError: if `kernel` is neither a description nor callable.

    References:
        Jacot et al. (2018), arXiv:1806.07572; Lee et al. (2019), arXiv:1902.06720.

    >>> import jax.numpy as jnp
    >>> kernel = lambda x1, x2=None: (x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> flow = GradientFlow(kernel, jnp.array([[1.0], [2.0]]), jnp.array([1.0, 2.0]), loss="sum")
    >>> [round(float(f), 3) for f in flow.mean(jnp.array([[3.0]]), jnp.array([0.0, 0.1, jnp.inf]))[:, 0]]
    [0.0, 1.18, 3.0]
    """

    regression: Regression

    def __init__(
        self,
        kernel: Any,
        x_train: ArrayLike,
        y_train: ArrayLike,
        *,
        loss: str | None = None,
        ridge: ArrayLike = 0.0,
    ):
        self.regression = from_kernel(kernel, x_train, y_train, loss, ridge)

    @classmethod
    def from_gram(
        cls, nngp: ArrayLike, ntk: ArrayLike, y_train: ArrayLike, *, loss: str | None = None, ridge: ArrayLike = 0.0
    ) -> "GradientFlow":
        """The same from stored Gram matrices of the training inputs, shape (n, n) each.

        New inputs enter as cross kernels: `mean_from`, `covariance_from`.
        """
        flow = object.__new__(cls)  # as unflattening does: there is no kernel to give to __init__
        object.__setattr__(flow, "regression", from_gram(None, None, nngp, ntk, y_train, loss, ridge))
        return flow

    def descent(self, learning_rate: ArrayLike, momentum: ArrayLike = 0.0) -> "GradientDescent":
        r"""Gradient descent instead of the flow; its moments `t` count steps.

        Args:
            learning_rate: of the loss, below `max_learning_rate`.
            momentum: m in [0, 1) of the heavy ball, $v \leftarrow m v - \eta \nabla L$, $\theta \leftarrow \theta + v$.

        Raises:
            ValueError: if one of them is out of its range.
        """
        return GradientDescent(self.regression, learning_rate, momentum)

    def _clock(self, t: Float[Array, ""]) -> FlowClock:
        return FlowClock(t * self.regression.example_weight())

    def _check(self, t: Any) -> None:
        check_times(t)


class GradientDescent(AbstractTrajectory):
    r"""Full-batch gradient descent: `GradientFlow` with $e^{-s t}$ replaced by $(1 - \eta s)^t$, t the number of steps.

    Made by `GradientFlow.descent`. The number of steps is whole, or inf; the learning rate is that of the loss, so the
    same trajectory needs N times as much with "mean" as with "sum". With momentum m the power is replaced by
    $p_{k+1} = (1 + m - \eta s) p_k - m p_{k-1}$, $p_0 = p_{-1} = 1$.
    """

    regression: Regression
    learning_rate: Float[Array, ""]
    momentum: Float[Array, ""] | None  # None where it is 0

    def __init__(self, regression: Regression, learning_rate: ArrayLike, momentum: ArrayLike = 0.0):
        check_number("learning_rate", learning_rate, strict=True)
        check_momentum(momentum)
        self.regression = regression
        dtype = regression.ntk.dtype
        self.learning_rate = jnp.asarray(learning_rate).astype(dtype)
        known = concrete(momentum)
        self.momentum = None if known is not None and known == 0 else jnp.asarray(momentum).astype(dtype)
        largest = regression.spectrum().values[-1]
        m = 0.0 if self.momentum is None else self.momentum
        limit = concrete(rate_limit(largest, len(regression.ntk), regression.loss, m))
        rate = concrete(learning_rate)
        if limit is not None and rate is not None and rate >= limit:
            raise ValueError(
                f'expected a learning rate below {limit:.6g}, where descent on the "{regression.loss}" loss diverges; '
                f"got {rate:.6g}. Choose a smaller one, or the flow."
            )

    def _clock(self, t: Float[Array, ""]) -> AbstractClock:
        rate = self.learning_rate * self.regression.example_weight()
        return DescentClock(t, rate) if self.momentum is None else MomentumClock(t, rate, self.momentum)

    def _check(self, t: Any) -> None:
        check_times(t, whole=True)
        steps = concrete(t)
        if self.momentum is not None and steps is not None and (np.isfinite(steps) & (steps >= 2.0**BITS)).any():
            raise ValueError(f"expected fewer than 2**{BITS} steps with momentum, or inf; got {t}. Pass jnp.inf.")
