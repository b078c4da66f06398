"""Cholesky, Chebyshev series and eigendecomposition give one answer; evidence and posteriors against the formulas."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from equitangents import nngp
from equitangents.dynamics import (
    GradientFlow,
    fit_hyperparameters,
    log_marginal_likelihood,
    nngp_posterior,
    ntkgp_posterior,
)
from equitangents.dynamics.clocks import FlowClock
from equitangents.dynamics.inverse import invert, settled
from equitangents.dynamics.polynomial import apply_series, coefficients, row_bound
from equitangents.nets import Dense, Erf, Serial


@jax.jit
def rbf(x1, x2=None):
    """A kernel pair; the NTK is no function of the NNGP."""
    x2 = x1 if x2 is None else x2
    squares = jnp.sum((x1[:, None] - x2[None]) ** 2, axis=-1)
    return jnp.exp(-squares / 2), jnp.exp(-squares) + 0.3 * (x1 @ x2.T) ** 2


@pytest.fixture(scope="module")
def large():
    keys = jr.split(jr.key(7), 3)
    x, y, x_test = jr.normal(keys[0], (300, 3)), jr.normal(keys[1], (300, 2)), jr.normal(keys[2], (5, 3))
    return x, y, x_test


def brute(x, y, x_test, t, ridge):
    """Mean and covariance by NumPy's eigendecomposition."""
    (k, ntk), (k_test, ntk_test), k11 = rbf(x), rbf(x_test, x), rbf(x_test)[0]
    s, v = np.linalg.eigh(np.asarray(ntk) + ridge * np.eye(len(x)))
    gains = -np.expm1(-s * t) / s
    b = np.asarray(ntk_test) @ (v * gains) @ v.T
    return b @ y, k11 - b @ k_test.T - k_test @ b.T + b @ k @ b.T


@pytest.mark.parametrize("t", [1e-3, 0.01, 3.0, np.inf])
def test_many_examples_take_other_ways_to_the_same_answer(large, t):
    """At the first two moments a series is used, at the third the eigendecomposition, at the last Cholesky."""
    flow = GradientFlow(rbf, *large[:2], loss="sum", ridge=0.5)
    mean, covariance = flow.predict(large[2], t)
    assert flow.regression.decomposed() == (t == 3.0)
    expected = brute(*large, t, 0.5)
    np.testing.assert_allclose(mean, expected[0], atol=1e-10)
    np.testing.assert_allclose(covariance, expected[1], atol=1e-10)
    np.testing.assert_allclose(flow.mean(large[2], t), mean, atol=1e-10)
    np.testing.assert_allclose(flow.covariance(large[2], t=t), covariance, atol=1e-10)


def test_derivatives_in_a_test_input_pass_through_the_series(large):
    flow = GradientFlow(rbf, *large[:2], loss="sum", ridge=0.5)

    def mean(x):
        return jnp.sum(flow.mean(x, 0.01))

    gradient = jax.grad(mean)(large[2])
    assert not flow.regression.decomposed()
    along = jr.normal(jr.key(1), large[2].shape)
    expected = (mean(large[2] + 1e-5 * along) - mean(large[2] - 1e-5 * along)) / 2e-5
    np.testing.assert_allclose(jnp.sum(gradient * along), expected, rtol=1e-7)


def test_what_is_chosen_by_numbers_may_stand_in_a_traced_program(large):
    flow = GradientFlow(rbf, *large[:2], loss="sum", ridge=0.5)
    np.testing.assert_allclose(jax.jit(lambda x: flow.mean(x, 0.01))(large[2]), flow.mean(large[2], 0.01), atol=1e-12)


@pytest.mark.optimised
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("t", [0.0, 0.1, 10.0])
def test_the_series_is_cut_where_rounding_begins(getkey, t, dtype):
    a = np.asarray(jr.normal(getkey(), (40, 40))) / 6
    s, b = jnp.asarray(a @ a.T, dtype), jr.normal(getkey(), (40, 3)).astype(dtype)
    clock, bound = FlowClock(jnp.asarray(t, dtype)), row_bound(s)
    assert bound >= np.linalg.eigvalsh(s)[-1]
    c = coefficients(clock, bound, np.dtype(dtype), 256)
    assert c is not None and len(c) % 4 == 0
    n = len(s)
    exact = scipy.linalg.expm(t * np.block([[-np.asarray(s, float), np.eye(n)], [np.zeros((n, 2 * n))]]))[
        :n, n:
    ] @ np.asarray(b, float)
    error = np.abs(np.asarray(apply_series(c, s, bound, b), float) - exact).max()
    assert error <= 200 * np.finfo(dtype).eps * max(t, 1e-300) * np.abs(b).max() * np.sqrt(n)
    assert coefficients(clock, bound, np.dtype(dtype), len(c) - 1) is None


def test_the_pseudo_inverse_and_its_derivatives_at_a_turning_null_space(getkey):
    """Rank three of six: `settled` must see it, and its derivative is that of the formula A (A^T A)^-2 A^T."""
    a, turn, b = jr.normal(getkey(), (6, 3)), jr.normal(getkey(), (6, 3)), jr.normal(getkey(), (6, 2))

    def ours(h):
        m = (a + h * turn) @ (a + h * turn).T
        return settled(invert(m), b)

    def formula(h):
        m = a + h * turn
        inner = jnp.linalg.inv(m.T @ m)
        return m @ inner @ inner @ m.T @ b

    assert not invert(a @ a.T).definite and invert(a @ a.T + jnp.eye(6)).definite
    for f in (lambda g: g, jax.jacfwd):
        np.testing.assert_allclose(f(ours)(0.0), f(formula)(0.0), atol=1e-10)


