r"""A preconditioner from the first columns: Nyström's approximation and a multiple of the identity.

With C the first r columns and W their first r rows, $K \approx C W^{-1} C^T = B B^T$, $B = C L^{-T}$, $W = L L^T$. What
is left of the trace is spread over the diagonal: $P = B B^T + \sigma I$ with $\sigma = \lambda + \operatorname{tr}(K -
B B^T) / n$. By Woodbury, $P^{-1} v = (v - B (B^T B + \sigma I)^{-1} B^T v) / \sigma$; one eigendecomposition of
$B^T B$ serves all ridges. The first columns are as good as random ones where the rows are in random order.

References:
    Williams and Seeger (2000), Using the Nyström method to speed up kernel machines; as a preconditioner: Frangella,
    Tropp and Udell (2023), arXiv:2110.02820.
"""

import numpy as np
import scipy.linalg

from ..numerics import on_one_thread
from .matrix import SymmetricMatrix

ROWS = 4000  # of B that are in float64 at a time


class Nystrom:
    """The preconditioner of rank r for a matrix; products with its inverse for any ridge.

    Memory: n r numbers of the matrix' precision. Products are in float64: for the largest eigenvalues the inverse is
    the small difference of two terms.
    """

    def __init__(self, matrix: SymmetricMatrix, rank: int):
        diagonal = matrix.diagonal().astype(np.float64)
        b = matrix.columns(rank)
        corner = b[:rank].astype(np.float64)
        # W has eigenvalues of the size of rounding; the shift keeps its factor away from them
        corner[np.diag_indices(rank)] += 1e-6 * diagonal.max() * rank**0.5
        lower = on_one_thread(
            rank, lambda: scipy.linalg.cholesky(corner, lower=True, overwrite_a=True, check_finite=False)
        ).astype(b.dtype)
        for i in range(0, matrix.n, ROWS):
            b[i : i + ROWS] = scipy.linalg.solve_triangular(lower, b[i : i + ROWS].T, lower=True, check_finite=False).T
        self._b = b
        small = sum(_double(part).T @ _double(part) for part in self._parts())
        self._values, self._vectors = on_one_thread(rank, lambda: scipy.linalg.eigh(small, check_finite=False))
        self.rest = max(float(diagonal.sum() - self._values.sum()) / matrix.n, 1e-9 * float(diagonal.mean()))

    def solve(self, v: np.ndarray, ridges: np.ndarray) -> np.ndarray:
        """$P^{-1} v$ for v (n, k) in float64, column i with ridges[i]."""
        sigma = ridges + self.rest
        small = self._vectors.T @ sum(
            _double(part).T @ v[i * ROWS : (i + 1) * ROWS] for i, part in enumerate(self._parts())
        )
        small = self._vectors @ (small / (self._values[:, None] + sigma))
        out = v.copy()
        for i, part in enumerate(self._parts()):
            out[i * ROWS : (i + 1) * ROWS] -= _double(part) @ small
        return out / sigma

    def _parts(self) -> list[np.ndarray]:
        return [self._b[i : i + ROWS] for i in range(0, len(self._b), ROWS)]


def _double(part: np.ndarray) -> np.ndarray:
    return part.astype(np.float64, copy=False)
