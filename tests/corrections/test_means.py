"""Gaussian means: closed forms against quadrature, derivatives, singular covariances, honest estimates."""

import decimal
import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equitangents.corrections import Nodes, estimated_errors, expectations, gaussian_means
from equitangents.corrections.expectations import by_quadrature
from equitangents.corrections.rules import rules
from equitangents.kernels import dual
from equitangents.nets import (
    Abs,
    Cos,
    Elu,
    Erf,
    Gelu,
    Hermite,
    Identity,
    LeakyRelu,
    Polynomial,
    Rbf,
    Relu,
    Sin,
    Softplus,
    Tanh,
)

K = jnp.array([[0.5, 0.2, -0.1, 0.1], [0.2, 0.4, 0.15, 0.05], [-0.1, 0.15, 0.6, 0.2], [0.1, 0.05, 0.2, 0.3]])
CLOSED = {
    "sin": Sin(1.2, 0.8, 0.4),
    "cos": Cos(),
    "Rbf": Rbf(0.4),
    "polynomial": Polynomial((0.1, 0.5, 0.2)),
    "Hermite": Hermite(3),
    "identity": Identity(),
    "erf": Erf(1.3, 0.8),
}
PATTERNS = (
    tuple((((0, p), (0, q)), ()) for p, q in ((0, 0), (0, 1), (1, 3), (2, 2), (1, 5), (0, 4))),
    (
        *((((0, p), (1, q)), ()) for p, q in ((0, 0), (0, 2), (3, 1), (2, 2), (1, 5), (4, 0), (3, 3), (0, 1))),
        (((0, 0), (1, 0)), ((0, 1), (1, 1))),
        (((0, 0), (0, 0)), ((0, 1), (1, 1))),
        (((0, 1), (0, 1), (0, 2), (1, 0)), ()),
    ),
    ((((0, 0), (1, 1)), ((1, 0), (2, 1))), (((0, 0), (1, 1), (2, 2), (2, 1)), ())),
    ((((0, 0), (2, 1)), ((1, 0), (3, 1))), (((0, 0), (1, 1), (2, 2), (3, 1)), ())),
)


@pytest.mark.parametrize("size", (1, 2, 3, 4))
@pytest.mark.parametrize("layer", CLOSED.values(), ids=CLOSED)
def test_closed_forms_are_what_the_quadrature_converges_to(layer, size):
    rule = rules(Nodes(200, 48, 2.0, 2.2 if size < 4 else 2.0))
    k = K[:size, :size]
    exact, numerical = (f(layer, PATTERNS[size - 1], k, rule) for f in (expectations, by_quadrature))
    np.testing.assert_allclose(exact, numerical, rtol=0, atol=1e-10 if size < 3 else 1e-8)


@pytest.mark.parametrize("layer", (Relu(), LeakyRelu(0.2), Abs()), ids=("relu", "leaky", "abs"))
def test_means_of_kinks_are_derivatives_of_the_dual(layer):
    r"""$\langle \partial_\rho \partial_\kappa f \rangle$ is the derivative in K_rho,kappa, twice it on the diagonal."""

    def of_dual(which):
        return lambda k: dual(layer, k[0], k[2], 1 - k[1] / jnp.sqrt(k[0] * k[2]))[which]

    k = jnp.array([0.5, 0.2, 0.4])
    blobs = [((0, p), (1, q)) for p, q in ((2, 0), (1, 1), (0, 2), (4, 0), (3, 1), (2, 2), (5, 1), (4, 2), (3, 3))]
    m = dict(zip([tuple(o for _, o in b) for b in blobs], gaussian_means(layer, tuple(blobs), K[:2, :2]), strict=True))
    weight = jnp.array([2.0, 1.0, 2.0])
    e, e_prime = of_dual(0), of_dual(1)
    np.testing.assert_allclose(jnp.stack([m[2, 0], m[1, 1], m[0, 2]]), weight * jax.grad(e)(k), rtol=1e-9)
    slopes = jnp.stack([m[3, 1], m[2, 2]])
    np.testing.assert_allclose(slopes, (weight * jax.grad(e_prime)(k))[:2], rtol=1e-9)
    second = jax.hessian(e)(k)
    np.testing.assert_allclose(
        jnp.stack([m[4, 0], m[3, 1], m[2, 2]]),
        [4 * second[0, 0], 2 * second[0, 1], second[1, 1]],
        rtol=1e-7,
        atol=1e-12,
    )
    second = jax.hessian(e_prime)(k)
    np.testing.assert_allclose(
        jnp.stack([m[5, 1], m[4, 2], m[3, 3]]), [4 * second[0, 0], 2 * second[0, 1], second[1, 1]], rtol=1e-7
    )


