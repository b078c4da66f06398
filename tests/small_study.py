"""A study of some seconds, done once in a session by the command line, in a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

WAIT = 300  # seconds

TOML = """
data = "digits"
group = "C4"
resamples = 20
[audit]
train = 60
held_out = 60
[[kernels]]
name = "tiny"
net = "Serial(Flatten(), Dense(8), Relu(), Dense(1))"
size = 4
train_sizes = [40]
test = 60
off = 10
[[ensembles]]
name = "tiny"
net = "Serial(Flatten(), Dense(W), Relu(), Dense(1))"
size = 4
train_sizes = [20, 40]
test = 60
off = 10
widths = [8]
members = 3
steps = 20
record = 2
"""


def command(*arguments, **environment):
    """The command line in a process of its own."""
    src = str(Path(__file__).parent.parent / "src")
    path = os.pathsep.join(filter(None, (src, os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "equitangents", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"} | environment,
        timeout=WAIT,
    )


def folder(tmp_path_factory):
    """The folder of the finished study; the first worker that wants it makes it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small-study"
    try:
        base.mkdir()
    except FileExistsError:
        end = time.monotonic() + WAIT
        while not (base / "stderr").exists():
            assert time.monotonic() < end, f"expected the study of another worker in {base}, found none after {WAIT} s"
            time.sleep(0.1)
        return base / "run"
    (base / "tiny.toml").write_text(TOML)
    done = command("study", "--config", base / "tiny.toml", "--out", base / "run")
    assert done.returncode == 0, done.stderr
    (base / "stdout").write_text(done.stdout)
    (base / "stderr").write_text(done.stderr)
    return base / "run"
