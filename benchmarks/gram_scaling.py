"""Seconds of Gram matrices and fits against the number of images; the exponent of n by least squares.

python benchmarks/gram_scaling.py [--data fashion-mnist] [--sizes 4000 8000 16000 32000] [--fit] [--out FOLDER]

Each size is a command `equitangents kernel` and a command `equitangents fit` of their own; the exponent is that of the
seconds less those of a first, tiny matrix, which starts and compiles.
"""

import argparse
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def command(*arguments: object) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    wall, cpu = time.perf_counter(), children()
    subprocess.run([sys.executable, "-m", "equitangents", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - wall, children() - cpu


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4000, 8000, 16000, 32000])
    parser.add_argument("--fit", action="store_true", help="also the command fit")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp())
    _, start = command("kernel", given.data, "--limit", 100, "--tile", 50, "--out", folder / "start")
    print(f"start and compilation: {start:.1f} CPU-seconds")
    cost = []
    for n in given.sizes:
        out = folder / str(n)
        wall, cpu = command("kernel", given.data, "--limit", n, "--out", out)
        fit_wall, fit_cpu = command("fit", out) if given.fit else (math.nan, math.nan)
        cost.append(cpu - start)
        kernel, fit = f"kernel {wall:6.1f} s, {cpu:6.1f} CPU-s", f"fit {fit_wall:6.1f} s, {fit_cpu:6.1f} CPU-s"
        print(f"n = {n:6d}: {kernel}; {fit}", flush=True)
        shutil.rmtree(out)
    exponent = np.polyfit(np.log(given.sizes), np.log(np.maximum(cost, 1e-3)), 1)[0]
    largest = math.log(cost[-1] / cost[-2]) / math.log(given.sizes[-1] / given.sizes[-2])
    print(f"kernel: CPU-seconds grow as n^{exponent:.2f} over all sizes, n^{largest:.2f} between the last two")


if __name__ == "__main__":
    main()
