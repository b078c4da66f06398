"""Two programs that take turns: one call here, one call there, and what each cost. Runs in the peer's Python too."""

import ctypes
import json
import os
import re
import subprocess
import sys
import time

import numpy as np

COLUMNS = (
    f"{'case':40} {'CPU s, ours / peer':>20} {'ratio (min to max)':>25} {'wall s, ours / peer':>20} "
    f"{'MB, ours / peer':>15} {'floor, stricter':>15} {'first, CPU s':>14}"
)


def serve(prepare, path):
    """Write the arrays of the first call to `path`, then print one line of measurements for each line that is read.

    Args:
        prepare: gives the function that is timed; it returns arrays of JAX.
        path: where `np.savez` puts the results.
    """
    import jax

    cpu = time.process_time()
    call = prepare()
    values = [np.asarray(a) for a in jax.tree.leaves(call())]
    first = time.process_time() - cpu
    np.savez(path, *values)
    size = sum(a.nbytes for a in values) / 2**20
    del values
    print(json.dumps({"first": first}), flush=True)
    for _ in sys.stdin:
        before = _settled()
        wall, cpu = time.perf_counter(), time.process_time()
        out = jax.block_until_ready(call())
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        held = (_status("VmHWM") - before) / 1024 - size
        del out
        print(json.dumps({"cpu": cpu, "wall": wall, "held": max(held, 0.0)}), flush=True)


