"""Groups obey the axioms, have the orders and classes of the textbooks, and refuse tables that are none."""

import itertools
import math
import pickle

import jax
import numpy as np
import pytest

from equitangents.groups import (
    FiniteGroup,
    cyclic,
    dihedral,
    direct_product,
    p4,
    p4m,
    point_group,
    semidirect_product,
    symmetric,
    translations,
)

QUATERNIONS = np.array(  # e, i, j, k, then their negatives
    [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [1, 4, 3, 6, 5, 0, 7, 2],
        [2, 7, 4, 1, 6, 3, 0, 5],
        [3, 2, 5, 4, 7, 6, 1, 0],
        [4, 5, 6, 7, 0, 1, 2, 3],
        [5, 0, 7, 2, 1, 4, 3, 6],
        [6, 3, 0, 5, 2, 7, 4, 1],
        [7, 6, 1, 0, 3, 2, 5, 4],
    ]
)


def power_maps(n, powers):
    return [[(p * x) % n for x in range(n)] for p in powers]


# name: (make, order, number of conjugacy classes, number of subgroups; None where they are not listed)
GROUPS = {
    "cyclic(1)": (lambda: cyclic(1), 1, 1, 1),
    "cyclic(12)": (lambda: cyclic(12), 12, 12, 6),
    "dihedral(1)": (lambda: dihedral(1), 2, 2, 2),
    "dihedral(2)": (lambda: dihedral(2), 4, 4, 5),
    "dihedral(4)": (lambda: dihedral(4), 8, 5, 10),
    "dihedral(5)": (lambda: dihedral(5), 10, 4, 8),
    "symmetric(3)": (lambda: symmetric(3), 6, 3, 6),
    "symmetric(4)": (lambda: symmetric(4), 24, 5, 30),
    "symmetric(5)": (lambda: symmetric(5), 120, 7, None),
    "quaternions": (lambda: FiniteGroup(QUATERNIONS), 8, 5, 6),
    "C2 x C2 x C2": (lambda: direct_product(cyclic(2), direct_product(cyclic(2), cyclic(2))), 8, 8, 16),
    "C7 : C3": (lambda: semidirect_product(cyclic(7), cyclic(3), power_maps(7, [1, 2, 4])), 21, 5, 10),
    "translations(2, 3)": (lambda: translations(2, 3), 6, 6, 4),
    "C4": (lambda: point_group("C4"), 4, 4, 3),
    "D4": (lambda: point_group("D4"), 8, 5, 10),
    "p4(1)": (lambda: p4(1), 4, 4, 3),
    "p4(2)": (lambda: p4(2), 16, 10, 23),
    "p4(3)": (lambda: p4(3), 36, 6, None),
    "p4m(3)": (lambda: p4m(3), 72, 9, None),
}
MADE = {name: make() for name, (make, *_) in GROUPS.items()}


@pytest.mark.parametrize("name", GROUPS)
def test_order_classes_and_subgroups_are_those_of_the_textbooks(name):
    _, order, classes, subgroups = GROUPS[name]
    group = MADE[name]
    assert (group.order, len(group.conjugacy_classes())) == (order, classes)
    assert group.is_abelian == (classes == order)
    if subgroups is not None:
        assert len(group.subgroups()) == subgroups


@pytest.mark.parametrize("name", GROUPS)
def test_axioms_hold_for_all_elements(name):
    group = MADE[name]
    table, everyone = group.table, np.arange(group.order)
    assert np.array_equal(table[table], table[everyone[:, None, None], table[None]])  # (ab)c and a(bc) at [a, b, c]
    assert np.array_equal(table[group.identity], everyone) and np.array_equal(table[:, group.identity], everyone)
    assert (table[everyone, group.inverse] == group.identity).all()
    assert (table[group.inverse, everyone] == group.identity).all()


@pytest.mark.parametrize("name", GROUPS)
def test_number_of_classes_is_the_number_of_commuting_pairs_over_the_order(name):
    group = MADE[name]
    commuting = int((group.table == group.table.T).sum())
    assert len(group.conjugacy_classes()) * group.order == commuting  # Burnside
    assert sorted(itertools.chain(*group.conjugacy_classes())) == list(group.elements)


@pytest.mark.parametrize("name", GROUPS)
def test_generators_generate_and_are_few(name):
    group = MADE[name]
    assert group.subgroup(group.generators()).order == group.order
    assert len(group.generators()) <= math.log2(group.order)


