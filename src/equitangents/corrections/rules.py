"""Quadrature rules, as numbers that a compiled program takes: it is the same for a rule and for a coarser one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..numerics import trapezoidal
from .grid import Rule

STRETCH = 1.4


class Nodes(NamedTuple):
    """Of the trapezoidal rule, in each dimension.

    Attributes:
        two: for means over one and two samples.
        four: for means over three and four.
        stretch_two, stretch_four: range of the rules over n^(1/3); larger suits functions that vary slowly.
    """

    two: int = 100
    four: int = 40
    stretch_two: float = STRETCH
    stretch_four: float = STRETCH


class Rules(NamedTuple):
    """The rules for one and two samples, and for three and four."""

    two: Rule
    four: Rule


def rules(nodes: Nodes | tuple[int, int], share: float = 1.0) -> Rules:
    """The rules with a share of the nodes; the rest of the arrays has weight 0.

    >>> [int((rule[1] > 0).sum()) for rule in rules((30, 12), 2 / 3)]
    [20, 8]
    """
    nodes = Nodes(*nodes)

    def one(count: int, stretch: float) -> Rule:
        x, w = trapezoidal(max(2, round(share * count)), stretch)
        dtype = jnp.float64 if jax.config.jax_enable_x64 else jnp.float32  # type: ignore[attr-defined]
        return tuple(jnp.asarray(np.pad(a, (0, count - len(a))), dtype) for a in (x, w))  # type: ignore[return-value]

    return Rules(one(nodes.two, nodes.stretch_two), one(nodes.four, nodes.stretch_four))


COARSER = 2 / 3
"""Share of the nodes whose result is compared: the error of the finer rule is far below the difference."""
