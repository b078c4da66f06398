"""Means of one-sided powers, and of kinked functions over inputs in special positions."""

import functools
import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.corrections import expand, gaussian_means, sample_tensors
from equitangents.corrections.orthant import OneSidedMeans, orthant_probability
from equitangents.nets import AbRelu, Dense, LeakyRelu, Relu, Serial

ROOT_OF_ROUNDING = 1e-7  # what an angle at 0 is known to
FACTOR = jnp.array([[0.9, 0.0, 0.0, 0.0], [0.4, 0.7, 0.0, 0.0], [-0.3, 0.5, 0.6, 0.0], [0.2, -0.4, 0.3, 0.8]])
SPECIAL = {  # rows of a factor of K: the positions of four inputs
    "generic": FACTOR,
    "two equal": FACTOR[jnp.array([0, 1, 2, 1])],
    "parallel": FACTOR[jnp.array([0, 1, 2, 1])] * jnp.array([[1.0], [1.0], [1.0], [1.7]]),
    "opposite": FACTOR[jnp.array([0, 1, 2, 1])] * jnp.array([[1.0], [1.0], [1.0], [-0.6]]),
    "two pairs": FACTOR[jnp.array([0, 1, 0, 1])] * jnp.array([[1.0], [1.0], [1.0], [-1.0]]),
    "three equal": FACTOR[jnp.array([0, 1, 1, 1])],
    "all equal": FACTOR[jnp.array([1, 1, 1, 1])],
    "in a plane": jnp.array([[0.8, -0.5], [0.2, 1.3], [-0.9, 0.3], [1.2, 0.6]]),
    "in a space": jnp.array([[0.8, -0.5, 1.1], [0.2, 1.3, -0.4], [-0.9, 0.3, 0.5], [1.2, 0.6, -0.1]]),
    "a square": jnp.array([[1.0, 0.3], [-0.3, 1.0], [-1.0, -0.3], [0.3, -1.0]]),
    "a sum": jnp.array([[1.0, 0.0, 0.2], [0.3, 0.9, 0.0], [1.3, 0.9, 0.2], [0.5, 0.1, 0.7]]),
}
POWERS = ((0, 0, 0, 0), (0, 1, 0, 1), (1, 1, 1, 1), (2, 0, 1, 1), (0, 0, 0, 3))


@pytest.mark.parametrize("m", range(5))
def test_orthants_of_variables_with_correlation_one_half(m):
    """That of m + 1 independent ones of which the first is the smallest."""
    rho = jnp.full((m, m), 0.5) + 0.5 * jnp.eye(m)
    np.testing.assert_allclose(orthant_probability(rho), 1 / (m + 1), rtol=1e-12)


@pytest.mark.parametrize("apart", (1e-2, 1e-5, 1e-8, 0.0))
def test_two_pairs_of_nearly_equal_variables_are_two_pairs(apart):
    """Independent pairs, so a product of Sheppard's formula; digits are those that arcsine and quadrature keep."""
    pair = jnp.array([[1.0, 1 - apart], [1 - apart, 1.0]])
    one = 0.25 + math.asin(1 - apart) / (2 * math.pi)
    rho = jnp.block([[pair, jnp.zeros((2, 2))], [jnp.zeros((2, 2)), pair]])
    np.testing.assert_allclose(orthant_probability(rho), one**2, rtol=1e-12)


@pytest.fixture(scope="module")
def means():
    """One compiled function for all positions."""
    return jax.jit(lambda k: jnp.stack([OneSidedMeans(k).mean(powers) for powers in POWERS]))


@pytest.mark.parametrize("factor", SPECIAL.values(), ids=SPECIAL)
def test_means_are_those_of_samples(factor, means, getkey):
    found = np.asarray(means(factor @ factor.T))
    z = np.asarray(jr.normal(getkey(), (200_000, factor.shape[1])) @ factor.T)
    for powers, value in zip(POWERS, found, strict=True):
        draws = np.prod(np.where(z > 0, z**powers, 0.0), axis=1)
        assert abs(draws.mean() - value) < 5 * draws.std() / math.sqrt(len(draws)) + ROOT_OF_ROUNDING, powers


@pytest.mark.parametrize("factor", SPECIAL.values(), ids=SPECIAL)
def test_means_are_limits_of_those_at_general_positions(factor, means, getkey):
    """Any way to them; the rate is that of the angle, the root of the perturbation of K."""
    aside = jr.normal(getkey(), (4, 4))
    wide = jnp.pad(factor, ((0, 0), (0, 4 - factor.shape[1])))
    exact = means(factor @ factor.T)
    for step in (1e-3, 1e-5):
        near = wide + step * aside
        np.testing.assert_allclose(means(near @ near.T), exact, atol=10 * step)


def test_equal_variables_are_one_of_a_higher_power(means):
    k = jnp.full((4, 4), 0.7)
    half = [0.5, 0.5 * 0.7, 0.5 * 3 * 0.7**2, 0.5 * 3 * 0.7**2, math.sqrt(2 / math.pi) * 0.7**1.5]
    np.testing.assert_allclose(means(k), half, rtol=ROOT_OF_ROUNDING)


