"""Everything that decides a training run but the initial parameters and the key: checked, then run as one scan."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from ..groups import Action
from ..nets import AbstractLayer, output_shape
from .checks import check_inputs, check_number
from .objective import Objective, as_objective, check_labels

Params = Any
Optimizer = Any


class Run(eqx.Module):
    """What one run returns; see `Trained`."""

    params: Params
    outputs: Float[Array, "times n *out"]
    losses: Float[Array, " steps"]
    diverged: Bool[Array, ""]


class Recipe(eqx.Module):
    """A training run up to initial parameters and key. Arrays are traced, all else is part of the compiled program."""

    net: AbstractLayer
    x: Float[Array, "n *shape"]
    y: Shaped[Array, "n ..."]
    x_record: Float[Array, "m *shape"]
    slots: Int[Array, " moments"]
    learning_rate: Float[Array, ""]
    objective: Objective = eqx.field(static=True)
    optimizer: Optimizer = eqx.field(static=True)
    batch_size: int | None = eqx.field(static=True)
    augment: Action | None = eqx.field(static=True)
    times: int = eqx.field(static=True)
    centred: bool = eqx.field(static=True)

    def run(self, params: Params, key: PRNGKeyArray) -> Run:
        """Train from `params`; `key` draws minibatches and group elements."""
        init, update = self._optimizer()
        order_key, augment_key = jr.split(key)
        first = params
        steps = self.slots.shape[0] - 1

        def model(params: Params, x: Array) -> Array:
            outputs = jax.vmap(self.net.apply, (None, 0))(params, x)
            return outputs - jax.vmap(self.net.apply, (None, 0))(first, x) if self.centred else outputs

        def store(outputs: Array, slot: Array, params: Params) -> Array:
            return lax.cond(slot >= 0, lambda: outputs.at[slot].set(model(params, self.x_record)), lambda: outputs)

        def step(carry: tuple, now: tuple[Array, Array]) -> tuple[tuple, Array]:
            params, state, outputs, order = carry
            i, slot = now
            outputs = store(outputs, slot, params)
            x, y, order = self._batch(order_key, order, i)
            if self.augment is not None:
                g = jr.randint(jr.fold_in(augment_key, i), (x.shape[0],), 0, self.augment.group.order)
                x = jax.vmap(self.augment)(g, x)
            loss, gradient = jax.value_and_grad(lambda p: self.objective(model(p, x), y))(params)
            params, state = update(params, gradient, state)
            return (params, state, outputs, order), loss

        shape = output_shape(self.net, self.x.shape[1:])
        outputs = jnp.zeros((self.times, self.x_record.shape[0], *shape), self.x.dtype)
        carry = (params, init(params), outputs, jnp.arange(0 if self.batch_size is None else self.x.shape[0]))
        (params, _, outputs, _), losses = lax.scan(step, carry, (jnp.arange(steps), self.slots[:-1]))
        outputs = store(outputs, self.slots[-1], params)
        finite = jnp.all(jnp.isfinite(losses)) & jnp.all(jnp.isfinite(outputs))
        for leaf in jax.tree.leaves(params):
            finite &= jnp.all(jnp.isfinite(leaf))
        return Run(params, outputs, losses, ~finite)

    def _batch(self, key: PRNGKeyArray, order: Array, i: Array) -> tuple[Array, Array, Array]:
        """The examples of step i, and the order of its epoch, drawn anew where an epoch begins."""
        if self.batch_size is None:
            return self.x, self.y, order
        n = self.x.shape[0]
        epoch, place = jnp.divmod(i, n // self.batch_size)
        draw = lambda: jr.permutation(jr.fold_in(key, epoch), n)  # noqa: E731
        order = lax.cond(place == 0, draw, lambda: order)
        chosen = lax.dynamic_slice_in_dim(order, place * self.batch_size, self.batch_size)
        return self.x[chosen], self.y[chosen], order

    def _optimizer(self) -> tuple[Callable, Callable]:
        if self.optimizer is None:

            def descend(params: Params, gradient: Params, state: None) -> tuple[Params, None]:
                return jax.tree.map(lambda p, g: p - self.learning_rate * g, params, gradient), state

            return lambda params: None, descend
        rule = self.optimizer if _is_transformation(self.optimizer) else self.optimizer(self.learning_rate)

        def follow(params: Params, gradient: Params, state: Any) -> tuple[Params, Any]:
            with jax.numpy_dtype_promotion("standard"):  # optax raises floats to counts, which strict promotion refuses
                updates, state = rule.update(gradient, state, params)
            return jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates), state

        return rule.init, follow


def make_recipe(
    net: Any,
    data: Any,
    *,
    loss: Any,
    learning_rate: Any,
    steps: Any,
    optimizer: Any,
    batch_size: Any,
    augment: Any,
    record: Any,
    x_record: Any,
    centred: Any,
) -> Recipe:
    """The arguments of `train`, checked."""
    if not isinstance(net, AbstractLayer):
        raise TypeError(f"expected a description of a network, as Serial(Dense(64), Relu(), Dense(1)); got {net!r}.")
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"expected data as a pair (x, y); got {type(data).__name__}. Pass inputs and targets together.")
    objective = as_objective(loss)
    x = _inputs("x", data[0])
    shape = x.shape[1:]
    y = check_labels(objective, data[1], output_shape(net, shape), x.shape[0], x.dtype)
    x_record = x if x_record is None else _inputs("x_record", x_record)
    if x_record.shape[1:] != shape:
        raise ValueError(f"expected x_record of shape (m, {', '.join(map(str, shape))}), as x; got {x_record.shape}.")
    _check_whole("steps", steps, 0, None)
    if batch_size is not None:
        _check_whole("batch_size", batch_size, 1, x.shape[0])
    if augment is not None:
        if not isinstance(augment, Action):
            raise TypeError(f"expected augment to be an Action, as image_action(group), or None; got {augment!r}.")
        augment.check_shape(shape)
    record = _check_record(record, steps)
    slots = np.full(steps + 1, -1, np.int32)
    slots[list(record)] = np.arange(len(record))
    return Recipe(
        net,
        x,
        y,
        x_record.astype(x.dtype),
        jnp.asarray(slots),
        _rate(learning_rate, optimizer, x.dtype),
        objective=objective,
        optimizer=optimizer,
        batch_size=batch_size,
        augment=augment,
        times=len(record),
        centred=bool(centred),
    )


def _inputs(name: str, x: ArrayLike) -> Array:
    x = check_inputs(name, x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"expected {name} in floating point; got {x.dtype}. Convert it, for example to float32.")
    return x


def _check_whole(name: str, value: Any, low: int, high: int | None) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"expected {name} to be an integer; got {value!r}. Pass an int.")
    if value < low or (high is not None and value > high):
        bound = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"expected {name} {bound}; got {value}. Choose another value.")


def _check_record(record: tuple[int, ...] | None, steps: int) -> tuple[int, ...]:
    record = (steps,) if record is None else tuple(record)
    for step in record:
        _check_whole("each entry of record", step, 0, steps)
    if not record or list(record) != sorted(set(record)):
        raise ValueError(f"expected record as increasing numbers of steps, at least one; got {record}. Sort them.")
    return record


def _rate(learning_rate: ArrayLike | None, optimizer: Optimizer, dtype: Any) -> Array:
    if _is_transformation(optimizer):
        if learning_rate is not None:
            raise ValueError(
                f"expected learning_rate=None with an optax transformation, which has its own; got {learning_rate}. "
                "Pass optimizer=optax.adam, not optax.adam(rate), to name the rate here."
            )
        return jnp.zeros((), dtype)
    if optimizer is not None and not callable(optimizer):
        raise TypeError(
            f"expected optimizer to be None, an optax transformation or a function of the learning rate "
            f"such as optax.adam; got {optimizer!r}."
        )
    if learning_rate is None:
        raise ValueError("expected a learning_rate above 0; got None. Only an optax transformation has its own.")
    check_number("learning_rate", learning_rate, strict=True)
    return jnp.asarray(learning_rate).astype(dtype)


def _is_transformation(optimizer: Optimizer) -> bool:
    return hasattr(optimizer, "init") and hasattr(optimizer, "update")
