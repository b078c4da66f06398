"""Averages of kernels over a group: sides, transformations, agreement with pooled equivariant networks."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.groups import cyclic, image_action, matrix_action, permutation_action, point_group
from equitangents.kernels import nngp_and_ntk
from equitangents.nets import Dense, Relu, Serial
from equitangents.symmetry import group_average

SHIFTS = permutation_action(cyclic(3), [[0, 1, 2], [1, 2, 0], [2, 0, 1]])


def net(sigma_w=1.3):
    return Serial(Dense(8, sigma_w=sigma_w, sigma_b=0.2), Relu(), Dense(1))


def weighted(x1, x2=None):
    """A kernel that prefers one coordinate, so that shifts are no symmetry of it."""
    weights = jnp.array([1.0, 2.0, 4.0])
    k = (x1 * weights[None]) @ (x1 if x2 is None else x2).T
    return k, k**3


@pytest.fixture
def inputs(getkey):
    return jr.normal(getkey(), (4, 3)), jr.normal(getkey(), (4, 3))


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kernel", [net(), weighted], ids=["dense network", "weighted"])
def test_average_is_the_sum_written_out(kernel, sides, inputs):
    x1, x2 = inputs
    plain = kernel if kernel is weighted else lambda a, b: nngp_and_ntk(kernel, a, b)
    left = range(3) if sides == 2 else [0]
    terms = [plain(SHIFTS(g, x1), SHIFTS(h, x2)) for g in left for h in range(3)]
    for got, expected in zip(group_average(kernel, SHIFTS, sides)(x1, x2), np.mean(terms, axis=0), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-13)


@pytest.mark.parametrize("kernel", [net(), weighted], ids=["dense network", "weighted"])
@pytest.mark.parametrize("sides", [1, 2])
def test_one_batch_gives_the_same_as_two_equal_ones(kernel, sides, inputs):
    average, (x, _) = group_average(kernel, SHIFTS, sides), inputs
    for alone, twice in zip(average(x), average(x, x), strict=True):
        np.testing.assert_allclose(alone, twice, rtol=1e-13, atol=1e-15)


def test_sides_agree_for_jointly_invariant_kernels_and_differ_for_others(inputs):
    one, two = (group_average(net(), SHIFTS, sides)(*inputs) for sides in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-13, atol=1e-13)
    one, two = (group_average(weighted, SHIFTS, sides)(*inputs) for sides in (1, 2))
    assert all(np.abs(a - b).max() > 0.1 for a, b in zip(one, two, strict=True))


def test_sides_differ_for_an_action_that_is_not_orthogonal(getkey):
    shear = matrix_action(cyclic(2), [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 3.0], [0.0, -1.0]]])
    x1, x2 = jr.normal(getkey(), (4, 2)), jr.normal(getkey(), (4, 2))
    one, two = (group_average(net(), shear, sides)(x1, x2)[1] for sides in (1, 2))
    assert not shear.is_orthogonal and np.abs(one - two).max() > 0.1


def test_two_sided_average_is_invariant_in_each_argument(inputs):
    x1, x2 = inputs
    average = group_average(weighted, SHIFTS, 2)
    np.testing.assert_allclose(average(x1, x2), average(SHIFTS(1, x1), SHIFTS(2, x2)), rtol=1e-12, atol=1e-12)


def test_flow_refuses_the_one_sided_average_of_a_kernel_without_the_symmetry(inputs):
    x, _ = inputs
    with pytest.raises(ValueError, match="expected a symmetric training"):
        GradientFlow(group_average(weighted, SHIFTS), x, jnp.ones(4), loss="sum")


def test_one_kernel_is_evaluated_at_a_time(inputs):
    shapes = []

    def counted(x1, x2=None):
        shapes.append((x1.shape, None if x2 is None else x2.shape))
        return weighted(x1, x2)

    x1, x2 = inputs
    group_average(counted, SHIFTS)(x1, x2)
    assert shapes == [((4, 3), (4, 3))] * 3
    shapes.clear()
    group_average(counted, SHIFTS, 2)(x1)
    assert len(shapes) == 6 and shapes.count(((4, 3), None)) == 3


def test_average_passes_through_jit_and_is_differentiable_in_the_numbers_of_the_network(inputs):
    x, _ = inputs

    def total(sigma_w):
        return group_average(net(sigma_w), SHIFTS)(x)[1].sum()

    value, slope = jax.jit(jax.value_and_grad(total))(1.3)
    np.testing.assert_allclose(value, total(1.3), rtol=1e-12)
    step = 1e-5
    np.testing.assert_allclose(slope, (total(1.3 + step) - total(1.3 - step)) / (2 * step), rtol=1e-8)


def test_bad_arguments_are_refused_in_one_line(inputs):
    x, _ = inputs
    with pytest.raises(ValueError, match="expected sides=1"):
        group_average(weighted, SHIFTS, 3)
    with pytest.raises(TypeError, match="expected a description"):
        group_average(jnp.eye(3), SHIFTS)
    with pytest.raises(ValueError, match="expected images"):
        group_average(weighted, image_action(point_group("C4")))(x)
    with pytest.raises(ValueError, match="3 entries along axis -1"):
        group_average(weighted, SHIFTS)(x, x[:, :2])
    with pytest.raises(ValueError, match="expected x1 as a batch"):
        group_average(weighted, SHIFTS)(x[:0])
