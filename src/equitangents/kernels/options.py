"""How XLA compiles kernels on a CPU, where they are not part of another program."""

from typing import Any

import jax
import jax.numpy as jnp

WIDE = {"xla_cpu_prefer_vector_width": 512}
"""Loops in the widest registers there are, of which XLA takes half by default."""

WITHOUT_FORKS = {"xla_disable_hlo_passes": "cpu-parallel-task-assigner"}
"""No loop is cut into pieces for threads; matrix products still are."""

OPTIONS: dict[str, dict[str, Any] | None] = {"any": None, "sites": WIDE, "dense": WIDE | WITHOUT_FORKS}
"""By kind of program: without sites a loop lasts about 0.1 ms; two threads take as long, and more processor time."""


def kind_of(arguments: Any, dense: bool) -> str:
    """Which of `OPTIONS`; inside another program's trace the options are that program's."""
    leaves = (*jax.tree.leaves(arguments), jnp.zeros(()))  # the last is traced where a constant is used under `jit`
    if jax.default_backend() != "cpu" or any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return "any"
    return "dense" if dense else "sites"
