"""Tensors of random finite networks against `expand`; tolerances are standard errors."""

import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import ntk
from equitangents.corrections import expand, extrapolate, sample_tensors
from equitangents.nets import Conv, Dense, Erf, Gelu, Identity, Relu, Serial, Sin, Tanh

AVERAGED, TANGENT = ("V", "D", "F", "A", "B", "G1", "H1"), ("P", "Q", "R", "S", "T", "U")
FOUR = jnp.array([[0.8, -0.5, 1.1], [0.2, 1.3, -0.4], [-0.9, 0.3, 0.5], [1.2, 0.6, -0.1]])
TWO = FOUR[:2]


def network(phi, width, depth, c_w=1.5, c_b=0.1):
    numbers = (math.sqrt(c_w), math.sqrt(c_b), 0.7, 0.3)
    return Serial(*[Dense(width, *numbers), phi] * (depth - 1), Dense(1, *numbers))


def deviations(found, expected):
    """In standard errors; components that have none, as they vanish by symmetry, are compared with 0."""
    value, error, expected = (np.asarray(a) for a in (found.value, found.error, expected))
    np.testing.assert_allclose(expected[error == 0], value[error == 0], atol=1e-10)
    return np.abs(value - expected)[error > 0] / error[error > 0]


def at_one_width(found, name):
    return extrapolate([found.width], [found.mean[name]], [found.error[name]], degree=0)


