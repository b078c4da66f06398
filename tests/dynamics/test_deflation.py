"""Training in closed form without an eigendecomposition, where a few eigenvalues are large."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.dynamics.deflation import deflate

N = 300
SPECTRA = {
    "one large": np.r_[100.0, np.linspace(0.1, 1, N - 1)],
    "three large": np.r_[300.0, 200.0, 150.0, np.geomspace(1e-6, 1, N - 3)],
    "two equal": np.r_[100.0, 100.0, np.linspace(0.1, 1, N - 2)],
    "rank two": np.r_[3.0, 1.0, np.zeros(N - 2)],
}


def matrix(values, seed=0):
    v, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(N, N)))
    s = (v * values) @ v.T
    return (s + s.T) / 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SPECTRA)
def test_parts_add_up_and_the_bound_holds(name, dtype):
    s = matrix(SPECTRA[name])
    parts = deflate(jnp.asarray(s, dtype))
    largest, eps = SPECTRA[name].max(), np.finfo(dtype).eps
    whole = np.asarray(parts.rest, np.float64) + np.asarray((parts.vectors * parts.values[None, :]) @ parts.vectors.T)
    np.testing.assert_allclose(whole, s, rtol=0, atol=8 * eps * largest)
    assert np.linalg.eigvalsh(np.asarray(parts.rest, np.float64)).max() < parts.bound < largest / 10
    np.testing.assert_allclose(parts.rest @ parts.vectors, 0, atol=N**0.5 * 4 * eps * largest)


@pytest.mark.parametrize("values", [np.ones(N), np.linspace(0.5, 1, N)], ids=["identity", "flat"])
def test_a_flat_spectrum_gives_up_or_stays_exact(values):
    parts = deflate(jnp.asarray(matrix(values)))
    if parts is not None:
        assert np.linalg.eigvalsh(np.asarray(parts.rest)).max() < parts.bound


@pytest.mark.parametrize("loss", ["sum", "mean"])
@pytest.mark.parametrize("time", [0.5, 30.0, 900.0])
@pytest.mark.parametrize("name", ["one large", "three large", "two equal"])
def test_predictions_are_those_of_the_eigendecomposition(name, time, loss):
    s, draw = matrix(SPECTRA[name]), np.random.default_rng(1)
    cross, y = draw.normal(size=(3, N)), draw.normal(size=(N, 2))
    t = time * (N if loss == "mean" else 1) / 10
    flow = GradientFlow.from_gram(s, s, y, loss=loss)
    found = flow.mean_from(cross, t)
    assert flow.regression.decomposed() == (time == 900.0)  # where a series would take longer
    values, vectors = np.linalg.eigh(s)
    gain = -np.expm1(-values * time / 10) / values
    np.testing.assert_allclose(found, cross @ vectors @ (gain[:, None] * (vectors.T @ y)), rtol=0, atol=1e-9)


def test_rounding_in_float32_is_no_worse_than_that_of_the_eigendecomposition():
    s, draw = matrix(SPECTRA["one large"]), np.random.default_rng(1)
    cross, y = draw.normal(size=(3, N)), draw.normal(size=(N, 2))
    exact = GradientFlow.from_gram(s, s, y, loss="sum").mean_from(cross, 20.0)
    single = [jnp.asarray(a, jnp.float32) for a in (s, s, y)]
    series, decomposed = (GradientFlow.from_gram(*single, loss="sum") for _ in range(2))
    decomposed.regression.spectrum()
    cross = jnp.asarray(cross, jnp.float32)
    errors = [
        np.abs(np.asarray(flow.mean_from(cross, 20.0)) - np.asarray(exact)).max() for flow in (series, decomposed)
    ]
    assert not series.regression.decomposed()
    assert errors[0] <= 2 * errors[1]


@pytest.mark.parametrize("t", [0.1, 1.0, 5.0])
def test_test_inputs_may_be_traced(t):
    s, draw = matrix(SPECTRA["one large"]), np.random.default_rng(1)
    cross, y = draw.normal(size=(3, N)), draw.normal(size=(N, 2))
    flow = GradientFlow.from_gram(s, s, y, loss="sum")
    np.testing.assert_allclose(jax.jit(lambda c: flow.mean_from(c, t))(cross), flow.mean_from(cross, t), atol=1e-12)
