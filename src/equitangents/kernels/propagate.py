"""The two open functions that turn descriptions into kernels: `propagate` and `needs`."""

import functools
import operator
from typing import Any

from ..nets import (
    AbstractActivation,
    AbstractLayer,
    AbstractWeighted,
    Attention,
    Concatenate,
    MaximalUpdate,
    Parallel,
    Product,
    Recurrent,
    Residual,
    Serial,
    Shared,
)
from .kernel import Kernel, Needs, defect_from_distance, diagonal, half_distance, spread


@functools.singledispatch
def propagate(layer: AbstractLayer, k: Kernel) -> Kernel:
    """Covariances after `layer`, as its width goes to infinity, for one pair of inputs.

    Args:
        layer: the description; its width is not used.
        k: before the layer.

    Returns:
        The same after the layer.

    Raises:
        NotImplementedError: no rule is registered for this type of layer.
    """
    name = type(layer).__name__
    raise NotImplementedError(f"{name} has no infinite-width rule; write one with @propagate.register({name}).")


@functools.singledispatch
def needs(layer: AbstractLayer, after: Needs) -> Needs:
    """What must be known before `layer`, if `after` must be known after it.

    The default is right for layers that act on each site alike: variances at least at the sites. A layer that averages
    sites, or needs no variances, registers its own rule with `@needs.register`.
    """
    return after | Needs(False, "sites")


@propagate.register(Serial)
def _(layer: Serial, k: Kernel) -> Kernel:
    for inside in layer.layers:
        k = propagate(inside, k)
    return k


@needs.register(Serial)
def _(layer: Serial, after: Needs) -> Needs:
    for inside in reversed(layer.layers):
        after = needs(inside, after)
    return after


@propagate.register(Residual)
def _(layer: Residual, k: Kernel) -> Kernel:
    if not draws_weights(layer.layer):
        raise dependent(layer)
    return independent_sum([k, propagate(layer.layer, k)])


@needs.register(Residual)
def _(layer: Residual, after: Needs) -> Needs:
    return after | needs(layer.layer, after)


@propagate.register(Parallel)
def _(layer: Parallel, k: Kernel) -> Kernel:
    if [draws_weights(inside) for inside in layer.layers].count(False) > 1:
        raise dependent(layer)
    return independent_sum([propagate(inside, k) for inside in layer.layers])


@needs.register(Parallel)
def _(layer: Parallel, after: Needs) -> Needs:
    return functools.reduce(Needs.__or__, (needs(inside, after) for inside in layer.layers))


@propagate.register(MaximalUpdate)
def _(layer: MaximalUpdate, k: Kernel) -> Kernel:
    raise NotImplementedError(
        "mup(...) has no kernel at infinite width, as features move in that limit; use empirical_ntk on the finite "
        "network, or the network before mup."
    )


MORE_THAN_LINEAR = (AbstractActivation, Parallel, Residual, Concatenate, Product, Recurrent, Shared)
"""Layers that are more than a linear map, or may be, where they do not draw weights themselves."""


def draws_weights(layer: AbstractLayer) -> bool:
    """Whether the output is linear in weights of its own, with nothing but linear maps after them."""
    if isinstance(layer, AbstractWeighted | Attention):
        return True
    if isinstance(layer, Parallel | Concatenate):
        return all(map(draws_weights, layer.layers))
    if isinstance(layer, Shared):
        return draws_weights(layer.layer)
    if isinstance(layer, Serial):
        for inside in reversed(layer.layers):
            if draws_weights(inside):
                return True
            if isinstance(inside, MORE_THAN_LINEAR):
                return False
    return False


def dependent(layer: AbstractLayer) -> ValueError:
    """The error of a layer whose branches are not independent."""
    return ValueError(
        f"{type(layer).__name__} expected all branches but one to end in a layer with its own weights, as only then "
        "are they independent at infinite width; end the branches in Dense or Conv."
    )


def independent_sum(terms: list[Kernel]) -> Kernel:
    """Kernel of a sum of independent terms."""
    if not all(term.pairs for term in terms):
        terms = [diagonal(term) for term in terms]
    k12, ntk = _sum([term.k12 for term in terms]), _sum([term.ntk for term in terms])
    gaussian, sites = all(term.gaussian for term in terms), terms[0].sites
    apart = [
        half_distance(*spread(t.k11, t.k22, t), t.d)
        for t in terms
        if t.k11 is not None and t.k22 is not None and t.d is not None
    ]
    if len(apart) < len(terms):
        return Kernel(None, k12, None, None, ntk, sites, gaussian)
    k11, k22 = _sum([t.k11 for t in terms]), _sum([t.k22 for t in terms])
    total = Kernel(k11, k12, k22, None, ntk, sites, gaussian)
    return Kernel(k11, k12, k22, defect_from_distance(*spread(k11, k22, total), _sum(apart)), ntk, sites, gaussian)


def _sum(arrays: list[Any]) -> Any:
    return functools.reduce(operator.add, arrays)
