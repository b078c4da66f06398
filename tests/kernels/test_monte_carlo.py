"""Kernels at infinite width against averages over finite networks; tolerances are measured standard errors."""

import math

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax import lax
from jaxtyping import Array

from cases import ACTIVATIONS, NETS
from equitangents import monte_carlo, nngp_and_ntk
from equitangents.nets import AbstractActivation, Cos, Dense, ExpNormalized, Relu, Serial

# compiling takes long: what is much like another case is left to the full run
SLOW = ["dense, linear, deep", "frozen head", "conv 1d strided", "conv 2d valid", "avg pool overlapping", "conv rates"]
SLOW += ["conv, pool, nonlinearity", "dilated, transposed", "local, sums", "maps of sites", "depthwise", "branches"]
SLOW += ["recurrent", "attention", "masked", "positions", "attention with positions", "shared"]
SLOW += ["masked attention", "masked recurrent", "residual conv", "conv 1d same"]
MARKED = {name: pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NETS}
BIASED = [MARKED[name] for name, case in NETS.items() if not case.unbiased]
UNBIASED = [MARKED[name] for name, case in NETS.items() if case.unbiased]
WIDE = pytest.param(32, marks=pytest.mark.slow)  # compiling each network once more is what takes long


FINITE = [name for name, phi in ACTIVATIONS.items() if not isinstance(phi, ExpNormalized)]  # it has a kernel only


class Chosen(AbstractActivation):
    """One of all nonlinearities, by its number, so that one compiled program serves them all."""

    number: Array

    def phi(self, z):
        return lax.switch(self.number, [ACTIVATIONS[name].phi for name in FINITE], z)


def assert_within(measured, expected, error, z=5.0):
    assert measured.shape == expected.shape
    assert np.all(np.abs(measured - expected) <= z * error + 1e-12 * np.abs(expected).max())
    assert np.mean(error) <= 0.1 * np.abs(expected).max()  # or the test would say little


def _behind_dense(phi, n):
    return Serial(Dense(n, 1.3, 0.4), phi, Dense(2, 1.1, 0.3))


@pytest.mark.parametrize("width", [4, WIDE])
@pytest.mark.parametrize("name", FINITE)
def test_every_nonlinearity_has_the_kernels_of_random_networks_of_any_width(name, width, getkey):
    x = jr.normal(getkey(), (2, 3))
    phi = Chosen(jnp.array(FINITE.index(name)))
    finite = monte_carlo(_behind_dense(phi, width), x, key=getkey(), networks=3000)
    infinite = nngp_and_ntk(_behind_dense(ACTIVATIONS[name], 1), x)
    for measured, error, expected in zip(finite[:2], finite[2:], infinite, strict=True):
        assert_within(measured, expected, error)


@pytest.mark.parametrize("width", [4, WIDE])
@pytest.mark.parametrize("name", UNBIASED)
def test_random_networks_of_any_width_have_the_kernels_of_infinite_width_on_average(name, width, getkey):
    make, x = NETS[name].make, NETS[name].examples(getkey())
    finite = monte_carlo(make(width), x, key=getkey(), networks=3000)
    for measured, error, expected in zip(finite[:2], finite[2:], nngp_and_ntk(make(width), x), strict=True):
        assert_within(measured, expected, error)


@pytest.mark.parametrize("name", BIASED)
def test_networks_of_two_widths_extrapolate_to_infinite_width(name, getkey):
    make, x = NETS[name].make, NETS[name].examples(getkey())
    narrow, wide = (monte_carlo(make(n), x, key=getkey(), networks=4000) for n in (16, 32))
    for i, expected in enumerate(nngp_and_ntk(make(1), x)):
        assert_within(2 * wide[i] - narrow[i], expected, np.hypot(2 * wide[2 + i], narrow[2 + i]))


