"""Digits for training and testing, and images that have nothing to do with them."""

from typing import NamedTuple

import numpy as np

from ...data import load, noise_like, resize_images, standardise
from ..problem import moved as moved

SIDE = 8
OFF = {"fashion-mnist": "Fashion-MNIST at their size", "noise": "Gaussian noise"}


class Images(NamedTuple):
    """Pixels standardised by mean and standard deviation of the training images, shape (n, 8, 8, 1), float64.

    Attributes:
        x, y: for training, with their classes.
        x_test, y_test: the held-out ones.
        x_off: off the manifold of digits.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    x_off: np.ndarray


def digits(classes: int, train: int, test: int, off: str, n_off: int, seed: int) -> Images:
    """scikit-learn's digits 0, ..., classes - 1, drawn at random, and Fashion-MNIST at their size or noise."""
    data = load("digits")
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.flatnonzero(data.y < classes))[: train + test]
    x, y = data.x[chosen].astype(float), data.y[chosen]
    if off == "noise":
        x_off = noise_like(np.resize(x, (n_off, SIDE, SIDE, 1)), seed)
    else:
        fashion = load(off)
        x_off = resize_images(fashion.x[rng.permutation(len(fashion.x))[:n_off]].astype(float), SIDE)
    x_train, x_test, x_off = standardise(x[:train], x[train:], x_off)
    return Images(x_train, y[:train], x_test, y[train:], x_off)


def available(classes: int) -> int:
    """How many digits of these classes there are."""
    return int(np.sum(load("digits").y < classes))
