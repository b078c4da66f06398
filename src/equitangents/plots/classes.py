"""What a symmetry does to single classes: labels that survive it, confusions it adds, recall it costs."""

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .learning import of_family
from .rows import Rows, of_group, study_group
from .style import ARMS, GREY, INPUTS, nothing, panels, styled


@styled
def audit_heatmap(result: Any) -> Figure:
    """Share of each class that still passes for it after each group element has acted; outlined: named confusions."""
    rows = Rows(result).where(metric="audit_label")
    group = study_group(rows)
    rows = rows.where(group=group).largest("n_train")
    title = f"Inputs moved by {group} that still pass for their class, %"
    if not len(rows):
        return nothing(title, "No audit was made.")
    classes, elements = names(rows), ordered(rows, "element")
    table = np.zeros((len(elements), len(classes)))
    for row in rows:
        if row["true"] == row["predicted"]:
            table[elements.index(row["element"]), classes.index(row["true"])] = 100 * row["value"]
    pairs = Rows(result).where(metric="audit_confused", group=group)
    figure, axes = panels(1, 1, 1.35 + 0.36 * len(elements), title)
    panel = axes[0, 0]
    image = panel.imshow(table, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    label_cells(panel, table, "{:.0f}", light=table < 55)
    mark_axes(panel, classes, elements)
    panel.set(xlabel="true class", ylabel="group element")
    for row in pairs:
        if row["element"] in elements and row["true"] in classes:
            at = (classes.index(row["true"]) - 0.5, elements.index(row["element"]) - 0.5)
            panel.add_patch(outline(at))
    figure.colorbar(image, ax=panel, shrink=0.9, label="%", pad=0.015).outline.set_visible(False)
    return figure


@styled
def confusion_difference(result: Any) -> Figure:
    """Confusion matrix of the equivariant arm minus that of the plain one, in percentage points of the true class."""
    rows, group, family = of_best_family(result, "confusion")
    title = f"Confusions that imposing {group} adds (red) and removes (blue)"
    shown = [name for name in ("canonical", "rotated") if len(rows.where(inputs=name))]
    if not shown:
        return nothing(title, "No confusions were measured.")
    classes = names(rows)
    figure, axes = panels(1, len(shown), 3.9 if len(shown) == 2 else 5.0, title, sharey=True)
    tables = [100 * (confusion(rows, "equivariant", i, classes) - confusion(rows, "plain", i, classes)) for i in shown]
    limit = max(1.0, max(float(np.nanmax(np.abs(table))) for table in tables))
    for panel, inputs, table in zip(axes[0], shown, tables, strict=True):
        good = np.where(np.eye(len(classes), dtype=bool), -table, table)  # on the diagonal more is better
        image = panel.imshow(good, cmap="RdBu_r", vmin=-limit, vmax=limit)
        label_cells(panel, table, "{:+.0f}", light=np.abs(table) > 0.6 * limit, smallest=0.5)
        mark_axes(panel, classes, classes)
        panel.set(title=f"{family[0]}, {family[1]}: {INPUTS[inputs]}", xlabel="predicted class")
    axes[0, 0].set_ylabel("true class")
    bar = figure.colorbar(image, ax=axes[0].tolist(), shrink=0.75, pad=0.015, label="percentage points, red: worse")
    bar.outline.set_visible(False)
    return figure


@styled
def recall_cost(result: Any) -> Figure:
    """Recall of each class, equivariant minus plain, in percentage points; bars end at differences, lines at 95 %."""
    rows, group, family = of_best_family(result, "class_recall_difference")
    rows = rows.where(arm="equivariant", against="plain")
    title = f"What imposing {group} does to the recall of each class"
    shown = [name for name in ("canonical", "rotated") if len(rows.where(inputs=name))]
    if not shown:
        return nothing(title, "No recalls were measured.")
    classes = names(rows)
    figure, axes = panels(1, len(shown), 3.1, title, sharey=True)
    for panel, inputs in zip(axes[0], shown, strict=True):
        found = {row["true"]: row for row in rows.where(inputs=inputs)}
        table = [[found.get(name, {}).get(part, np.nan) for part in ("value", "low", "high")] for name in classes]
        middle, low, high = np.array(table).T
        at = np.arange(len(classes))
        colours = np.where(middle < 0, ARMS["augmented"].colour, ARMS["equivariant"].colour)
        panel.bar(at, 100 * middle, color=colours, width=0.7, alpha=0.85)
        panel.vlines(at, 100 * low, 100 * high, color="#222222", lw=1)
        panel.axhline(0, color=GREY, lw=0.8)
        panel.grid(axis="x", visible=False)
        mark_axes(panel, classes, None)
        panel.set(title=f"{family[0]}, {family[1]}: {INPUTS[inputs]}", xlabel="class")
    axes[0, 0].set_ylabel("recall, percentage points")
    return figure


def of_best_family(result: Any, metric: str) -> tuple[Rows, str, tuple[str, str]]:
    """One metric at the headline setting of the model and net that `best_family` chooses."""
    everything = Rows(result)
    group = study_group(everything)
    rows = of_group(everything, group)
    family = best_family(rows)
    chosen = of_family(rows.where(metric=metric), family)
    arms = [settled(chosen.where(arm=arm)) for arm in ("plain", "equivariant")]
    columns = {n: np.concatenate([part[n] for part in arms]) for n in chosen.columns}
    return Rows(columns), group, family


def best_family(rows: Rows) -> tuple[str, str]:
    """(model, net) with a plain and an equivariant arm, whose better arm errs least at its largest n_train.

    Summed over inputs as in the data and randomly oriented ones: who chooses does not know yet which will come.
    """
    errors = rows.where(metric="error", inputs=("canonical", "rotated"), arm=("plain", "equivariant"))
    least: dict[tuple[str, str], float] = {}
    for family in errors.families():
        here = of_family(errors, family)
        if {"plain", "equivariant"} <= set(here.unique("arm")):
            least[family] = sum(
                min(settled(side.where(arm=arm)).one("value", math.inf) for arm in ("plain", "equivariant"))
                for side in (here.where(inputs=inputs) for inputs in here.unique("inputs"))
            )
    return min(least, key=lambda family: (least[family], family), default=("", ""))


def settled(rows: Rows) -> Rows:
    """Rows at the largest training set, width, ensemble and time, over all seeds."""
    return rows.largest("n_train", "width", "members").all_seeds().largest("time")


def confusion(rows: Rows, arm: str, inputs: str, classes: list[str]) -> np.ndarray:
    """Fractions (true, predicted) of one arm; what was not stored is zero."""
    table = np.zeros((len(classes), len(classes)))
    for row in rows.where(arm=arm, inputs=inputs):
        table[classes.index(row["true"]), classes.index(row["predicted"])] = row["value"]
    return table


def names(rows: Rows) -> list[str]:
    """Class names in the order of numbers where they are numbers."""
    found = {name for column in ("true", "predicted") for name in rows.unique(column) if name}
    return sorted(found, key=lambda name: (0, int(name), "") if name.isdecimal() else (1, 0, name))


def ordered(rows: Rows, column: str) -> list[str]:
    """Distinct values of a column in the order in which they appear."""
    return list(dict.fromkeys(rows[column].tolist()))


def mark_axes(panel: Any, x: list[str], y: list[str] | None) -> None:
    """Class names along x, and along y where they are given."""
    long = max(map(len, x), default=0) > 3
    options = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if long else {}
    panel.set_xticks(range(len(x)), [shortened(name) for name in x], **options)
    if y is not None:
        panel.set_yticks(range(len(y)), [shortened(name) for name in y])
        panel.grid(visible=False)
        panel.tick_params(length=0)
        for spine in panel.spines.values():
            spine.set_visible(False)


def label_cells(panel: Any, table: np.ndarray, form: str, light: np.ndarray, smallest: float = 0.0) -> None:
    """The numbers of a table in its cells; white where `light`."""
    if table.shape[1] > 20:  # numbers would overlap
        return
    for (i, j), value in np.ndenumerate(table):
        if np.isfinite(value) and abs(value) >= smallest:
            colour = "white" if light[i, j] else "#222222"
            panel.text(j, i, form.format(value), ha="center", va="center", fontsize=7.5, color=colour)


def outline(corner: tuple[float, float]) -> Any:
    """A frame around one cell."""
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, fill=False, edgecolor="#d55e00", lw=2, clip_on=False)


def shortened(name: str, most: int = 14) -> str:
    """A class name that fits beside an axis."""
    return name if len(name) <= most else name[: most - 1] + "…"
