"""Are molecules turned at random, and do their tensors stand in the frame of their atoms?"""

import itertools

import numpy as np

from ...data import Molecules

MASSES = {1: 1.008, 6: 12.011, 7: 14.007, 8: 15.999, 9: 18.998}
OPERATIONS = [np.diag(s) for s in itertools.product((1.0, -1.0), repeat=3) if abs(sum(s)) < 3]
CLOSE = 0.02  # angstrom; a reflected atom that near to one of its kind is taken for it
DISTINCT = 0.05  # of the largest moment: nearer moments leave axes undetermined


def alignment(molecules: Molecules, rotations: np.ndarray) -> dict[str, np.ndarray]:
    """How far molecules are from random orientations, before and after they are turned by `rotations` (n, 3, 3).

    `bond`: length of the mean of the unit vectors from the first to the second atom; for n random ones about
    n^(-1/2), `bond_expected`. `axis`: Frobenius norm of the mean of v v^T less 1/3, v the axis of the largest moment;
    for random ones its root mean square is (2 / 3n)^(1/2), `axis_expected`.
    """
    axes, bonds = [], []
    for z, p in zip(molecules.charges, molecules.positions, strict=True):
        bonds.append((p[1] - p[0]) / np.linalg.norm(p[1] - p[0]))
        axes.append(principal(z[z > 0], p[z > 0])[2][:, 0])
    found = {}
    n = len(axes)
    for name, turn in (("", np.broadcast_to(np.eye(3), rotations.shape)), ("_random", rotations)):
        v, b = (np.einsum("nij,nj->ni", turn, np.array(one)) for one in (axes, bonds))
        found["bond" + name] = np.array(np.linalg.norm(b.mean(0)))
        found["axis" + name] = np.array(np.linalg.norm(v.T @ v / n - np.eye(3) / 3))
    return found | {"bond_expected": np.array(n**-0.5), "axis_expected": np.array((2 / (3 * n)) ** 0.5)}


def principal(z: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions from the centre of mass, moments sum m x^2 along the principal axes, rising, and the axes as columns.

    The first axis is that of the largest moment of inertia.
    """
    m = np.array([MASSES[int(one)] for one in z])
    q = p - m @ p / m.sum()
    values, vectors = np.linalg.eigh(np.einsum("i,ij,ik->jk", m, q, q))
    return q, values, vectors


def frames(molecules: Molecules, rotations: np.ndarray) -> dict[str, np.ndarray]:
    r"""Molecules with reflections or half turns g about their principal axes: $\|g a g^T - a\| / \|a\|$, a traceless.

    A polarisability tensor is invariant under each symmetry of its molecule. `own`: the largest for each molecule with
    tensor and atoms as published; `random`: with tensors turned at random; `axes`: with the coordinate axes of the
    tensor taken for the principal axes of the molecule, in the best of six orders.
    """
    own, random, axes = [], [], []
    for z, p, a, r in zip(molecules.charges, molecules.positions, molecules.tensor, rotations, strict=True):
        there = z > 0
        q, values, v = principal(z[there], p[there])
        if np.diff(values).min() < DISTINCT * values[2]:
            continue
        kept = [g for g in OPERATIONS if is_symmetry(g, q @ v, z[there])]
        a = a - np.trace(a) / 3 * np.eye(3)
        if not kept or np.linalg.norm(a) == 0:
            continue

        def change(tensor: np.ndarray, kept: list[np.ndarray] = kept) -> float:
            return float(max(np.linalg.norm(g @ tensor @ g - tensor) for g in kept) / np.linalg.norm(tensor))

        own.append(change(v.T @ a @ v))
        random.append(change(r @ a @ r.T))
        axes.append(min(change(a[np.ix_(order, order)]) for order in itertools.permutations(range(3))))
    return {"own": np.array(own), "random": np.array(random), "axes": np.array(axes)}


def is_symmetry(g: np.ndarray, x: np.ndarray, z: np.ndarray) -> bool:
    """Whether each moved atom lies near one of its element."""
    apart = np.linalg.norm((x @ g)[:, None] - x[None], axis=-1)
    return bool(np.where(z[:, None] == z[None, :], apart, np.inf).min(1).max() < CLOSE)
