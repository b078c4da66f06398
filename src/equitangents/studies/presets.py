"""Ready configurations, fitted to the size, the shape and the classes of the data."""

import dataclasses
from typing import Any

import numpy as np

from ..data import Dataset, load
from .config import AuditRun, Config, EnsembleRun, KernelRun, check_config

MLP = "Serial(Flatten(), Dense(W), Relu(), Dense(W), Relu(), Dense(1))"
CNN_GAP = (
    "Serial(Conv(W, (3, 3), padding='VALID'), Relu(), Conv(W, (3, 3), padding='VALID'), Relu(), "
    "GlobalAvgPool(), Dense(1))"
)
SMALLEST_IMAGE = 5  # for two unpadded 3 x 3 convolutions


def make_preset(name: str, **given: Any) -> Config:
    """The preset "quick" or "full" for the data it names; see `config.preset_config`."""
    config = Config(preset=name, **given)
    dataset = load(config.data, resize=config.resize or None)
    made = (quick if name == "quick" else full)(config, dataset)
    return check_config(made)


def quick(config: Config, dataset: Dataset) -> Config:
    """Some minutes on two cores: two kernels, and ensembles of a small dense network."""
    room = _Room(dataset)
    image = dataset.x.ndim == 4
    reduced = _reduced(dataset, 8)
    test, off = room.test(300), 100
    kernels = [KernelRun("mlp", MLP, 0, room.train((40, 80, 160, 320), test), test, off, check=room.check(40))]
    if image and (reduced or dataset.x.shape[1]) >= SMALLEST_IMAGE:
        sizes = room.train((40, 80, 160), test)
        kernels.append(KernelRun("cnn-gap", CNN_GAP, reduced, sizes, min(test, 200), 50, check=room.check(12)))
    sizes = room.train((40, 80, 160), test)
    ensembles: tuple[EnsembleRun, ...] = (
        EnsembleRun("mlp", MLP, 0, sizes, test, off, widths=(16, 64), members=16, seeds=(0, 1), steps=600),
    )
    if image and dataset.x.shape[1] > 16:
        small = _reduced(dataset, 14)
        kernels[0] = dataclasses.replace(kernels[0], size=small)
        ensembles = tuple(dataclasses.replace(run, size=small) for run in ensembles)
    return dataclasses.replace(
        config, audit=room.audit(_reduced(dataset, 14)), kernels=tuple(kernels), ensembles=ensembles
    )


def full(config: Config, dataset: Dataset) -> Config:
    """Most of an hour on two cores for images of 28 x 28: kernels on 5000 images, ensembles of 100 networks."""
    room = _Room(dataset)
    test = room.test(600)
    off_manifold = config.off_manifold
    if config.data == "fashion-mnist" and off_manifold == "noise":
        off_manifold = "digits"
    large, middle, small = (
        room.train((500, 1500, 5000), test),
        room.train((100, 400), test),
        room.train((250, 1000), test),
    )
    kernels = [KernelRun("mlp", MLP, 0, large, test, 100)]
    ensemble_size = 0
    if dataset.x.ndim == 4:
        side = dataset.x.shape[1]
        if side % 4 == 0 and side >= 12:
            net = (
                "Serial(Conv(W, (4, 4), (4, 4), padding='VALID'), Relu(), Conv(W, (3, 3)), Relu(), Flatten(), Dense(1))"
            )
            kernels.append(KernelRun("cnn-flatten", net, 0, large, test, 100))
        reduced = _reduced(dataset, 8)
        if (reduced or side) >= SMALLEST_IMAGE:
            kernels.append(
                KernelRun("cnn-gap", CNN_GAP, reduced, small, min(test, 300), 50, check=room.check(12), direct=True)
            )
        ensemble_size = _reduced(dataset, 14)
    name = "mlp"
    if ensemble_size:
        name = f"mlp-{ensemble_size}"
        kernels.append(KernelRun(name, MLP, ensemble_size, middle, test, 100))
    else:
        middle = large[:2]
    ensembles = (
        EnsembleRun(name, MLP, ensemble_size, middle, test, 100, widths=(128,), members=100, steps=400, piece=10),
    )
    audit = room.audit(_reduced(dataset, 14))
    return dataclasses.replace(
        config, off_manifold=off_manifold, audit=audit, kernels=tuple(kernels), ensembles=ensembles
    )


class _Room:
    """How many examples there are for training and test."""

    def __init__(self, dataset: Dataset):
        self.classes = len(dataset.classes)
        self.own = dataset.split is not None
        n = len(dataset.y)
        self.n_train = int(np.sum(dataset.split == "train")) if dataset.split is not None else n
        self.n_test = int(np.sum(dataset.split == "test")) if dataset.split is not None else n

    def test(self, wanted: int) -> int:
        return min(wanted, self.n_test if self.own else self.n_test // 3)

    def train(self, wanted: tuple[int, ...], test: int) -> tuple[int, ...]:
        """The sizes wanted, made larger for many classes, as far as there are examples."""
        factor = max(1, -(-2 * self.classes // wanted[0]))
        most = self.n_train if self.own else self.n_train - test
        sizes = [s * factor for s in wanted if s * factor <= most]
        return tuple(sizes) or (max(2, most),)

    def check(self, wanted: int) -> int:
        return wanted

    def audit(self, size: int) -> AuditRun:
        held = min(800, self.n_test if self.own else self.n_test // 2)
        return AuditRun(train=min(600, self.n_train if self.own else self.n_train - held), held_out=held, size=size)


def _reduced(dataset: Dataset, most: int) -> int:
    """The largest side up to `most` that divides that of the images, or `most`; 0 where nothing need be reduced."""
    if dataset.x.ndim != 4 or dataset.x.shape[1] <= most:
        return 0
    side = dataset.x.shape[1]
    divisors = [s for s in range(most // 2 + 1, most + 1) if side % s == 0]
    return divisors[-1] if divisors else most
