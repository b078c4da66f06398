"""The command line: parses, calls `studies`, prints; no mathematics."""

import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

EPILOG = """
[bold]Examples[/bold]

  equitangents study digits --group C4
  [dim]1797 handwritten digits, rotations by 90 degrees: some minutes, no download.[/dim]

  equitangents study photos/ --group D4 --resize 32 --out runs/photos
  [dim]your own images, photos/CLASS/*.png, rotations and reflections.[/dim]

  equitangents predict runs/photos new-photos/ --out labels.csv
  [dim]the model that the first study chose, on new images.[/dim]

  equitangents kernel fashion-mnist --out runs/gram && equitangents fit runs/gram
  [dim]kernel regression on 60,000 images, in tiles on disk.[/dim]

[bold]Results[/bold] go to --out, runs/DATA-GROUP-PRESET by default: report.html (open it first), results.parquet, \
figures/, config.toml (reproduces the run) and model/. A study that was stopped continues when the same command is \
given.
"""
HELP = """Impose a symmetry on a network, augment the data with it, or ensemble: which one does your data ask for?

[bold]study[/bold] takes real images and a symmetry, asks first whether the data have it, then compares four arms, \
plain, augmented, averaged over the orbit and group-convolutional, at infinite width (kernels) and as ensembles of \
finite networks. It ends with one sentence of advice and a page to send to a colleague.
"""
app = typer.Typer(
    name="equitangents",
    help=HELP,
    epilog=EPILOG,
    rich_markup_mode="rich",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> bool:
    if wanted:
        from . import __version__

        typer.echo(f"equitangents {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def study(
    data: Annotated[
        str | None,
        typer.Argument(help="digits (default), fashion-mnist, a folder CLASS/*.png, or an .npz file with x and y."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="C2, C4 (rotations; C4 by default), D1, D2, D4 (with reflections), auto (all); for vectors Z<n> "
            "(cyclic shifts), S<n>, or a .json file of permutations."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; runs/DATA-GROUP-PRESET by default.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="config.toml, of an earlier study for instance; replaces the preset.")
    ] = None,
    net: Annotated[
        Path | None,
        typer.Option(help="A file that describes a network: Serial(Conv(16, (3, 3)), Relu(), Flatten(), Dense(1))."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="quick (minutes, the default) or full (up to 90 minutes).")] = None,
    resize: Annotated[int | None, typer.Option(help="Side in pixels of all images.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run, and for how long; write nothing.")
    ] = False,
) -> None:
    """Compare imposing, augmenting and ensembling a symmetry on DATA, and write a report.

    Example: equitangents study digits --group C4 --dry-run
    """
    from .studies.advice import advise
    from .studies.predict import chosen_model, save_model
    from .studies.report import write_report
    from .studies.run import plan, run

    settings = configuration(data, group, config, net, preset, resize)
    folder = out or default_folder(settings)
    if dry_run:
        dry(plan(settings), folder)
        return
    check_same(settings, folder)
    if any((folder / "pieces").glob("*.npz")):
        say(f"Continuing the study in {folder}.")
    with Bar() as bar:
        try:
            result = run(settings, folder, bar.update)
        except KeyboardInterrupt:
            bar.stop()
            complain(f"stopped; what is done is kept in {folder}: give the same command again to continue.")
            raise SystemExit(130) from None
    advice = advise(result)
    page = write_report(result, folder)
    save_model(folder / "model", chosen_model(result, advice, folder))
    summary(result, advice, page)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished study.")],
    data: Annotated[
        str, typer.Argument(help="New inputs: as for study, or a folder of images, or an .npz file with x alone.")
    ],
    out: Annotated[Path | None, typer.Option(help="CSV file to write; printed by default.")] = None,
) -> None:
    """Label new DATA with the model that a study chose.

    Writes one line for each input: its name, the label, the margin over the next class, and the score of each class.

    Example: equitangents predict runs/digits-C4-quick new.npz --out labels.csv
    """
    import numpy as np

    from .studies import predict as prediction

    model = prediction.load_model(run / "model")
    x, labels, names = prediction.read_inputs(data, model)
    found = prediction.predict(model, x)
    text = table(names, found, model.classes)
    if out is None:
        typer.echo(text, nl=False)
    else:
        from .studies.store import explained, whole_file

        with explained(out):
            out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as file:
            file.write(text.encode())
        origin = f"{model.arm} {model.kind}, trained on {model.n_train:,} of {model.data}"
        say(f"{len(x):,} predictions of the {origin}: {out}")
    if labels is not None:
        known = np.isin(labels, model.classes)
        wrong = np.array(model.classes)[found.labels][known] != labels[known]
        if known.any():
            complain(f"error on the {known.sum():,} inputs that have a label: {100 * wrong.mean():.2f} %", "note")