def test_slopes_are_finite_at_special_positions():
    along = FACTOR @ FACTOR.T
    orthant = jax.jit(lambda k: jax.jvp(lambda k: OneSidedMeans(k).mean((0, 1, 0, 0)), (k,), (along,))[1])
    for factor in SPECIAL.values():
        assert jnp.all(jnp.isfinite(orthant(factor @ factor.T)))


BLOBS = (
    ((0, 0), (1, 0)),
    ((0, 1), (1, 1)),
    ((0, 0), (0, 0), (1, 1), (1, 1)),
    ((0, 0), (0, 1), (1, 0), (1, 1)),
    ((0, 0), (1, 0), (2, 1), (2, 1)),
    ((0, 0), (1, 1), (2, 0), (2, 1)),
)


@pytest.mark.parametrize("layer", [Relu(), AbRelu(-0.4, 1.1)], ids=["relu", "ab"])
def test_parallel_and_opposite_samples_of_kinks(layer, getkey):
    """Means of two and of four factors against samples; some are the same number on both sides of the kink."""
    means = jax.jit(lambda k: gaussian_means(layer, BLOBS, k))
    z = math.sqrt(0.7) * jr.normal(getkey(), (100_000, 2)) @ jnp.array([[1.0, 0.3], [0, 0.91**0.5]])
    for c in (1.0, 1.7, -1.0, -0.6):
        k = 0.7 * jnp.array([[1.0, c, 0.3], [c, c**2, 0.3 * c], [0.3, 0.3 * c, 1.0]])
        three = jnp.stack([z[:, 0], c * z[:, 0], z[:, 1]])
        values = [np.asarray(f(three)) for f in (layer.phi, jax.vmap(jax.vmap(jax.grad(layer.phi))))]
        for blob, value in zip(BLOBS, means(k), strict=True):
            draws = np.prod([values[order][sample] for sample, order in blob], axis=0)
            assert abs(draws.mean() - value) < 5 * draws.std() / math.sqrt(len(draws)) + ROOT_OF_ROUNDING, (c, blob)


WITH_KINKS = ("K", "Theta", "V", "D", "F", "A", "B", "G1", "H1")


def relu(phi, width=4, depth=3, bias=0.0):
    dense = Dense(width, 2**0.5, bias, 0.7, bias)
    return Serial(*[dense, phi] * (depth - 1), Dense(1, 2**0.5, bias, 0.7, bias))


def test_a_copy_of_an_input_has_its_tensors():
    """Two inputs, a copy of the first and the opposite of the second, without biases."""
    x = jnp.array([[0.6, -0.2, 0.5], [0.3, 0.8, -0.4]])
    found = expand(relu(Relu()), jnp.stack([x[0], x[1], x[0], -x[1]]), WITH_KINKS)[-1]
    for name in WITH_KINKS:
        tensor = np.asarray(found.tensors[name])
        close = functools.partial(
            np.testing.assert_allclose, atol=ROOT_OF_ROUNDING * np.abs(tensor).max(), err_msg=name
        )
        for axis in range(tensor.ndim):
            close(np.take(tensor, 2, axis), np.take(tensor, 0, axis))


X = jnp.array([[0.8, -0.5, 1.1], [0.2, 1.3, -0.4], [-0.9, 0.3, 0.5], [1.2, 0.6, -0.1]])
SAMPLED = {
    "opposite": (Relu(), jnp.stack([X[0], X[1], -X[1], X[2]]), 0.0, 20_000),
    "four": (Relu(), X, 0.3, 20_000),
    "opposite, leaky": (LeakyRelu(0.3), jnp.stack([X[0], X[1], -X[1]]), 0.0, 100_000),
    "four, many": (Relu(), X, 0.3, 200_000),
}


@pytest.mark.parametrize(
    "case", ["opposite", "four", *(pytest.param(n, marks=pytest.mark.slow) for n in [*SAMPLED][2:])]
)
def test_tensors_of_relu_networks_match_samples(case, getkey):
    """At layer 2, where they are exact at any width."""
    phi, x, bias, draws = SAMPLED[case]
    names = ("V", "D", "F", "A", "B")
    expected = expand(relu(phi, 5, 3, bias), x, WITH_KINKS)[1]
    found = sample_tensors(relu(phi, 5, 2, bias), x, names, draws, getkey(), batch=500)
    for name in names:
        gap, size = np.abs(found.mean[name] - expected.tensors[name]), np.abs(expected.tensors[name]).max()
        assert np.all(gap < 5 * found.error[name] + ROOT_OF_ROUNDING * size), name  # some are the same in every network
        assert found.error[name].max() < 0.05 * size, "too noisy to test anything"


@pytest.mark.parametrize("position", ["in a plane", "a square", "parallel"])
def test_four_inputs_in_special_positions_are_limits_of_general_ones(position):
    """In two dimensions without biases; images that are rotated onto each other."""
    x = SPECIAL[position]
    exact, near = (
        expand(relu(Relu()), each, WITH_KINKS)[-1].tensors
        for each in (x, x + 1e-7 * jnp.sin(jnp.arange(x.size, dtype=x.dtype)).reshape(x.shape))
    )
    for name, tensor in exact.items():
        np.testing.assert_allclose(tensor, near[name], atol=1e-5 * float(jnp.max(jnp.abs(tensor))), err_msg=name)
