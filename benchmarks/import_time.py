"""How long `import equitangents` takes in a fresh interpreter, and how much of it is JAX."""

import subprocess
import sys

from .runner import Benchmark


def prepare(module: str):
    command = [sys.executable, "-c", f"import {module}"]
    return lambda: subprocess.run(command, check=True), 1.0


BENCHMARK = Benchmark(prepare, {"module": ["jax", "equinox", "equitangents"]})
