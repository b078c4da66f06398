"""Local filters: covariances of two rotations, and the convolution that averages them, in the Fourier domain."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.kernels import driver, kernel, nngp, nngp_and_ntk
from equitangents.nets import Dense, Erf, Identity, Polynomial, Relu, Serial
from equitangents.sphere import (
    SO2,
    SO3,
    RotationConv,
    RotationLift,
    RotationPool,
    RotationProjection,
    euler_angles,
    random_rotations,
    real_harmonics,
    right_average,
    rotate,
    rotation_matrix,
    wigner_D,
    wigner_real,
    zonal_filter,
)
from equitangents.sphere.wigner import real_basis
from equitangents.testing import assert_matches_monte_carlo


def both(net, *x):
    return jnp.stack(nngp_and_ntk(net, *x))


def random_kernel(key, lmax):
    """A general K[R, R'] up to degree lmax by its real coefficients, {(l, l'): (m, n, m', n')}."""
    pairs = [(l, k) for l in range(lmax + 1) for k in range(lmax + 1)]
    keys = jr.split(key, len(pairs))
    shapes = [(2 * l + 1, 2 * l + 1, 2 * k + 1, 2 * k + 1) for l, k in pairs]
    return {pair: np.asarray(jr.normal(key, shape)) for pair, key, shape in zip(pairs, keys, shapes, strict=True)}


def values(a, d1, d2):
    """K at rotations whose irreps are d1[l] and d2[l], each (points, dim, dim): (points1, points2)."""
    return sum(np.einsum("mnab,qmn,rab->qr", block, d1[l], d2[k]) for (l, k), block in a.items())


def irreps(matrices, lmax, wigner=wigner_real):
    return [wigner(l, *euler_angles(matrices)) for l in range(lmax + 1)]


def by_difference(group, average, r, lmax):
    """An average over SO(3) at each pair of the rotations r: a function of R R'^-1 alone."""
    q = r[:, None] @ np.swapaxes(r, -1, -2)[None]
    return sum(
        np.einsum("mn,qrmn->qr", average[own, own], wigner_real(l, *euler_angles(q)))
        for l, own in enumerate(group.degrees(lmax))
    )


def test_the_average_in_the_fourier_domain_is_that_by_quadrature(getkey):
    lmax, group = 2, SO3(3)
    a, r = random_kernel(getkey(), lmax), random_rotations(getkey(), 4)
    nodes = [group.irreps(l) for l in range(lmax + 1)]
    average = right_average(group, jnp.asarray(values(a, nodes, nodes)), lmax)
    found = by_difference(group, average, r, lmax)
    direct = 0
    s = rotation_matrix(*group.angles)
    for weight, turn in zip(group.weights, s, strict=True):
        moved = irreps(r @ turn, lmax)
        direct = direct + weight * values(a, moved, moved)
    assert np.abs(found - direct).max() < 1e-13 * np.abs(values(a, nodes, nodes)).max()


def test_it_is_the_formula_with_complex_irreps_and_signs(getkey):
    r"""$\sum_l \frac1{2l+1} \sum_{mm'} [\sum_n (-1)^n A_{mn,m',-n}] [\sum_p (-1)^p D_{mp}(R) D_{m',-p}(R')]$."""
    lmax, group = 2, SO3(3)
    a, r = random_kernel(getkey(), lmax), random_rotations(getkey(), 3)
    complex_d, total = irreps(r, lmax, wigner_D), 0
    for l in range(lmax + 1):
        c, sign = real_basis(l), (-1.0) ** np.arange(-l, l + 1)
        block = np.einsum("mnab,mx,ny,ap,bq->xypq", a[l, l], c.conj(), c, c.conj(), c)  # D real = conj(C) D C^T
        left = np.einsum("n,mnpn->mp", sign, block[..., ::-1])
        right = np.einsum("p,qmp,rap->qrma", sign, complex_d[l], complex_d[l][..., ::-1])
        total = total + np.einsum("ma,qrma->qr", left, right) / (2 * l + 1)
    nodes = [group.irreps(l) for l in range(lmax + 1)]
    average = right_average(group, jnp.asarray(values(a, nodes, nodes)), lmax)
    found = by_difference(group, average, r, lmax)
    assert np.abs(total.imag).max() < 1e-12 and np.abs(total.real - found).max() < 1e-12


