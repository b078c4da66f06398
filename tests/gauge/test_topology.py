"""Chern numbers of gauge fields by both labels: invariances, where they differ, statistics, and margins."""

import itertools
from inspect import unwrap as unchecked  # without the checks of annotations that tests make

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gauge_cases import close, draw_gauge, draw_links, matrices

from equitangents.gauge import (
    Links,
    branch_margin,
    chern_number,
    dagger,
    dirac,
    eigenphases,
    extrapolated_second_chern_number,
    flux,
    gauge_transform,
    hofstadter,
    links_from_bands,
    log_unitary,
    plaquette,
    polar,
    qwz,
    richardson,
    second_chern_density,
    second_chern_number,
    transform_matrices,
)

METHODS = ("trlog", "det")
PLANAR = {
    "random U(1)": lambda key: draw_links("U(1)", (5, 5), (20,), key),
    "random U(2)": lambda key: draw_links("U(2)", (5, 4), (20,), key),
    "random U(4)": lambda key: draw_links("U(4)", (3, 5), (4, 5), key),
    "random SU(3)": lambda key: draw_links("SU(3)", (4, 4), (20,), key),
    "qwz": lambda key: links_from_bands(qwz(1.0), (6, 5), 1),
    "hofstadter": lambda key: links_from_bands(hofstadter(3, 7), (9, 8), 4),
    "a slice of 3 dimensions": lambda key: draw_links("U(2)", (3, 4, 2), (3,), key),
}
laws = pytest.mark.parametrize("method, make", [(m, f) for m in METHODS for f in PLANAR.values()], ids=[
    f"{name}, {m}" for m in METHODS for name in PLANAR
])  # fmt: skip


def replaced(links, array):
    return Links(array, links.group)


@laws
def test_the_sum_of_fluxes_is_an_integer(method, make, getkey):
    links = make(getkey())
    first = len(links.batch)
    total = flux(links, method).sum((first, first + 1)) / (2 * np.pi)
    assert np.abs(total - chern_number(links, method)).max() < 1e-12
    assert np.shape(total) == links.batch + links.sites[2:]


@laws
def test_fluxes_and_margins_are_gauge_invariant(method, make, getkey):
    links = make(getkey())
    moved = gauge_transform(links, draw_gauge(links, getkey()))
    assert close(flux(moved, method), flux(links, method))
    assert close(branch_margin(moved, method), branch_margin(links, method))
    assert np.array_equal(chern_number(moved, method), chern_number(links, method))


@laws
def test_conjugation_and_swapped_axes_change_the_sign_and_translations_nothing(method, make, getkey):
    links = make(getkey())
    c = chern_number(links, method)
    assert np.array_equal(chern_number(replaced(links, links.array.conj()), method), -c)
    assert np.array_equal(chern_number(links, method, (1, 0)), -c)
    axes = (len(links.batch), len(links.batch) + 1)
    assert np.array_equal(chern_number(replaced(links, np.roll(links.array, (1, 2), axes)), method), c)
    if links.dim == 2:
        swapped = np.swapaxes(links.array, *axes)[..., ::-1, :, :]
        assert np.array_equal(chern_number(replaced(links, swapped), method), -c)


@pytest.mark.parametrize("name", PLANAR)
def test_labels_agree_where_no_eigenphases_sum_to_more_than_pi(name, getkey):
    links = PLANAR[name](getkey())
    trlog, det = (flux(links, method) for method in METHODS)
    turns = (trlog - det) / (2 * np.pi)
    assert close(turns, np.rint(turns)) and np.array_equal(np.rint(turns) == 0, np.abs(trlog) <= np.pi)
    axes = (len(links.batch), len(links.batch) + 1)
    assert np.array_equal(chern_number(links) - chern_number(links, "det"), np.rint(turns).sum(axes))
    if links.group[0] == "S":
        assert close(det, 0 * det) and np.abs(np.rint(turns)).max() > 0


