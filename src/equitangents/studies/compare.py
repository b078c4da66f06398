"""Differences between arms with their intervals, the arm that wins where, classes that lose: read from a result."""

import math
from dataclasses import dataclass
from typing import Any

from ..plots.classes import settled
from ..plots.learning import headline, of_family
from ..plots.rows import Rows, of_group

SIDES = {"canonical": "inputs oriented as in the data", "rotated": "randomly oriented inputs"}


@dataclass(frozen=True)
class Difference:
    """Error of `arm` minus that of `against` with its 95 % interval, as fractions."""

    arm: str
    against: str
    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """-1: fewer errors, +1: more errors, 0: the interval holds zero or is not known."""
        return -1 if self.high < 0 else 1 if self.low > 0 else 0

    def __str__(self) -> str:
        return f"{points(abs(self.value))} percentage points {interval(self)}"


@dataclass(frozen=True)
class Winner:
    """The arm that errs least, and those that cannot be told from it.

    Attributes:
        model, net, inputs: where.
        arm: the one with the least error.
        error, low, high: its error with the 95 % interval.
        ties: other arms whose difference from it has an interval that holds zero.
    """

    model: str
    net: str
    inputs: str
    arm: str
    error: float
    low: float
    high: float
    ties: tuple[str, ...]


@dataclass(frozen=True)
class ClassCost:
    """Recall that imposing the symmetry changes for one class of canonical images: equivariant minus plain."""

    name: str
    value: float
    low: float
    high: float


def difference(here: Rows, arm: str, against: str, inputs: str) -> Difference | None:
    """Error of `arm` minus that of `against` at the headline setting: paired where stored, else from two intervals."""
    both = headline_difference(here, arm, against, inputs)
    stored = both.largest("n_train")
    if len(stored):
        return row_difference(next(iter(stored)), arm, against)
    a, b = (headline(here.where(metric="error", arm=name, inputs=inputs)).largest("n_train") for name in (arm, against))
    if not len(a) or not len(b):
        return None
    (a_row,), (b_row,) = a, b
    value = a_row["value"] - b_row["value"]
    half = math.hypot(a_row["high"] - a_row["low"], b_row["high"] - b_row["low"]) / 2
    return Difference(arm, against, value, value - half, value + half)


def headline_difference(here: Rows, arm: str, against: str, inputs: str) -> Rows:
    """Stored rows of one difference at each training-set size; stored the other way round they are turned."""
    rows = here.where(metric="error_difference", inputs=inputs)
    straight = headline(rows.where(arm=arm, against=against))
    if len(straight):
        return straight
    turned = headline(rows.where(arm=against, against=arm))
    flipped = {"arm": turned["against"], "against": turned["arm"], "value": -turned["value"]}
    return Rows(turned.columns | flipped | {"low": -turned["high"], "high": -turned["low"]})


def row_difference(row: dict, arm: str, against: str) -> Difference:
    """A stored row of differences."""
    return Difference(arm, against, row["value"], row["low"], row["high"])


def settled_size(here: Rows) -> int:
    """The largest training set with a measured error; 0 if there is none."""
    return int(here.where(metric="error").largest("n_train").one("n_train", 0))


def winners(rows: Rows) -> tuple[Winner, ...]:
    """The arm that errs least for each model, net and orientation, with those it cannot be told from.

    Of arms with equal errors it is the equivariant one, which needs no ensemble.
    """
    out = []
    for family in rows.families():
        here = of_family(rows, family)
        for inputs in SIDES:
            errors = here.where(metric="error", inputs=inputs).largest("n_train")
            best = {arm: settled(errors.where(arm=arm)) for arm in errors.unique("arm")}
            if not best:
                continue
            arm = min(best, key=lambda name: (best[name].one("value"), name != "equivariant", name))
            row = next(iter(best[arm]))
            found = {other: difference(here, other, arm, inputs) for other in best if other != arm}
            ties = tuple(sorted(other for other, d in found.items() if d is not None and d.sign == 0))
            out.append(Winner(*family, inputs, arm, row["value"], row["low"], row["high"], ties))
    return tuple(out)


def class_costs(here: Rows) -> tuple[ClassCost, ...]:
    """Classes that lose recall on canonical images beyond the paired intervals, the largest loss first."""
    rows = here.where(metric="class_recall_difference", inputs="canonical", arm="equivariant", against="plain")
    lost = [ClassCost(r["true"], r["value"], r["low"], r["high"]) for r in settled(rows) if r["high"] < 0]
    return tuple(sorted(lost, key=lambda cost: cost.value))


def confusions(result: Any, group: str) -> tuple[tuple[str, str, str], ...]:
    """Pairs that the audit named: (true, predicted, group element)."""
    rows = of_group(Rows(result), group).where(metric="audit_confused")
    rows = rows.keep(rows["value"] > 0)
    return tuple((row["true"], row["predicted"], row["element"]) for row in rows)


def merged(confused: tuple[tuple[str, str, str], ...]) -> list[tuple[str, str]]:
    """Unordered pairs of classes, each once, in order of appearance."""
    return list(dict.fromkeys(tuple(sorted((true, predicted))) for true, predicted, _ in confused))  # type: ignore[misc]


def effect(d: Difference | None, side: str, subject: str) -> str:
    """A resolved difference as a clause: what it saves or costs."""
    if d is None:
        return undecided_on(d, side)
    verb = "saves" if d.value < 0 else "costs"
    return f"{subject} {verb} {d} of error on {SIDES[side]}".strip()


def undecided_on(d: Difference | None, side: str) -> str:
    """An unresolved difference as a clause."""
    if d is None:
        return f"nothing was measured on {SIDES[side]}"
    return f"on {SIDES[side]} no difference was resolved ({signed(d.value)} points {interval(d)})"


def label(family: tuple[str, str]) -> str:
    """A model and net in words."""
    return f"the {family[1]} kernel" if family[0] == "kernel" else f"{family[1]} ensembles"


def points(value: float) -> str:
    """A fraction in percentage points, two figures."""
    value = 100 * value
    return f"{value:.1f}" if abs(value) >= 0.095 or value == 0 else f"{value:.2g}"


def signed(value: float) -> str:
    """Percentage points with their sign."""
    return ("+" if value >= 0 else "−") + points(abs(value))


def interval(d: Difference | ClassCost) -> str:
    """The 95 % interval in percentage points; of a saving or a cost without its sign where it has one."""
    if not (math.isfinite(d.low) and math.isfinite(d.high)):
        return "[no interval]"
    if isinstance(d, Difference) and d.sign:
        low, high = sorted((abs(d.low), abs(d.high)))
        return f"[{points(low)}, {points(high)}]"
    return f"[{signed(d.low)}, {signed(d.high)}]"


def quoted(name: str) -> str:
    """A class name in quotes, where it needs them."""
    return name if name.replace("-", "").replace("_", "").isalnum() and len(name) <= 20 else repr(name)


def listed(parts: list[str]) -> str:
    """Parts joined by commas and "and"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
