"""The command `corrections`."""

from pathlib import Path
from typing import Annotated

import typer

from .output import say


def corrections(
    net: Annotated[str, typer.Option(help="A description of the network, as text or in a file.")],
    inputs: Annotated[
        str,
        typer.Option(
            help="An .npy, .npz or .csv file (numbers, no heading) of inputs, (n, features) or (n, *sites, channels); "
            "or data as for study."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    tensors: Annotated[
        list[str] | None,
        typer.Option(
            help='Names of tensors to write and draw, as in "V F P" or V,F,P; K Theta G1 H1 V D F A B by default.'
        ),
    ] = None,
    accuracy: Annotated[float, typer.Option(help="Relative, for the widths that the report names.")] = 0.05,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The first inputs alone; all of a file of at most 4, 4 of a data set.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the files of an earlier run.")] = False,
) -> None:
    """Compute what 1/width adds to the kernels of a network on a few inputs, and how far it is from infinite width.

    Writes report.html, report.txt, tensors.npz and diagrams/ into --out. In float64.

    Example: equitangents corrections --net "Serial(Dense(64), Tanh(), Dense(1))" --inputs x.csv --out runs/tanh
    """
    import jax

    jax.config.update("jax_enable_x64", True)  # the recursions lose digits layer by layer
    from ..corrections.expand import ALL
    from ..studies.corrections import write_corrections

    names = [name for words in tensors or () for name in words.replace(",", " ").split()] or ALL
    found = write_corrections(net, inputs, out, tensors=names, accuracy=accuracy, limit=limit, force=force)
    say(f"{found.report}")
    say(f"Report: {out / 'report.html'}; tensors.npz, report.txt and diagrams/ are beside it.")
