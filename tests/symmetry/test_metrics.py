"""Measures of invariance against sums written out, closed forms and random functions."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from equitangents.groups import cyclic, image_action, matrix_action, permutation_action, point_group, trivial_action
from equitangents.symmetry import (
    equivariance_error,
    invariance_gap,
    match_learning_rate,
    orbit_covariance,
    orbit_deviation,
    orbit_same_prediction,
    orbit_std,
    orbit_variation,
    outputs_on_orbit,
    predicted_orbit_deviation,
    symmetric_kl,
    violation_variance,
)
from equitangents.testing import assert_matches_monte_carlo

pytestmark = pytest.mark.optimised  # zero, and equal, to the last bit
SHIFTS = permutation_action(cyclic(3), [[0, 1, 2], [1, 2, 0], [2, 0, 1]])


def test_constant_model_predicts_the_same_on_all_of_the_orbit(getkey):
    outputs = jnp.broadcast_to(jr.normal(getkey(), (5, 10)), (8, 5, 10))
    assert orbit_same_prediction(outputs).tolist() == [8] * 5
    assert float(jnp.abs(symmetric_kl(outputs)).max()) == 0
    assert float(orbit_deviation(outputs).max()) < 1e-15


def test_random_predictions_agree_as_often_as_chance_says(getkey):
    counts = orbit_same_prediction(jr.normal(getkey(), (4, 20000, 10)))
    assert int(counts.min()) == 1
    assert_matches_monte_carlo(counts, 1 + 3 / 10)


def test_predictions_are_compared_with_those_of_the_identity(getkey):
    outputs = jr.normal(getkey(), (4, 50, 3))
    for identity in (0, 2):
        classes = np.argmax(np.asarray(outputs), axis=-1)
        expected = [sum(classes[g, i] == classes[identity, i] for g in range(4)) for i in range(50)]
        assert orbit_same_prediction(outputs, identity).tolist() == expected


def test_symmetric_kl_is_the_sum_of_both_divergences(getkey):
    outputs = np.asarray(3 * jr.normal(getkey(), (4, 6, 5)))
    p = softmax(outputs, axis=-1)
    expected = [
        np.mean([rel_entr(p[0, i], p[g, i]).sum() + rel_entr(p[g, i], p[0, i]).sum() for g in range(4)])
        for i in range(6)
    ]
    np.testing.assert_allclose(symmetric_kl(outputs), expected, rtol=1e-12)
    assert np.isfinite(symmetric_kl(100 * outputs)).all()  # where probabilities underflow


def test_orbit_deviation_sums_channels_and_averages_the_orbit(getkey):
    outputs = np.asarray(jr.normal(getkey(), (4, 6, 5)))
    expected = [np.sqrt(sum(np.var(outputs[:, i, c]) for c in range(5))) for i in range(6)]
    np.testing.assert_allclose(orbit_deviation(outputs), expected, rtol=1e-12)
    np.testing.assert_allclose(orbit_deviation(outputs[..., 0]), outputs[..., 0].std(0), rtol=1e-12)


def test_violation_variance_is_the_trace_behind_the_projector(getkey):
    root = jr.normal(getkey(), (2, 4, 4))
    sigma = np.asarray(root @ root.swapaxes(1, 2))
    projector = np.eye(4) - 1 / 4
    expected = [np.trace(projector @ s @ projector) / 4 for s in sigma]
    np.testing.assert_allclose(violation_variance(sigma), expected, rtol=1e-12)
    assert float(violation_variance(jnp.ones((4, 4)))) == 0


def test_predicted_deviation_is_that_of_means_of_gaussian_members(getkey):
    root = jr.normal(getkey(), (4, 4))
    members = jnp.einsum("gh,mhdc->mgdc", root, jr.normal(getkey(), (3, 4, 4000, 2)))  # draws as items, two outputs
    predicted = predicted_orbit_deviation(violation_variance(root @ root.T), 3, outputs=2)
    assert_matches_monte_carlo(orbit_deviation(members.mean(0)) ** 2, predicted**2)


def test_orbit_covariance_takes_blocks_of_single_examples(getkey):
    x = jr.normal(getkey(), (5, 3))

    def function(x):
        return jnp.stack([x @ x.T, jnp.exp(x @ x.T)])  # two times

    sigma = orbit_covariance(function, x, SHIFTS, chunk=2)
    assert sigma.shape == (2, 5, 3, 3)
    for i in range(5):
        np.testing.assert_allclose(sigma[:, i], function(SHIFTS.orbit(x[i])), rtol=1e-12)
    np.testing.assert_array_equal(sigma[0], orbit_covariance(lambda x: x @ x.T, x, SHIFTS))


def test_gap_and_error_see_the_worst_entry(getkey):
    x = jnp.array([[1.0, 3.0, 7.0], [0.0, 0.0, 0.0]])
    assert float(invariance_gap(lambda x: x[:, 0], x, SHIFTS)) == 6
    assert float(invariance_gap(lambda x: x.sum(1), x, SHIFTS)) == 0
    assert float(equivariance_error(jnp.sin, x, SHIFTS, SHIFTS)) == 0
    assert float(equivariance_error(lambda x: x, x, SHIFTS, trivial_action(cyclic(3)))) == 6


def test_error_acts_by_the_element_and_not_by_its_inverse(getkey):
    turns = [[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in 2 * np.pi / 3 * np.arange(3)]
    forward = matrix_action(cyclic(3), turns)
    backward = matrix_action(cyclic(3), np.swapaxes(turns, 1, 2))
    x = jr.normal(getkey(), (4, 2))
    assert float(equivariance_error(lambda x: 2 * x, x, forward, forward)) < 1e-14
    assert float(equivariance_error(lambda x: 2 * x, x, forward, backward)) > 1


def test_learning_rates_match_by_the_order_in_the_sum_loss_only():
    assert match_learning_rate("sum", 8) == (8.0, 1 / 8)
    assert match_learning_rate("mean", 8) == (1.0, 1 / 8)


BAD = {
    "predictions without classes": lambda: orbit_same_prediction(jnp.ones((4, 5))),
    "one class": lambda: orbit_same_prediction(jnp.ones((4, 5, 1))),
    "no such identity": lambda: orbit_same_prediction(jnp.ones((4, 5, 2)), 4),
    "logits without an orbit": lambda: symmetric_kl(jnp.ones((5, 2))),
    "a deviation without an orbit": lambda: orbit_deviation(jnp.ones(5)),
    "an empty orbit": lambda: orbit_deviation(jnp.ones((0, 5))),
    "a covariance that is not square": lambda: violation_variance(jnp.ones((4, 3))),
    "no member": lambda: predicted_orbit_deviation(1.0, 0),
    "no output": lambda: predicted_orbit_deviation(1.0, 1, outputs=0),
    "an unknown loss": lambda: match_learning_rate("total", 4),
    "no group": lambda: match_learning_rate("sum", 0),
    "a covariance of something else": lambda: orbit_covariance(lambda x: x, jnp.ones((2, 3)), SHIFTS),
    "an empty chunk": lambda: orbit_covariance(lambda x: x @ x.T, jnp.ones((2, 3)), SHIFTS, chunk=0),
    "actions of two groups": lambda: equivariance_error(
        lambda x: x, jnp.ones((2, 3)), SHIFTS, trivial_action(cyclic(2))
    ),
    "inputs the group does not act on": lambda: invariance_gap(
        lambda x: x, jnp.ones((2, 3)), image_action(point_group("C4"))
    ),
    "outputs the group does not act on": lambda: outputs_on_orbit(lambda x: x[:, :2], jnp.ones((2, 3)), SHIFTS, SHIFTS),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(call):
    with pytest.raises(ValueError, match=r"expected .* got ") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_deviations_of_each_output_and_total_variation_are_those_of_the_covariance_over_the_orbit(getkey):
    outputs = 3 + jr.normal(getkey(), (6, 4, 2))
    for i in range(4):
        covariance = np.cov(np.asarray(outputs[:, i]).T, bias=True)
        np.testing.assert_allclose(orbit_std(outputs)[i] ** 2, np.diag(covariance), rtol=1e-12)
        np.testing.assert_allclose(orbit_variation(outputs)[i], np.trace(covariance), rtol=1e-12)
    np.testing.assert_allclose(orbit_std(outputs, relative=True), orbit_std(-7 * outputs, relative=True), rtol=1e-12)
    np.testing.assert_array_equal(orbit_std(jnp.full((4, 5), 2.0), relative=True), jnp.zeros(5))
