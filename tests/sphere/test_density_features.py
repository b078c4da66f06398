"""Molecules as signals on spheres: covariance, invariance, and the density itself on a grid."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.sphere import analysis, random_rotations, rotate, spherical_densities, spherical_grid
from equitangents.sphere.density import BETA

CHARGES = jnp.array([6, 8, 1, 1, 7])


def molecule(key):
    return 1.2 * jr.normal(key, (5, 3))


def test_they_turn_with_the_molecule_and_do_not_see_where_it_is(getkey):
    x = molecule(getkey())
    (r,) = random_rotations(getkey(), 1)
    turned = spherical_densities(x @ r.T + 3.0, CHARGES, 6)
    assert jnp.max(jnp.abs(turned - rotate(spherical_densities(x, CHARGES, 6), r))) < 1e-11


def test_they_are_the_density_on_a_grid(getkey):
    """The formula written out in space, for carbon's view of hydrogen, p = 2, and its coefficients by a sum over it."""
    x, lmax = molecule(getkey()), 40
    f = spherical_densities(x, CHARGES, 6, elements=(1, 8), powers=(2,))
    beta, alpha, _ = spherical_grid(lmax)
    n = [
        np.sin(beta)[:, None] * np.cos(alpha),
        np.sin(beta)[:, None] * np.sin(alpha),
        np.cos(beta)[:, None] + 0 * alpha,
    ]
    expected = 0
    for j in (2, 3):
        apart = np.asarray(x[j] - x[0])
        r = np.linalg.norm(apart)
        cosine = np.einsum("kba,k->ba", np.array(n), apart / r)
        expected = expected + 6 / r**2 * np.exp(-((cosine - 1) ** 2) / BETA)
    assert np.abs(analysis(jnp.asarray(expected))[:49] - f[0, :, 0]).max() < 1e-9


def test_the_width_is_that_of_5_percent_at_45_degrees():
    assert np.exp(-((np.cos(np.pi / 4) - 1) ** 2) / BETA) == pytest.approx(0.05)


def test_order_of_atoms_and_padding_do_not_matter(getkey):
    x = molecule(getkey())
    f = spherical_densities(x, CHARGES, 4)
    order = jnp.array([3, 0, 4, 1, 2])
    assert jnp.max(jnp.abs(spherical_densities(x[order], CHARGES[order], 4) - f[order])) < 1e-13
    padded = spherical_densities(jnp.pad(x, ((0, 2), (0, 0))), jnp.pad(CHARGES, (0, 2)), 4)
    assert jnp.max(jnp.abs(padded[:5] - f)) < 1e-13 and jnp.max(jnp.abs(padded[5:])) == 0


def test_derivatives_by_positions_are_finite_also_with_padding(getkey):
    x, charges = jnp.pad(molecule(getkey()), ((0, 2), (0, 0))), jnp.pad(CHARGES, (0, 2))
    slope = jax.grad(lambda x: jnp.sum(spherical_densities(x, charges, 3) ** 2))(x)
    assert jnp.all(jnp.isfinite(slope)) and jnp.any(slope[:5] != 0)
    assert jnp.max(jnp.abs(jnp.sum(slope, 0))) < 1e-8 * jnp.max(jnp.abs(slope))


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: spherical_densities(jnp.zeros((2, 2)), jnp.ones(2), 2), "expected positions"),
        (lambda: spherical_densities(jnp.zeros((2, 3)), jnp.ones(3), 2), "expected positions"),
        (lambda: spherical_densities(jnp.zeros((2, 3)), jnp.ones(2), 2, beta=0.0), "expected beta > 0"),
    ],
)
def test_refusals(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()
