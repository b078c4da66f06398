"""Series of nonlinearities without a closed form, from small to large variances, against sums over a fine grid.

`python tests/kernels/test_series.py` prints the table of docs/kernels.md.
"""

import functools
import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import nngp_and_ntk
from equitangents.kernels import dual, estimated_error, propagate
from equitangents.kernels.activations import method_of
from equitangents.kernels.kernel import Kernel
from equitangents.kernels.series import SMALLEST, series_plan
from equitangents.nets import Activation, Dense, Mish, Serial, Sigmoid, Silu, Softplus, Tanh
from equitangents.numerics import DOUBLE, SINGLE, strided_nodes

pytestmark = pytest.mark.optimised  # float32


def sech_squared(x):
    return (2 / (np.exp(-np.abs(x)) + np.exp(np.abs(x)))) ** 2 if np.max(np.abs(x)) < 700 else 1 - np.tanh(x) ** 2


def logistic(x):
    return (1 + np.tanh(x / 2)) / 2


def softplus(x):
    return np.logaddexp(0, x)


# phi and its derivative, without the package
EXACT = {
    Tanh(): (np.tanh, sech_squared),
    Sigmoid(): (logistic, lambda x: sech_squared(x / 2) / 4),
    Silu(): (lambda x: x * logistic(x), lambda x: logistic(x) + x * sech_squared(x / 2) / 4),
    Softplus(): (softplus, logistic),
    Mish(): (
        lambda x: x * np.tanh(softplus(x)),
        lambda x: np.tanh(softplus(x)) + x * logistic(x) * sech_squared(softplus(x)),
    ),
}
VARIANCES = [0.1, 1.0, 16.0, 128.0, 1000.0]
DEFECTS = np.array([2.0, 1.9, 1.0, 0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 0.0])
STATED = {jnp.float32: 2e-6, jnp.float64: 4e-9}
"""Of all functions above up to a variance of 1000, relative to the root of the values at d = 0; see docs/kernels.md."""


def grid(step):
    z = np.arange(-math.ceil(8.6 / step), math.ceil(8.6 / step) + 1) * step
    weight = np.exp(-(z**2) / 2)
    return z, weight / weight.sum()


