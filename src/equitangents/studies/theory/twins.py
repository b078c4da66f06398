"""The pairs of networks that augmentation makes equal, and those that it does not."""

from typing import Any, NamedTuple

import numpy as np

from ...data import one_hot_centred
from ...equivariant import GroupConv, GroupPool, Lift, impose
from ...nets import AbstractLayer, Conv, Dense, GlobalAvgPool, Relu, Serial
from .images import SIDE, Images, digits

SHAPE = (SIDE, SIDE, 1)
SCALES: dict[str, Any] = {"sigma_w": 2**0.5, "sigma_b": 0.1}
CORNER = ((True, False, False), (True, False, False), (True, True, True))
CASES = ("theorem", "nonlinear-head", "asymmetric-footprint")
CASE_TEXT = {
    "theorem": "as the theorem asks",
    "nonlinear-head": "nonlinear head",
    "asymmetric-footprint": "asymmetric footprint",
}


class Pair(NamedTuple):
    """A plain network, to be trained on orbits, and the one with the symmetry built in, to be trained on images."""

    plain: AbstractLayer
    imposed: AbstractLayer


def pair(case: str, group: str, width: int, classes: int) -> Pair:
    """Two convolutions 3 x 3 without padding, ReLU, the mean over what is left, a linear layer: in one of `CASES`."""
    if case == "asymmetric-footprint":
        plain, imposed = (
            Serial(
                Lift(g, width, 3, padding="VALID", footprint=CORNER, negative_control=True, **SCALES),
                Relu(),
                GroupConv(g, width, 3, padding="VALID", footprint=CORNER, negative_control=True, **SCALES),
                Relu(),
                GroupPool(),
                Dense(classes),
            )
            for g in ("C1", group)
        )
        return Pair(plain, imposed)
    convolutions = [Conv(width, (3, 3), padding="VALID", **SCALES), Relu()] * 2
    plain = Serial(*convolutions, GlobalAvgPool(), Dense(classes))
    imposed = impose(plain, group, SHAPE)
    if case == "theorem":
        return Pair(plain, imposed)
    head = (Dense(width, **SCALES), Relu(), Dense(classes))
    return Pair(*(Serial(*net.layers[:-1], *head) for net in (plain, imposed)))


class Data(NamedTuple):
    """Training images with their targets; test images, those off the manifold last."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray


def data(config: Any) -> Data:
    """Of a configuration of `augmented_equals_equivariant`."""
    images: Images = digits(config.classes, config.train, config.test, config.off, config.n_off, config.seed)
    return Data(images.x, one_hot_centred(images.y, config.classes), np.concatenate([images.x_test, images.x_off]))
