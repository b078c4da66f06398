"""Any loss by an ODE: against closed forms, another solver on another state, and wide finite networks."""

import sys

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.integrate
import scipy.special

from equitangents.dynamics import FunctionFlow, GradientFlow, train
from equitangents.nets import Dense, Erf, Serial

TIMES = jnp.array([3.0, 0.0, 0.4, 0.4])  # in any order, also twice


@jax.jit
def rbf(x1, x2=None):
    """A kernel pair; the NTK is no function of the NNGP."""
    x2 = x1 if x2 is None else x2
    squares = jnp.sum((x1[:, None] - x2[None]) ** 2, axis=-1)
    return jnp.exp(-squares / 2), jnp.exp(-squares) + 0.3 * (x1 @ x2.T) ** 2


@pytest.fixture
def data(getkey):
    return jr.normal(getkey(), (6, 3)), jr.normal(getkey(), (6, 2)), jr.normal(getkey(), (4, 3))


@pytest.mark.parametrize("loss", ["sum", "mean"])
def test_squared_loss_has_the_mean_of_the_closed_form(data, loss):
    x, y, x_test = data
    closed = GradientFlow(rbf, x, y, loss=loss, ridge=0.2)
    flow = FunctionFlow(rbf, x, y, loss=loss, ridge=0.2, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(flow.mean(x_test, TIMES), closed.mean(x_test, TIMES), atol=1e-9)


def test_sampled_ensembles_have_the_mean_and_covariance_of_the_closed_form(data, getkey):
    x, y, x_test = data
    closed = GradientFlow(rbf, x, y, loss="sum", ridge=0.2).predict(x_test, TIMES[:3])
    sampled = FunctionFlow(rbf, x, y, loss="sum", ridge=0.2).ensemble(x_test, TIMES[:3], getkey(), 4000)
    assert sampled.mean_error.max() < 0.03 and sampled.covariance_error.max() < 0.04
    assert (abs(sampled.mean - closed.mean) < 5 * sampled.mean_error).all()
    assert (abs(sampled.covariance - closed.covariance[:, None]) < 5 * sampled.covariance_error).all()


def test_cross_entropy_agrees_with_another_solver_on_the_outputs_themselves(data):
    """SciPy's, on all outputs of training and test inputs, with the gradient of cross-entropy by hand."""
    x, _, x_test = data
    labels, both = np.array([0, 2, 1, 1, 0, 2]), jnp.concatenate([x, x_test])
    ntk = np.asarray(rbf(both, x)[1])

    def velocity(_, f):
        gap = scipy.special.softmax(f.reshape(10, 3)[:6], axis=1) - np.eye(3)[labels]
        return (-ntk @ gap / 6).ravel()

    times = np.array([0.4, 3.0, 20.0])
    f = scipy.integrate.solve_ivp(velocity, (0, 20), np.zeros(30), "DOP853", times, rtol=1e-11, atol=1e-12)
    flow = FunctionFlow(rbf, x, labels, loss="cross_entropy", rtol=1e-10, atol=1e-12)
    expected = f.y.T.reshape(3, 10, 3)[:, 6:]
    assert abs(expected[-1]).max() > 1
    np.testing.assert_allclose(flow.mean(x_test, times), expected, atol=1e-8)


def test_wide_networks_under_cross_entropy_come_closer_with_the_root_of_the_width(data, getkey):
    x, _, x_test = data
    labels, steps, rate = jnp.array([0, 2, 1, 1, 0, 2]), 200, 0.04

    def net(width):
        return Serial(Dense(width, sigma_w=1.5), Erf(), Dense(3))

    limit = FunctionFlow(net(1), x, labels, loss="cross_entropy").mean(x_test, steps * rate)

    def distance(width, members):
        squares = []
        for key in jr.split(getkey(), members):
            params = net(width).init(key, (3,))[1]
            done = train(
                net(width),
                params,
                (x, labels),
                loss="cross_entropy",
                learning_rate=rate,
                steps=steps,
                x_record=x_test,
                centred=True,
            )
            squares.append(jnp.mean((done.outputs[-1] - limit) ** 2))
        return float(jnp.sqrt(jnp.mean(jnp.stack(squares))))

    narrow, wide = distance(64, 8), distance(1024, 8)
    assert 1 / 1.6 < narrow / wide / np.sqrt(1024 / 64) < 1.6
    assert wide < 0.1 * abs(limit).max()


@pytest.mark.slow
def test_it_has_derivatives_in_test_inputs_and_labels(data):
    x, y, x_test = data

    def ours(y, x_test):
        return jnp.sum(FunctionFlow(rbf, x, y, loss="sum", rtol=1e-10, atol=1e-12).mean(x_test, 0.4) ** 2)

    def closed(y, x_test):
        return jnp.sum(GradientFlow(rbf, x, y, loss="sum").mean(x_test, 0.4) ** 2)

    for a, b in zip(jax.grad(ours, (0, 1))(y, x_test), jax.grad(closed, (0, 1))(y, x_test), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_mistakes_get_one_clear_line(data, monkeypatch):
    x, y, x_test = data
    flow = FunctionFlow(rbf, x, jnp.array([0, 1, 1, 1, 0, 0]), loss="cross_entropy")
    with pytest.raises(ValueError, match="finite times"):
        flow.mean(x_test, jnp.inf)
    with pytest.raises(ValueError, match="finite times"):
        flow.ensemble(x_test, jnp.array([1.0, jnp.inf]), jr.key(0), 10)
    with pytest.raises(ValueError, match="at least 2 members"):
        flow.ensemble(x_test, 1.0, jr.key(0), 1)
    with pytest.raises(ValueError, match="from 0 to 1"):
        FunctionFlow(rbf, x, jnp.array([0, 1, 2, 1, 0, 0]), loss="cross_entropy", outputs=2)
    monkeypatch.setitem(sys.modules, "diffrax", None)
    with pytest.raises(ImportError, match=r"equitangents\[ode\]"):
        FunctionFlow(rbf, x, y, loss="sum")
