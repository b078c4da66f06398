"""Fashion-MNIST under quarter turns: ensembles with augmentation, and what else the same cost buys."""

import functools

import numpy as np

from .... import data
from ....data.images import resize_images
from ....dynamics import count_parameters, flops
from ....equivariant import impose
from ....groups import image_action, point_group
from ....nets import AbstractLayer, Conv, Dense, Flatten, Relu, Serial
from ....symmetry import augment
from ...piece import Arrays, Get, Piece
from ...precision import double, single
from . import measures
from .config import Emergent, part
from .members import Task, kernel_piece, member_pieces, outputs_of

CLASSES = 10
ACTION = image_action(point_group("C4"))
INPUTS = ("fashion", "digits", "noise")
ARMS = ("augmented", "plain", "canonical", "twin")


def network(channels: int) -> AbstractLayer:
    """Two convolutions whose windows lie symmetrically on the image, so that its kernel turns with its inputs."""
    first = Conv(channels, (4, 4), (2, 2), "VALID", sigma_w=1.4, sigma_b=0.1)
    return Serial(first, Relu(), Conv(channels, (3, 3), sigma_w=1.4, sigma_b=0.1), Relu(), Flatten(), Dense(CLASSES))


def twin(config: Emergent) -> AbstractLayer:
    """The group convolutions that at infinite width have the mean of the augmented network; of half its channels."""
    side = config.fashion_side
    return impose(network(config.fashion_channels), "C4", (side, side, 1), width=0.5)


@functools.cache
def images(side: int) -> tuple[data.Dataset, data.Dataset]:
    """Fashion-MNIST averaged to this side, and digits."""
    return data.load("fashion-mnist", resize=side), data.load("digits")


def upright(x: np.ndarray) -> np.ndarray:
    """Images turned so that their centre of mass is in the upper quarter, between the diagonals.

    The first moment about the centre turns with the image; of the four copies the one with the largest upward moment
    is taken.
    """
    with double():
        orbit = np.asarray(ACTION.orbit(x))
    rows = np.linspace(1, -1, x.shape[1])[:, None, None]
    up = (orbit * rows).sum((2, 3, 4))
    return orbit[up.argmax(0), np.arange(len(x))]


