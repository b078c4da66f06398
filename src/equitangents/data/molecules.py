"""Molecules: atoms in space with energies, and the linear part of an energy that the elements alone explain."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Int

HARTREE = 27.211386245988
"""In electron volts (CODATA 2018)."""


@dataclass(frozen=True, eq=False)
class Molecules:
    """Molecules of different sizes in arrays of one shape; places after the last atom have charge 0 and stand at 0.

    Attributes:
        index: number of each molecule in its data set, shape (n,).
        charges: atomic numbers, (n, atoms).
        positions: in angstrom, (n, atoms, 3).
        energy: total energy at 0 K in hartree, (n,).
        polarisability: a third of the trace of the tensor, in bohr^3, (n,).
        tensor: the polarisability tensor in bohr^3, (n, 3, 3), in whatever frame its authors wrote it.
        source: a sentence that says where the data came from.
    """

    index: np.ndarray
    charges: np.ndarray
    positions: np.ndarray
    energy: np.ndarray
    polarisability: np.ndarray
    tensor: np.ndarray
    source: str = ""

    def __len__(self) -> int:
        return len(self.index)

    def take(self, chosen: np.ndarray) -> "Molecules":
        """Some of the molecules, by their places."""
        arrays = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "source"}
        return Molecules(**arrays, source=self.source)


def composition(charges: Int[np.ndarray, "n atoms"], elements: tuple[int, ...]) -> Float[np.ndarray, "n elements"]:
    """How many atoms of each element.

    >>> composition(np.array([[8, 1, 1, 0]]), (1, 6, 8)).tolist()
    [[2.0, 0.0, 1.0]]
    """
    return np.stack([np.sum(charges == z, axis=1) for z in elements], axis=1).astype(float)


def atomic_energies(charges: np.ndarray, energy: np.ndarray, elements: tuple[int, ...]) -> np.ndarray:
    r"""The energies $e_z$ that minimise $\sum_m (E_m - \sum_{i \in m} e_{z_i})^2$: references of atoms, from molecules.

    Args:
        charges: atomic numbers, (n, atoms), 0 where there is none.
        energy: total energies, (n,).
        elements: atomic numbers; one that no molecule holds gets 0.

    Returns:
        One for each element, in the unit of `energy`. Energies less $\sum_i e_{z_i}$ are atomisation energies up to a
        combination of the numbers of atoms, which no learning is needed for.

    Raises:
        ValueError: atoms of other elements.
    """
    there = set(np.unique(charges).tolist()) - {0}
    if unknown := there - set(elements):
        raise ValueError(f"expected atoms of {elements}, got also {sorted(unknown)}; add them to the elements.")
    return np.linalg.lstsq(composition(charges, elements), energy, rcond=None)[0]
