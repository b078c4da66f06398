"""Averages over compact groups, semigroups and parts of groups: closed forms, quadrature and random draws agree."""

import functools
import itertools

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.groups import (
    circle_grid,
    cyclic,
    design,
    image_action,
    matrix_action,
    permutation_action,
    point_group,
    rotation_grid,
    spatial_group,
    symmetric,
)
from equitangents.kernels import nngp_and_ntk
from equitangents.nets import AvgPool, Conv, Dense, Erf, Flatten, GlobalAvgPool, LayerNorm, Relu, Residual, Serial
from equitangents.symmetry import (
    crops,
    gaussian_noise,
    grid_transforms,
    group_average,
    haar_rotation,
    partial_orbit,
    permutation_average,
    random_crop,
    random_element,
    random_permutation,
    sampled_average,
)
from equitangents.testing import assert_matches_monte_carlo

NET = Serial(Flatten(), Dense(8, sigma_w=1.4, sigma_b=0.2), Erf(), Dense(1))


def power(p):
    """(x1 . x2)^p on flattened inputs, as nngp and, doubled, as ntk."""

    def kernel(x1, x2=None):
        a, b = (x.reshape(len(x), -1) for x in (x1, x1 if x2 is None else x2))
        k = (a @ b.T) ** p
        return k, 2 * k

    return kernel


def on_sphere(x1, x2):
    """Averages of NET's kernels over SO(3) for vectors: over the cosine of their angle, uniform on [-1, 1]."""
    cosines, weights = np.polynomial.legendre.leggauss(60)
    out = np.zeros((2, len(x1), len(x2)))
    for i, j in itertools.product(range(len(x1)), range(len(x2))):
        r1, r2 = np.linalg.norm(x1[i]), np.linalg.norm(x2[j])
        turned = r2 * np.stack([cosines, np.sqrt(1 - cosines**2), 0 * cosines], axis=1)
        pair = nngp_and_ntk(NET, jnp.array([[r1, 0, 0]]), jnp.asarray(turned))
        out[:, i, j] = [k[0] @ weights / 2 for k in pair]
    return out


@pytest.fixture
def vectors(getkey):
    return jr.normal(getkey(), (2, 3)), jr.normal(getkey(), (3, 3))


GRIDS = {"I": design("I"), "product 4": rotation_grid(4), "product 7": rotation_grid(7), "T": design("T")}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("sides", [1, 2])
def test_polynomial_kernels_are_exact_up_to_the_degree_of_the_grid(grid, sides, vectors):
    x1, x2 = vectors
    norms = np.outer(np.linalg.norm(x1, axis=1), np.linalg.norm(x2, axis=1))
    for p in range(1, grid.degree + 1):
        if sides == 2 and p != min(grid.degree, 4):
            continue  # one power is enough for the square of the cost
        nngp, ntk = group_average(power(p), grid_transforms(grid), sides)(x1, x2)
        expected = norms**p / (p + 1) if p % 2 == 0 else 0 * norms
        np.testing.assert_allclose(nngp, expected, atol=1e-13 * norms.max() ** p)
        np.testing.assert_allclose(ntk, 2 * expected, atol=2e-13 * norms.max() ** p)


def test_beyond_its_degree_a_grid_is_wrong(vectors):
    x1, x2 = vectors
    wrong = group_average(power(4), grid_transforms(design("T")))(x1, x2)[0]
    norms = np.outer(np.linalg.norm(x1, axis=1), np.linalg.norm(x2, axis=1))
    assert np.abs(wrong - norms**4 / 5).max() > 1e-2


def test_rotations_of_vectors_converge_in_the_degree_to_the_integral_over_the_sphere(vectors):
    x1, x2 = vectors
    expected = on_sphere(*map(np.asarray, vectors))
    errors = [
        np.abs(np.stack(group_average(NET, grid_transforms(grid))(x1, x2)) - expected).max()
        for grid in (rotation_grid(4), design("I"), rotation_grid(8))
    ]
    assert errors[0] > 2 * errors[1] > 2 * 2 * errors[2] > 0  # sixty points beat seventy-five


