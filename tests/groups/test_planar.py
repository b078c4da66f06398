"""Groups of the square grid act on pixels as NumPy rotates, flips and rolls."""

import itertools

import numpy as np
import pytest

from equitangents.groups import (
    PointGroup,
    TorusGroup,
    cyclic,
    dihedral,
    image_groups,
    p4,
    p4m,
    pixel_permutation,
    point_group,
    translations,
)

NAMES = ("C1", "C2", "C4", "D1", "D2", "D4")


@pytest.mark.parametrize("name", NAMES)
def test_matrices_multiply_as_the_table_and_the_identity_comes_first(name):
    group = point_group(name)
    for a, b in itertools.product(group.elements, repeat=2):
        assert np.array_equal(group.matrices[group.multiply(a, b)], group.matrices[a] @ group.matrices[b])
    assert group.identity == 0 and np.array_equal(group.matrices[0], np.eye(2))
    abstract = {"C": cyclic, "D": dihedral}[name[0]](int(name[1]))
    assert np.array_equal(group.table, abstract.table)


@pytest.mark.parametrize("name", NAMES)
def test_named_groups_are_the_subgroups_that_images_have(name):
    maps = {sub: {matrix.tobytes() for matrix in point_group(sub).matrices} for sub in NAMES}
    expected = {sub for sub in NAMES if maps[sub] <= maps[name]}
    assert set(image_groups(name)) == expected
    assert image_groups(name)[-1] == name


def test_subgroups_of_d4_are_point_groups_with_their_names():
    found = {repr(subgroup.group): subgroup for subgroup in point_group("D4").subgroups()}
    for name in NAMES:
        assert found[name].group == point_group(name)
        assert found[name].group.labels == point_group(name).labels
    diagonal = point_group("D4").subgroup([5]).group
    assert isinstance(diagonal, PointGroup) and repr(diagonal) == "PointGroup(<order 2>)"
    assert np.array_equal(abs(diagonal.matrices[1]), [[0, 1], [1, 0]])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_pixels_of_d4_move_as_numpy_rotates_and_flips(size):
    image = np.arange(size**2).reshape(size, size)  # each pixel holds its own index
    moved = pixel_permutation(point_group("D4"), size, size)
    for k, flip in itertools.product(range(4), range(2)):
        expected = np.rot90(np.fliplr(image) if flip else image, k)
        result = np.empty(size**2, int)
        result[moved[4 * flip + k]] = image.ravel()  # what was at x is now at g x
        assert np.array_equal(result.reshape(size, size), expected)


@pytest.mark.parametrize("group", [point_group("D2"), translations(3, 4)], ids=repr)
def test_rectangular_images_are_permuted_by_groups_that_keep_the_axes(group):
    moved = pixel_permutation(group, 3, 4)
    assert np.array_equal(np.sort(moved, axis=1), np.tile(np.arange(12), (group.order, 1)))
    for a, b in itertools.product(group.elements, repeat=2):
        assert np.array_equal(moved[group.multiply(a, b)], moved[a][moved[b]])


@pytest.mark.parametrize("make", [p4, p4m])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_torus_groups_act_on_pixels_faithfully_from_size_three(make, n):
    group = make(n)
    moved = pixel_permutation(group, n, n)
    assert (moved[group.table] == moved[:, moved]).all()
    assert (len(np.unique(moved, axis=0)) == group.order) == (n >= 3)


@pytest.mark.parametrize("make", [p4, p4m])
def test_torus_elements_are_numbered_by_rotation_row_and_column(make):
    n, group = 3, make(3)
    point = point_group("C4" if make is p4 else "D4")
    pixels = np.stack(np.divmod(np.arange(n * n), n), -1)
    moved = pixel_permutation(group, n, n).reshape(point.order, n, n, n * n)
    for r, i, j in itertools.product(range(point.order), range(n), range(n)):
        row, column = ((pixels @ point.matrices[r].T + [i, j]) % n).T
        assert np.array_equal(moved[r, i, j], row * n + column)


def test_subgroups_of_torus_groups_act_on_pixels_too():
    group = p4(3)
    subgroup = group.subgroup([9])  # the quarter turn about pixel (0, 0)
    assert isinstance(subgroup.group, TorusGroup) and subgroup.order == 4
    moved = pixel_permutation(group, 3, 3)[list(subgroup.elements)]
    assert np.array_equal(pixel_permutation(subgroup.group, 3, 3), moved)


TURN, FLIP, SHEAR = [[0, -1], [1, 0]], [[1, 0], [0, -1]], [[1, 1], [0, 1]]
ONE = [[1, 0], [0, 1]]
BAD = {
    "unknown name": (lambda: point_group("C3"), ValueError, "C1, C2, C4, D1, D2, D4"),
    "unknown name of a chain": (lambda: image_groups("c4"), ValueError, "C1, C2, C4, D1, D2, D4"),
    "matrices not closed": (lambda: PointGroup([ONE, TURN]), ValueError, "closed"),
    "matrices that repeat": (lambda: PointGroup([ONE, ONE]), ValueError, "different"),
    "shears": (lambda: PointGroup([ONE, SHEAR]), ValueError, "orthogonal"),
    "matrices of floats": (lambda: PointGroup(np.eye(2)[None]), ValueError, "integers"),
    "one matrix without its axis": (lambda: PointGroup(ONE), ValueError, "shape"),
    "shifts of wrong shape": (lambda: TorusGroup([ONE], [0, 0], (2, 2)), ValueError, "shifts"),
    "turns of a rectangular torus": (lambda: TorusGroup([ONE, TURN], [[0, 0]] * 2, (2, 3)), ValueError, "square"),
    "empty torus": (lambda: TorusGroup([ONE], [[0, 0]], (0, 3)), ValueError, "at least 1"),
    "turns of a rectangle": (lambda: pixel_permutation(point_group("C4"), 3, 4), ValueError, "square images"),
    "torus of another size": (lambda: pixel_permutation(p4(3), 4, 4), ValueError, "3 x 3"),
    "no pixels": (lambda: pixel_permutation(point_group("C1"), 0, 4), ValueError, "at least 1"),
    "abstract group": (lambda: pixel_permutation(cyclic(4), 4, 4), TypeError, "permutation_action"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused_in_one_line(name):
    call, kind, words = BAD[name]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
