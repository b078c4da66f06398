r"""Recursions as numbers: one step from the tensors of layer l to those of layer l + 1, a pure function of arrays.

All distinct components of all tensors are one vector. A step gathers from it, and from the Gaussian means, the factors
of every term of every component, multiplies them and adds them up:
$T'_c = \sum_t \kappa_t C_W^{a_t} \lambda_W^{b_t} r^{p_t} \prod \Theta \prod T \prod \langle \ldots \rangle$.
"""

import dataclasses
import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from ..nets import AbstractActivation
from .factors import Summand, summands
from .generate import merged, recursion
from .index import Orbits, orbits
from .means import evaluate
from .request import Plan, Request, plan
from .rules import Rules
from .tensors import tensor


class Hyper(NamedTuple):
    """Numbers of the new layer: variances and learning rates of its parameters, and r = n_l / n_{l-1} (0 for l = 1)."""

    c_w: ArrayLike
    c_b: ArrayLike
    lambda_w: ArrayLike
    lambda_b: ArrayLike
    ratio: ArrayLike


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """Recursions of some tensors over m samples, compiled; `compiled` makes it.

    Attributes:
        orbits: of each tensor, in the order of the vector that `pack` makes.
        plan: the Gaussian means.
        coefficients: (terms,), one for each term of each component; likewise
        powers: (3, terms) of C_W, lambda_W and r;
        places: (factors, terms) in the vector of components, one past its end for a factor that is absent;
        means: (factors, terms) among the means, one past their end for one that is absent;
        target: (terms,) the component that the term belongs to.
    """

    orbits: dict[str, Orbits]
    plan: Plan
    coefficients: np.ndarray
    powers: np.ndarray
    places: np.ndarray
    means: np.ndarray
    target: np.ndarray

    @property
    def complete(self) -> tuple[str, ...]:
        """The tensors of which all components are there; others were needed for a few of theirs."""
        return tuple(name for name, found in self.orbits.items() if np.all(found.of >= 0))

    @functools.cached_property
    def offsets(self) -> dict[str, int]:
        """Where the components of each tensor begin; under "" how many there are."""
        return _offsets(self.orbits)

    def pack(self, tensors: dict[str, Array]) -> Array:
        """The distinct components of full tensors as one vector; a tensor that is not given is zero."""
        like = tensors["K"]
        parts = [
            tensors[name][tuple(found.representatives.T)]
            if name in tensors
            else jnp.zeros(len(found.representatives), like.dtype)
            for name, found in self.orbits.items()
        ]
        return jnp.concatenate(parts)

    def unpack(self, state: Array, names: Iterable[str] | None = None) -> dict[str, Array]:
        """Full tensors (..., m, ..., m) of vectors of shape (..., components)."""
        wanted = self.complete if names is None else names
        return {name: state[..., self.offsets[name] + self.orbits[name].of] for name in wanted}

    def step(self, layer: AbstractActivation, state: Array, hyper: Hyper, rules: Rules) -> Array:
        """The vector of components one layer later."""
        one = jnp.ones(1, state.dtype)
        covariance = self.unpack(state, ("K",))["K"]
        means = jnp.concatenate([evaluate(layer, self.plan, covariance, rules), one])
        components = jnp.concatenate([state, one])
        numbers = (jnp.asarray(number, state.dtype) for number in (hyper.c_w, hyper.lambda_w, hyper.ratio))
        terms = jnp.asarray(self.coefficients, state.dtype)
        for number, power in zip(numbers, self.powers, strict=True):
            terms *= jnp.stack([number**p for p in range(power.max(initial=0) + 1)])[power]
        for place in self.places:
            terms *= components[place]
        for place in self.means:
            terms *= means[place]
        new = jax.ops.segment_sum(terms, self.target, len(state))
        for name, constant in (("K", hyper.c_b), ("Theta", hyper.lambda_b)):
            if name in self.orbits:
                start = self.offsets[name]
                own = slice(start, start + len(self.orbits[name].representatives))
                new = new.at[own].add(jnp.asarray(constant, state.dtype))
        return new


def _offsets(found: dict[str, Orbits]) -> dict[str, int]:
    ends = np.cumsum([0, *(len(each.representatives) for each in found.values())])
    return dict(zip([*found, ""], map(int, ends), strict=True))


def closure(names: Iterable[str]) -> tuple[str, ...]:
    """The tensors and all that their recursions need, K first.

    >>> closure(("F",))
    ('K', 'Theta', 'F')
    """
    needed, left = {"K"}, list(names)
    while left:
        name = left.pop()
        needed.add(name)
        for term in recursion(name).terms:
            needs = [other for other, _ in term.tensors] + ["Theta"] * bool(term.thetas)
            left += [other for other in needs if other not in needed]
    return tuple(sorted(needed, key=lambda name: (tensor(name).slots, name not in ("K", "Theta"), name)))


