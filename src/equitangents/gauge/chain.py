"""Markov chains: an update, repeated, and something measured after each."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from .action import average_plaquette
from .links import Links, described, is_key


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

    Raises:
        TypeError: arguments of another kind, as swapped ones are, or an update that returns something else than links.
        ValueError: a negative number of steps.
    """
    if not is_key(key):
        raise TypeError(f"expected a random key first, got {described(key)}; {ORDER}")
    if not callable(update):
        raise TypeError(f"expected update to be a function (key, links) -> links, got {described(update)}; {ORDER}")
    if not isinstance(links, Links):
        raise TypeError(f"expected Links to start from, got {described(links)}; {ORDER}")
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        raise TypeError(f"expected steps to be an integer, got {described(steps)}; {ORDER}")
    if steps < 0:
        raise ValueError(f"expected at least 0 steps, got {steps}.")
    if not callable(measure):
        raise TypeError(f"expected measure to be a function of links, got {described(measure)}; {ORDER}")
    return _repeated(key, update, links, int(steps), measure)


ORDER = "call run_chain(key, update, links, steps, measure)."


@eqx.filter_jit
def _repeated(key, update, links, steps, measure):
    def step(links, key):
        links = update(key, links)
        if not isinstance(links, Links):
            raise TypeError(f"expected update to return Links, got {described(links)}; of hmc(...) return the links.")
        return links, measure(links)

    return jax.lax.scan(step, links, jr.split(key, steps))
