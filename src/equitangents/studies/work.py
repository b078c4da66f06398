"""Do pieces of work in a fixed order, each kept as it is done."""

import math
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .piece import Arrays, Piece
from .store import Store

Progress = Callable[[str, int, int, float], None]


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


def do_pieces(
    pieces: list[Piece], digests: dict[str, str], store: Store, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """Do the pieces that are not there yet; returns the timings of all.

    Args:
        pieces: in an order in which each comes after those it needs.
        digests: by name, of what each is made from.
        store: where they are kept.
        progress: called before each piece with its name, the number of pieces done, that of all, and the seconds that
            remain (nan while unknown).
    """
    get, timings, speed = Reader(store, digests), [], math.nan
    kept = {}
    for piece in pieces:
        found = store.load(piece.name, digests[piece.name])
        kept[piece.name] = None if found is None else found[1]
    seconds: dict[str, list[tuple[float, float]]] = {}
    for meta, piece in zip(kept.values(), pieces, strict=True):
        if meta is not None:
            seconds.setdefault(piece.kind, []).append((piece.amount, meta["wall_seconds"]))
    for done, piece in enumerate(pieces):
        meta = kept[piece.name]
        if meta is None:
            if progress is not None:
                left = [p for p in pieces[done:] if kept[p.name] is None]
                progress(piece.name, done, len(pieces), _remaining(left, seconds))
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
        progress("table", len(pieces), len(pieces), 0.0)
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
