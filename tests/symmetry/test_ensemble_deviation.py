r"""Ensembles of finite networks, trained one by one: how their deviation from invariance falls with their number."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.groups import image_action, point_group
from equitangents.nets import Dense, Erf, Flatten, Serial
from equitangents.symmetry import (
    augment,
    orbit_covariance,
    orbit_deviation,
    predicted_orbit_deviation,
    violation_variance,
)
from equitangents.testing import assert_matches_monte_carlo

C4 = image_action(point_group("C4"))
NET = Serial(Flatten(), Dense(512, sigma_w=1.4, sigma_b=0.1), Erf(), Dense(1))
STEPS, LEARNING_RATE, MEMBERS = 20, 0.1, 512
SIZES, FEW = (1, 4, 16, 64), 128


@functools.cache
def data():
    x_key, y_key, test_key = jr.split(jr.key(0), 3)
    return jr.normal(x_key, (3, 3, 3, 1)), jr.normal(y_key, (3,)), jr.normal(test_key, (4, 3, 3, 1))


@jax.jit
def trained(key, x, y, x_test):
    """Outputs of one network after full-batch descent on the sum loss, by its definition, shape (len(x_test),)."""
    params = NET.init(key, x.shape[1:])[1]
    predict = jax.vmap(NET.apply, (None, 0))

    def step(_, params):
        slope = jax.grad(lambda p: jnp.sum((predict(p, x)[:, 0] - y) ** 2) / 2)(params)
        return jax.tree.map(lambda p, s: p - LEARNING_RATE * s, params, slope)

    return predict(jax.lax.fori_loop(0, STEPS, step, params), x_test)[:, 0]


@functools.cache
def ensembles():
    """Members trained on full orbits and on the images alone, (members, |G|, items) each, and the kernel's variance."""
    x, y, x_test = data()
    on_orbits = C4.orbit(x_test).reshape(-1, 3, 3, 1)
    keys = jr.split(jr.key(1), MEMBERS)

    def run(x, y, keys):
        return np.asarray(jax.lax.map(lambda k: trained(k, x, y, on_orbits), keys, batch_size=32)).reshape(-1, 4, 4)

    x_all, y_all = augment(x, y, C4)
    augmented = run(x_all, y_all, keys)
    plain = run(jnp.tile(x, (4, 1, 1, 1)), jnp.tile(y, 4), keys[:FEW])  # as many steps of as many examples
    descent = GradientFlow(NET, x_all, y_all, loss="sum").descent(LEARNING_RATE)
    sigma = orbit_covariance(lambda x: descent.covariance(x, t=STEPS), x_test, C4)
    return augmented, plain, violation_variance(sigma)


def mean_squares(outputs, size):
    """Mean over items of the squared orbit deviation of disjoint ensembles, one number for each ensemble."""
    means = outputs.reshape(-1, size, *outputs.shape[1:]).mean(1)
    return np.array([np.mean(np.asarray(orbit_deviation(m)) ** 2) for m in means])


@pytest.mark.parametrize("size", SIZES)
def test_deviation_of_augmented_ensembles_is_on_the_predicted_line(size):
    augmented, _, variance = ensembles()
    predicted = predicted_orbit_deviation(variance, size) ** 2
    assert_matches_monte_carlo(mean_squares(augmented, size), predicted.mean())


def test_deviation_falls_as_one_over_the_root_of_the_number_of_members():
    augmented, _, _ = ensembles()
    rms = [np.sqrt(mean_squares(augmented, size).mean()) for size in SIZES]
    slope = np.polyfit(np.log(SIZES), np.log(rms), 1)[0]
    assert abs(slope + 0.5) < 0.1  # of ensembles of 64 there are eight: 10 % of the last point


def test_deviation_without_augmentation_stays_however_many_members():
    augmented, plain, variance = ensembles()
    predicted = np.sqrt((predicted_orbit_deviation(variance, FEW) ** 2).mean())
    measured = [np.sqrt(mean_squares(outputs[:FEW], FEW).mean()) for outputs in (augmented, plain)]
    assert measured[0] < 2 * predicted and measured[1] > 5 * predicted
