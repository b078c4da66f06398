"""Means of trained finite networks to order 1/width, against trained finite networks."""

import functools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from equitangents import ntk
from equitangents.corrections import (
    NEEDED,
    expand,
    extrapolate,
    gradient_flow_mean,
    gradient_step,
    sample_training,
)
from equitangents.dynamics import GradientFlow
from equitangents.nets import Dense, Erf, Serial, Tanh

X = jnp.array([[1.0, 0.3, -0.4], [-0.5, 1.2, 0.6], [0.4, 0.2, 1.1]])  # the last is not trained on
Y = jnp.array([[1.0], [-1.5]])
Y2 = jnp.array([[1.0, -0.6], [-1.5, 0.8]])


ERF, TANH = Erf(1.0, math.sqrt(math.pi) / 2), Tanh()  # both of slope 1 at 0


def network(width, depth, outputs=1, rate=1.0, phi=ERF):
    numbers = (math.sqrt(1.5), math.sqrt(0.1), 0.7 * rate, 0.3 * rate)
    return Serial(*[Dense(width, *numbers), phi] * (depth - 1), Dense(outputs, *numbers))


@functools.cache
def tensors(depth, rate=1.0, phi=ERF):
    """Of any number of outputs; what comes after a layer does not count."""
    return expand(network(8, 3, 1, rate, phi), X, NEEDED)[depth - 1]


def sampled_shifts(case, getkey):
    """Of both shifts: their name, what is predicted, its first order in time, and sampled networks at 1/width = 0."""
    phi, depth, y, how, widths, draws, degree = case
    found = tensors(depth, phi=phi)
    (name, size), small = *how.items(), 1e-6
    predicted = gradient_flow_mean(found, y, size) if name == "t" else gradient_step(found, y, size)
    runs = [
        sample_training(network(n, depth, y.shape[1], 1.0, phi), X, y, d, getkey(), **how, batch=200)
        for n, d in zip(widths, draws, strict=True)
    ]
    for part in ("output_shift", "ntk_shift"):
        first = size / small * np.asarray(getattr(gradient_step(found, y, small), part))
        fit = extrapolate(widths, [r.mean[part] for r in runs], [r.error[part] for r in runs], degree)
        yield part, np.asarray(getattr(predicted, part)), first, fit


def deviations(fit, expected):
    """Of each component, in standard errors."""
    return np.abs(fit.value - expected) / fit.error


def check(case, getkey):
    """The prediction agrees; that nothing moves, and the first order in time alone, are excluded."""
    for part, expected, first, fit in sampled_shifts(case, getkey):
        assert np.max(deviations(fit, expected)) < 4, part
        assert np.max(deviations(fit, 0.0)) > 5, part
        assert np.max(deviations(fit, first)) > 5, part


QUICK = {
    "layer 2, flow": (ERF, 2, Y, {"t": 1.0}, (32, 64), (6_000,) * 2, 1),
    "layer 3, step, 2 outputs": (ERF, 3, Y2, {"learning_rate": 0.3}, (16, 32), (4_000,) * 2, 1),
}


@pytest.mark.parametrize("case", QUICK)
def test_means_of_trained_networks_after_extrapolation(case, getkey):
    check(QUICK[case], getkey)


