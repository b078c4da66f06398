"""A study that is killed continues where it stopped, and ends with the same bytes."""

import hashlib
import random
import signal
import subprocess
import sys
import time

import pytest

from equitangents.studies.config import AuditRun, Config, EnsembleRun, KernelRun, read_config, to_toml
from equitangents.studies.result import Result

NET = "Serial(Flatten(), Dense(W), Relu(), Dense(1))"
TINY = Config(
    resamples=20,
    audit=AuditRun(train=40, held_out=40, size=4),
    kernels=(KernelRun(net=NET, size=4, train_sizes=(20,), test=20, off=8),),
    ensembles=(
        EnsembleRun(
            net=NET, size=4, train_sizes=(20,), test=20, off=8, widths=(4,), members=4, piece=2, steps=9, record=2
        ),
    ),
)
PROGRAM = """
import sys
from equitangents.studies import read_config, run
run(read_config(sys.argv[1]), sys.argv[2])
"""


def start(config, out):
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(config), str(out)], stderr=subprocess.PIPE)


def finish(config, out):
    process = start(config, out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def digest(out):
    return hashlib.sha256((out / "results.parquet").read_bytes()).hexdigest()


@pytest.mark.slow
def test_a_study_killed_at_random_moments_ends_with_the_same_bytes(tmp_path):
    config, whole, killed = tmp_path / "config.toml", tmp_path / "whole", tmp_path / "killed"
    config.write_text(to_toml(TINY))
    finish(config, whole)
    pieces = len(list((whole / "pieces").glob("*.npz")))
    draw, kills = random.Random(0), 0
    for wanted in (2, pieces - 2):
        process = start(config, killed)
        while process.poll() is None and len(list(killed.glob("pieces/*.npz"))) < wanted:
            time.sleep(0.01)
        time.sleep(draw.random() * 0.3)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills >= 1
    finish(config, killed)
    assert digest(killed) == digest(whole)
    assert read_config(killed / "config.toml") == TINY

    result = Result.load(killed)
    assert len(result.timings["piece"]) == pieces
    inside = {"plain", "augmented", "averaged", "equivariant"}
    assert set(result.select(metric="error", inputs="canonical").columns["arm"]) == inside
    for arm in ("averaged", "equivariant"):
        same = result.select(metric="orbit_same_prediction", arm=arm).columns["value"]
        assert len(same) and (same == 4).all()
    agreement = result.select(metric="kernel_agreement").columns["value"]
    assert len(agreement) and (agreement < 1e-6).all()
