"""Ensembles on the supports of `supports`: independent members by stochastic descent, and orbits of one start."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...dynamics import ensemble, train
from ...groups import image_action, point_group
from ...symmetry import augment, orbit_closed_ensemble
from ..piece import Arrays
from ..precision import double, single
from .images import SIDE, Images, digits, moved
from .supports import support_net

CLASSES = 10
CLOSED = 20  # test inputs, and as many off the manifold, on which an orbit of networks is looked at
SHAPE = (SIDE, SIDE, 1)
ACTION = image_action(point_group("C4"))


@functools.lru_cache(maxsize=2)
def images(config: Any) -> Images:
    """All ten digits, in training, held out, and what lies off their manifold."""
    return digits(CLASSES, config.train, config.test, config.off, config.n_off, config.seed)


def trained_members(config: Any, name: str, members: range) -> Arrays:
    """Logits on orbits of held-out digits, then of inputs off the manifold, (members, |G|, inputs, classes)."""
    data = images(config)
    seen = moved(ACTION, np.concatenate([data.x_test, data.x_off]).astype(np.float32))
    with single():
        done = ensemble(
            support_net(name, config.channels, CLASSES),
            (data.x.astype(np.float32), data.y),
            members=members,
            key=jax.random.key(config.seed),
            loss="cross_entropy",
            learning_rate=config.rate,
            steps=config.steps,
            batch_size=config.batch,
            augment=ACTION,
            x_record=seen.reshape(-1, *SHAPE),
        )
    outputs = np.asarray(done.outputs)[:, 0].reshape(len(members), *seen.shape[:2], CLASSES)
    return {"outputs": outputs, "diverged": np.asarray(done.diverged)}


def closed_orbit(config: Any, name: str) -> Arrays:
    """The mean of four networks whose starts are an orbit, and of four independent ones, full batch, double precision.

    Returns:
        closed, independent: logits of the mean, (times, |G|, inputs, classes); `closed` is empty where the starts of
            this support form no orbit in it.
        rounding: how much outputs of a network change if its first weights do in the last place, (times,).
    """
    data, net = images(config), support_net(name, config.channels, CLASSES)
    seen = moved(ACTION, np.concatenate([data.x_test[:CLOSED], data.x_off[:CLOSED]]))
    with double():
        pair = augment(jnp.asarray(data.x[: config.closed_train]), data.y[: config.closed_train], ACTION)
        keys = jax.random.split(jax.random.key(config.seed), ACTION.group.order + 1)

        def follow(start: Any) -> np.ndarray:
            steps = config.closed_steps
            done = train(
                net, start, pair, loss="cross_entropy", learning_rate=config.closed_rate, steps=steps[-1],
                record=steps, x_record=seen.reshape(-1, *SHAPE),
            )  # fmt: skip
            return np.asarray(done.outputs).reshape(len(steps), *seen.shape[:2], CLASSES)

        first = net.init(keys[1], SHAPE)[1]
        nudged = follow(jax.tree.map(lambda leaf: leaf * (1 + 4 * np.finfo(float).eps), first))
        independent = np.stack([follow(first), *(follow(net.init(key, SHAPE)[1]) for key in keys[2:])])
        found = {
            "closed": np.zeros(0),
            "independent": independent.mean(0),
            "rounding": np.abs(nudged - independent[0]).max((1, 2, 3)),
        }
        try:
            starts = orbit_closed_ensemble(net, SHAPE, ACTION, keys[0])
        except ValueError:  # turned filters leave the support
            return found
        orbit = np.stack([follow(jax.tree.map(lambda leaf, g=g: leaf[g], starts)) for g in ACTION.group.elements])
    return found | {"closed": orbit.mean(0)}
