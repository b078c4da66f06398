r"""Cholesky factors $K + \lambda I = L L^T$, in memory, or on disk for matrices of any size.

On disk, columns of tiles are done from left to right: $L_{ij} = (K_{ij} - \sum_{k<j} L_{ik} L_{jk}^T) L_{jj}^{-T}$.
One column of tiles is in memory, those before it are read once, so n^3 / (6 side) numbers are read for n^3 / 3
operations. A column that is on disk is not done again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import scipy.linalg

from ..numerics import on_one_thread
from .matrix import SymmetricMatrix, read_ahead
from .zarrs import ChunkedArray, DamagedError

Progress = Callable[[str, int, int], None]


class Factor(Protocol):
    """What solves with a factor."""

    log_det: float

    def solve(self, v: np.ndarray) -> np.ndarray:
        """$(K + \\lambda I)^{-1} v$ for v (n, k), in the precision of the factor."""


class DenseFactor:
    """The factor of a matrix in memory, which takes as much again.

    Raises:
        ValueError: the matrix with this ridge is not positive definite in its precision.
    """

    def __init__(self, matrix: SymmetricMatrix, ridge: float):
        shifted = matrix.to_array().copy()
        shifted[np.diag_indices(matrix.n)] += shifted.dtype.type(ridge)
        try:
            options = {"lower": True, "overwrite_a": True, "check_finite": False}
            self._factor = on_one_thread(matrix.n, lambda: scipy.linalg.cho_factor(shifted, **options))
        except np.linalg.LinAlgError:
            raise indefinite(ridge) from None
        self.log_det = 2 * float(np.sum(np.log(np.diagonal(self._factor[0]).astype(np.float64))))

    def solve(self, v: np.ndarray) -> np.ndarray:
        v = v.astype(self._factor[0].dtype)
        return on_one_thread(len(v), lambda: scipy.linalg.cho_solve(self._factor, v, check_finite=False))


class DiskFactor:
    """The factor of a matrix in tiles, on disk; continued where it was interrupted.

    Args:
        matrix: the matrix.
        ridge: added to its diagonal.
        folder: for the factor; it must belong to this matrix and ridge alone.
        progress: called as (what, done, total), in products of tiles.

    Raises:
        ValueError: the matrix with this ridge is not positive definite in its precision.
        OSError: a full disk; what is done is kept.
    """

    def __init__(
        self, matrix: SymmetricMatrix, ridge: float, folder: Path, progress: Progress = lambda *_: None
    ) -> None:
        self.matrix = matrix
        try:
            self.tiles = ChunkedArray(folder)
        except DamagedError:
            self.tiles = ChunkedArray.create(folder, matrix.shape, (matrix.side,) * 2, matrix.dtype)
        first = self._finished()
        blocks = matrix.blocks
        work = [(blocks - j) * (j + 1) for j in range(blocks)]
        for j in range(first, blocks):
            progress("Cholesky", sum(work[:j]), sum(work))
            for i, tile in enumerate(self._column(j, ridge), start=j):
                self.tiles.write((i, j), _filled(tile, matrix.side))
        progress("Cholesky", sum(work), sum(work))
        pivots = [np.diagonal(self.tiles.read(j, j)).astype(np.float64) for j in range(blocks)]
        self.log_det = 2 * float(np.sum(np.log(np.concatenate(pivots))))

    def _finished(self) -> int:
        """The first column of which a tile is missing or damaged."""
        blocks = self.matrix.blocks
        for j in range(blocks):
            if not all(self.tiles.has(i, j) for i in range(j, blocks)):
                return j
        return blocks

    def _column(self, j: int, ridge: float) -> list[np.ndarray]:
        """The tiles of column j of L, from those of the columns before."""
        rows = range(j, self.matrix.blocks)
        column = [np.array(self.matrix.tile(i, j)) for i in rows]
        column[0][np.diag_indices(len(column[0]))] += column[0].dtype.type(ridge)
        left = None
        for (i, _), tile in read_ahead([(i, k) for k in range(j) for i in rows], lambda t: self.tiles.read(*t)):
            left = tile if i == j else left
            assert left is not None  # the tile (j, k) comes first
            column[i - j] -= tile @ left.T
        try:
            column[0] = scipy.linalg.cholesky(column[0], lower=True, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            raise indefinite(ridge) from None
        for i in range(1, len(column)):
            column[i] = scipy.linalg.solve_triangular(column[0], column[i].T, lower=True, check_finite=False).T
        return column

    def solve(self, v: np.ndarray) -> np.ndarray:
        """Two passes over the factor, for all columns of v."""
        out = v.astype(self.matrix.dtype)
        blocks, rows, read = self.matrix.blocks, self.matrix.rows, lambda t: self.tiles.read(*t)
        forward = [(i, j) for j in range(blocks) for i in range(j, blocks)]
        for (i, j), tile in read_ahead(forward, read):
            if i == j:
                out[rows(j)] = scipy.linalg.solve_triangular(tile, out[rows(j)], lower=True, check_finite=False)
            else:
                out[rows(i)] -= tile @ out[rows(j)]
        backward = [(i, j) for j in reversed(range(blocks)) for i in reversed(range(j, blocks))]
        for (i, j), tile in read_ahead(backward, read):
            if i == j:
                out[rows(j)] = scipy.linalg.solve_triangular(
                    tile, out[rows(j)], lower=True, trans=1, check_finite=False
                )
            else:
                out[rows(j)] -= tile.T @ out[rows(i)]
        return out


def indefinite(ridge: float) -> ValueError:
    """The error for a matrix that has no factor; with more advice than LAPACK gives."""
    return ValueError(
        f"expected a positive definite matrix, got one that is not, with ridge {ridge:g} and in its precision; take a "
        "larger ridge, or float64."
    )


def _filled(tile: np.ndarray, side: int) -> np.ndarray:
    full = np.zeros((side, side), tile.dtype)
    full[: tile.shape[0], : tile.shape[1]] = tile
    return full
