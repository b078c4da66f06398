r"""$w_t(S)$ of a training kernel in NumPy: an estimator is fitted to many small sets, too many to compile for."""

import dataclasses

import numpy as np
import scipy.linalg

from ..dynamics.spectrum import resolution
from ..numerics import on_one_thread


@dataclasses.dataclass(frozen=True)
class Solver:
    """S = Theta + ridge, factorised: `lower` its Cholesky factor, or `gains` w_t(s) beside eigenvectors `vectors`."""

    lower: np.ndarray | None = None
    gains: np.ndarray | None = None
    vectors: np.ndarray | None = None

    def __call__(self, b: np.ndarray) -> np.ndarray:
        """w_t(S) b."""
        if self.lower is not None:
            return on_one_thread(len(b), lambda: scipy.linalg.cho_solve((self.lower, True), b, check_finite=False))
        assert self.gains is not None and self.vectors is not None
        return self.vectors @ (self.gains[:, None] * (self.vectors.T @ b))


def solver(gram: np.ndarray, ridge: float, t: float) -> Solver:
    """Factorise; t is the time of the sum loss, and at infinity the pseudo-inverse stands for an inverse."""
    n, eps = len(gram), float(np.finfo(gram.dtype).eps)
    matrix = gram + np.asarray(ridge, gram.dtype) * np.eye(n, dtype=gram.dtype)
    if np.isinf(t):
        try:
            lower = on_one_thread(n, lambda: scipy.linalg.cholesky(matrix, lower=True, check_finite=False))
            if np.diagonal(lower).min() ** 2 > n * eps * np.abs(matrix).sum(axis=1).max():
                return Solver(lower=lower)
        except scipy.linalg.LinAlgError:
            pass
    values, vectors = on_one_thread(n, lambda: scipy.linalg.eigh(matrix, check_finite=False))
    values = np.maximum(values, 0)
    zero = values <= resolution(values)
    safe = np.where(zero, 1, values)
    late = t * values[-1] * eps**0.5 >= 1 if np.isfinite(t) else True  # as `equitangents.dynamics.spectrum.is_late`
    gains = np.where(zero, 0.0 if late else t, -np.expm1(-safe * t) / safe)
    return Solver(gains=gains.astype(gram.dtype), vectors=vectors)
