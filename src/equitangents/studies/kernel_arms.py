r"""The arms at infinite width: plain, augmented, averaged and equivariant predictors from one set of kernels.

All come from the blocks $K_g[i, j] = K(x_i, \rho(g) x_j)$ of the plain network. Its kernel is jointly invariant, so
$K(\rho(h) x_i, \rho(g) x_j) = K_{h^{-1} g}[i, j]$: that is the Gram matrix of the augmented training set. The kernel of
the equivariant network is the mean of the blocks over the group. Time belongs to the mean loss, for which augmented
and equivariant training run equally fast; the ridge of augmented training is |G| times that of the others.
"""

import dataclasses
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..dynamics import GradientFlow
from ..equivariant.text import parse_net
from ..equivariant.twin import impose
from ..kernels import Needs, needs
from ..nets import AbstractLayer, Dense, Flatten, Serial, output_shape
from ..symmetry import violation_variance
from .config import EnsembleRun, KernelRun
from .piece import Arrays, Get, Piece
from .precision import double, matrices
from .problem import Items, Problem, Symmetry, file_name, moved

SCALE_EXAMPLES = 64
PIECE_ENTRIES = 1.2e8  # pairs of inputs times pairs of sites in one piece of work


@dataclass(frozen=True)
class Tiles:
    """How the kernels are cut: rows are training, test and off-manifold inputs, columns are training inputs moved.

    Attributes:
        side: inputs on each side of a tile.
        train, other: numbers of training inputs, and of test and off-manifold inputs together.
        corners: (row block, column block) of each tile; blocks of the other inputs follow those of training, and a
            column block equal to a row block of those is a tile of inputs with their own images.
    """

    side: int
    train: int
    other: int

    @property
    def blocks(self) -> tuple[int, int]:
        return -(-self.train // self.side), -(-self.other // self.side)

    def corners(self) -> list[tuple[int, int]]:
        a, b = self.blocks
        upper = [(i, j) for i in range(a) for j in range(i, a)]
        cross = [(a + i, j) for i in range(b) for j in range(a)]
        own = [(a + i, a + i) for i in range(b)]
        return upper + cross + own


def network(run: KernelRun | EnsembleRun, problem: Problem, width: int = 64, outputs: int = 1) -> AbstractLayer:
    """The description of a run, for the data's shape; vectors are flattened first.

    Raises:
        ValueError: it does not take such inputs, or does not give one row of outputs.
    """
    net = parse_net(run.net, W=width)
    shape = problem.shape(run.size)
    if len(shape) == 2 and not (isinstance(net, Serial) and isinstance(net.layers[0], Flatten)):
        net = Serial(Flatten(), *(net.layers if isinstance(net, Serial) else (net,)))
    try:
        out = output_shape(net, shape)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{run.name}: the network does not take inputs of shape {shape}: {error}") from None
    if len(out) != 1:
        raise ValueError(f"{run.name}: expected a network with outputs (classes,), got {out}; end it with Dense(1).")
    return with_outputs(net, outputs)


def with_outputs(net: AbstractLayer, outputs: int) -> AbstractLayer:
    """The same network with its last layer, a Dense, as wide as there are classes."""
    last = net.layers[-1] if isinstance(net, Serial) else net
    if not isinstance(last, Dense):
        raise ValueError(f"expected a network that ends with Dense(1), got {last!r}; its width is set to the classes.")
    head = dataclasses.replace(last, width=outputs)
    return Serial(*net.layers[:-1], head) if isinstance(net, Serial) else head


def scale_piece(run: KernelRun | EnsembleRun, problem: Problem) -> Piece:
    """The unit of time: 1 / (largest eigenvalue of NTK / n) of the plain network, on a few training examples."""

    def work(get: Get) -> Arrays:
        x = problem.items(run).x_train[:SCALE_EXAMPLES]
        ntk = matrices(network(run, problem), x)[1].astype(np.float64)
        largest = np.linalg.eigvalsh(ntk)[-1] / len(x)
        return {"scale": np.array(float(f"{largest:.2g}"))}  # rounded: it need not be exact, but the same everywhere

    return Piece(f"scale-{run.name}", f"scale {run.name}", ("scale", run.net, run.size), work, model="kernel")


def gram_pieces(run: KernelRun, problem: Problem) -> list[Piece]:
    """The blocks of the kernels, in pieces of some seconds."""
    net, items = network(run, problem), problem.items(run)
    entries = site_pairs(net, items.x_train.shape[1:])
    order = problem.largest.order
    n, other = len(items.x_train), len(items.x_test) + len(items.x_off)
    side = int(np.clip(np.sqrt(PIECE_ENTRIES / entries / order / 8), 4, 100))
    tiles = Tiles(min(side, n), n, other)
    corners = tiles.corners()
    each = max(1, int(PIECE_ENTRIES / (entries * order * tiles.side**2)))
    parts = [corners[i : i + each] for i in range(0, len(corners), each)]
    made_from = ("gram", repr(net), run.size, n, len(items.x_test), len(items.x_off), problem.largest.name)
    return [
        Piece(
            f"gram-{run.name}-{k:04d}",
            f"gram {run.name}",
            (*made_from, k),
            partial(_tiles, net, items, problem.largest, tiles, part),
            amount=len(part),
            model="kernel",
        )
        for k, part in enumerate(parts)
    ]


def site_pairs(net: AbstractLayer, shape: tuple[int, ...]) -> int:
    """Roughly the numbers that the kernel of one pair of inputs goes through: those of all its layers."""
    total, layers = 0, net.layers if isinstance(net, Serial) else (net,)
    for i, layer in enumerate(layers):
        sites = int(np.prod(shape[:-1], initial=1))
        pairs = needs(Serial(*layers[i:]), Needs(True, "none")).pairs
        total += sites**2 if pairs else sites
        shape = output_shape(layer, shape)
    return total + 1


def _tiles(net, items: Items, symmetry: Symmetry, tiles: Tiles, corners: list, get: Get) -> Arrays:
    rest = np.concatenate([items.x_test, items.x_off])
    blocks = [*split_blocks(items.x_train, tiles.side), *split_blocks(rest, tiles.side)]
    first = tiles.blocks[0]
    nngp, ntk = [], []
    for i, j in corners:
        images = moved(symmetry.action, blocks[j])
        shape = (tiles.side, symmetry.order, tiles.side)
        k, t = (a.reshape(shape) for a in matrices(net, blocks[i], images.reshape(-1, *images.shape[2:])))
        if i >= first and j >= first:  # inputs with their own images only
            k = np.where(np.eye(tiles.side, dtype=bool)[:, None, :], k, 0)
        nngp.append(k)
        ntk.append(t)
    return {"nngp": np.stack(nngp), "ntk": np.stack(ntk)}


def split_blocks(x: np.ndarray, side: int) -> list[np.ndarray]:
    """Blocks of `side` inputs, the last one filled with copies of its last input."""
    padded = np.concatenate([x, np.repeat(x[-1:], -len(x) % side, axis=0)])
    return list(padded.reshape(-1, side, *x.shape[1:]))


@dataclass(frozen=True, eq=False)
class Blocks:
    """The kernels of a run, put together, float32.

    Attributes:
        train: NNGP and NTK of training inputs, [kernel, g, i, j] = K(x_i, g x_j).
        cross: the same of test and off-manifold inputs with training inputs.
        own: NNGP of test and off-manifold inputs with their own images, shape (inputs, |G|).
    """

    train: np.ndarray
    cross: np.ndarray
    own: np.ndarray


def assemble(run: KernelRun, problem: Problem, pieces: list[Piece], get: Get) -> Blocks:
    """The blocks from their pieces."""
    items, group = problem.items(run), problem.largest.group
    n, other = len(items.x_train), len(items.x_test) + len(items.x_off)
    side = get(pieces[0].name)["ntk"].shape[1]
    tiles = Tiles(side, n, other)
    a, b = tiles.blocks
    train = np.zeros((2, group.order, a * side, a * side), np.float32)
    cross = np.zeros((2, group.order, b * side, a * side), np.float32)
    own = np.zeros((b * side, group.order), np.float32)
    corners = iter(tiles.corners())
    for piece in pieces:
        arrays = get(piece.name)
        for k, t in zip(arrays["nngp"], arrays["ntk"], strict=True):
            i, j = next(corners)
            tile = np.stack([k, t]).transpose(0, 2, 1, 3)
            if i < a:
                train[:, :, span(i, side), span(j, side)] = tile
                if i != j:  # K(x_j, g x_i) = K(x_i, g^-1 x_j)
                    turned = tile[:, group.inverse].transpose(0, 1, 3, 2)
                    train[:, :, span(j, side), span(i, side)] = turned
            elif j < a:
                cross[:, :, span(i - a, side), span(j, side)] = tile
            else:
                own[span(i - a, side)] = np.einsum("gii->ig", tile[0])
    return Blocks(train[:, :, :n, :n], cross[:, :, :other, :n], own[:other])


def span(i: int, side: int) -> slice:
    """Rows of the tile with this number."""
    return slice(i * side, (i + 1) * side)


def predict_pieces(run: KernelRun, problem: Problem, grams: list[Piece], times: tuple[float, ...]) -> list[Piece]:
    """The predictors of all arms, for each group and training size.

    Args:
        run, problem: what is studied.
        grams: the pieces of its kernels.
        times: moments in units of the scale piece; infinity is added.
    """
    names = (f"scale-{run.name}", *(p.name for p in grams))
    pieces = []
    for symmetry in problem.symmetries:
        for n in run.train_sizes:
            made_from = ("predict", grams[0].made_from[:-1], run.arms, run.ridge, run.explicit, symmetry.name, n, times)
            pieces.append(
                Piece(
                    f"predict-{run.name}-{file_name(symmetry.name)}-{n}",
                    f"predict {run.name} {n}",
                    made_from,
                    partial(_predict, run, problem, grams, symmetry, n, times),
                    needs=names,
                    model="kernel",
                )
            )
    return pieces


def _predict(run, problem, grams, symmetry: Symmetry, n: int, times: tuple, get: Get) -> Arrays:
    blocks = assemble(run, problem, grams, get)
    scale = float(get(f"scale-{run.name}")["scale"])
    t = np.array([*times, np.inf]) / scale
    inside, group = list(symmetry.inside), symmetry.group
    train, cross = (
        np.stack([k[:, inside[g], :, :n] for g in group.elements], axis=1) for k in (blocks.train, blocks.cross)
    )
    train, own = train[:, :, :n], blocks.own[:, inside]
    y, ridge = problem.items(run).targets(n), run.ridge * float(np.mean(np.diagonal(train[1, group.identity])))
    out: Arrays = {"time": t}
    with double():
        if "plain" in run.arms:
            flow = _flow(train[:, group.identity], y, ridge)
            rows = cross[:, group.inverse].reshape(2, -1, n)  # K(h x_i, x_j) is the block of h^-1
            out["plain"] = _on_orbits(flow.mean_from(_double(rows[1]), t), group.order)
            out["plain violation"] = _violation(flow, own, rows, symmetry, t[:-1])
        if "equivariant" in run.arms:
            flow = _flow(train.mean(axis=1, dtype=np.float64), y, ridge)
            once = np.asarray(flow.mean_from(cross[1].mean(axis=0, dtype=np.float64), t))
            out["equivariant"] = np.repeat(once[:, None], group.order, axis=1)
        if "augmented" in run.arms and group.order * n <= run.explicit:
            rows = augmented_gram(cross, symmetry)
            flow = _flow(augmented_gram(train, symmetry), np.tile(y, (group.order, 1)), group.order * ridge)
            out["augmented"] = _on_orbits(flow.mean_from(_double(rows[1]), t), group.order)
            out["augmented violation"] = _violation(flow, own, rows, symmetry, t[:-1])
            if "equivariant" in out:
                out["agreement"] = np.abs(out["augmented"] - out["equivariant"]).max(axis=(1, 2, 3))
    return {name: a if name in ("time", "agreement") else a.astype(np.float32) for name, a in out.items()}


def _flow(gram: np.ndarray, y: np.ndarray, ridge: float) -> GradientFlow:
    """Training with Gram matrices (NNGP, NTK), which float32 leaves symmetric to its last digit only."""
    nngp, ntk = (_double(k) for k in gram)
    return GradientFlow.from_gram((nngp + nngp.T) / 2, (ntk + ntk.T) / 2, y, loss="mean", ridge=ridge)


def solve(train: np.ndarray, cross: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """The predictor after training for ever, from the tangent kernels alone."""
    return np.asarray(_flow(np.stack([train, train]), y, ridge).mean_from(_double(cross), np.inf))


def _double(matrix: np.ndarray) -> np.ndarray:
    return matrix.astype(np.float64)


def check_pieces(run: KernelRun, problem: Problem) -> list[Piece]:
    """For each group, a second and independent evaluation in float64, on the first `run.check` training examples.

    The augmented predictor from kernels of all moved images, and the equivariant one from the kernel rules of the
    group-convolutional network, on the first test and off-manifold inputs.
    """
    if not run.check or not {"augmented", "equivariant"} <= set(run.arms):
        return []
    return [
        Piece(
            f"check-{run.name}-{file_name(symmetry.name)}",
            f"check {run.name}",
            ("check", run.net, run.size, run.check, run.ridge, symmetry.name),
            partial(_check, run, problem, symmetry),
            amount=symmetry.order,
            model="kernel",
        )
        for symmetry in problem.symmetries
    ]


def _check(run: KernelRun, problem: Problem, symmetry: Symmetry, get: Get) -> Arrays:
    net, items, order = network(run, problem), problem.items(run), symmetry.order
    n = min(run.check, len(items.x_train))
    x = _double(items.x_train[:n])
    y = items.targets(n)
    inputs = _double(np.concatenate([items.x_test[: max(1, n // 2)], items.x_off[: max(1, n // 2)]]))
    with double():
        twin = impose(net, symmetry.action, x.shape[1:])
        nngp, ntk = matrices(twin, x)
        ridge = run.ridge * float(np.mean(np.diagonal(ntk)))
        imposed = _flow(np.stack([nngp, ntk]), y, ridge).mean_from(matrices(twin, inputs, x)[1], np.inf)
        orbit = moved(symmetry.action, x).reshape(-1, *x.shape[1:])
        gram = np.stack(matrices(net, orbit))
        flow = _flow(gram, np.tile(y, (order, 1)), order * ridge)
        augmented = flow.mean_from(matrices(net, inputs, orbit)[1], np.inf)
    return {"agreement": np.array(np.max(np.abs(np.asarray(imposed) - np.asarray(augmented)))), "n": np.array(n)}


def augmented_gram(blocks: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    """K(h x_i, g x_j) with rows (h, i) and columns (g, j), from blocks (kernel, g, i, j)."""
    group = symmetry.group
    apart = group.table[group.inverse]  # [h, g] -> h^-1 g
    whole = blocks[:, apart].transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(whole).reshape(2, group.order * blocks.shape[2], -1)


def _on_orbits(mean, order: int) -> np.ndarray:
    """Predictions (times, |G| inputs, classes) as (times, |G|, inputs, classes)."""
    mean = np.asarray(mean)
    return mean.reshape(len(mean), order, -1, mean.shape[-1])


def _violation(flow: GradientFlow, own: np.ndarray, rows: np.ndarray, symmetry: Symmetry, times: np.ndarray):
    """The variance of one network's output that is not invariant, shape (times, inputs)."""
    inputs, order = own.shape
    group = symmetry.group
    if not len(times):
        return np.zeros((0, inputs))
    apart, rows = group.table[group.inverse], _double(rows)
    out = []
    for start in range(0, inputs, 50):
        chosen = slice(start, start + 50)
        own_part = own[chosen][:, apart].astype(np.float64)  # (inputs, h, g)
        m = len(own_part)
        k = np.einsum("ihg,ij->higj", own_part, np.eye(m)).reshape(order * m, order * m)
        part = rows.reshape(2, order, inputs, -1)[:, :, chosen].reshape(2, order * m, -1)
        sigma = np.asarray(flow.covariance_from(k, (part[0], part[1]), None, times))
        sigma = np.einsum("thigi->tihg", sigma.reshape(-1, order, m, order, m))
        out.append(np.asarray(violation_variance(sigma)))
    return np.concatenate(out, axis=1)


def _identity(symmetry: Symmetry) -> int:
    return symmetry.group.identity
