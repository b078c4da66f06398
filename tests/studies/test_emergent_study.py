"""The study of emergent equivariance: its data, its measures against closed forms, and the whole at a small size."""

from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import train
from equitangents.groups import Parametrised, covering_radius, spatial_group
from equitangents.studies.theory import run_theory
from equitangents.studies.theory.emergent import STUDY, cross, fashion, ising, measures, turns
from equitangents.studies.theory.emergent.config import Emergent, check
from equitangents.studies.theory.emergent.deviations import add_rows
from equitangents.symmetry import orbit_deviation, orbit_same_prediction
from equitangents.testing import assert_matches_monte_carlo

TINY = Emergent(
    preset="tiny",
    resamples=20,
    ising_train=3,
    ising_test=4,
    ising_widths=(4, 8),
    ising_members=32,
    ising_steps=4,
    cross_train=2,
    cross_test=3,
    cross_rotations=3,
    cross_width=8,
    cross_members=8,
    cross_steps=4,
    fashion_side=8,
    fashion_train=6,
    fashion_test=6,
    fashion_off=4,
    fashion_channels=4,
    fashion_members=(4, 4, 4),
    fashion_single=(6,),
    fashion_steps=4,
    turn_orders=(1, 4, 8),
    turn_train=3,
    turn_test=4,
    turn_angles=8,
    turn_width=8,
    turn_members=4,
    turn_steps=4,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("group", ising.GROUPS)
def test_energies_are_invariant_under_each_group(group, rng):
    spins = ising.spins(rng, 5)
    moved = np.asarray(ising.action(group).orbit(spins))
    for images in moved:
        np.testing.assert_allclose(ising.energy(images), ising.energy(spins), rtol=0, atol=1e-14)
    assert np.abs(moved - spins).max() == 2  # something moves


def test_energies_count_each_bond_once(rng):
    spins = ising.spins(rng, 1)
    counted = 0.0
    for i in range(4):
        for j in range(4):
            counted -= spins[0, i, j, 0] * (spins[0, (i + 1) % 4, j, 0] + spins[0, i, (j + 1) % 4, 0])
    np.testing.assert_allclose(ising.energy(spins), [[counted / 16]], rtol=1e-14)


def test_cross_products_turn_with_their_pairs():
    config = replace(TINY, cross_rotations=4)
    task = cross.task(config, "O")
    for x, back in zip(task.seen, task.back, strict=True):
        np.testing.assert_allclose(cross.products(x) @ back.T, cross.products(task.seen[0]), atol=1e-12)
    np.testing.assert_allclose(task.y, cross.products(task.x), atol=1e-12)
    assert len(task.x) == 24 * config.cross_train


def test_measures_are_those_of_the_library(rng):
    outputs = rng.standard_normal((3, 4, 5, 10))
    for one in outputs:
        squares = np.asarray(orbit_deviation(jnp.asarray(one))) ** 2
        np.testing.assert_allclose(measures.mean_square(measures.off_orbit(one)), squares.mean(), rtol=1e-12)
        counted = np.asarray(orbit_same_prediction(jnp.asarray(one)))
        np.testing.assert_array_equal(4 * measures.same_prediction(one[None])[0], counted)


def gaussian(rng, members, mean, covariance):
    """Outputs (members, elements, items, 1) of Gaussian networks."""
    elements, items = mean.shape[:2]
    drawn = rng.multivariate_normal(mean.ravel(), covariance.reshape(elements * items, -1), members)
    return drawn.reshape(members, elements, items, 1)


def made_up_law(rng, offset):
    root = rng.standard_normal((6, 6))
    covariance = (root @ root.T).reshape(3, 2, 3, 2)
    return offset * rng.standard_normal((3, 2, 1)), covariance


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_law_of_deviations_is_that_of_gaussian_members(offset, rng):
    mean, covariance = made_up_law(rng, offset)
    law = measures.law(covariance, mean)
    drawn = law.band(8, 2000, seed=1)
    outputs = gaussian(rng, 16_000, mean, covariance)
    for j, size in enumerate(measures.sizes(8)):
        squares = measures.mean_square(measures.off_orbit(measures.blocks(outputs, size)))
        assert_matches_monte_carlo(squares, float(law.expected(size)))
        assert_matches_monte_carlo(drawn[:, j], float(law.expected(size)))
    assert law.floor == pytest.approx(measures.mean_square(measures.off_orbit(mean)))


def test_what_is_left_of_infinitely_many_members_is_estimated_without_bias(rng):
    mean, covariance = made_up_law(rng, 0.4)
    for centre in (0 * mean, mean):
        found = [measures.infinite_deviation(gaussian(rng, 24, centre, covariance)) for _ in range(1000)]
        floor = float(measures.mean_square(measures.off_orbit(centre)))
        assert_matches_monte_carlo(np.array([f.square for f in found]), floor)
        if floor == 0:
            z = np.array([f.z for f in found])
            assert 0.7 < z.std() < 1.3  # in units of its own standard error


def test_members_that_share_a_part_fall_out_of_the_band(rng):
    mean, covariance = made_up_law(rng, 0.0)
    law = measures.law(covariance, mean)
    independent = gaussian(rng, 64, mean, covariance)
    shared = independent + 0.7 * gaussian(rng, 1, mean, covariance)
    for outputs, inside in ((independent, True), (shared, False)):
        rows = {name: value[0] for name, value in add_rows({}, outputs, law, 400, 0).items()}
        low, high = rows["band"]
        last = slice(3, 6)
        assert bool(((low <= rows["square"]) & (rows["square"] <= high))[last].all()) is inside
        assert (abs(rows["found"][3]) < 4) is inside


def test_predicted_same_prediction_is_the_orthant_probability():
    correlation, draws = 0.6, 20_000
    covariance = np.array([[[1.0, correlation], [correlation, 1.0]]])
    found = measures.predicted_same_prediction(np.zeros((2, 1, 2)), covariance, 3, draws, seed=0)[0]
    agree = 0.5 + np.arcsin(correlation) / np.pi  # of two signs; the element itself always agrees
    error = 0.5 * np.sqrt(agree * (1 - agree) / draws)
    assert abs(found - (1 + agree) / 2) < 5 * error


def test_intervals_cover_the_mean(rng):
    covered = 0
    for i in range(200):
        values = rng.standard_normal((1, 40)) + 0.5 * rng.standard_normal((30, 1)) + rng.standard_normal((30, 40))
        _, low, high = measures.interval(values, 200, seed=i)
        covered += low <= 0 <= high
    assert 0.95 - covered / 200 < 5 * np.sqrt(0.95 * 0.05 / 200)


def test_canonical_images_do_not_depend_on_the_orientation(rng):
    images = rng.random((6, 8, 8, 1))
    expected = fashion.upright(images)
    for turned in np.asarray(fashion.ACTION.orbit(images)):
        np.testing.assert_array_equal(fashion.upright(turned), expected)


def test_interpolated_quarter_turns_are_the_exact_ones(rng):
    images = rng.random((3, 6, 6, 1))
    turned = np.einsum("gpq,nq->gnp", turns.turning(6, turns.angles(4)), images.reshape(3, 36))
    np.testing.assert_allclose(turned.reshape(4, 3, 6, 6, 1), np.asarray(fashion.ACTION.orbit(images)), atol=1e-12)


def test_interpolated_turns_move_a_smooth_image_as_rotations_do():
    side = 41
    grid = (np.arange(side) - 20) / 20
    rows, columns = np.meshgrid(grid, grid, indexing="ij")
    spot = lambda r, c: np.exp(-20 * ((rows - r) ** 2 + (columns - c) ** 2))  # noqa: E731
    angle = 0.7
    turned = (turns.turning(side, np.array([angle]))[0] @ spot(0.0, 0.4).ravel()).reshape(side, side)
    expected = spot(-0.4 * np.sin(angle), 0.4 * np.cos(angle))  # counter-clockwise: up is towards smaller rows
    assert np.abs(turned - expected).max() < 20 / 20**2  # second derivatives, 40, times h^2 / 8, twice, and a factor


def test_harmonics_turn_with_the_image_and_orthogonally():
    side, angle = 60, np.array([0.9])
    grid = (np.arange(side) - (side - 1) / 2) / 30
    rows, columns = np.meshgrid(grid, grid, indexing="ij")
    image = lambda r, c: np.exp(-6 * ((rows - r) ** 2 + (columns - c) ** 2))[None, ..., None]  # noqa: E731
    config = replace(TINY, fashion_side=side)
    before = turns.harmonics(config, image(0.0, 0.4)).reshape(-1)
    after = turns.harmonics(config, image(-0.4 * np.sin(0.9), 0.4 * np.cos(0.9))).reshape(-1)
    matrix = turns.on_harmonics(angle)[0]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-12)
    assert np.abs(matrix @ before - after).max() < 0.01 * np.abs(before).max() < np.abs(before - after).max()


