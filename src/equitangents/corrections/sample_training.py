"""Finite networks trained for a short while, by Monte Carlo: what the means of `gradient_flow_mean` are checked by."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PRNGKeyArray

from ..kernels import ntk
from ..nets import Serial
from .chain import Chain, chain
from .legs import check_targets
from .sample import Sampled, as_batches


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
    and cancels what is odd in the initial output.

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
    check_targets(y, len(x))
    if layers.dense[-1].width != y.shape[1]:
        raise ValueError(f"expected as many outputs as targets, got {layers.dense[-1].width} and {y.shape[1]}.")
    theta = ntk(net, x)
    cross, inner = theta[:, : len(y)], theta[: len(y), : len(y)]
    rates, vectors = jnp.linalg.eigh(inner)
    if learning_rate is not None:
        step, steps, size, limit = _descent, 1, learning_rate, learning_rate * cross @ y
    else:
        assert t is not None
        step, steps = (
            _runge_kutta,
            max(1, math.ceil(4 * t * float(rates[-1]))),
        )
        grown = jnp.where(rates * t > 1e-12, -jnp.expm1(-rates * t) / rates, t)
        size, limit = t / steps, cross @ ((vectors * grown[None]) @ (vectors.T @ y))

    def one(key: PRNGKeyArray) -> dict[str, Array]:
        return _trained(layers, x, y, key, step, jnp.asarray(size, x.dtype), jnp.asarray(steps), limit, batch)

    return as_batches(one, draws, batch, key, first, layers.fan_in[-1])


Flow = Callable[[Array], Array]


def _descent(slope: Flow, p: Array, size: Array) -> Array:
    return p - size * slope(p)


def _runge_kutta(slope: Flow, p: Array, size: Array) -> Array:
    one = slope(p)
    two = slope(p - size / 2 * one)
    three = slope(p - size / 2 * two)
    return p - size / 6 * (one + 2 * two + 2 * three + slope(p - size * three))


@eqx.filter_jit
def _trained(
    layers: Chain, x: Array, y: Array, key: PRNGKeyArray, step, size: Array, steps: Array, limit: Array, batch: int
) -> dict[str, Array]:
    hidden = [part for pair in zip(layers.dense, layers.activations, strict=False) for part in pair]
    net = Serial(*hidden, layers.dense[-1])

    def one(params) -> tuple[Array, Array]:
        flat, unravel = ravel_pytree(params)

        def outputs(p: Array) -> Array:
            return jax.vmap(net.apply, (None, 0))(unravel(p), x)

        def kernel(p: Array) -> Array:
            jacobian = jax.jacrev(outputs)(p)
            return jnp.einsum("aip,bjp->ijab", jacobian, jacobian)

        slope = jax.grad(lambda p: jnp.sum((outputs(p)[: len(y)] - y) ** 2) / 2)
        end = jax.lax.fori_loop(0, steps, lambda _, p: step(slope, p, size), flat)
        return outputs(end) - limit, kernel(end) - kernel(flat)

    def both(key: PRNGKeyArray) -> tuple[Array, Array]:
        *hidden, last = net.init(key, x.shape[1:])[1]
        pair = jax.vmap(lambda sign: one([*hidden, jax.tree.map(lambda p: sign * p, last)]))(jnp.array([1.0, -1.0]))
        return jax.tree.map(lambda a: jnp.mean(a, 0), pair)

    shift, change = jax.tree.map(lambda a: jnp.mean(a, 0), jax.vmap(both)(jr.split(key, batch)))
    n = layers.fan_in[-1]
    return {"output_shift": n * shift, "ntk_shift": n * change}
