"""QM9: learning curves of plain, augmented and rotation-invariant kernels, and what several rotations of each give."""

import functools

import numpy as np

from ...data import HARTREE, Molecules, atomic_energies, composition, has_qm9, read_qm9
from ...groups import spatial_group
from ..piece import Arrays, Get, Piece
from .kernel_benchmark_audit import alignment, frames
from .kernel_benchmark_config import KernelBenchmark
from .kernel_benchmark_images import ARMS, KERNELS
from .kernel_benchmark_learning import fit, solved
from .kernel_benchmark_molecules import ELEMENTS, averaged, batch, between, haar, plain_net, pooled_net, signals, turned

TARGETS = {"energy": "meV", "polarisability": "bohr^3"}
SOLIDS = ("T", "O", "I")
BLOCK = 32  # molecules in one piece of the pooled kernel
POOLED_TILE, PLAIN_TILE = 128, 512  # atoms


def qm9_pieces(config: KernelBenchmark) -> list[Piece]:
    """All work on QM9; none where the data are not on this machine, or the pool is empty."""
    if not config.molecule_pool or not has_qm9():
        return []
    data = ("qm9", config.seed, config.molecule_pool, config.molecule_test)
    form = (config.lmax, config.order)

    def piece(name: str, made_from: tuple, work, needs: tuple[str, ...] = ("qm9-data",), kind: str = "") -> Piece:
        return Piece(f"qm9-{name}", f"QM9 {kind or name}", made_from, functools.partial(work, config), needs=needs)

    found = [
        piece("data", data, read, ()),
        piece("audit", ("audit", config.seed, config.audited), audit, ()),
        piece("plain", (config.lmax,), plain_kernels),
    ]
    rows = [
        piece(f"rows-{k:03d}", (form, start), functools.partial(pooled_rows, start), kind="kernels")
        for k, start in enumerate(range(0, config.molecule_pool, BLOCK))
    ]
    found += rows
    found += [piece(f"average-{s}", (config.lmax, s), functools.partial(average, s), kind="average") for s in SOLIDS]
    needed = ("qm9-data", "qm9-plain", *(row.name for row in rows), *(f"qm9-average-{s}" for s in SOLIDS))
    found.append(piece("check", form, invariance, needed))
    sizes = (config.draws, config.ridges, config.molecule_sizes)
    found.append(piece("curves", sizes, curves, needed))
    orbit = (config.lmax, config.orbit_size, config.rotations, config.ridges)
    found += [
        piece(f"orbits-{d:02d}", (orbit, d), functools.partial(orbits, d), needed, "orbits")
        for d in range(config.orbit_draws)
    ]
    return found


def read(config: KernelBenchmark, get: Get) -> Arrays:
    """The pool, then the test molecules."""
    found = read_qm9(config.molecule_pool + config.molecule_test, seed=config.seed)
    names = ("index", "charges", "positions", "energy", "polarisability", "tensor")
    return {name: getattr(found, name) for name in names}


def molecules(get: Get) -> Molecules:
    """Those that are drawn from and tested, from their piece."""
    return Molecules(**get("qm9-data"))  # type: ignore[arg-type]


def audit(config: KernelBenchmark, get: Get) -> Arrays:
    """Of molecules drawn apart from those of the kernels."""
    found = read_qm9(config.audited, seed=config.seed + 1)
    rotations = haar([config.seed, 1], len(found))
    return alignment(found, rotations) | frames(found, rotations)


def all_signals(config: KernelBenchmark, get: Get) -> tuple[np.ndarray, np.ndarray]:
    """Signals of pool and tests, scaled by the pool alone, and charges."""
    found, n = molecules(get), config.molecule_pool
    scale = signals(found.take(np.arange(n)), config.lmax)[1]
    return signals(found, config.lmax, scale)[0], found.charges


def random_orientation(config: KernelBenchmark, f: np.ndarray) -> np.ndarray:
    """Harmonic coefficients, each molecule turned at random."""
    return turned(f, haar([config.seed, 2], len(f)))


