"""Descent with momentum in closed form: against its recursion, and against a linear model trained by optax."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from equitangents.dynamics import GradientFlow, max_learning_rate, train
from equitangents.dynamics.clocks import DescentClock, MomentumClock
from equitangents.nets import Dense


def linear(x1, x2=None):
    return (x1 @ (x1 if x2 is None else x2).T,) * 2


def clock(steps, rate, m):
    return MomentumClock(*(jnp.asarray(v, float) for v in (steps, rate, m)))


def test_gain_and_remainder_equal_the_recursion():
    """At eigenvalues of real roots, of equal ones (critical damping), of complex ones, and zero."""
    rate, numbers = 0.1, [0, 1, 2, 3, 64, 1001]
    both = lambda k, m, s: (clock(k, rate, m).gain(s), clock(k, rate, m).remaining(s))  # noqa: E731
    compiled = jax.jit(jax.vmap(both, (0, None, None)))
    for m in (0.0, 0.5, 0.9, 0.999):
        critical, limit = (1 - np.sqrt(m)) ** 2 / rate, 2 * (1 + m) / rate
        s = np.concatenate([[0.0, 1e-9, critical], np.linspace(1e-3, 0.999, 20) * limit])
        w, v, gains = np.zeros_like(s, np.longdouble), np.zeros_like(s, np.longdouble), {}
        for k in range(max(numbers) + 1):
            gains[k] = w
            v = m * v + rate * (1 - s * w)
            w = w + v
        ours, remaining = compiled(jnp.asarray(numbers, float), m, s)
        expected = np.stack([gains[k] for k in numbers])
        np.testing.assert_allclose(ours, expected.astype(float), rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(remaining, (1 - s * expected).astype(float), atol=1e-10)
        if m == 0:
            plain = jax.vmap(lambda k, s=s: DescentClock(k, jnp.asarray(rate)).gain(jnp.asarray(s)))
            np.testing.assert_allclose(ours, plain(jnp.asarray(numbers, float)), rtol=1e-10)


def test_slope_and_moments_are_derivatives_of_the_gain():
    c, s, h = clock(37, 0.1, 0.8), jnp.array([0.05, 1.0, 20.0]), 1e-5
    slope = (c.remaining(s + h) - c.remaining(s - h)) / (2 * h)
    np.testing.assert_allclose(c.slope(s), slope, rtol=1e-6, atol=1e-8)
    # w(s) = w(0) - c s + d s**2 - ..., from the coefficients of the recursion in powers of s
    w, v = np.zeros(3), np.zeros(3)
    for _ in range(37):
        v = 0.8 * v + 0.1 * (np.array([1.0, 0, 0]) - np.append(0, w[:2]))
        w = w + v
    np.testing.assert_allclose([c.time(), *c.moments()], [w[0], -w[1], w[2]], rtol=1e-12)


def test_the_end_is_that_of_the_flow_also_where_nothing_is_learned():
    c = clock(np.inf, 0.1, 0.8)
    np.testing.assert_array_equal(c.gain(jnp.array([0.0, 2.0])), [np.inf, 0.5])
    np.testing.assert_array_equal(c.remaining(jnp.array([0.0, 2.0])), [1.0, 0.0])
    np.testing.assert_array_equal(c.slope(jnp.array([0.0, 2.0])), [0.0, 0.0])


@pytest.mark.parametrize("loss", ["mean", pytest.param("sum", marks=pytest.mark.slow)])
def test_a_linear_model_trained_by_optax_has_this_trajectory(getkey, loss):
    x, y, x_test = jr.normal(getkey(), (6, 3)), jr.normal(getkey(), (6, 2)), jr.normal(getkey(), (4, 3))
    net, record = Dense(2), (0, 1, 2, 7, 40)
    flow = GradientFlow(net, x, y, loss=loss)
    rate = 0.6 * float(max_learning_rate(flow.regression.ntk, loss=loss, momentum=0.7))
    trained = train(
        net,
        net.init(getkey(), (3,))[1],
        (x, y),
        loss=loss,
        learning_rate=rate,
        steps=40,
        optimizer=lambda rate: optax.sgd(rate, momentum=0.7),
        record=record,
        x_record=x_test,
        centred=True,  # of zero initial output, as the mean
    )
    ours = flow.descent(rate, momentum=0.7).mean(x_test, jnp.asarray(record, float))
    np.testing.assert_allclose(trained.outputs, ours, atol=1e-10)


def test_it_differentiates_and_refuses_what_diverges(getkey):
    x, y, x_test = jr.normal(getkey(), (6, 3)), jr.normal(getkey(), (6, 1)), jr.normal(getkey(), (2, 3))
    flow = GradientFlow(linear, x, y, loss="sum")
    limit = float(max_learning_rate(flow.regression.ntk, loss="sum", momentum=0.5))

    def mean(rate, m):
        return jnp.sum(flow.descent(rate, m).mean(x_test, 9))

    point, h = (0.3 * limit, 0.5), 1e-6
    gradient = jax.jit(jax.grad(mean, (0, 1)))(*point)
    for i, g in enumerate(gradient):
        up, down = (mean(*(p + sign * h * (i == j) for j, p in enumerate(point))) for sign in (1, -1))
        np.testing.assert_allclose(g, (up - down) / (2 * h), rtol=1e-6)
    assert float(max_learning_rate(flow.regression.ntk, loss="sum")) < 0.9 * limit
    flow.descent(0.9 * limit, 0.5)
    for arguments, message in (
        ((1.01 * limit, 0.5), "diverges"),
        ((0.9 * limit,), "diverges"),
        ((0.1, 1.0), "momentum in"),
        ((0.1, -0.1), "at least 0"),
    ):
        with pytest.raises(ValueError, match=message):
            flow.descent(*arguments)
    with pytest.raises(ValueError, match="fewer than"):
        flow.descent(0.5 * limit, 0.5).mean(x_test, 2.0**40)
    with pytest.raises(ValueError, match="whole"):
        flow.descent(0.5 * limit, 0.5).mean(x_test, 1.5)