def _settled():
    """Give free memory back and forget the peak so far; kilobytes now in use."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as control:
            control.write("5")
    except OSError:
        pass  # the peak is then that of the whole life of the process
    return _status("VmRSS")


def _status(name):
    with open("/proc/self/status") as lines:
        return int(re.search(rf"^{name}:\s+(\d+)", lines.read(), re.M).group(1))


class Side:
    """A program that `serve`s; started as `python script --serve WHO PATH ARGUMENT...`."""

    def __init__(self, python, script, who, path, arguments):
        environment = {k: v for k, v in os.environ.items() if who == "ours" or k != "PYTHONPATH"}
        command = [python, script, "--serve", who, path, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.path = path
        self.first = self._answer()["first"]

    def once(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError("the program ended; its error is above.")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def compare(label, script, peer, scratch, arguments, pairs, *floors):
    """One row: `pairs` calls on each side in turn; medians, the ratio pair by pair, and our time over each floor."""
    sides = [
        Side(python, script, who, f"{scratch}/{who}.npz", arguments)
        for who, python in (("ours", sys.executable), ("theirs", peer))
    ]
    rows = [[side.once() for side in sides] for _ in range(pairs)]
    for side in sides:
        side.end()
    one, two = (list(np.load(side.path).values()) for side in sides)
    gap = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(one, two, strict=True))
    ratios = sorted(b["cpu"] / a["cpu"] for a, b in rows)
    middle = {key: [float(np.median([row[i][key] for row in rows])) for i in (0, 1)] for key in rows[0][0]}
    (cpu, peer_cpu), (wall, peer_wall), (held, peer_held) = (middle[key] for key in ("cpu", "wall", "held"))
    over = " ".join(f"{cpu / floor:7.1f}" for floor in floors).ljust(15)
    print(f"{label:40} {cpu:9.4f} / {peer_cpu:8.4f}", end="")
    print(f" {np.median(ratios):7.2f} ({ratios[0]:6.2f} to {ratios[-1]:6.2f})", end="")
    print(f" {wall:9.4f} / {peer_wall:8.4f} {held:7.0f} / {peer_held:5.0f} {over}", end="")
    print(f" {sides[0].first:6.1f} / {sides[1].first:5.1f}, differ by {gap:.0e}", flush=True)
    return float(np.median(ratios))


def product_rate():
    """Operations per processor second of a float32 matrix product, the best of five."""
    import jax
    import jax.numpy as jnp

    a, product = jnp.ones((2048, 2048)), jax.jit(jnp.matmul)
    return 2 * 2048**3 / _best(lambda: product(a, a), 5)


def loop_rate(step, shape=(64, 128), start=0.5):
    """Numbers per processor second of `step(i, array)` in a loop over one array in cache."""
    import jax
    import jax.numpy as jnp

    count = 2**24 // int(np.prod(shape))
    x = jnp.full(shape, start)
    options = {
        "xla_disable_hlo_passes": "cpu-parallel-task-assigner",  # two threads would spend part of the time waiting
        "xla_cpu_prefer_vector_width": 512,
    }
    many = jax.jit(lambda x: jax.lax.fori_loop(0, count, step, x), compiler_options=options)
    return count * x.size / _best(lambda: many(x), 5)


def polynomial(x, terms=8):
    value = 0.01 * x + 0.02
    for power in range(terms - 2):
        value = value * x + 0.03 * (power + 1)
    return value


def root_and_polynomial(_, d):
    """The stricter floor of a layer."""
    import jax.numpy as jnp

    return jnp.sqrt(d) * polynomial(d) * 0.1


def relu_layer(_, d):
    r"""NNGP and NTK of one entry: the defect after, $d - (\sin t - t \cos t)/\pi$, the slope $1 - t/\pi$, and the NTK.

    Two polynomials in the smaller of d and 2 - d, as one for both would cancel; one root; the NTK's multiply-adds.
    """
    import jax.numpy as jnp

    e = jnp.minimum(d, 2 - d)
    root = jnp.sqrt(e)
    angle = root * polynomial(e)
    after = jnp.minimum(d, 1) - e * root * polynomial(e + 0.1)
    ntk = jnp.where(d > 1, angle, 1 - angle) * d + (1 - after)
    return 0.1 * after + 0.1 * ntk


def erf_layer(_, d):
    r"""The arcsine of t without cancellation, the slope $1/\sqrt{1 - t^2}$, the NTK, and a bias.

    One root and one quotient; a polynomial of 8 terms for the arcsine and one of 5 for near pairs.
    """
    import jax.numpy as jnp

    cosine, t = jnp.sqrt(0.5 + 0.5 * d * (2 - d)), 0.7 * (1 - d)
    quotient = 1 / (cosine * (cosine + t))
    small = jnp.abs(t) < cosine
    side = jnp.where(small, t, cosine)
    arcsine = side * polynomial(side * side)
    sine = d * cosine * quotient
    far = 1 - jnp.where(small, arcsine, 1.6 - arcsine)
    after = jnp.where(d < 0.02, sine * polynomial(sine * sine, 5), far)
    ntk = (cosine + t) * quotient * d + (1 - after)
    return 0.1 * jnp.clip(0.9 * after + 0.01, 0, 2) + 0.1 * ntk


def window_sum(i, y):
    """Sums of three along one axis of sites: two additions and what is read and written, in cache."""
    import jax

    x = y * 0.1 + i
    return jax.lax.dynamic_update_slice(y, 0.1 * (x[:-2] + x[1:-1] + x[2:]), (1, 0))


def copy_rate():
    """Bytes per processor second, read and written, of a copy into memory that exists."""
    a, b = np.ones(2**24, np.float32), np.zeros(2**24, np.float32)
    return 2 * a.nbytes / _best(lambda: np.copyto(b, a), 5)


def fresh_rate():
    """Bytes per processor second of one number written all over a new array of JAX, whose pages the system gives then.

    NumPy gets them in large pages, four times as fast; XLA's allocator does not ask for those.
    """
    import jax
    import jax.numpy as jnp

    fill = jax.jit(lambda number: jnp.full(2**22, number))
    fill(1.0).block_until_ready()
    seconds = []
    for _ in range(9):
        _settled()
        cpu = time.process_time()
        fill(1.0).block_until_ready()
        seconds.append(time.process_time() - cpu)
    return 4 * 2**22 / float(np.median(seconds))


def _best(call, times):
    """The least seconds of the processor for one call, over runs of a tenth of a second.

    The clock of the processor misses up to some milliseconds of a thread that still runs.
    """
    import jax

    jax.block_until_ready(call())
    start = time.perf_counter()
    jax.block_until_ready(call())
    calls = int(0.1 / (time.perf_counter() - start)) + 1
    seconds = []
    for _ in range(times):
        cpu = time.process_time()
        for _ in range(calls):
            jax.block_until_ready(call())
        seconds.append((time.process_time() - cpu) / calls)
    return min(seconds)
