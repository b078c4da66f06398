"""Keeping XLA from working out again, for each pair, what belongs to one input."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

Tree = TypeVar("Tree")


def materialise(tree: Tree) -> Tree:
    """The same arrays, as buffers of their own.

    XLA fuses a chain of operations on n numbers into each loop over n^2 pairs that reads its end: layer by layer such
    loops grow, and so does the time to compile and to run them. Loops of margins and of moved copies besides compute
    what they read one number at a time. XLA does not see through a loop of two steps, while an optimization barrier is
    gone before a CPU program is fused. The loop changes one entry in place, and back: nothing is copied.
    """

    def step(x: Tree, _: None) -> tuple[Tree, None]:
        return jax.tree.map(lambda now, given: _first_negated(now) if now.ndim else given, x, tree), None

    # a number becomes many under vmap, all of which would change sign: it is copied instead
    start = jax.tree.map(lambda x: x if x.ndim else jnp.zeros_like(x), tree)
    return lax.scan(step, start, None, length=2)[0]


def _first_negated(x: Array) -> Array:
    if not x.size:
        return x
    first = lax.slice(x, (0,) * x.ndim, (1,) * x.ndim)
    return lax.dynamic_update_slice(x, -first, (0,) * x.ndim)
