"""Wigner matrices: representations of the rotation group, in the conventions that the docs state."""

import jax.random as jr
import numpy as np
import pytest

from equitangents.sphere import euler_angles, random_rotations, rotation_matrix, wigner_D, wigner_d, wigner_real
from equitangents.sphere.wigner import real_basis

DEGREES = [0, 1, 2, 7, 32]


@pytest.mark.parametrize("wigner", [wigner_D, wigner_real])
@pytest.mark.parametrize("l", DEGREES)
def test_they_are_unitary_and_compose_as_rotations_do(wigner, l, getkey):
    one, two = random_rotations(getkey(), 2)
    d1, d2, both = (wigner(l, *euler_angles(r)) for r in (one, two, one @ two))
    assert np.abs(d1 @ d1.conj().T - np.eye(2 * l + 1)).max() < 1e-12
    assert np.abs(d1 @ d2 - both).max() < 1e-12


@pytest.mark.parametrize("l", DEGREES)
def test_a_half_turn_and_no_turn(l):
    """d^l(0) = 1, and d^l_mn(pi) = (-1)^(l - n) delta_{m, -n}."""
    m = np.arange(-l, l + 1)
    flip = np.where(m[:, None] == -m, (-1.0) ** (l - m), 0)
    assert np.abs(wigner_d(l, [0, np.pi]) - [np.eye(2 * l + 1), flip]).max() < 1e-12


def test_sign_convention_of_degree_1():
    b = 0.7
    c, s = np.cos(b), np.sin(b) / np.sqrt(2)
    expected = [[(1 + c) / 2, s, (1 - c) / 2], [-s, c, s], [(1 - c) / 2, -s, (1 + c) / 2]]
    assert np.abs(wigner_d(1, b) - expected).max() < 1e-15


def test_real_degree_1_is_the_rotation_of_y_z_x(getkey):
    (r,) = random_rotations(getkey(), 1)
    order = [1, 2, 0]
    assert np.abs(wigner_real(1, *euler_angles(r)) - r[np.ix_(order, order)]).max() < 1e-14


@pytest.mark.parametrize("l", [1, 5])
def test_the_basis_of_real_harmonics_is_unitary(l):
    c = real_basis(l)
    assert np.abs(c @ c.conj().T - np.eye(2 * l + 1)).max() < 1e-15


def test_euler_angles_are_found_again_also_at_the_poles(getkey):
    poles = rotation_matrix(np.array([0.3, 0.3]), np.array([0.0, np.pi]), np.array([0.5, 0.5]))
    for matrices in (random_rotations(getkey(), 20), poles):
        assert np.abs(rotation_matrix(*euler_angles(matrices)) - matrices).max() < 1e-14


def test_euler_angles_of_single_precision_are_those_of_the_same_rotation(getkey):
    """About z, where alpha and gamma come from rounding, and turned by pi about an axis in the plane."""
    a = np.asarray(random_rotations(getkey(), 200), np.float32)
    angle = np.linspace(-3, 3, 7)
    about_z, half_turn = (rotation_matrix(angle, pole, 0.3).astype(np.float32) for pole in (0.0, np.pi))
    (flip,) = rotation_matrix([0.0], np.pi, 0.0).astype(np.float32)
    turns = [a @ np.swapaxes(a, -1, -2), a @ flip @ np.swapaxes(a, -1, -2), about_z, half_turn]
    turns += [a @ about_z[0] @ np.swapaxes(a, -1, -2) @ flip, a]
    for matrices in turns:
        assert matrices.dtype == np.float32
        assert np.abs(rotation_matrix(*euler_angles(matrices)) - matrices).max() < 10 * np.finfo(np.float32).eps


def test_random_rotations_are_uniform():
    """Each irrep but the trivial one averages to zero, and its entries have mean square 1/(2l + 1)."""
    r = random_rotations(jr.key(0), 20000)
    for l in (1, 2):
        d = wigner_real(l, *euler_angles(r))
        error = 1 / np.sqrt((2 * l + 1) * len(r))
        assert np.abs(d.mean(0)).max() < 5 * error
        spread = (d**2).std(0) / np.sqrt(len(r))
        assert (np.abs((d**2).mean(0) - 1 / (2 * l + 1)) < 5 * spread).all()


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: wigner_d(-1, 0.1), "expected l of at least 0"),
        (lambda: euler_angles(np.ones((3, 3))), "expected rotations"),
        (lambda: euler_angles(-np.eye(3)), "expected rotations"),
        (lambda: euler_angles(np.eye(2)), r"expected rotation matrices"),
    ],
)
def test_refusals(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()
