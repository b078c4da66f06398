"""The program: its help, its commands, and how errors are said."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .chern import chern
from .corrections import corrections
from .gram import fit, kernel
from .output import complain
from .predict import predict
from .study import report, study

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

  equitangents corrections --net net.txt --inputs x.npy --out runs/width
  [dim]how far a network is from infinite width: tensors of order 1/width, their diagrams, a page.[/dim]

  equitangents chern train --bands 1 --out runs/chern && equitangents chern evaluate runs/chern --model haldane
  [dim]a gauge equivariant network that learns Chern numbers from random links, on topological insulators.[/dim]

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
for command in (study, predict, kernel, fit, corrections, report):
    app.command()(command)
app.add_typer(chern)


def _version(wanted: bool) -> bool:
    if wanted:
        from .. import __version__

        typer.echo(f"equitangents {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """What comes before a command: options of the program itself. Its help is `HELP`."""


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
