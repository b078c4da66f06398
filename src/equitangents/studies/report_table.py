"""The table of arms on the page: errors, equivariance and cost, as text."""

import math
from typing import Any, NamedTuple

import numpy as np

from ..plots.classes import settled
from ..plots.learning import of_family
from ..plots.rows import Rows, of_group
from ..plots.style import ARMS
from .advice import Advice
from .compare import settled_size

HEADS = (
    "error, as in the data",
    "error, random orientation",
    "copies alike, in the data",
    "copies alike, off-manifold",
    "orbit deviation",
    "training, FLOP",
    "training, CPU s",
    "parameters",
)


class Line(NamedTuple):
    """One arm in the table of arms, all as text."""

    arm: str
    colour: str
    chosen: bool
    cells: tuple[str, ...]


def tables(result: Any, advice: Advice) -> list[tuple[str, tuple[str, ...], list[Line]]]:
    """The table of arms for each group, model and net, at the largest training set."""
    rows = Rows(result)
    groups = [name for name in rows.unique("group") if name and name != "C1"]
    out = []
    for group in groups:
        of = of_group(rows, group)
        for family in of.families():
            here = of_family(of, family)
            here = here.where(n_train=settled_size(here))  # arms that were not evaluated there are left out
            seconds = cpu_seconds(result, family)
            lines = []
            for arm, look in ARMS.items():
                mine = here.where(arm=arm)
                if not len(mine):
                    continue
                chosen = (arm, *family, group) == (advice.arm, advice.model, advice.net, advice.group)
                lines.append(Line(look.label, look.colour, chosen, cells(mine, seconds.get(arm))))
            known = [i for i in range(len(HEADS)) if any(line.cells[i] != "–" for line in lines)]
            lines = [line._replace(cells=tuple(line.cells[i] for i in known)) for line in lines]
            out.append((setting(here, group, family), tuple(HEADS[i] for i in known), lines))
    return out


def setting(here: Rows, group: str, family: tuple[str, str]) -> str:
    """What a table is about, in words."""
    last = settled(here.where(metric="error"))
    n, width, members = (last.one(name) for name in ("n_train", "width", "members"))
    if family[0] == "kernel":
        return f"{group}, {family[1]} at infinite width, {n:,} training examples"
    return f"{group}, {family[1]} ensembles of {members} at width {width}, {n:,} training examples"


def cells(mine: Rows, seconds: float | None) -> tuple[str, ...]:
    """The entries of one arm, in the order of `HEADS`."""

    def row(metric: str, inputs: str = "") -> dict | None:
        found = mine.where(metric=metric)
        found = found.where(inputs=inputs) if inputs else found
        found = found.where(element="")
        return next(iter(settled(found)), None)

    flops, parameters = row("flops_training"), row("parameters")
    return (
        percent(row("error", "canonical")),
        percent(row("error", "rotated")),
        number(row("orbit_same_prediction", "canonical"), "{:.2f}"),
        number(row("orbit_same_prediction", "off-manifold"), "{:.2f}"),
        number(row("orbit_deviation", "canonical"), "{:.2g}"),
        engineering(flops["value"]) if flops and flops["value"] > 0 else "–",
        f"{seconds:,.1f}" if seconds else "–",
        engineering(parameters["value"]) if parameters and parameters["value"] > 0 else "–",
    )


def percent(row: dict | None) -> str:
    """A row in per cent with its interval; a dash if there is none."""
    if row is None:
        return "–"
    text = f"{100 * row['value']:.1f} %"
    if math.isfinite(row["low"]):
        text += f" [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    return text


def number(row: dict | None, form: str) -> str:
    """A row in this format; a dash if it is unknown."""
    if row is None or not math.isfinite(row["value"]):
        return "–"
    return "0" if abs(row["value"]) < 1e-5 else form.format(row["value"])


def engineering(value: float) -> str:
    """A number of three digits with k, M, G, T or P."""
    for size, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def cpu_seconds(result: Any, family: tuple[str, str]) -> dict[str, float]:
    """CPU-seconds of all pieces of each arm of a model and net, which the piece's name holds between hyphens."""
    rows = Rows(result.timings)
    if not len(rows):
        return {}
    pieces = rows["piece"].tolist()
    rows = rows.keep(np.array([f"-{family[1]}-" in f"-{piece}-" for piece in pieces], bool)).where(model=family[0])
    return {arm: float(rows.where(arm=arm)["cpu_seconds"].sum()) for arm in rows.unique("arm")}
