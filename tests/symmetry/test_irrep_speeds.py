r"""Finite networks of width 1024 lose their loss in each representation as the kernel says, and as fast."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow, ensemble
from equitangents.groups import image_action, irreps, point_group
from equitangents.nets import Dense, Erf, Flatten, Serial
from equitangents.symmetry import (
    augment,
    expected_irrep_power,
    irrep_loss,
    irrep_power,
    irrep_spectrum,
    measured_speeds,
    orbit_covariance,
)
from equitangents.testing import assert_matches_monte_carlo

GROUP = point_group("D4")
D4 = image_action(GROUP)
WIDTH, MEMBERS, RATE, STEPS = 1024, 128, 1.0, (0, 2, 8)
ARMS = ("augmented", "plain")


def net():
    return Serial(Flatten(), Dense(WIDTH, sigma_w=1.4, sigma_b=0.2), Erf(), Dense(1))


def data():
    return jr.normal(jr.key(0), (3, 3, 3, 1)), jnp.array([[1.0], [-1.0], [0.5]])


@functools.cache
def residuals(arm):
    """On all images of the orbits, (members, times, |G|, n, 1)."""
    x, y = data()
    images, labels = augment(x, y, D4)
    training = (images, labels) if arm == "augmented" else (x, y)
    options = {"loss": "mean", "learning_rate": RATE, "steps": STEPS[-1], "record": STEPS, "x_record": images}
    found = ensemble(net(), training, members=MEMBERS, key=jr.key(1), **options).outputs
    return np.asarray(found).reshape(MEMBERS, len(STEPS), GROUP.order, *y.shape) - np.asarray(y)


def predicted(arm):
    """Twice the sum loss in each representation, (times, irreps)."""
    x, y = data()
    labels = jnp.broadcast_to(y, (GROUP.order, *y.shape))
    if arm == "augmented":
        mean_loss = irrep_loss(irrep_spectrum(net(), x, D4), labels, np.array(STEPS), loss="mean", learning_rate=RATE)
        return 2 * GROUP.order * len(x) * mean_loss
    descent = GradientFlow(net(), x, y, loss="mean").descent(RATE)
    steps = jnp.array(STEPS)
    mean = descent.mean(augment(x, y, D4)[0], steps).reshape(len(STEPS), *labels.shape) - labels[None]
    covariance = orbit_covariance(lambda inputs: descent.covariance(inputs, t=steps), x, D4)
    return jax.vmap(lambda m, c: expected_irrep_power(m, c, GROUP))(mean, covariance)


@pytest.mark.parametrize("arm", ARMS)
def test_loss_in_each_representation_is_as_predicted(arm):
    power, expected = jax.vmap(jax.vmap(lambda r: irrep_power(r, GROUP)))(jnp.asarray(residuals(arm))), predicted(arm)
    assert_matches_monte_carlo(power, expected)
    start, _, end = np.asarray(expected)
    last = end / start
    assert last.max() < 0.9 if arm == "augmented" else last[1:].max() > 1  # training on single images adds to E


def test_speeds_are_the_eigenvalues():
    x, _ = data()
    spectrum = irrep_spectrum(net(), x, D4)
    found = measured_speeds(spectrum, residuals("augmented")[:, [0, 2]], STEPS[2], loss="mean", learning_rate=RATE)
    assert [block.irrep.name for block in spectrum.blocks] == [irrep.name for irrep in irreps(GROUP, "real")]
    for value, error, block in zip(*found, spectrum.blocks, strict=True):
        assert_matches_monte_carlo((value, error), block.values)
        assert error[0] < 0.1 * value[0]  # of the fastest: else nothing was shown