def pooled_rows(start: int, config: KernelBenchmark, get: Get) -> Arrays:
    """The SO(3) kernel of pool molecules from `start` with those from there on and all tests; single precision."""
    f, charges = all_signals(config, get)
    f, stop = f.astype(np.float32), min(start + BLOCK, config.molecule_pool)
    first, second = batch(f[start:stop], charges[start:stop]), batch(f[start:], charges[start:])
    return {"k": between(pooled_net(config.order), first, second, POOLED_TILE)}


def plain_kernels(config: KernelBenchmark, get: Get) -> Arrays:
    """The kernel without rotations: `own` and `random` of pool with pool and tests; `moved`: random tests only."""
    f, charges = all_signals(config, get)
    n, net, random = config.molecule_pool, plain_net(config.lmax), random_orientation(config, f)
    sides = {"own": (f, f), "random": (random, random), "moved": (f, random)}
    return {
        name: between(net, batch(left[:n], charges[:n]), batch(right, charges), PLAIN_TILE)
        for name, (left, right) in sides.items()
    }


def average(solid: str, config: KernelBenchmark, get: Get) -> Arrays:
    """The plain kernel averaged over the rotations of a solid, of randomly turned molecules."""
    f, charges = all_signals(config, get)
    random, n = random_orientation(config, f), config.molecule_pool
    first = batch(random[:n], charges[:n])
    rotations = spatial_group(solid).matrices
    return {"k": averaged(plain_net(config.lmax), first, random, charges, rotations, PLAIN_TILE)}


def pooled(config: KernelBenchmark, get: Get) -> np.ndarray:
    """The SO(3) kernels of the pool with the pool and the tests, (2, n, n + m)."""
    n = config.molecule_pool
    total = np.empty((2, n, n + config.molecule_test))
    for k, start in enumerate(range(0, n, BLOCK)):
        block = get(f"qm9-rows-{k:03d}")["k"]
        stop = start + block.shape[1]
        total[:, start:stop, start:] = block
        total[:, start:n, start:stop] = np.swapaxes(block[:, :, : n - start], 1, 2)
    return total


def targets(config: KernelBenchmark, get: Get) -> dict[str, np.ndarray]:
    """Energies in meV and polarisabilities in bohr^3, less what numbers of atoms explain; fitted to the pool alone."""
    found, n = molecules(get), config.molecule_pool
    counts = composition(found.charges, ELEMENTS)
    labels = {"energy": found.energy * HARTREE * 1000, "polarisability": found.polarisability}
    return {
        name: values - counts @ atomic_energies(found.charges[:n], values[:n], ELEMENTS)
        for name, values in labels.items()
    }


def curves(config: KernelBenchmark, get: Get) -> Arrays:
    """Absolute errors of each kernel, target and arm, (draws, sizes, tests), and the spread of the targets."""
    n, plain = config.molecule_pool, get("qm9-plain")
    icosahedral, invariant = get("qm9-average-I")["k"], pooled(config, get)
    sides = dict(
        zip(
            ARMS,
            (
                (plain["own"], plain["own"]),
                (plain["own"], plain["moved"]),
                (plain["random"], plain["random"]),
                (icosahedral, icosahedral),
                (invariant, invariant),
            ),
            strict=True,
        )
    )
    found: Arrays = {}
    for target, values in targets(config, get).items():
        scale = values[:n].std()
        found[f"{target}/spread"] = np.array(np.abs(values[n:] - np.median(values[:n])).mean())
        for k, kernel in enumerate(KERNELS):
            for arm, (train, cross) in sides.items():
                losses = np.empty((config.draws, len(config.molecule_sizes), config.molecule_test))
                for d in range(config.draws):
                    order = np.random.default_rng([config.seed, 3, d]).permutation(n)
                    for s, size in enumerate(config.molecule_sizes):
                        chosen = order[:size]
                        guess = learned(config, train[k], cross[k], chosen, values, scale)[0]
                        losses[d, s] = np.abs(guess - values[n:])
                found[f"{target}/{kernel}/{arm}"] = losses
    return found


def learned(
    config: KernelBenchmark, train: np.ndarray, cross: np.ndarray, chosen: np.ndarray, values: np.ndarray, scale: float
) -> tuple[np.ndarray, float]:
    """Predictions for the tests, and the ridge."""
    n = config.molecule_pool
    found = fit(train[np.ix_(chosen, chosen)], values[chosen, None] / scale, config.ridges)
    return (cross[chosen, n:].T @ found.coefficients)[:, 0] * scale, found.ridge


