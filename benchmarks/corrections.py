"""1/width corrections: all tensors of deep tanh networks, and Gaussian means against direct cubature of each.

The rate counts layers for `expand`, and means for `means` (ours, all at once) and `cubature` (SciPy, relative error
1e-6): the ratio of the last two is what the grid saves.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from equitangents.corrections import FOUR_LEGS, expand, gaussian_means
from equitangents.nets import Dense, Serial, Tanh

from .runner import Benchmark

K = np.array([[0.6, 0.2], [0.2, 0.5]])
ORDERS = [(p, q) for p in range(4) for q in range(4) if (p + q) % 2 == 0]


def _expand(inputs: int, depth: int):
    hidden = [layer for _ in range(depth - 1) for layer in (Dense(100, 1.2, 0.3), Tanh())]
    net, x = Serial(*hidden, Dense(1, 1.2, 0.3)), jr.normal(jr.key(0), (inputs, 8))
    names = ("K", "Theta", "G1", "H1", *FOUR_LEGS)
    return lambda: expand(net, x, names)[-1].tensors, float(depth)


def _means():
    blobs = tuple(((0, p), (1, q)) for p, q in ORDERS)
    means = jax.jit(lambda k: gaussian_means(Tanh(), blobs, k))
    return lambda: means(jnp.asarray(K)), float(len(ORDERS))


def _derivatives(z):
    t = np.tanh(z)
    s = 1 - t**2
    return t, s, -2 * t * s, s * (6 * t**2 - 2)


def _cubature():
    from scipy.integrate import cubature  # SciPy 1.15, newer than the oldest that the package takes

    precision, size = np.linalg.inv(K), 2 * np.pi * np.sqrt(np.linalg.det(K))

    def call():
        for p, q in ORDERS:

            def integrand(z, p=p, q=q):
                weight = np.exp(-np.einsum("ni,ij,nj->n", z, precision, z) / 2) / size
                return weight * _derivatives(z[:, 0])[p] * _derivatives(z[:, 1])[q]

            cubature(integrand, [-np.inf] * 2, [np.inf] * 2, rtol=1e-6, atol=1e-12)

    return call, float(len(ORDERS))


CASES = {
    "expand, 2 inputs, depth 10": lambda: _expand(2, 10),
    "expand, 4 inputs, depth 10": lambda: _expand(4, 10),
    "expand, 1 input, depth 100": lambda: _expand(1, 100),
    "expand, 1 input, depth 400": lambda: _expand(1, 400),
    "means": _means,
    "cubature": _cubature,
}


def prepare(case: str):
    jax.config.update("jax_enable_x64", True)
    return CASES[case]()


BENCHMARK = Benchmark(prepare, {"case": list(CASES)})
