"""Groups of rotations in space and grids on SO(2) and SO(3): orders, invariants, degrees of exact averages."""

import inspect

import numpy as np
import pytest
from scipy.special import eval_legendre

from equitangents.groups import (
    SpatialGroup,
    circle_grid,
    cyclic,
    design,
    direct_product,
    invariants,
    matrix_action,
    random_rotations,
    rotation_grid,
    rotation_matrix,
    spatial_group,
    with_inversion,
)

ORDERS = {"C1": 1, "Ci": 2, "T": 12, "Td": 24, "Th": 24, "O": 24, "Oh": 48, "I": 60, "Ih": 120}
CLASSES = {"T": 4, "O": 5, "I": 5, "Td": 5, "Th": 8, "Oh": 10, "Ih": 10}


def unit(n, seed=0):
    v = np.random.default_rng(seed).normal(size=(n, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)


@pytest.mark.parametrize("name, order", ORDERS.items())
def test_groups_have_their_order_and_number_of_classes(name, order):
    group = spatial_group(name)
    assert group.order == order and group.identity == 0
    if name in CLASSES:
        assert len(group.conjugacy_classes()) == CLASSES[name]
    assert group.is_proper == (name in ("C1", "T", "O", "I"))
    np.testing.assert_allclose(np.abs(np.linalg.det(group.matrices)), 1, rtol=1e-14)
    matrix_action(group, group.matrices)  # refuses what is no homomorphism


def test_with_the_inversion_they_are_products_with_z2():
    for name in "TOI":
        group, larger = spatial_group(name), spatial_group(name + "h")
        n = group.order
        product = direct_product(cyclic(2), group)
        assert np.array_equal(larger.table, product.table)
        np.testing.assert_array_equal(larger.matrices[n:], -group.matrices)


def test_the_tetrahedral_group_is_in_both_others_and_the_full_one_maps_the_tetrahedron_to_itself():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    moved = np.einsum("gij,kj->gki", spatial_group("Td").matrices, corners)
    assert len({tuple(map(tuple, np.round(m).astype(int))) for m in moved}) == 24  # all permutations of the corners
    t, larger = spatial_group("T"), [spatial_group("O"), spatial_group("I")]
    for group in larger:
        overlap = np.einsum("aij,bij->ab", t.matrices, group.matrices).max(1)
        np.testing.assert_allclose(overlap, 3, rtol=1e-12)


def test_subgroups_keep_their_matrices():
    group = spatial_group("O")
    sub = group.subgroup([next(a for a in group.elements if group.element_order(a) == 4)])
    assert isinstance(sub.group, SpatialGroup) and sub.order == 4
    np.testing.assert_array_equal(sub.group.matrices, group.matrices[list(sub.elements)])


def average_of_legendre(points, weights, l):
    """Mean of P_l(u . R v) for random u and v, a general combination of all D^l_mn: 0 for l > 0."""
    u, v = unit(7, 1), unit(7, 2)
    return weights @ eval_legendre(l, np.einsum("ki,aij,kj->ak", u, points, v))


GRIDS = {"T": (design("T"), 2), "O": (design("O"), 3), "I": (design("I"), 5)}
GRIDS |= {f"product {d}": (rotation_grid(d), d) for d in (0, 1, 4, 5, 8)}


@pytest.mark.parametrize("grid, degree", GRIDS.values(), ids=GRIDS)
def test_rotation_grids_are_exact_to_their_degree_and_not_beyond(grid, degree):
    assert grid.degree == degree
    for l in range(1, degree + 1):
        np.testing.assert_allclose(average_of_legendre(grid.points, grid.weights, l), 0, atol=1e-14)
    assert np.abs(average_of_legendre(grid.points, grid.weights, degree + 1)).max() > 1e-2


def test_the_icosahedral_group_beats_the_product_grid_of_75_points():
    assert len(rotation_grid(4)) == 75 and len(design("I")) == 60
    assert design("I").degree == 5 > rotation_grid(4).degree


def test_with_the_inversion_odd_functions_average_to_zero_exactly():
    grid = with_inversion(rotation_grid(2))
    u, v = unit(7, 1), unit(7, 2)
    cosines = np.einsum("ki,aij,kj->ak", u, grid.points, v)
    np.testing.assert_allclose(grid.weights @ cosines**7, 0, atol=1e-16)  # beyond its degree, but odd
    np.testing.assert_allclose(grid.weights @ cosines**2, 1 / 3, rtol=1e-13)
    triple = np.linalg.det(grid.points)  # a pseudoscalar
    assert abs(grid.weights @ triple) < 1e-15


@pytest.mark.parametrize("n", [1, 2, 7])
def test_circle_grids_are_exact_below_their_number(n):
    grid = circle_grid(n)
    for m in range(2 * n + 1):
        assert abs(grid.weights @ np.exp(1j * m * grid.points) - (m % n == 0)) < 1e-13
    assert grid.degree == n - 1


def test_invariants_are_those_of_molien():
    # of T: 1 + invariants at l = 3, 4, 6 (two), ...; of O: 4, 6, 8, 9; of I: 6, 10, 12, 15
    assert [l for l in range(1, 10) if invariants(spatial_group("O"), l)] == [4, 6, 8, 9]
    assert [l for l in range(1, 16) if invariants(spatial_group("I"), l)] == [6, 10, 12, 15]
    assert [invariants(spatial_group("T"), l) for l in range(7)] == [1, 0, 0, 1, 1, 0, 2]


def test_euler_angles_compose_as_written():
    a, b, c = 0.3, 1.1, -2.0
    z = lambda t: rotation_matrix(t, 0.0, 0.0)  # noqa: E731
    y = rotation_matrix(0.0, b, 0.0)
    np.testing.assert_allclose(rotation_matrix(a, b, c), z(a) @ y @ z(c), atol=1e-15)
    np.testing.assert_allclose(y @ [0, 0, 1], [np.sin(b), 0, np.cos(b)], atol=1e-15)


def test_random_rotations_are_rotations_and_uniform(getkey):
    points = np.asarray(random_rotations(getkey(), 4000))
    np.testing.assert_allclose(points @ points.swapaxes(1, 2), np.broadcast_to(np.eye(3), points.shape), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(points), 1, rtol=1e-14)
    for l in (1, 2, 3, 6):  # the variance of P_l is 1 / (2l + 1)
        means = average_of_legendre(points, np.full(4000, 1 / 4000), l)
        assert np.abs(means).max() < 5 / np.sqrt(4000 * (2 * l + 1))


BAD = {
    "another name": (lambda: spatial_group("D4"), "one of the groups"),
    "matrices of the plane": (lambda: SpatialGroup(np.eye(2)[None]), r"of shape \(n, 3, 3\)"),
    "no orthogonal matrices": (lambda: SpatialGroup(2 * np.eye(3)[None]), "orthogonal"),
    "not closed": (lambda: SpatialGroup(spatial_group("O").matrices[:5]), "closed under products"),
    "twice the same": (lambda: SpatialGroup(np.stack([np.eye(3)] * 2)), "closed under products"),
    "reflections in a design": (lambda: design("Oh"), "leave reflections out"),
    "an inversion of the circle": (lambda: with_inversion(circle_grid(3)), "rotations of space"),
    "no angle": (lambda: circle_grid(0), "at least 1"),
    "a negative degree": (lambda: rotation_grid(-1), "expected a degree at least 0; got -1"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("grid", [rotation_grid, circle_grid])
@pytest.mark.parametrize("number", ["3", 3.0, None])
def test_numbers_that_are_not_whole_are_refused(grid, number):
    with pytest.raises(TypeError, match=rf"expected .* at least .; got {number!r}; pass a whole number"):
        inspect.unwrap(grid)(number)  # without the checks of annotations that only the tests make
