"""Empirical NTK of one network, ours against neural-tangents, interleaved: `python -m benchmarks.empirical_ntk_peer`.

The peer runs in its own process with the Python given by `--peer` or `EQUITANGENTS_PEER` (neural-tangents 0.6.5 on JAX
0.4.25). Both draw the same inputs and weights with NumPy. Each pair of runs is one row: processor seconds, seconds on
the clock, and their ratio; then the floor, the operations of the formula at the rate of a matrix product measured here.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
import types

import numpy as np

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


def serve(who, name, outputs, n, setting):
    """Compile, then one line for each line read: seconds, processor seconds, peak megabytes above the import."""
    import jax

    jax.numpy.zeros(1).block_until_ready()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call = {"ours": ours, "theirs": theirs}[who](name, outputs, int(n), setting)
    value = np.asarray(call())
    np.save(sys.stdin.readline().strip(), value)
    print("ready", flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        call().block_until_ready()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        held = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024
        print(json.dumps([wall, cpu, held]), flush=True)


def start(python, scratch, *arguments):
    command = [python, __file__, "--serve", *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ask(process, scratch)
    return process


def ask(process, line=""):
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    while answer := process.stdout.readline():
        if answer.startswith(("ready", "[")):
            return answer
    raise RuntimeError("the process ended; its error is above.")


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


def rate():
    """Operations a processor second in a matrix product, the best of five."""
    import jax
    import jax.numpy as jnp

    a, product = jnp.ones((2048, 2048)), jax.jit(lambda a: a @ a)
    product(a).block_until_ready()
    seconds = []
    for _ in range(5):
        cpu = time.process_time()
        product(a).block_until_ready()
        seconds.append(time.process_time() - cpu)
    return 2 * 2048**3 / min(seconds)


def compare(peer, scratch, name, outputs, n, setting, pairs):
    files = [f"{scratch}/{who}.npy" for who in ("ours", "theirs")]
    processes = [
        start(python, file, who, name, outputs, n, setting)
        for who, python, file in zip(("ours", "theirs"), (sys.executable, peer), files, strict=True)
    ]
    rows = [[json.loads(ask(process)) for process in processes] for _ in range(pairs)]
    for process in processes:
        process.stdin.close()
        process.wait()
    a, b = (np.load(file) for file in files)
    print(f"{name}, {outputs}, n={n}, peer's setting: {setting}; largest relative difference", end=" ")
    print(f"{np.abs(a - b).max() / np.abs(b).max():.1e}")
    for mine, other in rows:
        print(
            f"  cpu {mine[1]:.4f} / {other[1]:.4f} s, wall {mine[0]:.4f} / {other[0]:.4f} s: {other[1] / mine[1]:.2f}"
        )
    best = min(mine[1] for mine, _ in rows)
    median = np.median([other[1] / mine[1] for mine, other in rows])
    print(f"  median ratio {median:.2f}; peak {rows[-1][0][2]:.0f} / {rows[-1][1][2]:.0f} MB", end="; ")
    print(f"{best * rate() / floor(name, outputs, n):.1f} times the floor", flush=True)


def search(peer, scratch, name, outputs, n):
    """One run of each of the peer's implementations over batches: which is the best."""
    for implementation in ("1", "2", "3"):
        print(f"{name}, {outputs}, n={n}, peer's implementation {implementation}, vmap_axes=0:", end=" ", flush=True)
        try:
            process = start(peer, f"{scratch}/any.npy", "theirs", name, outputs, n, f"{implementation},0")
        except RuntimeError as error:  # out of memory, mostly
            print(error, flush=True)
            continue
        print(f"cpu {min(json.loads(ask(process))[1] for _ in range(3)):.4f} s", flush=True)
        process.stdin.close()
        process.wait()


def main():
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default=os.environ.get("EQUITANGENTS_PEER"), help="Python with neural-tangents 0.6.5")
    parser.add_argument("--nets", nargs="*", choices=NETS, default=list(NETS))
    parser.add_argument("--outputs", nargs="*", choices=("trace", "full"), default=["trace", "full"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--default", action="store_true", help="against the peer's default arguments, which are slow")
    parser.add_argument("--search", action="store_true", help="only time the peer's implementations, n=100")
    options = parser.parse_args()
    if not options.peer:
        parser.error("expected --peer PYTHON or EQUITANGENTS_PEER; neural-tangents 0.6.5, JAX 0.4.25")
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.nets:
            for outputs in options.outputs:
                if options.search:
                    search(options.peer, scratch, name, outputs, 100)
                elif options.default:  # out of memory for the convolutional network at n=100
                    n = 100 if name == "mlp" else 20
                    compare(options.peer, scratch, name, outputs, n, "default", 1)
                else:
                    compare(options.peer, scratch, name, outputs, 100, ",".join(BEST[name]), options.pairs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        main()