@pytest.mark.slow
def test_rotations_of_vectors_reach_ten_digits(vectors):
    x1, x2 = (x / 2 for x in vectors)
    got = np.stack(group_average(NET, grid_transforms(rotation_grid(24)))(x1, x2))
    np.testing.assert_allclose(got, on_sphere(np.asarray(x1), np.asarray(x2)), rtol=0, atol=1e-10)


def test_quadrature_of_point_clouds_is_the_average_over_random_rotations(getkey):
    x = jr.normal(getkey(), (3, 4, 3)) / 2
    exact = group_average(NET, grid_transforms(design("I")))(x)
    for sides in (1, 2):
        sampled = sampled_average(NET, haar_rotation, draws=200, key=getkey(), sides=sides).with_errors(x)
        for estimate, k in zip(sampled, exact, strict=True):
            assert_matches_monte_carlo((estimate.mean, estimate.error), k)
            if sides == 2:
                np.testing.assert_array_equal(estimate.mean, estimate.mean.T)


def test_circle_acts_by_the_users_own_representation(getkey):
    x1, x2 = jr.normal(getkey(), (2, 4)), jr.normal(getkey(), (3, 4))

    def rho(angle):
        out = np.zeros((4, 4))
        for i, m in enumerate((1, 3)):
            c, s = np.cos(m * angle), np.sin(m * angle)
            out[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[c, -s], [s, c]]
        return out

    few, enough, more = (group_average(power(2), grid_transforms(circle_grid(n), rho))(x1, x2)[0] for n in (6, 7, 50))
    np.testing.assert_allclose(enough, more, rtol=1e-12)  # frequencies up to 2 * 3, so degree 6
    assert np.abs(few - more).max() > 1e-2


def test_equal_angles_are_the_cyclic_group(getkey):
    x = jr.normal(getkey(), (3, 5, 2)) / 2
    angles = 2 * np.pi * np.arange(5) / 5
    turns = np.moveaxis(np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]), 2, 0)
    grid = group_average(NET, grid_transforms(circle_grid(5)))(x)
    group = group_average(NET, matrix_action(cyclic(5), turns))(x)
    np.testing.assert_allclose(grid, group, rtol=1e-13)


def test_designs_are_averages_over_their_group(getkey):
    x = jr.normal(getkey(), (2, 3))
    group = spatial_group("T")
    pairs = [group_average(NET, t)(x) for t in (grid_transforms(design("T")), matrix_action(group, group.matrices))]
    np.testing.assert_allclose(*pairs, rtol=1e-13)


def test_partial_orbits_are_the_sum_written_out(getkey):
    action = image_action(point_group("C4"))
    x = jr.normal(getkey(), (2, 3, 3, 1))
    turned = [action(g, x) for g in (1, 0, 2)]
    plain = functools.partial(nngp_and_ntk, NET)
    for sides, left in ((1, [x]), (2, turned)):
        got = group_average(NET, partial_orbit(action, (1, 0, 2)), sides)(x)
        expected = np.mean([plain(a, b) for a in left for b in turned], axis=0)
        np.testing.assert_allclose(got, expected, rtol=1e-13)


CROPPED = Serial(Conv(8, (2, 2), padding="VALID", sigma_w=1.3), Erf(), Flatten(), Dense(1))


def test_crops_average_features_over_both_inputs(getkey):
    x1, x2 = jr.normal(getkey(), (2, 4, 4, 1)), jr.normal(getkey(), (2, 4, 4, 1))
    windows = [[x[:, i : i + 3, j : j + 3] for i in (0, 1) for j in (0, 1)] for x in (x1, x2)]
    expected = np.mean([nngp_and_ntk(CROPPED, a, b) for a in windows[0] for b in windows[1]], axis=0)
    average = group_average(CROPPED, crops((3, 3), (4, 4)), 2)
    np.testing.assert_allclose(average(x1, x2), expected, rtol=1e-13)
    np.testing.assert_allclose(average(x1), average(x1, x1), rtol=1e-12)
    sampled = sampled_average(CROPPED, random_crop((3, 3)), draws=100, key=getkey()).with_errors(x1, x2)
    for estimate, k in zip(sampled, expected, strict=True):
        assert_matches_monte_carlo((estimate.mean, estimate.error), k)


