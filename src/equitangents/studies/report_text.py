"""The words of the page: what the audit found, how it was measured, what it does not show, where it comes from."""

import math
from typing import Any

from .. import __version__
from ..plots.rows import Rows
from .advice import Advice
from .compare import listed, merged, quoted

CITATIONS = (
    ("J. E. Gerken, P. Kessel: Emergent equivariance in deep ensembles (2024)", "arXiv:2403.03103"),
    ("P. Misof, P. Kessel, J. E. Gerken: Equivariant neural tangent kernels (2025)", "arXiv:2406.06504"),
    ("O. Nordenfors, A. Flinth: Ensembles provably learn equivariance through augmentation (2024)", "arXiv:2410.01452"),
    ("A. Jacot, F. Gabriel, C. Hongler: Neural tangent kernel (2018)", "arXiv:1806.07572"),
    ("J. Lee et al.: Wide neural networks of any depth evolve as linear models (2019)", "arXiv:1902.06720"),
)


RELIABLE = 0.8  # accuracy of the audit's classifier from which its silence says something

SOURCES = {
    "digits": "E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits, UCI (1998), doi:10.24432/C50P49; the "
    "test part, as scikit-learn ships it.",
    "fashion-mnist": "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST (2017), arXiv:1708.07747.",
}


def audit_sentences(result: Any, advice: Advice) -> list[str]:
    """What the audit found: labels that survive, named confusions, and the law of orientations."""
    rows = Rows(result)
    said = []
    group = advice.group
    pairs = merged(advice.confused)
    named = list(rows.where(metric="audit_confused", group=group))
    if pairs:
        each = []
        for a, b in pairs:
            ways = [row for row in named if {row["true"], row["predicted"]} == {a, b}]
            elements = sorted({row["element"] for row in ways})
            shares = listed([f"{100 * row['value']:.0f} % of {quoted(row['true'])}" for row in ways])
            each.append(f"{quoted(a)} and {quoted(b)} (under {listed(elements)}, {shares})")
        said.append(
            f"Not for all labels: moved by {group}, {listed(each)} pass for one another. A classifier that {group} "
            f"leaves invariant cannot use orientation to tell the classes of such a pair, only what else is different."
        )
    elif len(rows.where(metric="audit_label")):
        said.append(f"No class was found that {group} turns into another one.")
    accuracy = rows.where(metric="audit_accuracy", group=group).one("value")
    if accuracy is not None:
        weak = "; one that errs so often finds only strong confusions" if accuracy < RELIABLE else ""
        said.append(f"The classifier that judges this is right for {100 * accuracy:.0f} % of inputs as they are{weak}.")
    law = rows.where(metric="audit_law_p", group=group)
    law = law.keep(law["true"] != "")
    if len(law):
        by_class: dict[str, float] = {}
        for row in law:
            by_class[row["true"]] = min(row["value"], by_class.get(row["true"], math.inf))
        told = [name for name, p in by_class.items() if p < 0.05 / len(by_class)]
        if len(told) == len(by_class):
            said.append(
                "The orientation of every class can be told from its inputs: the data come in a preferred orientation, "
                f"and their law is not invariant under {group}."
            )
        elif told:
            rest = [name for name in by_class if name not in told]
            said.append(
                f"The orientation can be told for {listed([quoted(n) for n in told])}; for "
                f"{listed([quoted(n) for n in rest])} it could not (two-sample test, 5 % over all classes)."
            )
        else:
            said.append(
                f"Transformed and original inputs could not be told apart in any class: no sign against a law that is "
                f"invariant under {group}."
            )
    return said


def how_measured(result: Any) -> list[str]:
    """The protocol, from the configuration."""
    c, noise = result.config, result.config.off_manifold == "noise"
    out = [
        "Four arms, on the same training and test items: the plain network; the plain network trained on all "
        "transformed copies (augmented); the plain network averaged over the orbit at test time (orbit average); and "
        "the group-convolutional network, which has the symmetry built in (equivariant).",
        "“As in the data” means the held-out inputs as they are, “random orientation” the same inputs, each moved by a "
        "random group element, “off-manifold” "
        + ("Gaussian noise of their mean and variance." if noise else f"inputs of {c.off_manifold}."),
    ]
    for run in c.kernels:
        at = f" on inputs of side {run.size}" if run.size else ""
        out.append(
            f"Kernel {run.name}: {run.net}{at}, infinitely wide, gradient flow on the squared loss to the end, ridge "
            f"{run.ridge:g} of the kernel's mean diagonal, {listed([f'{n:,}' for n in run.train_sizes])} training and "
            f"{run.test:,} test items."
        )
    if any({"augmented", "equivariant"} <= set(run.arms) for run in c.kernels):
        most = listed([f"{n:,}" for n in sorted({run.explicit for run in c.kernels})])
        out.append(
            f"Augmented kernel predictors are solved on all transformed copies where these are at most {most}; for "
            "more no row is shown, as in the mean they are the equivariant predictors."
        )
    for run in c.ensembles:
        at = f" on inputs of side {run.size}" if run.size else ""
        out.append(
            f"Ensemble {run.name}: {run.net}{at}, W = {listed([str(w) for w in run.widths])}, {run.members} members, "
            f"{len(run.seeds)} seed{'s' if len(run.seeds) > 1 else ''}, {run.steps:,} steps of gradient descent at "
            f"{run.rate:g} of the largest stable rate, {listed([f'{n:,}' for n in run.train_sizes])} training and "
            f"{run.test:,} test items. The prediction is the mean of the members' outputs."
        )
    out.append(
        f"Intervals hold 95 %: differences between arms are bootstrapped over the same test items ({c.resamples} "
        "resamples). They cover the choice of test items, not that of the training set or of the initial weights."
    )
    if any(len(run.seeds) > 1 or len(run.widths) > 1 for run in c.ensembles):
        out.append(
            "Tables and figures of ensembles show the first seed, and the largest width unless they name another; all "
            "seeds and widths are in results.parquet."
        )
    return out


def limits(result: Any, advice: Advice) -> list[str]:
    """What the study does not show."""
    c = result.config
    most = max(run.train_sizes[-1] for run in (*c.kernels, *c.ensembles))
    seeds = max((len(run.seeds) for run in c.ensembles), default=0)
    out = [
        f"One data set, one split, and these networks: other data, more training examples than {most:,}, or larger "
        "networks may rank the arms differently.",
        "Squared loss and gradient descent without momentum or weight decay, as the theory has it; no learning rate "
        "was tuned for any arm, and no other augmentation was used.",
        "Kernel and ensembles are equal in the limit of infinite width; at the widths here they need not be.",
        "The network that the advice quotes is the one whose better arm errs least, inputs as in the data and randomly "
        "oriented ones together, on the same test items that give its intervals, which do not cover this choice. "
        "Networks are compared at their own largest training sets, and on their own test items.",
    ]
    if seeds == 1:
        out.append("One seed of initial weights: intervals do not cover the choice of ensemble.")
    if advice.verdict == "undecided":
        out.append("Undecided means that these test items do not tell; it does not mean that the arms are equal.")
    if c.preset == "quick":
        out.append("The quick preset is made to end in minutes: take its verdict as a first look.")
    return out


def reproduce(config: Any) -> str:
    """What runs the same study, given the configuration beside the page."""
    place = "" if config.data in SOURCES else f" Start it where {config.data} is; the data are not part of this folder."
    return f"With config.toml from the folder of this page and equitangents {__version__}.{place}"
