"""Outputs that turn with the input: matrix-valued kernels and regression with them."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.kernels import nngp_and_ntk, ntk
from equitangents.nets import Dense, Flatten, Polynomial, Relu, Serial
from equitangents.sphere import (
    SO2,
    SO3,
    EquivariantFlow,
    RotationConv,
    RotationLift,
    RotationPool,
    RotationProjection,
    euler_angles,
    from_tensors,
    from_vectors,
    random_rotations,
    rotate,
    rotate_circle,
    wigner_real,
)
from equitangents.testing import assert_positive_semidefinite


def body(group):
    return [RotationLift(group, 1, sigma_b=0.4), Relu(), RotationConv(group, 1, sigma_w=1.3), Relu()]


def projected(group, l):
    return Serial(*body(group), RotationProjection(group, l), Dense(1))


def both(net, *x):
    return jnp.stack(nngp_and_ntk(net, *x))


@pytest.mark.parametrize("l", [0, 1, 2])
def test_kernels_turn_with_each_argument(l, getkey):
    x1, x2 = jr.normal(getkey(), (2, 9, 2)), jr.normal(getkey(), (2, 9, 2))
    one, two = random_rotations(getkey(), 2)
    net = projected(SO3(12), l)
    d1, d2 = (wigner_real(l, *euler_angles(r)) for r in (one, two))
    turned = jnp.einsum("mn,kabno,po->kabmp", d1, both(net, x1, x2), d2)
    assert jnp.max(jnp.abs(both(net, rotate(x1, one), rotate(x2, two)) - turned)) < 1e-7


def test_on_the_circle(getkey):
    x1, x2 = jr.normal(getkey(), (2, 5, 2)), jr.normal(getkey(), (2, 5, 2))
    net, angle = projected(SO2(40), 1), 0.9
    c, s = np.cos(angle), np.sin(angle)
    turned = jnp.einsum("mn,kabno->kabmo", np.array([[c, s], [-s, c]]), both(net, x1, x2))
    assert jnp.max(jnp.abs(both(net, rotate_circle(x1, angle), x2) - turned)) < 1e-7
    assert jnp.max(jnp.abs(turned)) > 1e-2


def test_degree_0_is_the_pool(getkey):
    x = jr.normal(getkey(), (3, 9, 1))
    zero, pool = both(projected(SO3(4), 0), x), both(Serial(*body(SO3(4)), RotationPool(SO3(4)), Dense(1)), x)
    assert jnp.max(jnp.abs(zero[..., 0, 0] - pool)) < 1e-14


def test_it_is_the_average_of_a_dense_networks_kernel_against_the_irrep(getkey):
    r"""$\int D^1(Q)\, k(f, \rho(Q) f')\, dQ$, at the same nodes."""
    group, x1, x2 = SO3(3), jr.normal(getkey(), (2, 9, 1)), jr.normal(getkey(), (2, 9, 1))
    dense = Serial(
        Flatten(), Dense(1, sigma_w=(9 / group.volume) ** 0.5, sigma_b=0.4), Relu(), Dense(1, 1.3), Relu(), Dense(1)
    )
    turned = np.zeros((group.size, 9, 9))
    for l, own in enumerate(group.degrees(2)):
        turned[:, own, own] = group.irreps(l)
    orbit = jnp.einsum("qmn,bnc->qbmc", turned, x2).reshape(-1, 9, 1)
    k = both(dense, x1, orbit).reshape(2, 2, group.size, 2)
    average = jnp.einsum("q,qmn,kaqb->kabmn", group.weights, group.irreps(1), k)
    assert jnp.max(jnp.abs(average - both(projected(group, 1), x1, x2))) < 1e-12


def test_block_gram_matrices_are_positive(getkey):
    x = jr.normal(getkey(), (4, 9, 1))
    for k in both(projected(SO3(4), 1), x):
        assert_positive_semidefinite(jnp.swapaxes(k, 1, 2).reshape(12, 12))


def cross_products(key, n):
    v = jr.normal(key, (n, 2, 3))
    return v, jnp.cross(v[:, 0], v[:, 1])


def to_yzx(v):
    return v[:, jnp.array([1, 2, 0])]


def test_the_cross_product_is_learned_equivariantly(getkey):
    """From 40 pairs of vectors, with less error than a dense network's kernel that must learn the symmetry too."""
    (v, y), (new, truth) = cross_products(getkey(), 40), cross_products(getkey(), 50)
    flow = EquivariantFlow(projected(SO3(6), 1), from_vectors(v), to_yzx(y), loss="mean")
    mean = flow.mean(from_vectors(new), jnp.inf)
    dense = Serial(Dense(1, sigma_b=0.4), Relu(), Dense(1, sigma_w=1.3), Relu(), Dense(1))
    plain = GradientFlow(dense, v.reshape(40, 6), y, loss="mean").mean(new.reshape(50, 6), jnp.inf)
    assert jnp.mean((mean - to_yzx(truth)) ** 2) < jnp.mean((plain - truth) ** 2) / 2


@pytest.mark.parametrize("t", [0.5, jnp.inf])
def test_predictions_turn_with_the_input_at_all_times(t, getkey):
    """To rounding where the quadrature is exact: after two polynomials of degree 2, degree 4 in Q, and 1 of the irrep.

    Three pairs, as there are only twelve such vector-valued functions of a pair: 1, vv, vw, ww times v, w and v x w.
    """
    group, phi = SO3(3), Polynomial((0.2, 1.0, 0.5))
    net = Serial(
        RotationLift(group, 1, sigma_b=0.4), phi, RotationConv(group, 1), phi, RotationProjection(group, 1), Dense(1)
    )
    (v, y), x = cross_products(getkey(), 3), from_vectors(jr.normal(getkey(), (4, 2, 3)))
    flow = EquivariantFlow(net, from_vectors(v), to_yzx(y), loss="mean")
    (r,) = random_rotations(getkey(), 1)
    mean = flow.mean(x, t)
    condition = jnp.linalg.cond(flow.flow.regression.ntk)
    error = jnp.max(jnp.abs(flow.mean(rotate(x, r), t) - mean @ wigner_real(1, *euler_angles(r)).T))
    assert error < 1e-15 * condition * jnp.max(jnp.abs(mean)) < 1e-6
    assert jnp.max(jnp.abs(mean)) > 0.1


def test_training_in_closed_form_is_that_of_all_components(getkey):
    """At its two ends, and against the exponential written out."""
    (v, y), x = cross_products(getkey(), 4), from_vectors(jr.normal(getkey(), (2, 2, 3)))
    net, y = projected(SO3(3), 1), to_yzx(y)
    flow = EquivariantFlow(net, from_vectors(v), y, loss="mean")
    assert jnp.max(jnp.abs(flow.mean(x, 0.0))) == 0
    rounding = 1e-14 * jnp.linalg.cond(flow.flow.regression.ntk)
    assert jnp.max(jnp.abs(flow.mean(from_vectors(v), jnp.inf) - y)) < rounding < 1e-4
    gram = jnp.swapaxes(ntk(net, from_vectors(v)), 1, 2).reshape(12, 12)
    cross = jnp.swapaxes(ntk(net, x, from_vectors(v)), 1, 2).reshape(6, 12)
    moved = y.reshape(-1) - jax.scipy.linalg.expm(-gram * 0.7 / 4) @ y.reshape(-1)
    expected = (cross @ jnp.linalg.solve(gram, moved)).reshape(2, 3)
    assert jnp.max(jnp.abs(flow.mean(x, jnp.array([0.0, 0.7]))[1] - expected)) < rounding
    prior = flow.covariance(x, 0.0)
    assert jnp.max(jnp.abs(prior - jnp.swapaxes(nngp_and_ntk(net, x)[0], 1, 2))) < 1e-14
    assert jnp.max(jnp.abs(flow.covariance(from_vectors(v), jnp.inf))) < rounding


def test_a_tensor_is_learned_by_its_irreps(getkey):
    """v w^T + w v^T, its trace by degree 0 and the rest by degree 2."""

    def tensors(v):
        outer = v[:, 0, :, None] * v[:, 1, None, :]
        return from_tensors(outer + jnp.swapaxes(outer, 1, 2))

    v, new = jr.normal(getkey(), (40, 2, 3)), jr.normal(getkey(), (20, 2, 3))
    for l, y, truth in zip((0, 2), tensors(v), tensors(new), strict=True):
        flow = EquivariantFlow(projected(SO3(5), l), from_vectors(v), y, loss="sum")
        assert jnp.mean((flow.mean(from_vectors(new), jnp.inf) - truth) ** 2) < 0.3 * jnp.mean(truth**2)


def test_refusals(getkey):
    x = jr.normal(getkey(), (3, 9, 1))
    with pytest.raises(ValueError, match=r"expected labels \(3, 3\)"):
        EquivariantFlow(projected(SO3(2), 1), x, jnp.zeros((3, 2)), loss="sum")
    with pytest.raises(ValueError, match="one axis of components"):
        EquivariantFlow(Serial(*body(SO3(2)), RotationPool(SO3(2))), x, jnp.zeros((3, 1)), loss="sum")
    with pytest.raises(ValueError, match='expected loss="sum"'):
        EquivariantFlow(projected(SO3(2), 1), x, jnp.zeros((3, 3)))
