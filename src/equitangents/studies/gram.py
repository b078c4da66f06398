"""Kernel regression on more images than memory holds kernels of: the commands `kernel` and `fit`."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset, load, one_hot_centred, split, standardise
from ..data.arrays import moments
from ..equivariant.text import net_text, parse_net
from ..files import explained, whole_file
from ..scale import GramSpec, GramStore, Leading, SymmetricMatrix, compute_gram, solve
from ..scale.compute import Progress
from ..scale.predict import predict
from ..scale.solve import Solver
from .fitted import save_fit, timed

RELU = ", ".join(["Dense(1, sigma_w=1.4142135623730951), Relu()"] * 3)
NET = f"Serial(Flatten(), {RELU}, Dense(1))"
RIDGES = (1e-3, 1e-2, 1e-1)
CHOOSE_FROM = 20_000  # inputs; as the variance of noise on the labels, the ridge does not grow with their number
CHOICES = ("held-out", "likelihood")
EXAMPLES = ("y_train", "x_test", "y_test", "classes", "mean", "std")


@dataclass(frozen=True)
class Fit:
    """What `fit` found; kept as fit.json and, with the coefficients, model.npz.

    Attributes:
        kernel: "ntk" or "nngp".
        n: training inputs.
        ridges: those tried, as multiples of the mean of the kernel's diagonal.
        scores: of each: accuracy on held-out inputs, or log marginal likelihood of an input; empty if one was tried.
        ridge: the chosen one.
        solver: as `scale.solve` names it.
        iterations: of conjugate gradients, of the last solution.
        residual: the largest relative one.
        accuracy: on the test inputs.
        seconds: of the whole fit.
    """

    kernel: str
    n: int
    ridges: tuple[float, ...]
    scores: tuple[float, ...]
    ridge: float
    solver: str
    iterations: int
    residual: float
    accuracy: float
    seconds: float


def make_gram(
    data: str,
    folder: str | Path,
    *,
    net: str | None = None,
    kernels: tuple[str, ...] = ("ntk",),
    average: str = "",
    side: int = 2000,
    limit: int | None = None,
    test: int | None = None,
    resize: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress = lambda *_: None,
) -> GramStore:
    """Gram matrices of the training inputs of a data set, in random order, standardised, in float32.

    Args:
        data: as `data.load` takes it.
        folder: for the store; continued if it is there.
        net: a file or a text with a description; a ReLU network with three hidden layers by default.
        kernels, average: as in `GramSpec`.
        side: of a tile.
        limit: training inputs; all by default.
        test: test inputs; those of the data's own split, or a fifth, by default.
        resize: side of images.
        seed: of the split and the order.
        workers, scheduler, progress: as in `compute_gram`.
    """
    spec = GramSpec(parse_net(net_text(net or NET)), kernels, average)
    dataset = load(data, resize=resize)
    first, second = sides(dataset, limit, test, seed)
    first = np.random.default_rng(seed).permutation(first)
    x_train, x_test = (np.ascontiguousarray(dataset.x[i], np.float32) for i in (first, second))
    mean, std = moments(x_train)
    x_train, x_test = standardise(x_train, x_test)
    if average and x_train.ndim != 4:
        raise ValueError(f"--average: expected images, got vectors of shape {x_train.shape}.")
    about = {"dataset": dataset.digest, "seed": seed, "test": len(second), "resize": resize or 0}
    store = GramStore.create(folder, spec, x_train, side, about)
    path = store.folder / "examples.npz"
    if not path.is_file():
        with whole_file(path) as file:
            np.savez(
                file,
                y_train=dataset.y[first],
                x_test=x_test,
                y_test=dataset.y[second],
                classes=np.array(dataset.classes),
                mean=mean,
                std=std,
            )
    del dataset, x_train, x_test
    compute_gram(store, spec, workers=workers, scheduler=scheduler, progress=progress)
    return store


def sides(dataset: Dataset, limit: int | None, test: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of training and test examples."""
    n = len(dataset.y)
    if dataset.split is not None:
        own = int(np.sum(dataset.split == "test"))
        test = own if test is None else test
        train = n - own
    else:
        test = n // 5 if test is None else test
        train = n - test
    return split(dataset, train=train if limit is None else limit, test=test, seed=seed)


