"""Time of one training step of a gauge equivariant network, here and in PyTorch: `python -m benchmarks.gauge_step`.

A step is the loss, the gradients of all weights and Adam, in float32. The network has channels 1-32-16-8 on links of
U(4), 5 x 5 sites, a batch of 32. `--torch PYTHON` names a Python with torch and NumPy; the formulas there are the plain
ones, with einsum and autograd. Both get the same links and weights, and their losses and gradients are compared. The
floor is the time of the matrix products alone, forwards and twice backwards, at the speed of a large product measured
here.
"""

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peer"))
import pairs

CHANNELS, BANDS, SIDE, BATCH, PIECE = (1, 32, 16, 8), 4, 5, 32, 1


def drawn():
    """Haar links (batch, x, y, 2, N, N), labels, weights (2, out, m, m) of each bilinear layer, and the readout."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((BATCH, SIDE, SIDE, 2, BANDS, BANDS, 2)) @ np.array([1, 1j])
    left, _, right = np.linalg.svd(z)
    weights = []
    for before, after in itertools.pairwise(CHANNELS):
        wide = 2 * before + 1
        weights.append((rng.standard_normal((2, after, wide, wide)) / (2 * wide)).astype(np.float32))
    head = rng.standard_normal((2 * CHANNELS[-1], 1)).astype(np.float32)
    return (left @ right).astype(np.complex64), rng.integers(-2, 3, BATCH).astype(np.float32), weights, head


def floor():
    """Operations of a step: a complex multiplication and addition is eight."""
    total = 0
    for before, after in itertools.pairwise(CHANNELS):
        wide = 2 * before + 1
        total += after * wide**2 * BANDS**2 + after * wide * BANDS**3
    return 3 * 8 * BATCH * SIDE**2 * total


def ours():
    import jax.numpy as jnp
    import optax

    from equitangents.gauge.chern import ChernData, ChernTraining
    from equitangents.gauge.chern.train import gradients

    links, labels, weights, head = drawn()
    data = ChernData(BANDS, (SIDE, SIDE), batch=BATCH)
    net = ChernTraining(data, CHANNELS[1:]).net()
    layers = iter(weights)
    params = [{"a": jnp.asarray(next(layers))} if type(layer).__name__ == "GEBL" else {} for layer in net.layers]
    params[-1] = {"w": jnp.asarray(head)[None, None], "b": jnp.zeros(1)}
    return gradients, optax, net, params, jnp.asarray(links), jnp.asarray(labels)


def serve_ours(path):
    import jax

    gradients, optax, net, params, links, labels = ours()
    adam = optax.adam(1e-3)

    @jax.jit
    def step(params, inner, links, labels):
        loss, gradient = gradients(net, (0.5, 1.0), PIECE, params, links, labels)
        updates, inner = adam.update(gradient, inner, params)
        return loss, gradient, optax.apply_updates(params, updates), inner

    inner = adam.init(params)

    def call():
        out = step(params, inner, links, labels)
        return out[0], [g["a"] for g in out[1] if "a" in g]

    pairs.serve(lambda: call, path)


def serve_torch(path):
    import torch

    links, labels, weights, head = drawn()
    links, labels = torch.tensor(links), torch.tensor(labels)
    trained = [torch.nn.Parameter(torch.tensor(w)) for w in (*weights, head)]
    adam = torch.optim.Adam(trained, 1e-3)

    def dagger(w):
        return w.conj().transpose(-1, -2)

    def loss():
        u, v = links[..., 0, :, :], links[..., 1, :, :]
        w = u @ torch.roll(v, -1, 1) @ dagger(torch.roll(u, -1, 2)) @ dagger(v)
        w = w[:, :, :, None]
        one = torch.eye(BANDS, dtype=w.dtype).expand(BATCH, SIDE, SIDE, 1, BANDS, BANDS)
        for a in trained[:-1]:
            e = torch.cat([w, dagger(w), one], 3)
            inner = torch.einsum("omn,bxynjk->bxyomjk", torch.complex(a[0], a[1]), e)
            w = torch.einsum("bxymij,bxyomjk->bxyoik", e, inner)
            w = torch.relu(torch.einsum("bxyoii->bxyo", w).real)[..., None, None] * w
            mean = torch.einsum("bxyoii->bxyo", w).mean(3).abs().clamp(min=1e-3)
            w = w / mean[..., None, None, None]
        t = torch.einsum("bxyoii->bxyo", w)
        y = (torch.cat([t.real, t.imag], 3) @ trained[-1])[..., 0] / (2 * CHANNELS[-1]) ** 0.5
        y = y.reshape(BATCH, -1)
        return (y.sum(1) - labels).abs().mean() + torch.relu(0.5 - y.std(1)).mean()

    start = [parameter.detach().clone() for parameter in trained]

    def call():
        with torch.no_grad():
            for parameter, value in zip(trained, start, strict=True):
                parameter.copy_(value)
        adam.zero_grad()
        value = loss()
        value.backward()
        adam.step()
        return [value.detach().numpy(), *(p.grad.numpy().copy() for p in trained[:-1])]

    cpu = time.process_time()
    np.savez(path, *call())
    print(json.dumps({"first": time.process_time() - cpu}), flush=True)
    for _ in sys.stdin:
        before = pairs._settled()
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"cpu": cpu, "wall": wall, "held": (pairs._status("VmHWM") - before) / 1024}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", default=os.environ.get("EQUITANGENTS_TORCH"), help="Python with torch and NumPy")
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    if not options.torch:
        parser.error("expected --torch PYTHON or EQUITANGENTS_TORCH, a Python with torch and NumPy")
    rate = pairs.product_rate()
    print(f"matrix product: {rate / 1e9:.0f} GFLOP a processor second; a step's products: {floor() / 1e9:.1f} GFLOP")
    print(pairs.COLUMNS)
    with tempfile.TemporaryDirectory() as scratch:
        label = "1-32-16-8, N=4, 5x5, batch 32 (floor 2.5)"
        pairs.compare(label, __file__, options.torch, scratch, (), options.pairs, floor() / rate)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        {"ours": serve_ours, "theirs": serve_torch}[sys.argv[2]](sys.argv[3])
    else:
        main()