def test_trlog_is_additive_and_det_sees_only_the_determinant(getkey):
    one, two = (draw_links("U(2)", (5, 5), (100,), getkey()) for _ in range(2))
    both = np.zeros((*one.array.shape[:-2], 4, 4), complex)
    both[..., :2, :2], both[..., 2:, 2:] = one.array, two.array
    sums = {m: chern_number(one, m) + chern_number(two, m) for m in METHODS}
    assert np.array_equal(chern_number(Links(both, "U(4)")), sums["trlog"])
    assert np.mean(chern_number(Links(both, "U(4)"), "det") != sums["det"]) > 0.2
    other = replaced(one, one.array @ draw_links("SU(2)", (5, 5), (100,), getkey()).array)
    assert np.array_equal(chern_number(other, "det"), chern_number(one, "det"))
    assert np.mean(chern_number(other) != chern_number(one)) > 0.2
    abelian = Links(np.linalg.det(one.array)[..., None, None], "U(1)")
    assert np.array_equal(chern_number(abelian), chern_number(one, "det"))


def test_pure_gauges_have_no_flux(getkey):
    vacuum = Links(np.broadcast_to(np.eye(3, dtype=complex), (4, 5, 2, 3, 3)), "U(3)")
    pure = gauge_transform(vacuum, draw_gauge(vacuum, getkey()))
    assert close(flux(pure), np.zeros((4, 5))) and abs(branch_margin(pure) - np.pi) < 1e-12


def test_constant_flux_has_the_chern_number_it_was_made_with():
    """U(1) links in the Landau gauge with 2 pi c / (n m) through each plaquette, and c beyond the branch cut."""
    n, m = 4, 6
    x, y = np.meshgrid(np.arange(n), np.arange(m), indexing="ij")
    for c in (-11, -3, 0, 1, 7, 11):
        field = 2 * np.pi * c / (n * m)
        phases = np.stack([np.where(x == n - 1, -field * n * y, 0), field * x], -1)
        links = Links(np.exp(1j * phases)[..., None, None], "U(1)")
        assert close(flux(links), np.full((n, m), field)) and chern_number(links) == c
        assert abs(branch_margin(links) - (np.pi - abs(field))) < 1e-12


@pytest.mark.parametrize("n", [1, 2, 3])
def test_variances_of_fluxes_of_haar_matrices(n, getkey):
    r"""Var trlog = 2 sum_k min(k, N) / k^2 from the moments of tr W^k (Diaconis and Shahshahani), Var det = pi^2 / 3.

    On one plaquette of a lattice of 2 x 2 sites W is a Haar matrix.
    """
    links = draw_links(f"U({n})", (2, 2), (4000,), getkey())
    k = np.arange(1, 200_000)
    for method, expected in [("trlog", 2 * np.sum(np.minimum(k, n) / k**2)), ("det", np.pi**2 / 3)]:
        squares = flux(links, method)[:, 0, 0] ** 2
        assert abs(np.mean(squares) - expected) < 5 * np.std(squares) / 4000**0.5 + 2 * n / 200_000


def test_labels_of_random_links_differ_in_four_of_five_cases(getkey):
    """N = 2, 5 x 5: 0.78 in 2000 samples of another program; standard deviations 1.73 (trlog) and 1.47 (det)."""
    links = draw_links("U(2)", (5, 5), (1500,), getkey())
    trlog, det = (chern_number(links, method) for method in METHODS)
    both = np.sqrt(1 / 1500 + 1 / 2000)
    assert abs(np.mean(trlog != det) - 0.78) < 5 * both * np.sqrt(0.78 * 0.22) + 0.005
    for c, expected in ((trlog, 1.73), (det, 1.47)):
        assert abs(np.std(c) - expected) < 5 * both * expected / np.sqrt(2) + 0.005


@pytest.mark.parametrize("method", METHODS)
def test_labels_are_safe_within_their_margin(method, getkey):
    """Random movements just within it, and one of a single plaquette just beyond it."""
    links = draw_links("U(2)", (3, 3), (40,), getkey())
    margin = branch_margin(links, method) / (2 if method == "det" else 1)
    delta = np.sin(margin / 2) / 2  # ||U - U'|| = 2 sin(angle / 2)
    angle = 2 * np.arcsin(delta / 2) * (1 - 1e-9)
    phases = np.where(matrices("U(1)", links.array.shape[:-1], getkey()).real[..., 0, 0] > 0, 1, -1)
    v = matrices("U(2)", links.array.shape[:-2], getkey())
    kick = (v * np.exp(1j * angle[:, None, None, None, None] * phases)[..., None, :]) @ dagger(v)
    moved = replaced(links, links.array @ kick)
    assert np.linalg.norm(moved.array - links.array, 2, (-2, -1)).max((1, 2, 3)) == pytest.approx(delta)
    assert np.array_equal(chern_number(moved, method), chern_number(links, method))


