r"""Finite groups of rotations and reflections of three-dimensional space, as matrices: the symmetries of solids."""

import functools
import itertools
from typing import Any

import numpy as np

from .finite_group import FiniteGroup
from .value import content, frozen

GOLDEN = (1 + np.sqrt(5)) / 2
NAMES = ("C1", "Ci", "T", "Td", "Th", "O", "Oh", "I", "Ih")


class SpatialGroup(FiniteGroup):
    r"""A finite subgroup of O(3), as orthogonal matrices that act on (x, y, z); the identity first.

    `matrix_action(group, group.matrices)` rotates vectors (3,) and point clouds (points, 3).

    Args:
        matrices: shape (n, 3, 3), real.
        name: what is printed.
        labels: names of the elements.

    Attributes:
        matrices: the same, read-only.
        is_proper: whether all are rotations, of determinant 1.

    Raises:
        ValueError: the matrices are not orthogonal, not different, or not closed under products, to 1e-9.
    """

    matrices: np.ndarray

    def __init__(self, matrices: Any, name: str | None = None, labels: tuple[str, ...] | None = None):
        matrices = np.asarray(matrices, float)
        if matrices.ndim != 3 or matrices.shape[1:] != (3, 3) or not len(matrices):
            raise ValueError(f"expected matrices of shape (n, 3, 3); got {matrices.shape}; give one for each element.")
        gram = matrices @ matrices.swapaxes(1, 2)
        if not np.allclose(gram, np.eye(3), rtol=0, atol=1e-9):
            raise ValueError("expected orthogonal matrices; got others; normalise their columns.")
        super().__init__(_table(matrices), name, labels)
        self._set(matrices=frozen(matrices))

    def _key(self) -> tuple[Any, ...]:
        return content(self.matrices)

    @property
    def is_proper(self) -> bool:
        return bool((np.linalg.det(self.matrices) > 0).all())

    def _restricted(self, elements: tuple[int, ...]) -> FiniteGroup:
        return SpatialGroup(self.matrices[list(elements)], labels=tuple(self.labels[a] for a in elements))


def spatial_group(name: str) -> SpatialGroup:
    """The symmetries of a solid by Schoenflies' name: rotations T, O, I (order 12, 24, 60) and groups with reflections.

    T, O and I are those of the tetrahedron, the cube and the icosahedron, with two-fold axes along x, y and z. With
    the inversion, -1, they are Th, Oh and Ih, products with Z2: element n + a is minus element a. Td is the full
    symmetry of the tetrahedron, order 24. Ci is the inversion alone, C1 nothing.

    >>> spatial_group("I"), spatial_group("Oh").order, spatial_group("Td").is_proper
    (I, 48, False)
    """
    if name not in NAMES:
        raise ValueError(f"expected one of the groups {', '.join(NAMES)}; got {name!r}.")
    return _spatial_group(name)


@functools.cache
def _spatial_group(name: str) -> SpatialGroup:
    matrices = np.eye(3)[None] if name in ("C1", "Ci") else _rotations(name[0])
    if name in ("Ci", "Th", "Oh", "Ih"):
        matrices = np.concatenate([matrices, -matrices])
    if name == "Td":
        cube = _rotations("O")
        matrices = np.concatenate([matrices, -cube[len(matrices) :]])
    return SpatialGroup(matrices + 0.0, name)


def _rotations(name: str) -> np.ndarray:
    """Rotations from the unit quaternions of the 24-cell (T), with its dual (O), or of the 600-cell (I)."""
    axes = [list(row) for row in np.eye(4)]
    halves = [[0.5, *signs] for signs in itertools.product((0.5, -0.5), repeat=3)]
    quaternions = axes + halves
    if name == "O":
        root = np.sqrt(0.5)
        for i, j in itertools.combinations(range(4), 2):
            for sign in (1, -1):
                q = [0.0] * 4
                q[i], q[j] = root, sign * root
                quaternions.append(q)
    if name == "I":
        for places in itertools.permutations(range(4)):
            if np.linalg.det(np.eye(4)[list(places)]) > 0:
                for signs in itertools.product((1, -1), repeat=2):
                    entries = 0.5 * np.array([GOLDEN, signs[0], signs[1] / GOLDEN, 0.0])
                    quaternions.append(list(entries[list(places)]))
    return quaternion_matrices(np.array(quaternions))


def quaternion_matrices(q: np.ndarray) -> np.ndarray:
    """Rotation matrices (n, 3, 3) of unit quaternions (n, 4), real part first."""
    w, v = q[:, :1], q[:, 1:]
    cross = np.zeros((len(q), 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[:, i, j], cross[:, j, i] = -v[:, k], v[:, k]
    square = (w**2 - (v**2).sum(1, keepdims=True))[..., None]
    return square * np.eye(3) + 2 * v[:, :, None] * v[:, None, :] + 2 * w[..., None] * cross


def _table(matrices: np.ndarray) -> np.ndarray:
    products = np.einsum("aij,bjk->abik", matrices, matrices)
    overlap = np.einsum("abik,cik->abc", products, matrices)  # 3 where they are equal
    found = overlap.argmax(-1)
    own = np.einsum("aij,cij->ac", matrices, matrices)
    if np.abs(products - matrices[found]).max() > 1e-9 or (np.sort(own, axis=1)[:, :-1] > 3 - 1e-9).any():
        raise ValueError(
            f"expected different matrices closed under products; got {len(matrices)} that are not; complete the group."
        )
    return found
