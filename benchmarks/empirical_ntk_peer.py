"""Empirical NTK of one network, ours against neural-tangents, interleaved: `python -m benchmarks.empirical_ntk_peer`.

The peer runs in its own process with the Python given by `--peer` or `EQUITANGENTS_PEER` (neural-tangents 0.6.5 on JAX
0.4.25). Both draw the same inputs and weights with NumPy. Each pair of runs is one row: processor seconds, seconds on
the clock, and their ratio; then the floor, the operations of the formula at the rate of a matrix product measured here.
"""

import argparse
import itertools
import os
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peer"))
import pairs

OUTPUTS, WIDTHS, CHANNELS = 10, (512, 512), (32, 32, 32)
NETS = {"mlp": (784,), "cnn": (16, 16, 3)}
BEST = {"mlp": ("3", "0"), "cnn": ("1", "0")}  # the peer's implementation and vmap_axes that are fastest


def drawn(name, n):
    """Inputs and standard normal weights, layer by layer."""
    rng, shape = np.random.default_rng(0), NETS[name]
    x = rng.standard_normal((n, *shape), np.float32)
    widths = [shape[-1], *(WIDTHS if name == "mlp" else CHANNELS), OUTPUTS]
    weights = []
    for layer, (fan, width) in enumerate(itertools.pairwise(widths)):
        window = (3, 3) if name == "cnn" and layer < len(CHANNELS) else ()
        weights.append(rng.standard_normal((*window, fan, width), np.float32))
    return x, weights


def ours(name, outputs, n, _setting):
    import jax.numpy as jnp

    from equitangents import Conv, Dense, GlobalAvgPool, Relu, Serial, empirical_ntk

    x, weights = drawn(name, n)
    params = iter([{"w": jnp.asarray(w)} for w in weights])
    if name == "mlp":
        net = Serial(*[layer for width in WIDTHS for layer in (Dense(width), Relu())], Dense(OUTPUTS))
    else:
        hidden = [layer for width in CHANNELS for layer in (Conv(width, (3, 3)), Relu())]
        net = Serial(*hidden, GlobalAvgPool(), Dense(OUTPUTS))
    full = [next(params) if isinstance(layer, Dense | Conv) else {} for layer in net.layers]
    x = jnp.asarray(x)
    return lambda: empirical_ntk(net.apply, full, x, outputs=outputs)


def theirs(name, outputs, n, setting):
    sys.modules["neural_tangents.experimental"] = types.ModuleType("bridge to TensorFlow, not needed")
    import jax
    import jax.numpy as jnp
    import neural_tangents as nt
    from neural_tangents import stax

    x, weights = drawn(name, n)
    if name == "mlp":
        layers = [layer for width in WIDTHS for layer in (stax.Dense(width), stax.Relu())]
        init, apply, _ = stax.serial(*layers, stax.Dense(OUTPUTS))
    else:
        layers = [layer for width in CHANNELS for layer in (stax.Conv(width, (3, 3), padding="SAME"), stax.Relu())]
        init, apply, _ = stax.serial(*layers, stax.GlobalAvgPool(), stax.Dense(OUTPUTS))
    _, params = init(jax.random.PRNGKey(0), (1, *NETS[name]))
    structure = jax.tree_util.tree_structure(params)
    params = jax.tree_util.tree_unflatten(structure, [jnp.asarray(w) for w in weights])
    options = {"trace_axes": (-1,) if outputs == "trace" else ()}
    if setting != "default":
        implementation, axes = setting.split(",")
        options |= {"implementation": int(implementation), "vmap_axes": 0 if axes == "0" else None}
    kernel, x = jax.jit(nt.empirical_ntk_fn(apply, **options)), jnp.asarray(x)
    return lambda: kernel(x, None, params)


def floor(name, outputs, n):
    """Operations: forward, backward for each output, weight gradients on sites, products of half of the pairs."""
    _, weights = drawn(name, 1)
    sites = 256 if name == "cnn" else 1
    pairs, between = n * n / 2, OUTPUTS if outputs == "trace" else OUTPUTS**2
    total = 0.0
    for layer, w in enumerate(weights):
        size, at = w.size, sites if w.ndim == 4 else 1
        total += 2 * n * at * size * (1 + (OUTPUTS if layer else 0))  # no cotangent of the inputs is needed
        if at > 1:
            total += 2 * n * OUTPUTS * at * size + 2 * pairs * between * size
        else:
            fan = size // w.shape[-1]
            total += 2 * pairs * (fan + between * w.shape[-1])
    return total


def search(peer, scratch, name, outputs, n):
    """Each of the peer's implementations over batches: which is the best."""
    for implementation in ("1", "2", "3"):
        print(f"{name}, {outputs}, n={n}, peer's implementation {implementation}, vmap_axes=0:", end=" ", flush=True)
        try:
            arguments = (name, outputs, n, f"{implementation},0")
            side = pairs.Side(peer, __file__, "theirs", f"{scratch}/any.npz", arguments)
        except RuntimeError as error:  # out of memory, mostly
            print(error, flush=True)
            continue
        print(f"cpu {min(side.once()['cpu'] for _ in range(3)):.4f} s", flush=True)
        side.end()


def cases(default):
    """(label, arguments) of the rows; with its default arguments the peer has no memory for 100 images."""
    for name in NETS:
        for outputs in ("trace", "full"):
            n = 20 if default and name == "cnn" else 100
            setting = "default" if default else ",".join(BEST[name])
            wanted = 300 if default else 1.5
            yield f"empirical {name}, {outputs}, {setting} ({wanted})", (name, outputs, n, setting)


def table(peer, scratch, count):
    """All rows: against the best setting, then against the default one, which takes long and is called once."""
    rate = pairs.product_rate()
    for default in (False, True):
        for label, arguments in cases(default):
            least = floor(*arguments[:3]) / rate
            pairs.compare(label, __file__, peer, scratch, arguments, 1 if default else count, least)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default=os.environ.get("EQUITANGENTS_PEER"), help="Python with neural-tangents 0.6.5")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--search", action="store_true", help="only time the peer's implementations, n=100")
    options = parser.parse_args()
    if not options.peer:
        parser.error("expected --peer PYTHON or EQUITANGENTS_PEER; neural-tangents 0.6.5, JAX 0.4.25")
    with tempfile.TemporaryDirectory() as scratch:
        if options.search:
            for name in NETS:
                for outputs in ("trace", "full"):
                    search(options.peer, scratch, name, outputs, 100)
        else:
            print(pairs.COLUMNS)
            table(options.peer, scratch, options.pairs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        who, path, name, outputs, n, setting = sys.argv[2:]
        pairs.serve(lambda: {"ours": ours, "theirs": theirs}[who](name, outputs, int(n), setting), path)
    else:
        main()
