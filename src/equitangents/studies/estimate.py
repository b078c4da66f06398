"""How long a study will take on this machine, from a small timed sample of each kind of work."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .direct_arms import blocks_of, direct_tiles, twin_of
from .ensemble_arms import finite_network, trainings
from .kernel_arms import Tiles, gram_pieces, network
from .precision import matrices, single
from .problem import Problem, moved

SAMPLE_STEPS = 20
ROW_SECONDS = 4e-4  # for one row of the table, resampling included


def seconds_of(planned: Any) -> dict[str, float]:
    """Seconds for each piece of a plan, within a factor of about 2 while the machine is as busy as now.

    Kernels are timed on one tile, training on some steps of one network for each arm at its largest width; the rest
    follows from counts of operations, and from how long those samples took to compile.
    """
    config, problem = planned.problem.config, planned.problem
    found: dict[str, float] = {}
    compiled: list[float] = []
    for run in config.kernels:
        first, tile = _time_tile(run, problem)
        compiled.append(first)
        for piece in planned.pieces:
            if piece.kind == f"gram {run.name}":
                found[piece.name] = piece.amount * tile
            elif piece.kind == f"scale {run.name}":
                found[piece.name] = 1.5 * first
            elif piece.kind == f"check {run.name}":
                found[piece.name] = (3 + piece.amount / 2) * first
        if run.direct:
            found |= _direct_seconds(run, planned)
        opening = next(p.name for p in planned.pieces if p.kind == f"gram {run.name}")
        found[opening] += first
    speed = _solve_seconds()
    compile_time = float(np.median(compiled)) if compiled else 2.0
    for run in config.kernels:
        for symmetry in problem.symmetries:
            for n in run.train_sizes:
                sizes = [n, n] + [symmetry.order * n] * (symmetry.order * n <= run.explicit)
                name = next(
                    p.name for p in planned.pieces
                    if p.kind == f"predict {run.name} {n}" and p.made_from[-3] == symmetry.name
                )  # fmt: skip
                found[name] = 1.5 * compile_time + sum(speed * s**3 for s in sizes)
    for run in config.ensembles:
        found |= _training_seconds(run, planned)
    for piece in planned.pieces:
        if piece.name not in found:
            found[piece.name] = compile_time * (2 + piece.amount) / 2
    last = planned.pieces[-1].name
    found[last] += ROW_SECONDS * _rows(config, problem)  # the table is written after it
    return found


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _time_tile(run: Any, problem: Problem) -> tuple[float, float]:
    """Seconds to compile the kernels of a run, and for one tile."""
    net, items, symmetry = network(run, problem), problem.items(run), problem.largest
    side = tile_side(run, problem)
    x = np.resize(items.x_train, (side, *items.x_train.shape[1:]))
    images = moved(symmetry.action, x).reshape(-1, *x.shape[1:])

    def tile() -> None:
        matrices(net, x, images)

    first = _timed(tile)
    again = min(_timed(tile) for _ in range(2))
    return max(first - again, 0.1), again


def _direct_seconds(run: Any, planned: Any) -> dict[str, float]:
    """Seconds for the tiles of the twin's own kernel, from one of them."""
    problem = planned.problem
    tiles, _, _ = direct_tiles(run, problem)
    twin, x = twin_of(run, problem), blocks_of(run, problem, tiles)[0]
    first = _timed(lambda: matrices(twin, x, x[::-1].copy()))
    again = _timed(lambda: matrices(twin, x, x[::-1].copy()))
    pieces = [p for p in planned.pieces if p.kind == f"direct {run.name}"]
    return {p.name: p.amount * again + (first - again) * (p is pieces[0]) for p in pieces}


def tile_side(run: Any, problem: Problem) -> int:
    """Inputs on each side of a tile of this run."""
    tiles = gram_pieces(run, problem)[0].work.args[3]  # type: ignore[attr-defined]
    assert isinstance(tiles, Tiles)
    return tiles.side


def _solve_seconds(n: int = 600) -> float:
    """Seconds to decompose a matrix and multiply with it, divided by the cube of its side."""
    a = np.random.default_rng(0).normal(size=(n, n))
    return 2 * min(_timed(lambda: np.linalg.eigh(a + a.T)) for _ in range(3)) / n**3


def _training_seconds(run: Any, planned: Any) -> dict[str, float]:
    """Seconds for the ensembles of a run: a sample of each arm, scaled by operations."""
    import jax

    from ..dynamics.cost import flops
    from ..dynamics.ensemble import ensemble

    problem, found = planned.problem, {}
    items, shape = problem.items(run), problem.shape(run.size)
    pieces = {piece.name: piece for piece in planned.pieces}
    sampled: dict[tuple, tuple[float, float, float]] = {}
    for training in trainings(run, problem):
        kind = (training.arm, training.symmetry.name)
        net = finite_network(training, problem)
        with single():
            cost = flops(net, shape)
        if kind not in sampled:
            widest = next(t for t in reversed(trainings(run, problem)) if (t.arm, t.symmetry.name) == kind)
            net = finite_network(widest, problem)
            images = widest.n * (widest.symmetry.order if widest.arm == "augmented" else 1)
            images = min(run.batch, images) or images
            x = np.resize(items.x_train, (images, *shape))
            y = np.resize(items.targets(widest.n), (images, len(items.classes))).astype(np.float32)

            def sample(net=net, x=x, y=y, steps=SAMPLE_STEPS) -> None:
                with single():
                    ensemble(
                        net, (x, y), members=1, key=jax.random.key(0), loss="mean", learning_rate=1e-3, steps=steps,
                        x_record=x[:1],
                    ).outputs.block_until_ready()  # fmt: skip

            first, again = _timed(sample), min(_timed(sample), _timed(sample))
            with single():
                whole = flops(net, shape) * images
            sampled[kind] = (max(first - again, 0.1), again / SAMPLE_STEPS, whole)
        compile_time, step, whole = sampled[kind]
        images = training.n * (training.symmetry.order if training.arm == "augmented" else 1)
        share = max(cost * (min(run.batch, images) or images) / whole, 0.05)
        for i, (name, members) in enumerate(training.parts()):
            new = compile_time if i == 0 and training.seed == run.seeds[0] else 0.0
            found[name] = 1.5 * new + len(members) * run.steps * step * share + 0.2
        assert all(name in pieces for name, _ in training.parts())
    return found


def _rows(config: Any, problem: Problem) -> float:
    """Roughly the number of rows of the table."""
    groups, total = len(problem.symmetries), 0
    for run in config.ensembles:
        moments = 2 * run.record + run.members.bit_length()
        total += groups * len(run.train_sizes) * len(run.widths) * len(run.seeds) * moments * 60
    for run in config.kernels:
        total += groups * len(run.train_sizes) * 300
    return total
