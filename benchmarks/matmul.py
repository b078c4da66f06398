"""The rate of a matrix product: the floor that the cost of kernels is compared with."""

import jax
import jax.numpy as jnp
import jax.random as jr

from .runner import Benchmark


def prepare(n: int, d: int):
    """The Gram matrix of n inputs of dimension d: 2 n^2 d operations."""
    x = jr.normal(jr.key(0), (n, d))
    gram = jax.jit(lambda x: jnp.matmul(x, x.T, precision=jax.lax.Precision.HIGHEST))
    return lambda: gram(x), 2.0 * n * n * d


BENCHMARK = Benchmark(prepare, {"n": [1000, 2000], "d": [784]})
