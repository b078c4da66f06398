r"""Energies of 4 x 4 spins: $E = -\frac1N \sum_{\langle ij \rangle} s_i s_j$ on a torus, and four of its groups."""

import functools

import numpy as np

from ....groups import Action, cyclic, image_action, matrix_action, point_group, translations
from ....nets import AbstractLayer, Dense, Flatten, Relu, Serial
from ....symmetry import augment, ensemble_deviation_bound, gap_variance
from ...piece import Arrays, Get, Piece
from ...precision import double
from . import measures
from .config import Emergent, part
from .deviations import add_rows
from .members import Task, kernel_piece, member_pieces, outputs_of

SIDE = 4
GROUPS = ("C4", "D4", "translations", "spin flip")
EACH = 256  # members in a piece
CONFIDENCES, COVERED = (0.8, 0.95, 0.99), 16


def action(group: str) -> Action:
    """How a group acts on spins (4, 4, 1)."""
    if group == "translations":
        return image_action(translations(SIDE, SIDE))
    if group == "spin flip":
        return matrix_action(cyclic(2), [[[1.0]], [[-1.0]]])
    return image_action(point_group(group))


def network(width: int) -> AbstractLayer:
    """Spins (4, 4, 1) to their energy (1,)."""
    return Serial(Flatten(), Dense(width, sigma_w=1.5, sigma_b=0.3), Relu(), Dense(1))


def energy(spins: np.ndarray) -> np.ndarray:
    """Per spin, of spins (n, 4, 4, 1); shape (n, 1), from -2 to 2.

    >>> energy(np.ones((1, 4, 4, 1))).tolist()
    [[-2.0]]
    """
    return -(spins * np.roll(spins, 1, 1) + spins * np.roll(spins, 1, 2)).mean((1, 2))


def spins(rng: np.random.Generator, n: int) -> np.ndarray:
    """Independent spins, up with a probability drawn for each configuration between 0.5 and 0.95."""
    up = rng.uniform(0.5, 0.95, (n, 1, 1, 1))
    return np.where(rng.random((n, SIDE, SIDE, 1)) < up, 1.0, -1.0)


def task(config: Emergent, group: str, augmented: bool = True) -> Task:
    """Spins and their energies; seen on the orbits of spins, then of independent normal numbers in their place."""
    rng = np.random.default_rng([config.seed, 1])
    x = spins(rng, config.ising_train)
    seen = np.concatenate([spins(rng, config.ising_test), rng.standard_normal((config.ising_test, SIDE, SIDE, 1))])
    act, y = action(group), energy(x)
    with double():
        orbits = np.asarray(act.orbit(seen))
        if augmented:
            x, y = (np.asarray(a) for a in augment(x, y, act))
    return Task(x, y, orbits)


def file_name(group: str) -> str:
    """Of a group, for names of pieces."""
    return group.replace(" ", "-").lower()


def runs(config: Emergent) -> list[tuple[str, str, int, bool]]:
    """(name, group, width, augmented) of each ensemble."""
    *narrow, wide = config.ising_widths
    found = [(f"ising-{file_name(g)}", g, wide, True) for g in GROUPS]
    found += [(f"ising-c4-w{width}", "C4", width, True) for width in narrow]
    return [*found, ("ising-plain", "C4", wide, False)]


def pieces(config: Emergent) -> list[Piece]:
    """Kernels, ensembles, and what is measured of them."""
    found: list[Piece] = []
    made_from, moments = part(config, "ising_"), (config.ising_steps,)
    for name, group, width, augmented in runs(config):
        make = functools.partial(task, config, group, augmented)
        kernel = kernel_piece(f"{name}-kernel", network(width), make, moments, config.rate, made_from, joint=True)
        members = min(config.ising_members, 256) if not augmented else config.ising_members
        trained = member_pieces(name, network(width), make, moments, members, EACH, kernel.name, made_from)
        measure = functools.partial(measured, config, make, kernel.name, trained)
        needs = (kernel.name, *(piece.name for piece in trained))
        found += [kernel, *trained, Piece(f"{name}-measured", "measure", made_from, measure, needs=needs)]
    return found


def measured(config: Emergent, make: functools.partial, kernel: str, trained: list[Piece], get: Get) -> Arrays:
    """Deviations on spins (first) and off the manifold: `square` (2, sizes) and its `band` (2, 2, sizes), `expected`,
    `floor` and `variance` of the kernel, `found` (variance of a member, its error, what remains, its z), `slope` and
    its band; `error` of energies for one member and all; `coverage` (laws, confidences).
    """
    data, outputs = make(), outputs_of(trained, get)[:, -1]
    half = config.ising_test
    rows: dict[str, list] = {}
    for k, domain in enumerate((slice(0, half), slice(half, None))):
        joint = get(kernel)["joint"][:, domain, :, domain]
        found = measures.law(joint, get(kernel)["mean"][-1][:, domain])
        add_rows(rows, outputs[:, :, domain], found, config.resamples, config.seed + k)
    with double():
        variance = np.asarray(gap_variance(get(kernel)["covariance"][-1]))[:, 1:]
    ensembles = measures.blocks(outputs, COVERED)
    gaps = np.abs(ensembles[:, 1:] - ensembles[:, :1])[..., 0].transpose(0, 2, 1)  # (ensembles, items, elements)
    coverage = []
    for confidence in CONFIDENCES:
        delta = ensemble_deviation_bound(variance, COVERED, confidence)
        inside = [(gaps <= np.asarray(d)).mean((1, 2)) for d in delta]
        coverage.append([[i.mean(), i.std(ddof=1) / np.sqrt(len(i))] for i in inside])
    truth = energy(data.seen[0, :half])
    errors = [np.sqrt(((o[:, 0, :half] - truth) ** 2).mean()) for o in (outputs, outputs.mean(0, keepdims=True))]
    scale = energy(spins(np.random.default_rng(0), 10_000)).std()
    arrays = {name: np.array(values) for name, values in rows.items()}
    return arrays | {"coverage": np.array(coverage), "error": np.array(errors) / scale, "scale": np.array(scale)}
