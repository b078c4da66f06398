"""Single findings of a study, a sentence each: what the advice rests on and what else the numbers say."""

import math
from typing import Any

import numpy as np

from ..plots.ensembles import measured
from ..plots.learning import of_family
from ..plots.rows import Rows, group_order
from .compare import (
    SIDES,
    class_costs,
    difference,
    effect,
    headline_difference,
    interval,
    label,
    listed,
    merged,
    points,
    quoted,
    settled_size,
    signed,
)

EARLY = 0.02  # of error that training to the end would still save
WANTED_DEVIATION = 0.05  # of the mean prediction over an orbit, where the targets of two classes differ by 1


def agreement(rows: Rows, family: tuple[str, str]) -> str:
    """In how many of the other models and nets the two comparisons have the same sign."""
    others = [other for other in rows.families() if other != family]
    reference = [difference(of_family(rows, family), "equivariant", "plain", side) for side in SIDES]
    parts = []
    for side, d in zip(SIDES, reference, strict=True):
        if d is None or not d.sign:
            continue
        found = [difference(of_family(rows, other), "equivariant", "plain", side) for other in others]
        known = [e for e in found if e is not None]
        same = sum(e.sign == d.sign for e in known)
        if known:
            parts.append(f"in {same} of {len(known)} others on {SIDES[side]}")
    if not parts:
        return ""
    same_sign = " and ".join(parts)
    return f"How far it holds: the numbers above are of {label(family)}; the same sign was resolved {same_sign}."


def impose_or(here: Rows, arm: str, lead: str, other: str) -> str:
    """Imposing against another arm at the headline setting."""
    parts, equal = [], []
    for side in SIDES:
        d = difference(here, "equivariant", arm, side)
        if d is not None and d.sign:
            parts.append(f"{effect(d, side, 'imposing')} against {other}")
        elif d is not None and abs(d.value) < 1e-12 and abs(d.high - d.low) < 1e-12:
            equal.append(SIDES[side])
        elif d is not None:
            told = f"({signed(d.value)} points {interval(d)})"
            parts.append(f"on {SIDES[side]} imposing and {other} were not told apart {told}")
    if equal:
        parts.append(f"imposing and {other} make the same test errors on {listed(equal)}")
    n = settled_size(here.where(arm=arm))
    at = f" (with {n:,} training examples)" if n < settled_size(here) else ""
    return f"{lead}: {'; '.join(parts)}{at}." if parts else ""


def training_left(rows: Rows) -> str:
    """Ensembles whose training stopped early: the same networks at infinite width, then and after training for ever."""
    parts = []
    for family in rows.families():
        if family[0] != "ensemble":
            continue
        errors = rows.where(metric="error", inputs="canonical", net=family[1])
        stop = errors.where(model="ensemble").largest("n_train")
        kernel = errors.where(model="kernel", n_train=stop.unique("n_train"))
        for arm in ("plain", "augmented", "equivariant"):
            mine = kernel.where(arm=arm)
            then = mine.keep(np.isclose(mine["time"], stop.largest("time").one("time", math.inf), rtol=1e-3))
            last = mine.where(time=math.inf)
            if len(then) and len(last) and then.one("value") - last.one("value") > EARLY:
                told = f"{points(then.one('value'))} % then, {points(last.one('value'))} % in the end"
                parts.append(f"{label(family)}, {arm}: {told}")
    if not parts:
        return ""
    return (
        "Training not at its end: where the training of ensembles stopped, the same networks at infinite width err, on "
        f"{SIDES['canonical']}, {'; '.join(parts)}. More steps bring these arms closer to their end."
    )


