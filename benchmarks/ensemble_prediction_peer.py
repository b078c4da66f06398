"""Mean and covariance of the infinite ensemble, ours against neural-tangents', in turns.

    python -m benchmarks.ensemble_prediction_peer --peer PYTHON

PYTHON has neural-tangents 0.6.5 and JAX 0.4.25. Both get the same float32 inputs: 2000 for training, 200 for testing,
10 targets; ReLU, three hidden layers; kernels are part of what is timed. The peer's time t is that of the mean over
examples and outputs, so it is our t / 10.
"""

import argparse
import os
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peer"))
import pairs

N, TEST, OUTPUTS, D, DEPTH = 2000, 200, 10, 784, 3
TIMES = ("None", "100", "10000")


def drawn():
    rng = np.random.default_rng(0)
    shapes = ((N, D), (TEST, D), (N, OUTPUTS))
    return [rng.standard_normal(shape, np.float32) for shape in shapes]


def ours(t):
    import jax.numpy as jnp

    from equitangents import Dense, Relu, Serial
    from equitangents.dynamics import GradientFlow

    layers = [layer for _ in range(DEPTH) for layer in (Dense(1, sigma_w=2**0.5, sigma_b=0.1), Relu())]
    net = Serial(*layers, Dense(1, sigma_b=0.1))
    x, x_test, y = map(jnp.asarray, drawn())
    moment = jnp.inf if t is None else t / OUTPUTS
    return lambda: tuple(GradientFlow(net, x, y, loss="mean", ridge=1e-4).predict(x_test, moment))


def theirs(t):
    sys.modules["neural_tangents.experimental"] = types.ModuleType("bridge to TensorFlow, not needed")
    import jax
    import neural_tangents as nt
    from neural_tangents import stax

    layers = [layer for _ in range(DEPTH) for layer in (stax.Dense(1, 2**0.5, 0.1), stax.Relu())]
    kernel = jax.jit(stax.serial(*layers, stax.Dense(1, 1.0, 0.1))[2], static_argnames="get")
    x, x_test, y = map(jax.numpy.asarray, drawn())

    def predict():
        ensemble = nt.predict.gradient_descent_mse_ensemble(kernel, x, y, diag_reg=1e-4, diag_reg_absolute_scale=True)
        return tuple(ensemble(t=t, x_test=x_test, get="ntk", compute_cov=True))

    return predict


def table(peer, scratch, count):
    for t in TIMES:
        pairs.compare(f"ensemble, t={t} (wanted: 2)", __file__, peer, scratch, [t], count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=os.environ.get("EQUITANGENTS_PEER"), help="Python with neural-tangents 0.6.5")
    parser.add_argument("--pairs", type=int, default=7, help="calls on each side (default: 7)")
    options = parser.parse_args()
    if not options.peer:
        parser.error("expected --peer PYTHON or EQUITANGENTS_PEER; neural-tangents 0.6.5, JAX 0.4.25")
    print(pairs.COLUMNS)
    with tempfile.TemporaryDirectory() as scratch:
        table(options.peer, scratch, options.pairs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        who, path, name = sys.argv[2:]
        t = None if name == "None" else float(name)
        pairs.serve(lambda: {"ours": ours, "theirs": theirs}[who](t), path)
    else:
        main()
