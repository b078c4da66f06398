"""NNGP and NTK of deep ReLU networks on n inputs; the rate counts the operations of the Gram matrix alone."""

import jax.random as jr

from equitangents import Dense, Relu, Serial, nngp_and_ntk

from .runner import Benchmark


def prepare(n: int, d: int, depth: int):
    net = Serial(*[layer for _ in range(depth) for layer in (Dense(1, sigma_w=2**0.5), Relu())], Dense(1))
    x = jr.normal(jr.key(0), (n, d))
    return lambda: nngp_and_ntk(net, x), 2.0 * n * n * d


BENCHMARK = Benchmark(prepare, {"n": [1000, 2000], "d": [784], "depth": [1, 3, 10]})