def test_second_derivatives_at_the_end_are_refused_in_the_matrix_and_exist_in_the_labels(getkey):
    s, b = jnp.diag(jnp.array([1.0, 2.0])), jr.normal(getkey(), (2, 1))
    with pytest.raises(NotImplementedError, match="second derivatives"):
        jax.grad(jax.grad(lambda h: jnp.sum(settled(invert(h * s), b) ** 2)))(1.0)
    hessian = jax.hessian(lambda b: jnp.sum(settled(invert(s), b) ** 2))(b)
    np.testing.assert_allclose(hessian[:, 0, :, 0], np.diag([2.0, 0.5]), atol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_an_indefinite_kernel_is_refused_whatever_the_ridge(ridge):
    with pytest.raises(ValueError, match="positive semidefinite"):
        GradientFlow.from_gram(np.eye(3), np.diag([1.0, 1.0, -0.1]), np.ones(3), loss="sum", ridge=ridge)


def test_both_posteriors_are_exact_inference(large):
    x, y, x_test = (a[:6] for a in large)
    for which, posterior in enumerate((nngp_posterior, ntkgp_posterior)):
        inverse = np.linalg.inv(rbf(x)[which] + 0.3 * np.eye(6))
        cross = np.asarray(rbf(x_test, x)[which])
        mean, covariance = posterior(rbf, x, y, x_test, ridge=0.3)
        np.testing.assert_allclose(mean, cross @ inverse @ y, atol=1e-12)
        np.testing.assert_allclose(covariance, rbf(x_test)[which] - cross @ inverse @ cross.T, atol=1e-12)
    flow = GradientFlow(rbf, x, y, loss="sum", ridge=0.3)
    np.testing.assert_allclose(mean, flow.mean(x_test, jnp.inf), atol=1e-12)


@pytest.mark.parametrize("which", ["nngp", "ntk"])
def test_the_evidence_is_the_density_of_a_gaussian(large, which):
    x, y = large[0][:6], large[1][:6]
    gram = rbf(x)[which == "ntk"] + 0.2 * np.eye(6)
    density = scipy.stats.multivariate_normal(np.zeros(6), gram)
    value = log_marginal_likelihood(rbf, x, y, ridge=0.2, which=which)
    np.testing.assert_allclose(value, density.logpdf(np.asarray(y).T).sum(), rtol=1e-12)
    with pytest.raises(ValueError, match="positive definite"):
        log_marginal_likelihood(lambda a, b=None: (0 * a @ a.T,) * 2, x, y, ridge=0.0, which=which)
    with pytest.raises(ValueError, match="got 'both'"):
        log_marginal_likelihood(rbf, x, y, ridge=0.2, which="both")


def net(sigma_w, sigma_b):
    return Serial(Dense(1, sigma_w=sigma_w, sigma_b=sigma_b), Erf(), Dense(1, sigma_w=1.5))


def test_planted_hyperparameters_are_found_within_their_errors(getkey):
    """Data sets drawn from the prior: squared errors in the metric of the Laplace covariance follow chi-square."""
    planted = {"sigma_w": 2.0, "sigma_b": 0.5, "ridge": 0.01}
    start, sets = {"sigma_w": 1.0, "sigma_b": 1.0, "ridge": 0.1}, 40
    x = jr.normal(getkey(), (40, 2))
    gram = nngp(net(2.0, 0.5), x) + 0.01 * jnp.eye(40)
    draws = jnp.einsum("ij,jkl->lik", jnp.linalg.cholesky(gram), jr.normal(getkey(), (40, 8, sets)))
    squares = []
    for y in draws:
        fitted = fit_hyperparameters(net, x, y, start)
        gap = np.array([np.log(fitted.values[k] / planted[k]) for k in start])
        assert all(abs(g) < 5 * fitted.log_errors[k] for g, k in zip(gap, start, strict=True))
        np.testing.assert_allclose(list(fitted.log_errors.values()), np.diagonal(fitted.log_covariance) ** 0.5)
        squares.append(gap @ np.linalg.solve(fitted.log_covariance, gap))

    def plausible(total):
        """Of `sets` times three independent squares: the mean is their number, the variance twice that."""
        return abs(total - 3 * sets) < 5 * np.sqrt(2 * 3 * sets)

    assert fitted.log_likelihood >= log_marginal_likelihood(net(2.0, 0.5), x, y, ridge=0.01)
    assert plausible(sum(squares))
    assert not plausible(sum(squares) / 4) and not plausible(sum(squares) * 4)  # errors wrong by 2 would be noticed


def test_a_fit_needs_a_ridge_and_positive_numbers(large):
    with pytest.raises(ValueError, match="start for"):
        fit_hyperparameters(net, *large[:2], {"sigma_w": 1.0, "sigma_b": 1.0})
    with pytest.raises(ValueError, match="above 0"):
        fit_hyperparameters(net, *large[:2], {"sigma_w": 0.0, "sigma_b": 1.0, "ridge": 1.0})
