"""How equivariant ensembles are: against their size and against training time."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .rows import Rows, group_order, of_group, study_group
from .style import ARMS, GREY, INPUTS, curve, decades, legend, nothing, panels, powers_of_ten, styled, ticks_at

SEEN = ("canonical", "rotated", "off-manifold")


@styled
def same_prediction_against_members(result: Any) -> Figure:
    """Orbit-same-prediction, from 1 to |G|, against the number of members, on and off the distribution.

    Of the |G| transformed copies of an input, how many get the prediction that the input itself gets, on average.
    """
    rows, group = measured(result, "orbit_same_prediction")
    title = f"Copies of an input under {group} that get the same prediction"
    shown = [name for name in SEEN if len(rows.where(inputs=name))]
    if not shown:
        return nothing(title, "No ensemble was measured.")
    figure, axes = panels(1, len(shown), 3.2, title, sharey=True)
    for panel, inputs in zip(axes[0], shown, strict=True):
        for arm in ARMS:
            curve(panel, rows.where(arm=arm, inputs=inputs), "members", arm, markersize=7 if arm == "averaged" else 4.5)
        panel.set(xscale="log", title=INPUTS[inputs], xlabel="members M")
        ticks_at(panel.xaxis, rows.unique("members"))
        order = group_order(group)
        if order:
            panel.axhline(order, color=GREY, lw=0.8, ls=":")
            panel.set_ylim(1, order * 1.03)
    axes[0, 0].set_ylabel(f"orbit-same-prediction, of {group_order(group) or '|G|'}")
    legend(figure, axes)
    return figure


@styled
def deviation_against_members(result: Any) -> Figure:
    """Rms orbit deviation of the mean prediction against the number of members M, with the kernel's own M^-1/2 line."""
    rows, group = measured(result, "orbit_deviation")
    predicted = predicted_for(result, rows)
    title = f"Orbit deviation under {group} against ensemble size"
    shown = [name for name in SEEN if len(rows.where(inputs=name))]
    if not shown:
        return nothing(title, "No ensemble was measured.")
    figure, axes = panels(1, len(shown), 3.4, title, sharey=True)
    for panel, inputs in zip(axes[0], shown, strict=True):
        here = rows.where(inputs=inputs)
        for arm in ARMS:
            visible = here.where(arm=arm)
            curve(panel, visible.keep(visible["value"] > ROUNDING), "members", arm)
        line = predicted.where(inputs=inputs).by("members")
        if len(line):
            label = "predicted from the kernel, $M^{-1/2}$"
            panel.plot(line["members"], line["value"], color="#222222", lw=1, ls=(0, (4, 2)), label=label)
        panel.set(xscale="log", yscale="log", title=INPUTS[inputs], xlabel="members M")
        ticks_at(panel.xaxis, rows.unique("members"))
    for panel in axes.flat:
        decades(panel)
    axes[0, 0].set_ylabel("rms orbit deviation of the mean")
    legend(figure, axes)
    for text in figure.legends[0].get_texts() if figure.legends else []:
        text.set_parse_math(True)
    return figure


@styled
def equivariance_against_time(result: Any) -> Figure:
    """Orbit-same-prediction and rms orbit deviation of the largest ensembles against training time."""
    same, group = measured(result, "orbit_same_prediction", last=False)
    deviation, _ = measured(result, "orbit_deviation", last=False)
    title = f"Equivariance under {group} while the ensembles train"
    if len(same.unique("time")) < 2 and len(deviation.unique("time")) < 2:
        return nothing(title, "One training time was measured.")
    shown = [name for name in ("canonical", "off-manifold") if len(same.where(inputs=name))]
    figure, axes = panels(2, len(shown), 4.8, title, sharex=True, sharey="row")
    for column, inputs in zip(axes.T, shown, strict=True):
        for panel, rows in zip(column, (same, deviation), strict=True):
            for arm in ARMS:
                here = rows.where(arm=arm, inputs=inputs).largest("members")
                curve(panel, here.keep((here["value"] > ROUNDING) & (here["time"] > 0)), "time", arm)
            panel.set(xscale="log")
        column[0].set(title=INPUTS[inputs])
        column[1].set(yscale="log", xlabel="training time, learning rate x steps")
        ticks_at(column[1].xaxis, powers_of_ten([t for t in same.unique("time") if t > 0]))
        order = group_order(group)
        if order:
            column[0].set_ylim(1, order * 1.03)
    for panel in axes[1]:
        decades(panel)
    axes[0, 0].set_ylabel(f"same prediction, of {group_order(group) or '|G|'}")
    axes[1, 0].set_ylabel("rms orbit deviation")
    legend(figure, axes)
    return figure


ROUNDING = 1e-5  # float32 leaves this much of an exact zero; on a log axis it would hide everything else


def predicted_for(result: Any, rows: Rows) -> Rows:
    """What the kernel predicts for the ensembles in `rows`: of their net, training size, group and last time."""
    lines = Rows(result).where(metric="predicted_orbit_deviation", arm="augmented", group=rows.unique("group"))
    return lines.where(net=rows.unique("net"), n_train=rows.unique("n_train")).largest("time")


def measured(result: Any, metric: str, last: bool = True) -> tuple[Rows, str]:
    """One metric of finite ensembles at one net, n_train and width, the one with most members."""
    everything = Rows(result)
    group = study_group(everything)
    rows = of_group(everything, group).where(model="ensemble", metric=metric)
    rows = rows.keep(np.isin(rows["element"], [""])) if len(rows) else rows
    if not len(rows):
        return rows, group
    keys = list(zip(rows["net"].tolist(), rows["width"].tolist(), rows["n_train"].tolist(), strict=True))
    sizes = {key: {m for k, m in zip(keys, rows["members"].tolist(), strict=True) if k == key} for key in set(keys)}
    net, width, n_train = max(sizes, key=lambda key: (max(sizes[key]), len(sizes[key]), key[2], key[1], key[0]))
    rows = rows.where(net=net, width=width, n_train=n_train).all_seeds()
    return (rows.largest("time") if last else rows), group
