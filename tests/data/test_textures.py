"""Random fields have the law they claim: its symmetries hold exactly, its variance is 1."""

import numpy as np
import pytest

from equitangents.data import textures
from equitangents.data.textures import radial_spectrum


@pytest.mark.parametrize("side", [6, 7, 8])
def test_spectra_are_the_same_in_all_orientations_of_the_grid(side):
    ring = radial_spectrum(side, 1.3, 0.5)
    k = np.fft.fftfreq(side, 1 / side).astype(int)
    place = lambda a, b: ring[a % side, b % side]  # noqa: E731
    grid = np.array([[(a, b) for b in k] for a in k])
    a, b = grid[..., 0], grid[..., 1]
    for moved in ((b, a), (-a, b), (-b, a)):  # these generate the eight symmetries
        np.testing.assert_array_equal(place(a, b), place(*moved))
    assert ring[0, 0] == 0 and abs(ring.mean() - 1) < 1e-12


def test_fields_have_variance_one_and_their_spectrum():
    found = textures(3000, side=8, classes=3, seed=1)
    x = found.x[..., 0]
    assert np.abs(x.mean((1, 2))).max() < 1e-12
    power = np.abs(np.fft.fft2(x)) ** 2 / 64  # mean: the spectrum, spread: as large or, for real modes, root 2 as large
    for c, centre in enumerate(np.linspace(1, 2, 3)):
        own = power[found.y == c]
        expected = radial_spectrum(8, centre, 0.5)
        error = own.std(0) / len(own) ** 0.5
        assert (np.abs(own.mean(0) - expected) <= 5 * error + 1e-12).all()
    assert sorted(np.bincount(found.y)) == [1000, 1000, 1000]


def test_the_same_seed_gives_the_same_fields():
    one, same, other = (textures(8, side=5, classes=2, seed=seed).x for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("options", [{"side": 3}, {"classes": 1}, {"n": 1}, {"width": 0.0}])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="textures: expected"):
        textures(**({"n": 8} | options))
