"""Rotations by any angle, learned from finite groups of them: images interpolated on pixels, and exact harmonics."""

import functools

import numpy as np

from ....dynamics import GradientFlow, max_learning_rate
from ....groups import cyclic, matrix_action
from ....nets import AbstractLayer, Dense, Erf, Flatten, Serial
from ....symmetry import augment, equivariance_bound
from ...piece import Arrays, Get, Piece
from ...precision import double
from . import fashion, measures
from .config import Emergent, part
from .members import Task, kernel_piece, member_pieces, outputs_of

FREQUENCIES = 4  # of the harmonics, from 0
RADII = 6
ORDERS = (4, 8, 16, 32)  # for the harmonics
EACH = 16


def network(width: int) -> AbstractLayer:
    """Smooth, as the bound asks for."""
    return Serial(Flatten(), Dense(width, sigma_w=1.4, sigma_b=0.1), Erf(), Dense(fashion.CLASSES))


def turning(side: int, angles: np.ndarray) -> np.ndarray:
    """Matrices (angles, side^2, side^2) that turn images counter-clockwise about their centre, bilinearly interpolated.

    Each pixel takes the value at the point that comes to lie on it, linear between its four neighbours; 0 outside. By
    quarter turns they are the permutations of `image_action(point_group("C4"))`.
    """
    centre = (side - 1) / 2
    rows, columns = (g.ravel() - centre for g in np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    found = np.zeros((len(angles), side * side, side * side))
    for matrix, angle in zip(found, angles, strict=True):
        c, s = np.cos(angle), np.sin(angle)
        points = np.round(np.stack([c * rows + s * columns, -s * rows + c * columns]) + centre, 9)
        low = np.floor(points).astype(int)
        for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
            place = low + np.array(corner)[:, None]
            weight = np.prod(1 - np.abs(points - place), axis=0)
            inside = ((place >= 0) & (place < side)).all(0)
            np.add.at(matrix, (np.flatnonzero(inside), (place[0] * side + place[1])[inside]), weight[inside])
    return found


def angles(count: int) -> np.ndarray:
    """So many, evenly over the circle, in radians."""
    return 2 * np.pi * np.arange(count) / count


def task(config: Emergent, order: int) -> Task:
    """Images turned by the multiples of 360 / order degrees; seen at all angles."""
    x, y, seen, _ = fashion.problem(config, config.turn_train, config.turn_test, 1)
    side, mean, std = config.fashion_side, x.mean(), x.std()

    def turned(images: np.ndarray, count: int) -> np.ndarray:
        moved = np.einsum("gpq,nq->gnp", turning(side, angles(count)), images.reshape(len(images), -1))
        return (moved.reshape(count, len(images), side, side, 1) - mean) / std

    seen = seen[: config.turn_test]
    return Task(turned(x, order).reshape(-1, side, side, 1), np.tile(y, (order, 1)), turned(seen, config.turn_angles))


def pieces(config: Emergent) -> list[Piece]:
    """For each order the kernel, an ensemble and what is measured; then the bound, for harmonics."""
    shared, net, found = (*part(config, "turn_"), config.fashion_side), network(config.turn_width), []
    for order in config.turn_orders:
        name, make, made_from = f"turn-c{order}", functools.partial(task, config, order), (*shared, order)
        last = (config.turn_steps,)
        kernel = kernel_piece(f"{name}-kernel", net, make, last, config.rate, made_from)
        trained = member_pieces(name, net, make, last, config.turn_members, EACH, kernel.name, made_from)
        work = functools.partial(measured, config, kernel.name, trained)
        needs = (kernel.name, *(piece.name for piece in trained))
        found += [kernel, *trained, Piece(f"{name}-measured", "measure", made_from, work, needs=needs)]
    return [*found, Piece("turn-bound", "bound", shared, functools.partial(bound, config))]


def measured(config: Emergent, kernel: str, trained: list[Piece], get: Get) -> Arrays:
    """`same` (sizes, 3) and `foretold` (sizes,): share of angles with the prediction of the image itself; `change`
    (2, angles): root mean square over images of |f(turned) - f(image)|, of all members and by the kernel.
    """
    outputs, known = outputs_of(trained, get)[:, -1], get(kernel)
    mean, covariance = known["mean"][-1], known["covariance"][-1]
    counts = measures.sizes(len(outputs))
    same, foretold = np.zeros((len(counts), 3)), np.zeros(len(counts))
    for j, size in enumerate(counts):
        values = measures.same_prediction(measures.blocks(outputs, size))
        same[j] = measures.interval(values, config.resamples, config.seed)
        foretold[j] = measures.predicted_same_prediction(
            mean, covariance, size, config.resamples // 4, config.seed
        ).mean()
    limit = measures.same_prediction(mean[None]).mean()
    own = np.einsum("igg->gi", covariance)
    gaps = (own + own[:1] - 2 * covariance[:, 0].T).mean(1) * mean.shape[-1]  # variance of f(turned) - f(image)
    expected = ((mean - mean[:1]) ** 2).sum(-1).mean(1)
    every = outputs.astype(float).mean(0)
    change = np.sqrt(((every - every[:1]) ** 2).sum(-1).mean(1))
    by_kernel = np.sqrt(expected + gaps / len(outputs)), np.sqrt(expected)
    return {"same": same, "foretold": foretold, "limit": limit, "change": np.array([change, *by_kernel])}


def harmonics(config: Emergent, images: np.ndarray) -> np.ndarray:
    """Angular Fourier coefficients of images (n, side, side, 1) on circles, frequencies up to `FREQUENCIES`.

    Circles are sampled by linear interpolation at 48 angles and weighted by the root of their length.

    Returns:
        Shape (n, radii, 1 + 2 frequencies): the mean, then cosine and sine of each frequency, orthonormal.
    """
    side = config.fashion_side
    around = angles(48)
    radii = (np.arange(RADII) + 0.5) / RADII * side / 2
    from scipy.ndimage import map_coordinates

    centre = (side - 1) / 2
    points = np.stack([centre - np.outer(radii, np.sin(around)), centre + np.outer(radii, np.cos(around))])
    circles = np.stack([map_coordinates(image[..., 0], points, order=1) for image in images])
    m = np.arange(1, FREQUENCIES + 1)
    waves = np.stack([np.cos(np.outer(m, around)), np.sin(np.outer(m, around))], 1).reshape(-1, len(around))
    basis = np.concatenate([np.full((1, len(around)), np.sqrt(0.5)), waves]) * np.sqrt(2 / len(around))
    return np.einsum("nra,ma,r->nrm", circles, basis, np.sqrt(radii / radii.mean()))


def on_harmonics(turns: np.ndarray) -> np.ndarray:
    """Orthogonal matrices (angles, d, d) that turn flattened harmonics; d = radii (1 + 2 frequencies)."""
    m = 1 + 2 * FREQUENCIES
    one = np.zeros((len(turns), m, m))
    one[:, 0, 0] = 1
    for k in range(1, FREQUENCIES + 1):
        c, s = np.cos(k * turns), np.sin(k * turns)
        i = 2 * k - 1
        one[:, i, i], one[:, i, i + 1], one[:, i + 1, i], one[:, i + 1, i + 1] = c, -s, s, c
    return np.einsum("rs,gij->grisj", np.eye(RADII), one).reshape(len(turns), RADII * m, RADII * m)


def radius(order: int) -> float:
    """Covering radius of C_k in SO(2) where frequencies up to m occur, 2 sin(m pi / 2k), at most 2."""
    return float(2 * np.sin(min(FREQUENCIES * np.pi / (2 * order), np.pi / 2)))


def bound(config: Emergent, get: Get) -> Arrays:
    """For harmonics and each of `ORDERS`: the largest change of the kernel's mean over all angles, over images and
    outputs, and the least ratio of its bound to it; `values` (orders, 3): radius, rms change, rms bound.
    """
    x, y, seen, _ = fashion.problem(config, config.turn_train, min(config.turn_test, 12), 1)
    x, seen = harmonics(config, x), harmonics(config, seen[: min(config.turn_test, 12)])
    mean, std = x.mean(0), x.std()
    mean[:, 1:] = 0  # what is subtracted must not turn
    x, seen = (((a - mean) / std).reshape(len(a), -1) for a in (x, seen))
    net, rows, least = network(config.turn_width), [], np.inf
    with double():
        for order in ORDERS:
            action = matrix_action(cyclic(order), on_harmonics(angles(order)))
            xs, ys = augment(x, y, action)
            flow = GradientFlow(net, xs, ys, loss="mean")
            t = config.turn_steps * config.rate * float(max_learning_rate(flow.regression.ntk, loss="mean"))
            every = np.einsum("gij,nj->gni", on_harmonics(angles(measured_angles(order))), seen)
            means = np.asarray(flow.mean(every.reshape(-1, x.shape[1]), t)).reshape(*every.shape[:2], -1)
            change = np.abs(means - means[:1]).max(0)
            allowed = np.asarray(equivariance_bound(flow, seen, t, action, radius(order)).bound)
            least = min(least, float((allowed / change).min()))
            rows.append([radius(order), np.sqrt((change**2).mean()), np.sqrt((allowed**2).mean())])
    return {"values": np.array(rows), "least": np.array(least)}


def measured_angles(order: int) -> int:
    """Enough to see between the elements of the group."""
    return 4 * order
