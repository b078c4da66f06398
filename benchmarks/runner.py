"""One runner for all benchmarks: warm up, block, repeat; minimum and median, with machine and versions."""

import dataclasses
import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

import jax

import equitangents

Call = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A grid of parameters and what to measure at each point of it.

    Attributes:
        prepare: takes one point of the grid to the call that is timed, and how many operations that call is worth
            (floating point operations where that means something, else 1).
        grid: parameter -> values; all combinations are run.
    """

    prepare: Callable[..., tuple[Call, float]]
    grid: dict[str, Sequence[Any]]

    def points(self) -> Iterator[dict[str, Any]]:
        for values in itertools.product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))


def measure(call: Call, repeats: int) -> dict[str, float]:
    """Seconds on the clock and of the processor, after one call that compiles; results are waited for."""
    jax.block_until_ready(call())
    wall, cpu = [], []
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), _cpu()
        jax.block_until_ready(call())
        wall.append(time.perf_counter() - start)
        cpu.append(_cpu() - start_cpu)
    return {
        "min": min(wall),
        "median": statistics.median(wall),
        "cpu_min": min(cpu),
        "cpu_median": statistics.median(cpu),
    }


def _cpu() -> float:
    """Processor seconds of this program and of those that it started and waited for."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def run(name: str, benchmark: Benchmark, repeats: int) -> Iterator[dict[str, Any]]:
    """One row for each point of the grid: parameters, seconds, operations per second of the fastest call."""
    for point in benchmark.points():
        call, operations = benchmark.prepare(**point)
        seconds = measure(call, repeats)
        yield {"benchmark": name, **point, **seconds, "repeats": repeats, "rate": operations / seconds["min"]}


def machine() -> dict[str, Any]:
    """What a number depends on: processor, cores, system, versions; nothing that names the machine."""
    packages = ("jax", "jaxlib", "numpy", "equinox")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.system(),
        "backend": jax.default_backend(),
        "python": platform.python_version(),
        "versions": {"equitangents": equitangents.__version__} | {package: version(package) for package in packages},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
