"""From a result to one sentence of advice, with its scope and condition, and to the findings it rests on."""

from dataclasses import dataclass
from typing import Any

from ..plots.classes import best_family
from ..plots.learning import of_family
from ..plots.rows import Rows, of_group, study_group
from .compare import (
    SIDES,
    ClassCost,
    Difference,
    Winner,
    class_costs,
    confusions,
    difference,
    effect,
    listed,
    merged,
    quoted,
    settled_size,
    undecided_on,
    winners,
)
from .findings import agreement, catching_up, classes_lost, impose_or, members_needed, same_predictor, training_left


@dataclass(frozen=True)
class Advice:
    """What a study says.

    Attributes:
        sentence: the advice, with scope and condition.
        verdict: "impose" | "impose if rotated" | "do not impose" | "undecided".
        group: the symmetry.
        arm, model, net: what to use for randomly oriented inputs if the verdict says so, else for canonical ones.
        canonical, rotated: equivariant minus plain; None where it was not measured.
        winners: the arm that errs least for each model, net and orientation.
        costs: classes that the symmetry costs recall on canonical images, beyond the intervals.
        confused: (true, predicted, element) of the audit.
        findings: further sentences, one for each question.
    """

    sentence: str
    verdict: str
    group: str
    arm: str
    model: str
    net: str
    canonical: Difference | None
    rotated: Difference | None
    winners: tuple[Winner, ...]
    costs: tuple[ClassCost, ...]
    confused: tuple[tuple[str, str, str], ...]
    findings: tuple[str, ...]


def advise(result: Any) -> Advice:
    """The advice that a result supports; "undecided" where its intervals do not tell.

    The arms compared are fixed beforehand: the group-convolutional network against the plain one. The model and net are
    those whose better arm errs least, at their largest training set, summed over both kinds of input; the same test
    items choose them and give the intervals, and the page says so.
    """
    rows = Rows(result)
    group = study_group(rows)
    rows = of_group(rows, group)
    model, net = family = best_family(rows)
    here = of_family(rows, family)
    canonical, rotated = (difference(here, "equivariant", "plain", inputs) for inputs in SIDES)
    costs, confused = class_costs(here), confusions(result, group)
    verdict = decide(canonical, rotated)
    arm = choose(here, verdict)
    every = winners(rows)
    return Advice(
        sentence=sentence(result, verdict, group, here, canonical, rotated, costs, confused),
        verdict=verdict,
        group=group,
        arm=arm,
        model=model,
        net=net,
        canonical=canonical,
        rotated=rotated,
        winners=every,
        costs=costs,
        confused=confused,
        findings=tuple(
            filter(
                None,
                (
                    agreement(rows, family),
                    impose_or(here, "augmented", "Impose or augment", "augmenting"),
                    impose_or(here, "averaged", "Impose or average", "averaging the plain network over the orbit"),
                    catching_up(rows),
                    training_left(rows),
                    classes_lost(rows, group, confused),
                    members_needed(result),
                    same_predictor(rows),
                ),
            )
        ),
    )


def decide(canonical: Difference | None, rotated: Difference | None) -> str:
    """The verdict from the two differences, equivariant minus plain."""
    c = canonical.sign if canonical else 0
    r = rotated.sign if rotated else 0
    if c < 0 or (c == 0 and r < 0 and canonical is None):
        return "impose" if r <= 0 else "undecided"
    if r < 0:
        return "impose if rotated"
    return "do not impose" if c > 0 or r > 0 else "undecided"


def choose(here: Rows, verdict: str) -> str:
    """The arm to use: equivariant where the advice is to impose, else plain unless another is better as in the data."""
    if verdict in ("impose", "impose if rotated"):
        return "equivariant"
    gains = [difference(here, arm, "plain", "canonical") for arm in ("augmented", "averaged")]
    better = [d for d in gains if d is not None and d.sign < 0]
    return min(better, key=lambda d: d.value).arm if better else "plain"


def sentence(
    result: Any,
    verdict: str,
    group: str,
    here: Rows,
    canonical: Difference | None,
    rotated: Difference | None,
    costs: tuple[ClassCost, ...],
    confused: tuple[tuple[str, str, str], ...],
) -> str:
    """One sentence: scope, advice, condition, numbers."""
    model, net = here.families()[0]
    scope = f"On {data_name(result)} with {settled_size(here):,} training examples ({net} {model})"
    because = reason(costs, confused)
    if verdict == "impose":
        return f"{scope}, impose {group}: {said(canonical, 'canonical')}, and {said(rotated, 'rotated')}."
    if verdict == "impose if rotated":
        gain = effect(rotated, "rotated", "there it")
        loss = said(canonical, "canonical") + (because if canonical and canonical.sign > 0 else "")
        return f"{scope}, impose {group} only if inputs may arrive in any orientation: {gain}, while {loss}."
    if verdict == "do not impose":
        loss = said(canonical, "canonical") + (because if canonical and canonical.sign > 0 else "")
        return f"{scope}, do not impose {group}: {loss}, and {said(rotated, 'rotated')}."
    known = f"{said(canonical, 'canonical')}, and {said(rotated, 'rotated')}"
    return f"{scope}, it is undecided whether to impose {group}: {known}; use more test items to decide."


def said(d: Difference | None, side: str) -> str:
    """A clause on one orientation, whether or not a difference was resolved."""
    return effect(d, side, "it") if d is not None and d.sign else undecided_on(d, side)


def reason(costs: tuple[ClassCost, ...], confused: tuple[tuple[str, str, str], ...]) -> str:
    """Why canonical inputs lose: pairs of the audit whose classes lose recall, else the classes that lose most."""
    lost = {cost.name for cost in costs}
    pairs = [pair for pair in merged(confused) if lost & set(pair)]
    if pairs:
        named = ", and ".join(f"{quoted(a)} and {quoted(b)}" for a, b in pairs[:2])
        return f", as orientation can then no longer tell {named} apart"
    if costs:
        return f", most of it from {listed([quoted(cost.name) for cost in costs[:3]])}"
    return ""


def data_name(result: Any) -> str:
    """The data as a user names it: the last part of a path."""
    name = str(getattr(result.config, "data", "these data")).rstrip("/\\")
    return name.replace("\\", "/").rsplit("/", 1)[-1] or "these data"