def test_same_neuron_means_of_kinks_match_a_sum_over_the_plane():
    blobs = tuple(
        ((0, p), (0, q), (1, r), (1, t))
        for p, q, r, t in itertools.product((0, 1), repeat=4)
        if (p + q + r + t) % 2 == 0
    )
    found = gaussian_means(LeakyRelu(0.2), blobs, K[:2, :2])
    t, w = np.polynomial.legendre.leggauss(400)
    angle = np.concatenate([(t + 1) * math.pi / 4 + quarter for quarter in np.arange(4) * math.pi / 2])
    low = np.linalg.cholesky(K[:2, :2])
    ray = low @ np.stack([np.cos(angle), np.sin(angle)])
    slope = np.where(ray > 0, 1.0, 0.2)
    values = (slope * ray, slope)
    for blob, mean in zip(blobs, found, strict=True):
        degree = sum(order == 0 for _, order in blob)
        integrand = np.prod([values[order][sample] for sample, order in blob], axis=0)
        expected = {0: 1, 2: 2, 4: 8}[degree] * np.tile(w, 4) @ integrand / 8
        np.testing.assert_allclose(mean, expected, atol=2e-4)  # the kinks lie inside intervals of width 1/250


@pytest.mark.parametrize("layer", (Tanh(), Gelu(), Erf(), Softplus()), ids=("tanh", "gelu", "erf", "softplus"))
@pytest.mark.parametrize("variance", (1.0, 10.0))
def test_halving_and_doubling_the_nodes_stays_within_the_estimate(layer, variance):
    """From n to 2 n nodes the means move by no more than the estimate made with n nodes."""
    k = variance * jnp.array([[1.0, 0.3], [0.3, 0.8]])
    blobs = (((0, 0), (1, 0)), ((0, 1), (1, 1)), ((0, 1), (0, 1), (1, 1), (1, 1)), ((0, 3), (1, 1)), ((0, 2), (1, 2)))
    for nodes in (50, 100):
        estimate = estimated_errors(layer, blobs, k, (nodes, 40))
        change = jnp.abs(
            gaussian_means(layer, blobs, k, (2 * nodes, 40)) - gaussian_means(layer, blobs, k, (nodes, 40))
        )
        assert jnp.all(change <= estimate + 1e-13 * variance**2)


def test_derivatives_match_differences_and_exist_where_k_is_singular():
    blobs = (((0, 0), (1, 0)), ((0, 0), (1, 1), (1, 1)), ((0, 1), (0, 1), (1, 2), (1, 0)))

    def means(k):
        return gaussian_means(Tanh(), blobs, k, Nodes(100, 40, 2.0, 2.0))

    direction, h = jnp.array([[0.3, 0.1], [0.1, -0.2]]), 1e-4
    k = K[:2, :2]
    numerical = (means(k + h * direction) - means(k - h * direction)) / (2 * h)
    np.testing.assert_allclose(jax.jvp(means, (k,), (direction,))[1], numerical, atol=1e-8)
    singular = jnp.full((2, 2), 0.5)
    along = jnp.ones((2, 2))  # stays singular
    numerical = (means(singular + h * along) - means(singular - h * along)) / (2 * h)
    np.testing.assert_allclose(jnp.sum(jax.jacrev(means)(singular), axis=(1, 2)), numerical, atol=1e-8)