@functools.cache
def brute_force(f, k11, k22, d):
    """E f(u) f(v) by the trapezoidal rule in u and in what v has of its own, in steps of at most 0.3."""
    r1, r2, tau = math.sqrt(k11), math.sqrt(k22), math.sqrt(d * (2 - d))
    (x, weight), (y, inner) = (grid(min(0.3 / max(r, 1e-9), 0.2)) for r in (r1, r2 * tau))
    total = 0.0
    for some, w in zip(np.array_split(x, -(-x.size // 64)), np.array_split(weight, -(-x.size // 64)), strict=True):
        second = f(r2 * (1 - d) * some[:, None] + r2 * tau * y) @ inner if tau else f(r2 * (1 - d) * some)
        total += w @ (f(r1 * some) * second)
    return total


def errors(layer, k, dtype):
    """The largest of both expectations, of variances (k, k) and (k, 0.3 k)."""
    found = jax.jit(lambda *pair: dual(layer, *pair)[:2])
    worst = [0.0, 0.0]
    for ratio in (1.0, 0.3):
        k11, k22 = (np.float64(np.float32(v)) for v in (k, ratio * k))
        defects = DEFECTS.astype(np.float32).astype(np.float64)
        pair = (jnp.asarray(np.broadcast_to(v, defects.shape), dtype) for v in (k11, k22, defects))
        for i, (values, f) in enumerate(zip(found(*pair), EXACT[layer], strict=True)):
            size = math.sqrt(brute_force(f, k11, k11, 0.0) * brute_force(f, k22, k22, 0.0))
            exact = np.array([brute_force(f, k11, k22, d) for d in defects])
            worst[i] = max(worst[i], float(np.max(np.abs(np.asarray(values, np.float64) - exact))) / size)
    return worst


ALWAYS = [Tanh()]
LAYERS = [layer if layer in ALWAYS else pytest.param(layer, marks=pytest.mark.slow) for layer in EXACT]


@pytest.mark.parametrize("dtype", STATED)
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_both_expectations_are_those_of_a_fine_grid_at_any_variance(layer, dtype):
    for k in VARIANCES:
        assert max(errors(layer, k, dtype)) < STATED[dtype]
        assert estimated_error(layer, k, dtype == jnp.float64) < STATED[dtype] + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("dtype", STATED)
@pytest.mark.parametrize("layer", EXACT, ids=repr)
def test_errors_at_larger_variances_are_below_their_estimates(layer, dtype):
    error = max(errors(layer, 1e4, dtype))
    assert error < estimated_error(layer, 1e4, dtype == jnp.float64) + STATED[dtype]


@pytest.mark.parametrize("rule", [SINGLE, DOUBLE], ids=["single", "double"])
def test_sampled_orders_sum_decaying_exponentials(rule):
    m, weights = strided_nodes(rule)
    for rate in np.geomspace(30 / m[-1], 3, 200):
        assert abs(weights @ np.exp(-rate * m) * -np.expm1(-rate) - 1) < rule.error
    assert weights.min() > 0  # so every kernel is positive semidefinite


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_slopes_are_central_differences_on_and_off_the_diagonal_at_any_variance(layer):
    """By the variances and the defect; small variances take another path than large ones, which must agree."""

    k11, ratio, d = (
        jnp.asarray(a.ravel()) for a in np.meshgrid([1e-3, SMALLEST, 1.0, 30, 1e3], [1.0, 0.7], [1e-4, 0.02, 0.7, 1.8])
    )
    at = [k11, k11 * ratio, d]
    both = jax.jit(jax.vmap(lambda *pair: jnp.stack(dual(layer, *pair)[:2])))  # (points, 2)
    found = jax.jit(jax.vmap(jax.jacfwd(lambda *pair: jnp.stack(dual(layer, *pair)[:2]), (0, 1, 2))))(*at)
    size = jnp.sqrt(both(at[0], at[0], 0 * d) * both(at[1], at[1], 0 * d))
    for i, step in enumerate((1e-4 * at[0], 1e-4 * at[1], jnp.minimum(1e-4, d / 8) / (1 + k11))):
        up, down = (both(*(a + sign * step * float(j == i) for j, a in enumerate(at))) for sign in (1, -1))
        unit = [at[0], at[1], 1 / (1 + k11)][i][:, None] / size
        np.testing.assert_allclose(found[i] * unit, (up - down) / (2 * step[:, None]) * unit, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", STATED)
def test_slopes_are_finite_at_singular_points_at_any_variance(dtype):
    def after(k11, k22, d):
        k12 = jnp.sqrt(k11) * jnp.sqrt(k22) * (1 - d)
        k = propagate(Tanh(), Kernel(k11, k12, k22, d, k12, gaussian=True))
        return jnp.stack([k.k12, k.ntk, k.d])

    k11, k22, d = (
        jnp.asarray(a.ravel(), dtype)
        for a in np.meshgrid([1e-30, 0.01, SMALLEST, 3, 1e3, 1e6, 1e9], [1, 1.001, 0.1], [0, 1e-6, 1, 2])
    )
    slopes = jax.jit(jax.vmap(jax.jacrev(after, (0, 1, 2))))(k11, k11 * k22, d)
    assert all(bool(jnp.all(jnp.isfinite(slope))) for slope in slopes)


def test_variances_beyond_the_table_are_taken_as_limits():
    """tanh is a sign there, and SiLU a ReLU, but for what the highest order stands for."""
    k, d = jnp.full(3, 1e12), jnp.array([0.0, 0.5, 1.0])
    angle = np.arccos(1 - np.asarray(d))
    np.testing.assert_allclose(dual(Tanh(), k, k, d)[0], 1 - 2 * angle / np.pi, atol=5e-3)
    relu = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    np.testing.assert_allclose(dual(Silu(), k, k, d)[0] / k, relu, atol=1e-3)
    assert estimated_error(Tanh(), 1e12) > 0.1


def test_large_inputs_have_the_kernel_that_sampling_the_preactivations_gives():
    """The NTK of one hidden layer of tanh at variance 128 was off by 47 % in single precision."""
    x = jr.normal(jr.key(0), (2, 4), jnp.float32)
    x = x / jnp.sqrt(jnp.mean(x**2, axis=1, keepdims=True))
    found = nngp_and_ntk(Serial(Dense(1, sigma_w=128**0.5), Tanh(), Dense(1)), x)
    d = float(1 - jnp.mean(x[0].astype(float) * x[1].astype(float)))
    values = [[brute_force(f, 128.0, 128.0, defect) for defect in (0.0, d)] for f in EXACT[Tanh()]]
    for i, (e, e_prime) in enumerate(zip(*values, strict=True)):
        expected = [e, e + 128 * (1 - d * i) * e_prime]
        for kernel, value in zip(found, expected, strict=True):
            np.testing.assert_allclose(kernel[0, i], value, rtol=1e-5)


def test_functions_that_no_table_holds_are_estimated_truly():
    """Fast oscillations in k: the estimate is of what is used for them, and says so."""
    layer = Activation(lambda x: jnp.sin(9 * x))
    k, d = jnp.full(3, 4.0), jnp.array([0.0, 1e-3, 0.5])
    exact = (jnp.exp(-81 * 4 * d) - jnp.exp(-81 * 4 * (2 - d))) / 2
    plan = series_plan(layer, True)
    error = jnp.max(jnp.abs(dual(layer, k, k, d)[0] - exact)) / exact[0]
    assert float(error) < 3 * estimated_error(layer, 4.0, True) + 1e-8, plan


@pytest.mark.parametrize("variance", [0.0, -1.0, math.inf, math.nan])
def test_estimates_are_of_positive_variances(variance):
    with pytest.raises(ValueError, match=r"expected a variance .* above 0, finite; got"):
        estimated_error(Tanh(), variance)


def test_a_plan_asked_for_without_x64_is_not_served_with_it():
    """Sampled in float32, a table of a function of its own, which no other test has met, is good to 1e-7 only."""
    layer = Activation(lambda x: jnp.tanh(x) + jnp.tanh(x / 2))
    jax.config.update("jax_enable_x64", False)
    try:
        method, rough = method_of(layer), estimated_error(layer, 1.0, True)
    finally:
        jax.config.update("jax_enable_x64", True)
    assert method == "series" and rough > STATED[jnp.float64] + 1e-9 > estimated_error(layer, 1.0, True)


def print_accuracy():
    """Markdown: the largest error found, by precision and variance."""
    ks = [*VARIANCES, 1e4]
    print("| | " + " | ".join(f"{k:g}" for k in ks) + " |\n| --- |" + " --- |" * len(ks))
    for layer in EXACT:
        for dtype in STATED:
            estimates = [estimated_error(layer, k, dtype == jnp.float64) for k in ks]
            cells = [f"{max(errors(layer, k, dtype)):.0e} ({of:.0e})" for k, of in zip(ks, estimates, strict=True)]
            print(f"| `{type(layer).__name__}`, {jnp.dtype(dtype).name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    print_accuracy()