def test_a_label_changes_beyond_its_margin(getkey):
    links = draw_links("U(1)", (3, 3), (), getkey())
    f = flux(links)
    at = np.unravel_index(np.argmax(np.abs(f)), f.shape)
    turn = np.exp(1j * np.sign(f[at]) * branch_margin(links) * np.array([1 - 1e-6, 1 + 1e-6]))
    for factor, change in zip(turn, (0, -np.sign(f[at])), strict=True):
        array = links.array.copy()
        array[(*at, 0)] *= factor
        assert chern_number(replaced(links, array)) - chern_number(links) == change


PHASES = [[0.3, -2.9, 1.7], [0.0, 0.0, 0.0], [1.1, 1.1, 1.1 + 1e-9], [3.1, 3.1, -3.1], [0.4]]


@pytest.mark.parametrize("phases", [*PHASES, [np.pi - 1e-4, -np.pi + 1e-4, 2.0]])
def test_logarithms_of_unitary_matrices(phases, getkey):
    """Also at degenerate eigenvalues and near the cut, where rounding mixes those of opposite phase."""
    v = matrices(f"U({len(phases)})", (), getkey()).reshape(len(phases), len(phases))
    theta = np.array(phases)
    f = log_unitary((v * np.exp(1j * theta)) @ dagger(v))
    assert close(f, (v * theta) @ dagger(v), 1e-13 if np.abs(theta).max() < 3.14 else 2 * np.pi * 1e-15 / 2e-4)
    assert close(f, dagger(f), 1e-13) and close(np.sort(np.linalg.eigvalsh(f)), np.sort(theta), 1e-13)
    assert close(np.sort(eigenphases((v * np.exp(1j * theta)) @ dagger(v))), np.sort(theta), 1e-13)


def test_second_chern_density_is_gauge_invariant_and_odd_under_orientation(getkey):
    links = draw_links("U(3)", (3, 2, 3, 2), (2,), getkey())
    density = second_chern_density(links)
    assert density.shape == (2, 3, 2, 3, 2)
    assert close(second_chern_density(gauge_transform(links, draw_gauge(links, getkey()))), density)
    swapped = links.array.swapaxes(2, 4)[..., [0, 3, 2, 1], :, :]
    assert close(second_chern_number(replaced(links, swapped)), -second_chern_number(links), 1e-12)
    assert close(second_chern_number(replaced(links, links.array.conj())), second_chern_number(links), 1e-12)


def test_second_chern_density_is_the_signed_sum_over_permutations(getkey):
    """(1 / 32 pi^2) eps_{mu nu rho sigma} tr F_{mu nu} F_{rho sigma}, term by term at one site."""
    links = draw_links("U(2)", (2, 2, 2, 2), (), getkey())
    f = np.zeros((4, 4, 2, 2), complex)
    for mu, nu in itertools.combinations(range(4), 2):
        f[mu, nu] = log_unitary(plaquette(links, mu, nu))[0, 1, 1, 0]
        f[nu, mu] = -f[mu, nu]
    total = 0
    for p in itertools.permutations(range(4)):
        sign = np.linalg.det(np.eye(4)[list(p)])
        total += sign * np.trace(f[p[0], p[1]] @ f[p[2], p[3]]).real
    assert abs(total / (32 * np.pi**2) - second_chern_density(links)[0, 1, 1, 0]) < 1e-13


DIRAC = {-5: 0, -3: -1, -1: 3, 1: -3, 3: 1, 5: 0}


@pytest.mark.parametrize("m, c", DIRAC.items())
def test_second_chern_numbers_of_dirac(m, c):
    """An error of order n^-2, of which extrapolation leaves the order n^-4; tiny at once where c = 0."""
    values = {n: second_chern_number(links_from_bands(dirac(m), (n,) * 4, 2)) for n in (6, 8, 10)}
    errors = {n: abs(value - c) for n, value in values.items()}
    coarse, fine = (abs(richardson([values[n] for n in sizes], sizes) - c) for sizes in ((6, 8), (8, 10)))
    assert fine < coarse and ((c == 0 and errors[6] < 1e-3) or fine < errors[10] / 3 < errors[8] / 3 < errors[6] / 3)
    assert round(richardson([values[8], values[10]], (8, 10))) == c


