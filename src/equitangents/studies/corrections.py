"""What 1/width adds to one network on a few inputs, as files: the command `corrections`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..corrections import Moments, diagrams, expand, tensor
from ..corrections.expand import ALL
from ..corrections.over_sites import MOST
from ..corrections.report import FiniteWidthReport, check_accuracy, report_of
from ..data.inputs import load_inputs
from ..equivariant.text import net_text, parse_net
from ..files import explained, made_folder, whole_file
from ..nets import AbstractLayer
from .corrections_rows import ActivationRow, LayerRow, activation_rows, layer_row
from .corrections_text import plain

INPUTS = 4
"""How many inputs are taken unless more are asked for."""


class Corrections(NamedTuple):
    """What the command found.

    Attributes:
        net: the description.
        inputs: what the inputs are, in words.
        x: inputs (n, *sites, channels), float64.
        tensors: the names that were asked for.
        found: by layer, from `expand`.
        report: at the outputs.
        layers: one row for each layer with weights.
        activations: one row for each nonlinearity.
    """

    net: AbstractLayer
    inputs: str
    x: np.ndarray
    tensors: tuple[str, ...]
    found: tuple[Moments, ...]
    report: FiniteWidthReport
    layers: list[LayerRow]
    activations: list[ActivationRow]


def write_corrections(
    net: str,
    inputs: str,
    out: str | Path,
    *,
    tensors: Iterable[str] = ALL,
    accuracy: float = 0.05,
    limit: int | None = None,
    force: bool = False,
) -> Corrections:
    """Expand a network in 1/width and write `tensors.npz`, `report.txt`, `diagrams/*.svg` and `report.html`.

    Each file is whole or absent; `report.html` comes last. JAX must be in float64.

    Args:
        net: a description, as text or in a file.
        inputs: as `load_inputs` takes them.
        out: folder, made if it does not exist; a network or inputs that are refused leave none.
        tensors: names or keys, those of `expand` by default; written and drawn.
        accuracy: relative, of the report.
        limit: the first inputs alone; by default all of a file, which may hold four, and four of a data set.
        force: write over the files of an earlier run.

    Raises:
        ValueError, TypeError, NotImplementedError: networks, inputs or tensors that do not fit; one line.
        OSError: a folder that cannot be written; one line.
    """
    folder, names = Path(out), tuple(dict.fromkeys(tensor(name).name for name in tensors))
    check_accuracy(accuracy)
    described = parse_net(net_text(net))
    x, words = few_inputs(inputs, limit)
    check_folder(folder, force)
    with made_folder(folder):
        found = expand(described, jnp.asarray(x), tuple(dict.fromkeys((*ALL, *names))))
        result = Corrections(
            net=described,
            inputs=words,
            x=x,
            tensors=names,
            found=found,
            report=report_of(found, accuracy),
            layers=list(map(layer_row, found)),
            activations=activation_rows(described, x, found),
        )
        write(result, folder)
    return result


def few_inputs(inputs: str, limit: int | None) -> tuple[np.ndarray, str]:
    """The inputs, and what they are in words."""
    if limit is not None and not 0 < limit <= MOST:
        raise ValueError(f"--limit: expected 1 to {MOST} inputs, as tensors have four of them as indices, got {limit}.")
    x = load_inputs(inputs)
    if limit is None and len(x) > INPUTS and Path(inputs).expanduser().is_file():
        raise ValueError(
            f"{inputs!r}: expected at most {INPUTS} inputs, got {len(x)}: the cost is that of all subsets of four; "
            f"choose the first with --limit N, N up to {MOST}."
        )
    kept = x[: limit or INPUTS]
    words = f"{len(kept)} inputs" if len(kept) > 1 else "1 input"
    words += f", the first of {len(x):,}," if len(kept) < len(x) else ""
    return kept, f"{words} of shape {kept.shape[1:]}, from {Path(inputs).name}"


def check_folder(folder: Path, force: bool) -> None:
    """Raise where there are files of an earlier run, before anything is computed."""
    there = [name for name in ("tensors.npz", "report.txt", "report.html") if (folder / name).exists()]
    if there and not force:
        raise ValueError(
            f"{folder}: expected a folder without {' and '.join(there)}, which are there; choose another --out, or "
            "--force to write over them."
        )


def write(result: Corrections, folder: Path) -> None:
    """All files, the page last."""
    from .corrections_page import render

    def put(name: str, content: str) -> None:
        with whole_file(folder / name) as file:
            file.write(content.encode())

    with explained(folder):
        (folder / "diagrams").mkdir(exist_ok=True)
        for old in (folder / "diagrams").glob("*.svg"):  # of tensors that may not be asked for now
            old.unlink()
    with whole_file(folder / "tensors.npz") as file:
        np.savez(file, **arrays(result))
    put("report.txt", plain(result))
    for name in result.tensors:
        for i, diagram in enumerate(diagrams(name), start=1):
            put(f"diagrams/{file_name(name)}-{i}.svg", diagram.draw() + "\n")
    put("report.html", render(result))


def arrays(result: Corrections) -> dict[str, Any]:
    """`layer1/K`, ..., each (m, ..., m); `errors` of the quadrature (layers, names); `names`, `width`, `x`, `net`."""
    kept = {
        f"layer{found.layer}/{name}": np.asarray(found.tensors[name])
        for found in result.found
        for name in result.tensors
    }
    errors = np.array([[float(found.errors[name]) for name in result.tensors] for found in result.found])
    widths = np.array([found.width for found in result.found])
    about = {"names": np.array(result.tensors), "errors": errors, "width": widths}
    return {**kept, **about, "x": result.x, "net": np.array(repr(result.net))}


def file_name(name: str) -> str:
    """Of a tensor; keys of forests with letters that all systems allow.

    >>> file_name("01,23|02,13,45")
    '01.23_02.13.45'
    """
    return name.replace(",", ".").replace("|", "_")
