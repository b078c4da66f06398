"""Tiles by a Dask cluster: the bits of one process, errors in one line, and no tile lost with a worker."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from distributed import Client, LocalCluster

from equitangents import Dense, Relu, Serial
from equitangents.scale import GramSpec, GramStore, cluster, compute_gram

SPEC = GramSpec(Serial(Dense(1), Relu(), Dense(1)))
X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

# threads and sockets that dask leaves to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def started(**given):
    return LocalCluster(threads_per_worker=1, dashboard_address=None, **given)


def whole(folder):
    store = GramStore.create(folder, SPEC, X, 4)
    compute_gram(store, SPEC)
    return store.matrix().digest()


def test_a_cluster_gives_the_bits_of_one_process_and_passes_on_errors(tmp_path):
    with started(n_workers=2, processes=False) as dask:
        store = GramStore.create(tmp_path / "a", SPEC, X, 4)
        seen = []
        assert compute_gram(store, SPEC, scheduler=dask.scheduler_address, progress=lambda *p: seen.append(p[1])) == 55
        assert seen == list(range(56))
        assert store.matrix().digest() == whole(tmp_path / "b")
        store.matrix().chunks.path(0, 0).unlink()
        store.inputs.path(0, 0).unlink()
        with pytest.raises(RuntimeError, match="DamagedError in a worker"):
            compute_gram(store, SPEC, scheduler=dask.scheduler_address)


def test_without_a_scheduler_the_error_says_what_to_start(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", -1.0)
    store = GramStore.create(tmp_path, SPEC, X, 40)
    with pytest.raises(RuntimeError, match=r"start one with `dask scheduler`.*give the same command again"):
        compute_gram(store, SPEC, scheduler="tcp://127.0.0.1:9")


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path):
    with started(n_workers=2, processes=True) as dask, Client(dask) as client:
        store = GramStore.create(tmp_path / "a", SPEC, X, 4)
        pids = list(client.run(os.getpid).values())

        def kill():
            while not list(store.folder.glob("ntk.zarr/c/*/*")):
                time.sleep(0.01)
            os.kill(pids[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        compute_gram(store, SPEC, scheduler=dask.scheduler_address)
        killer.join()
        assert store.matrix().digest() == whole(tmp_path / "b")
