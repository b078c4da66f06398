"""The commands `study` and `report`."""

import collections
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..spelling import suggestion
from .output import Bar, complain, duration, say

THEORY: tuple[str, ...] = (
    "emergent-equivariance",
    "augmented-equals-equivariant",
    "equivariant-kernel-benchmark",
    "support-symmetry",
    "wilson-loops",
    "chern",
)
"""Names in `studies.theory.MODULES`, here so that help needs no import of it."""


def study(
    data: Annotated[
        str | None,
        typer.Argument(
            help="digits (default), fashion-mnist, a folder CLASS/*.png, or an .npz file with x and y; or the name of "
            "a study of a theorem: " + ", ".join(THEORY) + "."
        ),
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
    if data in THEORY:
        theory(data, out, config, preset, dry_run, {"--group": group, "--net": net, "--resize": resize})
        return
    check_known(data)
    from ..studies.advice import advise
    from ..studies.predict import chosen_model, save_model
    from ..studies.report import write_report
    from ..studies.run import plan, run

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


def check_known(data: str | None) -> None:
    """Refuses what is neither data nor a study, here where both can be named."""
    from ..data.loading import NAMES, suggested

    if data is None or data in NAMES or Path(data).expanduser().exists():
        return
    raise FileNotFoundError(
        f"expected data ({', '.join(NAMES)}, a folder or an .npz file) or a study ({', '.join(THEORY)}), got {data!r}, "
        f"which does not exist; {suggested(data, THEORY)}"
    )


def theory(
    name: str, out: Path | None, config: Path | None, preset: str | None, dry_run: bool, foreign: dict[str, Any]
) -> None:
    """Does a study of a theorem, which has its own data and networks."""
    from ..studies.theory import find, read_theory_config, run_theory

    study = find(name)
    for option in (option for option, value in foreign.items() if value is not None):
        raise ValueError(f"{option}: expected none, {name!r} has its own; drop it, or write a --config.")
    if config is not None and preset is not None:
        raise ValueError("expected --config or --preset, got both; a configuration replaces the preset: drop one.")
    if preset is not None and preset not in study.presets:
        raise ValueError(
            f"--preset: expected one of {', '.join(study.presets)}, got {preset!r}; {suggestion(preset, study.presets)}"
        )
    settings = study.presets[preset or "quick"] if config is None else read_theory_config(study, config)
    folder = out or Path("runs") / f"{name}-{settings.preset}"
    study.check(settings)
    if dry_run:
        known = study.minutes.get(settings.preset) if settings == study.presets.get(settings.preset) else None
        dry_theory(study.pieces(settings), known, folder)
        return
    if any((folder / "pieces").glob("*.npz")):
        say(f"Continuing the study in {folder}.")
    with Bar() as bar:
        try:
            page = run_theory(study, settings, folder, bar.update)
        except KeyboardInterrupt:
            bar.stop()
            complain(f"stopped; what is done is kept in {folder}: give the same command again to continue.")
            raise SystemExit(130) from None
    say(f"Report: {page}")


def report(run: Annotated[Path, typer.Argument(help="Folder of a finished study.")]) -> None:
    """Write report.html and the figures of a finished study again, from its results.parquet.

    Example: equitangents report runs/digits-C4-quick
    """
    from ..studies.advice import advise
    from ..studies.report import write_report
    from ..studies.result import Result

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

    from ..equivariant.text import read_net
    from ..studies.config import PRESETS, check_config, preset_config, read_config

    if config is not None and preset is not None:
        raise ValueError("expected --config or --preset, got both; a configuration replaces the preset: drop one.")
    given = {"data": data, "group": group, "resize": resize}
    chosen = {name: value for name, value in given.items() if value is not None}
    if config is not None:
        settings = read_config(config, **chosen)
    else:
        name = preset or "quick"
        if name not in PRESETS:
            raise ValueError(
                f"--preset: expected one of {', '.join(PRESETS)}, got {name!r}; {suggestion(name, PRESETS)}"
            )
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
    from ..studies.config import read_config

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
    say(f"{count_of(planned.pieces)}{length}; results would go to {folder}. Nothing was written.")


def dry_theory(pieces: list[Any], minutes: float | None, folder: Path) -> None:
    """Prints the pieces by kind, and the processor minutes that were measured for all of them, where they were."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("work", "pieces", box=None, pad_edge=False)
    for kind, count in collections.Counter(piece.kind for piece in pieces).items():
        shown.add_row(kind, str(count))
    Console().print(shown)
    if minutes is None:
        length = "how long they take is estimated as they run, from the first one on"
    else:
        length = f"about {duration(60 * minutes)} of processor time, as once measured on two cores"
    say(f"{count_of(pieces)}; {length}. Results would go to {folder}. Nothing was written.")


def count_of(pieces: list[Any]) -> str:
    """How many pieces, in words."""
    return f"{len(pieces)} piece{'' if len(pieces) == 1 else 's'} of work"


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
