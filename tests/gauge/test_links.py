"""Lattice gauge fields: gauge transformations, loops, Polyakov loops, and what is refused."""

from inspect import unwrap as unchecked  # without the checks of annotations that tests make

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gauge_cases import FIELDS, PLANAR, close, draw_gauge, draw_links

from equitangents.gauge import (
    Links,
    dagger,
    gauge_transform,
    haar,
    identity_links,
    plaquette,
    plaquettes,
    polyakov_loop,
    polyakov_loops,
    random_gauge,
    random_links,
    rectangle,
    shift,
    transform_matrices,
    wilson_line,
    wilson_loop,
)

LOOPS = {
    "plaquette": rectangle(0, 1, 1, 1),
    "2 x 1": rectangle(0, 1, 2, 1),
    "1 x 2, backwards": tuple(-step for step in reversed(rectangle(0, 1, 1, 2))),
    "not flat": (1, 2, 2, -1, -2, 1, -2, -1),
    "back and forth": (1, -1),
}


@pytest.mark.parametrize("path", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("case", PLANAR.values(), ids=PLANAR)
def test_loops_are_covariant_and_their_traces_invariant(case, path, getkey):
    links = draw_links(*case, getkey())
    omega = draw_gauge(links, getkey())
    before, after = (wilson_loop(f, path) for f in (links, gauge_transform(links, omega)))
    assert close(after, transform_matrices(before, omega))
    assert close(np.trace(after, axis1=-2, axis2=-1), np.trace(before, axis1=-2, axis2=-1))


@pytest.mark.parametrize("case", FIELDS.values(), ids=FIELDS)
def test_polyakov_loops_are_covariant_and_see_their_starting_point_by_a_link_only(case, getkey):
    links = draw_links(*case, getkey())
    omega = draw_gauge(links, getkey())
    for mu in range(links.dim):
        loop, link = polyakov_loop(links, mu), links.direction(mu)
        assert close(polyakov_loop(gauge_transform(links, omega), mu), transform_matrices(loop, omega))
        assert close(shift(loop, mu, links.dim), dagger(link) @ loop @ link)


@pytest.mark.parametrize("case", FIELDS.values(), ids=FIELDS)
def test_gauge_transformations_compose(case, getkey):
    links = draw_links(*case, getkey())
    one, two = (draw_gauge(links, getkey()) for _ in range(2))
    assert close(gauge_transform(gauge_transform(links, one), two).array, gauge_transform(links, one @ two).array)


def test_a_loop_is_the_product_of_the_links_it_names(getkey):
    """Index by index, on a lattice with unequal sides, around its edge."""
    u = draw_links("U(2)", (3, 4), (), getkey()).array
    x, y = 2, 3
    by_hand = u[x, y, 0] @ u[0, y, 1] @ u[0, 0, 1] @ u[x, 1, 0].conj().T @ u[x, 0, 1].conj().T @ u[x, y, 1].conj().T
    assert close(wilson_loop(Links(u, "U(2)"), rectangle(0, 1, 1, 2))[x, y], by_hand)


def test_a_flat_loop_of_u1_is_the_product_of_the_plaquettes_inside(getkey):
    links = draw_links("U(1)", (5, 6), (), getkey())
    p = plaquette(links, 0, 1)
    inside = p * shift(p, 0, 2) * shift(p, 1, 2) * shift(shift(p, 0, 2), 1, 2)
    assert close(wilson_loop(links, rectangle(0, 1, 2, 2)), inside)
    assert abs(np.prod(p) - 1) < 1e-12


@pytest.mark.parametrize("case", PLANAR.values(), ids=PLANAR)
def test_the_vacuum_and_its_gauge_copies_have_trivial_loops(case, getkey):
    vacuum = Links(np.asarray(identity_links(*case).array), case[0])
    pure = gauge_transform(vacuum, draw_gauge(vacuum, getkey()))
    for fields in (plaquettes(pure), polyakov_loops(pure)):
        assert close(fields, np.broadcast_to(np.eye(vacuum.n), fields.shape))


def test_reversed_paths_give_the_adjoint(getkey):
    links = draw_links("SU(3)", (4, 4, 4), (), getkey())
    path = (1, 3, -2, 1)
    back = shift(shift(shift(wilson_line(links, [-s for s in reversed(path)]), 0, 3, 2), 1, 3, -1), 2, 3)
    assert close(back, dagger(wilson_line(links, path)))


@pytest.mark.parametrize("case", PLANAR.values(), ids=PLANAR)
def test_numpy_and_jax_vmap_and_jit_agree(case, getkey):
    links = draw_links(*case, getkey())
    in_numpy, in_jax = plaquettes(links), Links(jnp.asarray(links.array), links.group)
    assert isinstance(in_numpy, np.ndarray)
    assert close(jax.jit(plaquettes)(in_jax), in_numpy)
    if links.batch:
        assert close(jax.jit(jax.vmap(plaquettes))(in_jax), in_numpy)


def test_jax_transforms_as_numpy_does(getkey):
    links = random_links(getkey(), "SU(2)", (3, 4), (2,))
    omega = random_gauge(getkey(), "SU(2)", (3, 4), (2,))
    in_numpy = gauge_transform(Links(np.asarray(links.array), "SU(2)"), np.asarray(omega))
    assert close(jax.jit(gauge_transform)(links, omega).array, in_numpy.array)


@pytest.mark.parametrize("group", ["U(1)", "U(2)", "U(3)", "SU(2)", "SU(3)", "SU(4)"])
def test_haar_moments(group, getkey):
    """E tr U = 0 and E |tr U|^2 = 1, also for tr U^2 (2, for N >= 2), after multiplication by a fixed element, too.

    QR without fixed phases has mean trace -0.98 for N = 3.
    """
    draws, n = 4000, int(group.strip("SU()"))
    u = np.asarray(haar(getkey(), group, (draws,)))
    assert close(u @ dagger(u), np.broadcast_to(np.eye(n), u.shape))
    if group[0] == "S":
        assert close(np.linalg.det(u), np.ones(draws))
    for moved in (u, draw_links(group, (1,), (), getkey()).array[0, 0] @ u):
        trace = np.trace(moved, axis1=-2, axis2=-1)
        for sample, expected in [(trace.real, 0), (trace.imag, 0), (np.abs(trace) ** 2, 1)]:
            error = np.std(sample) / draws**0.5
            assert np.abs(np.mean(sample) - expected) <= 5 * error + 1e-12  # exactly known for U(1), and Im for SU(2)
    if n > 1 and group[0] == "U":
        square = np.abs(np.trace(u @ u, axis1=-2, axis2=-1)) ** 2
        assert np.abs(np.mean(square) - 2) < 5 * np.std(square) / draws**0.5


REFUSED = {
    "group": (lambda u: Links(u, "SO(3)"), ValueError, "expected a group"),
    "size": (lambda u: Links(u, "SU(3)"), ValueError, "3, 3"),
    "directions": (lambda u: Links(u[..., :1, :, :], "U(2)").sites, None, None),
    "too many directions": (lambda u: Links(u[0], "U(2)"), ValueError, "axes of sites"),
    "an array in place of links": (
        unchecked(plaquettes),
        TypeError,
        r'expected Links, got an array of shape \(3, 4, 2, 2, 2\); .* Links\(array, "U\(2\)"\)',
    ),
    "loops of an array": (lambda u: unchecked(wilson_loop)(u, (1, -1)), TypeError, "expected Links, got an array"),
    "an array to transform": (lambda u: unchecked(gauge_transform)(u, u), TypeError, "expected Links, got an array"),
    "links in place of matrices": (
        lambda u: unchecked(gauge_transform)(Links(u, "U(2)"), Links(u, "U(2)")),
        ValueError,
        "a matrix at each site, got Links",
    ),
    "a number of sites": (lambda u: unchecked(identity_links)("U(2)", 4), TypeError, "integers such as .* got 4"),
    "real": (lambda u: Links(u.real, "U(2)"), TypeError, "complex"),
    "open path": (lambda u: wilson_loop(Links(u, "U(2)"), (1, 2)), ValueError, "closed path"),
    "no path": (lambda u: wilson_line(Links(u, "U(2)"), ()), ValueError, "at least one step"),
    "third direction": (lambda u: wilson_line(Links(u, "U(2)"), (3,)), ValueError, "steps from 1 to 2"),
    "plane": (lambda u: plaquette(Links(u, "U(2)"), 1, 1), ValueError, "two directions"),
    "gauge": (lambda u: gauge_transform(Links(u, "U(2)"), u[..., 0, :, :][0]), ValueError, "a matrix at each site"),
}


@pytest.mark.parametrize("call, error, message", REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_before_tracing(call, error, message, getkey):
    u = draw_links("U(2)", (3, 4), (), getkey()).array
    if error is None:
        assert call(u) == (4,)  # D = 1: the first axis is a batch
        return
    with pytest.raises(error, match=message):
        call(u)


def test_a_path_around_the_lattice_is_closed(getkey):
    links = draw_links("U(2)", (3, 4), (), getkey())
    assert close(wilson_loop(links, (1, 1, 1)), polyakov_loop(links, 0))
