"""`python -m benchmarks [NAME ...] [--repeats N] [--out FILE]`: run benchmarks, print a table, write JSON."""

import argparse
import importlib
import json
from pathlib import Path

from .runner import Benchmark, machine, run

NAMES = ("import_time", "matmul", "dense_kernel", "conv_kernel", "corrections")


def load(name: str) -> Benchmark:
    return importlib.import_module(f"{__package__}.{name}").BENCHMARK


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Run benchmarks; all of them without a NAME."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(NAMES)}")
    parser.add_argument("--repeats", type=int, default=7, help="timed calls for each row (default: 7)")
    parser.add_argument("--out", type=Path, help="a JSON file for rows, machine and versions")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"expected names among {', '.join(NAMES)}, got {', '.join(unknown)}")
    if options.repeats < 1:
        parser.error(f"expected at least one repeat, got {options.repeats}")
    where = machine()
    print(f"{where['processor']}, {where['cores']} cores, {where['backend']}, jax {where['versions']['jax']}")
    print(f"{'benchmark':<46} {'min s':>10} {'median s':>10} {'cpu min s':>10} {'rate /s':>10}")
    rows = []
    for name in options.names or NAMES:
        for row in run(name, benchmark := load(name), options.repeats):
            point = ", ".join(f"{key}={row[key]}" for key in benchmark.grid)
            label = f"{name}({point})"
            seconds = " ".join(f"{row[key]:10.4f}" for key in ("min", "median", "cpu_min"))
            print(f"{label:<46} {seconds} {row['rate']:10.3g}", flush=True)
            rows.append(row)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"machine": where, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
