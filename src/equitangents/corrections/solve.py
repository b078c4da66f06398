"""A program run through all layers."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from ..nets import AbstractActivation
from .chain import Runs
from .compile import Hyper, Program
from .rules import Rules


def all_layers(program: Program, runs: Runs, rules: Rules, gram: Array, hypers: Hyper) -> Array:
    r"""(L, components): the vectors of all layers, from $K = C_b + C_W x \cdot x' / n_0$ and $\Theta$ likewise.

    Args:
        program: what is computed.
        runs: (nonlinearity, start, end) of stretches of equal nonlinearities.
        rules: of the quadrature.
        gram: (m, m), the inner products of the inputs, over n_0.
        hypers: (L,) each.
    """
    run = _compiled if hashable(runs) else _layers
    return run(program, runs, rules, gram, hypers)


def hashable(runs: Any) -> bool:
    """Whether all numbers in it are Python's, not arrays."""
    try:
        hash(runs)
    except TypeError:
        return False
    return True


def _layers(program: Program, runs: Runs, rules: Rules, gram: Array, hypers: Hyper) -> Array:
    """(L, components): the vectors of all layers. Equal nonlinearities are one scan, compiled once."""
    first = jax.tree.map(lambda number: number[0], hypers)
    start = {"K": first.c_b + first.c_w * gram, "Theta": first.lambda_b + first.lambda_w * gram}
    state = program.pack(start)
    states = [state[None]]
    for layer, begin, end in runs:
        rows = jax.tree.map(lambda number, b=begin, e=end: number[b + 1 : e + 1], hypers)

        def advance(state: Array, hyper: Hyper, layer: AbstractActivation = layer) -> tuple[Array, Array]:
            new = program.step(layer, state, hyper, rules)
            return new, new

        state, reached = lax.scan(advance, state, rows)
        states.append(reached)
    return jnp.concatenate(states)


_compiled = functools.partial(jax.jit, static_argnums=(0, 1))(_layers)