def fit_gram(
    folder: str | Path,
    *,
    out: str | Path | None = None,
    ridges: tuple[float, ...] = RIDGES,
    kernel: str | None = None,
    choose: str = "held-out",
    solver: Solver = "auto",
    tolerance: float = 1e-4,
    memory: float | None = None,
    workers: int | None = None,
    progress: Progress = lambda *_: None,
) -> Fit:
    """Kernel regression on one-hot labels: choose a ridge, solve, and predict the test inputs of a store.

    Args:
        folder: as `make_gram` made it, complete.
        out: folder for model.npz and fit.json; that of the matrix by default.
        ridges: multiples of the mean of the kernel's diagonal.
        kernel: which one; the NTK if there is one.
        choose: "held-out": the ridge with the least error on a tenth of the training inputs, 20,000 of them at
            most, for a solution on the others; "likelihood": that of the largest marginal likelihood, the scale of the
            kernel profiled out.
        solver, tolerance, memory: as in `scale.solve`.
        workers: threads that compute kernels of test inputs.
        progress: called as (what, done, total, seconds left).

    Raises:
        RuntimeError: the matrix is not complete.
        ValueError: a ridge or a choice that does not exist.
    """
    begin = time.monotonic()
    check_choice(choose, ridges)
    store = GramStore(folder)
    matrix = store.matrix(kernel)
    examples = read_examples(store)
    check_whole(store)
    out = store.folder if out is None else Path(out)
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    targets = one_hot_centred(examples["y_train"], len(examples["classes"]))
    unit = float(matrix.diagonal().astype(np.float64).mean())
    options: dict[str, Any] = {"solver": solver, "tolerance": tolerance, "memory": memory, "folder": store.folder}
    scores = scores_of_ridges(matrix, targets, examples["y_train"], unit, ridges, choose, options, progress)
    ridge = ridges[int(np.argmax(scores))] if scores else ridges[0]
    found = solve(matrix, targets, [ridge * unit], **options, progress=timed("solve", progress))
    about = {name: examples[name] for name in ("classes", "mean", "std")}
    save_fit(out, store, kernel=matrix.name, coefficients=found.x[0], ridge=ridge * unit, **about)
    spec = GramSpec(parse_net(store.manifest["net"]), store.kernels, store.manifest["average"])
    tick = timed("predict", progress)
    scored = predict(store, spec, matrix.name, found.x[0], examples["x_test"], workers=workers, progress=tick)
    fit = Fit(
        kernel=matrix.name,
        n=matrix.n,
        ridges=tuple(ridges),
        scores=scores,
        ridge=ridge,
        solver=found.solver,
        iterations=found.iterations,
        residual=float(found.residuals.max()),
        accuracy=float(np.mean(np.argmax(scored, axis=1) == examples["y_test"])),
        seconds=time.monotonic() - begin,
    )
    with whole_file(out / "fit.json") as file:
        file.write(json.dumps(vars(fit), indent=1).encode())
    return fit


def check_choice(choose: str, ridges: tuple[float, ...]) -> None:
    """Raise unless ridges can be compared in this way."""
    if choose not in CHOICES:
        raise ValueError(f"--choose: expected one of {', '.join(CHOICES)}, got {choose!r}.")
    if not ridges or min(ridges) < 0 or not np.isfinite(ridges).all():
        raise ValueError(f"--ridge: expected numbers of at least zero, got {ridges}.")


def check_whole(store: GramStore) -> None:
    """Raise if tiles are missing."""
    if missing := store.missing():
        raise RuntimeError(
            f"{store.folder}: expected a whole matrix, got one without {len(missing)} of its tiles; give the command "
            "`equitangents kernel` that made it again, it continues."
        )


def scores_of_ridges(
    matrix: SymmetricMatrix,
    targets: np.ndarray,
    y: np.ndarray,
    unit: float,
    ridges: tuple[float, ...],
    choose: str,
    options: dict[str, Any],
    progress: Progress,
) -> tuple[float, ...]:
    """By which the largest is chosen; none where there is no choice."""
    if len(ridges) == 1:
        return ()
    if choose == "likelihood":
        return likelihoods(matrix, targets, unit, ridges, options, progress)
    part = Leading(matrix, min(matrix.n, CHOOSE_FROM))
    return held_out(part, targets[: part.n], y[: part.n], unit, ridges, options, progress)


def held_out(
    matrix: SymmetricMatrix,
    targets: np.ndarray,
    y: np.ndarray,
    unit: float,
    ridges: tuple[float, ...],
    options: dict[str, Any],
    progress: Progress,
) -> tuple[float, ...]:
    """Accuracy on the last tenth of the inputs, of the solution on the others."""
    kept = matrix.n - max(1, matrix.n // 10)
    part, tick = Leading(matrix, kept), timed("choose", progress)
    found = solve(part, targets[:kept], np.array(ridges) * unit, **options, progress=tick)
    filled = np.zeros((matrix.n, len(ridges) * targets.shape[1]), matrix.dtype)
    filled[:kept] = np.concatenate(list(found.x), axis=1)
    scored = matrix.matvec(filled)[kept:]
    guesses = scored.reshape(-1, len(ridges), targets.shape[1]).argmax(axis=2)
    return tuple(np.mean(guesses == y[kept:, None], axis=0).tolist())


def likelihoods(
    matrix: SymmetricMatrix,
    targets: np.ndarray,
    unit: float,
    ridges: tuple[float, ...],
    options: dict[str, Any],
    progress: Progress,
) -> tuple[float, ...]:
    r"""Log marginal likelihood of one label of one input under $N(0, s (K + \lambda I))$, for the best scale s.

    The best is $s = \operatorname{tr}(Y^T (K + \lambda I)^{-1} Y) / (n k)$, for n inputs and k outputs.

    References:
        Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, equation (5.8).
    """
    if options["solver"] == "cg":
        raise ValueError("--choose likelihood: expected a solver with a determinant, got 'cg'; take 'cholesky'.")
    solver = "cholesky" if options["solver"] == "auto" and matrix.n > 5000 else options["solver"]
    solver = "dense" if solver == "auto" else solver
    tick = timed("choose", progress)
    found = solve(matrix, targets, np.array(ridges) * unit, **(options | {"solver": solver}), progress=tick)
    assert found.log_det is not None
    scale = np.sum(found.x * targets, axis=(1, 2)) / targets.size
    return tuple((-(np.log(2 * np.pi * scale) + found.log_det / matrix.n + 1) / 2).tolist())


def read_examples(store: GramStore) -> dict[str, np.ndarray]:
    """Labels, test inputs and the two numbers that standardised them, of a store that `make_gram` made."""
    path = store.folder / "examples.npz"
    try:
        with explained(path), open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in EXAMPLES}
    except Exception as error:  # a damaged file raises many kinds
        raise ValueError(
            f"{path}: expected labels and test inputs, got none that can be read ({error}); give the command "
            "`equitangents kernel` that made the matrix again, after removing that file."
        ) from None