def test_shift_averaged_linear_features_are_pooled_ones(getkey):
    """All crops of size one of a linear network: the average image, which is global pooling before the last layer."""
    x = jr.normal(getkey(), (3, 4, 4, 2))
    pooled = nngp_and_ntk(Serial(GlobalAvgPool(), Dense(1)), x)
    np.testing.assert_allclose(
        group_average(Serial(Flatten(), Dense(1)), crops((1, 1), (4, 4)), 2)(x), pooled, rtol=1e-12
    )


def test_noise_of_a_quadratic_kernel_has_its_closed_form(getkey):
    x, sigma, d = jr.normal(getkey(), (2, 5)), 0.4, 5
    k = x @ x.T
    size = jnp.diag(k)
    expected = k**2 + sigma**2 * (size[:, None] + size[None]) + d * sigma**4  # E ((x + n) . (x' + n'))^2
    nngp, ntk = sampled_average(power(2), gaussian_noise(sigma), draws=3000, key=getkey()).with_errors(x)
    assert_matches_monte_carlo((nngp.mean, nngp.error), expected)
    assert_matches_monte_carlo((ntk.mean, ntk.error), 2 * expected)


def test_noise_on_one_side_is_not_made_symmetric(getkey):
    """E (x . (x' + n))^2 is no symmetric function of x and x'."""
    x, sigma = jr.normal(getkey(), (2, 5)) * jnp.array([[1.0], [3.0]]), 0.4
    k = x @ x.T
    expected = k**2 + sigma**2 * jnp.diag(k)[:, None]
    average = sampled_average(power(2), gaussian_noise(sigma), draws=3000, key=getkey(), sides=1)
    nngp = average.with_errors(x)[0]
    assert_matches_monte_carlo((nngp.mean, nngp.error), expected)
    assert expected[1, 0] - expected[0, 1] > 10 * (nngp.error[0, 1] + nngp.error[1, 0])


def test_standard_errors_are_those_of_repeated_estimates(getkey):
    """(|x| |x'| cos)^2 with cos uniform on [-1, 1]: variance 4/45 and excess kurtosis -6/7, halved off the diagonal.

    Of R sample variances over n draws, the mean has relative variance (2 / (n - 1) + excess / n) / R; the sample
    variance of R means of n draws has 2 / (R - 1) + excess / n R.
    """
    x, n, r = jr.normal(getkey(), (2, 3)), 10, 60
    runs = [sampled_average(power(2), haar_rotation, draws=n, key=getkey()).with_errors(x)[0] for _ in range(r)]
    halved = np.array([[1, 1 / 2], [1 / 2, 1]])  # k12 is the mean of two independent draws
    sizes = np.sum(np.asarray(x) ** 2, axis=1)
    expected, excess = 4 / 45 * np.outer(sizes, sizes) ** 2 * halved / n, -6 / 7 * halved
    stated = np.mean([run.error**2 for run in runs], axis=0) / expected
    scatter = np.var([run.mean for run in runs], axis=0, ddof=1) / expected
    assert (abs(stated - 1) < 5 * np.sqrt((2 / (n - 1) + excess / n) / r)).all()  # 24 % on the diagonal
    assert (abs(scatter - 1) < 5 * np.sqrt(2 / (r - 1) + excess / (n * r))).all()


def test_same_key_gives_the_same_draws(getkey):
    x, average = jr.normal(getkey(), (2, 3)), sampled_average(power(2), haar_rotation, draws=3, key=getkey())
    np.testing.assert_array_equal(average(x)[0], average(x)[0])


