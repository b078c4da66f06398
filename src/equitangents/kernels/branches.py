r"""Branches at infinite width: $k = \sum_i p_i k_i$ of joined channels, $k = \prod_i k_i$ of a product."""

import functools

from ..nets import Concatenate, Product
from ..numerics import as_defect
from .kernel import Kernel, Needs, diagonal
from .linear import scaled
from .propagate import dependent, draws_weights, independent_sum, needs, propagate


@propagate.register(Concatenate)
def _(layer: Concatenate, k: Kernel) -> Kernel:
    shares = zip(layer.layers, layer.shares, strict=True)
    total = independent_sum([scaled(propagate(inside, k), share**0.5, share**0.5) for inside, share in shares])
    return Kernel(total.k11, total.k12, total.k22, total.d, total.ntk, total.sites, False)


@propagate.register(Product)
def _(layer: Product, k: Kernel) -> Kernel:
    if [draws_weights(inside) for inside in layer.layers].count(False) > 1:
        raise dependent(layer)
    terms = [propagate(inside, k) for inside in layer.layers]
    if not all(term.pairs for term in terms):
        terms = [diagonal(term) for term in terms]
    return functools.reduce(_times, terms[1:], terms[0])


def _times(a: Kernel, b: Kernel) -> Kernel:
    """Of independent factors: covariances multiply, defects join as 1 - (1 - d)(1 - d'), derivatives by Leibniz."""
    ntk = a.ntk * b.k12 + a.k12 * b.ntk
    k11 = None if a.k11 is None or b.k11 is None else a.k11 * b.k11
    k22 = None if a.k22 is None or b.k22 is None else a.k22 * b.k22
    d = None if a.d is None or b.d is None else as_defect(a.d + b.d - a.d * b.d)
    return Kernel(k11, a.k12 * b.k12, k22, d, ntk, a.sites, False)


@needs.register(Concatenate)
@needs.register(Product)
def _(layer: Concatenate | Product, after: Needs) -> Needs:
    return functools.reduce(Needs.__or__, (needs(inside, after) for inside in layer.layers))
