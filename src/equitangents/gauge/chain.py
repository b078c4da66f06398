"""Markov chains: an update, repeated, and something measured after each."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
from jaxtyping import PRNGKeyArray

from .action import average_plaquette
from .links import Links


@eqx.filter_jit
def run_chain(
    key: PRNGKeyArray,
    update: Callable[[PRNGKeyArray, Links], Links],
    links: Links,
    steps: int,
    measure: Callable[[Links], Any] = average_plaquette,
) -> tuple[Links, Any]:
    """Repeats an update, compiled as one loop.

    Args:
        key: random key.
        update: (key, links) -> links, for instance `lambda key, links: heat_bath(key, links, 2.3)`.
        links: the start: `identity_links` (cold) or `random_links` (hot); leading axes are independent chains.
        steps: how often; leave out the first of them as long as hot and cold starts differ.
        measure: of the links after each update; `lambda links: links` keeps them all.

    Returns:
        The last links, and the measurements with a first axis of `steps`.
    """

    def step(links, key):
        links = update(key, links)
        return links, measure(links)

    return jax.lax.scan(step, links, jr.split(key, steps))
