"""Maps of images commute with the symmetries that a study compares, so they can neither make nor break one."""

import numpy as np
import pytest

from equitangents.data import block_mean, noise_like, one_hot_centred, resize_images, standardise

RNG = np.random.default_rng(1)
TURNS = {
    "quarter turn": lambda x: np.rot90(x, axes=(1, 2)),
    "half turn": lambda x: np.rot90(x, 2, axes=(1, 2)),
    "left-right flip": lambda x: x[:, :, ::-1],
    "transposition": lambda x: x.transpose(0, 2, 1, 3),
}
MAPS = {
    "block_mean 12 to 4": (12, lambda x: block_mean(x, 4)),
    "resize 12 to 7": (12, lambda x: resize_images(x, 7)),
    "resize 7 to 12": (7, lambda x: resize_images(x, 12)),
    "resize 8 to 28": (8, lambda x: resize_images(x, 28)),
    "resize 9 to 1": (9, lambda x: resize_images(x, 1)),
    "standardise": (5, lambda x: standardise(x)[0]),
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("size, change", MAPS.values(), ids=MAPS)
def test_maps_commute_with_quarter_turns_and_flips(size, change, turn):
    x = RNG.random((3, size, size, 2))
    np.testing.assert_allclose(change(turn(x)), turn(change(x)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("h, w, size", [(12, 12, 4), (28, 28, 7), (6, 4, 2), (5, 5, 5)])
def test_resizing_to_a_divisor_is_the_block_mean(h, w, size):
    x = RNG.random((2, h, w, 3))
    np.testing.assert_allclose(resize_images(x, size), block_mean(x, size), rtol=1e-13)


@pytest.mark.parametrize("h, w, size", [(5, 7, 6), (3, 9, 2), (4, 4, 11)])
def test_resizing_keeps_constants_and_the_precision(h, w, size):
    x = np.full((2, h, w, 1), 0.7, np.float32)
    assert resize_images(x, size).dtype == np.float32
    np.testing.assert_allclose(resize_images(x, size), 0.7, rtol=1e-6)


def test_stretching_is_linear_interpolation_between_centres_of_pixels():
    x = RNG.random((1, 6, 6, 1))
    centres = (np.arange(15) + 0.5) * 6 / 15 - 0.5
    rows = np.stack([np.interp(centres, np.arange(6), x[0, :, j, 0]) for j in range(6)], axis=1)
    both = np.stack([np.interp(centres, np.arange(6), row) for row in rows])
    np.testing.assert_allclose(resize_images(x, 15)[0, ..., 0], both, rtol=1e-12)


def test_shrinking_keeps_the_mean():
    x = RNG.random((4, 11, 11, 1))
    np.testing.assert_allclose(resize_images(x, 3).mean(axis=(1, 2, 3)), x.mean(axis=(1, 2, 3)), rtol=1e-13)


@pytest.mark.parametrize("size", [0, 3, 5, 16])
def test_block_mean_refuses_sizes_that_do_not_divide(size):
    with pytest.raises(ValueError, match=f"divides 8 x 8, got {size}"):
        block_mean(np.ones((1, 8, 8, 1)), size)


def test_standardise_uses_two_numbers_of_the_training_inputs_and_commutes_with_permutations():
    x, other = RNG.random((50, 3, 3, 1)) * 5 + 2, RNG.random((7, 3, 3, 1))
    z, z_other = standardise(x, other)
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-13)
    np.testing.assert_allclose(z_other, (other - x.mean()) / x.std(), rtol=1e-12)
    order = RNG.permutation(9)
    shuffle = lambda x: x.reshape(len(x), 9)[:, order]  # noqa: E731
    np.testing.assert_allclose(standardise(shuffle(x))[0], shuffle(z), atol=1e-13)
    assert standardise(x.astype(np.float32))[0].dtype == np.float32
    with pytest.raises(ValueError, match="all equal to 2"):
        standardise(np.full((3, 2), 2.0))


def test_centred_targets_sum_to_zero_and_name_their_class():
    y = RNG.integers(10, size=40)
    targets = one_hot_centred(y, 10)
    np.testing.assert_allclose(targets.sum(axis=1), 0, atol=1e-15)
    np.testing.assert_array_equal(targets.argmax(axis=1), y)
    np.testing.assert_allclose(np.sum(targets**2, axis=1), 1 - 1 / 10)
    assert one_hot_centred(y, 10, np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="from 0 to 8, got 9"):
        one_hot_centred(np.array([0, 9]), 9)
    with pytest.raises(ValueError, match="from 0 to 8, got -1"):
        one_hot_centred(np.array([0, -1]), 9)


def test_noise_has_the_moments_of_the_data_and_depends_on_the_seed_only():
    x = (RNG.random((200, 8, 8, 1)) ** 3).astype(np.float32)
    noise = noise_like(x, 3)
    error = x.std() / np.sqrt(x.size)
    assert abs(noise.mean() - x.mean()) < 5 * error and abs(noise.std() - x.std()) < 5 * error
    assert noise.shape == x.shape and noise.dtype == x.dtype
    np.testing.assert_array_equal(noise, noise_like(x, 3))
    assert not np.array_equal(noise, noise_like(x, 4))
