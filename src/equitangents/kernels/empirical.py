r"""The kernel $\sum_\theta \partial_\theta f(x_1)\, \partial_\theta f(x_2)$ of one network, in bounded memory."""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from .tiles import gram

Outputs = Literal["trace", "full", "diagonal"]
Network = Callable[[Any, Any], Array]

BUDGET = 2**28
"""Bytes that gradients and activations of one tile may take, unless a single pair of them takes more."""


def empirical_ntk(
    apply: Network, params: Any, x1: Any, x2: Any = None, outputs: str = "trace", *, budget: int = BUDGET
) -> Array:
    r"""Tangent kernel $\sum_\theta \partial_\theta f_o(x_1)\, \partial_\theta f_{o'}(x_2)$ at given parameters.

    Gradients are taken for one example and one output at a time, and for one tile of pairs at a time, so that memory is
    the result and `budget`, whatever the numbers of examples, outputs and parameters.

    Args:
        apply: `apply(params, x)` for one example; any function of JAX, such as `net.apply`, `module.apply` of Flax, or
            `lambda model, x: model(x)` for an Equinox module.
        params: any pytree; its arrays of floating point numbers are the parameters, all else is held constant.
        x1: (n1, ...), or a pytree of arrays with this leading axis.
        x2: (n2, ...); None means x1, and the symmetric half is computed once.
        outputs: "trace" is the mean over outputs, $O^{-1} \sum_o$, which converges to `ntk` as the width grows;
            "diagonal" is each output with itself; "full" is all pairs. Outputs are those of `apply`, flattened.
        budget: bytes for gradients and activations.

    Returns:
        (n1, n2) for "trace", (n1, n2, O) for "diagonal", (n1, n2, O, O) for "full".

    Raises:
        TypeError, ValueError: what is no batch, no parameters, or an unknown name.

    References:
        Jacot et al. (2018), arXiv:1806.07572, section 4.

    >>> x = jnp.array([[1.0, 2.0], [3.0, 0.0]])
    >>> empirical_ntk(lambda w, x: w @ x, jnp.ones((5, 2)), x)
    Array([[5., 3.],
           [3., 9.]], dtype=float32)
    """
    if outputs not in get_args(Outputs):
        raise ValueError(f"expected outputs to be 'trace', 'full' or 'diagonal', got {outputs!r}.")
    if not callable(apply):
        raise TypeError(f"expected apply to be a function apply(params, x) of one example, got {apply!r}.")
    if budget < 1:
        raise ValueError(f"expected a budget of at least 1 byte, got {budget}.")
    _check_batch(x1, "x1")
    if x2 is not None:
        _check_batch(x2, "x2")
        if _one(x1) != _one(x2):
            raise ValueError(f"expected x1 and x2 with examples of one shape and dtype, got {_one(x1)} and {_one(x2)}.")
    if not any(map(_is_trained, jax.tree.leaves(params))):
        raise TypeError(
            "expected params with arrays of floating point numbers in it, got none; pass what `init` returns."
        )
    return _streamed(apply, params, x1, x2, outputs, budget)


@eqx.filter_jit
def _streamed(apply: Network, params: Any, x1: Any, x2: Any, outputs: str, budget: int) -> Array:
    trained, constant = eqx.partition(params, _is_trained)

    def function(trained: Any, x: Any) -> Array:
        return jnp.ravel(apply(eqx.combine(trained, constant), x))

    def gradients(examples: tuple[Any, Array]) -> list[Array]:
        """One row for each pair (example, number of an output)."""
        grads = jax.vmap(lambda x, o: jax.grad(lambda p: function(p, x)[o])(trained))(*examples)
        return [g.reshape(g.shape[0], -1) for g in jax.tree.leaves(grads)]

    def tile(a: tuple[Any, Array], b: tuple[Any, Array]) -> tuple[Array, ...]:
        products = [_real_product(g, h) for g, h in zip(gradients(a), gradients(b), strict=True)]
        return (sum(products[1:], products[0]),)

    one = jax.tree.map(lambda a: a[0], x1)
    size = math.prod(jax.eval_shape(function, trained, one).shape)
    activations = max(0, _bytes(_residuals(function, trained, one)) - _bytes(trained))
    n1, n2 = _length(x1), _length(x1 if x2 is None else x2)

    def matrix(numbers: Array) -> Array:
        """Rows and columns are all pairs of an example and one of these outputs, outputs faster."""
        first, second = (None if x is None else _pairs(x, numbers) for x in (x1, x2))
        most = max(1, budget // (2 * _bytes(trained) + 2 * activations))
        return gram(tile, first, second, (min(n1 * numbers.size, most), min(n2 * numbers.size, most)))[0]

    if outputs == "full":
        return matrix(jnp.arange(size)).reshape(n1, size, n2, size).transpose(0, 2, 1, 3)
    if outputs == "diagonal":
        return jnp.moveaxis(lax.map(lambda o: matrix(o[None]), jnp.arange(size)), 0, -1)
    zero = jnp.zeros_like(jax.eval_shape(matrix, jnp.arange(1)))
    return lax.scan(lambda total, o: (total + matrix(o[None]), None), zero, jnp.arange(size))[0] / size


def _real_product(g: Array, h: Array) -> Array:
    """Gram matrix of rows; real and imaginary parts of complex parameters count as two parameters."""
    return jnp.real(jnp.matmul(jnp.conj(g), h.T, precision=lax.Precision.HIGHEST))


def _pairs(x: Any, numbers: Array) -> tuple[Any, Array]:
    repeated = x if numbers.size == 1 else jax.tree.map(lambda a: jnp.repeat(a, numbers.size, axis=0), x)
    return repeated, jnp.tile(numbers, _length(x))


def _residuals(function: Network, trained: Any, x: Any) -> Any:
    """What the backward pass of one example keeps, shared weights included: shapes only."""
    return jax.eval_shape(lambda p, x: jax.vjp(lambda q: function(q, x), p)[1], trained, x)


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype"))


def _length(x: Any) -> int:
    return jax.tree.leaves(x)[0].shape[0]


def _is_trained(leaf: object) -> bool:
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
