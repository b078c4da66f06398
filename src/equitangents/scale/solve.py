"""Which solver a matrix gets, by its size, memory and disk."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .cg import NotConvergedError, Progress, conjugate_gradients
from .cholesky import DenseFactor, DiskFactor, Factor
from .matrix import DenseMatrix, SymmetricMatrix
from .nystrom import Nystrom

Solver = str  # one of SOLVERS
SOLVERS = ("auto", "dense", "cholesky", "cg")
RANK = 2000


class Solved(NamedTuple):
    """Coefficients for several ridges.

    Attributes:
        x: shape (ridges, n, k), float64.
        residuals: relative, of every column, shape (ridges, k), float64.
        iterations: of conjugate gradients.
        solver: "dense", "cholesky" or "cg".
        log_det: of K + ridge, shape (ridges,), where a factor was made; else None.
    """

    x: np.ndarray
    residuals: np.ndarray
    iterations: int
    solver: str
    log_det: np.ndarray | None


def solve(
    matrix: SymmetricMatrix,
    b: np.ndarray,
    ridges: list[float] | np.ndarray,
    *,
    solver: Solver = "auto",
    tolerance: float = 1e-5,
    start: np.ndarray | None = None,
    rank: int | None = None,
    memory: float | None = None,
    folder: str | Path | None = None,
    progress: Progress = lambda *_: None,
) -> Solved:
    r"""$(K + \lambda I)^{-1} b$ for each ridge $\lambda$, to a relative residual measured in float64.

    Args:
        matrix: K, in memory or on disk.
        b: right-hand sides, shape (n, k).
        ridges: not negative.
        solver: "dense": a factor in memory; "cholesky": a factor on disk, in `folder`; "cg": conjugate gradients with
            Nyström's preconditioner, all ridges at once. "auto": "dense" where it fits into memory, else "cg", and
            "cholesky" where that does not converge and the disk has room. All end with conjugate gradients in float64
            residuals, for which the factors are preconditioners.
        tolerance: relative residual of every column.
        start: first guess, shape (ridges, n, k).
        rank: of Nyström's preconditioner; 2000 where memory allows.
        memory: bytes that may be used; half of what is free by default.
        folder: for factors on disk; only there is "cholesky" possible.
        progress: called as (what, done, total).

    Raises:
        NotConvergedError: the tolerance was not reached.
        ValueError: shapes, ridges or a solver that do not fit.

    >>> k = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> solve(DenseMatrix(k), np.array([[3.0], [3.0]]), [0.0, 3.0]).x[:, :, 0].round(6).tolist()
    [[1.0, 1.0], [0.5, 0.5]]
    """
    ridges = np.asarray(ridges, np.float64)
    check(matrix, b, ridges, solver, folder)
    room = memory if memory is not None else free_memory() / 2
    dense = 3 * matrix.n**2 * matrix.dtype.itemsize
    if solver == "auto":
        solver = "dense" if dense <= room else "cg"
        fall_back = folder is not None and shutil.disk_usage(folder).free > 1.2 * factor_bytes(matrix)
    else:
        fall_back = False
    if solver == "cg":
        rank = rank or min(RANK, int(room / 2 / matrix.n / matrix.dtype.itemsize))
        try:
            return _by_nystrom(matrix, b, ridges, tolerance, start, max(1, min(rank, matrix.n)), progress)
        except NotConvergedError:
            if not fall_back:
                raise
        solver = "cholesky"
    return _by_factors(matrix, b, ridges, solver, tolerance, start, folder, progress)


def _by_nystrom(
    matrix: SymmetricMatrix,
    b: np.ndarray,
    ridges: np.ndarray,
    tolerance: float,
    start: np.ndarray | None,
    rank: int,
    progress: Progress,
) -> Solved:
    """Conjugate gradients with all ridges at once."""
    k = b.shape[1]
    found = conjugate_gradients(
        matrix,
        np.tile(b, len(ridges)),
        np.repeat(ridges, k),
        Nystrom(matrix, rank).solve,
        tolerance=tolerance,
        start=None if start is None else np.concatenate(list(start), axis=1),
        progress=progress,
    )
    x = np.stack(np.split(found.x, len(ridges), axis=1))
    return Solved(x, found.residuals.reshape(len(ridges), k), found.iterations, "cg", None)


def _by_factors(
    matrix: SymmetricMatrix,
    b: np.ndarray,
    ridges: np.ndarray,
    solver: str,
    tolerance: float,
    start: np.ndarray | None,
    folder: str | Path | None,
    progress: Progress,
) -> Solved:
    """One factor for each ridge, and conjugate gradients that it preconditions."""
    if solver == "dense":
        matrix = DenseMatrix(matrix.to_array(), matrix.side)
    xs, residuals, iterations, log_dets = [], [], 0, []
    for i, ridge in enumerate(ridges):
        factor: Factor
        if solver == "dense":
            factor = DenseFactor(matrix, float(ridge))
        else:
            assert folder is not None  # checked
            factor = DiskFactor(matrix, float(ridge), Path(folder) / f"factor-{matrix.n}-{ridge!r}.zarr", progress)
        found = conjugate_gradients(
            matrix,
            b,
            np.full(b.shape[1], ridge),
            lambda v, _, factor=factor: factor.solve(v).astype(np.float64),  # type: ignore[misc]
            tolerance=tolerance,
            start=None if start is None else start[i],
        )
        xs.append(found.x)
        residuals.append(found.residuals)
        log_dets.append(factor.log_det)
        iterations += found.iterations
    return Solved(np.stack(xs), np.stack(residuals), iterations, solver, np.array(log_dets))


def check(matrix: SymmetricMatrix, b: np.ndarray, ridges: np.ndarray, solver: str, folder: object) -> None:
    """Raise unless right-hand sides, ridges and solver go with the matrix."""
    if b.ndim != 2 or len(b) != matrix.n:
        raise ValueError(f"expected right-hand sides ({matrix.n}, k), got shape {b.shape}.")
    if ridges.ndim != 1 or not len(ridges) or not np.isfinite(ridges).all() or (ridges < 0).any():
        raise ValueError(f"expected a list of ridges of at least zero, got {ridges}.")
    if solver not in SOLVERS:
        raise ValueError(f"expected a solver out of {', '.join(SOLVERS)}, got {solver!r}.")
    if solver == "cholesky" and folder is None:
        raise ValueError("expected a folder for the factor, got none; pass folder=..., or take solver='cg'.")


def factor_bytes(matrix: SymmetricMatrix) -> int:
    """What a factor takes on disk."""
    return matrix.blocks * (matrix.blocks + 1) // 2 * matrix.side**2 * matrix.dtype.itemsize


def free_memory() -> float:
    """Bytes that this process may still take: free ones of the machine, and limits of control group and process."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")] if hasattr(os, "sysconf") else [4e9]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # counts caches that would be given up
            limits = [1024 * int(line.split()[1]) for line in file if line.startswith("MemAvailable:")] or limits
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            limits.append(int(file.read()))
    except (OSError, ValueError):
        pass
    try:
        import resource

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits += [soft] if soft != resource.RLIM_INFINITY else []
    except ImportError:
        pass
    return float(min(limits))
