r"""Augmented training is equivariant training: closed forms of both, with every kernel computed once for each case.

The kernels are tables over the orbits of training and test images: plain network on all images of the orbits,
equivariant network on the images themselves.
"""

import dataclasses
import functools

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.equivariant import GroupConv, GroupPool, Lift
from equitangents.groups import cyclic, image_action, matrix_action, point_group
from equitangents.kernels import nngp_and_ntk
from equitangents.nets import Conv, Dense, Erf, Flatten, GlobalAvgPool, Relu, Serial
from equitangents.symmetry import (
    augment,
    equivariance_error,
    group_average,
    invariance_gap,
    match_learning_rate,
    orbit_covariance,
    violation_variance,
)

TIMES = jnp.array([0.1, 1.0, 10.0, 1e6])
N, M = 3, 3  # training and test images
SCALES = {"sigma_w": 1.4, "sigma_b": 0.1}


def mlp():
    return Serial(Flatten(), Dense(8, **SCALES), Relu(), Dense(8, **SCALES), Erf(), Dense(1, **SCALES))


def global_lifting(group):
    lift, conv = Lift(group, 8, "all", **SCALES), GroupConv(group, 8, 1, **SCALES)
    return Serial(lift, Relu(), conv, Erf(), GroupPool(), Dense(1, **SCALES))


def cnn(padding):
    first, second = (Conv(8, (3, 3), padding=padding, **SCALES) for _ in range(2))
    return Serial(first, Relu(), second, Erf(), GlobalAvgPool(), Dense(1, **SCALES))


def gcnn(group, padding, **options):
    lift = Lift(group, 8, 3, padding=padding, **SCALES, **options)
    conv = GroupConv(group, 8, 3, padding=padding, **SCALES, **options)
    return Serial(lift, Relu(), conv, Erf(), GroupPool(), Dense(1, **SCALES))


CASES = {
    "MLP and C4": ("C4", 4, mlp, lambda: global_lifting("C4")),
    "CNN and p4, circular, odd": ("C4", 3, lambda: cnn("CIRCULAR"), lambda: gcnn("C4", "CIRCULAR")),
    "CNN and p4m, zeros, even": ("D4", 4, lambda: cnn("SAME"), lambda: gcnn("D4", "SAME")),
}


@dataclasses.dataclass
class Tables:
    """Kernels, (2, |G|, n + m, |G|, n + m) on orbits and (2, n + m, n + m) on images; training images come first."""

    order: int
    targets: jnp.ndarray
    plain: np.ndarray
    equivariant: np.ndarray

    def augmented(self, loss, ridge=0.0, elements=None):
        """Flow of the plain network on the chosen images of the orbits."""
        chosen = list(range(self.order) if elements is None else elements)
        gram = self.plain[:, chosen, :N][:, :, :, chosen, :N].reshape(2, len(chosen) * N, -1)
        return GradientFlow.from_gram(*gram, jnp.tile(self.targets, (len(chosen), 1)), loss=loss, ridge=ridge), chosen

    def to_training(self, chosen):
        """Kernels of all test images on the orbits with the training images, (2, |G| m, training)."""
        return self.plain[:, :, N:, chosen, :N].reshape(2, self.order * M, -1)

    def mean_on_orbits(self, loss, ridge=0.0, elements=None):
        flow, chosen = self.augmented(loss, ridge, elements)
        mean = flow.mean_from(self.to_training(chosen)[1], TIMES)
        return np.asarray(mean).reshape(len(TIMES), self.order, M, -1)

    def imposed(self, loss, ridge=0.0):
        gram = self.equivariant[:, :N, :N]
        return GradientFlow.from_gram(*gram, self.targets, loss=loss, ridge=ridge)


@functools.cache
def tables(name):
    group, size, plain, equivariant = CASES[name]
    x_key, y_key = jr.split(jr.key(len(name)))
    images = jr.normal(x_key, (N + M, size, size, 2))  # test images have nothing to do with training images
    on_orbits = kernels_on_orbits(plain(), images, image_action(point_group(group)))
    return Tables(on_orbits.shape[1], jr.normal(y_key, (N, 2)), on_orbits, both(equivariant(), images))


