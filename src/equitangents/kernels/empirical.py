r"""The kernel $\sum_\theta \partial_\theta f(x_1)\, \partial_\theta f(x_2)$ of one network, in bounded memory."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from .layerwise import Features, features, products, taken_apart
from .options import OPTIONS, kind_of
from .plan import make_plan, tiled

Outputs = Literal["trace", "full", "diagonal"]
Function = Callable[[Any, Any], Array]

BUDGET = 2**28
"""Bytes that gradients and activations of one tile may take, unless a single pair of them takes more."""


def empirical_ntk(
    apply: Function, params: Any, x1: Any, x2: Any = None, outputs: str = "trace", *, budget: int = BUDGET
) -> Array:
    r"""Tangent kernel $\sum_\theta \partial_\theta f_o(x_1)\, \partial_\theta f_{o'}(x_2)$ at given parameters.

    `apply` is traced to its primitive operations. A weight that enters one dense or convolutional product $z = aW$
    contributes $\sum_{st} (a_s \cdot a'_t)(g_s \cdot g'_t)$, with activations a at the sites s and cotangents
    $g = \partial f / \partial z$, where that is less work than the product of the gradients; all other parameters
    contribute that product. Memory is the result and `budget`, whatever the numbers of examples and outputs.

    Args:
        apply: `apply(params, x)` for one example; any function of JAX, such as `net.apply`, `module.apply` of Flax, or
            `lambda model, x: model(x)` for an Equinox module.
        params: any pytree; its arrays of floating point numbers are the parameters, all else is held constant.
        x1: (n1, ...), or a pytree of arrays with this leading axis.
        x2: (n2, ...); None means x1, and the symmetric half is computed once.
        outputs: "trace" is the mean over outputs, $O^{-1} \sum_o$, which converges to `ntk` as the width grows;
            "diagonal" is each output with itself; "full" is all pairs. Outputs are those of `apply`, flattened.
        budget: bytes for gradients and activations; one example and one output may take more.

    Returns:
        (n1, n2) for "trace", (n1, n2, O) for "diagonal", (n1, n2, O, O) for "full".

    Raises:
        TypeError, ValueError: what is no batch, no parameters, or an unknown name.

    References:
        Jacot et al. (2018), arXiv:1806.07572, section 4; Novak, Sohl-Dickstein and Schoenholz (2022), arXiv:2206.08720,
        for the sum over layers.

    >>> x = jnp.array([[1.0, 2.0], [3.0, 0.0]])
    >>> empirical_ntk(lambda w, x: w @ x, jnp.ones((5, 2)), x)
    Array([[5., 3.],
           [3., 9.]], dtype=float32)
    """
    if outputs not in get_args(Outputs):
        raise ValueError(f"expected outputs to be 'trace', 'full' or 'diagonal', got {outputs!r}.")
    check_arguments(apply, params, x1, x2, budget)
    vectors = all(jnp.ndim(leaf) <= 2 for leaf in jax.tree.leaves(x1))
    return _compiled[kind_of((params, x1, x2), vectors)](apply, params, x1, x2, outputs, budget)


def check_arguments(apply: object, params: Any, x1: Any, x2: Any, budget: int) -> None:
    """Raise unless these are a function, parameters and batches that fit."""
    if not callable(apply):
        raise TypeError(f"expected apply to be a function apply(params, x) of one example, got {apply!r}.")
    if budget < 1:
        raise ValueError(f"expected a budget of at least 1 byte, got {budget}.")
    _check_batch(x1, "x1")
    if x2 is not None:
        _check_batch(x2, "x2")
        if _one(x1) != _one(x2):
            raise ValueError(f"expected x1 and x2 with examples of one shape and dtype, got {_one(x1)} and {_one(x2)}.")
    if not any(map(is_trained, jax.tree.leaves(params))):
        raise TypeError(
            "expected params with arrays of floating point numbers in it, got none; pass what `init` returns."
        )


def _computed(apply: Function, params: Any, x1: Any, x2: Any, outputs: str, budget: int) -> Array:
    trained, constant = eqx.partition(params, is_trained)
    leaves, structure = jax.tree.flatten(trained)

    def function(leaves: list[Array], x: Any) -> Array:
        return jnp.ravel(apply(eqx.combine(jax.tree.unflatten(structure, leaves), constant), x))

    leaves = [jnp.asarray(leaf) for leaf in leaves]
    one = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), x1)
    network = taken_apart(function, leaves, one)
    if not jnp.issubdtype(network.dtype, jnp.floating):
        raise TypeError(f"expected apply to return real numbers, got {network.dtype}; return real and imaginary parts.")
    n1, n2, size = _length(x1), _length(x1 if x2 is None else x2), network.size
    plan = make_plan(network, n1, None if x2 is None else n2, outputs, budget)
    groups = -(-size // plan.group)
    rows = jnp.eye(groups * plan.group, size, dtype=network.dtype).reshape(groups, plan.group, size)
    dtype = max((jnp.finfo(leaf.dtype) for leaf in leaves), key=lambda info: info.bits).dtype

    def prepare(item: Any) -> Features:
        return features(network, plan.split, leaves, *item)

    def multiply(a: Features, b: Features) -> Array:
        return products(a, b, outputs, dtype)

    def matrix(cotangents: Array) -> Array:
        """All pairs of items; an item is an example and some outputs."""
        if not plan.split.plain and not plan.split.gram:  # no parameter has any influence
            shape = {"trace": (), "diagonal": (plan.group,), "full": (plan.group,) * 2}[outputs]
            return jnp.zeros((n1 * len(cotangents), n2 * len(cotangents), *shape), dtype)
        first, second = _items(x1, cotangents), None if x2 is None else _items(x2, cotangents)
        return tiled(prepare, multiply, first, second, plan)

    if outputs == "full":
        whole = matrix(rows).reshape(n1, groups, n2, groups, plan.group, plan.group)
        whole = whole.transpose(0, 2, 1, 4, 3, 5).reshape(n1, n2, groups * plan.group, -1)
        return whole[:, :, :size, :size]
    if groups == 1:
        return matrix(rows) / (size if outputs == "trace" else 1)
    if outputs == "diagonal":
        parts = lax.map(lambda c: matrix(c[None]), rows)
        return jnp.moveaxis(parts, 0, 2).reshape(n1, n2, -1)[:, :, :size]
    zero = jnp.zeros((n1, n2), dtype)
    return lax.scan(lambda total, c: (total + matrix(c[None]), None), zero, rows)[0] / size


_compiled = {
    kind: eqx.filter_jit(_computed, compiler_options=options)  # type: ignore[call-overload] # keywords go to jax.jit
    for kind, options in OPTIONS.items()
}


def _items(x: Any, cotangents: Array) -> tuple[Any, Array]:
    """All pairs of an example and a group of outputs, groups faster."""
    groups, n = len(cotangents), _length(x)
    repeated = x if groups == 1 else jax.tree.map(lambda a: jnp.repeat(a, groups, axis=0), x)
    return repeated, jnp.tile(cotangents, (n, 1, 1))


def _length(x: Any) -> int:
    return jax.tree.leaves(x)[0].shape[0]


def is_trained(leaf: object) -> bool:
    """Whether a leaf of the parameters is an array of numbers that have derivatives."""
    return isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _one(x: Any) -> list[tuple[tuple[int, ...], str]]:
    return [(tuple(leaf.shape[1:]), str(leaf.dtype)) for leaf in jax.tree.leaves(x)]


def _check_batch(x: Any, name: str) -> None:
    leaves = jax.tree.leaves(x)
    if not leaves or not all(hasattr(leaf, "shape") and hasattr(leaf, "dtype") for leaf in leaves):
        raise TypeError(f"expected {name} to be an array (n, ...), got {type(x).__name__}; use jnp.asarray.")
    shapes = [tuple(leaf.shape) for leaf in leaves]
    if any(len(shape) == 0 or 0 in shape for shape in shapes) or len({shape[0] for shape in shapes}) != 1:
        raise ValueError(f"expected {name} of shape (n, ...) with n >= 1 examples, got shape {shapes[0]}.")
