r"""Rotations of three-dimensional space: Euler angles and matrices, $R = R_z(\alpha) R_y(\beta) R_z(\gamma)$."""

import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import ArrayLike


def rotation_matrix(alpha: ArrayLike, beta: ArrayLike, gamma: ArrayLike) -> np.ndarray:
    """The matrices (*angles, 3, 3) of rotations with these Euler angles, in radians; shapes that broadcast."""
    alpha, beta, gamma = np.broadcast_arrays(alpha, beta, gamma)
    return _about_z(alpha) @ _about_y(beta) @ _about_z(gamma)


def euler_angles(matrix: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alpha, beta in [0, pi] and gamma of rotation matrices (..., 3, 3), in any precision.

    Near beta = 0 only alpha + gamma is known, near pi alpha - gamma: then rounding chooses alpha, and gamma fits it.

    Raises:
        ValueError: matrices that are no rotations.

    >>> [round(float(a), 6) for a in euler_angles(rotation_matrix(0.4, 1.2, -0.7))]
    [0.4, 1.2, -0.7]
    """
    r = np.asarray(matrix, float)
    if r.shape[-2:] != (3, 3):
        raise ValueError(f"expected rotation matrices (..., 3, 3), got shape {r.shape}.")
    defect = max(np.abs(r @ np.swapaxes(r, -1, -2) - np.eye(3)).max(), np.abs(np.linalg.det(r) - 1).max())
    if not defect < 1e-6:
        raise ValueError(f"expected rotations, R R^T = 1 with determinant 1, got a defect of {defect:.1e}.")
    beta = np.arctan2(np.hypot(r[..., 0, 2], r[..., 1, 2]), r[..., 2, 2])
    alpha = np.arctan2(r[..., 1, 2], r[..., 0, 2])
    plus = np.arctan2(r[..., 1, 0] - r[..., 0, 1], r[..., 0, 0] + r[..., 1, 1])  # alpha + gamma
    minus = np.arctan2(-r[..., 1, 0] - r[..., 0, 1], r[..., 1, 1] - r[..., 0, 0])  # alpha - gamma
    gamma = np.where(r[..., 2, 2] > 0, plus - alpha, alpha - minus)
    return np.asarray(alpha), np.asarray(beta), np.asarray(np.arctan2(np.sin(gamma), np.cos(gamma)))


def random_rotations(key: PRNGKeyArray, n: int) -> np.ndarray:
    """Matrices (n, 3, 3), uniform under the Haar measure: unit quaternions are uniform on the sphere."""
    q = np.asarray(jax.random.normal(key, (n, 4)), float)
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _about_z(angle: np.ndarray) -> np.ndarray:
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle, float), np.ones_like(angle, float)
    return np.moveaxis(np.array([[c, -s, zero], [s, c, zero], [zero, zero, one]]), (0, 1), (-2, -1))


def _about_y(angle: np.ndarray) -> np.ndarray:
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle, float), np.ones_like(angle, float)
    return np.moveaxis(np.array([[c, zero, s], [zero, one, zero], [-s, zero, c]]), (0, 1), (-2, -1))