@pytest.mark.parametrize("draws", [6_000, pytest.param(200_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("phi", "width"), [(Sin(), 5)], ids=["sin"])
def test_all_tensors_of_the_second_layer_are_exact_at_any_width(phi, width, draws, getkey):
    names = ("V", "D", "F", "A", "B", *TANGENT)
    net = network(phi, width, 2)
    expected = expand(net, FOUR, names)[-1]
    found = sample_tensors(net, FOUR, names, draws, getkey(), method="autodiff", batch=20 if draws < 1e4 else 100)
    for name in names:
        assert deviations(at_one_width(found, name), expected.tensors[name]).max() < 4, name


LAYER_3 = {"tanh": (Tanh(), 1.5, 0.1), "erf": (Erf(1.0, 2**-0.5), 1.5, 0.1), "gelu": (Gelu(), 1.98305826, 0.17292239)}


FEW, MANY = ((12, 20, 32), 1_500), ((16, 32, 64), 12_000)


@pytest.mark.parametrize(
    ("name", "size"), [("erf", FEW), *(pytest.param(n, MANY, marks=pytest.mark.slow) for n in LAYER_3)]
)
def test_extrapolated_tensors_of_the_third_layer_are_those_of_the_recursion(name, size, getkey):
    phi, c_w, c_b = LAYER_3[name]
    widths, draws = size
    runs = [sample_tensors(network(phi, n, 3, c_w, c_b), TWO, AVERAGED, draws, getkey(), batch=100) for n in widths]
    expected = expand(network(phi, 8, 3, c_w, c_b), TWO)[-1]
    for tensor in AVERAGED:
        values, errors = ([getattr(run, what)[tensor] for run in runs] for what in ("mean", "error"))
        fit = extrapolate(widths, values, errors, degree=2)
        assert deviations(fit, expected.tensors[tensor]).max() < 4, tensor
        assert np.min(fit.error) < 0.1 * np.max(np.abs(expected.tensors[tensor])), "too noisy to test anything"


@pytest.mark.slow
def test_tangent_tensors_of_the_third_layer(getkey):
    widths, draws = (8, 12, 16, 32), (200_000, 150_000, 100_000, 50_000)
    runs = [
        sample_tensors(network(Tanh(), n, 3), TWO, TANGENT, d, getkey()) for n, d in zip(widths, draws, strict=True)
    ]
    expected = expand(network(Tanh(), 8, 3), TWO, TANGENT)[-1]
    for tensor in TANGENT:
        values, errors = ([getattr(run, what)[tensor] for run in runs] for what in ("mean", "error"))
        assert deviations(extrapolate(widths, values, errors, 2), expected.tensors[tensor]).max() < 4, tensor


@pytest.mark.slow
def test_the_two_methods_agree_where_the_expansion_does_not_hold(getkey):
    net, names = network(Tanh(), 4, 3), ("V", "D", "F", "A", "B")
    one = sample_tensors(net, TWO, names, 40_000, getkey(), method="averaged")
    two = sample_tensors(net, TWO, names, 100_000, getkey(), method="autodiff")
    for name in names:
        gap, error = one.mean[name] - two.mean[name], np.hypot(one.error[name], two.error[name])
        assert np.max(np.abs(gap) / error) < 4, name


@pytest.mark.parametrize("width", [3, 5, 8])
def test_the_mean_tangent_kernel_of_relu_has_no_correction_for_an_input_with_itself(width, getkey):
    """At any width, so not to any order; by an estimator that knows nothing of it, raw products of gradients."""
    net, x = Serial(*[Dense(width, 2**0.5), Relu()] * 3, Dense(1, 2**0.5)), TWO[:1]
    draws, theta = _kernels(net, x, getkey(), 40_000), ntk(net, x).item()
    error = float(jnp.std(draws)) / math.sqrt(len(draws))
    assert abs(float(jnp.mean(draws)) - theta) < 4 * error < 0.1 * theta
    assert jnp.std(draws) > 0.5 * theta  # single networks are far off


def _kernels(net, x, key, draws):
    def kernel(key):
        slope = jax.grad(lambda p: net.apply(p, x[0])[0])(net.init(key, x.shape[1:])[1])
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(slope))

    return jax.jit(jax.vmap(kernel))(jr.split(key, draws))


def test_relu_corrections_of_two_inputs_fall_as_one_over_width(getkey):
    """n (E Theta - Theta_infinity) goes to H1, 0 on the diagonal to the last digit."""
    widths = (16, 32, 64)
    net = [Serial(*[Dense(n, 2**0.5), Relu()] * 2, Dense(1, 2**0.5)) for n in widths]
    runs = [sample_tensors(each, TWO, ("G1", "H1"), 3_000, getkey()) for each in net]
    expected = expand(net[0], TWO, ("G1", "H1"))[-1]
    for name in ("G1", "H1"):
        fit = extrapolate(widths, [r.mean[name] for r in runs], [r.error[name] for r in runs], degree=1)
        exact = expected.tensors[name]
        np.testing.assert_allclose(np.diagonal(exact), 0, atol=1e-12)
        np.testing.assert_allclose(np.diagonal(fit.value), 0, atol=4 * np.max(fit.error))
        assert abs(fit.value[0, 1] - exact[0, 1]) < 4 * fit.error[0, 1] < 0.4 * abs(exact[0, 1])


def test_a_run_goes_on_where_it_stopped(getkey):
    net, key = network(Erf(), 4, 2), getkey()
    whole = sample_tensors(net, TWO, ("V", "F"), 120, key, batch=20)
    begun = sample_tensors(net, TWO, ("V", "F"), 40, key, batch=20)
    both = begun.merged(sample_tensors(net, TWO, ("V", "F"), 80, key, batch=20, first=begun.batches))
    for name in ("V", "F"):
        np.testing.assert_allclose(both.mean[name], whole.mean[name], rtol=1e-12)
        np.testing.assert_allclose(both.error[name], whole.error[name], rtol=1e-10)
    with pytest.raises(ValueError, match="expected samples of the same tensors at the same width"):
        begun.merged(sample_tensors(network(Erf(), 5, 2), TWO, ("V", "F"), 40, key, batch=20))


def test_unequal_widths_enter_as_their_ratio(getkey):
    """A linear network: V = 2 K^2 (1 + n_2 / n_1) at layer 3, in units of 1 / n_2."""
    net = Serial(Dense(20), Identity(), Dense(40), Identity(), Dense(1))
    found = sample_tensors(net, jnp.ones((1, 2)), ("V",), 4_000, getkey())
    exact = 40 * ((1 + 2 / 40) * (1 + 2 / 20) - 1)  # E (z^2)^2 = 3 K^2 (1 + 2/n_1)(1 + 2/n_2)
    assert abs(found.mean["V"].item() - exact) < 4 * found.error["V"].item() < 0.2 * exact


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tensors": ("X",)}, "expected names of tensors among V"),
        ({"tensors": ("G1",), "method": "autodiff"}, "expected names of tensors among V"),
        ({"draws": 10}, "expected at least two batches"),
        ({"x": TWO[:, :, None]}, "expected inputs without sites"),
    ],
)
def test_refusals(arguments, message, getkey):
    given = {"net": network(Tanh(), 4, 2), "x": TWO, "tensors": ("V",), "draws": 1000, "key": getkey()} | arguments
    with pytest.raises(ValueError, match=message):
        sample_tensors(**given)


def test_other_networks_are_refused(getkey):
    with pytest.raises(ValueError, match="expected Dense, nonlinearity, Dense"):
        sample_tensors(Serial(Conv(4, 2), Relu(), Dense(1)), TWO, ("V",), 1000, getkey())


def test_extrapolation_is_exact_for_a_polynomial_and_its_error_that_of_least_squares(getkey):
    widths = np.array([5, 8, 13, 40])
    values = 2 - 3 / widths + 4 / widths**2
    errors = np.array([0.1, 0.2, 0.1, 0.05])
    fit = extrapolate(widths.tolist(), values, errors, degree=2)
    np.testing.assert_allclose([fit.value, fit.chi2], [2, 0], atol=1e-9)
    noisy = values + errors * np.asarray(jr.normal(getkey(), (4000, 4)))
    fits = extrapolate(widths.tolist(), noisy.T, np.repeat(errors[:, None], 4000, 1), degree=1)
    np.testing.assert_allclose(np.std(fits.value), fits.error[0], rtol=0.05)
    with pytest.raises(ValueError, match="expected more than 1 different widths"):
        extrapolate([5, 5], [1.0, 1.0], [0.1, 0.1])