def _deep(phi, width, outputs, sigma_w):
    hidden = [layer for _ in range(3) for layer in (Dense(width, sigma_w), phi)]
    return Serial(*hidden, Dense(outputs, sigma_w))


def test_bias_and_variance_of_the_tangent_kernel_fall_as_one_over_width():
    x = jnp.array([[1.0, 0.5, -1.0], [-1.0, 1.0, 1.0]])
    expected = nngp_and_ntk(_deep(Cos(), 1, 1, 1.5), x)[1][0, 1]
    biases, errors = [], []
    for width in (8, 16, 32):
        result = monte_carlo(_deep(Cos(), width, 2, 1.5), x, key=jr.key(width), networks=8000)
        biases.append(float(result.ntk[0, 1] - expected))
        errors.append(float(result.ntk_error[0, 1]))
    for i in (0, 1):
        ratio = biases[i] / biases[i + 1]
        error = ratio * math.hypot(errors[i] / biases[i], errors[i + 1] / biases[i + 1])
        assert error < 0.4
        assert abs(ratio - 2) < 3 * error  # 1 if it did not fall, 4 if it fell as 1 / width^2
        assert abs((errors[i] / errors[i + 1]) ** 2 - 2) < 0.5  # ratio of variances, each known to a few per cent


def test_relu_networks_of_any_width_have_the_variance_and_tangent_kernel_of_infinite_width(getkey):
    """Weights of symmetric law see only signs: theory says that the bias is zero at x1 = x2, at any depth."""
    x = jnp.array([[1.0, 0.5, -1.0]])
    result = monte_carlo(_deep(Relu(), 4, 2, math.sqrt(2)), x, key=getkey(), networks=8000)
    variance = 2 * 2.25 / 3  # each of the four layers keeps it and adds it to the tangent kernel
    assert_within(result.nngp, jnp.array([[variance]]), result.nngp_error)
    assert_within(result.ntk, jnp.array([[4 * variance]]), result.ntk_error)


def test_the_same_key_gives_the_same_numbers_and_batches_need_not_be_equal(getkey):
    x1, x2, key = jr.normal(getkey(), (2, 3)), jr.normal(getkey(), (4, 3)), getkey()
    net = Serial(Dense(8), Relu(), Dense(1))
    once, again = (monte_carlo(net, x1, x2, key=key, networks=3) for _ in range(2))
    assert once.nngp.shape == once.ntk_error.shape == (2, 4)
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    whole = monte_carlo(net, jnp.concatenate([x1, x2]), key=key, networks=3)
    np.testing.assert_allclose(once.ntk, whole.ntk[:2, 2:], rtol=1e-12)


def test_averages_take_the_precision_of_the_inputs(getkey):
    x = jr.normal(getkey(), (2, 3), jnp.float32)
    result = monte_carlo(Serial(Dense(8), Relu(), Dense(1)), x, key=getkey(), networks=3)
    assert all(a.dtype == jnp.float32 for a in result)


def test_the_error_is_the_standard_deviation_of_the_mean(getkey):
    x = jr.normal(getkey(), (1, 3))
    net = Serial(Dense(8), Relu(), Dense(1))
    means = np.array([monte_carlo(net, x, key=getkey(), networks=50).ntk[0, 0] for _ in range(200)])
    stated = monte_carlo(net, x, key=getkey(), networks=5000).ntk_error[0, 0] * 10
    assert abs(means.std() / stated - 1) < 5 / math.sqrt(2 * 200)


def test_too_few_networks_and_wrong_inputs_are_refused(getkey):
    x = jnp.ones((2, 3))
    with pytest.raises(ValueError, match="networks to be an integer >= 2"):
        monte_carlo(Dense(1), x, key=getkey(), networks=1)
    with pytest.raises(ValueError, match=r"examples of one shape, got \(3,\) and \(4,\)"):
        monte_carlo(Dense(1), x, jnp.ones((2, 4)), key=getkey(), networks=2)