@pytest.mark.parametrize("order", [4, 8, 16])
def test_covering_radius_of_harmonics_is_the_one_of_the_library(order):
    whole = Parametrised(lambda p: turns.on_harmonics(p[:, 0]), (0.0,), (2 * np.pi,), (float(turns.FREQUENCIES),))
    found = covering_radius(whole, turns.on_harmonics(turns.angles(order)), tolerance=0.02)
    assert found.radius - 1e-9 <= turns.radius(order) <= found.upper + 1e-9


BAD = {
    "rate": ({"rate": 1.5}, "rate: expected a part"),
    "members": ({"ising_members": 16}, "ising_members: expected at least 32"),
    "three": ({"fashion_members": (8, 8)}, "fashion_members: expected three"),
    "order": ({"ising_widths": (8, 4)}, "ising_widths: expected increasing"),
    "odd": ({"fashion_side": 7}, "fashion_side: expected an even"),
    "angles": ({"turn_angles": 10}, "turn_angles: expected a multiple"),
    "zero": ({"cross_train": 0}, "cross_train: expected whole numbers"),
}


@pytest.mark.parametrize("change, message", BAD.values(), ids=BAD)
def test_configurations_without_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message) as error:
        check(replace(TINY, **change))
    assert "\n" not in str(error.value)


