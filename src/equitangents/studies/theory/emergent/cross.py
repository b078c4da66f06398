r"""The cross product, $f(R a, R b) = R f(a, b)$ under SO(3), from orbits of finite groups of rotations, T, O and I."""

import functools

import jax
import numpy as np

from ....groups import matrix_action, random_rotations, spatial_group
from ....nets import AbstractLayer, Dense, Relu, Serial
from ....symmetry import augment
from ...piece import Arrays, Get, Piece
from ...precision import double
from .config import Emergent, part
from .deviations import add_rows
from .measures import law
from .members import Task, kernel_piece, member_pieces, outputs_of

GROUPS = ("T", "O", "I")
EACH = 128


def network(width: int) -> AbstractLayer:
    """Pairs of vectors (6,) to a vector (3,)."""
    return Serial(Dense(width, sigma_w=1.5, sigma_b=0.3), Relu(), Dense(3))


def pairs(rng: np.random.Generator, n: int) -> np.ndarray:
    """Two independent unit vectors, uniform on the sphere, side by side; (n, 6)."""
    vectors = rng.standard_normal((n, 2, 3))
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).reshape(n, 6)


def products(x: np.ndarray) -> np.ndarray:
    """Cross products of pairs (..., 6); shape (..., 3)."""
    return np.cross(x[..., :3], x[..., 3:])


def on_pairs(rotations: np.ndarray) -> np.ndarray:
    """Matrices (n, 6, 6) that turn both vectors."""
    return np.einsum("ab,gij->gaibj", np.eye(2), rotations).reshape(-1, 6, 6)


def rotations(config: Emergent, group: str, sets: str) -> np.ndarray:
    """Elements of the group that was trained on (all or the first), or Haar-random rotations; (n, 3, 3)."""
    if sets == "own":
        return spatial_group(group).matrices[: config.cross_rotations]
    with double():
        return np.asarray(random_rotations(jax.random.key(config.seed), config.cross_rotations))


def task(config: Emergent, group: str) -> Task:
    """Pairs with their products, on orbits of the group; seen under some of its elements, then under random ones."""
    rng = np.random.default_rng([config.seed, 2])
    x, seen = pairs(rng, config.cross_train), pairs(rng, config.cross_test)
    finite = spatial_group(group)
    with double():
        turned, target = matrix_action(finite, on_pairs(finite.matrices)), matrix_action(finite, finite.matrices)
        x, y = (np.asarray(a) for a in augment(x, products(x), turned, target=target))
    turns = np.concatenate([rotations(config, group, "own"), rotations(config, group, "haar")])
    return Task(x, y, np.einsum("gij,nj->gni", on_pairs(turns), seen), turns.transpose(0, 2, 1))


def pieces(config: Emergent) -> list[Piece]:
    """Kernels, ensembles, and what is measured of them; C1 is training without augmentation."""
    found: list[Piece] = []
    made_from, moments, net = part(config, "cross_"), (config.cross_steps,), network(config.cross_width)
    for group in ("C1", *GROUPS):
        name, make = f"cross-{group.lower()}", functools.partial(task, config, group)
        members = min(config.cross_members, 256) if group == "C1" else config.cross_members
        kernel = kernel_piece(f"{name}-kernel", net, make, moments, config.rate, made_from, joint=True)
        trained = member_pieces(name, net, make, moments, members, EACH, kernel.name, made_from)
        measure = functools.partial(measured, config, group, make, kernel.name, trained)
        needs = (kernel.name, *(piece.name for piece in trained))
        found += [kernel, *trained, Piece(f"{name}-measured", "measure", made_from, measure, needs=needs)]
    return found


def measured(
    config: Emergent, group: str, make: functools.partial, kernel: str, trained: list[Piece], get: Get
) -> Arrays:
    """As `deviations.add_rows`, under elements of the group and under random rotations; `error` of the products."""
    data, outputs, known = make(), outputs_of(trained, get)[:, -1], get(kernel)
    own = len(data.seen) - config.cross_rotations
    rows: dict[str, list] = {}
    for k, some in enumerate((slice(0, own), slice(own, None))):
        assert data.back is not None
        found = law(known["joint"][some, :, some], known["mean"][-1][some], data.back[some])
        if group != "C1" or k == 1:
            add_rows(rows, outputs[:, some], found, config.resamples, config.seed + k)
    truth = products(data.seen[0])
    errors = [np.sqrt(((o[:, 0] - truth) ** 2).sum(-1).mean()) for o in (outputs, outputs.mean(0, keepdims=True))]
    scale = np.sqrt((truth**2).sum(-1).mean())
    return {name: np.array(v) for name, v in rows.items()} | {"error": np.array(errors) / scale, "scale": scale}
