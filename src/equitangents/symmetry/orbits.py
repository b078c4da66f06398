r"""Orbits $\{\rho(g) x\}$, and functions evaluated on them."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from ..groups import Action
from .checks import check_action, check_batch, check_same_group


def orbit(action: Action, x: ArrayLike) -> Array:
    r"""$\rho(g) x$ for all g, along a new first axis in the order of the elements.

    Args:
        action: how the group acts.
        x: one example (*example) or a batch (n, *example).

    Returns:
        Shape (|G|, *x.shape); the identity comes first for every group the package makes.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> orbit(swap, jnp.array([1.0, 2.0])).tolist()
    [[1.0, 2.0], [2.0, 1.0]]
    """
    return check_action("action", action).orbit(jnp.asarray(x))


def outputs_on_orbit(
    function: Callable[[Array], Any], x: ArrayLike, action: Action, target: Action | None = None
) -> Array:
    r"""$\rho_Y(g)^{-1} f(\rho(g) x)$ for all g: independent of g exactly if f is equivariant.

    One batch is evaluated after the other, so `function` never sees more than n examples.

    Args:
        function: takes a batch (n, *example) to (n, *output).
        x: shape (n, *example).
        action: on the inputs.
        target: on the outputs, of the same group; trivial by default, so invariance is asked for.

    Returns:
        Shape (|G|, n, *output): what the measures of this folder take.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> outputs_on_orbit(lambda x: x[:, 0], jnp.array([[1.0, 2.0]]), swap).tolist()
    [[1.0], [2.0]]
    """
    x = jnp.asarray(x)
    check_batch("x", check_action("action", action), x)
    group = action.group
    outputs = [jnp.asarray(function(action(g, x))) for g in group.elements]
    if outputs[0].ndim == 0 or len(outputs[0]) != len(x):
        raise ValueError(
            f"expected a function of batches, ({len(x)}, *example) to ({len(x)}, *output); "
            f"got an output of shape {outputs[0].shape}; map it over examples with jax.vmap."
        )
    if target is not None:
        check_same_group("action", action, "target", check_action("target", target))
        check_batch("the function's output", target, outputs[0])
        outputs = [target(int(group.inverse[g]), out) for g, out in zip(group.elements, outputs, strict=True)]
    return jnp.stack(outputs)
