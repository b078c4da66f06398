"""Run a study: pieces of work in a fixed order, each kept as it is done, then the table."""

import itertools
import math
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .audit import audit_pieces
from .config import Config, KernelRun, to_toml
from .direct_arms import direct_pieces, direct_rows
from .ensemble_arms import cost_piece, recorded_times, training_pieces
from .kernel_arms import check_pieces, gram_pieces, network, predict_pieces, scale_piece
from .piece import Arrays, Piece
from .problem import Problem, read_problem
from .result import COLUMNS, TIMINGS, Result, as_columns
from .rows import Row, audit_rows, check_row, cost_rows, ensemble_rows, kernel_rows, predicted_rows
from .store import Store, digest_of, explained, locked, whole_file

VERSION = 1  # of what pieces contain; a change makes old ones useless
Progress = Callable[[str, int, int, float], None]


@dataclass(frozen=True, eq=False)
class Plan:
    """What a study would do.

    Attributes:
        problem: data and groups.
        pieces: all of them, in the order in which they are done.
    """

    problem: Problem
    pieces: list[Piece]

    def seconds(self) -> dict[str, float]:
        """Seconds that each piece takes on this machine, from a short calibration; see `studies.estimate`."""
        from .estimate import seconds_of

        return seconds_of(self)

    def digests(self) -> dict[str, str]:
        """What each piece is made from, as a digest; that of a piece contains those of the pieces it needs."""
        config, found = self.problem.config, dict[str, str]()
        runs = config.runs
        sizes = [max(r.train_sizes[-1] for r in runs), max(r.test for r in runs), max(r.off for r in runs)]
        shared = [VERSION, self.problem.dataset.digest, config.seed, config.off_manifold, config.group, sizes]
        for piece in self.pieces:
            needed = [found[name] for name in piece.needs]
            found[piece.name] = digest_of(shared, piece.name, piece.made_from, needed)
        return found


def plan(config: Config) -> Plan:
    """Everything that will be done, checked to fit the data; nothing is computed.

    Raises:
        ValueError: data, groups, networks and sizes that do not fit; one line.
    """
    problem = read_problem(config)
    pieces = list(audit_pieces(config.audit, problem))
    for run in config.kernels:
        network(run, problem)
        grams = gram_pieces(run, problem)
        pieces += [scale_piece(run, problem), *grams]
        pieces += [*predict_pieces(run, problem, grams, times_of(config, run)), *check_pieces(run, problem)]
        pieces += direct_pieces(run, problem, grams)
    for ensemble_run in config.ensembles:
        if ensemble_run.name not in {run.name for run in config.kernels}:
            pieces.append(scale_piece(ensemble_run, problem))
        pieces += [cost_piece(ensemble_run, problem), *training_pieces(ensemble_run, problem)]
    return Plan(problem, pieces)


def times_of(config: Config, run: KernelRun) -> tuple[float, ...]:
    """Moments at which the predictors of a kernel run are kept, in units of its scale: its own and its ensembles'."""
    same = [recorded_times(other) for other in config.ensembles if other.name == run.name]
    return tuple(sorted({*run.times, *(t for times in same for t in times)}))


def run(config: Config, out: str | Path, progress: Progress | None = None) -> Result:
    """Do the study, or what is left of it, and write the table.

    Args:
        config: what to study.
        out: folder for config.toml, pieces/, results.parquet and timings.parquet; a study that was stopped there is
            continued, and ends with the same numbers.
        progress: called before each piece with its name, the number of pieces done, that of all, and the seconds that
            remain (nan while unknown).

    Raises:
        ValueError: a configuration that does not fit the data.
        OSError: a folder that cannot be written, a full disk.
        RuntimeError: another run is at work in this folder.
    """
    planned = plan(config)
    out = Path(out)
    with locked(out):
        store = Store(out / "pieces")
        with whole_file(out / "config.toml") as file:
            file.write(to_toml(config).encode())
        timings = _do(planned, store, progress)
        get = Reader(store, planned.digests())
        rows = sorted(measure(planned.problem, get), key=_order)
        result = Result(config, as_columns(rows, COLUMNS), as_columns(timings, TIMINGS), out)
        with explained(out):
            result.save(out)
    return result


class Reader:
    """Arrays of finished pieces, by name; the last few are kept in memory."""

    def __init__(self, store: Store, digests: dict[str, str]):
        self.store, self.digests, self.kept = store, digests, {}  # type: ignore[var-annotated]

    def __call__(self, name: str) -> Arrays:
        if name not in self.kept:
            found = self.store.load(name, self.digests[name])
            if found is None:
                raise RuntimeError(f"{self.store.path(name)}: expected a finished piece; run the same command again.")
            while len(self.kept) >= 8:
                self.kept.pop(next(iter(self.kept)))
            self.kept[name] = found[0]
        return self.kept[name]


