"""Gaussian expectations of nonlinearities: closed forms against quadrature, quadrature against another one."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad

from cases import ACTIVATIONS, CLOSED_FORMS, JUMPS, SERIES
from equitangents import nngp
from equitangents.kernels import dual, second_moment
from equitangents.kernels.activations import _completed, has_closed_form, method_of
from equitangents.nets import Activation, Dense, Serial
from equitangents.numerics import expectation_2d

# equal and unequal variances, a large and a small one; aligned, near, orthogonal, obtuse and opposite
K11, K22, D = (
    jnp.asarray(a.ravel())
    for a in np.meshgrid([0.2, 1.0, 3.0], [0.2, 1.5], [0.0, 0.01, 0.5, 1.0, 1.7, 2.0], indexing="ij")
)


def slope(phi):
    def derivative(z):
        return jax.jvp(phi, (z,), (jnp.ones_like(z),))[1]

    return derivative


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_table_says_which_duals_have_closed_forms(name):
    expected = "closed form" if name in CLOSED_FORMS else "series" if name in SERIES else "quadrature"
    assert method_of(ACTIVATIONS[name]) == expected
    assert has_closed_form(ACTIVATIONS[name]) == (name in CLOSED_FORMS)


WITH_PHI = [name for name in CLOSED_FORMS if name != "exp normalized"]


@pytest.mark.parametrize("name", WITH_PHI)
def test_closed_forms_are_the_expectations_that_quadrature_finds(name):
    layer = ACTIVATIONS[name]

    @jax.jit
    def quadrature(*k):
        kinks, nodes = layer.kinks, None if layer.kinks else 150
        return tuple(expectation_2d(f, f, *k, kinks, nodes) for f in (layer.phi, slope(layer.phi)))

    found = dual(layer, K11, K22, D)
    for value, expected in zip(found[:2], quadrature(K11, K22, D), strict=True):
        # quadrature with kinks leaves out what is farther than 7 deviations, where a cube is large
        np.testing.assert_allclose(value, expected, rtol=1e-7, atol=5e-6 if "cube" in name else 1e-7)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_defects_and_second_moments_are_those_of_the_first_expectation(name):
    layer = ACTIVATIONS[name]
    e, _, *defect = dual(layer, K11, K22, D)
    first, second = second_moment(layer, K11), second_moment(layer, K22)
    assert bool(jnp.all(e**2 <= first * second * (1 + 1e-6)))
    for d in defect:
        np.testing.assert_allclose(d, 1 - e / jnp.sqrt(first * second), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in CLOSED_FORMS if name not in [*JUMPS, "exp normalized"]])
def test_the_second_expectation_is_the_derivative_of_the_first_by_the_covariance(name):
    """Price's theorem: dE[phi phi]/dk12 = E[phi' phi'], and k12 = sqrt(k11 k22) (1 - d)."""
    inside = (D > 0) & (D < 2)
    k11, k22, d = K11[inside], K22[inside], D[inside]
    layer = ACTIVATIONS[name]
    by_defect = jax.grad(lambda d: jnp.sum(dual(layer, k11, k22, d)[0]))(d)
    np.testing.assert_allclose(-by_defect / jnp.sqrt(k11 * k22), dual(layer, k11, k22, d)[1], rtol=1e-10, atol=1e-12)


ELSEWHERE = {
    "tanh": (math.tanh, lambda z: 1 - math.tanh(z) ** 2),
    "elu": (lambda z: z if z > 0 else 0.8 * math.expm1(z), lambda z: 1.0 if z > 0 else 0.8 * math.exp(z)),
    "softplus": (lambda z: math.log1p(math.exp(z)), lambda z: 1 / (1 + math.exp(-z))),
    "user's": (lambda z: z / math.sqrt(1 + z * z), lambda z: (1 + z * z) ** -1.5),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_series_and_quadratures_agree_with_an_adaptive_one(name):
    k11, k22, d = 1.5, 0.6, 0.3
    c = math.sqrt(k11 * k22) * (1 - d)
    rest = math.sqrt(k22 - c**2 / k11)
    found = dual(ACTIVATIONS[name], *(jnp.asarray(v) for v in (k11, k22, d)))
    for value, f in zip(found[:2], ELSEWHERE[name], strict=True):

        def integrand(y, x, f=f):
            u = math.sqrt(k11) * x
            return f(u) * f(c / k11 * u + rest * y) * math.exp(-(x * x + y * y) / 2) / (2 * math.pi)

        pieces = [(-8, 0), (0, 8)]  # a kink of elu in u; that in v is left to the adaptive rule
        expected = sum(dblquad(integrand, *piece, -8, 8, epsabs=1e-7, epsrel=1e-7)[0] for piece in pieces)
        np.testing.assert_allclose(float(value), expected, atol=1e-6)


@pytest.mark.optimised
@pytest.mark.parametrize("name", [*SERIES, "gabor", "rectified cube", "gelu", "erf", "polynomial"])
def test_defects_of_near_pairs_keep_their_digits_in_single_precision(name):
    """Also where only the variances differ; the double-precision defect by extended subtraction is of 1e-16."""
    k11, k22, d = (
        jnp.asarray(a.ravel(), jnp.float32).astype(jnp.float64)
        for a in np.meshgrid([0.3, 1.0, 2.5], [0.999, 1.0, 1.002], [0.0, 1e-6, 1e-5, 1e-3], indexing="ij")
    )
    k22 = (k11 * k22).astype(jnp.float32).astype(jnp.float64)
    double, single = (
        jax.jit(lambda *k: _completed(ACTIVATIONS[name], *k)[2])(*(x.astype(t) for x in (k11, k22, d)))
        for t in (jnp.float64, jnp.float32)
    )
    assert np.max(np.abs(single.astype(jnp.float64) - double) / (double + 1e-9)) < 2e-3


BOUNDED_OR_LINEAR = [
    "relu",
    "leaky relu",
    "abs",
    "a b relu",
    "sign",
    "erf",
    "erf shifted",
    "gelu",
    "sin",
    "sin shifted",
]
BOUNDED_OR_LINEAR += ["cos", "cos shifted", "rbf", "gaussian", "identity"]


@pytest.mark.parametrize("name", BOUNDED_OR_LINEAR)
@pytest.mark.parametrize("k", [3e2, 1e10, 1e30])
def test_large_variances_give_finite_duals_in_single_precision(name, k):
    k11, k22, d = (
        jnp.asarray(a.ravel(), jnp.float32)
        for a in np.meshgrid([0.0, 1e-30, 1.0, k], [k, k / 9], [0.0, 1e-7, 0.5, 1, 2])
    )
    for found in _completed(ACTIVATIONS[name], k11, k22, d):
        assert bool(jnp.all(jnp.isfinite(found)))


def step(z):
    return jnp.where(z > 0.5, z, 0.5)


def test_a_kink_that_is_not_named_is_warned_of():
    x = jnp.ones((1, 2))
    with pytest.warns(UserWarning, match=r"estimated error of .*name the points"):
        nngp(Serial(Dense(1), Activation(step), Dense(1)), x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = nngp(Serial(Dense(1), Activation(step, kinks=(0.5,)), Dense(1)), x)
    mass, density = math.erfc(0.5 / math.sqrt(2)) / 2, math.exp(-1 / 8) / math.sqrt(2 * math.pi)
    np.testing.assert_allclose(named, 0.25 * (1 - mass) + 0.5 * density + mass, rtol=1e-9)
