"""Models of PythTB, version 1 or 2, as Hamiltonians with the period of the reciprocal lattice."""

from typing import Any

import numpy as np

from .bands import Hamiltonian


def from_pythtb(model: Any) -> Hamiltonian:
    r"""The Bloch Hamiltonian of a PythTB model, in components of k along its reciprocal lattice vectors.

    PythTB puts the positions $\tau_i$ of the orbitals into the phases, which then have no period in k; here they
    are taken out, $H_{ij} \to e^{i k \cdot (\tau_i - \tau_j)} H_{ij}$. Chern numbers stay, local fluxes do not.
    PythTB's `berry_flux` and `chern_number` have the opposite sign to ours. Nothing of PythTB is imported here.

    Args:
        model: `pythtb.tb_model` (1.x) or `pythtb.TBModel` (2.x), periodic in at least one direction.

    Returns:
        A function for `links_from_bands`, with momenta along the periodic directions in their order.
    """
    second = hasattr(model, "hamiltonian")
    if second:
        positions, periodic, spins = model.get_orb_vecs(), model.periodic_dirs, model.nspin
    else:
        positions, periodic, spins = model.get_orb(), model._per, model._nspin
    tau = np.repeat(np.asarray(positions)[:, list(periodic)], spins, axis=0)

    def h(k: np.ndarray) -> np.ndarray:
        flat = np.asarray(k).reshape(-1, k.shape[-1])
        if second:
            matrices = model.hamiltonian(flat / (2 * np.pi), flatten_spin_axis=True)
        else:  # version 1 has eigenvectors (band, k, orbital[, spin]) only
            values, states = model.solve_all(flat / (2 * np.pi), eig_vectors=True)
            states = np.moveaxis(states.reshape(*values.shape, -1), 0, -1)
            matrices = (states * values.T[:, None, :]) @ states.conj().swapaxes(-1, -2)
        phases = np.exp(1j * flat @ tau.T)
        matrices = phases[:, :, None] * matrices * phases.conj()[:, None, :]
        return matrices.reshape(*k.shape[:-1], *matrices.shape[-2:])

    return h