def _do(planned: Plan, store: Store, progress: Progress | None) -> list[Row]:
    """Do the pieces that are not there yet; returns the timings of all."""
    digests = planned.digests()
    get, timings, speed = Reader(store, digests), [], math.nan
    kept = {}
    for piece in planned.pieces:
        found = store.load(piece.name, digests[piece.name])
        kept[piece.name] = None if found is None else found[1]
    seconds: dict[str, list[tuple[float, float]]] = {}
    for meta, piece in zip(kept.values(), planned.pieces, strict=True):
        if meta is not None:
            seconds.setdefault(piece.kind, []).append((piece.amount, meta["wall_seconds"]))
    for done, piece in enumerate(planned.pieces):
        meta = kept[piece.name]
        if meta is None:
            if progress is not None:
                left = [p for p in planned.pieces[done:] if kept[p.name] is None]
                progress(piece.name, done, len(planned.pieces), _remaining(left, seconds))
            if math.isnan(speed):
                speed = matmul_gflops()
            wall, cpu = time.perf_counter(), time.process_time()
            arrays = piece.work(get)
            meta = {
                "cpu_seconds": time.process_time() - cpu,
                "wall_seconds": time.perf_counter() - wall,
                "peak_memory_mb": peak_memory_mb(),
                "matmul_gflops": speed,
            }
            store.save(piece.name, digests[piece.name], arrays, meta)
            kept[piece.name] = meta
            seconds.setdefault(piece.kind, []).append((piece.amount, meta["wall_seconds"]))
        timings.append({"piece": piece.name, "arm": piece.arm, "model": piece.model} | meta)
    if progress is not None:
        progress("table", len(planned.pieces), len(planned.pieces), 0.0)
    return timings


def _remaining(left: list[Piece], seconds: dict[str, list[tuple[float, float]]]) -> float:
    """Seconds for the pieces that are left, from those of their kind; a kind not yet seen is as long as others are."""
    if not seconds:
        return math.nan
    usual, total = float(np.mean([wall for done in seconds.values() for _, wall in done[-3:]])), 0.0
    for piece in left:
        known = seconds.get(piece.kind)
        if known:
            amounts, walls = np.array(known[-3:]).T
            total += piece.amount * walls.sum() / amounts.sum()
        else:
            total += usual
    return float(total)


def measure(problem: Problem, get: Callable[[str], Arrays]) -> Iterator[Row]:
    """All rows, from the finished pieces."""
    config = problem.config
    for symmetry, piece in zip(problem.symmetries, audit_pieces(config.audit, problem), strict=True):
        yield from audit_rows(problem, symmetry, get(piece.name))
    for kernel_run in config.kernels:
        grams = gram_pieces(kernel_run, problem)
        pieces = iter(predict_pieces(kernel_run, problem, grams, times_of(config, kernel_run)))
        for symmetry in problem.symmetries:
            for n in kernel_run.train_sizes:
                arrays = get(next(pieces).name)
                yield from kernel_rows(problem, kernel_run, symmetry, n, arrays)
                for run in config.ensembles:
                    if run.name == kernel_run.name and n in run.train_sizes:
                        scale = float(get(f"scale-{run.name}")["scale"])
                        yield from predicted_rows(problem, run, symmetry, n, scale, arrays)
        for symmetry, check in zip(problem.symmetries, check_pieces(kernel_run, problem), strict=False):
            yield check_row(kernel_run, symmetry, get(check.name))
        for direct in direct_pieces(kernel_run, problem, grams)[-1:]:
            yield from direct_rows(kernel_run, problem, get(direct.name))
    for run in config.ensembles:
        scale = float(get(f"scale-{run.name}")["scale"])
        yield from cost_rows(problem, run, get(f"cost-{run.name}"))
        for symmetry in problem.symmetries:
            for n, width, seed in itertools.product(run.train_sizes, run.widths, run.seeds):
                yield from ensemble_rows(problem, run, symmetry, n, width, seed, scale, get)


def _order(row: Row) -> tuple:
    """Rows are sorted by all that names them."""
    empty: dict[type, Any] = {str: "", int: 0, float: math.nan}
    key = []
    for name, kind in COLUMNS.items():
        if name in ("value", "low", "high"):
            continue
        value = row.get(name, empty[kind])
        key.append((value != value, 0.0) if kind is float and value != value else (False, value))
    return tuple(key)


def peak_memory_mb() -> float:
    """The largest memory that the process has had so far; it never falls."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def matmul_gflops(n: int = 768) -> float:
    """What this machine does now: float32 matrix products, in 1e9 operations a second."""
    import jax.numpy as jnp

    from .precision import single

    with single():
        a = jnp.ones((n, n), jnp.float32)
        (a @ a).block_until_ready()
        start = time.perf_counter()
        for _ in range(5):
            a = (a @ a / n).block_until_ready()
    return 5 * 2 * n**3 / (time.perf_counter() - start) / 1e9
