r"""Points and weights on compact groups: $\int_G f(g)\,dg \approx \sum_a w_a f(g_a)$, exact up to a stated degree.

The functions on SO(2) are spanned by $e^{i m \varphi}$, those on SO(3) by the Wigner functions $D^l_{mn}$. A grid of
degree L integrates all with $|m| \le L$, or $l \le L$, exactly.
"""

from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from .families import check_count
from .spatial import SpatialGroup, spatial_group
from .value import Value, content, frozen


class Grid(Value):
    r"""Elements of a compact group with weights that sum to 1; immutable, hashable.

    Made by `circle_grid`, `rotation_grid`, `design`.

    Attributes:
        points: angles in radians, shape (n,), or rotation matrices, shape (n, 3, 3).
        weights: shape (n,), positive, of sum 1.
        degree: up to which irreducible representation the average is exact.
        name: what is printed.
    """

    points: np.ndarray
    weights: np.ndarray
    degree: int
    name: str

    def __init__(self, points: Any, weights: Any, degree: int, name: str):
        points, weights = np.asarray(points, float), np.asarray(weights, float)
        if weights.shape != points.shape[:1] or not (weights > 0).all() or abs(weights.sum() - 1) > 1e-12:
            raise ValueError(
                f"expected a positive weight for each of {len(points)} points, of sum 1; got shape {weights.shape} and "
                f"sum {weights.sum()}; divide by it."
            )
        self._set(points=frozen(points), weights=frozen(weights), degree=degree, name=name)

    def __repr__(self) -> str:
        return self.name

    def __len__(self) -> int:
        return len(self.weights)

    def _key(self) -> tuple[Any, ...]:
        return content(self.points), content(self.weights), self.degree


def circle_grid(n: int) -> Grid:
    r"""The trapezoidal rule on SO(2): angles $2 \pi k / n$, exact for $e^{i m \varphi}$ with $|m| < n$.

    >>> circle_grid(8).degree
    7
    """
    check_count("a number of angles n", n)
    return Grid(2 * np.pi * np.arange(n) / n, np.full(n, 1 / n), n - 1, f"circle_grid({n})")


def rotation_grid(degree: int) -> Grid:
    r"""A product grid on SO(3), exact for all $D^l$ with $l \le$ degree.

    Euler angles z-y-z: trapezoidal rules of degree + 1 points in $\alpha$ and $\gamma$, Gauss-Legendre of
    $\lceil (\text{degree} + 1) / 2 \rceil$ points in $\cos\beta$: what the others leave, $d^l_{00} = P_l$, is a
    polynomial of degree l. For degrees up to 5, `design` needs fewer points: 60 instead of 108.

    Raises:
        ValueError: a negative degree.
        TypeError: a degree that is no integer.

    >>> len(rotation_grid(4)), len(rotation_grid(5))
    (75, 108)
    """
    check_count("a degree", degree, low=0)
    around = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    cosines, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    alpha, beta, gamma = np.meshgrid(around, np.arccos(cosines), around, indexing="ij")
    w = np.broadcast_to(weights[None, :, None] / 2 / (degree + 1) ** 2, alpha.shape).ravel()
    points = rotation_matrix(alpha.ravel(), beta.ravel(), gamma.ravel())
    return Grid(points, w / w.sum(), degree, f"rotation_grid({degree})")


def design(group: SpatialGroup | str) -> Grid:
    r"""A finite group of rotations as a grid on SO(3) of equal weights, exact below its first invariant.

    The average over a subgroup H of $D^l$ is the projector on the invariants of H, so it is exact for $l \ge 1$ where
    there are none: T up to 2, O up to 3, I up to 5.

    Raises:
        ValueError: the group has reflections.

    >>> [(len(design(name)), design(name).degree) for name in "TOI"]
    [(12, 2), (24, 3), (60, 5)]
    """
    group = spatial_group(group) if isinstance(group, str) else group
    if not isinstance(group, SpatialGroup) or not group.is_proper:
        raise ValueError(f"expected a group of rotations, such as 'I'; got {group!r}; leave reflections out.")
    degree = 0
    while invariants(group, degree + 1) == 0:
        degree += 1
    return Grid(group.matrices, np.full(group.order, 1 / group.order), degree, f"design({group})")


def with_inversion(grid: Grid) -> Grid:
    """A grid on O(3) from one on SO(3): each rotation and its negative, of half the weight; the degree stays.

    >>> len(with_inversion(design("I")))
    120
    """
    if not isinstance(grid, Grid) or grid.points.ndim != 3:
        raise ValueError(f"expected a grid of rotations of space, such as design('I'); got {grid!r}.")
    points = np.concatenate([grid.points, -grid.points])
    return Grid(points, np.tile(grid.weights, 2) / 2, grid.degree, f"with_inversion({grid})")


def invariants(group: SpatialGroup, l: int) -> int:
    r"""Number of invariants of rotations in $D^l$: the mean of $\sin((2l + 1)\omega / 2) / \sin(\omega / 2)$.

    >>> [invariants(spatial_group("I"), l) for l in (0, 1, 5, 6, 10, 12)]
    [1, 0, 0, 1, 1, 1]
    """
    if not isinstance(group, SpatialGroup):
        raise TypeError(f"expected a SpatialGroup, such as spatial_group('I'); got {group!r}.")
    trace = np.trace(group.matrices, axis1=1, axis2=2)
    angle = np.arccos(np.clip((trace - 1) / 2, -1, 1))
    character = 1 + 2 * sum(np.cos(m * angle) for m in range(1, l + 1))
    return round(float(np.mean(character)))


def rotation_matrix(alpha: Any, beta: Any, gamma: Any) -> np.ndarray:
    r"""$R_z(\alpha) R_y(\beta) R_z(\gamma)$, angles in radians, of shapes that broadcast; shape (*angles, 3, 3).

    >>> (rotation_matrix(0.0, 0.0, np.pi / 2) @ [1, 0, 0]).round(12).tolist()
    [0.0, 1.0, 0.0]
    """
    angles = np.broadcast_arrays(*(np.asarray(a, float) for a in (alpha, beta, gamma)))
    (ca, cb, cg), (sa, sb, sg) = map(np.cos, angles), map(np.sin, angles)
    rows = [
        [ca * cb * cg - sa * sg, -ca * cb * sg - sa * cg, ca * sb],
        [sa * cb * cg + ca * sg, -sa * cb * sg + ca * cg, sa * sb],
        [-sb * cg, sb * sg, cb],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def random_rotations(key: PRNGKeyArray, n: int) -> Float[Array, "n 3 3"]:
    """Independent rotations, uniform on SO(3), from normalised Gaussian quaternions.

    >>> import jax
    >>> random_rotations(jax.random.key(0), 5).shape
    (5, 3, 3)
    """
    check_count("a number of rotations n", n)
    q = jr.normal(key, (n, 4))
    q = q / jnp.linalg.norm(q, axis=1, keepdims=True)
    w, x, y, z = q.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return jnp.moveaxis(jnp.array(rows), 2, 0)
