"""Contraction forests: trees, pairings, names under relabelling, motion under gradient flow."""

import itertools
import math

import pytest

from equitangents.corrections import FOUR_LEGS, Forest, graft, pairings, tensor, tensors_with
from equitangents.corrections.forest import canonical, relabelled, set_partitions, symmetries


def test_numbers_of_pairings_and_partitions():
    assert [len(set(pairings(range(n)))) for n in (0, 2, 4, 6, 8)] == [1, 1, 3, 15, 105]
    assert [len(set(set_partitions(range(n)))) for n in range(6)] == [1, 1, 2, 5, 15, 52]


@pytest.mark.parametrize("name", [*FOUR_LEGS, *tensors_with(6)[::6]])
def test_canonical_form_forgets_the_labels(name):
    wanted = tensor(name)
    edges = canonical(wanted.forest, wanted.pairing)[0]
    for place in itertools.islice(itertools.permutations(range(wanted.slots)), 0, None, 41):
        moved = Forest(wanted.slots, relabelled(wanted.forest.edges, place))
        found, order = canonical(moved, relabelled(wanted.pairing, place))
        assert found == edges
        back = {v: p for p, v in enumerate(order)}
        assert relabelled(moved.edges, [back[v] for v in range(wanted.slots)]) == edges


@pytest.mark.parametrize("legs", [4, 6])
def test_orbits_of_tensors_are_all_pairs_of_forest_and_pairing(legs):
    """Orbit times stabiliser: each name counts (number of relabellings) / (symmetries) labelled forests."""
    labelled = {4: 38, 6: 2932}[legs] * math.prod(range(legs - 1, 0, -2))  # forests on labelled nodes, times pairings
    assert sum(math.factorial(legs) // len(tensor(name).symmetries) for name in tensors_with(legs)) == labelled


def test_symmetries_form_a_group():
    for name in tensors_with(6)[::9]:
        found = set(symmetries(tensor(name).forest, tensor(name).pairing))
        assert {tuple(p[i] for i in q) for p in found for q in found} == found


def test_gradient_flow_grafts_a_leaf_on_every_node():
    """d dNTK_{012} = -(ddI_{0123} + ddII with 1, 0 inside + ddII with 0, 2 inside): a star and two paths."""
    path = Forest(3, ((0, 1), (0, 2)))
    star, *paths = graft(path, (0, 1, 2))
    assert star.edges == ((0, 1), (0, 2), (0, 3))
    assert [p.edges for p in paths] == [((0, 1), (0, 2), (1, 3)), ((0, 1), (0, 2), (2, 3))]
    assert [len(graft(Forest(n, tuple((0, i) for i in range(1, n))), tuple(range(n)))) for n in (1, 2, 4)] == [1, 2, 4]


def test_only_a_tree_moves():
    with pytest.raises(ValueError, match="expected one of the trees"):
        graft(Forest(4, ((0, 1), (2, 3))), (0, 1, 2, 3))


@pytest.mark.parametrize("legs", [2, 5])
def test_tensors_have_an_even_number_of_legs(legs):
    with pytest.raises(ValueError, match="expected an even number of at least 4 legs"):
        tensors_with(legs)