@app.command()
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
    from .studies.gram import make_gram

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


@app.command()
def fit(
    run: Annotated[Path, typer.Argument(help="Folder of a matrix, as the command kernel made it.")],
    ridge: Annotated[
        list[float] | None,
        typer.Option(
            help="Multiple of the mean of the diagonal; give several to choose from. 0.001 to 0.1 by default."
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

    Writes model.npz, the coefficients, and fit.json into the folder.

    Example: equitangents fit runs/gram --ridge 0.001 --ridge 0.01
    """
    from .studies.gram import RIDGES, fit_gram

    with Bar() as bar:
        found = fit_gram(
            run,
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
    say(f"{accuracy} with {found.n:,} training inputs, in {duration(found.seconds)}: {run}")


@app.command()
def report(run: Annotated[Path, typer.Argument(help="Folder of a finished study.")]) -> None:
    """Write report.html and the figures of a finished study again, from its results.parquet.

    Example: equitangents report runs/digits-C4-quick
    """
    from .studies.advice import advise
    from .studies.report import write_report
    from .studies.result import Result

    result = Result.load(run)
    summary(result, advise(result), write_report(result, run))


def configuration(
    data: str | None, group: str | None, config: Path | None, net: Path | None, preset: str | None, resize: int | None
) -> Any:
    """The configuration of a study from the options; a file replaces the preset, options replace entries of the file.

    Raises:
        ValueError: options that do not go together, or make no sense.
    """
    import dataclasses

    from .nets.text import read_net
    from .studies.config import PRESETS, check_config, preset_config, read_config

    if config is not None and preset is not None:
        raise ValueError("expected --config or --preset, got both; a configuration replaces the preset: drop one.")
    given = {"data": data, "group": group, "resize": resize}
    chosen = {name: value for name, value in given.items() if value is not None}
    if config is not None:
        settings = read_config(config, **chosen)
    else:
        name = preset or "quick"
        if name not in PRESETS:
            raise ValueError(f"--preset: expected one of {', '.join(PRESETS)}, got {name!r}; choose one.")
        settings = preset_config(name, **chosen)
    if net is not None:
        text = read_net(net)
        replaced: dict[str, Any] = {
            kind: tuple(dataclasses.replace(run, name="net", net=text) for run in getattr(settings, kind)[:1])
            for kind in ("kernels", "ensembles")
        }
        settings = dataclasses.replace(settings, **replaced)
    return check_config(settings)


def default_folder(settings: Any) -> Path:
    """runs/<data>-<group>-<preset>, from the last part of a path."""
    parts = [Path(str(part)).stem or "data" for part in (Path(settings.data).name, settings.group, settings.preset)]
    safe = ("".join(c if c.isalnum() or c in "-_" else "_" for c in part) for part in parts)
    return Path("runs") / "-".join(safe)


def check_same(settings: Any, folder: Path) -> None:
    """Refuses to write the results of one configuration over those of another."""
    from .studies.config import read_config

    if not (folder / "config.toml").is_file():
        return
    try:
        same = read_config(folder / "config.toml") == settings
    except ValueError:
        return  # cut or written by another version: this run writes it again
    if not same:
        raise ValueError(
            f"{folder}: expected the folder of the same study, got that of one with another configuration; choose "
            f"another --out, or remove the folder."
        )


def dry(planned: Any, folder: Path) -> None:
    """Prints the pieces by kind, with estimated times where the engine knows them."""
    from rich.console import Console
    from rich.table import Table

    kinds: dict[str, list[Any]] = {}
    for piece in planned.pieces:
        kinds.setdefault(piece.kind, []).append(piece)
    print("Timing a sample of each kind of work.", file=sys.stderr, flush=True)  # noqa: T201
    seconds = planned.seconds()
    shown = Table("work", "pieces", "seconds", box=None, pad_edge=False)
    for kind, pieces in kinds.items():
        took = sum(seconds.get(piece.name, math.nan) for piece in pieces)
        shown.add_row(kind, str(len(pieces)), f"{took:,.0f}" if math.isfinite(took) else "?")
    Console().print(shown)
    total = sum(seconds.values())
    length = f", about {duration(total)}" if seconds else ""
    say(f"{len(planned.pieces)} pieces of work{length}; results would go to {folder}. Nothing was written.")


def summary(result: Any, advice: Any, page: Path) -> None:
    """The advice, the key numbers and where the page is."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print()
    console.print(f"[bold]{escape(advice.sentence)}[/bold]", soft_wrap=not sys.stdout.isatty())
    console.print()
    shown = Table("model", "inputs", "least error", "arm", "not told apart from", box=None, pad_edge=False)
    inputs = {"canonical": "as in the data", "rotated": "random orientation"}
    for w in advice.winners:
        error = f"{100 * w.error:.1f} % [{100 * w.low:.1f}, {100 * w.high:.1f}]"
        shown.add_row(f"{w.model} {w.net}", inputs[w.inputs], escape(error), w.arm, ", ".join(w.ties) or "none")
    console.print(shown)
    console.print()
    console.print(f"Report: {escape(str(page))}", soft_wrap=True)


def table(names: Sequence[str], found: Any, classes: Sequence[str]) -> str:
    """Predictions as CSV."""
    import csv
    import io

    import numpy as np

    best = np.sort(found.scores, axis=1)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["input", "label", "margin", *(f"score {name}" for name in classes)])
    for name, label, row, ordered in zip(names, found.labels.tolist(), found.scores.tolist(), best, strict=True):
        margin = ordered[-1] - ordered[-2]
        writer.writerow([name, classes[label], f"{margin:.6g}", *(f"{score:.6g}" for score in row)])
    return out.getvalue()


class Bar:
    """Progress of the pieces: a bar on a terminal, otherwise a line now and then."""

    def __init__(self) -> None:
        self.progress: Any = None
        self.task: Any = None
        self.last = -math.inf

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

    def update(self, name: str, done: int, total: int, seconds: float) -> None:
        """Called before each piece, as `studies.run` does."""
        left = f"{duration(seconds)} left" if math.isfinite(seconds) else "measuring speed"
        if not sys.stderr.isatty():
            if done == total or time.monotonic() - self.last > 10:
                self.last = time.monotonic()
                print(f"{done}/{total} {name}, {left}", file=sys.stderr, flush=True)  # noqa: T201
            return
        if self.progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self.progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self.progress.start()
            self.task = self.progress.add_task(name, total=total, left=left)
        self.progress.update(self.task, completed=done, description=name, left=left)


def duration(seconds: float) -> str:
    """Seconds in the words of a clock."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def say(text: str) -> None:
    """One line on the standard output."""
    typer.echo(text)


def complain(text: str, kind: str = "error") -> None:
    """One line on the standard error."""
    print(f"equitangents: {kind}: {' '.join(text.split())}", file=sys.stderr)  # noqa: T201


EXPECTED = (ValueError, TypeError, OSError, NotImplementedError, RuntimeError, MemoryError, ImportError)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. Errors of the library are one line and exit code 2; EQUITANGENTS_DEBUG=1 shows where they arose."""
    import logging
    import warnings

    debug = os.environ.get("EQUITANGENTS_DEBUG", "") not in ("", "0")
    if not debug:
        logging.getLogger("jax").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        if app(given, prog_name="equitangents", standalone_mode=False) == 130:  # interrupted
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        complain("stopped; studies and kernels continue when the same command is given again.")
        raise SystemExit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing more to say
        raise SystemExit(1) from None
    except Exception as error:
        if debug or not (isinstance(error, EXPECTED) or hasattr(error, "format_message")):
            raise
        complain(message(error))
        raise SystemExit(2) from None


def message(error: BaseException) -> str:
    """What went wrong in one line; errors of the system get the path they are about."""
    if isinstance(error, MemoryError):
        return "expected the work to fit into memory, got too little; use fewer or smaller inputs."
    if hasattr(error, "format_message"):  # an option or argument that typer refused
        context = getattr(error, "ctx", None)
        return f"{error.format_message()} Try {context.command_path if context else 'equitangents'} --help."
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}."
    text = " ".join(str(error).split())
    return text or type(error).__name__
