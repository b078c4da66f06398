"""Training data extended by a group."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, PRNGKeyArray

from ..groups import Action, FiniteGroup, trivial_action
from .checks import check_action, check_batch, check_count, check_same_group


def augment(
    x: ArrayLike,
    y: ArrayLike,
    action: Action,
    *,
    target: Action | None = None,
    elements: Sequence[int] | None = None,
    random: int | None = None,
    key: PRNGKeyArray | None = None,
) -> tuple[Array, Array]:
    r"""The examples $(\rho(g) x_i, \rho_Y(g) y_i)$ for all g, or for some.

    The element is the slow index: example i moved by the a-th element is row a n + i. So for the full orbit
    `x_augmented.reshape(|G|, n, ...)` is `orbit(action, x)`, and the first n rows are the data themselves where the
    identity is the first element.

    Args:
        x: inputs, shape (n, *example).
        y: targets, shape (n,) or (n, *target).
        action: on the inputs.
        target: on one target, of the same group; trivial by default, for labels that do not change.
        elements: use only these elements, in this order. Three of the four rotations, (0, 1, 2), are no group: a
            negative control.
        random: this many different elements for each example, drawn uniformly and independently between examples;
            from `elements` where they are given.
        key: for `random`, and only then.

    Returns:
        Inputs (m n, *example) and targets (m n, *target), m the number of elements used for each example.

    Raises:
        ValueError: shapes or groups that do not fit, no such elements, more random elements than there are, or a
            missing or superfluous key.
        TypeError: `action` or `target` is no Action, or `random` no integer.

    >>> from equitangents.groups import cyclic, permutation_action
    >>> swap = permutation_action(cyclic(2), [[0, 1], [1, 0]])
    >>> x, y = augment(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([5.0, 6.0]), swap)
    >>> x.tolist(), y.tolist()
    ([[1.0, 2.0], [3.0, 4.0], [2.0, 1.0], [4.0, 3.0]], [5.0, 6.0, 5.0, 6.0])
    """
    x, y = jnp.asarray(x), jnp.asarray(y)
    group = check_action("action", action).group
    target = trivial_action(group) if target is None else check_action("target", target)
    check_same_group("action", action, "target", target)
    check_batch("x", action, x)
    check_batch("y", target, y)
    if len(x) != len(y):
        raise ValueError(f"expected as many targets as inputs; got {len(x)} inputs and {len(y)} targets; pair them up.")
    chosen = _chosen(group, elements)
    if random is None:
        if key is not None:
            raise ValueError("expected a key only with random=k; got one without; leave it out, or set random.")
        moved = [jax.vmap(a, (0, None))(chosen, z) for a, z in ((action, x), (target, y))]
    else:
        drawn = _drawn(chosen, random, len(x), key)
        moved = [jax.vmap(jax.vmap(a), (0, None))(drawn, z) for a, z in ((action, x), (target, y))]
    x_moved, y_moved = (z.reshape(-1, *z.shape[2:]) for z in moved)
    return x_moved, y_moved


def _chosen(group: FiniteGroup, elements: Sequence[int] | None) -> Array:
    if elements is None:
        return jnp.arange(group.order)
    chosen = [group.check_element(g) for g in elements]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"expected different elements of {group}, at least one; got {tuple(elements)}; list each once."
        )
    return jnp.asarray(np.array(chosen))


def _drawn(chosen: Array, random: int, n: int, key: PRNGKeyArray | None) -> Array:
    """Different elements for each example, shape (random, n)."""
    check_count("random", random)
    if random > len(chosen):
        raise ValueError(
            f"expected random to be at most {len(chosen)}, the number of elements; got {random}; "
            "leave it out for the full orbit."
        )
    if key is None:
        raise ValueError(f"expected a key to draw random={random} elements for each example; got None; pass key=.")
    return jax.vmap(lambda k: jr.permutation(k, chosen)[:random])(jr.split(key, n)).T
