r"""How well a part of a group covers it: $\epsilon = \max_{g \in G} \min_{h \in A} \|\rho(g) - \rho(h)\|_{op}$."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..spelling import suggestion
from .finite_group import FiniteGroup

MAX_CELLS = 200_000
ROTATIONS = ("SO(2)", "SO(3)")


class Covering(NamedTuple):
    """A covering radius between two numbers, equal where it is found exactly.

    Attributes:
        radius: attained by an element.
        upper: not exceeded by any.
    """

    radius: float
    upper: float


class Parametrised(NamedTuple):
    r"""A compact group by parameters in a box: $p \mapsto \rho(p)$, with a Lipschitz constant for each parameter.

    Attributes:
        rho: takes parameters (n, k) to matrices (n, d, d).
        low, high: corners of a box that covers the group, length k.
        lipschitz: $L_j$ with $\|\rho(p) - \rho(q)\|_{op} \le \sum_j L_j |p_j - q_j|$, length k; for a representation
            of SO(2) with frequencies up to m it is m, for Euler angles and $D^l$ it is l each.
    """

    rho: Callable[[np.ndarray], np.ndarray]
    low: tuple[float, ...]
    high: tuple[float, ...]
    lipschitz: tuple[float, ...]


def covering_radius(group: Any, subset: Any, *, tolerance: float = 1e-2) -> Covering:
    r"""$\epsilon = \max_{g \in G} \min_{h \in A} \|\rho(g) - \rho(h)\|_{op}$, the constant of Lemma 6.2.

    - `group` "SO(2)" or "SO(3)": rotations of the plane or of space, as they act on vectors. Exact: from the largest
      gap between angles, $\epsilon = 2 \sin(\text{gap} / 4)$, so $2 \sin(\pi / 2k)$ for C_k; in space from the deepest
      hole between the quaternions $\pm q_h$ on the sphere, the facet of their convex hull that is nearest to 0.
    - an array of matrices (n, d, d), the whole of a finite group: exact, by comparison of all pairs.
    - `Parametrised`: any representation of a compact group, by branch and bound. `radius` is attained and `upper`
      certified by the Lipschitz constants; they differ by at most `tolerance`.

    Args:
        group: see above.
        subset: $\rho(h)$ of the elements of A, shape (k, d, d); a subgroup for Lemma 6.2.
        tolerance: for `Parametrised`, above 0.

    Raises:
        ValueError: shapes that do not fit, no rotations, or more than 200 000 cells needed.
        TypeError: a group or its name where its matrices are expected.

    References:
        Gerken and Kessel (2024), arXiv:2403.03103, Lemma 6.2.

    >>> from equitangents.groups import spatial_group
    >>> [round(covering_radius("SO(3)", spatial_group(name).matrices).radius, 4) for name in "TOI"]
    [1.4142, 1.042, 0.7569]
    """
    subset = _matrices("the subset", subset)
    if subset.ndim != 3 or subset.shape[1] != subset.shape[2] or not len(subset):
        raise ValueError(f"expected the subset as matrices (k, d, d), k > 0; got shape {subset.shape}.")
    if isinstance(group, str):
        if group not in ROTATIONS:
            raise ValueError(
                f"expected 'SO(2)', 'SO(3)', matrices or Parametrised; got {group!r}; {suggestion(group, ROTATIONS)}"
            )
        d = int(group[3])
        _check_rotations(subset, d)
        radius = _gap(subset) if d == 2 else _hole(subset)
        return Covering(radius, radius)
    if isinstance(group, Parametrised):
        if not tolerance > 0:
            raise ValueError(f"expected a tolerance above 0; got {tolerance}.")
        return _branch_and_bound(group, subset, tolerance)
    matrices = _matrices("the group", group)
    if matrices.ndim != 3 or matrices.shape[1:] != subset.shape[1:] or not len(matrices):
        raise ValueError(
            f"expected the group as matrices (n, {subset.shape[1]}, {subset.shape[1]}), as the subset; got shape "
            f"{matrices.shape}."
        )
    radius = float(_distances(matrices, subset).max())
    return Covering(radius, radius)


def _matrices(what: str, given: Any) -> np.ndarray:
    """An array of numbers; groups and their names do not say by which matrices they act."""
    if isinstance(given, str | FiniteGroup):
        raise TypeError(
            f"expected {what} as matrices (n, d, d); got {given!r}, which does not say how it acts; take those of a "
            "group of space, spatial_group('I').matrices."
        )
    try:
        return np.asarray(given, float)
    except (TypeError, ValueError):
        raise TypeError(f"expected {what} as matrices (n, d, d) of numbers; got {type(given).__name__}.") from None


def _distances(matrices: np.ndarray, subset: np.ndarray) -> np.ndarray:
    """Distance of each matrix to the nearest of the subset."""
    return np.min([np.linalg.norm(matrices - h, ord=2, axis=(1, 2)) for h in subset], axis=0)


def _check_rotations(subset: np.ndarray, d: int) -> None:
    if subset.shape[1] != d or not np.allclose(subset @ subset.swapaxes(1, 2), np.eye(d), rtol=0, atol=1e-9):
        raise ValueError(
            f"expected the subset as orthogonal matrices ({d}, {d}), for SO({d}); got shape {subset.shape} or others."
        )
    if (np.linalg.det(subset) < 0).any():
        raise ValueError(f"expected rotations for SO({d}); got a reflection among them; leave reflections out.")


def _gap(subset: np.ndarray) -> float:
    angles = np.sort(np.arctan2(subset[:, 1, 0], subset[:, 0, 0]))
    gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
    return float(2 * np.sin(gaps.max() / 4))


def _hole(subset: np.ndarray) -> float:
    """The angle of a rotation is twice that of its quaternion: cos(angle / 2) is the distance of the nearest facet."""
    from scipy.spatial import ConvexHull  # half a second to import
    from scipy.spatial.transform import Rotation

    q = Rotation.from_matrix(subset).as_quat()
    if np.linalg.matrix_rank(q, tol=1e-9) < 4:  # a quaternion orthogonal to all is half a turn away from each
        return 2.0
    hull = ConvexHull(np.concatenate([q, -q]))
    return float(2 * np.sqrt(1 - np.min(-hull.equations[:, -1]) ** 2))


def _branch_and_bound(group: Parametrised, subset: np.ndarray, tolerance: float) -> Covering:
    low, high, lipschitz = (np.asarray(a, float) for a in (group.low, group.high, group.lipschitz))
    if not low.shape == high.shape == lipschitz.shape == (low.size,) or (high <= low).any() or (lipschitz <= 0).any():
        raise ValueError(
            f"expected corners low < high and positive Lipschitz constants of one length; got {group.low}, "
            f"{group.high}, {group.lipschitz}."
        )
    centres, half = (low + high)[None] / 2, (high - low) / 2
    best = 0.0
    while True:
        distances = _distances(group.rho(centres), subset)
        best = max(best, float(distances.max()))
        slack = float(half @ lipschitz)
        centres = centres[distances + slack > best + tolerance]
        if not len(centres):
            return Covering(best, best + tolerance)
        if 2 * len(centres) > MAX_CELLS:
            raise ValueError(
                f"expected at most {MAX_CELLS} cells; got more for a tolerance of {tolerance}; allow a larger one."
            )
        axis = int(np.argmax(half * lipschitz))
        half[axis] /= 2
        step = np.zeros_like(half)
        step[axis] = half[axis]
        centres = np.concatenate([centres - step, centres + step])
