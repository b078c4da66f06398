"""Unitary matrices in NumPy: polar factors, eigenphases and logarithms that keep every digit."""

import numpy as np

SINGULAR = 1e-10
"""Below this the polar factor is mostly rounding."""


def polar(m: np.ndarray) -> np.ndarray:
    r"""The unitary matrix nearest to M, $M (M^\dagger M)^{-1/2} = L R$ for $M = L S R$; shape (..., N, N).

    It has the phase of the determinant of M, and it transforms as M does.

    Raises:
        ValueError: a matrix without a definite polar factor.
    """
    left, values, right = np.linalg.svd(np.asarray(m))
    if np.min(values, initial=1.0) < SINGULAR:
        raise ValueError(
            f"expected matrices of full rank, got a singular value of {np.min(values):.1e}; overlaps of neighbouring "
            "states vanish if the grid is too coarse: refine it."
        )
    return left @ right


def eigenphases(w: np.ndarray) -> np.ndarray:
    """Angles in (-pi, pi] of the eigenvalues of unitary matrices, (..., N, N) -> (..., N), in no order."""
    w = np.asarray(w)
    return np.angle(w[..., 0] if w.shape[-1] == 1 else np.linalg.eigvals(w))


def log_unitary(w: np.ndarray) -> np.ndarray:
    r"""The Hermitian $F = -i \log W$ with eigenvalues in (-pi, pi], for unitary W of shape (..., N, N).

    W is turned so that -1 lies in the middle of the largest gap between its eigenvalues; there the Cayley transform
    $i (1 - W)(1 + W)^{-1}$ is Hermitian, of norm at most $\cot(\pi / 2N)$, and orders the eigenvalues, so that its
    eigenvectors are orthonormal also where those of a general solver are not: at degenerate eigenvalues.
    """
    w = np.asarray(w)
    n = w.shape[-1]
    phases = np.sort(eigenphases(w), axis=-1)
    following = np.concatenate([phases[..., 1:], phases[..., :1] + 2 * np.pi], axis=-1)
    widest = np.argmax(following - phases, axis=-1)[..., None]
    middle = np.take_along_axis((phases + following) / 2, widest, -1)[..., 0]
    turned = w * np.exp(1j * (np.pi - middle))[..., None, None]
    one = np.eye(n)
    cayley = np.linalg.solve(one + turned, 1j * (one - turned))
    vectors = np.linalg.eigh((cayley + cayley.conj().swapaxes(-1, -2)) / 2)[1]
    adjoint = vectors.conj().swapaxes(-1, -2)
    theta = np.angle(np.einsum("...ii->...i", adjoint @ w @ vectors))
    return (vectors * theta[..., None, :]) @ adjoint