def problem(config: Emergent, train: int, test: int, off: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images (n, side, side, 1) in [0, 1], their labels less 1/10, inputs to look at, classes of the test.

    The inputs are test images, then digits enlarged to the same size, then independent uniform pixels.
    """
    side = config.fashion_side
    fashion, digits = images(side)
    rng = np.random.default_rng([config.seed, 3])
    chosen = rng.permutation(np.flatnonzero(fashion.split == "train"))[:train]
    shown = rng.permutation(np.flatnonzero(fashion.split == "test"))[:test]
    others = resize_images(digits.x[rng.permutation(len(digits.x))[:off]], side)
    seen = [fashion.x[shown], others, rng.random((len(others), side, side, 1))]
    targets = np.eye(CLASSES)[fashion.y[chosen]] - 1 / CLASSES
    return fashion.x[chosen].astype(float), targets, np.concatenate(seen).astype(float), fashion.y[shown]


def task(config: Emergent, arm: str) -> Task:
    """What an arm learns: pixels less their mean over the training set, over their standard deviation."""
    x, y, seen, _ = problem(config, config.fashion_train, config.fashion_test, config.fashion_off)
    mean, std = x.mean(), x.std()
    with double():
        orbits = np.asarray(ACTION.orbit(seen))
        if arm == "augmented":
            x, y = (np.asarray(a) for a in augment(x, y, ACTION))
    if arm == "canonical":
        x, orbits = upright(x), upright(orbits.reshape(-1, *seen.shape[1:])).reshape(orbits.shape)
    return Task((x - mean) / std, y, (orbits - mean) / std)


def moments(config: Emergent) -> tuple[int, ...]:
    """Epochs at which outputs are kept: one, then about three times as many each time."""
    return tuple(sorted({max(1, round(config.fashion_steps / 3**k)) for k in range(6)}))


def runs(config: Emergent) -> list[tuple[str, str, AbstractLayer, int, int]]:
    """(name, arm, network, members, members in a piece) of each ensemble."""
    augmented, less, group = config.fashion_members
    net = network(config.fashion_channels)
    found = [
        ("fashion-augmented", "augmented", net, augmented, 8),
        ("fashion-plain", "plain", net, less, 32),
        ("fashion-canonical", "canonical", net, less, 32),
        ("fashion-twin", "twin", twin(config), group, 4),
    ]
    for channels in config.fashion_single:
        found.append((f"fashion-single-{channels}", "augmented", network(channels), config.fashion_seeds, 1))
    return found


def pieces(config: Emergent) -> list[Piece]:
    """One kernel, whose learning rate all arms share; the ensembles; what is measured of them."""
    made_from, every = part(config, "fashion_"), moments(config)
    net, make = network(config.fashion_channels), functools.partial(task, config, "augmented")
    kernel = kernel_piece("fashion-kernel", net, make, every, config.rate, made_from)
    found, ensembles = [kernel], {}
    for name, arm, described, members, each in runs(config):
        make = functools.partial(task, config, arm)
        kept = every if name in ("fashion-augmented", "fashion-plain") else every[-1:]
        ensembles[name] = member_pieces(name, described, make, kept, members, each, kernel.name, made_from)
        found += ensembles[name]
    for name, arm, described, _, _ in runs(config):
        needs = (kernel.name, *(piece.name for piece in ensembles[name]))
        work = functools.partial(measured, config, arm, described, ensembles[name])
        found.append(Piece(f"{name}-measured", "measure", made_from, work, needs=needs))
    work = functools.partial(foretold, config)
    return [*found, Piece("fashion-foretold", "foretell", made_from, work, needs=(kernel.name,))]


def domains(config: Emergent) -> list[slice]:
    """Where test images, digits and noise stand among the inputs."""
    a, b = config.fashion_test, config.fashion_off
    return [slice(0, a), slice(a, a + b), slice(a + b, a + 2 * b)]


def measured(config: Emergent, arm: str, net: AbstractLayer, trained: list[Piece], get: Get) -> Arrays:
    """Means with intervals: `same` (moments, inputs, sizes, 3), orbit-same-prediction; `accuracy` and `averaged`
    (sizes, 3), on test images in all orientations, as they are and averaged over the orbit; `flops` of training one.
    """
    outputs = outputs_of(trained, get)
    labels = problem(config, config.fashion_train, config.fashion_test, config.fashion_off)[3]
    counts = measures.sizes(len(outputs))
    same = np.zeros((outputs.shape[1], len(INPUTS), len(counts), 3))
    accuracy = np.zeros((2, len(counts), 3))
    for j, size in enumerate(counts):
        ensembles = measures.blocks(outputs, size)
        for k, some in enumerate(domains(config)):
            for t in range(outputs.shape[1]):
                values = 4 * measures.same_prediction(ensembles[:, t, :, some])
                same[t, k, j] = measures.interval(values, config.resamples, config.seed)
        test = ensembles[:, -1, :, : config.fashion_test]
        right = (test.argmax(-1) == labels).mean(1), test.mean(1).argmax(-1) == labels
        accuracy[:, j] = [measures.interval(r.astype(float), config.resamples, config.seed) for r in right]
    shape = (config.fashion_side, config.fashion_side, 1)
    with single():
        forward = flops(net, shape)
        import jax

        parameters = count_parameters(jax.eval_shape(lambda key: net.init(key, shape)[1], jax.random.key(0)))
    examples = config.fashion_train * (4 if arm == "augmented" else 1)
    return {
        "same": same,
        "accuracy": accuracy[0],
        "averaged": accuracy[1],
        "forward": np.array(forward),
        "flops": np.array(3 * forward * examples * config.fashion_steps),
        "parameters": np.array(parameters),
    }


def foretold(config: Emergent, get: Get) -> Arrays:
    """By the kernel: `same` (moments, inputs, sizes) and `accuracy` of the infinite ensemble."""
    known, labels = (
        get("fashion-kernel"),
        problem(config, config.fashion_train, config.fashion_test, config.fashion_off)[3],
    )
    counts = measures.sizes(4 * config.fashion_members[0])
    same = np.zeros((len(known["mean"]), len(INPUTS), len(counts)))
    for t, (mean, covariance) in enumerate(zip(known["mean"], known["covariance"], strict=True)):
        for k, some in enumerate(domains(config)):
            for j, size in enumerate(counts):
                found = measures.predicted_same_prediction(
                    mean[:, some], covariance[some], size, config.resamples // 4, config.seed
                )
                same[t, k, j] = 4 * found.mean()
    best = known["mean"][-1, :, : config.fashion_test].argmax(-1)
    return {"same": same, "accuracy": np.array((best == labels).mean())}