def both(net, x):
    return np.stack(nngp_and_ntk(net, x))


def kernels_on_orbits(net, images, action):
    """NNGP and NTK of all images of the orbits, (2, |G|, n, |G|, n)."""
    shape = (action.group.order, len(images))
    return both(net, action.orbit(images).reshape(-1, *images.shape[1:])).reshape(2, *shape, *shape)


# the second takes as long to compile as the third and has no reflections and no edges
SLOW = ["CNN and p4, circular, odd"]
MARKED = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in CASES]
each_case = pytest.mark.parametrize("name", MARKED)


@each_case
def test_averaged_kernels_are_those_of_the_equivariant_network(name):
    table = tables(name)
    np.testing.assert_allclose(table.plain[:, 0].mean(2), table.equivariant, rtol=0, atol=1e-12)  # one-sided
    np.testing.assert_allclose(table.plain.mean((1, 3)), table.equivariant, rtol=0, atol=1e-12)  # two-sided


@each_case
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("loss", ["sum", "mean"])
def test_augmented_mean_is_the_equivariant_mean_at_the_matched_time_and_ridge(name, loss, ridge):
    table = tables(name)
    match = match_learning_rate(loss, table.order)
    augmented = table.mean_on_orbits(loss, ridge)[:, 0]
    imposed = table.imposed(loss, match.ridge * ridge).mean_from(table.equivariant[1, N:, :N], match.time * TIMES)
    np.testing.assert_allclose(augmented, imposed, rtol=0, atol=1e-10)
    assert np.abs(augmented).max() > 0.1


@each_case
def test_without_matching_time_or_ridge_the_means_differ(name):
    table = tables(name)
    cross = table.equivariant[1, N:, :N]
    augmented = table.mean_on_orbits("sum", 0.3)[:, 0]
    for ridge, factor in ((0.3, table.order), (0.3 / table.order, 1)):
        imposed = table.imposed("sum", ridge).mean_from(cross, factor * TIMES)
        assert np.abs(augmented - imposed).max() > 0.01


@each_case
def test_augmented_mean_is_invariant_on_unrelated_images_at_all_times(name):
    mean = tables(name).mean_on_orbits("sum")
    np.testing.assert_allclose(mean, np.broadcast_to(mean[:, :1], mean.shape), rtol=0, atol=1e-12)


@each_case
def test_three_of_four_rotations_or_none_leave_the_mean_variant(name):
    for elements in ((0, 1, 2), (0,)):
        mean = tables(name).mean_on_orbits("sum", elements=elements)
        assert np.abs(mean - mean[:, :1])[-1].max() > 0.1


@each_case
def test_orbit_average_of_the_augmented_covariance_is_the_equivariant_covariance(name):
    table = tables(name)
    flow, chosen = table.augmented("sum")
    cross = table.to_training(chosen)
    tests = table.plain[0][:, N:, :, N:].reshape(table.order * M, -1)
    sigma = np.asarray(flow.covariance_from(tests, tuple(cross), None, TIMES))
    sigma = sigma.reshape(len(TIMES), table.order, M, table.order, M)
    imposed = table.imposed("sum").covariance_from(
        table.equivariant[0, N:, N:], tuple(table.equivariant[:, N:, :N]), None, table.order * TIMES
    )
    np.testing.assert_allclose(sigma.mean((1, 3)), imposed, rtol=0, atol=1e-10)

    violation = violation_variance(np.einsum("tgihi->tigh", sigma))
    own = np.einsum("tgigi->ti", sigma) / table.order
    np.testing.assert_allclose(violation, own - np.einsum("tii->ti", imposed), rtol=0, atol=1e-10)
    assert violation.min() > 1e-3  # members are not invariant