def catching_up(rows: Rows) -> str:
    """From which training-set size the augmented ensemble is not resolved from the group-convolutional one."""
    parts = []
    for family in rows.families():
        if family[0] != "ensemble":
            continue
        here = of_family(rows, family)
        for side in SIDES:
            n, sizes = catch_up_size(here, side)
            where = f"{label(family)} on {SIDES[side]}"
            if len(sizes) < 2:
                continue
            if n is None:
                parts.append(f"not up to {sizes[-1]} examples for {where}")
            elif n == sizes[0]:
                parts.append(f"at every size from {n} to {sizes[-1]} examples for {where}")
            else:
                parts.append(f"from {n} examples on for {where}")
    return f"Where augmenting catches imposing: {'; '.join(parts)}." if parts else ""


def catch_up_size(here: Rows, inputs: str) -> tuple[int | None, list[int]]:
    """The smallest size from which on the augmented error exceeds the equivariant one at no size, and all sizes."""
    rows = headline_difference(here, "augmented", "equivariant", inputs).by("n_train")
    n: int | None = None
    for row in rows:
        behind = row["low"] > 0
        n = None if behind else n if n is not None else row["n_train"]
    return n, rows.unique("n_train")


def classes_lost(rows: Rows, group: str, confused: tuple[tuple[str, str, str], ...]) -> str:
    """Which classes the symmetry costs recall on canonical inputs, for each model and net, and what the audit names."""
    lost, spared = [], []
    for family in rows.families():
        costs = class_costs(of_family(rows, family))
        if costs:
            each = listed([f"{quoted(c.name)} ({signed(c.value)} points {interval(c)})" for c in costs[:4]])
            more = f" and {len(costs) - 4} more" if len(costs) > 4 else ""
            lost.append(f"{label(family)} {each}{more}")
        else:
            spared.append(label(family))
    named = listed([f"{quoted(a)} and {quoted(b)}" for a, b in merged(confused)]) if confused else "no pair"
    if not lost:
        return f"Classes that lose: none beyond its interval under {group}; the audit names {named}."
    others = f"; none beyond its interval for {listed(spared)}" if spared else ""
    text = "; ".join(lost)
    return (
        f"Classes that lose: on {SIDES['canonical']} {group} costs recall, for {text}{others}; the audit names {named}."
    )


def members_needed(result: Any) -> str:
    """How many members bring the orbit deviation of the augmented ensemble under the wanted one, by the M^-1/2 law."""
    deviation, group = measured(result, "orbit_deviation")
    order = group_order(group) or "all"
    same, _ = measured(result, "orbit_same_prediction")
    parts = []
    for side, words in (("canonical", SIDES["canonical"]), ("off-manifold", "off-manifold inputs")):
        row = next(iter(deviation.where(arm="augmented", inputs=side).largest("members")), None)
        if row is None:
            continue
        members = needed(row["value"], row["members"])
        osp = same.where(arm="augmented", inputs=side).largest("members")
        seen = f"{osp.one('value'):.2f} of {order} copies get the same label" if len(osp) else "unknown"
        at = f"measured at {row['members']}: {row['value']:.3g}, {seen}"
        parts.append(f"about {members:,} on {words} ({at})")
    if not parts:
        return ""
    return (
        f"Members needed: for a rms orbit deviation of {WANTED_DEVIATION:g} by augmentation alone "
        f"{' and '.join(parts)}; a group-convolutional network needs one."
    )


def needed(deviation: float, members: int) -> int:
    """Members M for which deviation * sqrt(members / M) is at most `WANTED_DEVIATION`."""
    return max(1, math.ceil(members * (deviation / WANTED_DEVIATION) ** 2 - 1e-9))


def same_predictor(rows: Rows) -> str:
    """How far the augmented and the group-convolutional kernel predictors are apart."""
    found = rows.where(metric="kernel_agreement")
    apart = found.where(element="float64")  # each from kernels of its own
    found = apart if len(apart) else found
    if not len(found):
        return ""
    worst = float(found["value"].max())
    nets = listed([quoted(net) for net in found.unique("net")])
    verdict = "the same predictor up to rounding" if worst < 1e-3 else "different predictors"
    return f"At infinite width: augmenting and imposing are {verdict}; means differ by at most {worst:.1e} ({nets})."