TWO, THREE = ((16, 32, 64), (20_000,) * 3), ((16, 24, 32, 64), (40_000, 40_000, 30_000, 8_000))
SLOW = {
    "layer 2, step": (TANH, 2, Y, {"learning_rate": 0.4}, *TWO, 1),
    "layer 2, flow": (TANH, 2, Y, {"t": 1.0}, *TWO, 2),
    "layer 2, step, 2 outputs": (ERF, 2, Y2, {"learning_rate": 0.4}, *TWO, 1),
    "layer 2, flow, 2 outputs": (ERF, 2, Y2, {"t": 1.0}, *TWO, 2),
    "layer 3, step, 2 outputs": (ERF, 3, Y2, {"learning_rate": 0.3}, *THREE, 2),
    "layer 3, flow, 2 outputs": (ERF, 3, Y2, {"t": 0.5}, *THREE, 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW)
def test_means_of_trained_networks_closely(case, getkey):
    check(SLOW[case], getkey)


def test_the_limit_of_the_mean_is_that_of_infinite_width():
    found = gradient_flow_mean(tensors(3), Y, jnp.array([0.0, 0.7, 3.0]))
    flow = GradientFlow(network(1, 3), X[:2], Y, loss="sum")
    expected = jnp.stack([flow.predict(X, t).mean for t in (0.0, 0.7, 3.0)])
    np.testing.assert_allclose(found.output, expected.reshape(found.output.shape), atol=1e-7)
    np.testing.assert_array_equal(found.output_shift[0], 0)


def test_what_is_trained_to_the_end_fits_its_targets_at_any_width():
    """So the shift of the mean of a training output vanishes, and that of another does not."""
    late = gradient_flow_mean(tensors(3), Y, 40.0)
    np.testing.assert_allclose(late.output_shift[:2], 0, atol=1e-6)
    assert abs(late.output_shift[2, 0]) > 1e-2


def test_a_step_and_the_flow_agree_to_first_order_in_time():
    small = 1e-5
    step, flow = (f(tensors(3), Y2, small) for f in (gradient_step, gradient_flow_mean))
    for name in ("output", "output_shift", "ntk_shift"):
        one, two = getattr(step, name), getattr(flow, name)
        np.testing.assert_allclose(one, two, atol=1e-3 * float(jnp.max(jnp.abs(one))))


@pytest.mark.parametrize("how", [gradient_step, gradient_flow_mean], ids=lambda f: f.__name__)
def test_rates_are_a_unit_of_time(how):
    """Twice the rates for half the time is the same."""
    one, two = how(tensors(3), Y, 0.6), how(tensors(3, rate=2.0), Y, 0.3)
    np.testing.assert_allclose(two.output_shift, one.output_shift, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(two.ntk_shift, 2 * one.ntk_shift, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("how", [gradient_step, gradient_flow_mean], ids=lambda f: f.__name__)
def test_outputs_may_be_rotated(how):
    """A rotation of the outputs of the network is one of its last layer: means follow the targets."""
    c, s = math.cos(0.7), math.sin(0.7)
    turn = jnp.array([[c, -s], [s, c]])
    one, two = how(tensors(3), Y2, 0.4), how(tensors(3), Y2 @ turn.T, 0.4)
    np.testing.assert_allclose(two.output_shift, one.output_shift @ turn.T, atol=1e-7)
    turned = jnp.einsum("ik,klab,jl->ijab", turn, one.ntk_shift, turn)
    np.testing.assert_allclose(two.ntk_shift, turned, atol=1e-7)


def test_the_mean_at_a_width_is_the_limit_and_its_share():
    found = gradient_step(tensors(2), Y, 0.1)
    np.testing.assert_allclose(found.mean, 0.1 * ntk(network(1, 2), X)[:, :2] @ Y + found.output_shift / 8, rtol=1e-9)
    np.testing.assert_allclose(found.ntk_change, found.ntk_shift / 8)


@pytest.mark.parametrize("how", [gradient_step, gradient_flow_mean], ids=lambda f: f.__name__)
@pytest.mark.parametrize("y", [jnp.ones(2), jnp.ones((4, 1))], ids=["vector", "too many"])
def test_targets_that_do_not_fit_are_refused(how, y):
    with pytest.raises(ValueError, match="expected y of shape"):
        how(tensors(2), y, 0.1)


def test_sampling_asks_for_one_way_to_train(getkey):
    with pytest.raises(ValueError, match="expected one of t and learning_rate"):
        sample_training(network(4, 2), X, Y, 200, getkey())
    with pytest.raises(ValueError, match="as many outputs as targets"):
        sample_training(network(4, 2, 2), X, Y, 200, getkey(), t=1.0)
    with pytest.raises(ValueError, match="hidden layers of width 2 at least"):
        sample_training(network(1, 3), X, Y, 200, getkey(), t=1.0)
