"""Bloch Hamiltonians and the gauge fields of their filled bands: tables of Chern numbers, gaps, and what is refused."""

from inspect import unwrap as unchecked  # without the checks of annotations that tests make

import jax.random as jr
import numpy as np
import pytest
from gauge_cases import close, matrices

from equitangents.gauge import (
    Links,
    band_path,
    certified_gap,
    chern_number,
    coupled_layers,
    dagger,
    dirac,
    direct_gap,
    energies,
    flux,
    haldane,
    hofstadter,
    links_from_bands,
    momenta,
    one_by_one,
    polar,
    qwz,
    random_bands,
    tight_binding,
)

METHODS = ("trlog", "det")
HOFSTADTER = {  # Chern numbers with 1, ..., q - 1 bands filled
    (1, 3): (-1, 1),
    (1, 5): (-1, -2, 2, 1),
    (2, 5): (2, -1, 1, -2),
    (1, 7): (-1, -2, -3, 3, 2, 1),
    (2, 7): (3, -1, 2, -2, 1, -3),
    (3, 7): (2, -3, -1, 1, 3, -2),
}
HALDANE = [(0, 0.5, 1), (0, -0.5, -1), (1, 0.5, 1), (-1, 0.5, 1), (1.05, 0.5, 0), (1.2, 0.5, 0), (0.5, 0.1, 0)]
HALDANE = [*HALDANE, (0.3, 0.1, 1), (0.5, -0.6, -1)]  # the boundary is at |m| = 1.0392 |sin phi|
MODELS = {
    **{f"qwz {u}": (lambda u=u: qwz(u), 1, c) for u, c in [(-2.5, 0), (-1.9, -1), (-1, -1), (-0.1, -1)]},
    **{f"qwz {u}": (lambda u=u: qwz(u), 1, c) for u, c in [(0.1, 1), (0.5, 1), (1, 1), (1.9, 1), (2.1, 0), (3, 0)]},
    **{f"haldane {m} {phi}": (lambda m=m, phi=phi: haldane(m, phi * np.pi), 1, c) for m, phi, c in HALDANE},
    **{
        f"hofstadter {p}/{q}, {r} filled": (lambda p=p, q=q: hofstadter(p, q), r, c)
        for (p, q), row in HOFSTADTER.items()
        for r, c in enumerate(row, 1)
    },
}
T = 0.2 * np.array([[0, 1], [0, 1]])  # commutes with nothing
LAYERS = {  # Chern number, then on 5 x 5 points by trlog and by det
    "7 equal": ((1,) * 7, 0.1, 7, 7, -2),
    "7 different": ((0.6, 1.4, 1.0, 0.8, 1.2, 1.6, 0.7), T, 7, 6, -3),
    "3 different": ((0.5, 1, 1.5), T, 3, 3, 2),
    "2 equal": ((1, 1), T, 2, 2, 2),
    "opposite": ((1, -1), T, 0, 0, 0),
    "mixed": ((1, 1, -1, 3), T, 1, 1, 1),
}


@pytest.mark.parametrize("make, filled, c", MODELS.values(), ids=MODELS)
def test_chern_numbers_of_the_table(make, filled, c):
    links = links_from_bands(make(), (24, 24), filled)
    assert [chern_number(links, method) for method in METHODS] == [c, c]


