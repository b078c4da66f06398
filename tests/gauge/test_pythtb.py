"""Models of PythTB, version 1 or 2: the adapter, and its sign of Chern numbers, opposite to ours."""

import warnings

import numpy as np
import pytest
from gauge_cases import close

from equitangents.gauge import chern_number, flux, from_pythtb, haldane, links_from_bands, momenta, qwz

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pythtb = pytest.importorskip("pythtb")
SECOND = hasattr(pythtb, "TBModel")
X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
N = 20


def model(cell, orbitals, onsite, hoppings, spinful=False):
    if SECOND:
        lattice = pythtb.Lattice(lat_vecs=cell, orb_vecs=orbitals, periodic_dirs=[0, 1])
        made = pythtb.TBModel(lattice, spinful=spinful)
    else:
        made = pythtb.tb_model(2, 2, cell, orbitals, nspin=2 if spinful else 1)
    made.set_onsite(onsite)
    for amplitude, i, j, r in hoppings:
        made.set_hop(amplitude, i, j, r)
    return made


def square(u, spinful=False):
    """The model of Qi, Wu and Zhang, both states of a cell at one point: two orbitals, or the spin of one."""
    x, y = (Z - 1j * X) / 2, (Z - 1j * Y) / 2
    if spinful:
        return model(np.eye(2), [[0, 0]], [u * Z], [(x, 0, 0, [1, 0]), (y, 0, 0, [0, 1])], spinful=True)
    hops = [(t[i, j], i, j, r) for t, r in ((x, [1, 0]), (y, [0, 1])) for i in range(2) for j in range(2)]
    return model(np.eye(2), np.zeros((2, 2)), [u, -u], hops)


def honeycomb(m, phi, t2=0.2):
    between = [(1, 0, 1, [0, 0]), (1, 0, 1, [1, 0]), (1, 0, 1, [0, 1])]
    second = [[-1, 0], [1, -1], [0, 1]]  # the reverse of [1, 0], ... turns the phase around
    within = [(t2 * np.exp(s * 1j * phi), i, i, r) for s, i in ((1, 0), (-1, 1)) for r in second]
    return model([[1, 0], [0.5, 3**0.5 / 2]], [[1 / 3, 1 / 3], [2 / 3, 2 / 3]], [m, -m], [*between, *within])


def their_flux(made):
    """The fluxes of the lowest band through each plaquette, as PythTB computes them, shape (N, N)."""
    if not SECOND:
        states = pythtb.wf_array(made, [N + 1, N + 1])
        states.solve_on_grid([0.0, 0.0])
        return states.berry_flux([0], individual_phases=True)
    mesh = pythtb.Mesh(["k", "k"])
    mesh.build_grid(shape=(N, N))
    states = pythtb.WFArray(made.lattice, mesh, spinful=made.spinful)
    states.solve_model(made)
    return np.asarray(states.berry_flux(plane=(0, 1), state_idx=[0])).real.reshape(N, N)


MODELS = {
    **{f"qwz {u}": (lambda u=u: square(u), qwz(u)) for u in (-1.0, 1.0, 3.0)},
    "qwz with spin": (lambda: square(0.6, spinful=True), qwz(0.6)),
    **{f"haldane {p}": (lambda p=p: honeycomb(0.3, p), haldane(0.3, p)) for p in (-1.2, 0.1, 1.2)},
}


@pytest.mark.parametrize("make, ours", MODELS.values(), ids=MODELS)
def test_their_chern_number_is_minus_ours_and_the_models_agree(make, ours):
    made = make()
    links = links_from_bands(from_pythtb(made), (N, N), 1)
    assert chern_number(links) == chern_number(links_from_bands(ours, (N, N), 1))
    assert abs(their_flux(made).sum() / (2 * np.pi) + chern_number(links)) < 1e-10


@pytest.mark.parametrize("spinful", [False, True])
def test_their_local_fluxes_are_minus_ours_where_orbitals_have_no_positions(spinful):
    made = square(0.6, spinful)
    assert close(-their_flux(made), flux(links_from_bands(from_pythtb(made), (N, N), 1)), 1e-10)


@pytest.mark.parametrize("spinful", [False, True])
def test_hamiltonians_agree_entry_by_entry(spinful):
    k = momenta((5, 4)) + 0.3
    assert close(from_pythtb(square(0.7, spinful))(k), qwz(0.7)(k))
    assert close(from_pythtb(honeycomb(0.4, 0.9))(k), haldane(0.4, 0.9)(k))
    assert close(from_pythtb(honeycomb(0.4, 0.9))(k + 2 * np.pi), haldane(0.4, 0.9)(k))
