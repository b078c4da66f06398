"""Tangent kernels without their matrix: products with vectors, random projections."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax import lax

from equitangents import empirical_ntk
from equitangents.kernels import ntk_vector_product, projected_gradients
from equitangents.nets import Conv, Dense, Relu, Serial, Tanh

NET = Serial(Dense(5, 1.2, 0.3), Tanh(), Dense(2, sigma_b=0.2))


@pytest.mark.parametrize("budget", [1, pytest.param(2**28, marks=pytest.mark.slow)])
def test_the_product_is_that_with_the_matrix(budget, getkey):
    net = Serial(Conv(3, 2, sigma_b=0.2), Relu(), Conv(2, 2))  # outputs with sites
    params, x1, x2 = net.init(getkey(), (3, 2))[1], jr.normal(getkey(), (5, 3, 2)), jr.normal(getkey(), (3, 3, 2))
    v1, v2 = jr.normal(getkey(), (5, 3, 2)), jr.normal(getkey(), (3, 3, 2))
    for second, v in ((None, v1), (x2, v2)):
        matrix = empirical_ntk(net.apply, params, x1, second, outputs="full")
        expected = np.einsum("ijop,jp->io", matrix, v.reshape(len(v), -1)).reshape(x1.shape)
        found = ntk_vector_product(net.apply, params, x1, second, budget=budget)(v)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_complex_parameters_count_as_two_real_ones_in_products(getkey):
    w = lax.complex(*jr.normal(getkey(), (2, 3, 2)))
    x = jr.normal(getkey(), (4, 3))

    def apply(w, x):
        return jnp.abs(x.astype(complex) @ w) ** 2

    v = jr.normal(getkey(), (4, 2))
    expected = np.einsum("ijop,jp->io", empirical_ntk(apply, w, x, outputs="full"), v)
    np.testing.assert_allclose(ntk_vector_product(apply, w, x)(v), expected, rtol=1e-10)
    phi = projected_gradients(apply, w, x[:1], getkey(), 4000)
    found, exact = phi[0, 0] @ phi[0, 0], empirical_ntk(apply, w, x[:1], outputs="full")[0, 0, 0, 0]
    assert abs(found - exact) < 5 * exact * (2 / 4000) ** 0.5


@pytest.mark.parametrize("distribution", [pytest.param("rademacher", marks=pytest.mark.slow), "normal"])
def test_projections_have_the_stated_mean_and_error(distribution, getkey):
    params, x = NET.init(getkey(), (3,))[1], jr.normal(getkey(), (3, 3))
    phi = projected_gradients(NET.apply, params, x, getkey(), 20000, distribution=distribution).reshape(6, -1)
    full = empirical_ntk(NET.apply, params, x, outputs="full").transpose(0, 2, 1, 3).reshape(6, 6)
    terms = phi[:, None] * phi[None] * phi.shape[1]  # independent over the directions
    variance = full**2 + jnp.outer(jnp.diag(full), jnp.diag(full))
    measured = jnp.var(terms, axis=-1)
    assert np.all(np.abs(jnp.mean(terms, -1) - full) < 5 * np.sqrt(measured / 20000))
    ratio = measured / variance
    assert np.all(ratio < 1.1)
    if distribution == "normal":  # fourth moments of 20000 draws: a few per cent
        assert np.all(ratio > 0.9)


@pytest.mark.slow
def test_small_batches_and_the_same_key_give_the_same_projections(getkey):
    params, x, key = NET.init(getkey(), (3,))[1], jr.normal(getkey(), (5, 3)), getkey()
    whole, small = (projected_gradients(NET.apply, params, x, key, 7, budget=b) for b in (2**28, 1))
    assert whole.shape == (5, 2, 7)
    np.testing.assert_allclose(small, whole, rtol=1e-12)


def test_wrong_vectors_and_dimensions_are_refused(getkey):
    params, x = NET.init(getkey(), (3,))[1], jnp.ones((4, 3))
    with pytest.raises(ValueError, match=r"v of shape \(4, 2\)"):
        ntk_vector_product(NET.apply, params, x)(jnp.ones((4, 3)))
    with pytest.raises(ValueError, match="dimension to be an integer"):
        projected_gradients(NET.apply, params, x, getkey(), 0)
    with pytest.raises(ValueError, match="'rademacher' or 'normal'"):
        projected_gradients(NET.apply, params, x, getkey(), 3, distribution="cauchy")
