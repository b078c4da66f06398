"""Tiles computed by the workers of a Dask cluster that may lose workers, its scheduler, or this process."""

import collections
import itertools
import os
import time
from collections.abc import Iterator
from typing import Any

from .store import GramStore, manifest_digest, opened
from .tile import GramSpec
from .zarrs import MISSING

PATIENCE = 120.0  # seconds to wait for a scheduler, at the start and after it is lost
DEATHS = 20  # workers that may die with one tile before the tile is blamed

Tile = tuple[int, int]


def tiles_by_cluster(store: GramStore, spec: GramSpec, todo: list[Tile], address: str) -> Iterator[Tile]:
    """Each tile, when a worker has written it. Nothing but its place goes through the scheduler.

    Raises:
        ImportError: without the extra `scale`.
        RuntimeError: no scheduler answers for `PATIENCE` seconds, or a worker cannot do its part.
    """
    try:
        import distributed
    except ImportError:
        raise ImportError(f"expected the package distributed, {MISSING}.") from None
    left, deaths = dict.fromkeys(todo), collections.Counter[Tile]()
    lost = time.monotonic()
    while left:
        try:
            client = distributed.Client(address, timeout=5, set_as_default=False)
        except (OSError, TimeoutError) as error:
            if time.monotonic() - lost > PATIENCE:
                raise RuntimeError(
                    f"expected a Dask scheduler at {address}, got no answer for {PATIENCE:.0f} s ({error}); start one "
                    "with `dask scheduler` and workers with `dask worker ADDRESS`, then give the same command again."
                ) from None
            time.sleep(1)
            continue
        try:
            for tile in _finished(client, store, spec, left, deaths):
                left.pop(tile)
                yield tile
        finally:
            client.close(timeout=1)
        lost = time.monotonic()


def _finished(client: Any, store: GramStore, spec: GramSpec, left: dict[Tile, None], deaths: Any) -> Iterator[Tile]:
    """Tiles as they are finished, until all are or the scheduler is lost."""
    import distributed

    run, folder, digest = os.urandom(4).hex(), str(store.folder.resolve()), manifest_digest(store.manifest)
    count, waiting = itertools.count(), collections.deque(left)
    tiles: dict[Any, Tile] = {}

    def submit(tile: Tile) -> Any:
        key = f"tile-{run}-{next(count)}"
        future = client.submit(compute_tile, folder, digest, spec, *tile, key=key, pure=False)
        tiles[future] = tile
        return future

    window = max(8, 4 * sum(client.nthreads().values()))
    first = [submit(waiting.popleft()) for _ in range(min(window, len(waiting)))]
    finished = distributed.as_completed(first, loop=client.loop)
    for future in finished:
        tile = tiles.pop(future)
        try:
            problem = future.result(timeout=5)
        except distributed.KilledWorker:
            deaths[tile] += 1
            if deaths[tile] * 4 > DEATHS:  # it is raised at every fourth death, as dask is set by default
                raise RuntimeError(
                    f"expected a worker that survives tile {tile}, got {DEATHS} that died; give workers more memory, "
                    "or choose smaller tiles."
                ) from None
            finished.add(submit(tile))
            continue
        except (distributed.CancelledError, OSError, TimeoutError):  # of the connection: workers return their errors
            return
        if problem is not None:
            kind, text = problem
            raise (OSError if kind == "OSError" else RuntimeError)(text)
        yield tile
        if waiting:
            finished.add(submit(waiting.popleft()))


def compute_tile(folder: str, digest: str, spec: GramSpec, i: int, j: int) -> tuple[str, str] | None:
    """What a worker does: compute and write one tile. Errors are returned: dask would take some for its own."""
    try:
        opened(folder, digest).compute(spec, i, j)
    except OSError as error:
        return "OSError", str(error)
    except Exception as error:
        return type(error).__name__, f"{type(error).__name__} in a worker: {error}"
    return None
