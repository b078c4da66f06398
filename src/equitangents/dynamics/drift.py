r"""How far the tangent kernel of a finite network moves in training: $\Theta_t$ against $\Theta_0$, $\Theta_\infty$."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array

from ..kernels.empirical import BUDGET, Function, empirical_ntk
from ..nets import AbstractLayer
from .objective import Objective, as_objective, check_labels
from .recipe import _check_record


class KernelDrift(NamedTuple):
    r"""Distances between kernels, one entry for each recorded time.

    Attributes:
        change: $|\Theta_t - \Theta_0| / |\Theta_0|$ in the Frobenius norm.
        alignment: $\langle \Theta_t, \Theta_0 \rangle / (|\Theta_t| |\Theta_0|)$.
        distance: $|\Theta_t - \Theta_\infty| / |\Theta_\infty|$; None without a reference.
        reference_alignment: the same as `alignment` with $\Theta_\infty$; None without a reference.
    """

    change: np.ndarray
    alignment: np.ndarray
    distance: np.ndarray | None
    reference_alignment: np.ndarray | None


def kernel_drift(
    apply: Function,
    trajectory: Iterable[Any],
    x: Array,
    *,
    reference: Array | None = None,
    outputs: str = "trace",
    budget: int = BUDGET,
) -> KernelDrift:
    r"""Drift of the empirical tangent kernel along a sequence of parameters.

    Parameters are taken one after the other, and besides the reference only the first and the present kernel are held,
    so a generator such as `descent` is followed in bounded memory, however long it is.

    Args:
        apply: `apply(params, x)` for one example.
        trajectory: parameters at increasing times, the first of them at initialisation; any iterable.
        x: (n, ...), the inputs of the kernel.
        reference: a kernel of the shape that `empirical_ntk` returns, such as `ntk(net, x)`; None: no comparison.
        outputs, budget: as for `empirical_ntk`.

    Raises:
        ValueError: an empty trajectory, a reference of another shape; and as `empirical_ntk`.

    References:
        Fort et al. (2020), arXiv:2010.15110, for the drift of networks in use.

    >>> drift = kernel_drift(lambda w, x: w**2 * x, [jnp.array(1.0), jnp.array(2.0)], jnp.ones(1))
    >>> drift.change.tolist(), drift.alignment.tolist()  # the kernel is 4 w^2
    ([0.0, 3.0], [1.0, 1.0])
    """
    first, rows = None, []
    for params in trajectory:
        now = empirical_ntk(apply, params, x, outputs=outputs, budget=budget)
        first = now if first is None else first
        if reference is not None and reference.shape != now.shape:
            raise ValueError(
                f"expected a reference of shape {now.shape}, as the empirical kernel, got {reference.shape}."
            )
        rows.append([_compared(now, first), None if reference is None else _compared(now, reference)])
    if not rows:
        raise ValueError("expected at least one set of parameters in the trajectory, got none.")
    change, alignment = np.array([row[0] for row in rows]).T
    if reference is None:
        return KernelDrift(change, alignment, None, None)
    return KernelDrift(change, alignment, *np.array([row[1] for row in rows]).T)


@jax.jit
def _distances(now: Array, other: Array) -> tuple[Array, Array]:
    norm = jnp.linalg.norm(other.ravel())
    cosine = jnp.vdot(now, other) / (norm * jnp.linalg.norm(now.ravel()))
    return jnp.linalg.norm((now - other).ravel()) / norm, cosine


def _compared(now: Array, other: Array) -> tuple[float, float]:
    change, cosine = _distances(now, other.astype(now.dtype))
    return float(change), float(cosine)


def descent(
    net: AbstractLayer,
    params: Any,
    data: tuple[ArrayLike, ArrayLike],
    *,
    loss: str | Objective,
    learning_rate: float,
    record: Sequence[int],
) -> Iterator[Any]:
    r"""Parameters at recorded steps of gradient descent on all examples, $\theta \leftarrow \theta - \eta \nabla L$.

    A generator: parameters are trained on when the next are asked for. The steps are those of `train`.

    Args:
        net, params, data, loss, learning_rate: as for `train`.
        record: increasing numbers of steps, 0 for the parameters as they came.

    Raises:
        ValueError, TypeError: arguments that do not fit, when the first parameters are asked for.

    >>> from equitangents.nets import Dense
    >>> net, data = Dense(1), (jnp.array([[1.0]]), jnp.array([[1.0]]))
    >>> params = {"w": jnp.zeros((1, 1))}
    >>> [float(p["w"][0, 0]) for p in descent(net, params, data, loss="sum", learning_rate=0.5, record=(0, 1, 2))]
    [0.0, 0.5, 0.75]
    """
    objective, x = as_objective(loss), jnp.asarray(data[0])
    shape = jax.eval_shape(jax.vmap(net.apply, (None, 0)), params, x).shape
    y = check_labels(objective, data[1], shape[1:], x.shape[0], x.dtype)
    steps = _check_record(tuple(record), int(record[-1]) if len(record) else 0)
    done = 0
    for step in steps:
        params = _descended(net, params, x, y, jnp.asarray(learning_rate, x.dtype), jnp.asarray(step - done), objective)
        done = step
        yield params


@eqx.filter_jit
def _descended(net: Any, params: Any, x: Array, y: Array, rate: Array, steps: Array, objective: Objective) -> Any:
    def step(_: Array, params: Any) -> Any:
        slope = jax.grad(lambda p: objective(jax.vmap(net.apply, (None, 0))(p, x), y))(params)
        return jax.tree.map(lambda p, g: p - rate.astype(p.dtype) * g, params, slope)

    return lax.fori_loop(0, steps, step, params)
