"""How many nodes the quadrature over more than two samples needs."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..nets import AbstractActivation
from ..numerics import derivatives, trapezoidal
from .chain import Runs
from .compile import Hyper, compiled
from .rules import Nodes, rules
from .solve import all_layers, hashable

TOLERANCE = 2e-7
"""For means; tensors, which are differences of such means, are then right to about 1e-6 of their largest component."""
CANDIDATES = range(16, 121, 8)
STRETCHES = (1.4, 1.6, 1.8, 2.0, 2.3, 2.6, 3.0)
REFERENCE = 400
TWO = ((0, 0), (1, 1), (0, 2), (1, 3), (2, 2), (0, 4), (1, 5), (2, 4), (3, 3))
FOUR = ((0, 0, 0, 0), (0, 0, 1, 1), (1, 1, 1, 1), (0, 1, 1, 2), (1, 1, 1, 3), (1, 1, 2, 2))
"""The products in the recursions of all tensors with up to four indices, where they come from one or two samples."""


def choose_nodes(runs: Runs, gram: Array, hypers: Hyper) -> Nodes:
    """The rules for means over one and two samples, and for more: as many nodes as tensors right to 1e-6 ask for.

    The default where numbers are traced and cannot be looked at.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((runs, gram, hypers))):
        return Nodes()
    program = compiled(("K",), gram.shape[0])
    covariances = program.unpack(all_layers(program, runs, rules(Nodes()), gram, hypers))["K"]
    variances = np.diagonal(np.asarray(covariances), axis1=1, axis2=2)
    return nodes_for([(layer, variances[start:end].ravel()) for layer, start, end in runs], gram.shape[0])


def nodes_for(cases: list[tuple[AbstractActivation, np.ndarray]], samples: int) -> Nodes:
    """The rules that nonlinearities need at the variances before them, where means are over up to `samples` samples."""
    smooth = [case for case in cases if not case[0].kinks]
    two, four = _fewest(smooth, TWO + FOUR, (Nodes().two,)), _fewest(smooth, FOUR, CANDIDATES)
    return Nodes(two[0], four[0] if samples > 2 else Nodes().four, two[1], four[1])


def _fewest(
    cases: list[tuple[AbstractActivation, np.ndarray]], products: tuple[tuple[int, ...], ...], counts: Sequence[int]
) -> tuple[int, float]:
    """The fewest of `counts` whose error is small enough, and the best stretch; the largest if none is enough.

    All factors are taken at one sample, where they are steep together: the hardest case.
    """
    best = (counts[0], STRETCHES[0])
    for count in counts:
        errors = [max((_error(*case, products, count, s) for case in cases), default=0.0) for s in STRETCHES]
        best = (count, STRETCHES[int(np.argmin(errors))])
        if min(errors) < TOLERANCE:
            break
    return best


def _error(
    layer: AbstractActivation, variances: np.ndarray, products: tuple[tuple[int, ...], ...], count: int, stretch: float
) -> float:
    """Largest error of all products and variances, in units of the root mean square."""
    found, _ = _means(layer, variances, products, count, stretch)
    exact, size = _means(layer, variances, products, REFERENCE, STRETCHES[0])
    return float(np.max(np.abs(found - exact) / np.where(size > 0, size, 1.0)))


def _means(layer, variances, products, count, stretch) -> tuple[np.ndarray, np.ndarray]:
    """Mean and root mean square of the products, (products, variances)."""
    x, w = trapezoidal(count, stretch)
    z = jnp.asarray(np.sqrt(variances)[:, None] * x)
    highest = max(max(orders) for orders in products)
    make = _derivatives(layer, highest) if hashable(layer) else _derivatives.__wrapped__(layer, highest)
    values = np.stack([np.asarray(d) for d in make(z)])
    found = np.stack([np.prod(values[list(orders)], axis=0) for orders in products])
    return found @ w, np.sqrt(found**2 @ w)


@functools.lru_cache(maxsize=64)
def _derivatives(layer: AbstractActivation, order: int) -> Callable[[Array], tuple[Array, ...]]:
    return jax.jit(derivatives(lambda z: layer.phi(z), order))
