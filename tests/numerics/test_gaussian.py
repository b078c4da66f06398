"""Quadrature against closed forms, an independent integrator and central differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import erf
from scipy import integrate

from equitangents.numerics import (
    dual_by_quadrature,
    expectation_1d,
    expectation_2d,
    gauss_hermite,
    quadrature_error,
    relu_defect,
    trapezoidal,
)

K11 = jnp.array([0.3, 1.0, 0.2, 10.0])
K22 = jnp.array([0.8, 1.0, 2.0, 10.0])
SMALL = jnp.logspace(-14, 0, 15)
DEFECTS = jnp.concatenate([jnp.array([0.0, 0.4, 1.6, 2.0]), SMALL, 2 - SMALL])


def gelu(x):
    return x * (1 + erf(x / jnp.sqrt(2.0).astype(x.dtype))) / 2


def exact_sin(k11, k22, d):
    k12 = (1 - d) * jnp.sqrt(k11 * k22)
    decay = jnp.exp(-(k11 + k22) / 2)
    return decay * jnp.sinh(k12), decay * jnp.cosh(k12)


def exact_cos(k11, k22, d):
    return exact_sin(k11, k22, d)[::-1]


def exact_erf(k11, k22, d):
    k12 = (1 - d) * jnp.sqrt(k11 * k22)
    product = (1 + 2 * k11) * (1 + 2 * k22)
    return 2 / jnp.pi * jnp.arcsin(2 * k12 / jnp.sqrt(product)), 4 / jnp.pi / jnp.sqrt(product - 4 * k12**2)


def exact_gelu(k11, k22, d):
    """By repeated integration by parts; the second by Price's theorem, differentiating the first."""

    def value(k12):
        product = (1 + k11) * (1 + k22)
        both = 0.25 + jnp.arcsin(k12 / jnp.sqrt(product)) / (2 * jnp.pi)
        density = 1 / (2 * jnp.pi * jnp.sqrt(product - k12**2))
        return k12 * both + density * (k11 * (k22 - k12**2 / (1 + k11)) + k12**2 / (1 + k22))

    k12 = (1 - d) * jnp.sqrt(k11 * k22)
    return value(k12), jax.jvp(value, (k12,), (jnp.ones_like(k12),))[1]


def exact_relu(k11, k22, d):
    d_out, angle = relu_defect(d)
    return jnp.sqrt(k11 * k22) / 2 * (1 - d_out), (jnp.pi - angle) / (2 * jnp.pi)


def exact_abs(k11, k22, d):
    """|u| = relu(u) + relu(-u)."""
    (same, same_prime), (opposite, opposite_prime) = exact_relu(k11, k22, d), exact_relu(k11, k22, 2 - d)
    return 2 * (same + opposite), 2 * (same_prime - opposite_prime)


CLOSED_FORMS = {
    "sin": (jnp.sin, (), exact_sin, 1e-8),
    "cos": (jnp.cos, (), exact_cos, 1e-8),
    "erf": (erf, (), exact_erf, 1e-9),
    "gelu": (gelu, (), exact_gelu, 1e-7),
    "relu": (jax.nn.relu, (0.0,), exact_relu, 1e-9),
    "abs": (jnp.abs, (0.0,), exact_abs, 4e-9),
}


@pytest.mark.parametrize("case", CLOSED_FORMS.values(), ids=CLOSED_FORMS)
def test_duals_agree_with_closed_forms_at_all_defects(case):
    phi, kinks, exact, tolerance = case
    k11, k22, d = jnp.broadcast_arrays(K11[:, None], K22[:, None], DEFECTS[None])
    values = jax.jit(lambda *x: dual_by_quadrature(phi, *x, kinks))(k11, k22, d)
    for value, expected in zip(values, exact(k11, k22, d), strict=True):
        np.testing.assert_allclose(value, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("phi, kinks", [(jnp.tanh, ()), (jax.nn.elu, (0.0,))], ids=["tanh", "elu"])
def test_expectations_agree_with_an_adaptive_integrator(phi, kinks):
    k11, k22, d = 0.7, 1.9, 0.3
    elementwise = {jnp.tanh: np.tanh, jax.nn.elu: lambda x: x if x > 0 else np.expm1(x)}[phi]
    rho, tau = 1 - d, np.sqrt(d * (2 - d))

    def density(x):
        return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)

    def inner(x):
        mean, r = rho * x, np.sqrt(k22)
        kink = [np.clip(-mean / tau, -9, 9)]
        return integrate.quad(lambda y: density(y) * elementwise(r * (mean + tau * y)), -9, 9, points=kink)[0]

    def outer(x):
        return density(x) * elementwise(np.sqrt(k11) * x) * inner(x)

    expected = integrate.quad(outer, -9, 9, points=[0.0], epsabs=1e-10)[0]
    np.testing.assert_allclose(expectation_2d(phi, phi, k11, k22, d, kinks), expected, atol=1e-8)
    mean = integrate.quad(lambda x: density(x) * elementwise(np.sqrt(k11) * x), -9, 9, points=[0.0])[0]
    np.testing.assert_allclose(expectation_1d(phi, k11, kinks), mean, atol=1e-9)


