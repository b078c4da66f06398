"""Mulliken's names of irreducible representations.

They are his for T, Td, O and I. Cyclic groups are named as C_n and dihedral ones as C_nv, whatever they stand for: D2,
of rotations about three axes, has A1, A2, B1, B2. Groups of space that hold the inversion have the names of their
rotations with g or u, even or odd under it, as Th, Oh and Ih. Others have a letter for the dimension, and a number.

References:
    Mulliken (1955), Journal of Chemical Physics 23, 1997; 1E and 2E as in Altmann and Herzig,
    Point-Group Theory Tables.
"""

import numpy as np

from .axioms import generated
from .characters import characters
from .finite_group import FiniteGroup
from .spatial import SpatialGroup

LETTERS = {1: "A", 2: "E", 3: "T", 4: "G", 5: "H", 6: "I", 7: "J"}


def mulliken(group: FiniteGroup, table: np.ndarray) -> list[str]:
    """One name for each character, shape (irreps, |G|), over the complex numbers; those of a conjugate pair differ."""
    if isinstance(group, SpatialGroup) and (inversion := _inversion(group)) is not None:
        return _with_parity(group, table, inversion)
    pairs = _conjugate_pairs(table)
    bases: list[str] = [""] * len(table)
    leaders = [i for i in range(len(table)) if pairs[i] >= i]
    n, r, s = _rotation_and_reflection(group)
    for i in leaders:
        if r is not None:
            bases[i] = _planar(table[i], n, r, s, pair=pairs[i] != i)
        else:
            dim = round(table[i].real.max()) * (1 if pairs[i] == i else 2)
            bases[i] = LETTERS.get(dim, f"{dim}d")
    if r is None:
        for letter in set(bases) - {""}:
            alike = [i for i in leaders if bases[i] == letter]
            for number, i in enumerate(alike, 1):
                if len(alike) > 1:
                    bases[i] = f"{letter}{number}" if letter[-1] != "d" else f"{letter}-{number}"
    names = list(bases)
    for i in leaders:
        if pairs[i] != i:
            names[i], names[pairs[i]] = f"1{bases[i]}", f"2{bases[i]}"
    return names


def _inversion(group: SpatialGroup) -> int | None:
    found = np.flatnonzero((np.abs(group.matrices + np.eye(3)) < 1e-6).all((1, 2)))
    return int(found[0]) if len(found) else None


def _with_parity(group: SpatialGroup, table: np.ndarray, inversion: int) -> list[str]:
    """The group is that of its rotations times the inversion: their names, and g or u by the sign of the latter."""
    proper = np.flatnonzero(np.linalg.det(group.matrices) > 0)
    rotations = SpatialGroup(group.matrices[proper])
    of_rotations = characters(rotations)
    names = mulliken(rotations, of_rotations)
    found = [int(np.argmin(np.abs(of_rotations - row[proper]).max(1))) for row in table]
    return [names[k] + ("g" if row[inversion].real > 0 else "u") for k, row in zip(found, table, strict=True)]


def _planar(character: np.ndarray, n: int, r: int, s: int | None, pair: bool) -> str:
    """A or B by the sign under the rotation r, 1 or 2 by that under the reflection s; E_k turns k times as fast."""
    two = pair or round(character.real.max()) == 2
    if two:
        cosine = character[r].real / (1 if pair else 2)
        k = round(np.arccos(np.clip(cosine, -1, 1)) * n / (2 * np.pi))
        return f"E{k}" if n > 4 else "E"
    letter = "A" if character[r].real > 0 else "B"
    return letter if s is None else letter + ("1" if character[s].real > 0 else "2")


def _rotation_and_reflection(group: FiniteGroup) -> tuple[int, int | None, int | None]:
    """n with a rotation r of order n, and a reflection s of a dihedral group; None where there is none."""
    orders = [group.element_order(g) for g in group.elements]
    if max(orders) == group.order:
        return group.order, orders.index(group.order), None
    n = group.order // 2
    if group.order % 2 == 0 and n in orders:
        r = next(g for g in group.elements if orders[g] == n)
        reflections = sorted(set(group.elements) - set(generated(group.table, [r])))
        if all(orders[s] == 2 for s in reflections):  # then s r s = r^-1
            return n, r, reflections[0]
    return 0, None, None


def _conjugate_pairs(table: np.ndarray) -> list[int]:
    return [int(np.argmin(np.abs(table - row.conj()).max(1))) for row in table]
