"""Generated recursions against typed ones, term by term; their numbers, symmetries and scaling."""

from collections import Counter
from fractions import Fraction

import pytest
from by_hand import FORMULAS

from equitangents.corrections import FOUR_LEGS, TENSORS, Term, merged, recursion, tensor, tensors_with
from equitangents.corrections.generate import combined, relabel

COUNTS = {
    "V": 18,
    "D": 40,
    "F": 5,
    "A": 89,
    "B": 2,
    "P": 4,
    "Q": 12,
    "R": 9,
    "S": 5,
    "T": 29,
    "U": 2,
    "G1": 20,
    "H1": 49,
}
SYMMETRIES = {  # generators, as printed: V_{1234} = V_{2134} is (1, 0, 2, 3)
    "K": [(1, 0)],
    "Theta": [(1, 0)],
    "G1": [(1, 0)],
    "H1": [(1, 0)],
    "V": [(1, 0, 2, 3), (2, 3, 0, 1)],
    "D": [(1, 0, 2, 3), (0, 1, 3, 2)],
    "F": [(2, 3, 0, 1)],
    "A": [(1, 0, 2, 3), (2, 3, 0, 1)],
    "B": [(1, 0, 3, 2), (2, 3, 0, 1)],
    "P": [(0, 2, 1, 3)],
    "Q": [],
    "R": [(0, 1, 3, 2)],
    "S": [(1, 0, 3, 2)],
    "T": [(3, 2, 1, 0)],  # T_{1342} = T_{2431}
    "U": [(2, 3, 0, 1)],  # U_{1423} = U_{2314}
}


def generated_group(generators, slots):
    group = {tuple(range(slots))}
    while new := {tuple(p[i] for i in g) for p in group for g in generators} - group:
        group |= new
    return group


@pytest.mark.parametrize("name", COUNTS)
def test_number_of_terms(name):
    assert len(recursion(name).terms) == COUNTS[name]


@pytest.mark.parametrize("name", FORMULAS)
def test_terms_are_those_of_the_typed_formula(name):
    typed = FORMULAS[name](*range(tensor(name).slots)).terms()
    ours = recursion(name)
    assert merged(ours).terms == merged(ours._replace(terms=combined(typed))).terms


def test_few_terms_written_out():
    one = Fraction(1)
    mean = ((0, 1), (1, 1)), ((2, 1), (3, 1))
    assert recursion("B").terms == (
        Term(one, 2, 0, 0, ((0, 2), (1, 3)), (), (((0, 1), (1, 1), (2, 1), (3, 1)),)),
        Term(one, 2, 0, 1, (), (("B", (0, 1, 2, 3)),), mean),
    )
    assert recursion("F").terms == (
        Term(one, 2, 0, 0, ((1, 3),), (), (((0, 0), (1, 1), (2, 0), (3, 1)),)),
        Term(one, 2, 0, 1, (), (("F", (0, 1, 2, 3)),), mean),
        Term(one, 2, 0, 1, (), (("F", (0, 1, 3, 3)),), (((0, 1), (1, 1)), ((2, 0), (3, 2)))),
        Term(one, 2, 0, 1, (), (("F", (1, 1, 2, 3)),), (((0, 0), (1, 2)), ((2, 1), (3, 1)))),
        Term(one, 2, 0, 1, (), (("F", (1, 1, 3, 3)),), (((0, 0), (1, 2)), ((2, 0), (3, 2)))),
    )


@pytest.mark.parametrize("name", SYMMETRIES)
def test_symmetries_are_the_known_ones_and_hold_for_the_terms(name):
    known = generated_group(SYMMETRIES[name], tensor(name).slots)
    assert set(tensor(name).symmetries) == known
    ours = recursion(name)
    for permutation in known:
        assert merged(ours, permutation).terms == merged(ours).terms


@pytest.mark.parametrize("name", [*TENSORS, "02,13|01,23,45", "01,02,03,04,05|01,23,45", "01,23,45|02,14,35"])
def test_units_agree(name):
    """lambda -> c lambda scales by c per edge; a derivative of sigma is a leg of an older tensor; one sigma a slot."""
    wanted = tensor(name)
    for term in recursion(name).terms:
        edges = sum(len(tensor(old).forest.edges) for old, _ in term.tensors)
        assert term.lambda_w + len(term.thetas) + edges == len(wanted.forest.edges)
        assert term.c_w + term.lambda_w == wanted.slots // 2
        assert term.ratio == sum(tensor(old).order for old, _ in term.tensors)
        orders = [order for blob in term.blobs for _, order in blob]
        assert sum(orders) == 2 * len(term.thetas) + sum(len(slots) for _, slots in term.tensors)
        assert Counter(slot for blob in term.blobs for slot, _ in blob) == Counter(range(wanted.slots))


def test_no_four_leg_tensor_is_missing():
    assert tensors_with(4) == FOUR_LEGS == tuple("VDFABPQRSTU")


def test_any_key_of_a_tensor_gives_its_name():
    for name in FOUR_LEGS:
        wanted = tensor(name)
        places = [(2, 0, 3, 1)[v] for v in range(4)]
        pairs = [f"{places[a]}{places[b]}" for a, b in wanted.pairing]
        edges = [f"{places[a]}{places[b]}" for a, b in wanted.forest.edges]
        assert recursion(f"{','.join(edges)}|{','.join(pairs)}") is recursion(name)


def test_equal_samples_may_be_put_in_before_merging():
    terms = merged(recursion("F"), (0, 0, 0, 0)).terms
    assert sum(term.coefficient for term in terms) == 5
    assert terms[0] == relabel(recursion("F").terms[0], (0, 0, 0, 0))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("W", "expected one of K, Theta"),
        ("01|", "expected one of K, Theta"),
        ("01,12,02|01,23", "close a cycle"),
        ("01|01,12", "in one of at least two pairs"),
        ("01|01", "Tensors with two legs are K, Theta, G1 and H1"),
        ("05|01,23", "expected edges between the nodes 0 to 3"),
    ],
)
def test_names_that_are_no_tensor(name, message):
    with pytest.raises(ValueError, match=message):
        recursion(name)
