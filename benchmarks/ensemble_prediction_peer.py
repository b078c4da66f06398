"""Mean and covariance of the infinite ensemble, ours and neural-tangents', interleaved; the ratio pair by pair.

    python benchmarks/ensemble_prediction_peer.py PEER_PYTHON [--pairs 7]

PEER_PYTHON is an interpreter with neural-tangents 0.6.5 and JAX 0.4.25. Both get the same float32 inputs: 2000 for
training, 200 for testing, 10 targets; ReLU, three hidden layers; kernels are part of what is timed. The peer's time t
is that of the mean over examples and outputs, so it is our t / 10. LAPACK runs on one thread on both sides: its idle
threads spin, and on a busy machine that is most of the CPU time.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy; the peer inherits it

import numpy as np

N, TEST, OUTPUTS, D, DEPTH = 2000, 200, 10, 784, 3

PEER = """
import json, os, sys, time, types
sys.modules["neural_tangents.experimental"] = types.ModuleType("none")  # its bridge to another framework
import jax, numpy as np
import neural_tangents as nt
from neural_tangents import stax
data = np.load(sys.argv[1])
depth = int(sys.argv[2])
layers = [layer for _ in range(depth) for layer in (stax.Dense(1, 2 ** 0.5, 0.1), stax.Relu())]
kernel_fn = jax.jit(stax.serial(*layers, stax.Dense(1, 1.0, 0.1))[2], static_argnames="get")
x, y, x_test = (jax.numpy.asarray(data[name]) for name in ("x", "y", "x_test"))

def predict(t):
    kernel = nt.predict.gradient_descent_mse_ensemble(kernel_fn, x, y, diag_reg=1e-4, diag_reg_absolute_scale=True)
    return jax.block_until_ready(kernel(t=t, x_test=x_test, get="ntk", compute_cov=True))

for line in sys.stdin:
    t = None if line.strip() == "None" else float(line)
    start, wall = time.process_time(), time.perf_counter()
    out = predict(t)
    seconds = time.process_time() - start, time.perf_counter() - wall
    np.savez(sys.argv[1] + ".peer.npz", mean=out.mean, covariance=out.covariance)
    print(json.dumps(seconds), flush=True)
"""


def ours(x, y, x_test):
    import jax
    import jax.numpy as jnp

    from equitangents import Dense, Relu, Serial
    from equitangents.dynamics import GradientFlow

    layers = [layer for _ in range(DEPTH) for layer in (Dense(1, sigma_w=2**0.5, sigma_b=0.1), Relu())]
    net = Serial(*layers, Dense(1, sigma_b=0.1))
    x, y, x_test = map(jnp.asarray, (x, y, x_test))

    def predict(t):
        start, wall = time.process_time(), time.perf_counter()
        flow = GradientFlow(net, x, y, loss="mean", ridge=1e-4)
        out = jax.block_until_ready(flow.predict(x_test, jnp.inf if t is None else t / OUTPUTS))
        return out, (time.process_time() - start, time.perf_counter() - wall)

    return predict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", help="the interpreter of the peer's environment")
    parser.add_argument("--pairs", type=int, default=7, help="timed pairs for each time (default: 7)")
    parser.add_argument("--times", nargs="*", default=["None", "100", "10000"], help="the peer's times")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    data = {name: rng.normal(size=(n, D)).astype(np.float32) for name, n in (("x", N), ("x_test", TEST))}
    data["y"] = rng.normal(size=(N, OUTPUTS)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "data.npz")
        np.savez(path, **data)
        command = [options.peer, "-c", PEER, path, str(DEPTH)]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}  # ours is not for its Python
        peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert peer.stdin is not None and peer.stdout is not None
        predict = ours(**data)
        for name in options.times:
            t = None if name == "None" else float(name)
            pairs = []
            for i in range(options.pairs + 1):  # the first compiles
                peer.stdin.write(f"{name}\n")
                peer.stdin.flush()
                theirs = json.loads(peer.stdout.readline())
                out, own = predict(t)
                if i:
                    pairs.append((own[0], theirs[0], own[1], theirs[1]))
            reference = np.load(path + ".peer.npz")
            gaps = [np.abs(a - reference[k]).max() / np.abs(reference[k]).max() for k, a in out._asdict().items()]
            cpu, peer_cpu, wall, peer_wall = map(statistics.median, zip(*pairs, strict=True))
            ratios = sorted(theirs / own for own, theirs, *_ in pairs)
            print(
                f"t={name}: CPU s {cpu:.3f} against {peer_cpu:.3f}, wall {wall:.3f} against {peer_wall:.3f}; "
                f"CPU ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
                f"largest difference in mean {gaps[0]:.1e}, covariance {gaps[1]:.1e} of the largest entry",
                flush=True,
            )
        peer.stdin.close()
        peer.wait()


if __name__ == "__main__":
    sys.exit(main())
