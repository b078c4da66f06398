"""What a solver needs of a symmetric matrix: products with some columns, its diagonal, and its first columns."""

import abc
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits


class SymmetricMatrix(abc.ABC):
    """A symmetric matrix (n, n) in square tiles, of which only those with row <= column are asked for.

    Attributes:
        n: its size.
        side: rows of a tile; the last may have fewer.
        dtype: of its entries.
    """

    n: int
    side: int
    dtype: np.dtype

    @abc.abstractmethod
    def upper_tile(self, i: int, j: int) -> np.ndarray:
        """The tile in row i <= column j."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.n, self.n

    @property
    def blocks(self) -> int:
        return -(-self.n // self.side)

    def rows(self, i: int) -> slice:
        """Which rows the i-th row of tiles holds."""
        return slice(i * self.side, min(self.n, (i + 1) * self.side))

    def tile(self, i: int, j: int) -> np.ndarray:
        """Any tile; below the diagonal the transpose of the one above."""
        return self.upper_tile(i, j) if i <= j else self.upper_tile(j, i).T

    def upper(self) -> list[tuple[int, int]]:
        """Rows and columns of the tiles of the upper half, in the order of a product."""
        return [(i, j) for i in range(self.blocks) for j in range(i, self.blocks)]

    def matvec(self, v: np.ndarray) -> np.ndarray:
        """The product with v (n, k) in float64; every tile is read once and stands for both halves.

        The product of one tile is taken in the precision of v: float32 is fast, and rounds each sum over a tile to
        about 1e-7 of its terms; float64 measures residuals.
        """
        out = np.zeros(v.shape, np.float64)

        def products(place: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
            i, j = place
            tile = self.upper_tile(i, j).astype(v.dtype, copy=False)
            return tile @ v[self.rows(j)], None if i == j else tile.T @ v[self.rows(i)]

        with threadpool_limits(1, "blas"):  # a tile a thread takes half the processor time of all threads at one tile
            for (i, j), (above, below) in read_ahead(self.upper(), products, os.cpu_count() or 1):
                out[self.rows(i)] += above
                if below is not None:
                    out[self.rows(j)] += below
        return out

    def diagonal(self) -> np.ndarray:
        """The entries K_ii, shape (n,)."""
        return np.concatenate([np.diagonal(self.upper_tile(i, i)) for i in range(self.blocks)])

    def columns(self, count: int) -> np.ndarray:
        """The first columns, shape (n, count)."""
        out = np.empty((self.n, count), self.dtype)
        for j in range(-(-count // self.side)):
            place = slice(j * self.side, min(count, (j + 1) * self.side))
            for i in range(self.blocks):
                out[self.rows(i), place] = self.tile(i, j)[:, : place.stop - place.start]
        return out

    def to_array(self) -> np.ndarray:
        """All of it in memory, both halves."""
        out = np.empty(self.shape, self.dtype)
        for (i, j), tile in self.stream(self.upper()):
            out[self.rows(i), self.rows(j)] = tile
            out[self.rows(j), self.rows(i)] = tile.T
        return out

    def stream(self, indices: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
        """Tiles of the upper half one after the other, the next ones read meanwhile."""
        return read_ahead(indices, lambda index: self.upper_tile(*index))


class DenseMatrix(SymmetricMatrix):
    """A symmetric matrix in memory, shape (n, n)."""

    def __init__(self, array: np.ndarray, side: int = 2000):
        if array.ndim != 2 or array.shape[0] != array.shape[1]:
            raise ValueError(f"expected a square matrix, got shape {array.shape}.")
        self.array, self.n, self.side, self.dtype = array, len(array), side, array.dtype

    def upper_tile(self, i: int, j: int) -> np.ndarray:
        return self.array[self.rows(i), self.rows(j)]

    def to_array(self) -> np.ndarray:
        return self.array


class Leading(SymmetricMatrix):
    """The first n rows and columns of a matrix."""

    def __init__(self, matrix: SymmetricMatrix, n: int):
        if not 0 < n <= matrix.n:
            raise ValueError(f"expected between 1 and {matrix.n} rows, got {n}.")
        self.matrix, self.n, self.side, self.dtype = matrix, n, matrix.side, matrix.dtype

    def upper_tile(self, i: int, j: int) -> np.ndarray:
        tile = self.matrix.upper_tile(i, j)
        return tile[: self.n - i * self.side, : self.n - j * self.side]


def read_ahead(indices: list, read: Callable, threads: int = 2) -> Iterator:
    """(index, read(index)) in order, while threads are at the next ones."""
    left = iter(indices)
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque((index, pool.submit(read, index)) for index in itertools.islice(left, threads + 1))
        while waiting:
            index, future = waiting.popleft()
            found = future.result()
            waiting.extend((index, pool.submit(read, index)) for index in itertools.islice(left, 1))
            yield index, found
