r"""Images: plain, fully augmented and equivariant kernels from the blocks $K_g[i, j] = K(x_i, \rho(g) x_j)$.

For jointly invariant kernels $K(\rho(h) x_i, \rho(g) x_j) = K_{h^{-1} g}[i, j]$, and the equivariant kernel is the mean
of the blocks over the group. `kernel_benchmark_checks` computes both without these two equations.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from ...data import load, one_hot_centred, split, standardise, textures
from ...groups import PointGroup, image_action, point_group
from ...nets import AbstractLayer, Conv, Dense, Flatten, GlobalAvgPool, Relu, Serial
from ..piece import Arrays, Get, Piece
from ..precision import double, matrices
from .kernel_benchmark_config import KernelBenchmark
from .kernel_benchmark_learning import fit, solved

ROOT = 2**0.5
DENSE = Serial(Flatten(), *[Dense(1, sigma_w=ROOT, sigma_b=0.1), Relu()] * 3, Dense(1))
CONV = Serial(*[Conv(1, (3, 3), sigma_w=ROOT, sigma_b=0.1), Relu()] * 3, Flatten(), Dense(1))
POOLED = Serial(
    *[Conv(1, (3, 3), sigma_w=ROOT, sigma_b=0.1, padding="CIRCULAR"), Relu()] * 2, GlobalAvgPool(), Dense(1)
)
LARGEST = point_group("D4")
GROUPS = ("C4", "D4")
KERNELS = ("nngp", "ntk")
ARMS = ("plain, as in the data", "plain, moved tests", "plain", "augmented", "equivariant")


class Case(NamedTuple):
    """A data set and a plain network; `block` is the side of the tiles in which kernels are computed.

    `precision` is that of the kernels of learning curves; those between all pixels are the costly ones.
    """

    name: str
    data: str
    net: AbstractLayer
    block: int
    precision: type


CASES = (
    Case("images-dense", "images", DENSE, 64, np.float64),
    Case("images-conv", "images", CONV, 64, np.float64),
    Case("textures", "textures", POOLED, 16, np.float32),
)


class Items(NamedTuple):
    """Inputs in float64 and labels."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int
    sizes: tuple[int, ...]


@functools.lru_cache(maxsize=4)
def items(config: KernelBenchmark, data: str) -> Items:
    """The pool and the test examples."""
    if data == "textures":
        n, test, sizes = config.texture_pool, config.texture_test, config.texture_sizes
        dataset = textures(n + test, config.texture_side, config.texture_classes, seed=config.seed)
        train, held = np.arange(n), np.arange(n, n + test)
    else:
        n, test, sizes = config.image_pool, config.image_test, config.image_sizes
        dataset = load(config.images, resize=config.image_side or None)
        train, held = split(dataset, train=n, test=test, seed=config.seed)
        train = np.random.default_rng(config.seed).permutation(train)
    x, x_test = standardise(dataset.x[train].astype(np.float64), dataset.x[held].astype(np.float64))
    return Items(x, dataset.y[train], x_test, dataset.y[held], len(dataset.classes), sizes)


def about(config: KernelBenchmark, data: str) -> tuple:
    """What determines the inputs, for digests."""
    own: tuple = (config.images, config.image_side, config.image_pool, config.image_test)
    if data == "textures":
        own = (config.texture_side, config.texture_classes, config.texture_pool, config.texture_test)
    return (data, config.seed, *own)


def image_pieces(config: KernelBenchmark) -> list[Piece]:
    """Kernels in blocks of rows, then learning curves, for each case."""
    found = []
    for case in CASES:
        pool = len_pool(config, case)
        rows = [
            Piece(
                f"{case.name}-rows-{k:03d}",
                f"kernels {case.name}",
                (*about(config, case.data), repr(case.net), case.block, start),
                functools.partial(block_of_rows, config, case, start),
                amount=float(pool - start + len_test(config, case)),
            )
            for k, start in enumerate(range(0, pool, case.block))
        ]
        found += rows
        for kernel in KERNELS:
            curve = Piece(
                f"{case.name}-{kernel}-curves",
                f"curves {case.data}",
                (kernel, config.draws, config.ridges, config.explicit, sizes_of(config, case)),
                functools.partial(curves, config, case, kernel),
                needs=tuple(row.name for row in rows),
            )
            found.append(curve)
    return found


def len_pool(config: KernelBenchmark, case: Case) -> int:
    """How many inputs training sets are drawn from."""
    return config.texture_pool if case.data == "textures" else config.image_pool


def len_test(config: KernelBenchmark, case: Case) -> int:
    """How many inputs are tests."""
    return config.texture_test if case.data == "textures" else config.image_test


def sizes_of(config: KernelBenchmark, case: Case) -> tuple[int, ...]:
    """Training sizes."""
    return config.texture_sizes if case.data == "textures" else config.image_sizes