def orbits(d: int, config: KernelBenchmark, get: Get) -> Arrays:
    """Training on several random rotations of each of a few molecules: energies, NTK.

    For each number of rotations: mean absolute error, and root mean square distance from the predictions of the SO(3)
    kernel, which has the same molecules and the same ridge (times the number of rotations); then both for all
    rotations of the solids, and the error of the SO(3) kernel.
    """
    f, charges = all_signals(config, get)
    n, most = config.molecule_pool, max(config.rotations)
    values, scale = targets(config, get)["energy"], targets(config, get)["energy"][:n].std()
    chosen = np.random.default_rng([config.seed, 4, d]).permutation(n)[: config.orbit_size]
    invariant = pooled(config, get)[1]
    best, ridge = learned(config, invariant, invariant, chosen, values, scale)
    copies = turned(np.tile(f[chosen], (most, 1, 1, 1)), haar([config.seed, 5, d], most * len(chosen)))
    own = batch(copies, np.tile(charges[chosen], (most, 1)))
    net = plain_net(config.lmax)
    tests = batch(random_orientation(config, f)[n:], charges[n:])
    gram, cross = between(net, own, own, PLAIN_TILE)[1], between(net, own, tests, PLAIN_TILE)[1]

    def judged(guess: np.ndarray) -> tuple[float, float]:
        return float(np.abs(guess - values[n:]).mean()), float(np.sqrt(np.mean((guess - best) ** 2)))

    found = []
    for r in config.rotations:
        size = r * len(chosen)
        alpha = solved(gram[:size, :size].copy(), r * ridge, np.tile(values[chosen] / scale, r))
        found.append(judged(cross[:size].T @ alpha * scale))
    for solid in SOLIDS:
        k = get(f"qm9-average-{solid}")["k"][1]
        alpha = solved(k[np.ix_(chosen, chosen)], ridge, values[chosen] / scale)
        found.append(judged(k[chosen, n:].T @ alpha * scale))
    return {"found": np.array(found), "equivariant": np.array(judged(best)[0])}


def invariance(config: KernelBenchmark, get: Get) -> Arrays:
    """Relative changes of the pooled kernels when molecules turn, and from all 60 rotations to SO(3); and the largest
    difference of predictions of the averaged kernel from training on all rotations, each molecule as 12 images."""
    f, charges = all_signals(config, get)
    few = slice(0, min(8, config.molecule_pool))
    first = batch(f[few].astype(np.float32), charges[few])
    second = batch(random_orientation(config, f)[few].astype(np.float32), charges[few])
    still, moved = (between(pooled_net(config.order), first, side, POOLED_TILE) for side in (first, second))
    invariant, icosahedral = pooled(config, get), get("qm9-average-I")["k"]
    size = np.abs(still).max((1, 2))
    n = config.molecule_pool
    gap = np.sqrt(np.mean((invariant - icosahedral)[:, :, n:] ** 2, axis=(1, 2)))
    spread = np.std(invariant[:, :, n:], axis=(1, 2))
    random = random_orientation(config, f)
    solid = spatial_group("T").matrices
    images = turned(np.tile(random[few], (len(solid), 1, 1, 1)), np.repeat(solid, len(random[few]), axis=0))
    own, tests = batch(images, np.tile(charges[few], (len(solid), 1))), batch(random[n:], charges[n:])
    net, k = plain_net(config.lmax), get("qm9-average-T")["k"]
    gram, cross = between(net, own, own, PLAIN_TILE), between(net, own, tests, PLAIN_TILE)
    y, apart = targets(config, get)["energy"][few], np.empty(2)
    for i in range(2):
        ridge = 1e-4 * float(np.mean(np.diagonal(k[i][few, few])))
        alpha = solved(gram[i], len(solid) * ridge, np.tile(y, len(solid)))
        beta = solved(k[i][few, few].copy(), ridge, y)
        one, two = cross[i].T @ alpha, k[i][few, n:].T @ beta
        apart[i] = np.abs(one - two).max() / np.abs(two).max()
    return {"moved": np.abs(moved - still).max((1, 2)) / size, "sixty": gap / spread, "apart": apart}
