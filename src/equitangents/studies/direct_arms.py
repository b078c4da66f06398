"""The group-convolutional network's own kernel at full size, beside the average of the plain one over the group.

The theorem says that they are equal. The study predicts with the average, which costs less; here the kernel rules of
the group-convolutional layers are evaluated on all pairs as well, and the difference becomes two rows of the table.
"""

import math
from functools import partial

import numpy as np

from ..equivariant import impose
from .config import KernelRun
from .kernel_arms import PIECE_ENTRIES, Tiles, assemble, network, site_pairs, solve, span, split_blocks
from .piece import Arrays, Get, Piece
from .precision import double, matrices
from .problem import Problem
from .rows import make_row

SITES_FACTOR = 3  # a pair of sites on the group costs more than one of the plain network


def twin_of(run: KernelRun, problem: Problem):
    """The group-convolutional twin for the largest group."""
    return impose(network(run, problem), problem.largest.action, problem.shape(run.size))


def direct_tiles(run: KernelRun, problem: Problem) -> tuple[Tiles, list[tuple[int, int]], int]:
    """The tiling, its corners without those of `own`, and the number of tiles in a piece."""
    items = problem.items(run)
    entries = site_pairs(network(run, problem), items.x_train.shape[1:]) * problem.largest.order**2 * SITES_FACTOR
    side = int(np.clip(np.sqrt(PIECE_ENTRIES / entries / 2), 4, 50))
    tiles = Tiles(min(side, len(items.x_train)), len(items.x_train), len(items.x_test) + len(items.x_off))
    corners = [(i, j) for i, j in tiles.corners() if j < tiles.blocks[0]]
    return tiles, corners, max(1, round(4 * PIECE_ENTRIES / (entries * tiles.side**2)))


def direct_pieces(run: KernelRun, problem: Problem, grams: list[Piece]) -> list[Piece]:
    """Tiles of the twin's kernel, and at last the comparison; none where the run does not ask for it."""
    if not run.direct or "equivariant" not in run.arms:
        return []
    tiles, corners, each = direct_tiles(run, problem)
    parts = [corners[i : i + each] for i in range(0, len(corners), each)]
    made_from = ("direct", run.net, run.size, tiles.train, tiles.other, problem.largest.name)
    pieces = [
        Piece(
            f"direct-{run.name}-{k:04d}",
            f"direct {run.name}",
            (*made_from, k),
            partial(_tiles, run, problem, tiles, part),
            amount=len(part),
            model="kernel",
        )
        for k, part in enumerate(parts)
    ]
    names = tuple(p.name for p in (*grams, *pieces))
    work = partial(_compare, run, problem, tiles, corners, grams, list(pieces))
    last = Piece(
        f"direct-{run.name}-compared", f"compare {run.name}", (*made_from, run.ridge), work, needs=names, model="kernel"
    )
    return [*pieces, last]


def _tiles(run: KernelRun, problem: Problem, tiles: Tiles, corners: list, get: Get) -> Arrays:
    blocks, twin = blocks_of(run, problem, tiles), twin_of(run, problem)
    return {"ntk": np.stack([matrices(twin, blocks[i], blocks[j])[1] for i, j in corners])}


def blocks_of(run: KernelRun, problem: Problem, tiles: Tiles) -> list[np.ndarray]:
    """Training inputs in blocks, then test and off-manifold inputs."""
    items = problem.items(run)
    rest = np.concatenate([items.x_test, items.x_off])
    return [*split_blocks(items.x_train, tiles.side), *split_blocks(rest, tiles.side)]


def _compare(run, problem: Problem, tiles: Tiles, corners: list, grams: list, pieces: list, get: Get) -> Arrays:
    """Largest difference of the two kernels, in units of sqrt(K_ii K_jj), and of their predictors."""
    side, (a, b) = tiles.side, tiles.blocks
    ntk = np.zeros(((a + b) * side, a * side), np.float32)
    places = iter(corners)
    for piece in pieces:
        for tile in get(piece.name)["ntk"]:
            i, j = next(places)
            ntk[span(i, side), span(j, side)] = tile
            if i < a:
                ntk[span(j, side), span(i, side)] = tile.T
    n, other = tiles.train, tiles.other
    train, cross = ntk[:n, :n], ntk[a * side : a * side + other, :n]
    blocks = assemble(run, problem, grams, get)
    averaged, averaged_cross = (k[1].mean(axis=0, dtype=np.float64) for k in (blocks.train, blocks.cross))
    norm = np.sqrt(np.diagonal(averaged))
    identity = problem.largest.group.identity
    ridge = run.ridge * float(np.mean(np.diagonal(blocks.train[1, identity])))
    y = problem.items(run).targets(n)
    with double():
        first = solve(train, cross, y, ridge)
        second = solve(averaged, averaged_cross, y, ridge)
    return {
        "gram": np.array(np.max(np.abs(train - averaged) / norm[:, None] / norm)),
        "agreement": np.array(np.max(np.abs(first - second))),
        "spread": np.array(np.std(second)),
        "n": np.array(n),
    }


def direct_rows(run: KernelRun, problem: Problem, piece: Arrays):
    """Rows of the comparison; `element` says where it comes from."""
    base = {"arm": "equivariant", "against": "augmented", "model": "kernel", "net": run.name, "seed": -1}
    base |= {"group": problem.largest.name, "n_train": int(piece["n"]), "time": math.inf, "element": "direct"}
    for metric, name in (("gram_agreement", "gram"), ("kernel_agreement", "agreement"), ("output_spread", "spread")):
        yield make_row(base, metric, (float(piece[name]), math.nan, math.nan))
