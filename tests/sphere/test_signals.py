"""Signals on the circle and the sphere: transforms, rotations, vectors and tensors, against independent routes."""

import gc
import weakref

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.special

from equitangents.sphere import (
    SO2,
    SO3,
    analysis,
    euler_angles,
    from_tensors,
    from_vectors,
    random_rotations,
    real_harmonics,
    rotate,
    rotate_circle,
    spherical_grid,
    synthesis,
    to_complex,
    to_real,
    to_tensors,
    to_vectors,
    wigner_D,
    wigner_real,
)


def complex_harmonic(l, m, beta, alpha):
    """SciPy's, under its old and its new name."""
    if hasattr(scipy.special, "sph_harm_y"):
        return scipy.special.sph_harm_y(l, m, beta, alpha)
    return scipy.special.sph_harm(m, l, alpha, beta)


def points(lmax):
    """The directions of the grid as unit vectors."""
    beta, alpha, _ = spherical_grid(lmax)
    x, y = np.sin(beta)[:, None] * np.cos(alpha), np.sin(beta)[:, None] * np.sin(alpha)
    return np.stack(np.broadcast_arrays(x, y, np.cos(beta)[:, None]), -1)


@pytest.mark.parametrize("lmax", [0, 3, 32])
def test_analysis_inverts_synthesis(lmax, getkey):
    f = jr.normal(getkey(), (2, (lmax + 1) ** 2))
    assert jnp.max(jnp.abs(analysis(synthesis(f)) - f)) < 1e-12


@pytest.mark.parametrize("lmax", [1, 12, 32])
def test_synthesis_is_the_sum_of_scipys_harmonics(lmax, getkey):
    f = jr.normal(getkey(), ((lmax + 1) ** 2,))
    beta, alpha, _ = spherical_grid(lmax)
    y = [complex_harmonic(l, m, beta[:, None], alpha) for l in range(lmax + 1) for m in range(-l, l + 1)]
    total = np.tensordot(to_complex(f), np.array(y), 1)
    assert np.abs(total.imag).max() < 1e-12
    assert np.abs(total.real - synthesis(f)).max() < 1e-12


def test_harmonics_as_polynomials_are_those_of_the_grid(getkey):
    f = jr.normal(getkey(), (21**2,))
    assert np.abs(np.asarray(real_harmonics(20, jnp.asarray(points(20)))) @ f - synthesis(f)).max() < 1e-12


def test_harmonics_are_differentiable_at_the_pole():
    slope = jax.jacobian(lambda x: real_harmonics(3, x))(jnp.array([0.0, 0.0, 1.0]))
    assert jnp.all(jnp.isfinite(slope))


def test_real_and_complex_coefficients(getkey):
    f = jr.normal(getkey(), (3, 36))
    c = to_complex(f)
    assert np.abs(to_real(c) - f).max() < 1e-15
    for l in range(6):
        m = np.arange(l + 1)
        assert np.abs(c[:, l * l + l - m] - (-1.0) ** m * c[:, l * l + l + m].conj()).max() < 1e-15
    (r,) = random_rotations(getkey(), 1)
    turned = to_complex(rotate(f[..., None], r)[..., 0])
    for l in range(6):
        own = slice(l * l, (l + 1) ** 2)
        assert np.abs(turned[:, own] - c[:, own] @ wigner_D(l, *euler_angles(r)).T).max() < 1e-13


def test_a_rotated_signal_has_the_values_at_the_points_turned_back(getkey):
    f, lmax = jr.normal(getkey(), (49, 2)), 6
    (r,) = random_rotations(getkey(), 1)
    back = jnp.asarray(points(lmax) @ r)  # R^-1 x
    expected = np.einsum("bak,kc->cba", real_harmonics(lmax, back), f)
    assert np.abs(synthesis(rotate(f, r).T) - expected).max() < 1e-12


def test_a_signal_turned_on_the_circle(getkey):
    f, angle, x = jr.normal(getkey(), (7, 1)), 0.8, np.linspace(0, 5, 9)

    def values(f, x):
        waves = [np.full_like(x, 1 / np.sqrt(2 * np.pi))]
        for l in range(1, 4):
            waves += [np.sin(l * x) / np.sqrt(np.pi), np.cos(l * x) / np.sqrt(np.pi)]
        return np.array(waves).T @ f

    assert np.abs(values(rotate_circle(f, angle), x) - values(f, x - angle)).max() < 1e-14


