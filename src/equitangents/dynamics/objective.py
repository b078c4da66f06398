"""What finite training minimises: squared error, cross-entropy, or any function of outputs and targets."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Shaped

from .checks import check_finite, concrete

Objective = Callable[[Array, Array], Array]


def half_sum_of_squares(outputs: Float[Array, "n *out"], y: Float[Array, "n *out"]) -> Float[Array, ""]:
    """1/2 sum of |f - y|^2 over examples."""
    return jnp.sum((outputs - y) ** 2) / 2


def half_mean_of_squares(outputs: Float[Array, "n *out"], y: Float[Array, "n *out"]) -> Float[Array, ""]:
    """The same divided by the number of examples."""
    return half_sum_of_squares(outputs, y) / outputs.shape[0]


def cross_entropy(outputs: Float[Array, "n classes"], y: Int[Array, " n"]) -> Float[Array, ""]:
    """Mean over examples of -log softmax(f)[y]."""
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], axis=1))


_NAMED: dict[str, Objective] = {
    "sum": half_sum_of_squares,
    "mean": half_mean_of_squares,
    "cross_entropy": cross_entropy,
}


def as_objective(loss: str | Objective) -> Objective:
    """The function that `loss` names, or `loss` itself."""
    if callable(loss):
        return loss
    if loss not in _NAMED:
        raise ValueError(
            f'expected loss="sum", "mean", "cross_entropy" or a function of (outputs, y); got loss={loss!r}. '
            "Learning rates differ by the number of examples between them, so name one."
        )
    return _NAMED[loss]


def check_labels(
    objective: Objective, y: ArrayLike, outputs: tuple[int, ...], n: int, dtype: Any
) -> Shaped[Array, "..."]:
    """`y` as an array that fits `n` outputs of the shape `outputs`, floating-point numbers in the precision `dtype`."""
    y = jnp.asarray(y)
    if y.ndim == 0 or y.shape[0] != n:
        raise ValueError(f"expected one row of y for each of {n} examples; got shape {y.shape}. Match it to x.")
    check_finite("y", y)
    if objective is cross_entropy:
        _check_classes(y, outputs, n)
    elif objective in (half_sum_of_squares, half_mean_of_squares):
        if y.shape != (n, *outputs):
            raise ValueError(
                f"expected y of shape {(n, *outputs)}, as the network's outputs; got shape {y.shape}. "
                "Add an axis of outputs, or one-hot labels, or change the last width."
            )
        if not jnp.issubdtype(y.dtype, jnp.floating):
            raise TypeError(f"expected real y in floating point; got {y.dtype}. Convert it, labels to one-hot vectors.")
    y = y.astype(dtype) if jnp.issubdtype(y.dtype, jnp.floating) else y
    value = jax.eval_shape(objective, jax.ShapeDtypeStruct((n, *outputs), dtype), y)
    if getattr(value, "shape", None) != ():
        raise ValueError(f"expected a loss that returns one number; got {value}. Sum or average inside it.")
    return y


def _check_classes(y: Array, outputs: tuple[int, ...], n: int) -> None:
    if not jnp.issubdtype(y.dtype, jnp.integer):
        raise TypeError(f'expected integer labels with loss="cross_entropy"; got {y.dtype}. Pass class numbers.')
    if y.ndim != 1 or len(outputs) != 1:
        raise ValueError(
            f'expected labels of shape ({n},) and outputs (classes,) with loss="cross_entropy"; '
            f"got {y.shape} and {outputs}. End the network with Dense(classes)."
        )
    labels = concrete(y)
    if labels is not None and (labels.min() < 0 or labels.max() >= outputs[0]):
        raise ValueError(
            f"expected labels from 0 to {outputs[0] - 1}; got {labels.min()} to {labels.max()}. "
            "Number the classes from 0, one output for each."
        )
