"""Numbers of the page: factors with intervals and errors, of every data set, kernel and orientation."""

from typing import NamedTuple

import numpy as np

from ..piece import Get
from .kernel_benchmark_config import KernelBenchmark
from .kernel_benchmark_images import ARMS, CASES, GROUPS, KERNELS, sizes_of
from .kernel_benchmark_learning import data_efficiency
from .kernel_benchmark_qm9 import TARGETS

NAMES = {"images-dense": "dense", "images-conv": "convolutions", "textures": "textures"}
ORIENTATIONS = {"random": "plain", "own": "plain, as in the data"}


class Line(NamedTuple):
    """Plain against equivariant, at the largest training size.

    Attributes:
        data: piece that holds the losses.
        what: data set and network, or target.
        group, kernel: names.
        orientation: "random" or "own", of training and test examples.
        n: the largest training size.
        plain, equivariant: errors there.
        factor, low, high, bound: how many times more examples the plain kernel needs to its error.
        most: the largest factor that these training sizes can show.
    """

    data: str
    what: str
    group: str
    kernel: str
    orientation: str
    n: int
    plain: float
    equivariant: float
    factor: float
    low: float
    high: float
    bound: bool
    most: float

    @property
    def open_end(self) -> bool:
        """Whether the upper end is at `most`, and may lie anywhere beyond."""
        return self.high > 0.999 * self.most

    @property
    def interval(self) -> str:
        """As text."""
        more = " or more" if self.open_end else ""
        return f"{'at least ' if self.bound else ''}{self.factor:.2g} [{self.low:.2g}, {self.high:.2g}{more}]"


def image_lines(config: KernelBenchmark, get: Get) -> list[Line]:
    """Of images and textures."""
    return [
        line(
            config,
            get(f"{case.name}-{kernel}-curves"),
            f"{group}/",
            sizes_of(config, case),
            orientation,
            (case.name, NAMES[case.name], group, kernel),
        )
        for case in CASES
        for group in GROUPS
        for kernel in KERNELS
        for orientation in ORIENTATIONS
    ]


def molecule_lines(config: KernelBenchmark, get: Get) -> list[Line]:
    """Of QM9."""
    return [
        line(
            config,
            get("qm9-curves"),
            f"{target}/{kernel}/",
            config.molecule_sizes,
            orientation,
            ("qm9", target, "SO(3)", kernel),
        )
        for target in TARGETS
        for kernel in KERNELS
        for orientation in ORIENTATIONS
    ]


def line(
    config: KernelBenchmark,
    losses: dict[str, np.ndarray],
    key: str,
    sizes: tuple[int, ...],
    orientation: str,
    names: tuple[str, str, str, str],
) -> Line:
    """Of the losses under `key`; `names` are the first four entries."""
    data, what, group, kernel = names
    plain, other = (losses[key + arm].astype(float) for arm in (ORIENTATIONS[orientation], ARMS[4]))
    found = data_efficiency(plain, other, sizes, config.resamples, np.random.default_rng(config.seed))
    factor, low, high = (float(column[-1]) for column in (found.value, found.low, found.high))
    error, least = (float(loss[:, -1].mean()) for loss in (plain, other))
    bound, most = bool(found.bound[-1]), sizes[-1] / sizes[0]
    return Line(data, what, group, kernel, orientation, sizes[-1], error, least, factor, low, high, bound, most)
