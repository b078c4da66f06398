"""Values, derivatives and precision at the singular points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equitangents.numerics import (
    affine_defect,
    angle_of_defect,
    arcsin_safe,
    arcsine_ratio_of_square,
    difference_defect,
    relu_defect,
    safe_divide,
    safe_sqrt,
    sine_minus_angle_cosine,
)

pytestmark = pytest.mark.optimised  # the last digits of float32 and float64
EXTENDED_PI = np.longdouble("3.14159265358979323846264338328")
PRECISIONS = [np.float32, np.float64]

AT_SINGULAR_POINTS = {
    "square root": (safe_sqrt, [(0.0,), (-1.0,)]),
    "quotient": (safe_divide, [(1.0, 0.0), (0.0, 0.0), (1.0, 2.0)]),
    "arcsine": (arcsin_safe, [(1.0,), (-1.0,), (1.5,)]),
    "angle": (angle_of_defect, [(0.0,), (2.0,), (-1e-9,), (2.5,)]),
    "relu": (relu_defect, [(0.0,), (2.0,), (-1e-9,), (2.5,)]),
    "sine minus": (sine_minus_angle_cosine, [(0.0,), (np.pi,), (1.5,)]),
    "affine": (
        affine_defect,
        [(0.0, 0.0, 0.3, 1.0, 0.0), (0.0, 2.0, 1.0, 1.0, 0.5), (0.0, 0.0, 0.0, 2.0, 0.5), (1.0, 1.0, 0.0, 0.0, 0.0)],
    ),
}


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("case", AT_SINGULAR_POINTS.values(), ids=AT_SINGULAR_POINTS)
def test_values_and_derivatives_are_finite_and_keep_their_precision(case, dtype):
    f, points = case
    arguments = tuple(jnp.array(column, dtype) for column in zip(*points, strict=True))
    tangents = tuple(jnp.ones_like(x) for x in arguments)
    value, tangent = jax.jit(lambda *x: jax.jvp(f, x, tangents))(*arguments)

    def total(*x):
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(jax.vmap(f)(*x)))

    reverse = jax.jit(jax.grad(total, argnums=tuple(range(len(arguments)))))(*arguments)
    for leaf in jax.tree.leaves((value, tangent, reverse)):
        assert leaf.dtype == dtype
        assert jnp.all(jnp.isfinite(leaf))
    np.testing.assert_allclose(
        sum(np.sum(leaf) for leaf in jax.tree.leaves(tangent)), sum(np.sum(leaf) for leaf in reverse), rtol=1e-5
    )


REGULAR = {
    "square root": (safe_sqrt, (0.3,)),
    "quotient": (safe_divide, (0.3, -1.7)),
    "arcsine": (arcsin_safe, (-0.6,)),
    "angle, near": (lambda d: angle_of_defect(d), (0.04,)),
    "angle, far": (lambda d: angle_of_defect(d), (1.8,)),
    "relu, near": (relu_defect, (0.04,)),
    "relu, far": (relu_defect, (1.8,)),
    "sine minus, near": (sine_minus_angle_cosine, (0.2,)),
    "sine minus, far": (sine_minus_angle_cosine, (2.9,)),
    "affine": (affine_defect, (0.7, 1.9, 0.4, 1.6, 0.3)),
}


@pytest.mark.parametrize("case", REGULAR.values(), ids=REGULAR)
def test_derivatives_agree_with_central_differences(case):
    f, point = case

    def flat(x):
        return jnp.stack(jax.tree.leaves(f(*x)))

    x, h = jnp.array(point), 1e-5
    steps = h * jnp.eye(len(point))
    expected = jnp.stack([(flat(x + s) - flat(x - s)) / (2 * h) for s in steps], axis=-1)
    np.testing.assert_allclose(jax.jacrev(flat)(x), expected, rtol=1e-8, atol=1e-10)


def defects(dtype):
    """Defects of all sizes, near 0, near 2 and between."""
    small = np.logspace(-14, 0, 3000)
    return np.clip(np.concatenate([small, np.linspace(0, 2, 3000)[1:-1], 2 - small]).astype(dtype), 0, 2)


def extended_series(t):
    """sin t - t cos t in extended precision, by its Taylor series."""
    total = np.zeros_like(t)
    for k in range(25, 0, -1):
        factorial = np.prod(np.arange(1, 2 * k + 2).astype(np.longdouble))
        total = 2 * k / factorial - t * t * total
    return t**3 * total


def extended_angle(d):
    """The angle of d and that of the nearer end, in extended precision."""
    d = d.astype(np.longdouble)
    near = 2 * np.arcsin(np.sqrt(np.minimum(d, 2 - d) / 2))
    return np.where(d > 1, EXTENDED_PI - near, near), near


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no extended precision here")
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_angles_and_relu_defects_are_right_to_their_last_digits(dtype):
    d = defects(dtype)
    angle, near = extended_angle(d)
    expected = np.minimum(d.astype(np.longdouble), 1) - extended_series(near) / EXTENDED_PI
    d_out, relu_angle = relu_defect(d)
    for value, exact in [(angle_of_defect(d), angle), (relu_angle, angle), (d_out, expected)]:
        relative = np.abs(np.asarray(value).astype(np.longdouble) - exact) / exact
        assert np.max(relative) < 2.5 * np.finfo(dtype).eps


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no extended precision here")
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_sine_minus_angle_cosine_is_right_to_its_last_digits(dtype):
    t = np.concatenate([np.logspace(-6, 0, 1000), np.linspace(1, np.pi, 5000)]).astype(dtype)
    exact = extended_series(t.astype(np.longdouble))
    relative = np.abs(np.asarray(sine_minus_angle_cosine(t)).astype(np.longdouble) - exact) / exact
    assert np.max(relative) < 3 * np.finfo(dtype).eps


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no extended precision here")
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_arcsine_ratio_of_square_is_right_to_its_last_digits(dtype):
    x = np.concatenate([np.logspace(-12, -1, 1000), np.linspace(0.1, 0.5, 4000)]).astype(dtype)
    sine = np.sqrt(x.astype(np.longdouble))
    exact = np.arcsin(sine) / sine
    relative = np.abs(np.asarray(arcsine_ratio_of_square(x)).astype(np.longdouble) - exact) / exact
    assert np.max(relative) < 2.5 * np.finfo(dtype).eps
    assert arcsine_ratio_of_square(dtype(0)) == 1


def test_relu_defect_is_the_relu_map_of_cosines():
    d = jnp.linspace(0.01, 1.99, 50)
    angle = jnp.arccos(1 - d)
    cosine = (jnp.sin(angle) + (jnp.pi - angle) * jnp.cos(angle)) / jnp.pi
    np.testing.assert_allclose(relu_defect(d)[0], 1 - cosine, atol=1e-14)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_relu_defect_rises_from_zero_to_one(dtype):
    d = np.sort(defects(dtype))
    d_out = np.asarray(relu_defect(d)[0])
    assert relu_defect(dtype(0))[0] == 0
    assert relu_defect(dtype(2))[0] == 1
    assert np.all(np.diff(d_out) >= -np.finfo(dtype).eps * d_out[1:])
    assert np.all((d_out > 0) & (d_out <= 1))


def test_affine_defect_is_the_affine_map_of_covariances():
    k11, k22, d, w, b = np.random.default_rng(0).uniform(0.1, 2, (5, 100))
    k12 = (1 - d) * np.sqrt(k11 * k22)
    expected = 1 - (w * k12 + b) / np.sqrt((w * k11 + b) * (w * k22 + b))
    np.testing.assert_allclose(affine_defect(k11, k22, d, w, b), expected, atol=1e-14)


def test_affine_defect_keeps_small_defects_in_single_precision():
    d = np.float32(1e-9)
    value = affine_defect(np.float32(1), np.float32(1), d, 1.6, 0.4)
    np.testing.assert_allclose(value, 1.6e-9 / 2.0, rtol=1e-6)


def test_affine_defect_of_zero_variances():
    assert affine_defect(0.0, 0.0, 0.3, 1.5, 0.0) == 0.3  # nothing comes out: unchanged
    assert affine_defect(0.0, 0.0, 1.0, 1.5, 0.2) == 0.0  # only the bias comes out, the same for both


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_difference_defect_of_near_pairs_is_relatively_exact(dtype):
    angle = 1e-3
    u1 = jnp.array([[1.0, 0.0]], dtype)
    u2 = jnp.array([[np.cos(angle), np.sin(angle)]], dtype)
    np.testing.assert_allclose(difference_defect(u1, u2), [2 * np.sin(angle / 2) ** 2], rtol=200 * np.finfo(dtype).eps)
