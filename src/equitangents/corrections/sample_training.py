"""Finite networks trained for a short while, by Monte Carlo: what the means of `gradient_flow_mean` are checked by."""

import math
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PRNGKeyArray

from ..nets import Serial
from .chain import Chain, chain
from .legs import check_targets
from .sample import Sampled, as_batches, averaged, check_hidden, layer_limits


def sample_training(
    net: Serial,
    x: Array,
    y: Array,
    draws: int,
    key: PRNGKeyArray,
    *,
    t: float | None = None,
    learning_rate: float | None = None,
    batch: int = 100,
    first: int = 0,
) -> Sampled:
    r"""The shifts of `TrainedMean` from networks trained on $\frac12 \sum (z - y)^2$, at the widths of `net`.

    Each network is trained twice, with the signs of its last layer as drawn and turned, which changes no tangent kernel
    and cancels what is odd in the initial output. What the output has of first order in $\hat H - \Theta$ at the start,
    most of its noise, is that of a linear model: it is taken off, and put back with the mean that `sample_tensors`
    finds for H1, from networks of their own.

    Args:
        net: `Serial(Dense, activation, ..., Dense)`, with as many outputs as y.
        x: (samples, features), float64, the training inputs first.
        y: targets of the first inputs, shape (n, outputs).
        draws: number of pairs of networks, at least two batches.
        key, batch, first: as for `sample_tensors`.
        t: time of gradient flow; or
        learning_rate: of a single step of gradient descent.

    Returns:
        A `Sampled` of "output_shift" and "ntk_shift".

    Raises:
        ValueError, TypeError: as `sample_tensors`; both or none of `t` and `learning_rate`.
    """
    if (t is None) == (learning_rate is None):
        raise ValueError(f"expected one of t and learning_rate, got t={t}, learning_rate={learning_rate}.")
    if t is not None and not 0 <= t < math.inf:
        raise ValueError(f"expected a finite time t >= 0, got {t!r}.")
    layers = chain(net, x)
    check_hidden(layers)
    check_targets(y, len(x))
    if layers.dense[-1].width != y.shape[1]:
        raise ValueError(f"expected as many outputs as targets, got {layers.dense[-1].width} and {y.shape[1]}.")
    limits = layer_limits(layers, x)
    if learning_rate is not None:
        how = _How(_descent, jnp.asarray(learning_rate, x.dtype), jnp.asarray(1))
    else:
        assert t is not None
        fastest = float(jnp.linalg.eigvalsh(limits[-1][1][: len(y), : len(y)])[-1])
        steps = max(1, math.ceil(2 * t * fastest))
        how = _How(_runge_kutta, jnp.asarray(t / steps, x.dtype), jnp.asarray(steps))

    def one(key: PRNGKeyArray) -> dict[str, Array]:
        mean = averaged(layers, x, limits, jr.fold_in(key, 1), ("H1",), batch)["H1"]
        return _trained(layers, x, y, limits[-1][1], mean, jr.fold_in(key, 0), how, batch)

    return as_batches(one, draws, batch, key, first, layers.fan_in[-1])


Flow = Callable[[Array], Array]


def _descent(slope: Flow, p: Array, size: Array) -> Array:
    return p - size * slope(p)


def _runge_kutta(slope: Flow, p: Array, size: Array) -> Array:
    one = slope(p)
    two = slope(p - size / 2 * one)
    three = slope(p - size / 2 * two)
    return p - size / 6 * (one + 2 * two + 2 * three + slope(p - size * three))


class _How(NamedTuple):
    """How to train: what a step is, its size, how many."""

    step: Callable[[Flow, Array, Array], Array]
    size: Array
    steps: Array

    def end(self, slope: Flow, start: Array) -> Array:
        return jax.lax.fori_loop(0, self.steps, lambda _, p: self.step(slope, p, self.size), start)


@eqx.filter_jit
def _trained(
    layers: Chain, x: Array, y: Array, theta: Array, mean: Array, key: PRNGKeyArray, how: _How, batch: int
) -> dict[str, Array]:
    r"""Means of a batch; `mean` is $n E[\hat H - \Theta]$ at the start, for one output."""
    hidden = [part for pair in zip(layers.dense, layers.activations, strict=False) for part in pair]
    net, m, eye = Serial(*hidden, layers.dense[-1]), len(y), jnp.eye(y.shape[1], dtype=x.dtype)

    def pair(key: PRNGKeyArray) -> tuple[Array, Array, Array]:
        *before, last = net.init(key, x.shape[1:])[1]
        flat, unravel = ravel_pytree([*before, last])
        turned = ravel_pytree([*before, jax.tree.map(jnp.negative, last)])[0]

        def outputs(p: Array) -> Array:
            return jax.vmap(net.apply, (None, 0))(unravel(p), x)

        def kernel(p: Array) -> Array:
            jacobian = jax.jacrev(outputs)(p)
            return jnp.einsum("aip,bjp->ijab", jacobian, jacobian)

        slope = jax.grad(lambda p: jnp.sum((outputs(p)[:m] - y) ** 2) / 2)
        ends = jax.vmap(lambda p: how.end(slope, p))(jnp.stack([flat, turned]))
        return jnp.mean(jax.vmap(outputs)(ends), 0), jnp.mean(jax.vmap(kernel)(ends), 0), kernel(flat)

    def linear(h: Array) -> Array:
        """The output that starts at 0 and has the constant tangent kernel h."""
        inner = h[:, :, :m, :m]
        c = how.end(lambda c: jnp.einsum("ijab,bj->ai", inner, c) - y, jnp.zeros_like(y))
        return jnp.einsum("ijab,bj->ai", h[..., :m], c)

    n = layers.fan_in[-1]
    z, late, early = jax.tree.map(lambda a: jnp.mean(a, 0), jax.vmap(pair)(jr.split(key, batch)))
    limit, mean = (eye[:, :, None, None] * a[None, None] for a in (theta, mean))
    at_limit, noise = jax.jvp(linear, (limit,), (mean - n * (early - limit),))
    return {"output_shift": n * (z - at_limit) + noise, "ntk_shift": n * (late - early)}
