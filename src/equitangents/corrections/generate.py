r"""Recursions l -> l+1 of finite-width tensors, generated: derivatives carried out, terms merged.

`recursion("V")` and so on; the terms hold for any number of different inputs. Terms that only a symmetry of an older
tensor makes equal are kept apart, as the product rule gives them; `merged` puts them together.
"""

import functools
from collections.abc import Iterable, Iterator
from fractions import Fraction

from .average import Contribution, contributions
from .tensors import tensor
from .term import Recursion, Term

CONSTANTS = {"K": "C_b", "Theta": "lambda_b"}


@functools.cache
def recursion(name: str) -> Recursion:
    """How a tensor of layer l+1 follows from those of layer l, at leading order in 1/width.

    Args:
        name: "K", "Theta", "G1", "H1", "V", "D", "F", "A", "B", "P", ..., "U", "V6", or a key "edges|pairs" of a
            contraction forest and the pairing of its nodes, e.g. "01,23|02,13,45".

    Returns:
        The recursion; its slots are those of `tensor(name)`, whose name it bears.

    >>> [len(recursion(name).terms) for name in ("V", "D", "F", "A", "B")]
    [18, 40, 5, 89, 2]
    >>> print(recursion("B"))
    B'_0123 = C_W² Θ_02 Θ_13 ⟨σ'_0 σ'_1 σ'_2 σ'_3⟩
            + r C_W² B_0123 ⟨σ'_0 σ'_1⟩ ⟨σ'_2 σ'_3⟩

    Raises:
        ValueError: an unknown name, or a key of no forest and pairing.

    References:
        Guillen, Misof and Gerken (2025), arXiv:2508.11522, sections 4 and appendix (diagrams);
        Roberts, Yaida and Hanin (2022), arXiv:2106.10165 (recursions of all tensors with four legs).
    """
    wanted = tensor(name)
    if wanted.name != name:
        return recursion(wanted.name)
    terms = combined(term for c in contributions(name) for term in expanded(c))
    return Recursion(name, wanted.slots, CONSTANTS.get(name), terms)


def expanded(contribution: Contribution) -> Iterator[Term]:
    """Its terms: every open leg acts on each factor of its blob in turn and takes over the slot of the one it hit."""
    blobs = contribution.blobs
    pairs = len(contribution.orders) // 2
    open_legs = [leg for vertex in contribution.vertices for leg in vertex.legs if leg < 0]

    def hits(rest: list[int]) -> Iterator[tuple[int, ...]]:
        if not rest:
            yield ()
            return
        for slot in blobs[-1 - rest[0]]:
            for later in hits(rest[1:]):
                yield (slot, *later)

    for hit in hits(open_legs):
        taken = iter(hit)
        tensors = tuple(
            (v.name, tuple(leg if leg >= 0 else next(taken) for leg in v.legs)) for v in contribution.vertices
        )
        orders = [order + hit.count(slot) for slot, order in enumerate(contribution.orders)]
        yield Term(
            coefficient=contribution.coefficient,
            c_w=pairs - len(contribution.last),
            lambda_w=len(contribution.last),
            ratio=sum(tensor(v.name).order for v in contribution.vertices),
            thetas=contribution.thetas,
            tensors=tuple(sorted(tensors)),
            blobs=tuple(sorted(tuple((slot, orders[slot]) for slot in sorted(blob)) for blob in blobs)),
        )


def combined(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The terms sorted, equal ones added, those that cancel left out."""
    total: dict[tuple, Fraction] = {}
    for coefficient, *rest in terms:
        total[tuple(rest)] = total.get(tuple(rest), Fraction(0)) + coefficient
    found = [Term(coefficient, *rest) for rest, coefficient in total.items() if coefficient]
    return tuple(sorted(found, key=lambda term: (len(term.tensors), term.tensors and term.tensors[0][0], term[1:])))


def relabel(term: Term, place: tuple[int, ...]) -> Term:
    """The term with slot s replaced by place[s]; slots may become equal, as where two inputs are the same."""
    return term._replace(
        thetas=tuple(sorted((min(place[a], place[b]), max(place[a], place[b])) for a, b in term.thetas)),
        tensors=tuple(sorted((name, tuple(place[s] for s in slots)) for name, slots in term.tensors)),
        blobs=tuple(sorted(tuple(sorted((place[s], order) for s, order in blob)) for blob in term.blobs)),
    )


def merged(found: Recursion, place: tuple[int, ...] | None = None) -> Recursion:
    """The recursion with terms put together that are equal by a symmetry of an older tensor.

    Args:
        found: any recursion.
        place: the sample of each slot, where some are to be equal.

    >>> len(merged(recursion("A")).terms), len(merged(recursion("V6"), (0,) * 6).terms)
    (57, 23)
    """
    terms = (relabel(term, place) if place else term for term in found.terms)
    return found._replace(terms=combined(map(_least, terms)))


def _least(term: Term) -> Term:
    tensors = (
        (name, min(tuple(slots[p] for p in permutation) for permutation in tensor(name).symmetries))
        for name, slots in term.tensors
    )
    return term._replace(tensors=tuple(sorted(tensors)))
