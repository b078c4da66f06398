"""Run a study: pieces of work in a fixed order, each kept as it is done, then the table."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from .work import Progress, Reader, do_pieces

VERSION = 1  # of what pieces contain; a change makes old ones useless


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
        digests = planned.digests()
        timings = do_pieces(planned.pieces, digests, store, progress)
        get = Reader(store, digests)
        rows = sorted(measure(planned.problem, get), key=_order)
        result = Result(config, as_columns(rows, COLUMNS), as_columns(timings, TIMINGS), out)
        with explained(out):
            result.save(out)
    return result


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
