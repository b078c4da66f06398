"""Footprints and spaces of weights: which of them a group maps to themselves, by two routes."""

import numpy as np
import pytest

from equitangents.equivariant import Lift
from equitangents.groups import (
    cyclic,
    image_action,
    matrix_action,
    permutation_action,
    point_group,
    spatial_group,
    symmetric,
)
from equitangents.symmetry import projection_commutator, space_defect, support_is_invariant

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
ASYMMETRIC = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0]])  # without the centre, with one corner
FOOTPRINTS = {  # and the largest of C2, C4, D4, D2 that keep it
    "full": (np.ones((3, 3)), {"C2", "C4", "D2", "D4"}),
    "cross": (CROSS, {"C2", "C4", "D2", "D4"}),
    "asymmetric": (ASYMMETRIC, set()),
    "full but one corner": (1 - np.diag([1, 0, 0]), set()),
    "pinwheel": (np.array([[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]), {"C2", "C4"}),
    "bar": (np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]]), {"C2", "D2"}),
    "even": (np.ones((2, 2)), {"C2", "C4", "D2", "D4"}),
    "diagonal": (np.eye(3), {"C2"}),
}


@pytest.mark.parametrize("mask, groups", FOOTPRINTS.values(), ids=FOOTPRINTS)
def test_footprints_are_kept_by_the_groups_one_sees(mask, groups):
    assert {name for name in ("C2", "C4", "D2", "D4") if support_is_invariant(mask, point_group(name))} == groups


def single_places(mask):
    places = np.argwhere(mask)
    basis = np.zeros((len(places), *mask.shape, 1))
    basis[np.arange(len(places)), places[:, 0], places[:, 1]] = 1
    return basis


@pytest.mark.parametrize("mask, groups", FOOTPRINTS.values(), ids=FOOTPRINTS)
@pytest.mark.parametrize("name", ["C2", "C4", "D4"])
def test_for_footprints_invariance_is_that_projections_commute(mask, groups, name):
    action = image_action(point_group(name))
    defect, commutator = space_defect(single_places(mask), action), projection_commutator(single_places(mask), action)
    assert (defect < 1e-14) == (commutator < 1e-14) == (name in groups)
    assert support_is_invariant(mask[..., None], action) == (name in groups)  # moved as an array


@pytest.mark.parametrize("mask, groups", FOOTPRINTS.values(), ids=FOOTPRINTS)
def test_lifting_layers_take_the_footprints_that_are_invariant(mask, groups):
    options = {"footprint": mask, "padding": "VALID"}
    if "C4" in groups:
        Lift("C4", 4, len(mask), **options)
    else:
        with pytest.raises(ValueError, match="closed under C4"):
            Lift("C4", 4, len(mask), **options)


def test_oblong_windows_are_turned_about_their_centre():
    mask = np.ones((3, 5))
    assert support_is_invariant(mask, point_group("D2")) and not support_is_invariant(mask, point_group("C4"))
    inner = np.pad(np.ones((3, 3)), [(0, 0), (1, 1)])
    assert support_is_invariant(inner, point_group("C4"))


def test_windows_in_space_under_the_solids():
    star = np.zeros((3, 3, 3))
    star[1, 1, :] = star[1, :, 1] = star[:, 1, 1] = 1
    assert support_is_invariant(star, spatial_group("Oh")) and not support_is_invariant(star, spatial_group("I"))
    corners = np.zeros((3, 3, 3))
    corners[0, 0, 0] = corners[0, 2, 2] = corners[2, 0, 2] = corners[2, 2, 0] = 1
    assert support_is_invariant(corners, spatial_group("T")) and not support_is_invariant(corners, spatial_group("O"))


def test_other_actions_move_masks_as_arrays():
    points = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    action = permutation_action(symmetric(3), points)
    assert support_is_invariant([1, 1, 1], action) and not support_is_invariant([1, 1, 0], action)


def test_spaces_that_are_no_footprints():
    shift = permutation_action(cyclic(4), [[(i + g) % 4 for i in range(4)] for g in range(4)])
    constants, alternating = [[1.0, 1, 1, 1]], [[1.0, -1, 1, -1]]
    for basis in (constants, alternating, constants + alternating):
        assert space_defect(basis, shift) < 1e-14 and projection_commutator(basis, shift) < 1e-14
    tied = [[1.0, 1, 0, 0], [0, 0, 1, 1]]
    assert space_defect(tied, shift) > 0.5 and projection_commutator(tied, shift) < 1e-14  # weaker: contains constants
    assert space_defect([[1.0, 2, 0, 0]], shift) > 0.5 and projection_commutator([[1.0, 2, 0, 0]], shift) > 0.1
    dependent = [[1.0, 1, 1, 1], [2, 2, 2, 2]]
    assert space_defect(dependent, shift) < 1e-14


SHEAR = matrix_action(cyclic(2), [np.eye(2), [[1, 3], [0, -1]]])
BAD = {
    "an empty mask": (lambda: support_is_invariant(np.zeros((3, 3)), point_group("C4")), "true somewhere"),
    "no mask": (lambda: support_is_invariant(np.full((3, 3), 0.5), point_group("C4")), "true and false"),
    "a mask of one axis": (lambda: support_is_invariant([1, 0, 1], point_group("C4")), "2 axes"),
    "no space": (lambda: space_defect(np.zeros((1, 2)), SHEAR), "not all zero"),
    "weights of another size": (lambda: space_defect(np.ones((1, 3)), SHEAR), "vectors of 2"),
    "an action that is not orthogonal": (lambda: projection_commutator(np.ones((1, 2)), SHEAR), "orthogonal action"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_groups_that_do_not_say_how_they_act_are_refused():
    with pytest.raises(TypeError, match="use permutation_action"):
        support_is_invariant(CROSS, cyclic(4))
