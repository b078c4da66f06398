"""Accuracy against the cost of training."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from .learning import smallest_error
from .rows import Rows, of_group, study_group
from .style import ARMS, INPUTS, curve, error_axis, legend, nothing, panels, styled

TITLE = "Test error against the cost of training"


@styled
def accuracy_against_cost(result: Any) -> Figure:
    """Test error against FLOPs of training: finite ensembles as points for each arm, kernel predictors as lines.

    At the largest training set and the last training time; one panel for each orientation of the test images. Points
    are ensembles of every width and number of members; the lines are the same networks at infinite width.
    """
    rows = of_group(Rows(result), study_group(Rows(result)))
    errors = rows.where(metric="error")
    ensembles = errors.where(model="ensemble")
    ensembles = priced(ensembles.largest("n_train"), rows)
    shown = [name for name in ("canonical", "rotated") if len(ensembles.where(inputs=name))]
    if not shown:
        return nothing(TITLE, "No ensemble was trained.")
    kernel = same_kernels(errors, ensembles)
    figure, axes = panels(1, len(shown), 3.7, TITLE, sharey=True)
    for panel, inputs in zip(axes[0], shown, strict=True):
        for arm, look in ARMS.items():
            points = ensembles.where(inputs=inputs, arm=arm)
            for net in points.unique("net"):
                widths = points.where(net=net).unique("width")
                for width in widths:
                    face = {} if width == widths[-1] else {"markerfacecolor": "white", "label": "_"}
                    curve(panel, points.where(net=net, width=width), "flops", arm, 100, lw=0.8, **face)
            for value in kernel.where(inputs=inputs, arm=arm)["value"].tolist():
                panel.axhline(100 * value, color=look.colour, lw=1.1, ls=(0, (5, 2)))
        if len(kernel):
            panel.plot([], [], color="#222222", lw=1.1, ls=(0, (5, 2)), label="infinite width")
        panel.set(xscale="log", title=INPUTS[inputs], xlabel="training cost, FLOP")
        panel.xaxis.set_major_formatter(EngFormatter(sep=" "))
        panel.xaxis.set_minor_formatter(NullFormatter())
    error_axis(axes, 100 * smallest_error(errors))
    axes[0, 0].set_ylabel("test error, %")
    legend(figure, axes)
    return figure


def same_kernels(errors: Rows, ensembles: Rows) -> Rows:
    """Errors at the last time of the networks of the ensembles at infinite width, on as many training images."""
    same = errors.where(model="kernel", net=ensembles.unique("net"), n_train=ensembles.unique("n_train"))
    return same.largest("time")


def priced(errors: Rows, rows: Rows) -> Rows:
    """Errors at the last training time with a column `flops`, the training cost of the same run; without one, none."""
    kept, flops = [], []
    costs = rows.where(metric="flops_training")
    for i, row in enumerate(errors):
        same = {name: row[name] for name in ("arm", "model", "net", "n_train", "width", "members")}
        rivals = errors.where(**same)
        seeds = rivals.all_seeds()["seed"]
        cost = costs.where(**same)
        if row["seed"] in seeds and row["time"] == rivals["time"].max() and len(cost):
            kept.append(i)
            flops.append(float(cost.all_seeds().largest("time").one("value")))
    chosen = errors.keep(np.array(kept, int))
    return Rows(chosen.columns | {"flops": np.array(flops)})
