r"""One random network of two outputs, and all its tensors as products of derivatives: no recursion is known here.

With $v_{i\alpha} = \partial z_{i\alpha}$ by the stored parameters, whose plain gradients carry the rates,

$$\hat H = v \cdot v, \quad d\hat H_{012} = \partial^2 z_0[v_1, v_2], \quad
  dd\hat I_{0123} = \partial^3 z_0[v_1, v_2, v_3], \quad
  dd\hat{II}_{1234} = \partial^2 z_1[v_3, \cdot] \cdot \partial^2 z_2[v_4, \cdot].$$
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PRNGKeyArray

from ..nets import AbstractLayer, Dense, Serial
from .chain import Chain


class Draw(NamedTuple):
    """Of one network; neuron indices first, then samples, in the order of the tensors.

    Attributes:
        z: (2, S).
        h: $\\hat H$, (2, 2, S, S).
        dh: $d\\hat H$, (2, 2, 2, S, S, S); None if no third tensor is wanted.
        dd1: $dd\\hat I$ for neurons (a, a, b, b), b the other one, (2, S, S, S, S); None likewise.
        dd2: $dd\\hat{II}$, (2, 2, 2, 2, S, S, S, S); None likewise.
    """

    z: Array
    h: Array
    dh: Any = None
    dd1: Any = None
    dd2: Any = None


def two_outputs(net: Chain) -> Serial:
    """The network with two outputs: no tensor depends on their number."""
    last = net.dense[-1]
    layers = [layer for pair in zip(net.dense, net.activations, strict=False) for layer in pair]
    return Serial(*layers, Dense(2, last.sigma_w, last.sigma_b, last.lambda_w, last.lambda_b))


def draw(net: AbstractLayer, x: Array, key: PRNGKeyArray, wanted: frozenset[str]) -> Draw:
    """Parameters from `net.init`, outputs from `net.apply`; `wanted` names the tensors."""
    params = jax.tree.map(lambda p: p.astype(x.dtype), net.init(key, x.shape[1:])[1])
    flat, unravel = ravel_pytree(params)

    def outputs(flat: Array) -> Array:
        return jax.vmap(net.apply, (None, 0))(unravel(flat), x).T

    z, v = outputs(flat), jax.jacrev(outputs)(flat)
    h = jnp.einsum("iap,jbp->ijab", v, v)
    if not wanted & frozenset("PQRSTU"):
        return Draw(z, h)

    def along(u: Array) -> Array:
        return jax.jvp(jax.jacrev(outputs), (flat,), (u,))[1]

    second = jax.vmap(jax.vmap(along))(v)  # [j, beta, i, alpha]: of z_i alpha, along v_j beta
    dh = jnp.einsum("jbiap,kcp->ijkabc", second, v)
    dd1 = dd2 = None
    if wanted & frozenset("STU"):
        dd2 = jnp.einsum("kciap,ldjbp->ijklabcd", second, second)
    if "R" in wanted:
        dd1 = jnp.stack([_third(outputs, flat, v[a], v[1 - a])[a] for a in range(2)])
    return Draw(z, h, dh, dd1, dd2)


def _third(outputs, flat: Array, one: Array, other: Array) -> Array:
    """The third derivative of all outputs (2, S) along one of the first and two of the other directions, last."""

    def along(f, u: Array):
        return lambda flat: jax.jvp(f, (flat,), (u,))[1]

    def value(u: Array, v: Array, w: Array) -> Array:
        return along(along(along(outputs, u), v), w)(flat)

    third = jax.vmap(jax.vmap(jax.vmap(value, (None, None, 0)), (None, 0, None)), (0, None, None))(one, other, other)
    return jnp.moveaxis(third, (3, 4), (0, 1))