def test_kinks_away_from_zero_and_different_functions():
    """E 1[u > 1] 1[v > 1] at d = 0 is a tail; a step against the identity is a density."""
    step = lambda u: jnp.where(u > 1, 1.0, 0.0)  # noqa: E731
    k = 2.0
    tail = (1 - erf(1 / jnp.sqrt(2 * k))) / 2
    np.testing.assert_allclose(expectation_1d(step, k, (1.0,)), tail, atol=1e-9)
    np.testing.assert_allclose(expectation_2d(step, step, k, k, jnp.array([0.0, 2.0]), (1.0,)), [tail, 0], atol=1e-9)
    k22, d = 0.5, jnp.array([0.0, 1e-8, 0.3, 1.0, 1.9])
    density = jnp.exp(-1 / (2 * k)) / jnp.sqrt(2 * jnp.pi * k)
    expected = (1 - d) * jnp.sqrt(k * k22) * density
    np.testing.assert_allclose(expectation_2d(step, lambda v: v, k, k22, d, (1.0,)), expected, atol=1e-9)


@pytest.mark.parametrize("rule", [gauss_hermite, trapezoidal])
def test_rules_have_gaussian_moments(rule):
    z, w = rule(96)
    for power, moment in [(0, 1), (1, 0), (2, 1), (4, 3), (6, 15)]:
        np.testing.assert_allclose(w @ z**power, moment, atol=2e-5)


@pytest.mark.parametrize("phi, kinks", [(jnp.tanh, ()), (jax.nn.elu, (0.0,))])
def test_derivatives_agree_with_central_differences(phi, kinks):
    x, h = jnp.array([0.6, 1.4, 0.3]), 1e-4
    dual = jax.jit(lambda x: jnp.stack(dual_by_quadrature(phi, *x, kinks)))
    steps = h * jnp.eye(3)
    expected = jnp.stack([(dual(x + s) - dual(x - s)) / (2 * h) for s in steps], axis=-1)
    np.testing.assert_allclose(jax.jit(jax.jacrev(dual))(x), expected, atol=2e-7)


def test_derivatives_are_right_at_coincident_and_opposite_inputs():
    for phi, exact in [(jnp.sin, exact_sin), (gelu, exact_gelu)]:
        d = jnp.array([0.0, 1e-12, 1.0, 2.0])
        k11, k22 = jnp.full_like(d, 0.6), jnp.full_like(d, 1.4)
        for value, exact_value in zip(
            jax.jit(jax.jacfwd(lambda *x, phi=phi: dual_by_quadrature(phi, *x), (0, 1, 2)))(k11, k22, d),
            jax.jacfwd(exact, (0, 1, 2))(k11, k22, d),
            strict=True,
        ):
            for a, b in zip(value, exact_value, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-7)


def test_derivatives_are_right_at_zero_variance():
    gradient = jax.jit(jax.jacrev(lambda x: jnp.stack(dual_by_quadrature(jnp.cos, *x))))
    k22 = 0.8
    e = np.exp(-k22 / 2)  # of E[cos u cos v] = exp(-(k11 + k22)/2) at d = 1
    np.testing.assert_allclose(gradient(jnp.array([0.0, k22, 1.0])), [[-e / 2, -e / 2, 0], [0, 0, 0]], atol=1e-8)
    along = jax.jvp(lambda k: dual_by_quadrature(jnp.sin, k, k, 0.0), (0.0,), (1.0,))[1]
    np.testing.assert_allclose(along, [1.0, -1.0], atol=1e-8)  # exp(-k) sinh k and exp(-k) cosh k


@pytest.mark.optimised
@pytest.mark.parametrize(
    "phi, kinks, dtype", [(jnp.tanh, (), np.float32), (jnp.tanh, (), np.float64), (jax.nn.elu, (0.0,), np.float32)]
)
def test_singular_covariances_are_finite_in_both_precisions(phi, kinks, dtype):
    points = [(1, 1, 0), (1, 1, 2), (0, 0, 0), (0, 1, 1), (0, 1, 0), (2, 1, 0), (1, 1, 1e-7)]
    k11, k22, d = jnp.array(points, dtype).T

    def dual(*x):
        return jax.vmap(lambda *y: dual_by_quadrature(phi, *y, kinks))(*x)

    values, pull = jax.jit(lambda *x: jax.vjp(dual, *x))(k11, k22, d)
    gradients = pull(tuple(jnp.ones_like(v) for v in values))
    for leaf in (*values, *gradients):
        assert leaf.dtype == dtype
        assert jnp.all(jnp.isfinite(leaf))
    for value, exact in zip(values, dual_by_quadrature(phi, *np.array(points, float).T, kinks), strict=True):
        np.testing.assert_allclose(value, exact, atol=3e-5 if dtype == np.float32 else 1e-12)


def test_zero_variance_is_the_limit_from_above():
    zero, small = (dual_by_quadrature(jax.nn.relu, k, k, 0.5, (0.0,)) for k in (0.0, 1e-12))
    np.testing.assert_allclose(zero, small, atol=1e-11)


def test_the_error_estimate_is_honest():
    for phi, kinks in [(jnp.tanh, ()), (jax.nn.relu, (0.0,))]:
        assert quadrature_error(phi, kinks, variance=10.0) < 1e-6
    undeclared = quadrature_error(jax.nn.relu, (), variance=1.0)
    assert undeclared > 1e-3
    k, d = jnp.ones(6), jnp.array([0.0, 0.01, 0.5, 1.0, 1.5, 2.0])
    true = max(
        float(jnp.max(jnp.abs(a - b)))
        for a, b in zip(dual_by_quadrature(jax.nn.relu, k, k, d), exact_relu(k, k, d), strict=True)
    )
    assert true / 10 < undeclared < 10 * true


def test_too_few_nodes_are_refused():
    with pytest.raises(ValueError, match="expected at least 2 nodes; got nodes=1"):
        expectation_1d(jnp.tanh, 1.0, nodes=1)