def test_mean_of_the_kernel_is_equivariant_on_and_off_the_manifold():
    pieces = {piece.name: piece for piece in ising.pieces(TINY)}
    found = pieces["ising-spin-flip-kernel"].work(lambda name: {})
    assert np.abs(measures.off_orbit(found["mean"])).max() < 1e-12 < 0.1 < np.abs(found["mean"]).max()


def test_a_network_that_starts_turned_ends_turned():
    """Members come in orbits of equal probability, so their mean is equivariant at any width."""
    task, net = cross.task(TINY, "O"), cross.network(8)
    turn = spatial_group("O").matrices[13]
    both = cross.on_pairs(turn[None])[0]
    first, nothing, last = net.init(jr.key(0), (6,))[1]
    turned = [{**first, "w": both @ first["w"]}, nothing, {"w": last["w"] @ turn.T}]
    seen = task.seen[0]
    ends = [
        train(net, params, (task.x, task.y), loss="mean", learning_rate=1.0, steps=20, x_record=x).outputs[-1]
        for params, x in (([first, nothing, last], seen), (turned, seen @ both.T), (turned, seen))
    ]
    np.testing.assert_allclose(ends[1], ends[0] @ turn.T, atol=1e-12)
    assert np.abs(ends[2] - ends[0]).max() > 0.1


@pytest.mark.slow
def test_the_whole_study_at_a_small_size(tmp_path):
    page = run_theory(STUDY, TINY, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert page.is_file()
    assert "fall as M to the power" in text
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 6
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "pieces").glob("*.npz")}
    run_theory(STUDY, TINY, tmp_path)
    assert again == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "pieces").glob("*.npz")}
    assert text == (tmp_path / "report.md").read_text()
