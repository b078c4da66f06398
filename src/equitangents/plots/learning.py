"""Error against the number of training images."""

from typing import Any

from matplotlib.figure import Figure

from .rows import Rows, of_group, study_group
from .style import ARMS, INPUTS, curve, error_axis, legend, nothing, panels, styled, ticks_at

TITLE = "Test error against the number of training examples"


@styled
def error_against_training_size(result: Any) -> Figure:
    """Test error against training-set size for each arm: a row for each model and net, a column for each orientation.

    At the last training time, the largest width and the most members; bands are 95 % intervals.
    """
    rows = of_group(Rows(result), study_group(Rows(result)))
    errors = rows.where(metric="error")
    families = [pair for pair in errors.families() if len(of_family(errors, pair).unique("n_train")) > 1]
    shown = [name for name in ("canonical", "rotated") if len(errors.where(inputs=name))]
    if not families or not shown:
        return nothing(TITLE, "One training-set size was measured.")
    height = 0.9 + 1.9 * len(families)
    figure, axes = panels(len(families), len(shown), height, TITLE, sharey="row", sharex="row")
    for line, family in zip(axes, families, strict=True):
        for panel, inputs in zip(line, shown, strict=True):
            here = of_family(errors, family).where(inputs=inputs)
            for arm in ARMS:
                curve(panel, headline(here.where(arm=arm)), "n_train", arm, 100)
            panel.set(xscale="log", title=f"{family[0]}, {family[1]}: {INPUTS[inputs]}")
            ticks_at(panel.xaxis, here.unique("n_train"))
        error_axis(line, 100 * smallest_error(of_family(errors, family)))
        line[0].set_ylabel("test error, %")
    for panel in axes[-1]:
        panel.set_xlabel("training examples")
    legend(figure, axes)
    return figure


def smallest_error(errors: Rows) -> float:
    """The smallest error that is not zero, or 1 %."""
    positive = errors["value"][errors["value"] > 0]
    return float(positive.min()) if len(positive) else 0.01


def of_family(rows: Rows, family: tuple[str, str]) -> Rows:
    """Rows of one (model, net)."""
    return rows.where(model=family[0], net=family[1])


def headline(rows: Rows) -> Rows:
    """For each training-set size, the row at the largest width, most members and last time, over all seeds."""
    best: dict[int, Rows] = {n: rows.where(n_train=n) for n in rows.unique("n_train")}
    parts = [part.largest("width", "members").all_seeds().largest("time") for part in best.values()]
    if not parts:
        return rows
    columns = {name: [value for part in parts for value in part[name].tolist()] for name in rows.columns}
    return Rows(columns)
