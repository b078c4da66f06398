"""Kernels and their gradients where formulas are singular: equal, opposite and zero inputs, in both precisions."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from cases import ACTIVATIONS, CLOSED_FORMS
from equitangents import kernel, nngp_and_ntk
from equitangents.kernels import propagate
from equitangents.kernels.kernel import Kernel
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


QUICK = ["gelu", "sin"]  # whose slopes were NaN where deep networks shrink variances
RANGES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CLOSED_FORMS]


@pytest.mark.parametrize("name", RANGES)
def test_slopes_are_finite_at_variances_from_the_smallest_to_large(name):
    """In float32 of equal, near and other inputs, with variances of a ratio of 1.001."""

    def after(k11, k22, d):
        k12 = jnp.sqrt(k11) * jnp.sqrt(k22) * (1 - d)
        k = propagate(ACTIVATIONS[name], Kernel(k11, k12, k22, d, k12, gaussian=True))
        return jnp.stack([k.k12, k.ntk, k.d])

    k = 10.0 ** jnp.arange(-37.0, 8)
    d = jnp.repeat(jnp.array([0, 1e-6, 0.5]), len(k))
    k11, k22, d = (a.astype(jnp.float32) for a in (jnp.tile(k, 3), jnp.tile(1.001 * k, 3), d))
    slopes = jax.jit(jax.vmap(jax.jacrev(after, (0, 1, 2))))(k11, k22, d)
    assert not any(bool(jnp.any(jnp.isnan(slope))) for slope in slopes)


DEEP = {"relu": 2**0.5, "erf": 1.5, "gelu": 1.5}  # sigma_w


def _deep(name, x):
    """Both kernels at depth 30, by a block that is compiled once."""
    dense = Dense(1, DEEP[name], 0.1)
    k = kernel(dense, x)
    for _ in range(30):
        k = kernel(Serial(ACTIVATIONS[name], dense), k)
    return k


@pytest.mark.parametrize("scale", [1.0, 1.001, 3.0])
@pytest.mark.parametrize("name", DEEP)
def test_deep_kernels_of_near_duplicates_are_right_in_single_precision(name, scale, getkey):
    """Entries to 1e-5; smallest eigenvalues to 1 %, and to what rounding does to eigenvalues of the exact matrix.

    Those of the NNGP, and of GELU's NTK, are 1e-9 to 2e-5 of the diagonal: no matrix of single precision has them to
    1 %. An NNGP is rounded once, as angles and variances are carried; an NTK is a sum that each layer rounds anew. The
    NTKs of ReLU and erf have no allowance.
    """
    roundings = {"nngp": 1.0, "ntk": 30**0.5 if name == "gelu" else 0.0}
    for _ in range(3):
        x = jr.normal(getkey(), (30, 20), jnp.float32)
        x = jnp.concatenate([x, scale * (x + 1e-3 * jr.normal(getkey(), x.shape, jnp.float32))])
        single, double = (
            (k.k12, k.ntk) for k in (_deep(name, x.astype(dtype)) for dtype in (jnp.float32, jnp.float64))
        )
        for which, found, exact in zip(roundings, single, double, strict=True):
            found, exact = np.asarray(found).astype(float), np.asarray(exact)
            size = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
            error, large = np.abs(found - exact), np.abs(exact) > 0.1 * size
            assert max(np.max(error / size), np.max((error / np.abs(exact))[large])) < 1e-5
            smallest = [np.linalg.eigvalsh(k / size)[0] for k in (found, exact)]
            rounding = np.linalg.norm(exact.astype(np.float32) / size - exact / size, 2)
            assert smallest[1] > 0
            assert abs(smallest[0] - smallest[1]) < 0.01 * smallest[1] + roundings[which] * rounding


def test_variances_keep_the_digits_that_a_deep_network_enlarges(getkey):
    """Those of GELU at sigma_w = 1.5, where each error of a variance grows 66 times in 30 layers."""
    x = 2.0 ** jnp.linspace(-2, 2, 60)[:, None] * jr.normal(getkey(), (60, 20))  # of the shape compiled above
    x = x.astype(jnp.float32)
    found, exact = (_deep("gelu", x.astype(dtype)) for dtype in (jnp.float32, jnp.float64))
    np.testing.assert_allclose(found.k11.astype(float), exact.k11, rtol=1e-7)
