"""Kernels and their gradients where formulas are singular: equal, opposite and zero inputs, in both precisions."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from cases import ACTIVATIONS
from equitangents import kernel, nngp_and_ntk
from equitangents.nets import Dense, Serial

pytestmark = pytest.mark.optimised  # float32
GENERIC = np.array([[0.3, -0.7, 1.1], [1.0, 0.4, -0.2], [-0.5, 0.8, 0.6], [0.2, 0.1, 1.4]])
SINGULAR = np.array([[0.3, -0.7, 1.1], [-0.3, 0.7, -1.1], [0.0, 0.0, 0.0], [0.6, -1.4, 2.2]])
# gradients take long to compile, of a quadrature with kinks most; one of each kind is always tested
SLOW = ["sigmoid", "silu", "softplus", "elu", "user's", "erf shifted", "sin shifted", "cos shifted", "identity"]
SLOW += ["leaky relu", "sin", "cos", "abs", "a b relu", "rbf", "exp", "monomial", "hermite", "rectified step", "mish"]
SLOW += ["rectified cube", "selu", "exp normalized", "gaussian", "gabor", "polynomial", "rectified square", "gelu"]
SLOW += ["tanh"]  # with one hidden layer it is always tested
EVERY = [pytest.param(name, 2, marks=pytest.mark.slow) if name in SLOW else (name, 2) for name in ACTIVATIONS]
EVERY += [("tanh", 1)]


@functools.cache
def _compiled(name, hidden):
    """Values, and gradients with respect to inputs and hyperparameters, of a sum over both kernels."""
    phi = ACTIVATIONS[name]

    def total(x1, sigma_w, sigma_b, x2):
        net = Serial(*[Dense(1, sigma_w, sigma_b), phi] * hidden, Dense(1))
        signs = jnp.cos(jnp.arange(32.0)).reshape(2, 4, 4).astype(x1.dtype)  # no entry cancels another
        kernels = jnp.stack(nngp_and_ntk(net, x1, x2))
        return jnp.vdot(signs, kernels), kernels

    return jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))


def evaluated(name, hidden, x1, sigma_w, sigma_b, x2, dtype):
    (total, kernels), gradients = _compiled(name, hidden)(*(jnp.asarray(a, dtype) for a in (x1, sigma_w, sigma_b, x2)))
    return total, np.asarray(kernels), gradients


@pytest.mark.parametrize(("name", "hidden"), EVERY)
def test_kernels_and_gradients_are_finite_at_equal_opposite_and_zero_inputs(name, hidden):
    """With a bias of zero, so that zero inputs have variance zero in all layers of odd nonlinearities."""
    single, double = (
        evaluated(name, hidden, SINGULAR, 1.3, 0.0, SINGULAR, dtype) for dtype in (jnp.float32, jnp.float64)
    )
    for (_, kernels, gradients), dtype in ((single, jnp.float32), (double, jnp.float64)):
        assert all(bool(jnp.all(jnp.isfinite(a))) for a in (kernels, *gradients))
        assert kernels.dtype == gradients[0].dtype == dtype
    assert np.abs(single[1].astype(float) - double[1]).max() < 1e-5 * np.abs(double[1]).max()


@pytest.mark.parametrize(("name", "hidden"), EVERY)
def test_gradients_are_central_differences_away_from_singular_points(name, hidden):
    x1, x2 = GENERIC, GENERIC[::-1] + 0.1
    _, _, (slope_x, slope_w, slope_b) = evaluated(name, hidden, x1, 1.3, 0.4, x2, jnp.float64)
    h, direction = 1e-4, np.cos(np.arange(12.0)).reshape(4, 3)
    steps = [(h * direction, 0, 0), (0 * direction, h, 0), (0 * direction, 0, h)]
    found = [jnp.vdot(slope_x, direction), slope_w, slope_b]
    for slope, (dx, dw, db) in zip(found, steps, strict=True):
        moved = ((x1 + s * dx, 1.3 + s * dw, 0.4 + s * db, x2) for s in (1, -1))
        up, down = (evaluated(name, hidden, *arguments, jnp.float64)[0] for arguments in moved)
        np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=2e-6, atol=2e-6)


DEEP = {"relu": 2**0.5, "erf": 1.5, "gelu": 1.5}  # sigma_w


def _deep(name, x):
    """Both kernels at depth 30, by a block that is compiled once."""
    dense = Dense(1, DEEP[name], 0.1)
    k = kernel(dense, x)
    for _ in range(30):
        k = kernel(Serial(ACTIVATIONS[name], dense), k)
    return k.k12, k.ntk


@pytest.mark.parametrize("scale", [1.0, 1.001, 3.0])
@pytest.mark.parametrize("name", DEEP)
def test_deep_kernels_of_near_duplicates_are_right_in_single_precision(name, scale, getkey):
    x = jr.normal(getkey(), (30, 20), jnp.float32)
    x = jnp.concatenate([x, scale * (x + 1e-3 * jr.normal(getkey(), x.shape, jnp.float32))])
    single, double = (_deep(name, x.astype(dtype)) for dtype in (jnp.float32, jnp.float64))
    missed = []
    for which, found, exact in zip(("nngp", "ntk"), single, double, strict=True):
        found, exact = np.asarray(found).astype(float), np.asarray(exact)
        size = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
        error, large = np.abs(found - exact), np.abs(exact) > 0.1 * size
        worst = max(np.max(error / size), np.max((error / np.abs(exact))[large]))
        assert worst < (3e-5 if name == "gelu" else 1e-5)
        if worst >= 1e-5:
            missed.append(which)
        smallest = [np.linalg.eigvalsh(k / size)[0] for k in (found, exact)]
        # rounding the exact matrix to single precision moves its eigenvalues by this much
        rounding = np.linalg.norm(exact.astype(np.float32) / size - exact / size, 2)
        assert smallest[1] > 0
        # that of the NNGP lies below it; that of the NTK does not
        allowed = 5 * rounding if which == "nngp" else 0
        right = abs(smallest[0] - smallest[1]) < 0.01 * smallest[1] + allowed
        assert right or name == "gelu", which
        if not right:
            missed.append(which)
    if missed:
        # the variances round by some 1e-7 a layer, which the following layers, with sigma_w = 1.5, enlarge by 1.15 each
        pytest.xfail("GELU at depth 30: entries right to 2e-5, not yet to 1e-5, nor the smallest eigenvalue to 1 %")
