"""Irreducible representations obey their theorems, and the tables of textbooks come out."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equitangents.groups import (
    FiniteGroup,
    SpatialGroup,
    character_table,
    cyclic,
    dihedral,
    direct_product,
    image_action,
    irreps,
    matrix_action,
    p4,
    permutation_action,
    point_group,
    rotation_matrix,
    semidirect_product,
    spatial_group,
    symmetric,
    translations,
    trivial_action,
)


@functools.cache
def quaternions():
    """1, i, j, k and their negatives, as 2 x 2 matrices."""
    i, j = np.array([[1j, 0], [0, -1j]]), np.array([[0, 1], [-1, 0]])
    half = [np.eye(2), i, j, i @ j]
    matrices = np.array(half + [-m for m in half])
    products = matrices[:, None] @ matrices
    return FiniteGroup(np.argmin(np.abs(products[:, :, None] - matrices).max((-1, -2)), axis=-1))


@functools.cache
def frobenius(p, q, root):
    """Z_p with Z_q acting by powers of a root of unity: complex representations of dimension q."""
    return semidirect_product(cyclic(p), cyclic(q), [[x * root**a % p for x in range(p)] for a in range(q)])


GROUPS = {
    "C1": lambda: cyclic(1),
    "C4": lambda: point_group("C4"),
    "C7": lambda: cyclic(7),
    "D2": lambda: dihedral(2),
    "D4": lambda: point_group("D4"),
    "D5": lambda: dihedral(5),
    "S4": lambda: symmetric(4),
    "S5": lambda: symmetric(5),
    "Q8": quaternions,
    "Q8 x C3": lambda: direct_product(quaternions(), cyclic(3)),
    "7:3": lambda: frobenius(7, 3, 2),
    "p4(3)": lambda: p4(3),
    "translations": lambda: translations(3, 4),
    "identity not first": lambda: FiniteGroup([[2, 0, 1], [0, 1, 2], [1, 2, 0]]),
}
groups = pytest.mark.parametrize("make", GROUPS.values(), ids=GROUPS)


@groups
def test_characters_are_orthonormal_in_rows_and_columns(make):
    group = make()
    table, classes = character_table(group), group.conjugacy_classes()
    sizes = np.array([len(members) for members in classes])
    assert table.shape == (len(classes), len(classes))
    np.testing.assert_allclose((table * sizes) @ table.conj().T / group.order, np.eye(len(table)), atol=1e-13)
    np.testing.assert_allclose(table.T @ table.conj() * sizes / group.order, np.eye(len(table)), atol=1e-13)
    assert sum(irrep.dim**2 for irrep in irreps(group)) == group.order
    np.testing.assert_array_equal(irreps(group)[0].character, 1)
    assert len({irrep.name for irrep in irreps(group)}) == len(table)


@groups
@pytest.mark.parametrize("over", ["complex", "real"])
def test_matrices_are_unitary_representations_with_these_characters(make, over):
    group = make()
    for irrep in irreps(group, over):
        rho = irrep.matrices
        assert rho.shape == (group.order, irrep.dim, irrep.dim)
        assert np.isrealobj(rho) == (over == "real" or irrep.kind == "real")
        np.testing.assert_allclose(np.trace(rho, axis1=1, axis2=2), irrep.character, atol=1e-13)
        np.testing.assert_allclose(
            rho @ rho.conj().swapaxes(1, 2), np.tile(np.eye(irrep.dim), (group.order, 1, 1)), atol=1e-13
        )
        for g in group.generators():
            np.testing.assert_allclose(rho[group.table[g]], rho[g] @ rho, atol=1e-13)


@groups
def test_commutants_over_the_real_numbers_have_dimension_one_two_or_four(make):
    group = make()
    for irrep in irreps(group, "real"):
        norm = np.mean(irrep.character**2)
        assert abs(norm - {"real": 1, "complex": 2, "quaternionic": 4}[irrep.kind]) < 1e-12
    squares = group.table.diagonal()
    roots = [int((squares == g).sum()) for g in group.elements]  # of g: sum of indicators times characters
    signs = {"real": 1, "complex": 0, "quaternionic": -1}
    total = sum(signs[irrep.kind] * irrep.character for irrep in irreps(group))
    np.testing.assert_allclose(total, roots, atol=1e-12)


w = np.exp(2j * np.pi / 3)
TABLES = {  # names, and characters on the classes in the order of their first elements
    "C4": (point_group("C4"), {"A": [1, 1, 1, 1], "B": [1, -1, 1, -1], "1E": [1, 1j, -1, -1j], "2E": [1, -1j, -1, 1j]}),
    "C3": (cyclic(3), {"A": [1, 1, 1], "1E": [1, w, w**2], "2E": [1, w**2, w]}),
    "D4": (  # e, r, r2, s, rs
        point_group("D4"),
        {
            "A1": [1, 1, 1, 1, 1],
            "A2": [1, 1, 1, -1, -1],
            "B1": [1, -1, 1, 1, -1],
            "B2": [1, -1, 1, -1, 1],
            "E": [2, 0, -2, 0, 0],
        },
    ),
    "S3": (symmetric(3), {"A1": [1, 1, 1], "A2": [1, -1, 1], "E": [2, 0, -1]}),  # e, (1 2), (0 1 2)
    "S4": (  # e, (2 3), (1 2 3), (0 1)(2 3), (0 1 2 3)
        symmetric(4),
        {
            "A1": [1, 1, 1, 1, 1],
            "A2": [1, -1, 1, 1, -1],
            "E": [2, 0, -1, 2, 0],
            "T1": [3, -1, 0, -1, 1],
            "T2": [3, 1, 0, -1, -1],
        },
    ),
    "Q8": (  # 1, i, j, k, -1
        quaternions(),
        {
            "A1": [1, 1, 1, 1, 1],
            "A2": [1, 1, -1, -1, 1],
            "A3": [1, -1, 1, -1, 1],
            "A4": [1, -1, -1, 1, 1],
            "E": [2, 0, 0, 0, -2],
        },
    ),
}


@pytest.mark.parametrize(("group", "expected"), TABLES.values(), ids=TABLES)
def test_tables_of_textbooks(group, expected):
    assert [irrep.name for irrep in irreps(group)] == list(expected)
    np.testing.assert_allclose(character_table(group), np.array(list(expected.values())), atol=1e-12)


@pytest.mark.parametrize(("name", "expected"), [("T", "A E T"), ("O", "A1 A2 E T1 T2"), ("I", "A T1 T2 G H")])
def test_rotation_groups_of_polyhedra_have_their_names_with_vectors_first(name, expected):
    group = spatial_group(name)
    assert " ".join(irrep.name for irrep in irreps(group, "real")) == expected
    vectors = next(irrep for irrep in irreps(group) if irrep.name[0] == "T")
    np.testing.assert_allclose(vectors.character, np.trace(group.matrices, axis1=1, axis2=2), atol=1e-12)


def about_z(n):
    """The rotations by 2 pi k / n about an axis, and the inversion: for n = 3 the group S6."""
    angles = 2 * np.pi * np.arange(n) / n
    turns = rotation_matrix(angles, np.zeros(n), np.zeros(n))
    return SpatialGroup(np.concatenate([turns, -turns]))


WITH_INVERSION = {
    "Ci": (spatial_group("Ci"), "Ag Au"),
    "S6": (about_z(3), "Ag Au Eg Eu"),
    "C2h": (about_z(2), "Ag Au Bg Bu"),
    "Th": (spatial_group("Th"), "Ag Au Eg Eu Tg Tu"),
    "Oh": (spatial_group("Oh"), "A1g A1u A2g A2u Eg Eu T1g T1u T2g T2u"),
    "Ih": (spatial_group("Ih"), "Ag Au Gg Gu Hg Hu T1g T1u T2g T2u"),
}


@pytest.mark.parametrize(("group", "expected"), WITH_INVERSION.values(), ids=WITH_INVERSION)
def test_names_of_groups_with_the_inversion_tell_even_from_odd(group, expected):
    found = {irrep.name: irrep for irrep in irreps(group, "real")}
    assert " ".join(sorted(found)) == expected
    vectors = np.trace(group.matrices, axis1=1, axis2=2)
    proper = np.linalg.det(group.matrices) > 0
    for name, irrep in found.items():
        sign = {"g": 1, "u": -1}[name[-1]]
        assert irrep.character[np.argmin(vectors)] == sign * irrep.dim  # -1 alone has trace -3
        np.testing.assert_array_equal(irrep.character[proper], found[name[:-1] + "g"].character[proper])
        if name in ("Tu", "T1u"):
            np.testing.assert_allclose(irrep.character, vectors, atol=1e-12)
    one = [irrep.name for irrep in irreps(group)]
    assert len(set(one)) == len(group.conjugacy_classes()) and {name[-1] for name in one} == {"g", "u"}


def test_vectors_are_t2_in_the_full_group_of_the_tetrahedron():
    group = spatial_group("Td")
    (vectors,) = (irrep for irrep in irreps(group) if irrep.name == "T2")
    np.testing.assert_allclose(vectors.character, np.trace(group.matrices, axis1=1, axis2=2), atol=1e-12)


def test_names_follow_mulliken():
    def names(group, over):
        return " ".join(irrep.name for irrep in irreps(group, over))

    assert names(cyclic(6), "real") == "A B E1 E2" and names(dihedral(3), "real") == "A1 A2 E"
    assert names(dihedral(6), "complex") == "A1 A2 B1 B2 E1 E2" and names(point_group("D2"), "real") == "A1 A2 B1 B2"
    assert names(frobenius(7, 3, 2), "real") == "A E I" and names(cyclic(1), "real") == "A"
    (e1, e2) = irreps(dihedral(5))[-2:]
    np.testing.assert_allclose([e1.character[1], e2.character[1]], 2 * np.cos(2 * np.pi / 5 * np.array([1, 2])))


ACTIONS = {
    "images": lambda: (image_action(point_group("D4")), (3, 3, 2)),
    "vectors": lambda: (matrix_action(point_group("D4"), point_group("D4").matrices), (2,)),
    "functions on a group": lambda: (permutation_action(quaternions(), quaternions().table), (8,)),
    "nothing": lambda: (trivial_action(cyclic(3)), (2,)),
}


@pytest.mark.parametrize("make", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize("over", ["complex", "real"])
def test_projectors_are_orthogonal_equivariant_and_sum_to_one(make, over):
    action, shape = make()
    size = int(np.prod(shape))
    unit = np.eye(size).reshape(size, *shape)
    parts = [np.asarray(irrep.project(action, unit)).reshape(size, size).T for irrep in irreps(action.group, over)]
    rho = np.asarray(action.orbit(unit)).reshape(-1, size, size).swapaxes(1, 2)
    np.testing.assert_allclose(sum(parts), np.eye(size), atol=1e-14)
    for i, (p, irrep) in enumerate(zip(parts, irreps(action.group, over), strict=True)):
        assert np.isrealobj(p) or over == "complex"
        np.testing.assert_allclose(p, p.conj().T, atol=1e-14)
        for j, q in enumerate(parts):
            np.testing.assert_allclose(p @ q, p if i == j else 0 * p, atol=1e-14)
        for g in action.group.generators():
            np.testing.assert_allclose(p @ rho[g], rho[g] @ p, atol=1e-14)
        copies = np.trace(p).real / irrep.dim  # of the representation in rho: a whole number
        inner = np.vdot(irrep.character, np.trace(rho, axis1=1, axis2=2)) / action.group.order
        norm = np.mean(np.abs(irrep.character) ** 2)
        np.testing.assert_allclose([copies, inner], [round(copies), round(copies) * norm], atol=1e-12)


def test_projections_keep_the_precision_of_their_inputs_and_work_under_jit():
    irrep, action = irreps(point_group("C4"), "real")[1], image_action(point_group("C4"))
    project = jax.jit(lambda x: irrep.project(action, x))
    assert jax.eval_shape(project, jnp.ones((2, 2, 1), jnp.float32)).dtype == jnp.float32
    np.testing.assert_allclose(
        project(jnp.array([[1.0, 0.0], [0.0, 0.0]])[..., None])[..., 0], [[0.25, -0.25], [-0.25, 0.25]]
    )


def test_irreps_are_values_with_a_name():
    one, again = irreps(cyclic(4))[1], irreps(cyclic(4))[1]
    assert one == again and hash(one) == hash(again) and one != irreps(cyclic(4))[2]
    assert repr(one) == "Irrep(cyclic(4), 'B')"
    with pytest.raises(ValueError, match="read-only"):
        one.character[0] = 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: irreps(cyclic(2), "rational"), "over='complex'"),
        (lambda: irreps(cyclic(2))[0].project(trivial_action(cyclic(3)), jnp.ones(2)), "action of cyclic"),
    ],
    ids=["field", "group"],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


NO_GROUP = {
    "irreps": (irreps, ("D4",)),
    "character_table": (character_table, ("D4",)),
    "trivial_action": (trivial_action, ("D4",)),
    "matrix_action": (matrix_action, ("D4", np.eye(2)[None])),
    "permutation_action": (permutation_action, ("D4", [[0]])),
    "direct_product": (direct_product, (cyclic(2), "D4")),
    "semidirect_product": (semidirect_product, ("D4", cyclic(1), [[0]])),
}


@pytest.mark.parametrize(("function", "arguments"), NO_GROUP.values(), ids=NO_GROUP)
def test_a_name_in_place_of_a_group_is_refused(function, arguments):
    with pytest.raises(TypeError, match=r"expected a FiniteGroup.*got 'D4'"):
        inspect.unwrap(function)(*arguments)  # without the checks of annotations that only the tests make