POINTS = Serial(Dense(8, sigma_w=1.3, sigma_b=0.2), LayerNorm(), Relu(), Residual(Dense(8), Erf(), Dense(8)))


@pytest.mark.parametrize("points", [2, 4])
def test_average_over_all_orders_of_sums_over_points_is_the_pooled_network(points, getkey):
    net = Serial(*POINTS.layers, Flatten(), Dense(1, sigma_b=0.3))
    n = {2: 2, 4: 24}[points]
    orders = np.array(list(itertools.permutations(range(points))))
    action = permutation_action(symmetric(points), orders, axis=-2)
    x1, x2 = jr.normal(getkey(), (2, points, 2)), jr.normal(getkey(), (2, points, 2))
    assert action.group.order == n
    pooled = nngp_and_ntk(permutation_average(net), x1, x2)
    np.testing.assert_allclose(group_average(net, action)(x1, x2), pooled, rtol=1e-12)


def test_orders_of_many_points_are_drawn_and_agree_with_the_closed_form(getkey):
    net = Serial(Dense(8), Erf(), Flatten(), Dense(1))
    x = jr.normal(getkey(), (2, 9, 2))
    sampled = sampled_average(net, random_permutation, draws=200, key=getkey(), sides=1).with_errors(x)
    for estimate, k in zip(sampled, nngp_and_ntk(permutation_average(net), x), strict=True):
        assert_matches_monte_carlo((estimate.mean, estimate.error), k)


def test_random_elements_are_those_of_the_group(getkey):
    action = image_action(point_group("C4"))
    x = jr.normal(getkey(), (2, 3, 3, 1)) / 2
    sampled = sampled_average(NET, random_element(action), draws=200, key=getkey()).with_errors(x)
    for estimate, k in zip(sampled, group_average(NET, action)(x), strict=True):
        assert_matches_monte_carlo((estimate.mean, estimate.error), k)


C4 = image_action(point_group("C4"))
BAD = {
    "vectors of another size": (
        lambda: group_average(NET, grid_transforms(design("T")))(jnp.ones((2, 4))),
        "vectors or",
    ),
    "a rho of another size": (
        lambda: group_average(NET, grid_transforms(circle_grid(3), lambda a: np.eye(4)))(jnp.ones((2, 3))),
        "examples of 4 numbers",
    ),
    "a rho that is not square": (lambda: grid_transforms(circle_grid(3), lambda a: np.ones((2, 3))), "square"),
    "no element": (lambda: partial_orbit(C4, ()), "at least one"),
    "crops larger than the image": (lambda: crops((5, 3), (4, 4)), "inside the image"),
    "crops of other images": (
        lambda: group_average(CROPPED, crops((3, 3), (4, 4)), 2)(jnp.ones((2, 5, 5, 1))),
        "images",
    ),
    "one draw": (lambda: sampled_average(NET, haar_rotation, draws=1, key=jr.key(0)), "at least 2"),
    "three sides": (lambda: sampled_average(NET, haar_rotation, draws=2, key=jr.key(0), sides=3), "sides=1"),
    "rotations of the plane": (lambda: haar_rotation(jr.key(0), jnp.ones((2, 2))), "point clouds"),
    "orders of a vector": (lambda: random_permutation(jr.key(0), jnp.ones((2, 2))), "sets of points"),
    "negative noise": (lambda: gaussian_noise(-1.0), "deviation from 0"),
    "windows larger than images": (lambda: random_crop((5, 5))(jr.key(0), jnp.ones((2, 4, 4, 1))), "of at least"),
    "points mixed before": (lambda: permutation_average(Serial(AvgPool(2), Flatten(), Dense(1))), "layers on points"),
    "no last layer": (lambda: permutation_average(Serial(Dense(2), Relu())), "layers on points"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_grids_must_be_grids():
    with pytest.raises(TypeError, match="expected a Grid"):
        grid_transforms(np.eye(3))
