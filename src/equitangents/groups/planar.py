r"""Groups of the square grid: rotations and flips about the centre of an image, and roto-translations of a torus.

Pixels are (row, column). An element acts on pixels, $x \to g x$, and on images by $(\rho(g) f)(x) = f(g^{-1} x)$.
"""

import functools
from typing import Any

import numpy as np

from .families import check_count
from .finite_group import FiniteGroup
from .value import content, frozen

MAX_ORDER = 5000  # a table of 100 MB
D4_LABELS = ("e", "r", "r2", "r3", "s", "rs", "r2s", "r3s")
IN_D4 = {"C1": (0,), "C2": (0, 2), "C4": (0, 1, 2, 3), "D1": (0, 4), "D2": (0, 2, 4, 6), "D4": tuple(range(8))}


class PointGroup(FiniteGroup):
    """Rotations and flips of an image about its centre, as matrices; the identity first.

    The centre of a (height, width) image is ((height - 1) / 2, (width - 1) / 2), between pixels for even sizes, so
    every element permutes the pixels exactly.

    Args:
        matrices: integer orthogonal matrices acting on (row, column) offsets from the centre, shape (n, 2, 2).
        name: what is printed.
        labels: names of the elements.

    Attributes:
        matrices: the same, read-only.

    Raises:
        ValueError: the matrices are no integer orthogonal matrices, or not closed under products.
    """

    matrices: np.ndarray

    def __init__(self, matrices: Any, name: str | None = None, labels: tuple[str, ...] | None = None):
        matrices = _check_matrices(matrices)
        super().__init__(_affine_table(matrices, np.zeros((len(matrices), 2), int), (1, 1)), name, labels)
        self._set(matrices=frozen(matrices))

    def _key(self) -> tuple[Any, ...]:
        return content(self.matrices)

    @property
    def swaps_axes(self) -> bool:
        """Whether some element maps rows to columns, so that images must be square."""
        return bool((self.matrices[:, 0, 1] != 0).any())

    def pixels(self, height: int, width: int) -> np.ndarray:
        """Index of the pixel g x at [g, x], shape (n, height * width), pixels in C order."""
        if self.swaps_axes and height != width:
            raise ValueError(
                f"{self} maps rows to columns, so expected square images; got {height} x {width}; crop or pad them."
            )
        size = np.array([height, width])
        offsets = 2 * _grid(height, width) - (size - 1)  # doubled, so that they are integers for even sizes
        moved = np.einsum("gij,xj->gxi", self.matrices, offsets) + (size - 1)
        return moved[..., 0] // 2 * width + moved[..., 1] // 2

    def _restricted(self, elements: tuple[int, ...]) -> FiniteGroup:
        matrices = self.matrices[list(elements)]
        name = next((name for name in IN_D4 if np.array_equal(point_group(name).matrices, matrices)), None)
        return PointGroup(matrices, name, tuple(self.labels[a] for a in elements))