@pytest.mark.parametrize("p, q", HOFSTADTER)
def test_hofstadter_solves_the_diophantine_equation_on_16_points(p, q):
    """r = p t mod q with |t| <= q / 2, and C = -t: Thouless et al. (1982), which our eigenvectors know nothing of."""
    for r in range(1, q):
        (t,) = (t for t in range(-(q // 2), q // 2 + 1) if (p * t - r) % q == 0)
        assert chern_number(links_from_bands(hofstadter(p, q), (16, 16), r)) == -t == HOFSTADTER[p, q][r - 1]


@pytest.mark.parametrize("us, coupling, c, trlog, det", LAYERS.values(), ids=LAYERS)
def test_layers_add_up_and_trlog_needs_the_coarser_grid(us, coupling, c, trlog, det):
    h, n = coupled_layers([qwz(u) for u in us], coupling), len(us)
    assert direct_gap(h, (48, 48), n) > 0.3
    assert [chern_number(links_from_bands(h, (24, 24), n), method) for method in METHODS] == [c, c]
    assert [chern_number(links_from_bands(h, (8, 8), n), method) for method in METHODS] == [c, c]
    assert [chern_number(links_from_bands(h, (5, 5), n), method) for method in METHODS] == [trlog, det]


def test_grids_must_resolve_the_gap():
    """A label on 5 x 5 points may be wrong without any sign of it: its margin is no smaller than others."""
    assert [chern_number(links_from_bands(qwz(u), (5, 5), 1)) for u in (-0.1, 1.9)] == [1, 0]  # -1 and 1 on finer grids


@pytest.mark.parametrize("m, least", [(1.0, 3 * np.sqrt(3) * 0.4 - 2), (1.05, 2.1 - 3 * np.sqrt(3) * 0.4)])
def test_gaps_of_haldane_at_the_corners(m, least):
    """2 |m -+ 3 sqrt(3) t2 sin phi|, at a momentum that a grid of 24 points holds and one of 25 does not."""
    h = haldane(m, np.pi / 2)
    assert abs(direct_gap(h, (24, 24), 1) - least) < 1e-12 < direct_gap(h, (25, 25), 1) - least
    assert least - 0.01 - 1e-12 <= certified_gap(h, 1, 0.01) <= least


@pytest.mark.parametrize("name", ["qwz", "haldane", "hofstadter", "dirac"])
def test_hamiltonians_are_what_their_docstrings_say(name, getkey):
    k = np.array([0.3, -1.1, 2.0, 0.7])
    x, y = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])
    z = np.diag([1, -1])
    if name == "qwz":
        expected = np.sin(k[0]) * x + np.sin(k[1]) * y + (0.7 + np.cos(k[0]) + np.cos(k[1])) * z
        assert close(qwz(0.7)(k[:2]), expected)
    if name == "haldane":
        h = haldane(0.4, 0.9)(k[:2])
        assert abs(h[0, 1] - (1 + np.exp(1j * k[0]) + np.exp(1j * k[1]))) < 1e-12
        loop = [k[0], -k[1], k[1] - k[0]]  # their sum is 0: the three second neighbours, all turned the same way
        assert abs(h[0, 0] - (0.4 + 0.4 * np.sum(np.cos(np.array(loop) - 0.9)))) < 1e-12
        assert abs(h[1, 1] - (-0.4 + 0.4 * np.sum(np.cos(np.array(loop) + 0.9)))) < 1e-12
    if name == "hofstadter":
        h = hofstadter(2, 5)(k[:2])
        assert close(np.diag(h), 2 * np.cos(k[1] + 4 * np.pi * np.arange(5) / 5) + 0j)
        assert h[4, 0] == np.exp(1j * k[0]) and h[0, 1] == h[3, 4] == 1
    if name == "dirac":
        zero = dirac(1)(np.zeros(4)) / 5
        gammas = [zero] + [dirac(-4)(np.pi / 2 * e) + 4 * zero - 3 * zero for e in np.eye(4)]
        for a, one in enumerate(gammas):
            for b, two in enumerate(gammas):
                assert close(one @ two + two @ one, 2 * (a == b) * np.eye(4))
        assert close(np.linalg.multi_dot(gammas), -np.eye(4))
        sizes = np.linalg.eigvalsh(dirac(0.3)(k))
        assert np.allclose(sizes**2, np.sum(np.sin(k) ** 2) + (0.3 + np.sum(np.cos(k))) ** 2)


@pytest.mark.parametrize("bands, filled, dim", [(2, 1, 2), (4, 2, 2), (3, 2, 1)])
def test_random_bands_have_the_gap_they_promise(bands, filled, dim, getkey):
    key = getkey()
    h = random_bands(key, bands, filled, dim, min_gap=0.1)
    k = np.random.default_rng(0).uniform(0, 2 * np.pi, (20_000, dim))
    at_random = energies(h, k)
    assert np.min(at_random[:, filled] - at_random[:, filled - 1]) > 0.1
    assert np.array_equal(random_bands(key, bands, filled, dim, min_gap=0.1).hoppings, h.hoppings)
    assert not np.allclose(random_bands(jr.fold_in(key, 1), bands, filled, dim).hoppings, h.hoppings)


def test_random_bands_have_chern_numbers_that_both_methods_and_finer_grids_agree_on(getkey):
    found = set()
    for _ in range(6):
        h = random_bands(getkey(), 3, 1, min_gap=0.1)
        (c,) = {int(chern_number(links_from_bands(h, (n, n), 1), method)) for n in (48, 64) for method in METHODS}
        found.add(c)
    assert len(found) > 1


def test_random_energies_are_those_of_the_gaussian_unitary_ensemble(getkey):
    """E tr H^2 / M = 1 at each momentum."""
    draws = [np.mean(energies(random_bands(jr.fold_in(getkey(), i), 4, 4), momenta((1, 1))) ** 2) for i in range(400)]
    assert abs(np.mean(draws) - 1) < 5 * np.std(draws) / 20


@pytest.mark.parametrize("filled", [1, 2, 3, 4])
def test_complementary_bands_cancel_and_all_bands_are_trivial(filled):
    """In a larger space: C of the lowest bands of H and of the lowest of -H sum to 0; all bands make a pure gauge."""
    h = hofstadter(2, 5)
    below, above = (
        chern_number(links_from_bands(f, (16, 16), n)) for f, n in ((h, filled), (lambda k: -h(k), 5 - filled))
    )
    assert below + above == 0 != below
    assert close(flux(links_from_bands(h, (6, 6), 5)), np.zeros((6, 6)))


def test_links_are_unitary_and_depend_on_the_basis_as_gauge_fields_do(getkey):
    """The same bands of H and of V H V^+, with V the same everywhere: the fluxes agree at each site."""
    v = matrices("U(5)", (), getkey()).reshape(5, 5)
    h = hofstadter(2, 5)
    links, turned = (links_from_bands(f, (8, 7), 2) for f in (h, lambda k: v @ h(k) @ v.conj().T))
    assert links.array.dtype == np.complex128 and links.group == "U(2)" and links.sites == (8, 7)
    assert close(links.array @ dagger(links.array), np.broadcast_to(np.eye(2), links.array.shape))
    assert close(flux(links), flux(turned), 1e-11)


def test_the_polar_factor_is_the_nearest_unitary_matrix(getkey):
    rng = np.random.default_rng(3)
    m = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    u = polar(m)
    assert close(u @ dagger(u), np.eye(3)) and np.linalg.eigvalsh(dagger(u) @ m).min() > 0
    others = u @ np.array([polar(np.eye(3) + 0.1j * (a + dagger(a))) for a in rng.normal(size=(20, 3, 3))])
    assert np.all(np.linalg.norm(others - m, axis=(-2, -1)) > np.linalg.norm(u - m))
    v, w = matrices("U(3)", (2,), getkey())
    assert close(polar(v @ m @ w), v @ u @ w)


def test_functions_of_one_momentum(getkey):
    def h(k):
        return qwz(1.2)(k)

    assert chern_number(links_from_bands(one_by_one(h), (8, 8), 1)) == 1
    assert close(one_by_one(h)(momenta((3, 2))), qwz(1.2)(momenta((3, 2))))


REFUSED = {
    "a critical point": (lambda: links_from_bands(qwz(0.0), (8, 8), 1), r"gap above band 1.*momentum \((0, 4|4, 0)\)"),
    "no gap in the middle": (lambda: links_from_bands(hofstadter(1, 4), (8, 8), 2), "change the parameters"),
    "no band": (lambda: links_from_bands(qwz(1.0), (8, 8), 0), "from 1 to 2 filled bands, got 0"),
    "too many bands": (lambda: links_from_bands(qwz(1.0), (8, 8), 3), "from 1 to 2 filled bands, got 3"),
    "one momentum at a time": (lambda: links_from_bands(lambda k: np.eye(2), (8, 8), 1), "one_by_one"),
    "one momentum, by its own error": (
        lambda: links_from_bands(lambda k: np.array([[k[0], 0], [0, 1.0]]), (8, 8), 1),
        r"matrices \(8, 8, M, M\), got ValueError.*one_by_one",
    ),
    "numbers, not matrices": (
        lambda: links_from_bands(lambda k: k[..., 0], (8, 8), 1),
        r"shape \(8, 8\); one_by_one",
    ),
    "a number at one momentum": (lambda: energies(lambda k: 1.0, np.zeros(2)), r"matrices \(M, M\), got shape \(\)"),
    "no square matrices": (
        lambda: links_from_bands(one_by_one(lambda k: np.ones((2, 3))), (8, 8), 1),
        "one momentum that returns a square matrix",
    ),
    "a grid of another dimension": (
        lambda: links_from_bands(qwz(1.0), (8, 8, 8), 1),
        "of 2 components.* got 3",
    ),
    "a path in another dimension": (
        lambda: band_path(qwz(1.0), {"a": (0,), "b": (1,)}, 1),
        "momenta of 2 components.* got 1; give a grid or points of 2 dimensions",
    ),
    "a path in two dimensions": (lambda: band_path(qwz(1.0), {"a": (0, 0), "b": (1,)}, 1), "momenta of one length"),
    "a path with too many bands": (lambda: band_path(qwz(1.0), {"a": (0, 0), "b": (1, 1)}, 3), "from 1 to 2 filled"),
    "not Hermitian": (lambda: links_from_bands(lambda k: 1j * qwz(1.0)(k), (8, 8), 1), "Hermitian"),
    "another period": (lambda: links_from_bands(lambda k: qwz(1.0)(k / 2), (8, 8), 1), "period 2 pi"),
    "tolerance": (lambda: certified_gap(qwz(1.0), 1, 0.0), "positive tolerance"),
    "too coarse": (lambda: links_from_bands(qwz(-1.0), (1, 2), 1), "refine"),
    "no grid": (lambda: links_from_bands(qwz(1.0), (), 1), "shape of a lattice"),
    "both R and -R": (lambda: tight_binding({(1,): np.eye(2), (-1,): np.eye(2)}), "the adjoint is added"),
    "energies": (lambda: tight_binding({(0,): np.array([[0, 1], [0, 0]])}), "Hermitian matrix at R = 0"),
    "shapes": (lambda: tight_binding({(0,): np.eye(2), (1,): np.eye(3)}), "one shape"),
    "layers": (lambda: coupled_layers([qwz(1.0), hofstadter(1, 3)], 0.1), "number of bands"),
    "coupling": (lambda: coupled_layers([qwz(1.0)] * 2, np.eye(3)), "coupling of shape"),
    "flux": (lambda: hofstadter(1, 1), "at least 2 sites"),
    "random": (lambda: random_bands(jr.key(0), 4, 2, min_gap=5, tries=3), "found no gap"),
}


KINDS = {
    "matrices in place of a function": (lambda: unchecked(energies)(np.eye(2), np.zeros((3, 2))), "got an array"),
    "a number of points": (lambda: unchecked(momenta)(8), "shape of a lattice, integers such as .* got 8"),
    "h second": (lambda: unchecked(momenta)(qwz(1.0)), "shape of a lattice.*got TightBinding"),
    "half a band": (lambda: unchecked(links_from_bands)(qwz(1.0), (8, 8), 1.0), "filled to be an integer.* got 1.0"),
    "bands by index": (
        lambda: unchecked(links_from_bands)(qwz(1.0), (8, 8), (0,)),
        r"be an integer.* got \(0,\)",
    ),
    "a flag": (lambda: direct_gap(qwz(1.0), (8, 8), True), "filled to be an integer.* got True"),
    "no bound on slopes": (
        lambda: unchecked(certified_gap)(qwz(1.0).__call__, 1),
        "got a method; direct_gap",
    ),
}


@pytest.mark.parametrize("call, message", KINDS.values(), ids=KINDS)
def test_what_is_of_another_kind_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_search_that_stops_early_ends_below_what_was_asked_for_and_tells_of_a_gap_that_exists():
    h, tolerance = haldane(1.0, np.pi / 2), 0.01
    exact = certified_gap(h, 1, 1e-3)
    early = certified_gap(h, 1, tolerance, enough=1.0)
    assert exact < early < 1.0 - tolerance  # no lower bound
    assert certified_gap(h, 1, tolerance, enough=exact / 2) == certified_gap(h, 1, tolerance) <= exact + 1e-3


@pytest.mark.parametrize("call, message", REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_field_of_bands_needs_no_flag_of_jax():
    assert isinstance(links_from_bands(qwz(1.0), (4, 4), 1), Links)