def test_on_the_circle_too(getkey):
    group, n = SO2(4), 8
    z = jr.normal(getkey(), (2, 2, 7))
    waves = np.concatenate(
        [np.ones((1, n)), *[[np.cos(l * group.angles), np.sin(l * group.angles)] for l in (1, 2, 3)]]
    )
    k = jnp.einsum("ab,aq,br->qr", z[0].T @ z[1], waves, waves)
    row = group.correlation(right_average(group, k, 3))
    direct = [jnp.mean(jnp.diagonal(jnp.roll(k, -q, axis=0))) for q in range(n)]  # K[q + s, s]
    assert jnp.max(jnp.abs(row - jnp.stack(direct))) < 1e-12


@pytest.mark.parametrize("angle", [0.5, np.pi])
def test_the_filter_is_the_overlap_of_harmonics_on_the_cap(angle):
    """By points that are uniform in z and azimuth."""
    z, w = np.polynomial.legendre.leggauss(20)
    z = np.cos(angle) + (1 - np.cos(angle)) * (z + 1) / 2
    alpha = 2 * np.pi * np.arange(16) / 16
    s = np.sqrt(1 - z**2)[:, None]
    points = np.stack(np.broadcast_arrays(s * np.cos(alpha), s * np.sin(alpha), z[:, None]), -1)
    y = np.asarray(real_harmonics(4, jnp.asarray(points)))
    expected = np.einsum("i,iak,ial->kl", w / 2 / 16, y, y)
    assert np.abs(zonal_filter(4, angle) - expected).max() < 1e-13
    if angle == np.pi:
        assert np.abs(expected - np.eye(25) / (4 * np.pi)).max() < 1e-13


@pytest.mark.parametrize("end", ["pool", "vector"])
def test_a_cap_of_the_whole_sphere_is_no_cap(end, getkey):
    """The Fourier-domain recursion on all pairs of nodes against the one row; exact for a polynomial."""
    group, x1, x2 = SO3(3), jr.normal(getkey(), (2, 4, 2)), jr.normal(getkey(), (1, 4, 2))
    last = RotationPool(group) if end == "pool" else RotationProjection(group, 1)
    rest = [Polynomial((0.2, 1.0, 0.5)), RotationConv(group, 1, sigma_b=0.3), Identity(), last, Dense(1)]
    whole = Serial(RotationLift(group, 1, cap=np.pi), *rest)
    assert jnp.max(jnp.abs(both(whole, x1, x2) - both(Serial(RotationLift(group, 1), *rest), x1, x2))) < 1e-12


def test_local_networks_are_invariant_and_differ_from_global_ones(getkey):
    group, x1, x2 = SO3(3), jr.normal(getkey(), (2, 4, 2)), jr.normal(getkey(), (1, 4, 2))
    rest = [
        Polynomial((0.2, 1.0, 0.5)),
        RotationConv(group, 1),
        Polynomial((0.0, 1.0, 0.3)),
        RotationPool(group),
        Dense(1),
    ]
    net = Serial(RotationLift(group, 1, cap=0.8), *rest)
    one, two = random_rotations(getkey(), 2)
    k = both(net, x1, x2)
    assert jnp.max(jnp.abs(both(net, rotate(x1, one), rotate(x2, two)) - k)) < 1e-12
    assert jnp.max(jnp.abs(both(Serial(RotationLift(group, 1), *rest), x1, x2) - k)) > 1e-2