def test_vectors_and_tensors_turn_as_their_signals_do(getkey):
    v, t = jr.normal(getkey(), (2, 5, 3)), jr.normal(getkey(), (2, 3, 3))
    t = t + jnp.swapaxes(t, -1, -2)
    v, t = np.asarray(v), np.asarray(t)
    (r,) = random_rotations(getkey(), 1)
    assert np.abs(to_vectors(from_vectors(jnp.asarray(v))) - v).max() < 1e-15
    assert np.abs(rotate(from_vectors(jnp.asarray(v)), r) - from_vectors(jnp.asarray(v @ r.T))).max() < 1e-14
    zero, two = map(np.asarray, from_tensors(jnp.asarray(t)))
    assert np.abs(to_tensors(jnp.asarray(zero), jnp.asarray(two)) - t).max() < 1e-14
    turned = from_tensors(jnp.asarray(r @ t @ r.T))
    assert np.abs(turned[0] - zero).max() < 1e-14
    assert np.abs(turned[1] - two @ wigner_real(2, *euler_angles(r)).T).max() < 1e-14


@pytest.mark.parametrize("group", [SO2(4), SO3(4)], ids=repr)
def test_the_quadrature_is_exact_up_to_the_stated_degree_and_not_beyond(group):
    means = [np.abs(np.tensordot(group.weights, group.irreps(l), 1)).max() for l in range(2 * group.order + 1)]
    assert abs(means[0] - 1) < 1e-14
    assert max(means[1:-1]) < 1e-14
    assert means[-1] > 0.1


def test_tables_of_irreps_are_not_kept_for_good():
    """At order 12 those of one group take 138 MB."""
    tables = [weakref.ref(SO3(2).irreps(l)) for l in range(10)]
    assert SO3(2).irreps(9) is tables[-1]()
    gc.collect()
    assert sum(table() is not None for table in tables) <= 4


@pytest.mark.parametrize("group", [SO2(3), SO3(3)], ids=repr)
@pytest.mark.parametrize("lmax", [0, 2, 4])
def test_correlations_are_sums_of_irreps(group, lmax, getkey):
    a = jr.normal(getkey(), (group.start(lmax + 1),) * 2)
    blocks = [np.einsum("mn,qmn->q", a[own, own], group.irreps(l)) for l, own in enumerate(group.degrees(lmax))]
    assert np.abs(group.correlation(a) - sum(blocks)).max() < 1e-12


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: synthesis(jnp.zeros(5)), r"expected \(lmax \+ 1\)\^2 coefficients"),
        (lambda: analysis(jnp.zeros((3, 5))), "expected values"),
        (lambda: SO3(0), "expected order >= 1"),
        (lambda: rotate(jnp.zeros((4, 1)), np.zeros((2, 3, 3))), "expected one rotation matrix"),
        (lambda: rotate(jnp.zeros(4), np.eye(3)), "expected signals"),
        (lambda: rotate_circle(jnp.zeros((4, 1)), 0.1), r"expected 2 lmax \+ 1"),
        (lambda: from_vectors(jnp.zeros(3)), "expected vectors"),
        (lambda: from_tensors(jnp.zeros((2, 3))), "expected tensors"),
        (lambda: to_vectors(jnp.ones((3, 2))), r"expected \(lmax \+ 1\)\^2 coefficients"),
        (lambda: to_vectors(jnp.ones((1, 2))), "with degree 1"),
        (lambda: to_vectors(jnp.ones(4)), "expected signals"),
        (lambda: from_tensors(jnp.eye(3).at[0, 1].add(1e-3)), "expected symmetric tensors, got entries .* 1.0e-03"),
        (lambda: to_tensors(jnp.ones((2, 1)), jnp.ones(5)), r"expected degrees 0 and 2 .* \(2, 1\) and \(5,\)"),
        (lambda: to_tensors(jnp.ones((2, 5)), jnp.ones((2, 1))), "expected degrees 0 and 2"),
        (lambda: to_real([1j, 0, 0, 0]), "expected coefficients of a real signal"),
    ],
)
def test_refusals(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()


@pytest.mark.parametrize(
    "wrong, says",
    [
        (
            lambda: jax.vmap(lambda r: rotate(jnp.ones((4, 1)), r))(jnp.eye(3)[None]),
            "the numbers of rotation, got a traced",
        ),
        (lambda: jax.jit(lambda a: rotate_circle(jnp.ones((3, 1)), a))(0.3), "the numbers of angle, got a traced"),
        (lambda: rotate(jnp.ones((4, 1), int), np.eye(3)), "expected floating-point numbers, got int"),
        (lambda: from_tensors(jnp.eye(3, dtype=int)), "expected floating-point numbers, got int"),
        (lambda: from_vectors(jnp.ones((2, 3), int)), "expected floating-point numbers, got int"),
    ],
)
def test_refusals_of_types(wrong, says):
    with pytest.raises(TypeError, match=says):
        wrong()


def test_tensors_that_rounding_makes_unequal_to_their_transposed_pass(getkey):
    """And under jit, where no entry can be looked at."""
    t = jr.normal(getkey(), (3, 3), jnp.float32)
    r = jnp.asarray(random_rotations(getkey(), 1)[0], jnp.float32)
    turned = r @ (t + t.T) @ r.T
    for one, two in zip(from_tensors(turned), jax.jit(from_tensors)(turned), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
