"""Deep linear networks: every correlator is a finite sum over Wick pairings of all weights, exact at every width."""

import functools
import itertools
import math
from collections import defaultdict
from fractions import Fraction

import pytest

from equitangents.corrections import FOUR_LEGS, pairings, recursion, tensor, tensors_with

SIX_LEGS = tensors_with(6)
PAIRINGS = {legs: tuple(pairings(range(legs))) for legs in (4, 6, 8)}


def pieces(nodes, links):
    """Into how many pieces the links leave the nodes."""
    label = list(range(nodes))
    for a, b in links:
        label = [label[a] if at == label[b] else at for at in label]
    return len(set(label))


def leading(name, widths):
    """The tensor of the output of a linear network, C_W = lambda_W = x.x/n_0 = 1, no bias, by counting index loops.

    A node is a product of one weight per layer. An edge removes the same weight of one layer at both ends, and so pairs
    them as Wick's theorem does: given each layer's pairing of the nodes, it may be in any layer that pairs its ends.
    """
    wanted = tensor(name)
    edges = wanted.forest.edges
    nodes, pairs = wanted.slots, wanted.slots // 2
    total = defaultdict(Fraction)
    for inner in itertools.product(PAIRINGS[nodes], repeat=len(widths)):
        layers = [*inner, wanted.pairing]
        count = math.prod(sum(edge in layer for layer in layers) for edge in edges)
        links = [*edges, *itertools.chain.from_iterable(layers)]
        if count and pieces(nodes, links) == 1:
            loops = [pieces(nodes, a + b) - pairs for a, b in itertools.pairwise(layers)]
            total[sum(loops)] += count * math.prod(Fraction(n) ** k for n, k in zip(widths, loops, strict=True))
    assert max(total, default=1 - pairs) <= 1 - pairs  # the power counting of clusters and vertices
    return total[1 - pairs] * widths[-1] ** (pairs - 1)


@functools.cache
def terms_of(name):
    """Those without a second derivative."""
    return [term for term in recursion(name).terms if all(order < 2 for blob in term.blobs for _, order in blob)]


def by_recursion(name, widths):
    """The same from the generated recursions, at sigma(z) = z."""
    values = {"K": Fraction(1), "Theta": Fraction(1)}

    def mean(blob):
        zeros = sum(order == 0 for _, order in blob)
        return 0 if zeros % 2 else math.prod(range(zeros - 1, 0, -2)) * values["K"] ** (zeros // 2)

    def needed(names):
        more = {old for name in names for term in terms_of(name) for old, _ in term.tensors}
        return names if more <= names else needed(names | more)

    names = needed({"K", "Theta", name})
    for n, before in zip(widths, (math.inf, *widths), strict=False):
        r = 0 if before == math.inf else Fraction(n, before)
        after = {}
        for wanted in names:
            after[wanted] = sum(
                term.coefficient
                * r**term.ratio
                * values["Theta"] ** len(term.thetas)
                * math.prod(values.get(old, 0) for old, _ in term.tensors)
                * math.prod(map(mean, term.blobs))
                for term in terms_of(wanted)
            )
        values = after
    return values[name]


@pytest.mark.parametrize("name", FOUR_LEGS)
@pytest.mark.parametrize("widths", [(3,), (3, 5), (2, 7, 3)], ids=str)
def test_four_legs(name, widths):
    assert by_recursion(name, widths) == leading(name, widths)


@pytest.mark.parametrize("name", SIX_LEGS)
def test_six_legs(name):
    assert by_recursion(name, (3, 5)) == leading(name, (3, 5))


@pytest.mark.parametrize("name", ["02,34,56,17|01,23,45,67", "02,34,46,57|01,23,45,67", "02,03,24,46,67|01,23,45,67"])
def test_eight_legs(name):
    assert by_recursion(name, (3, 5)) == leading(name, (3, 5))


@pytest.mark.parametrize("name", ["G1", "H1"])
def test_means_have_no_correction(name):
    assert by_recursion(name, (3, 5, 4)) == 0


def test_closed_forms_of_equal_widths():
    for layer in range(2, 7):
        s1, s2 = Fraction(layer * (layer - 1), 2), Fraction((layer - 1) * layer * (2 * layer - 1), 6)
        closed = {"V": 2 * (layer - 1), "F": s1, "D": 2 * s1, "B": s2, "A": 2 * s2, "P": 0, "R": 0, "U": 0}
        closed["Q"] = Fraction((layer + 1) * layer * (layer - 1), 6)
        closed["S"] = closed["T"] = Fraction((layer - 1) * layer**2 * (layer + 1), 12)
        assert closed == {name: by_recursion(name, (1,) * (layer - 1)) for name in closed}