class TorusGroup(FiniteGroup):
    r"""Maps $x \to R x + t$ of the torus, with R about pixel (0, 0); made by `p4`, `p4m`, `translations`.

    Args:
        matrices: R of each element, acting on (row, column), shape (n, 2, 2).
        shifts: t of each element, (row, column), taken modulo the size, shape (n, 2).
        shape: (height, width).
        name: what is printed.
        labels: names of the elements.

    Raises:
        ValueError: not closed under products, or R does not keep the torus.
    """

    matrices: np.ndarray
    shifts: np.ndarray
    shape: tuple[int, int]

    def __init__(
        self,
        matrices: Any,
        shifts: Any,
        shape: tuple[int, int],
        name: str | None = None,
        labels: tuple[str, ...] | None = None,
    ):
        matrices, shifts = _check_matrices(matrices), np.asarray(shifts)
        if len(matrices) > MAX_ORDER:
            raise ValueError(
                f"expected a group of order at most {MAX_ORDER}; got {len(matrices)}; use a smaller torus."
            )
        if shifts.shape != (len(matrices), 2) or shifts.dtype.kind not in "iu":
            raise ValueError(
                f"expected shifts as integers of shape ({len(matrices)}, 2); got {shifts.dtype} of {shifts.shape}."
            )
        if min(shape) < 1:
            raise ValueError(f"expected a torus of at least 1 x 1; got {shape[0]} x {shape[1]}; choose another.")
        if shape[0] != shape[1] and (matrices[:, 0, 1] != 0).any():
            raise ValueError(f"expected a square torus for maps of rows to columns; got {shape[0]} x {shape[1]}.")
        shifts = shifts % shape
        super().__init__(_affine_table(matrices, shifts, shape), name, labels)
        self._set(matrices=frozen(matrices), shifts=frozen(shifts), shape=shape)

    def _key(self) -> tuple[Any, ...]:
        return content(self.matrices), content(self.shifts), self.shape

    def pixels(self, height: int, width: int) -> np.ndarray:
        """Index of the pixel g x at [g, x], shape (n, height * width), pixels in C order."""
        if (height, width) != self.shape:
            raise ValueError(f"{self} acts on images of {self.shape[0]} x {self.shape[1]}; got {height} x {width}.")
        moved = np.einsum("gij,xj->gxi", self.matrices, _grid(height, width)) + self.shifts[:, None]
        return moved[..., 0] % height * width + moved[..., 1] % width

    def _restricted(self, elements: tuple[int, ...]) -> FiniteGroup:
        chosen = list(elements)
        labels = tuple(self.labels[a] for a in elements)
        return TorusGroup(self.matrices[chosen], self.shifts[chosen], self.shape, labels=labels)


def point_group(name: str) -> PointGroup:
    """The group of images called C1, C2, C4 (rotations), D1, D2 or D4 (with flips).

    All are subgroups of D4, whose elements are r^k (index k) and r^k s (index 4 + k), where r is `jnp.rot90`,
    counter-clockwise, and s, which acts first, is `jnp.fliplr`. C2 = (e, r2), D1 = (e, s), D2 = (e, r2, s, r2s).

    >>> point_group("D2"), point_group("D2").labels
    (D2, ('e', 'r2', 's', 'r2s'))
    """
    _check_name(name)
    return _point_group(name)


@functools.cache
def _point_group(name: str) -> PointGroup:
    rotation, flip = np.array([[0, -1], [1, 0]]), np.diag([1, -1])
    rotations = [np.linalg.matrix_power(rotation, k) for k in range(4)]
    d4 = np.array(rotations + [r @ flip for r in rotations])
    chosen = IN_D4[name]
    return PointGroup(d4[list(chosen)], name, tuple(D4_LABELS[a] for a in chosen))


def image_groups(name: str) -> tuple[str, ...]:
    """Names of the point groups that are subgroups of the named one, itself last.

    >>> image_groups("C4"), image_groups("D2")
    (('C1', 'C2', 'C4'), ('C1', 'C2', 'D1', 'D2'))
    """
    _check_name(name)
    return tuple(other for other, elements in IN_D4.items() if set(elements) <= set(IN_D4[name]))


def translations(height: int, width: int) -> TorusGroup:
    """Translations of the torus, $Z_h \\times Z_w$; the shift by (i, j) is element i width + j."""
    return _roto_translations(point_group("C1"), (height, width), f"translations({height}, {width})")


def p4(n: int) -> TorusGroup:
    """Rotations by 90 degrees and translations of the n x n torus, order 4 n^2.

    The element g = (r, t), $g x = R^r x + t$, has index (r n + t[0]) n + t[1]: functions over the group are arrays of
    shape (4, n, n). The rotation r is counter-clockwise as `jnp.rot90`, but about pixel (0, 0).
    """
    return _roto_translations(point_group("C4"), (n, n), f"p4({n})")


def p4m(n: int) -> TorusGroup:
    """Rotations, flips and translations of the n x n torus, order 8 n^2; as `p4`, with r over the elements of D4."""
    return _roto_translations(point_group("D4"), (n, n), f"p4m({n})")


