"""Both trainings at infinite width, in closed form, from one table of kernels on orbits."""

import jax.numpy as jnp
import numpy as np

from ...dynamics import GradientFlow, max_learning_rate
from ...groups import image_action, point_group
from ...symmetry import match_learning_rate
from ..piece import Arrays
from ..precision import double, matrices
from .images import moved
from .twins import Data, Pair


def closed_forms(pair: Pair, group: str, data: Data, rate: float, moments: tuple[int, ...]) -> Arrays:
    """Means and covariances after the given numbers of steps of descent on the sum loss.

    Returns:
        rate, matched: learning rates of the plain and of the equivariant network.
        mean, mean_imposed, mean_unmatched: (times, tests, classes); the last at the rate that was not matched.
        on_orbits: `mean` on all images of the orbits, (times, |G|, tests, classes).
        covariance: of the plain network trained on orbits, mean over both orbits, (times, tests, tests).
        covariance_imposed: (times, tests, tests).
        variance: of the plain network at the images themselves, (times, tests).
    """
    action = image_action(point_group(group))
    order, n, m = action.group.order, len(data.x), len(data.x_test)
    images = np.concatenate([data.x, data.x_test])
    orbits = moved(action, images)
    table = np.stack(matrices(pair.plain, orbits.reshape(-1, *images.shape[1:])))
    table = table.reshape(2, order, n + m, order, n + m)
    train, cross, test = table[:, :, :n, :, :n], table[:, :, n:, :, :n], table[0, :, n:, :, n:]
    single = np.stack(matrices(pair.imposed, images))
    with double():
        t = jnp.asarray(moments)
        nngp, ntk = train.reshape(2, order * n, -1)
        flow = GradientFlow.from_gram(nngp, ntk, np.tile(data.y, (order, 1)), loss="sum")
        eta = rate * float(max_learning_rate(flow.regression.ntk, loss="sum"))
        matched = eta * match_learning_rate("sum", order).time
        plain = flow.descent(eta).predict_from(
            test.reshape(order * m, -1), tuple(cross.reshape(2, order * m, order * n)), t
        )
        nngp, ntk = single[:, :n, :n]
        flow = GradientFlow.from_gram(nngp, ntk, data.y, loss="sum")
        imposed = flow.descent(matched).predict_from(single[0, n:, n:], tuple(single[:, n:, :n]), t)
        unmatched = flow.descent(eta).mean_from(single[1, n:, :n], t)
    mean = np.asarray(plain.mean).reshape(len(moments), order, m, -1)
    covariance = np.asarray(plain.covariance).reshape(len(moments), order, m, order, m)
    return {
        "rate": np.array(eta),
        "matched": np.array(matched),
        "mean": mean[:, action.group.identity],
        "mean_imposed": np.asarray(imposed.mean),
        "mean_unmatched": np.asarray(unmatched),
        "on_orbits": mean,
        "covariance": covariance.mean((1, 3)),
        "covariance_imposed": np.asarray(imposed.covariance),
        "variance": np.diagonal(covariance[:, action.group.identity, :, action.group.identity], axis1=1, axis2=2),
    }
