"""Continuous groups learned from finite subgroups: bounds, their constants, what is refused."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.groups import (
    covering_radius,
    cyclic,
    image_action,
    matrix_action,
    point_group,
    random_rotations,
    spatial_group,
)
from equitangents.kernels import ntk
from equitangents.nets import Activation, Conv, Dense, Elu, Erf, Flatten, Gelu, GlobalAvgPool, Relu, Serial, Tanh
from equitangents.symmetry import augment, equivariance_bound
from equitangents.symmetry.continuous import check_lipschitz, harmonics

T = 3.0


def net(phi):
    return Serial(Dense(8, sigma_w=1.5, sigma_b=0.1), phi, Dense(1))


def turns(angles):
    c, s = np.cos(angles), np.sin(angles)
    return np.moveaxis(np.array([[c, -s], [s, c]]), 2, 0)


def rotations(k):
    return matrix_action(cyclic(k), turns(2 * np.pi * np.arange(k) / k))


@functools.cache
def data(d=2):
    keys = jr.split(jr.key(0), 3)
    return 0.7 * jr.normal(keys[0], (5, d)), jr.normal(keys[1], (5,)), 0.7 * jr.normal(keys[2], (3, d))


@functools.cache
def trained(phi, k):
    x, y, _ = data()
    return GradientFlow(net(phi), *augment(x, y, rotations(k)), loss="sum")


def means_on_circle(phi, k):
    """Means on the orbits of the test inputs under SO(2), shape (angles, inputs)."""
    every = np.einsum("aij,nj->ani", turns(np.linspace(0, 2 * np.pi, 361)), data()[2])
    return np.asarray(trained(phi, k).mean(every.reshape(-1, 2), T)).reshape(361, -1)


SOME = [(Erf(), 2), (Erf(), 16)]
ALL = [(phi, k) for phi in (Erf(), Tanh(), Gelu()) for k in (2, 4, 8, 16)]
CASES = [*SOME, *(pytest.param(*case, marks=pytest.mark.slow) for case in ALL if case not in SOME)]


@pytest.mark.parametrize("phi, k", CASES)
def test_mean_trained_on_c_k_is_as_invariant_under_so2_as_every_bound_says(phi, k):
    radius = covering_radius("SO(2)", rotations(k).matrices).radius
    bounds = equivariance_bound(trained(phi, k), data()[2], T, rotations(k), radius)
    means = means_on_circle(phi, k)
    actual = np.abs(means - means[:1]).max(0)
    assert (actual > 0).all()
    for bound in bounds:
        assert (np.asarray(bound) >= actual).all()
    np.testing.assert_array_equal(bounds.bound, np.min(bounds[1:], axis=0))


def test_errors_fall_exponentially_for_smooth_networks_and_algebraically_for_relu():
    few, many = (np.array([np.ptp(means_on_circle(phi, k), axis=0).min() for phi in (Erf(), Relu())]) for k in (4, 16))
    assert few[0] / many[0] > 1000 and few[1] / many[1] < 4**3  # no power of k below 5; a power of at most 3


@pytest.mark.slow
def test_full_rotations_of_space_learned_from_solids(getkey):
    x, y, new = data(3)
    group = spatial_group("T")
    action = matrix_action(group, group.matrices)
    flow = GradientFlow(net(Erf()), *augment(x, y, action), loss="mean")
    bounds = equivariance_bound(flow, new, T, action, covering_radius("SO(3)", group.matrices).radius)
    every = jnp.einsum("aij,nj->ani", random_rotations(getkey(), 100), new)
    means = flow.mean(every.reshape(-1, 3), T).reshape(100, 3)
    actual = np.abs(np.asarray(means - flow.mean(new, T)[None])).max(0)
    assert all((np.asarray(bound) >= actual).all() for bound in bounds) and actual.max() > 1e-6


def test_constants_are_those_of_the_kernel_found_by_differentiating_it():
    flow, k = trained(Erf(), 4), 4
    _, _, new = data()
    radius = 0.1  # any: the formulas do not ask whether it is that of C4
    arc = 2 * np.arcsin(radius / 2)
    bounds = equivariance_bound(flow, new, T, rotations(k), radius)
    x_train = flow.regression.x_train
    c = np.asarray(flow.mean_from(jnp.eye(len(x_train)), T))
    theta = lambda a, b: ntk(net(Erf()), a[None], b[None])[0, 0]  # noqa: E731

    def turned(angle, x):
        return jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]]) @ x

    slope = jax.jit(jax.vmap(jax.grad(lambda a, x, b: theta(turned(a, x), b)), (0, None, None)))
    angles = jnp.linspace(0, 2 * np.pi, 1441)
    x = new[0]
    steepest = sum(abs(c[i]) * float(jnp.abs(slope(angles, x, b)).max()) for i, b in enumerate(x_train))
    assert 1 - 1e-4 < float(bounds.kernel[0]) / (arc * steepest) < 1.03  # 1 / cos(pi / 16) above
    # the speed of the gradient along the circle, from its distance after a small turn
    speed = [jnp.sqrt(2 * (theta(b, b) - theta(b, turned(1e-3, b)))) / 1e-3 for b in x_train]
    curved = sum(abs(c[i]) * float(v) for i, v in enumerate(speed))
    np.testing.assert_allclose(bounds.gradient[0], arc * jnp.sqrt(theta(x, x)) * curved, rtol=1e-5)
    moved = jnp.sqrt(2 * (theta(x, x) - theta(x, turned(arc, x))))
    size = np.sqrt(c @ np.asarray(flow.regression.ntk) @ c)
    assert 1 - 1e-9 < float(bounds.features[0]) / float(moved * size) < 1.05  # equal but for harmonics above pi / arc


def test_bounds_vanish_before_training_and_for_the_whole_group():
    flow, new = trained(Erf(), 4), data()[2]
    for t, radius in ((0.0, 1.0), (T, 0.0)):
        for bound in equivariance_bound(flow, new, t, rotations(4), radius):
            np.testing.assert_array_equal(bound, 0)


def test_harmonics_add_up_to_the_kernel_between_inputs_of_any_norm():
    f = harmonics(trained(Erf(), 4).regression.kernel, 0.7, np.array([1.3, 0.2]), (2,))
    angles = np.array([0.3, 2.0])
    x1, x2 = 0.7 * turns(angles)[:, :, 0], np.array([[1.3, 0.0], [0.2, 0.0]])
    expected = ntk(net(Erf()), jnp.asarray(x1), jnp.asarray(x2))
    np.testing.assert_allclose(np.cos(np.outer(angles, np.arange(len(f)))) @ f, expected, rtol=1e-8)


@pytest.mark.parametrize("phi", [Relu(), Elu(2.0), Activation(jnp.abs, kinks=(0.0,))], ids=repr)
def test_kinked_slopes_are_refused_by_name(phi):
    with pytest.raises(ValueError, match=r"Lipschitz slope.* got (Relu\(\)|Elu\(alpha=2.0\)|Activation\(.*\)), whose"):
        check_lipschitz(net(phi))


@pytest.mark.parametrize("phi", [Elu(), Gelu(), Erf()], ids=repr)
def test_slopes_that_only_bend_are_allowed(phi):
    check_lipschitz(net(phi))


def cusp(x1, x2=None):
    """A kernel of the angle alone that is 1/2-Hoelder at zero, as the tangent kernel of ReLU, without saying so."""
    x2 = x1 if x2 is None else x2
    a, b = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (x1, x2))
    k = jnp.exp(-jnp.sqrt(jnp.maximum(1 - a @ b.T, 0)))
    return k, k


def bound(flow, x=None, t=T, action=None, radius=0.5):
    return equivariance_bound(flow, data()[2] if x is None else x, t, action or rotations(4), radius)


def images(network):
    x = jr.normal(jr.key(3), (3, 3, 3, 1))
    action = image_action(point_group("C4"))
    flow = GradientFlow(network, *augment(x, jnp.arange(3.0), action), loss="sum")
    return equivariance_bound(flow, x, T, action, 0.5)


BAD = {
    "ReLU": (lambda: bound(trained(Relu(), 4)), r"got Relu\(\)"),
    "a kernel with a cusp": (
        lambda: bound(GradientFlow(cusp, *augment(*data()[:2], rotations(4)), loss="sum")),
        "smooth",
    ),
    "convolutions": (lambda: images(Serial(Conv(8, (3, 3)), Erf(), GlobalAvgPool(), Dense(1))), "all rotations"),
    "no augmentation": (lambda: bound(GradientFlow(net(Erf()), *data()[:2], loss="sum")), "invariant under"),
    "matrices alone": (
        lambda: bound(GradientFlow.from_gram(jnp.eye(3), jnp.eye(3), jnp.ones(3), loss="sum")),
        "stored",
    ),
    "a radius above 2": (lambda: bound(trained(Erf(), 4), radius=2.1), "covering radius"),
    "several moments": (lambda: bound(trained(Erf(), 4), t=jnp.ones(2)), "one moment"),
    "an action that is not orthogonal": (
        lambda: bound(trained(Erf(), 4), action=matrix_action(cyclic(2), [np.eye(2), [[1, 3], [0, -1]]])),
        "orthogonal action",
    ),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_what_the_lemma_does_not_cover_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_dense_networks_on_images_are_covered():
    assert np.isfinite(np.asarray(images(Serial(Flatten(), Dense(8), Erf(), Dense(1))).bound)).all()


def test_other_kinds_are_refused():
    with pytest.raises(TypeError, match="expected a GradientFlow"):
        bound(net(Erf()))