def test_flow_takes_the_average_and_the_networks_themselves():
    action = image_action(point_group("C4"))
    x_key, y_key, test_key = jr.split(jr.key(1), 3)
    x, y, x_test = jr.normal(x_key, (3, 3, 3, 1)), jr.normal(y_key, (3,)), jr.normal(test_key, (3, 3, 3, 1))
    plain = Serial(Flatten(), Dense(8, **SCALES), Erf(), Dense(1, **SCALES))
    equivariant = Serial(Lift("C4", 8, "all", **SCALES), Erf(), GroupPool(), Dense(1, **SCALES))
    augmented = GradientFlow(plain, *augment(x, y, action), loss="sum")
    averaged = GradientFlow(group_average(plain, action), x, y, loss="sum")
    imposed = GradientFlow(equivariant, x, y, loss="sum")
    expected = imposed.mean(x_test, 4 * TIMES)
    np.testing.assert_allclose(augmented.mean(x_test, TIMES), expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(averaged.mean(x_test, 4 * TIMES), expected, rtol=0, atol=1e-10)
    assert float(invariance_gap(lambda x: augmented.mean(x, 1.0), x_test, action)) < 1e-12
    sigma = orbit_covariance(lambda x: augmented.covariance(x, t=1.0), x_test, action)
    np.testing.assert_allclose(sigma.mean((1, 2)), jnp.diag(imposed.covariance(x_test, t=4.0)), rtol=0, atol=1e-10)


def test_asymmetric_footprint_breaks_invariance_of_the_kernel_and_equality():
    corner = np.ones((3, 3), bool)
    corner[0, 0] = False
    plain = gcnn("C1", "CIRCULAR", footprint=corner)  # on the trivial group: a convolution of this footprint
    images = jr.normal(jr.key(2), (3, 5, 5, 1))
    ntk = kernels_on_orbits(plain, images, image_action(point_group("C4")))[1]
    imposed = both(gcnn("C4", "CIRCULAR", footprint=corner, negative_control=True), images)[1]
    one_sided, two_sided = ntk[0].mean(1), ntk.mean((0, 2))
    assert np.abs(ntk[0, :, 0] - ntk[1, :, 1]).max() > 5e-3  # measured: 0.022 on kernels of 0.6 to 1.2
    assert np.abs(one_sided - two_sided).max() > 1e-3  # 4.5e-3
    assert np.abs(one_sided - imposed).max() > 1e-3  # 4.7e-3
    assert np.abs(two_sided - imposed).max() > 3e-4  # 1.0e-3


def test_nonlinear_head_after_pooling_breaks_equality_but_not_invariance():
    action = image_action(point_group("C4"))
    images = jr.normal(jr.key(3), (3, 3, 3, 1))
    head = Serial(Dense(8, **SCALES), Erf(), Dense(1, **SCALES))
    plain = Serial(Flatten(), Dense(8, **SCALES), Relu(), head)
    imposed = Serial(Lift("C4", 8, "all", **SCALES), Relu(), GroupPool(), head)
    averaged = kernels_on_orbits(plain, images, action)[1].mean((0, 2))
    ntk = kernels_on_orbits(imposed, images, action)[1]
    assert np.abs(averaged - ntk[0, :, 0]).max() > 0.3  # measured: 1.1 on kernels of 1.0 to 3.3
    assert np.abs(ntk - ntk[:1, :, :1]).max() < 1e-12


def test_mean_on_vectors_is_equivariant_where_targets_are_moved_along():
    angles = np.pi / 2 * np.arange(4)
    turns = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    vectors = matrix_action(cyclic(4), turns)
    x_key, y_key, test_key = jr.split(jr.key(4), 3)
    x, y = jr.normal(x_key, (4, 3, 2)), jr.normal(y_key, (4, 2))  # three points of the plane to one vector
    x_test = jr.normal(test_key, (4, 3, 2))
    net = Serial(Flatten(), Dense(8, **SCALES), Relu(), Dense(1))

    def error(**options):
        flow = GradientFlow(net, *augment(x, y, vectors, **options), loss="sum")
        over_times = lambda x: jnp.moveaxis(flow.mean(x, TIMES), 0, 1)  # noqa: E731
        return float(equivariance_error(over_times, x_test, vectors, vectors))

    assert error(target=vectors) < 1e-10
    assert error() > 0.1  # the same with targets that stay behind