def block_of_rows(config: KernelBenchmark, case: Case, start: int, get: Get) -> Arrays:
    """$K_g$ of pool inputs from `start` with the pool from there on, and with all test inputs: (|G|, rows, columns)."""
    own = items(config, case.data)
    first = own.x[start : start + case.block]
    columns = np.concatenate([own.x[start:], own.x_test])
    pad = np.resize(np.arange(len(columns)), -(-len(columns) // case.block) * case.block)
    rows = np.resize(np.arange(len(first)), case.block)  # tiles of one shape compile once
    left: np.ndarray = first[rows].astype(case.precision)
    found = np.empty((2, LARGEST.order, len(first), len(pad)))
    for g in range(LARGEST.order):
        turned: np.ndarray = moved(LARGEST, g, columns[pad]).astype(case.precision)
        for low in range(0, len(pad), case.block):
            tile = matrices(case.net, left, turned[low : low + case.block])
            found[:, g, :, low : low + case.block] = np.stack(tile)[:, : len(first)]
    return dict(zip(KERNELS, found[..., : len(columns)], strict=True))


def moved(group: PointGroup, g: int, x: np.ndarray) -> np.ndarray:
    """Images moved by the g-th element, exactly."""
    with double():
        return np.asarray(image_action(group)(g, jnp.asarray(x)))


def tables(config: KernelBenchmark, case: Case, kernel: str, get: Get) -> tuple[np.ndarray, np.ndarray]:
    """$K_g$ of the pool with itself (|G|, n, n), and with the test inputs (|G|, n, m), from the blocks of rows."""
    n, m = len_pool(config, case), len_test(config, case)
    train, cross = np.empty((LARGEST.order, n, n)), np.empty((LARGEST.order, n, m))
    for k, start in enumerate(range(0, n, case.block)):
        block = get(f"{case.name}-rows-{k:03d}")[kernel]
        stop = start + block.shape[1]
        train[:, start:stop, start:] = block[..., : n - start]
        cross[:, start:stop] = block[..., n - start :]
        train[:, start:, start:stop] = np.swapaxes(block[..., : n - start], 1, 2)[LARGEST.inverse]
        train[:, start:stop, start:stop] = block[..., : stop - start]
    # K_g is the transposed of K_{g^-1}; what rounding leaves of the difference would keep the arms apart
    return (train + np.swapaxes(train, 1, 2)[LARGEST.inverse]) / 2, cross


def curves(config: KernelBenchmark, case: Case, kernel: str, get: Get) -> Arrays:
    """Whether each test example is misclassified: (draws, sizes, tests) for each group and arm; and the largest
    difference of augmented and equivariant predictions, relative to the largest prediction."""
    own, (train, cross) = items(config, case.data), tables(config, case, kernel, get)
    labels = one_hot_centred(own.y, own.classes).astype(np.float64)
    shape = (config.draws, len(own.sizes), len(own.y_test))
    wrong = {f"{group}/{arm}": np.zeros(shape, np.uint8) for group in GROUPS for arm in ARMS}
    explicit = np.zeros((len(GROUPS), len(own.sizes)), bool)
    apart = np.zeros((len(GROUPS), len(own.sizes)))
    for d in range(config.draws):
        rng = np.random.default_rng([config.seed, d])
        order = rng.permutation(len(own.x))
        for j, name in enumerate(GROUPS):
            group = Inside(name)
            turn_train, turn_test = (rng.integers(group.order, size=size) for size in (len(own.x), len(own.x_test)))
            for s, n in enumerate(own.sizes):
                chosen, tests = order[:n], np.arange(len(own.x_test))
                y, turns = labels[chosen], turn_train[chosen]

                def judge(arm: str, found: np.ndarray, name=name, d=d, s=s) -> None:
                    wrong[f"{name}/{arm}"][d, s] = found.argmax(1) != own.y_test

                plain = fit(train[LARGEST.identity][np.ix_(chosen, chosen)], y, config.ridges).coefficients
                judge(ARMS[0], cross[LARGEST.identity][chosen].T @ plain)
                judge(ARMS[1], cross[group.members[turn_test][None, :], chosen[:, None], tests[None, :]].T @ plain)
                between = group.between(turns, turns)
                moved_train = train[between, chosen[:, None], chosen[None, :]]
                moved_cross = cross[group.between(turns, turn_test), chosen[:, None], tests[None, :]]
                judge(ARMS[2], moved_cross.T @ fit(moved_train, y, config.ridges).coefficients)

                mean = [np.mean(k[group.members][:, chosen], axis=0) for k in (train, cross)]
                equal = fit(mean[0][:, chosen], y, config.ridges)
                scores = mean[1].T @ equal.coefficients
                judge(ARMS[4], scores)
                if group.order * n <= config.explicit:
                    augmented = group.augmented(train, cross, chosen, y, turn_test, equal.ridge)
                    judge(ARMS[3], augmented)
                    explicit[j, s] = True
                    apart[j, s] = max(apart[j, s], float(np.abs(augmented - scores).max() / np.abs(scores).max()))
    return {**wrong, "explicit": explicit, "apart": apart}


class Inside:
    """A group as part of the largest one: `members` are its elements there."""

    def __init__(self, name: str):
        group = point_group(name)
        same = np.abs(group.matrices[:, None] - LARGEST.matrices[None]).max((2, 3)) < 1e-9
        self.members, self.order = same.argmax(1), group.order
        self.inverse, self.table = group.inverse, group.table

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """$g^{-1} h$, as an element of the largest group, for all pairs of elements."""
        return self.members[self.table[self.inverse[left][:, None], right[None, :]]]

    def augmented(
        self,
        train: np.ndarray,
        cross: np.ndarray,
        chosen: np.ndarray,
        y: np.ndarray,
        turn_test: np.ndarray,
        ridge: float,
    ) -> np.ndarray:
        """Predictions for moved test examples of the plain kernel, trained on all images of the chosen examples.

        Its ridge is |G| times that of the averaged kernel, in the sum convention.
        """
        turns, every = np.repeat(np.arange(self.order), len(chosen)), np.tile(chosen, self.order)
        gram = train[self.between(turns, turns), every[:, None], every[None, :]]
        alpha = solved(gram, self.order * ridge, np.tile(y, (self.order, 1)))
        tests = np.arange(cross.shape[2])
        return cross[self.between(turns, turn_test), every[:, None], tests[None, :]].T @ alpha