@pytest.mark.parametrize("name", [name for name, (*_, listed) in GROUPS.items() if listed])
def test_subgroups_divide_the_order_and_their_cosets_partition_the_group(name):
    group = MADE[name]
    for subgroup in group.subgroups():
        assert subgroup.order * subgroup.index == group.order  # Lagrange
        assert subgroup == group.subgroup(subgroup.elements)
        members = subgroup.elements
        for a, b in itertools.product(range(subgroup.order), repeat=2):
            assert members[subgroup.group.multiply(a, b)] == group.multiply(members[a], members[b])
        for side in ("left", "right"):
            cosets = group.cosets(subgroup, side)
            assert sorted(itertools.chain(*cosets)) == list(group.elements) and len(cosets) == subgroup.index
            assert subgroup.elements in cosets


def test_left_and_right_cosets_differ_for_a_subgroup_that_is_not_normal():
    group = symmetric(3)
    flip = group.subgroup([1])
    assert group.cosets(flip, "left") == ((0, 1), (2, 3), (4, 5))
    assert group.cosets(flip, "right") == ((0, 1), (2, 4), (3, 5))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_symmetric_group_multiplies_permutations_as_maps(n):
    points = list(itertools.permutations(range(n)))
    group = symmetric(n)
    for a, b in itertools.islice(itertools.product(group.elements, repeat=2), 0, None, 7):
        assert points[group.multiply(a, b)] == tuple(points[a][points[b][i]] for i in range(n))


def test_dihedral_group_satisfies_its_relations():
    group = dihedral(5)
    r, s = 1, 5
    rs = group.multiply(r, s)
    assert [group.element_order(a) for a in (r, s, rs)] == [5, 2, 2]
    assert [group.labels[a] for a in (0, r, s, rs)] == ["e", "r", "s", "rs"]
    assert group.multiply(s, r) == group.multiply(group.inverse[r], s)


def test_products_agree_with_each_other():
    assert direct_product(cyclic(3), cyclic(2)).order == cyclic(6).order
    assert direct_product(cyclic(3), cyclic(2)).generators() == (3,)  # the pair (r, r) has order 6
    assert semidirect_product(cyclic(4), cyclic(2), power_maps(4, [1, 3])) == dihedral(4)
    assert translations(2, 3).table.tolist() == direct_product(cyclic(2), cyclic(3)).table.tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_p4_is_the_semidirect_product_of_translations_and_rotations(n):
    i, j = np.divmod(np.arange(n * n), n)
    quarter = (-j % n) * n + i  # (i, j) -> (-j, i)
    rotations = [np.arange(n * n)]
    for _ in range(3):
        rotations.append(quarter[rotations[-1]])
    product = semidirect_product(direct_product(cyclic(n), cyclic(n)), cyclic(4), rotations)
    assert np.array_equal(p4(n).table, product.table)
    assert p4(n).order == 4 * n**2 and p4m(n).order == 8 * n**2


def test_groups_print_as_one_would_write_them():
    groups = [cyclic(4), dihedral(4), symmetric(3), translations(4, 6), p4(3), p4m(3)]
    groups.append(direct_product(cyclic(2), symmetric(3)))
    assert all(eval(repr(group)) == group for group in groups)
    assert repr(point_group("C4")) == "C4"
    assert repr(FiniteGroup(cyclic(12).table)) == "FiniteGroup(<order 12>)"
    assert repr(dihedral(3).subgroup([1])) == "Subgroup(dihedral(3), (0, 1, 2))"
    assert symmetric(4).labels[-1] == "(0 3)(1 2)"


def test_groups_are_values_compared_by_their_tables():
    assert cyclic(2) == symmetric(2) and hash(cyclic(2)) == hash(symmetric(2))
    assert cyclic(4) != dihedral(2) and cyclic(4) != "cyclic(4)"
    assert point_group("D1") != point_group("C2")  # one table, but other maps of the plane
    assert len({p4(2), p4(2), p4m(2)}) == 2
    assert pickle.loads(pickle.dumps(p4(2))) == p4(2)


def test_groups_cannot_be_changed():
    group = cyclic(3)
    with pytest.raises(AttributeError, match="immutable"):
        group.name = "other"
    with pytest.raises(ValueError, match="read-only"):
        group.table[0, 0] = 1


