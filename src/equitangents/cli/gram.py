"""The commands `kernel` and `fit`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from .output import Bar, duration, say


def kernel(
    data: Annotated[
        str, typer.Argument(help="As for study: digits, fashion-mnist, a folder CLASS/*.png, an .npz file.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the matrix; continued if it is there.")],
    net: Annotated[
        str | None, typer.Option(help="A description, as text or in a file; a ReLU network of depth 3 by default.")
    ] = None,
    kernel: Annotated[str, typer.Option(help="ntk, nngp or both.")] = "ntk",
    average: Annotated[str, typer.Option(help="Average over a group of images: C2, C4, D1, D2, D4.")] = "",
    tile: Annotated[int, typer.Option(min=1, help="Rows and columns of a tile.")] = 2000,
    limit: Annotated[int | None, typer.Option(min=1, help="Training inputs; all by default.")] = None,
    test: Annotated[
        int | None, typer.Option(min=1, help="Test inputs; the data's own, or a fifth of them, by default.")
    ] = None,
    resize: Annotated[int | None, typer.Option(help="Side in pixels of all images.")] = None,
    seed: Annotated[int, typer.Option(help="Of the order of the inputs, and of a split.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; as many as cores by default.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, tcp://HOST:8786; its workers see the same folder.")
    ] = None,
) -> None:
    """Compute the kernel of all training inputs of DATA, in tiles on disk; may be larger than memory.

    What was stopped or killed continues when the same command is given again.

    Example: equitangents kernel fashion-mnist --out runs/gram && equitangents fit runs/gram
    """
    from ..studies.gram import make_gram

    if kernel not in ("ntk", "nngp", "both"):
        raise ValueError(f"--kernel: expected ntk, nngp or both, got {kernel!r}; choose one.")
    if (out / "manifest.json").is_file():
        say(f"Continuing the matrix in {out}.")
    begin = time.monotonic()
    with Bar() as bar:
        store = make_gram(
            data,
            out,
            net=net,
            kernels=("nngp", "ntk") if kernel == "both" else (kernel,),
            average=average,
            side=tile,
            limit=limit,
            test=test,
            resize=resize,
            seed=seed,
            workers=workers,
            scheduler=scheduler,
            progress=bar.update,
        )
    took, tiles = duration(time.monotonic() - begin), len(store.matrix().upper())
    say(f"{store.n:,} x {store.n:,} {' and '.join(store.kernels)} in {tiles:,} tiles, {took}: {out}")


def fit(
    run: Annotated[Path, typer.Argument(help="Folder of a matrix, as the command kernel made it.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for model.npz and fit.json; that of the matrix by default.")
    ] = None,
    ridge: Annotated[
        list[float] | None,
        typer.Option(
            help="Multiple of the mean of the diagonal; repeat the option to try several. 0.001 to 0.1 by default."
        ),
    ] = None,
    kernel: Annotated[str | None, typer.Option(help="ntk or nngp, where the matrix was made for both.")] = None,
    choose: Annotated[str, typer.Option(help="held-out or likelihood: how a ridge is chosen.")] = "held-out",
    solver: Annotated[str, typer.Option(help="auto, dense (in memory), cholesky (on disk) or cg.")] = "auto",
    tolerance: Annotated[float, typer.Option(help="Relative residual of the solution.")] = 1e-4,
    memory: Annotated[float | None, typer.Option(help="GB to use; half of what is free by default.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; as many as cores by default.")] = None,
) -> None:
    """Train on the kernel in a folder: choose a ridge, solve to a stated residual, measure the test accuracy.

    Writes model.npz, the coefficients, and fit.json, for the command predict.

    Example: equitangents fit runs/gram --ridge 0.001 --ridge 0.01
    """
    from ..studies.gram import RIDGES, fit_gram

    with Bar() as bar:
        found = fit_gram(
            run,
            out=out,
            ridges=tuple(ridge) if ridge else RIDGES,
            kernel=kernel,
            choose=choose,
            solver=solver,
            tolerance=tolerance,
            memory=None if memory is None else memory * 1e9,
            workers=workers,
            progress=bar.update,
        )
    for tried, score in zip(found.ridges, found.scores, strict=False):
        mark = "  chosen" if tried == found.ridge else ""
        say(f"ridge {tried:g}: {choose} {100 * score:.2f} %{mark}" if choose == "held-out" else
            f"ridge {tried:g}: log likelihood of a label {score:.4f}{mark}")  # fmt: skip
    say(f"{found.solver}: relative residual {found.residual:.1e} after {found.iterations} iterations")
    accuracy = f"test accuracy {100 * found.accuracy:.2f} %"
    say(f"{accuracy} with {found.n:,} training inputs, in {duration(found.seconds)}: {out or run}")