def test_local_finite_networks_have_that_covariance(getkey):
    group = SO3(3)
    x = jr.normal(getkey(), (2, 4, 1))
    net = Serial(RotationLift(group, 4, cap=0.9, sigma_b=0.2), Relu(), RotationPool(group))

    def draw(key):
        out = jax.vmap(net.apply, (None, 0))(net.init(key, x.shape[1:])[1], x)
        return jnp.mean(out[:, None] * out[None], axis=-1)

    assert_matches_monte_carlo(jax.lax.map(draw, jr.split(getkey(), 4000), batch_size=200), kernel(net, x).k12)


def after_convolution(order):
    group = SO3(order)
    return Serial(RotationLift(group, 32, cap=0.5), Relu(), RotationConv(group, 32, sigma_b=0.1))


def test_after_a_convolution_the_unit_element_is_the_node_that_it_is(getkey):
    k = kernel(after_convolution(3), jr.normal(getkey(), (2, 4, 1)))
    assert jnp.max(jnp.abs(k.k12[..., 0] - k.k12[..., 1])) < 1e-14
    assert jnp.max(jnp.abs(k.ntk[..., 0] - k.ntk[..., 1])) < 1e-14
    assert jnp.max(jnp.abs(k.k11[:, 0, 0] - jnp.diagonal(k.k12[:, :, 0, 0]))) < 1e-14


@pytest.mark.slow
def test_finite_networks_with_a_convolution_after_a_local_lift_have_that_covariance(getkey):
    """Of one hidden layer, whose mean over draws is the same at any width; at Q = 1 and at the nodes."""
    x = jr.normal(getkey(), (2, 4, 1))
    net = after_convolution(2)

    def draw(key):
        out = jax.vmap(net.apply, (None, 0))(net.init(key, x.shape[1:])[1], x)  # node 0 is the unit element
        return jnp.einsum("aqc,bc->abq", out, out[:, 0]) / out.shape[-1]

    k12 = kernel(net, x).k12[:, :, 0]
    draws = jax.lax.map(draw, jr.split(getkey(), 6000), batch_size=100)
    assert_matches_monte_carlo(draws, k12[..., 1:])
    assert_matches_monte_carlo(draws[..., 0], k12[..., 0])


def test_a_local_lift_alone_is_its_integral(getkey):
    group, x = SO3(2), jr.normal(getkey(), (1, 4, 1))
    k = kernel(RotationLift(group, 1, cap=1.1), x).k12[0, 0]
    turned = jnp.stack([rotate(x[0], r.T)[:, 0] for r in rotation_matrix(*group.angles)])
    assert jnp.max(jnp.abs(k - turned @ zonal_filter(1, 1.1) @ turned.T)) < 1e-13


@pytest.mark.parametrize("cap, numbers", [(None, 48 + 1), (0.5, 48**2)])
def test_tiles_are_as_large_as_the_widest_arrays_of_a_pair_allow(cap, numbers):
    """All pairs of the 48 nodes after a local filter, one row else; also where the lift is inside another layer."""
    group = SO3(2)
    lift, rest = RotationLift(group, 1, cap), [Relu(), RotationConv(group, 1), Relu(), RotationPool(group), Dense(1)]
    for net in (Serial(lift, *rest), Serial(Serial(lift, *rest[:2]), *rest[2:])):
        assert driver._entries(net, (4, 1)) == numbers


def test_refusals(getkey):
    with pytest.raises(ValueError, match="expected a cap with SO3"):
        RotationLift(SO2(3), 1, cap=0.5)
    with pytest.raises(ValueError, match="expected an opening angle"):
        RotationLift(SO3(3), 1, cap=4.0)
    with pytest.raises(ValueError, match="expected covariances at pairs of nodes"):
        right_average(SO3(2), jnp.zeros((3, 3)), 1)
    with pytest.raises(ValueError, match="expected lmax from 0 to 1"):
        right_average(SO3(2), jnp.zeros((48, 48)), 2)
    net = Serial(RotationLift(SO3(2), 1, cap=0.5), Erf(), RotationConv(SO3(3), 1), RotationPool(SO3(3)))
    with pytest.raises(ValueError, match=r"expected sites \(144,\)"):
        nngp(net, jr.normal(getkey(), (1, 4, 1)))