def _distinct(names: tuple[str, ...]) -> dict[str, int]:
    """How many different samples the needed components of each tensor have: no more than the wanted one's slots."""
    most: dict[str, int] = {}
    for wanted in ("K", *names):
        for name in closure((wanted,)):
            most[name] = max(most.get(name, 0), tensor(wanted).slots)
    return {name: most[name] for name in closure(names)}


@functools.lru_cache(maxsize=64)
def compiled(names: tuple[str, ...], samples: int) -> Program:
    """The program for some tensors, and for what they need, over any number of samples.

    Every component with at most four distinct samples is a problem of its own, so the cost is that of the distinct
    components; tensors of more slots than four are limited to four samples.

    Args:
        names: such as ("K", "Theta", "V").
        samples: m, the number of inputs.

    Raises:
        ValueError: a name that no tensor has, or more samples in one mean than four.
    """
    if samples > 4 and any(tensor(name).slots > 4 for name in names):
        raise ValueError(
            f"expected at most 4 inputs for a tensor of more than 4 indices, got {samples}; split them into groups."
        )
    found = {name: orbits(name, samples, most) for name, most in _distinct(names).items()}
    offsets = _offsets(found)
    parts = [
        _entries(summand, found[name].representatives, offsets[name], offsets, found)
        for name in found
        for summand in summands(merged(recursion(name)).terms)
    ]
    requests, means = _number([rows for part in parts for rows in part.requests])
    total, absent = sum(len(part.target) for part in parts), len(requests)
    columns = {
        "places": np.full((max(len(part.places) for part in parts), total), offsets[""]),
        "means": np.full((max(len(part.requests) for part in parts), total), absent),
    }
    start, taken = 0, iter(means)
    for part in parts:
        own = slice(start, start + len(part.target))
        for row, place in enumerate(part.places):
            columns["places"][row, own] = place
        for row, _ in enumerate(part.requests):
            columns["means"][row, own] = next(taken)
        start = own.stop
    return Program(
        orbits=found,
        plan=plan(requests),
        coefficients=np.concatenate([np.full(len(part.target), float(part.summand.coefficient)) for part in parts]),
        powers=np.concatenate([np.tile([part.summand[1:4]], (len(part.target), 1)) for part in parts]).T,
        target=np.concatenate([part.target for part in parts]),
        **columns,
    )


class _Part(NamedTuple):
    """One summand at all components: places of its factors in the vector, its means as rows of codes."""

    summand: Summand
    target: np.ndarray
    places: list[np.ndarray]
    requests: list[np.ndarray]


ORDERS = 16
"""A factor is written as the number sample * ORDERS + order."""
LONGEST = 6
"""Factors of one blob at most."""


def _entries(
    summand: Summand, components: np.ndarray, offset: int, offsets: dict[str, int], found: dict[str, Orbits]
) -> _Part:
    factors = [("Theta", slots) for slots in summand.thetas] + list(summand.tensors)
    places = [offsets[name] + found[name].of[tuple(components[:, list(slots)].T)] for name, slots in factors]
    return _Part(
        summand, offset + np.arange(len(components)), places, [_codes(mean, components) for mean in summand.means]
    )


def _codes(request: Request, components: np.ndarray) -> np.ndarray:
    """(components, 2 LONGEST): the request with its slots filled, in an order that is the same for equal requests."""
    sides = []
    for blob in request:
        rows = np.full((len(components), LONGEST), -1)
        for place, (slot, order) in enumerate(blob):
            rows[:, place] = components[:, slot] * ORDERS + order
        sides.append(-np.sort(-rows, axis=1))
    x, y = sides
    if request[1]:  # a covariance is symmetric
        first = np.argmax(x != y, axis=1)[:, None]  # where they differ
        swap = np.take_along_axis(x, first, axis=1) < np.take_along_axis(y, first, axis=1)
        x, y = np.where(swap, y, x), np.where(swap, x, y)
    return np.concatenate([x, y], axis=1)


def _number(rows: list[np.ndarray]) -> tuple[tuple[Request, ...], list[np.ndarray]]:
    """The distinct requests, and which of them each row is."""
    distinct, which = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    requests = []
    for row in distinct.reshape(-1, 2, LONGEST).tolist():
        x, y = (tuple(sorted(divmod(code, ORDERS) for code in side if code >= 0)) for side in row)
        requests.append((x, y))
    return tuple(requests), np.split(which.reshape(-1), np.cumsum([len(part) for part in rows])[:-1])
