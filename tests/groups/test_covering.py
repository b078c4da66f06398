"""Covering radii: closed forms, holes between quaternions, and certified bounds, which do not know of each other."""

import numpy as np
import pytest

from equitangents.groups import Parametrised, covering_radius, random_rotations, rotation_matrix, spatial_group

GOLDEN = (1 + np.sqrt(5)) / 2
# cosines of half the largest angle to the group: the deep holes of the 24-cell, of the 48 quaternions of O (Mackenzie
# 1958: 62.8 degrees) and of the 600-cell, the centres of its tetrahedra
CLOSED = {
    "T": np.sqrt(2),
    "O": 2 * np.sqrt(1 - ((2 + np.sqrt(2)) / 4) ** 2),
    "I": 2 * np.sqrt(1 - GOLDEN**4 / 8),
}
EULER = Parametrised(lambda p: rotation_matrix(*p.T), (0, 0, 0), (2 * np.pi, np.pi, 2 * np.pi), (1, 1, 1))


def plane(angles, *frequencies):
    """Rotations by multiples of the angles, as blocks, shape (n, d, d)."""
    out = np.zeros((len(angles), 2 * len(frequencies), 2 * len(frequencies)))
    for i, m in enumerate(frequencies):
        c, s = np.cos(m * angles), np.sin(m * angles)
        out[:, 2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = np.moveaxis(np.array([[c, -s], [s, c]]), 2, 0)
    return out


def turns(k):
    return 2 * np.pi * np.arange(k) / k


@pytest.mark.parametrize("k", [1, 2, 3, 4, 16])
def test_cyclic_groups_in_the_circle_are_exact(k):
    expected = 2 * np.sin(np.pi / (2 * k))
    assert abs(covering_radius("SO(2)", plane(turns(k), 1)).radius - expected) < 1e-14
    fine = covering_radius(plane(turns(4 * k), 1), plane(turns(k), 1))  # a finite group around it
    assert abs(fine.radius - expected) < 1e-14  # its elements reach the middle of the gap


@pytest.mark.parametrize("frequencies", [(1,), (1, 3), (2, 5)])
def test_any_representation_of_the_circle_is_certified(frequencies):
    circle = Parametrised(lambda p: plane(p[:, 0], *frequencies), (0,), (2 * np.pi,), (max(frequencies),))
    got = covering_radius(circle, plane(turns(4), *frequencies), tolerance=1e-4)
    angles = np.linspace(0, np.pi / 2, 200001)
    per_element = [np.abs(2 * np.sin(np.outer(np.array(frequencies), angles - t) / 2)).max(0) for t in turns(4)]
    expected = np.min(per_element, axis=0).max()
    assert got.radius - 1e-9 <= expected <= got.upper + 1e-9 and got.upper - got.radius <= 1.01e-4


@pytest.mark.parametrize("name", CLOSED)
def test_solids_in_the_rotations_have_their_closed_forms(name):
    got = covering_radius("SO(3)", spatial_group(name).matrices)
    assert abs(got.radius - CLOSED[name]) < 1e-14 and got.radius == got.upper


@pytest.mark.parametrize(
    "name", ["T", pytest.param("O", marks=pytest.mark.slow), pytest.param("I", marks=pytest.mark.slow)]
)
def test_closed_forms_lie_within_certified_bounds(name):
    got = covering_radius(EULER, spatial_group(name).matrices, tolerance=0.05)
    assert got.radius <= CLOSED[name] + 1e-12 and CLOSED[name] <= got.upper


def test_no_random_rotation_is_further_from_an_irregular_set_than_its_radius(getkey):
    subset = np.asarray(random_rotations(getkey(), 12))
    radius = covering_radius("SO(3)", subset).radius
    points = np.asarray(random_rotations(getkey(), 20000))
    nearest = np.sqrt(3 - np.einsum("aij,hij->ah", points, subset).max(1))  # 2 sin(angle / 2)
    assert radius - 0.1 < nearest.max() <= radius + 1e-12


def test_rotations_about_one_axis_leave_half_turns_about_others():
    about_z = rotation_matrix(turns(9), np.zeros(9), np.zeros(9))
    assert covering_radius("SO(3)", about_z).radius == 2


def test_full_finite_groups_cover_themselves():
    group = spatial_group("O").matrices
    assert covering_radius(group, group).radius == 0
    assert abs(covering_radius(group, spatial_group("T").matrices).radius - np.sqrt(2)) < 1e-14


BAD = {
    "a subset that is no matrices": (lambda: covering_radius("SO(2)", np.eye(2)), "expected the subset"),
    "another group": (lambda: covering_radius("SO(4)", np.eye(4)[None]), "expected 'SO"),
    "a misspelt group": (lambda: covering_radius("so3", np.eye(3)[None]), r"got 'so3'; did you mean 'SO\(3\)'"),
    "a group of space in the plane": (lambda: covering_radius("SO(2)", spatial_group("T").matrices), r"for SO\(2\)"),
    "rotations of space in the plane": (lambda: covering_radius("SO(2)", np.eye(3)[None]), "expected the subset"),
    "a reflection": (lambda: covering_radius("SO(3)", -np.eye(3)[None]), "leave reflections out"),
    "matrices of another size": (lambda: covering_radius(np.eye(3)[None], np.eye(2)[None]), "as the subset"),
    "no tolerance": (lambda: covering_radius(EULER, np.eye(3)[None], tolerance=0.0), "tolerance above 0"),
    "an empty box": (
        lambda: covering_radius(EULER._replace(high=(0, 1, 1)), np.eye(3)[None]),
        "expected corners",
    ),
    "too fine": (lambda: covering_radius(EULER, spatial_group("T").matrices, tolerance=1e-9), "allow a larger one"),
}


NO_MATRICES = {
    "a name": (
        lambda: covering_radius("SO(3)", "I"),
        r"the subset as matrices.*got 'I'.*spatial_group\('I'\).matrices",
    ),
    "a group": (
        lambda: covering_radius("SO(3)", spatial_group("I")),
        "the subset as matrices.*got I, which does not say",
    ),
    "a group around": (lambda: covering_radius(spatial_group("O"), np.eye(3)[None]), "the group as matrices.*got O"),
    "rows of different lengths": (lambda: covering_radius("SO(2)", [[1], [1, 2]]), "matrices .* of numbers; got list"),
}


@pytest.mark.parametrize("call, message", NO_MATRICES.values(), ids=NO_MATRICES)
def test_groups_and_names_are_no_matrices(call, message):
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(call, message, monkeypatch):
    monkeypatch.setattr("equitangents.groups.covering.MAX_CELLS", 2000)
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
