r"""Rotations of three-dimensional space by their Euler angles, $R = R_z(\alpha) R_y(\beta) R_z(\gamma)$."""

import numpy as np
from numpy.typing import ArrayLike


def euler_angles(matrix: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alpha, beta in [0, pi] and gamma of rotation matrices (..., 3, 3), in any precision.

    Near beta = 0 only alpha + gamma is known, near pi alpha - gamma: then rounding chooses alpha, and gamma fits it.

    Raises:
        ValueError: matrices that are no rotations.

    >>> from equitangents.groups import rotation_matrix
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
