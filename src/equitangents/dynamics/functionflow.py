r"""Infinitely wide networks trained under any loss, $\dot f_t = -\Theta(x, X) \nabla L(f_t(X))$, by an ODE solver."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from equitangents.numerics import on_one_thread

from .checks import check_gram, check_inputs, check_number, check_spectrum, check_times, concrete
from .objective import Objective, as_objective, check_labels, cross_entropy, half_mean_of_squares
from .regression import as_kernel, evaluate


class EnsembleMoments(NamedTuple):
    """Moments over sampled networks, with the standard error of each; times first, if any.

    Attributes:
        mean, mean_error: shape (m, outputs).
        covariance, covariance_error: of each output, shape (outputs, m, m); outputs trained together differ.
    """

    mean: Array
    covariance: Array
    mean_error: Array
    covariance_error: Array


class FunctionFlow(eqx.Module):
    r"""Gradient flow of an infinitely wide network on any loss, integrated numerically on the training outputs.

    The training outputs follow $\dot f_t(X) = -\Theta(X, X) g_t - \lambda (f_t - f_0)(X)$, $g_t = \nabla L(f_t(X))$.
    They are integrated together with $\dot a = -g_t - \lambda a$, which gives all other outputs:
    $f_t(x) = f_0(x) + \Theta(x, X) a_t$. So the penalised loss is $L + \frac\lambda2 |\theta - \theta_0|^2$, with
    the penalty divided by N for the losses that are means over N examples, "mean" and "cross_entropy".

    Outside squared loss the mean over networks has no equation of its own: `mean` is the trajectory of the network of
    zero initial output (as `dynamics.train` with `centred=True`), `ensemble` samples initial outputs from the NNGP.

    A pytree; works under `jit`, and has derivatives in reverse mode.

    Args:
        kernel: a description of a network, or a function (x1, x2) -> (nngp, ntk), as for `GradientFlow`.
        x_train: shape (n, ...).
        y_train: shape (n, outputs), or integer labels (n,) for cross-entropy.
        loss: "sum", "mean", "cross_entropy", or any function (outputs, y) -> number.
        outputs: number of outputs (classes); None: that of y_train, or for cross-entropy its largest label plus one.
        ridge: penalty, at least 0.
        rtol, atol: tolerances of the solver, an adaptive Runge-Kutta method of order 5 (Tsitouras); it is explicit, so
            its number of steps grows in proportion to time and to the largest eigenvalue of the NTK.
        max_steps: of the solver; more raise.

    Raises:
        ImportError: without diffrax; `pip install 'equitangents[ode]'`.
        ValueError, TypeError: for arguments that do not fit, as `GradientFlow` and `train`.

    References:
        Lee et al. (2019), arXiv:1902.06720, equations (4), (5) and section 2.4 (linearised networks, any loss).

    >>> import jax.numpy as jnp
    >>> kernel = lambda x1, x2=None: (x1 @ (x1 if x2 is None else x2).T,) * 2
    >>> flow = FunctionFlow(kernel, jnp.array([[1.0], [2.0]]), jnp.array([[1.0], [2.0]]), loss="sum")
    >>> [round(float(f), 3) for f in flow.mean(jnp.array([[3.0]]), jnp.array([0.0, 0.1, 9.0]))[:, 0, 0]]
    [0.0, 1.18, 3.0]
    """

    kernel: Any
    x_train: Array
    y_train: Array
    nngp: Float[Array, "n n"]
    ntk: Float[Array, "n n"]
    ridge: Float[Array, ""]  # in units of the loss
    objective: Objective = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int = eqx.field(static=True)

    def __init__(
        self,
        kernel: Any,
        x_train: ArrayLike,
        y_train: ArrayLike,
        *,
        loss: str | Objective,
        outputs: int | None = None,
        ridge: ArrayLike = 0.0,
        rtol: float | None = None,
        atol: float | None = None,
        max_steps: int = 100_000,
    ):
        _solver()
        self.objective = as_objective(loss)
        check_number("ridge", ridge)
        self.kernel, self.x_train = as_kernel(kernel), check_inputs("x_train", x_train)
        nngp, ntk = evaluate(self.kernel, self.x_train)
        self.ntk = check_gram("NTK", ntk)
        self.nngp = check_gram("NNGP", nngp).astype(self.ntk.dtype)
        check_spectrum(on_one_thread(len(self.ntk), lambda: jnp.linalg.eigvalsh(self.ntk)))
        self.outputs = _count_outputs(jnp.asarray(y_train), outputs)
        n, dtype = len(self.ntk), self.ntk.dtype
        self.y_train = check_labels(self.objective, y_train, (self.outputs,), n, dtype)
        is_mean = self.objective in (half_mean_of_squares, cross_entropy)
        self.ridge = jnp.asarray(ridge).astype(dtype) / (n if is_mean else 1)
        eps = float(jnp.finfo(dtype).eps)
        self.rtol, self.atol = rtol or eps**0.5, atol or eps**0.5 / 10
        self.max_steps = max_steps

    def mean(self, x: ArrayLike, t: ArrayLike) -> Array:
        r"""Outputs $\Theta(x, X) a_t$ of the network of zero initial output; for squared loss the ensemble's mean.

        Args:
            x: test inputs, shape (m, ...).
            t: time at least 0 and finite, shape () or (times,).

        Returns:
            Shape (m, outputs); times first where `t` has them.

        Raises:
            ValueError: for inputs that are empty or not finite; for times that are negative or infinite.
        """
        _check_finite_times(t)
        cross = evaluate(self.kernel, check_inputs("x", x), self.x_train)[1].astype(self.ntk.dtype)
        start = jnp.zeros((len(self.ntk), self.outputs), self.ntk.dtype)
        return cross @ self._learned(start, t)

    def ensemble(self, x: ArrayLike, t: ArrayLike, key: PRNGKeyArray, members: int) -> EnsembleMoments:
        r"""Mean and covariance over networks drawn from the prior and trained, all at once.

        Initial outputs are drawn from the NNGP, jointly at test and training inputs, and each draw is trained.

        Args:
            x: test inputs, shape (m, ...).
            t: time at least 0 and finite, shape () or (times,).
            key: draws the initial outputs.
            members: number of networks, at least 2.

        Returns:
            `EnsembleMoments`. Errors are those of sampling, not of the solver.

        Raises:
            ValueError: as `mean`, and for fewer than two members.
        """
        _check_finite_times(t)
        if members < 2:
            raise ValueError(f"expected at least 2 members for a covariance; got {members}. Draw more.")
        x, dtype, n = check_inputs("x", x), self.ntk.dtype, len(self.ntk)
        nngp_cross, cross = (k.astype(dtype) for k in evaluate(self.kernel, x, self.x_train))
        nngp_test = evaluate(self.kernel, x)[0].astype(dtype)
        values, vectors = jnp.linalg.eigh(jnp.block([[self.nngp, nngp_cross.T], [nngp_cross, nngp_test]]))
        root = (
            vectors * jnp.sqrt(jnp.maximum(values, 0))[None]
        )  # also of singular kernels, which have no Cholesky factor
        start = root @ jr.normal(key, (members, len(root), self.outputs), dtype)
        f = start[:, None, n:] + cross @ jax.vmap(lambda f: self._learned(f, jnp.atleast_1d(jnp.asarray(t))))(
            start[:, :n]
        )
        moments = _moments(f)
        return moments if jnp.ndim(t) else EnsembleMoments(*(m[0] for m in moments))

    @eqx.filter_jit
    def _learned(self, start: Float[Array, "n outputs"], t: ArrayLike) -> Float[Array, "*times n outputs"]:
        """a at the times t, for these initial outputs of the training inputs."""
        diffrax = _solver()
        times = jnp.atleast_1d(jnp.asarray(t)).astype(self.ntk.dtype)
        order = jnp.argsort(times)
        gradient = jax.grad(self.objective)

        def velocity(_, a: Array, __) -> Array:
            return -gradient(start + self.ntk @ a, self.y_train) - self.ridge * a

        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity),
            diffrax.Tsit5(),
            jnp.zeros((), times.dtype),
            times[order[-1]],
            None,
            jnp.zeros_like(start),
            saveat=diffrax.SaveAt(ts=times[order]),
            stepsize_controller=diffrax.PIDController(rtol=self.rtol, atol=self.atol),
            max_steps=self.max_steps,
        )
        a = solution.ys[jnp.argsort(order)]
        return a if jnp.ndim(t) else a[0]


def _moments(f: Float[Array, "members times m outputs"]) -> EnsembleMoments:
    members = len(f)
    mean = jnp.mean(f, axis=0)
    gap = f - mean[None]
    squares = jnp.einsum("etic,etjc->tcij", gap, gap) / members
    fourth = jnp.einsum("etic,etjc->tcij", gap**2, gap**2) / members
    mean_error = jnp.sqrt(jnp.sum(gap**2, axis=0) / (members - 1) / members)
    covariance_error = jnp.sqrt(jnp.maximum(fourth - squares**2, 0) / (members - 1))
    return EnsembleMoments(mean, squares * members / (members - 1), mean_error, covariance_error)


def _count_outputs(y: Array, outputs: int | None) -> int:
    if outputs is not None:
        return outputs
    if y.ndim == 2:
        return y.shape[1]
    labels = concrete(y)
    if y.ndim == 1 and labels is not None and np.issubdtype(labels.dtype, np.integer):
        return int(labels.max()) + 1
    raise ValueError(f"expected y_train of shape (n, outputs) or integer labels (n,); got {y.shape}. Pass outputs=1.")


def _check_finite_times(t: Any) -> None:
    check_times(t)
    times = concrete(t)
    if times is not None and np.isinf(times).any():
        raise ValueError(
            "expected finite times: a solver takes steps, and outputs under cross-entropy grow for ever; got t = inf. "
            "Choose a late time; for squared loss, GradientFlow has the end in closed form."
        )


def _solver() -> Any:
    try:
        import diffrax  # an extra, and slow to import
    except ImportError as error:
        raise ImportError("FunctionFlow needs diffrax: pip install 'equitangents[ode]'.") from error
    return diffrax