def pixel_permutation(group: FiniteGroup, height: int, width: int) -> np.ndarray:
    """Index of the pixel g x at [g, x], shape (|G|, height * width), read-only; pixels in C order.

    Args:
        group: a point group, about the centre of the image, or a group of the torus of this size.
        height, width: size of the image; square if the group maps rows to columns.

    Raises:
        TypeError: the group does not act on pixels.
        ValueError: it does not act on images of this size.
    """
    check_count("a height", height)
    check_count("a width", width)
    return _pixel_permutation(check_acts_on_pixels(group), height, width)


def check_acts_on_pixels(group: FiniteGroup) -> PointGroup | TorusGroup:
    """The group, or a TypeError where it does not act on pixels."""
    if not isinstance(group, PointGroup | TorusGroup):
        raise TypeError(
            f"expected a group of the square grid, such as point_group('C4') or p4(8); got {group}; "
            "use permutation_action for others."
        )
    return group


@functools.lru_cache(maxsize=64)
def _pixel_permutation(group: PointGroup | TorusGroup, height: int, width: int) -> np.ndarray:
    return frozen(group.pixels(height, width), np.int32)


def _roto_translations(point: PointGroup, shape: tuple[int, int], name: str) -> TorusGroup:
    check_count(f"the height of {name}", shape[0])
    check_count(f"the width of {name}", shape[1])
    if point.order * shape[0] * shape[1] > MAX_ORDER:
        order = point.order * shape[0] * shape[1]
        raise ValueError(
            f"expected a group of order at most {MAX_ORDER}; got {name} of order {order}; take a smaller torus."
        )
    grid = _grid(*shape)
    labels = tuple(f"({r}, {i}, {j})" for r in point.labels for i, j in grid.tolist())
    matrices = np.repeat(point.matrices, len(grid), axis=0)
    return TorusGroup(matrices, np.tile(grid, (point.order, 1)), shape, name, labels)


def _grid(height: int, width: int) -> np.ndarray:
    return np.stack(np.divmod(np.arange(height * width), width), axis=-1)


def _affine_table(matrices: np.ndarray, shifts: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Products of maps x -> R x + t, found among them by a code; the entries of R are -1, 0 or 1."""

    def code(r: np.ndarray, t: np.ndarray) -> np.ndarray:
        t = t % shape
        linear = (r.reshape(-1, 4) + 1) @ np.array([27, 9, 3, 1])
        return (linear * shape[0] + t[:, 0]) * shape[1] + t[:, 1]

    codes = code(matrices, shifts)
    order = np.argsort(codes)
    products = np.array([code(r @ matrices, shifts @ r.T + t) for r, t in zip(matrices, shifts, strict=True)])
    found = order[np.searchsorted(codes[order], products).clip(max=len(codes) - 1)]
    if (codes[found] != products).any() or len(set(codes.tolist())) != len(codes):
        raise ValueError(
            f"expected different maps closed under products; got {len(codes)} that are not; complete the group."
        )
    return found


def _check_matrices(matrices: Any) -> np.ndarray:
    matrices = np.asarray(matrices)
    if matrices.ndim != 3 or matrices.shape[1:] != (2, 2) or matrices.dtype.kind not in "iu" or not len(matrices):
        raise ValueError(
            f"expected matrices as integers of shape (n, 2, 2); got {matrices.dtype} of shape {matrices.shape}."
        )
    matrices = matrices.astype(int)
    for g, matrix in enumerate(matrices):
        if not np.array_equal(matrix @ matrix.T, np.eye(2)):
            raise ValueError(
                f"expected orthogonal matrices, which keep the square grid; got {matrix.tolist()} as number {g}."
            )
    return matrices


def _check_name(name: str) -> None:
    if name not in IN_D4:
        raise ValueError(f"expected one of the groups {', '.join(IN_D4)} of square images; got {name!r}.")
