r"""Finite networks trained by gradient descent, $\theta \leftarrow \theta - \eta \nabla L(\theta)$."""

import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..groups import Action
from ..nets import AbstractLayer
from .checks import check_finite, concrete
from .objective import Objective
from .recipe import Optimizer, Params, Recipe, Run, make_recipe


class Trained(eqx.Module):
    """A trained network.

    Attributes:
        params: parameters after the last step.
        outputs: at the recorded steps on `x_record`, shape (times, n, *outputs).
        losses: loss of the examples of each step before it, shape (steps,).
        diverged: whether a loss, an output or a parameter is not finite.
    """

    params: Params
    outputs: Float[Array, "times n *out"]
    losses: Float[Array, " steps"]
    diverged: Bool[Array, ""]


def train(
    net: AbstractLayer,
    params: Params,
    data: tuple[ArrayLike, ArrayLike],
    *,
    loss: str | Objective,
    learning_rate: ArrayLike | None = None,
    steps: int,
    key: PRNGKeyArray | None = None,
    optimizer: Optimizer = None,
    batch_size: int | None = None,
    augment: Action | None = None,
    record: tuple[int, ...] | None = None,
    x_record: ArrayLike | None = None,
    centred: bool = False,
) -> Trained:
    r"""Train one finite network: $\theta \leftarrow \theta - \eta \nabla L(\theta)$, full batch unless said otherwise.

    Plain gradients at unit rate are the parameterisation that the description says (NTK by default), so t steps of
    rate eta stand for gradient flow at time eta t. All steps are one compiled scan; it is compiled once for data of one
    shape, whatever the numbers in it, the learning rate and the recorded steps.

    Args:
        net: the description.
        params: parameters as `net.init` draws them; converted to the precision of x.
        data: (x, y): x of shape (n, *shape); y of shape (n, *outputs), or integer labels (n,) for cross-entropy.
        loss: "sum", 1/2 the sum of squares over examples; "mean", that divided by their number; "cross_entropy", mean
            over examples; or any function (outputs, y) -> number. Sums and means are over the examples of a step.
        learning_rate: above 0; None where `optimizer` has its own.
        steps: number of updates, at least 0.
        key: draws minibatches and group elements; needed for those only.
        optimizer: None for plain descent; a function of the learning rate, such as `optax.adam` or
            `lambda rate: optax.sgd(rate, momentum=0.9)`; or an optax transformation. Reuse one object: another one,
            even an equal one, is another program to compile.
        batch_size: examples a step, drawn without replacement; each epoch has a new order, and the n mod batch_size
            examples at its end wait for the next. None: all of them.
        augment: each example of each step is acted on by a random element, its target kept: an unbiased draw of
            training on full orbits, for invariant targets. None: the data as they are.
        record: increasing numbers of steps, from 0 (the initial network) to `steps`, at which outputs are kept; None:
            the end.
        x_record: inputs for these outputs; None: the training inputs.
        centred: train f_t - f_0 instead of f_t, which is zero before the first step; `outputs` are of this difference.

    Raises:
        ValueError: for shapes that do not fit, numbers out of range, entries that are not finite, an unknown loss.
        TypeError: for arguments of the wrong kind.

    Warns:
        RuntimeWarning: if the network diverged.

    >>> import jax, jax.numpy as jnp
    >>> from equitangents.nets import Dense
    >>> net, x, y = Dense(1), jnp.array([[1.0], [2.0]]), jnp.array([[1.0], [2.0]])
    >>> params = net.init(jax.random.key(0), (1,))[1]
    >>> trained = train(net, params, (x, y), loss="sum", learning_rate=0.1, steps=50, x_record=jnp.array([[3.0]]))
    >>> round(float(trained.outputs[-1, 0, 0]), 3)
    3.0
    """
    recipe = make_recipe(
        net,
        data,
        loss=loss,
        learning_rate=learning_rate,
        steps=steps,
        optimizer=optimizer,
        batch_size=batch_size,
        augment=augment,
        record=record,
        x_record=x_record,
        centred=centred,
    )
    key = check_key(key, needed=batch_size is not None or augment is not None)
    done = _run(recipe, _check_params(net, params, recipe.x), key)
    warn_if_diverged(done.diverged, "the network")
    return Trained(done.params, done.outputs, done.losses, done.diverged)


def check_key(key: Any, *, needed: bool) -> PRNGKeyArray:
    if key is None and needed:
        raise ValueError("expected a key to draw minibatches or group elements; got None. Pass jax.random.key(0).")
    return jr.key(0) if key is None else key


def as_precision(params: Params, dtype: Any) -> Params:
    """Parameters with their floating-point numbers as `dtype`."""
    return jax.tree.map(lambda p: p.astype(dtype) if jnp.issubdtype(p.dtype, jnp.floating) else p, params)


def warn_if_diverged(diverged: Array, what: str) -> None:
    flags = concrete(diverged)
    if flags is not None and flags.any():
        warnings.warn(
            f"{what} diverged: a loss, an output or a parameter is not finite. Lower the learning rate, "
            "or leave it out by the flag `diverged`.",
            RuntimeWarning,
            stacklevel=3,
        )


def _check_params(net: AbstractLayer, params: Params, x: Array) -> Params:
    expected = jax.eval_shape(lambda key: net.init(key, x.shape[1:])[1], jr.key(0))
    params = jax.tree.map(jnp.asarray, params)
    shapes = [jax.tree.map(lambda leaf: leaf.shape, tree) for tree in (expected, params)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"expected parameters as this network draws them for {x.shape[1:]}, {shapes[0]}; got {shapes[1]}. "
            "Draw them with net.init(key, shape)[1]."
        )
    for leaf in jax.tree.leaves(params):
        check_finite("params", leaf)
    return as_precision(params, x.dtype)


@eqx.filter_jit
def _run(recipe: Recipe, params: Params, key: PRNGKeyArray) -> Run:
    return recipe.run(params, key)
