r"""Finite networks in pairs of opposite sign: from $\theta$, and from $\theta$ with the last layer negated.

Both have the law of the prior, so the mean over pairs is that over networks. At infinite width
$f_t = f_0 + \Theta w_t (Y - f_0)$ is affine in $f_0$, and the mean of a pair does not fluctuate at all; at width n it
does by $O(n^{-1/2})$, so that a difference of $O(1/n)$ is seen with a fraction of the networks.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ...dynamics import draw_member, train
from ...groups import image_action, point_group
from ...nets import AbstractLayer
from ..piece import Arrays
from ..precision import single
from .images import moved
from .twins import Data


def trained_pairs(
    net: AbstractLayer, group: str, data: Data, augmented: bool, rate: float, moments: tuple[int, ...],
    members: range, seed: int,
) -> Arrays:  # fmt: skip
    """Outputs on test images of networks trained by descent on the sum loss, on orbits or on the images.

    Returns:
        averaged: outputs averaged over the orbits, (members, 2, times, tests, classes), single precision.
        raw: at the images themselves, of the same shape; only where they differ, for augmented ones.
        diverged: (members,).
    """
    action = image_action(point_group(group))
    x, y, seen = data.x, data.y, data.x_test[None]
    if augmented:
        x = moved(action, x).reshape(-1, *x.shape[1:])
        y, seen = np.tile(y, (action.group.order, 1)), moved(action, data.x_test)
    with single():
        examples = (jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
        x_seen = jnp.asarray(seen.reshape(-1, *x.shape[1:]), jnp.float32)
        key, numbers = jax.random.key(seed), jnp.asarray(members)
        outputs, diverged = _run(net, examples, x_seen, jnp.asarray(rate, jnp.float32), key, numbers, moments)
        outputs = np.asarray(outputs).reshape(len(members), 2, len(moments), *seen.shape[:2], -1)
    found = {"averaged": outputs.mean(3), "diverged": np.asarray(diverged).any(1)}
    return found | ({"raw": outputs[:, :, :, action.group.identity]} if augmented else {})


@eqx.filter_jit
def _run(net: Any, data: tuple, seen: Array, rate: Array, key: Array, members: Array, moments: tuple) -> tuple:
    def one(i: Array) -> tuple[Array, Array]:
        params, _ = draw_member(net, seen.shape[1:], key, i)
        opposite = [*params[:-1], jax.tree.map(jnp.negative, params[-1])]
        both = jax.tree.map(lambda *leaves: jnp.stack(leaves), params, opposite)

        def follow(start: Any) -> tuple[Array, Array]:
            done = train(
                net, start, data, loss="sum", learning_rate=rate, steps=moments[-1], record=moments, x_record=seen
            )
            return done.outputs, done.diverged

        return lax.map(follow, both)

    return lax.map(one, members)
