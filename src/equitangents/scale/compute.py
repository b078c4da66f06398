"""All missing tiles of a store, by threads of this process or by a Dask cluster."""

import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ..files import locked
from .cluster import tiles_by_cluster
from .store import GramStore
from .tile import GramSpec

Progress = Callable[[str, int, int, float], None]


def compute_gram(
    store: GramStore,
    spec: GramSpec,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress = lambda *_: None,
) -> int:
    """Compute what is missing of the matrices of a store; the bits do not depend on who does it.

    May be killed at any moment, also with all its workers, and called again.

    Args:
        store: where they are kept; other processes may read it meanwhile.
        spec: the description that the store was made for.
        workers: threads; the number of cores by default. XLA lets go of Python's lock, so threads of one process use
            all cores, and share inputs and compiled programs.
        scheduler: address of a Dask scheduler, such as tcp://127.0.0.1:8786, whose workers see the same folder.
        progress: called as (what, done, total, seconds left).

    Returns:
        How many tiles were computed.

    Raises:
        RuntimeError: another process computes in this folder; the cluster is gone for good.
        OSError: a full disk; what is done is kept.
    """
    if store.manifest["net"] != repr(spec.net) or list(spec.kernels) != list(store.kernels):
        raise ValueError(f"{store.folder}: expected the description that the store was made for, got {spec}.")
    with locked(store.folder):
        for left in store.folder.glob("*.zarr/c/*/.part-*"):  # of a run that was killed while it wrote
            left.unlink(missing_ok=True)
        todo = store.missing()
        clock = Clock(len(todo), progress)
        if scheduler is not None:
            finished = tiles_by_cluster(store, spec, todo, scheduler)
        else:
            finished = tiles_by_threads(store, spec, todo, workers or os.cpu_count() or 1)
        for _ in finished:
            clock.tick()
    return len(todo)


def tiles_by_threads(
    store: GramStore, spec: GramSpec, todo: list[tuple[int, int]], workers: int
) -> Iterator[tuple[int, int]]:
    """Each tile, when it is written."""
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}.")
    left = iter(todo)
    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future, tuple[int, int]] = {}
        while True:
            for tile in left:  # as many at a time as there are workers, so that an error stops soon
                running[pool.submit(store.compute, spec, *tile)] = tile
                if len(running) > workers:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                tile = running.pop(future)
                future.result()
                yield tile


class Clock:
    """Counts steps and says how long the rest will take; the first one compiles and is left out."""

    def __init__(self, total: int, progress: Progress, what: str = "tiles"):
        self.total, self.progress, self.what = total, progress, what
        self.done, self.first = 0, math.nan
        progress(what, 0, total, math.nan)

    def tick(self) -> None:
        self.done += 1
        if self.done == 1:
            self.first = time.monotonic()
        each = (time.monotonic() - self.first) / (self.done - 1) if self.done > 1 else math.nan
        self.progress(self.what, self.done, self.total, each * (self.total - self.done))
