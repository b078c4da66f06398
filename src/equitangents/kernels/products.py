r"""$\Theta v = J_1 (J_2^\top v)$ and random projections of gradients: tangent kernels without their matrix."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from .empirical import BUDGET, check_arguments, is_trained
from .program import kept_bytes, trace
from .tiles import _even, _filled

Function = Callable[[Any, Any], Array]


def ntk_vector_product(
    apply: Function, params: Any, x1: Any, x2: Any = None, *, budget: int = BUDGET
) -> Callable[[Array], Array]:
    r"""The function $v \mapsto \sum_{jp} \Theta_{io,jp} v_{jp}$ with the tangent kernel of all pairs of outputs.

    One backward pass through the examples x2 and one forward pass through x1, in batches: time grows with n1 + n2, and
    memory is that of the parameters, of v and of `budget` bytes.

    Args:
        apply, params, x1, x2, budget: as for `empirical_ntk`.

    Returns:
        A function that takes v of shape (n2, *outputs) to (n1, *outputs); outputs are those of `apply` for one example.

    Raises:
        TypeError, ValueError: as `empirical_ntk`; the returned function, for a v of another shape.

    References:
        Novak, Sohl-Dickstein and Schoenholz (2022), arXiv:2206.08720, section 3.2.

    >>> product = ntk_vector_product(lambda w, x: w @ x, jnp.ones((1, 2)), jnp.array([[1.0, 2.0], [3.0, 0.0]]))
    >>> product(jnp.array([[1.0], [0.0]])).ravel()  # a column of [[5, 3], [3, 9]]
    Array([5., 3.], dtype=float32)
    """
    check_arguments(apply, params, x1, x2, budget)
    second = x1 if x2 is None else x2
    n2 = jax.tree.leaves(second)[0].shape[0]
    out = eqx.filter_eval_shape(lambda p, x: apply(p, jax.tree.map(lambda a: a[0], x)), params, second)

    def product(v: Array) -> Array:
        if tuple(v.shape) != (n2, *out.shape):
            raise ValueError(f"expected v of shape {(n2, *out.shape)}, one row for each of x2, got {tuple(v.shape)}.")
        return _product(apply, params, x1, second, v.astype(out.dtype), budget)

    return product


@eqx.filter_jit
def _product(apply: Function, params: Any, x1: Any, x2: Any, v: Array, budget: int) -> Array:
    trained, function = _of_trained(apply, params)
    batched = jax.vmap(function, (None, 0))

    def pulled(total: Any, batch: tuple[Any, Array]) -> tuple[Any, None]:
        _, pull = jax.vjp(lambda p: batched(p, batch[0]), trained)
        return jax.tree.map(jnp.add, total, pull(batch[1])[0]), None

    rows = _batch(function, trained, x2, budget)
    missing = -v.shape[0] % rows
    cotangents = jnp.pad(v, [(0, missing)] + [(0, 0)] * (v.ndim - 1))
    pairs = jax.tree.map(lambda a: a.reshape(-1, rows, *a.shape[1:]), (_filled(x2, rows), cotangents))
    direction, _ = lax.scan(pulled, jax.tree.map(jnp.zeros_like, trained), pairs)
    direction = jax.tree.map(jnp.conj, direction)  # real and imaginary parts are two parameters
    return _pushed(batched, trained, direction, x1, _batch(function, trained, x1, budget))


def projected_gradients(
    apply: Function,
    params: Any,
    x: Any,
    key: PRNGKeyArray,
    dimension: int,
    *,
    distribution: str = "rademacher",
    budget: int = BUDGET,
) -> Array:
    r"""$\phi_k(x) = D^{-1/2}\, r_k \cdot \nabla_\theta f(x)$, D random r, so that $E[\phi \cdot \phi'] = \Theta$.

    The inner product of two rows has variance $(\Theta_{12}^2 + \Theta_{11} \Theta_{22}) / D$ with normal directions;
    with random signs it is smaller by $2 D^{-1} \sum_k (\partial_k f_1)^2 (\partial_k f_2)^2$. Outputs count as rows.
    Each direction is one forward derivative of all examples and outputs; directions are drawn one at a time.

    Args:
        apply, params, x, budget: as for `empirical_ntk`.
        key: PRNG key; the same one must be used for all examples that are to be compared.
        dimension: D, at least 1.
        distribution: "rademacher", random signs, or "normal".

    Returns:
        (n, *outputs, D).

    Raises:
        TypeError, ValueError: as `empirical_ntk`; an unknown distribution or dimension.

    References:
        Johnson and Lindenstrauss (1984); Park et al. (2023), arXiv:2303.14186, for gradients.

    >>> x = jnp.array([[1.0, 2.0], [2.0, 1.0]])
    >>> phi = projected_gradients(lambda w, x: w @ x, jnp.ones(2), x, jax.random.key(0), 4000)
    >>> bool(abs(phi[0] @ phi[1] - 4) < 5 * (41 / 4000) ** 0.5)
    True
    """
    check_arguments(apply, params, x, None, budget)
    if isinstance(dimension, bool) or not isinstance(dimension, int) or dimension < 1:
        raise ValueError(f"expected dimension to be an integer >= 1, got {dimension!r}.")
    if distribution not in ("rademacher", "normal"):
        raise ValueError(f"expected distribution to be 'rademacher' or 'normal', got {distribution!r}.")
    return _projected(apply, params, x, jr.split(key, dimension), distribution, budget)


@eqx.filter_jit
def _projected(apply: Function, params: Any, x: Any, keys: Array, distribution: str, budget: int) -> Array:
    trained, function = _of_trained(apply, params)
    batched = jax.vmap(function, (None, 0))
    leaves, structure = jax.tree.flatten(trained)
    rows = _batch(function, trained, x, budget)

    def draw(key: PRNGKeyArray, leaf: Array) -> Array:
        real = jnp.finfo(leaf.dtype).dtype
        parts = 2 if jnp.iscomplexobj(leaf) else 1
        draws = (jr.rademacher if distribution == "rademacher" else jr.normal)(key, (parts, *leaf.shape), real)
        return lax.complex(draws[0], draws[1]) if parts == 2 else draws[0]

    def one(key: PRNGKeyArray) -> Array:
        drawn = [draw(k, leaf) for k, leaf in zip(jr.split(key, len(leaves)), leaves, strict=True)]
        return _pushed(batched, trained, jax.tree.unflatten(structure, drawn), x, rows)

    return jnp.moveaxis(lax.map(one, keys), 0, -1) / math.sqrt(keys.shape[0])


def _of_trained(apply: Function, params: Any) -> tuple[Any, Function]:
    """The floating point arrays of params, and the network as a function of them."""
    trained, constant = eqx.partition(params, is_trained)
    return jax.tree.map(jnp.asarray, trained), lambda p, x: apply(eqx.combine(p, constant), x)


def _pushed(batched: Function, trained: Any, direction: Any, x: Any, rows: int) -> Array:
    """Derivative of the outputs of all examples along `direction`, so many rows at once."""
    n = jax.tree.leaves(x)[0].shape[0]
    batches = jax.tree.map(lambda a: a.reshape(-1, rows, *a.shape[1:]), _filled(x, rows))
    out = lax.map(lambda b: jax.jvp(lambda p: batched(p, b), (trained,), (direction,))[1], batches)
    return out.reshape(-1, *out.shape[2:])[:n]


def _batch(function: Function, trained: Any, x: Any, budget: int) -> int:
    one = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), x)
    program = trace(function, trained, one)
    working = kept_bytes(program, program.inputs[len(jax.tree.leaves(trained)) :])
    return _even(jax.tree.leaves(x)[0].shape[0], max(1, budget // (4 * max(working, 1))))