def test_groups_are_static_arguments_of_compiled_functions():
    traces = []

    def order(group):
        traces.append(group)
        return group.order

    compiled = jax.jit(order, static_argnums=0)
    assert [int(compiled(g)) for g in (cyclic(4), cyclic(4), dihedral(2))] == [4, 4, 4]
    assert len(traces) == 2


def test_any_element_may_be_the_identity():
    relabel = np.array([2, 0, 1])  # of the cyclic group: element a becomes relabel[a]
    table = np.empty((3, 3), int)
    table[relabel[:, None], relabel] = relabel[cyclic(3).table]
    group = FiniteGroup(table)
    assert group.identity == 2 and group.subgroup([]).elements == (2,) and group.labels == ("g0", "g1", "e")
    assert len(group.subgroups()) == 2 and group.generators() == (0,)


LOOP = [  # the smallest loop that is no group: inverses from both sides, order 5, every square the identity
    [0, 1, 2, 3, 4],
    [1, 0, 3, 4, 2],
    [2, 4, 0, 1, 3],
    [3, 2, 4, 0, 1],
    [4, 3, 1, 2, 0],
]
BAD_TABLES = {
    "not associative": (LOOP, "associative"),
    "no identity": ([[1, 0], [0, 0]], "identity"),
    "identity from one side only": ([[0, 1, 2], [0, 1, 2], [0, 1, 2]], "identity"),
    "no inverse": ([[0, 1], [1, 1]], "inverse"),
    "not square": ([[0, 1]], "square"),
    "one axis": ([0, 1], "square"),
    "ragged": ([[0, 1], [1]], "square"),
    "empty": (np.zeros((0, 0), int), "at least one element"),
    "floats": ([[0.0, 1.0], [1.0, 0.0]], "integers"),
    "NaN": ([[0.0, np.nan], [1.0, 0.0]], "integers"),
    "booleans": ([[False, True], [True, False]], "integers"),
    "words": ([["e", "r"], ["r", "e"]], "integers"),
    "not closed": ([[0, 1], [1, 2]], "from 0 to 1"),
    "negative": ([[0, 1], [1, -2]], "from 0 to 1"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables_are_refused_in_one_line(name):
    table, words = BAD_TABLES[name]
    with pytest.raises(ValueError, match=words) as caught:
        FiniteGroup(table)
    assert "\n" not in str(caught.value) and "expected" in str(caught.value)


def test_every_single_wrong_product_is_found():
    table = dihedral(3).table
    for a, b in itertools.product(range(6), repeat=2):
        wrong = table.copy()
        wrong[a, b] = (wrong[a, b] + 1) % 6
        with pytest.raises(ValueError, match="expected"):
            FiniteGroup(wrong)


BAD_CALLS = {
    "cyclic of order 0": (lambda: cyclic(0), "at least 1"),
    "dihedral of no rotation": (lambda: dihedral(-1), "at least 1"),
    "symmetric of many points": (lambda: symmetric(7), "from 1 to 6"),
    "torus without pixels": (lambda: p4(0), "at least 1"),
    "torus too large": (lambda: p4(100), "at most 5000"),
    "unknown element": (lambda: cyclic(3).multiply(0, 3), "from 0 to 2"),
    "negative element": (lambda: cyclic(3).element_order(-1), "from 0 to 2"),
    "subgroup of no such element": (lambda: cyclic(3).subgroup([5]), "from 0 to 2"),
    "cosets of another group's subgroup": (lambda: cyclic(4).cosets(cyclic(6).subgroup([3])), "subgroup of"),
    "unknown side": (lambda: cyclic(4).cosets(cyclic(4).subgroup([2]), "up"), "side"),
    "too many subgroups": (lambda: symmetric(5).subgroups(), "at most 48"),
    "labels that repeat": (lambda: FiniteGroup([[0, 1], [1, 0]], labels=["e", "e"]), "2 different labels"),
    "automorphisms of wrong shape": (lambda: semidirect_product(cyclic(3), cyclic(2), [[0, 1, 2]]), "shape"),
    "rows that keep no products": (
        lambda: semidirect_product(cyclic(4), cyclic(2), [[0, 1, 2, 3], [0, 2, 1, 3]]),
        "got row 1",
    ),
    "rows out of order": (
        lambda: semidirect_product(cyclic(7), cyclic(3), power_maps(7, [1, 2, 2])),
        "order of the rows",
    ),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_arguments_are_refused_in_one_line(name):
    call, words = BAD_CALLS[name]
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
