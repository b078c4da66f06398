"""NNGP and NTK of convolutional networks with global pooling, all pairs of sites kept; the rate counts them."""

import jax.random as jr

from equitangents import Conv, Dense, GlobalAvgPool, Relu, Serial, nngp_and_ntk

from .runner import Benchmark


def prepare(n: int, size: int, depth: int):
    layers = [layer for _ in range(depth) for layer in (Conv(1, (3, 3)), Relu())]
    net = Serial(*layers, GlobalAvgPool(), Dense(1))
    x = jr.normal(jr.key(0), (n, size, size, 1))
    return lambda: nngp_and_ntk(net, x), 1.0 * n * n * size**4 * depth


BENCHMARK = Benchmark(prepare, {"n": [40], "size": [8], "depth": [2, 5]})
