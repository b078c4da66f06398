r"""Finitely many maps $T_a$ of examples with weights $w_a$: what averages run over.

Whole groups, some of their elements, quadratures of compact groups, and semigroups such as crops.
"""

import abc
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..groups import Action, Grid
from ..groups.value import Value, content, frozen
from .checks import check_action, check_batch, check_count

TOGETHER = 64


class Transforms(Value):
    """Maps of examples with weights that sum to 1; `transforms(a, x)` maps a batch (n, *example) by the a-th.

    Attributes:
        weights: shape (count,), read-only.
        identity: which of them is the identity; None where none is known to be.
        together: how many are evaluated in one kernel: many where there are many, as of a quadrature.
    """

    weights: np.ndarray
    identity: int | None = None
    together: int = 1

    @abc.abstractmethod
    def __call__(self, a: int, x: Array) -> Array: ...

    @abc.abstractmethod
    def check(self, name: str, x: Array) -> None:
        """A ValueError unless the maps act on this batch."""

    def __len__(self) -> int:
        return len(self.weights)


class _Elements(Transforms):
    action: Action
    elements: tuple[int, ...]

    def __init__(self, action: Action, elements: tuple[int, ...]):
        e = action.group.identity
        identity = elements.index(e) if e in elements else None
        weights = frozen(np.full(len(elements), 1 / len(elements)))
        self._set(action=action, elements=elements, weights=weights, identity=identity)

    def __repr__(self) -> str:
        return f"partial_orbit({self.action}, {self.elements})"

    def _key(self) -> tuple[Any, ...]:
        return self.action, self.elements

    def __call__(self, a: int, x: Array) -> Array:
        return self.action(self.elements[a], x)

    def check(self, name: str, x: Array) -> None:
        check_batch(name, self.action, x)


class _Grid(Transforms):
    grid: Grid
    matrices: np.ndarray
    flat: bool

    def __init__(self, grid: Grid, matrices: np.ndarray, flat: bool):
        self._set(grid=grid, matrices=frozen(matrices), flat=flat, weights=grid.weights, together=TOGETHER)

    def __repr__(self) -> str:
        d = self.matrices.shape[-1]
        return f"grid_transforms({self.grid}, <{d} x {d}>)"

    def _key(self) -> tuple[Any, ...]:
        return self.grid, content(self.matrices), self.flat

    def __call__(self, a: int, x: Array) -> Array:
        flat = x.reshape(len(x), -1) if self.flat else x
        moved = jnp.einsum("ij,...j->...i", jnp.asarray(self.matrices[a], x.dtype), flat, precision="highest")
        return moved.reshape(x.shape)

    def check(self, name: str, x: Array) -> None:
        d = self.matrices.shape[-1]
        size = (int(np.prod(x.shape[1:])) if self.flat else x.shape[-1]) if x.ndim > 1 else 0
        if size != d or len(x) == 0:
            what = f"examples of {d} numbers" if self.flat else f"vectors or point clouds (n, ..., {d})"
            raise ValueError(f"{self} expected {name} as {what}; got shape {x.shape}; give a rho of their size.")


class _Crops(Transforms):
    size: tuple[int, int]
    image: tuple[int, int]

    def __init__(self, size: tuple[int, int], image: tuple[int, int]):
        places = [n - s + 1 for n, s in zip(image, size, strict=True)]
        count = places[0] * places[1]
        identity = 0 if count == 1 else None
        self._set(size=size, image=image, weights=frozen(np.full(count, 1 / count)), identity=identity)

    def __repr__(self) -> str:
        return f"crops({self.size}, {self.image})"

    def _key(self) -> tuple[Any, ...]:
        return self.size, self.image

    def __call__(self, a: int, x: Array) -> Array:
        (height, width), (top, left) = self.size, divmod(a, self.image[1] - self.size[1] + 1)
        return x[:, top : top + height, left : left + width]

    def check(self, name: str, x: Array) -> None:
        if x.ndim != 4 or x.shape[1:3] != self.image or len(x) == 0:
            raise ValueError(
                f"{self} expected {name} as images (n, {self.image[0]}, {self.image[1]}, channels); got {x.shape}."
            )


def as_transforms(name: str, transforms: Any) -> Transforms:
    """Transforms themselves, or those of all elements of an Action."""
    if isinstance(transforms, Transforms):
        return transforms
    action = check_action(name, transforms)
    return _Elements(action, tuple(action.group.elements))


def partial_orbit(action: Action, elements: Sequence[int]) -> Transforms:
    """Some elements of a group, with equal weights; three of four rotations are no group: a negative control.

    Raises:
        ValueError: no such elements, none, or one twice.

    >>> from equitangents.groups import image_action, point_group
    >>> partial_orbit(image_action(point_group("C4")), (0, 1))
    partial_orbit(image_action(C4), (0, 1))
    """
    group = check_action("action", action).group
    chosen = tuple(group.check_element(g) for g in elements)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"expected different elements of {group}, at least one; got {chosen}; list each once.")
    return _Elements(action, chosen)


def grid_transforms(grid: Any, rho: Callable[[np.ndarray], Any] | None = None) -> Transforms:
    r"""A quadrature of SO(2) or SO(3) acting on examples, $x \to \rho(g_a) x$ with weights $w_a$.

    An average of $F(\rho(g) x)$ is exact where F is a polynomial of degree L in x, $\rho$ holds representations up to
    l, and L l is at most `grid.degree`. For other F it converges with the degree: exponentially for smooth networks.

    Args:
        grid: `circle_grid(n)`, `rotation_grid(degree)`, `design("I")`.
        rho: takes a point, an angle in radians or a matrix (3, 3), to a matrix (d, d) that acts on flattened examples.
            None: the rotations themselves, on the last axis of vectors and point clouds, of size 2 or 3.

    Raises:
        ValueError: matrices of the wrong shape.

    >>> from equitangents.groups import circle_grid
    >>> grid_transforms(circle_grid(4))(1, jnp.array([[1.0, 0.0]])).round(12).tolist()
    [[0.0, 1.0]]
    """
    if not isinstance(grid, Grid):
        raise TypeError(f"expected a Grid, such as design('I'); got {grid!r}.")
    if rho is None:
        if grid.points.ndim == 3:
            return _Grid(grid, grid.points, flat=False)
        c, s = np.cos(grid.points), np.sin(grid.points)
        return _Grid(grid, np.moveaxis(np.array([[c, -s], [s, c]]), 2, 0), flat=False)
    matrices = np.array([np.asarray(rho(point), float) for point in grid.points])
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2]:
        raise ValueError(f"expected rho to give square matrices; got shape {matrices.shape[1:]}.")
    return _Grid(grid, matrices, flat=True)


def crops(size: tuple[int, int], image: tuple[int, int]) -> Transforms:
    """All windows (height, width) of an image (height, width), with equal weights; a network then acts on windows.

    Crops have no inverse, so they are no group: average over both sides, which is the kernel of features averaged over
    crops.

    Raises:
        ValueError: windows larger than the image.

    >>> len(crops((3, 3), (5, 6)))
    12
    """
    for name, count in zip(("a height", "a width"), size, strict=True):
        check_count(name, count)
    if any(s > n for s, n in zip(size, image, strict=True)):
        raise ValueError(f"expected windows inside the image; got {tuple(size)} in {tuple(image)}; take smaller ones.")
    return _Crops((size[0], size[1]), (image[0], image[1]))
