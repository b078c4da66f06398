"""NNGP and NTK, ours against neural-tangents', in turns: `python -m benchmarks.kernels_peer --peer PYTHON`.

PYTHON has neural-tangents 0.6.5 on JAX 0.4.25. Both sides get the same float32 inputs. Each row: processor seconds,
their ratio pair by pair, seconds on the clock, megabytes beyond inputs and result, and our processor seconds over two
floors. Both are made of rates measured first, on one thread's array in cache, by loops of `peer/pairs.py` that share
no code with the package:

- the floor: half of the matrix product of the inputs; the arithmetic of both kernels' rule for each entry, layer and
  pair once, in one loop over one array; for convolutions also the sums over windows of the two arrays, axis by axis;
  two matrices written to memory that the system hands out then, as a result's is.
- the stricter one, which no rule with all digits reaches: half of the product; one root and one polynomial for each
  entry, layer and pair once, without NTK or windows; two matrices written to memory that is there already.
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

#        name: (top, nonlinearity, depth, sigma_b, shape, n, wanted ratio)
CASES = {
    "relu 3": ("dense", "Relu", 3, 0.0, (784,), 2000, 4),
    "relu 3, biases": ("dense", "Relu", 3, 0.1, (784,), 2000, 4),
    "relu 10": ("dense", "Relu", 10, 0.0, (784,), 2000, 8),
    "relu 10, biases": ("dense", "Relu", 10, 0.1, (784,), 2000, 8),
    "erf 3": ("dense", "Erf", 3, 0.1, (784,), 2000, 3),
    "erf 10": ("dense", "Erf", 10, 0.1, (784,), 2000, 4),
    "conv 5, average, 8x8x1": ("average", "Relu", 5, 0.0, (8, 8, 1), 40, 30),
    "conv 5, average, 16x16x3": ("average", "Relu", 5, 0.0, (16, 16, 3), 10, 20),
    "conv 5, flatten, 8x8x1": ("flatten", "Relu", 5, 0.0, (8, 8, 1), 100, 5),
    "conv 5, flatten, 16x16x3": ("flatten", "Relu", 5, 0.0, (16, 16, 3), 100, 5),
    "relu 200, see first": ("dense", "Relu", 200, 0.1, (16,), 20, 30),
}


def inputs(shape, n):
    return np.random.default_rng(0).standard_normal((n, *shape), np.float32)


def ours(top, phi, depth, bias, shape, n):
    import jax.numpy as jnp

    import equitangents as eqt

    w, phi = 2**0.5, getattr(eqt, phi)()
    given = {"sigma_w": w, "sigma_b": bias}
    weights = eqt.Dense(1, **given) if top == "dense" else eqt.Conv(1, (3, 3), **given)
    head = {"dense": (), "average": (eqt.GlobalAvgPool(),), "flatten": (eqt.Flatten(),)}[top]
    net = eqt.Serial(*(layer for _ in range(depth) for layer in (weights, phi)), *head, eqt.Dense(1, sigma_b=bias))
    x = jnp.asarray(inputs(shape, n))
    return lambda: eqt.nngp_and_ntk(net, x)


def theirs(top, phi, depth, bias, shape, n):
    sys.modules["neural_tangents.experimental"] = types.ModuleType("bridge to TensorFlow, not needed")
    import jax
    import jax.numpy as jnp
    from neural_tangents import stax

    w, phi, b = 2**0.5, getattr(stax, phi), bias or None
    given = {"W_std": w, "b_std": b}
    weights = stax.Dense(1, **given) if top == "dense" else stax.Conv(1, (3, 3), padding="SAME", **given)
    head = {"dense": (), "average": (stax.GlobalAvgPool(),), "flatten": (stax.Flatten(),)}[top]
    _, _, kernel = stax.serial(*(part for _ in range(depth) for part in (weights, phi())), *head, stax.Dense(1, 1.0, b))
    kernel = jax.jit(kernel, static_argnames="get")
    x = jnp.asarray(inputs(shape, n))
    return lambda: tuple(kernel(x, None, ("nngp", "ntk")))


def floors(rates, top, phi, depth, bias, shape, n):
    """Least processor seconds: what the rules take, and the stricter figure."""
    sites = int(np.prod(shape[:-1])) if top != "dense" else 1
    held = sites * (sites if top == "average" else 1) * n**2 / 2  # entries, each pair once
    product = 2 * held * (shape[-1] if top != "dense" else int(np.prod(shape))) / rates["product"]
    entry = 1 / rates[phi] + (0 if top == "dense" else 4 / rates["window"])  # two arrays, two axes
    result = 2 * 4 * n**2
    return (
        product + held * depth * entry + result / rates["fresh"],
        product + held * depth / rates["stricter"] + result / rates["copy"],
    )


def table(peer, scratch, count, names=tuple(CASES)):
    rates = {
        "product": pairs.product_rate(),
        "Relu": pairs.loop_rate(pairs.relu_layer),
        "Erf": pairs.loop_rate(pairs.erf_layer),
        "window": pairs.loop_rate(pairs.window_sum),
        "fresh": pairs.fresh_rate(),
        "stricter": pairs.loop_rate(pairs.root_and_polynomial),
        "copy": pairs.copy_rate(),
    }
    print("per processor second:", ", ".join(f"{name} {rate:.3g}" for name, rate in rates.items()))
    for name in names:
        *case, wanted = CASES[name]
        pairs.compare(f"{name} (wanted: {wanted})", __file__, peer, scratch, [name], count, *floors(rates, *case))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default=os.environ.get("EQUITANGENTS_PEER"), help="Python with neural-tangents 0.6.5")
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--pairs", type=int, default=9, help="calls on each side (default: 9)")
    options = parser.parse_args()
    if not options.peer:
        parser.error("expected --peer PYTHON or EQUITANGENTS_PEER; neural-tangents 0.6.5, JAX 0.4.25")
    print(pairs.COLUMNS)
    with tempfile.TemporaryDirectory() as scratch:
        table(options.peer, scratch, options.pairs, options.cases)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        who, path, name = sys.argv[2:]
        *case, _ = CASES[name]
        pairs.serve(lambda: {"ours": ours, "theirs": theirs}[who](*case), path)
    else:
        main()
