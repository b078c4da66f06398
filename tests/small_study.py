"""A study of some seconds, done once in a session by the command line, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

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
        [sys.executable, "-c", "from equitangents.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"} | environment,
        timeout=300,
    )


def folder(tmp_path_factory):
    """The folder of the finished study."""
    base = tmp_path_factory.getbasetemp() / "small-study"
    if not base.exists():
        base.mkdir()
        (base / "tiny.toml").write_text(TOML)
        done = command("study", "--config", base / "tiny.toml", "--out", base / "run")
        assert done.returncode == 0, done.stderr
        (base / "stdout").write_text(done.stdout)
        (base / "stderr").write_text(done.stderr)
    return base / "run"