def test_covariances_keep_their_digits_for_tiny_k():
    r"""$\sigma'$ of tanh is $1 - z^2 + \dots$, so $Cov(\sigma'^2, \sigma'^2) \to 4 \cdot 2 K^2$."""
    pattern = ((((0, 1), (0, 1)), ((0, 1), (0, 1))),)
    k = 1e-9
    found = expectations(Tanh(), pattern, jnp.array([[k]]), rules(Nodes(100, 40, 2.0, 2.0)))[0]
    np.testing.assert_allclose(found, 8 * k**2, rtol=1e-6)


def test_they_are_differentiable_in_numbers_of_the_nonlinearity():
    blobs = (((0, 0), (1, 0)), ((0, 1), (1, 0), (2, 1)), ((0, 0), (1, 1), (1, 1), (2, 2)))

    def means(numbers):
        return gaussian_means(Erf(1.1, *numbers), blobs, K[:3, :3], Nodes(60, 20, 2.0, 2.0))

    numbers, h = jnp.array([0.7, 0.3]), 1e-4
    both = jax.jit(jax.vmap(means))(numbers[None] + h * jnp.concatenate([jnp.eye(2), -jnp.eye(2)]))
    up, down = jnp.split(both, 2)
    np.testing.assert_allclose(jax.jit(jax.jacrev(means))(numbers).T, (up - down) / (2 * h), atol=1e-8)


Precise = decimal.Decimal
WAVES = {  # as a cos(b z + c): a, b, cos c, sin c
    "sin": (Sin(1.25, 0.75), "1.25", "0.75", "0", "-1"),
    "cos": (Cos(1.0, 0.5), "1", "0.5", "1", "0"),
    "sin and cos": (Cos(1.0, 1.0, math.atan2(0.28, 0.96)), "1", "1", "0.96", "0.28"),
    "Rbf": (Rbf(0.5), Precise(2).sqrt(), "1", Precise("0.5").sqrt(), -Precise("0.5").sqrt()),
}


def precise_mean(numbers, blob, k):
    """A mean of waves, from all signs, with 60 digits."""
    a, b, cosine, sine = map(Precise, numbers)
    total = Precise(0)
    for signs in itertools.product((1, -1), repeat=len(blob)):
        x, y = Precise(1), Precise(0)  # the cosine and sine of all phases
        for sign, (_, order) in zip(signs, blob, strict=True):
            x, y = x * cosine - sign * y * sine, y * cosine + sign * x * sine
            for _ in range(order):
                x, y = -sign * y, sign * x
        ends = [(sign, sample) for sign, (sample, _) in zip(signs, blob, strict=True)]
        variance = sum(s * t * Precise(float(k[i, j])) for s, i in ends for t, j in ends)
        total += x * (-(b**2) * variance / 2).exp()
    return total * a ** len(blob) * b ** sum(order for _, order in blob) / 2 ** len(blob)


@pytest.mark.parametrize("size", (2, 4))
@pytest.mark.parametrize("layer, numbers", [(layer, rest) for layer, *rest in WAVES.values()], ids=WAVES)
def test_waves_keep_all_digits_at_any_k(layer, numbers, size):
    patterns = PATTERNS[size - 1]
    means = jax.jit(lambda k: expectations(layer, patterns, k, rules(Nodes())))
    for scale in (1e-12, 1e-6, 1e-2, 0.15, 0.3, 3.0):
        k = scale * K[:size, :size]
        with decimal.localcontext(prec=60):
            mean = functools.partial(precise_mean, numbers, k=np.asarray(k))
            expected = [float(mean(x + y) - mean(x) * mean(y)) if y else float(mean(x)) for x, y in patterns]
        np.testing.assert_allclose(means(k), expected, rtol=3e-14, atol=1e-50 if scale < 0.2 else 1e-16)


def test_kinks_are_refused_where_means_do_not_exist():
    four = tuple((sample, 0) for sample in range(4))
    with pytest.raises(NotImplementedError, match="not defined"):
        gaussian_means(Relu(), (((0, 0), (0, 1), (0, 2), (1, 1)),), K)
    with pytest.raises(NotImplementedError, match="Elu has a kink"):
        gaussian_means(Elu(), (four,), K)
