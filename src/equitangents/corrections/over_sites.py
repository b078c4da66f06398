"""The expansion of networks with sites: convolutions, also over groups, and pools."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..nets import AbstractActivation
from .accuracy import nodes_for
from .compile import Hyper, Program, compiled
from .rules import Nodes, Rules, rules
from .stages import Stage, constants, first_kernel, pair_map
from .tensors import tensor

MOST = 32
"""Inputs times sites before a nonlinearity, at most: tensors of four indices have the fourth power of it."""

Tensors = dict[str, Array]


def over_sites(
    parts: tuple[Stage, ...], between: tuple[AbstractActivation, ...], x: Array, names: tuple[str, ...], rules: Rules
) -> list[Tensors]:
    """The tensors after each stage, (m, ..., m) each, m = inputs times sites, the input being the first index.

    Raises:
        ValueError: more than `MOST` inputs times sites before a nonlinearity.
    """
    if any(tensor(name).slots > 2 for name in names):
        _check_size(parts, x.shape[0])
    k, theta = first_kernel(parts[0], x)
    found: list[Tensors] = [
        {"K": k, "Theta": theta} | {n: jnp.zeros((len(k),) * tensor(n).slots) for n in names if n not in ("K", "Theta")}
    ]
    for i, (layer, part) in enumerate(zip(between, parts[1:], strict=True)):
        ratio = part.channels / parts[i].channels if i else 0.0
        hyper = Hyper(part.weighted.sigma_w**2, 0.0, part.weighted.rate_w, 0.0, ratio)
        new = _step(compiled(names, len(found[-1]["K"])), layer, found[-1], hyper, rules)
        found.append(_averaged(new, part, x.shape[0]))
    return found


def choose_nodes_over_sites(parts: tuple[Stage, ...], between: tuple[AbstractActivation, ...], x: Array) -> Nodes:
    """As `choose_nodes`; the default where numbers are traced."""
    numbers = jax.tree.leaves(([part.layers for part in parts], between, x))
    if any(isinstance(number, jax.core.Tracer) for number in numbers):
        return Nodes()
    kernels = [found["K"] for found in over_sites(parts, between, x, ("K",), rules(Nodes()))]
    if any(isinstance(k, jax.core.Tracer) for k in kernels):  # of numbers, but inside of a program that is traced
        return Nodes()
    cases = [(layer, np.diagonal(np.asarray(k))) for layer, k in zip(between, kernels, strict=False)]
    return nodes_for(cases, max(map(len, kernels[:-1]), default=1))


def _check_size(parts: tuple[Stage, ...], n: int) -> None:
    for part in parts[:-1]:
        if n * math.prod(part.after) > MOST:
            raise ValueError(
                f"expected at most {MOST} inputs times sites before a nonlinearity, got {n} times {part.after}: "
                "tensors have four of these as indices; take fewer inputs, a smaller image or group, or put Flatten() "
                "first."
            )


@functools.partial(jax.jit, static_argnums=0)
def _step(program: Program, layer: AbstractActivation, tensors: Tensors, hyper: Hyper, rules: Rules) -> Tensors:
    return program.unpack(program.step(layer, program.pack(tensors), hyper, rules))


def _averaged(tensors: Tensors, part: Stage, n: int) -> Tensors:
    """The linear layers of a stage, whose weights are in the tensors already: averages, and the biases."""
    over, own = pair_map(part), dict(zip(("K", "Theta"), constants(part), strict=True))
    averaged = {name: _mapped(array, tensor(name).pairing, over, part, n) for name, array in tensors.items()}
    return {name: array + jnp.tile(own[name], (n, n)) if name in own else array for name, array in averaged.items()}


def _mapped(array: Array, pairing: tuple[tuple[int, int], ...], over: np.ndarray, part: Stage, n: int) -> Array:
    """The stage's map of covariances, for each pair of legs."""
    before, after = math.prod(part.before), math.prod(part.after)
    for a, b in pairing:
        split = array.reshape([size for axis in array.shape for size in (n, axis // n)])
        moved = jnp.moveaxis(split, (2 * a + 1, 2 * b + 1), (-2, -1))
        out = moved.reshape(*moved.shape[:-2], before * before) @ over.T
        out = jnp.moveaxis(out.reshape(*moved.shape[:-2], after, after), (-2, -1), (2 * a + 1, 2 * b + 1))
        array = out.reshape([out.shape[i] * out.shape[i + 1] for i in range(0, out.ndim, 2)])
    return array