@pytest.mark.slow
@pytest.mark.parametrize("m, at_12, limit", [(-3, -0.877, -0.990), (-1, 2.652, 2.958)])
def test_second_chern_numbers_on_12_points(m, at_12, limit):
    """Values of another program."""
    assert round(float(second_chern_number(links_from_bands(dirac(m), (12,) * 4, 2))), 3) == at_12
    assert round(extrapolated_second_chern_number(dirac(m), 2), 3) == limit


def test_richardson_removes_all_powers_it_has_points_for():
    sizes = (5, 7, 11)
    assert abs(richardson([2 - 3 / n**2 + 40 / n**4 for n in sizes], sizes) - 2) < 1e-12


REFUSED = {
    "method": (lambda u: chern_number(u, "fhs"), ValueError, "'trlog' or 'det'"),
    "plane": (lambda u: chern_number(u, plane=(0, 2)), ValueError, "direction from 0 to 1"),
    "no plane": (lambda u: chern_number(u, plane=(1, 1)), ValueError, "two directions"),
    "dimension": (second_chern_number, ValueError, "4 dimensions, got 2"),
    "traced": (
        lambda u: jax.jit(chern_number)(Links(jnp.asarray(u.array), u.group)),
        TypeError,
        "label the data outside",
    ),
    "array": (lambda u: unchecked(flux)(u.array), TypeError, r'got an array .* Links\(array, "U\(2\)"\)'),
    "margin of an array": (lambda u: unchecked(branch_margin)(u.array), TypeError, "expected Links, got an array"),
    "array of 4 dimensions": (lambda u: unchecked(second_chern_density)(u.array), TypeError, "expected Links, got an"),
    "not unitary": (
        lambda u: chern_number(replaced(u, 2 * u.array)),
        ValueError,
        r"at most 1e-05, got one of 3\.0e\+00",
    ),
    "nearly unitary": (lambda u: flux(replaced(u, (1 + 1e-5) * u.array)), ValueError, r"got one of 2\.0e-05; .*polar"),
    "not unitary in single precision": (
        lambda u: branch_margin(replaced(u, np.complex64(1.001 * u.array))),
        ValueError,
        r"at most 1e-03, got one of 2\.0e-03",
    ),
    "nan": (lambda u: chern_number(replaced(u, u.array * np.nan), "det"), ValueError, "finite"),
    "sizes": (lambda u: richardson([1.0, 2.0], (4, 4)), ValueError, "different sizes"),
}


@pytest.mark.parametrize("call, error, message", REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(call, error, message, getkey):
    with pytest.raises(error, match=message):
        call(draw_links("U(2)", (3, 3), (), getkey()))


def test_fields_of_jax_in_single_precision_have_the_same_labels(getkey):
    links = draw_links("U(3)", (5, 5), (30,), getkey())
    safe = branch_margin(links) > 1e-4
    single = Links(jnp.asarray(links.array, jnp.complex64), links.group)
    assert safe.sum() > 20 and np.array_equal(chern_number(single)[safe], chern_number(links)[safe])


@pytest.mark.parametrize("dtype, off", [(np.complex64, 4e-4), (np.complex128, 4e-6)])
def test_links_that_are_unitary_to_rounding_are_taken_and_polar_mends_others(dtype, off, getkey):
    links = draw_links("U(2)", (3, 3), (), getkey())
    near, far = (replaced(links, np.asarray((1 + size) * links.array, dtype)) for size in (off, 1.0))
    mended = replaced(links, polar(far.array))
    assert np.allclose(flux(near), flux(links), atol=1e-5) and np.allclose(flux(mended), flux(links), atol=1e-5)


def test_plaquettes_of_a_transformed_field_have_transformed_logarithms(getkey):
    links = draw_links("U(3)", (3, 3), (), getkey())
    omega = draw_gauge(links, getkey())
    before, after = (log_unitary(plaquette(f, 0, 1)) for f in (links, gauge_transform(links, omega)))
    assert close(after, transform_matrices(before, omega), 1e-12)
