r"""Does the data have this symmetry? Labels that survive it, and orientations that cannot be told apart.

Both questions are put to a ridge regression with the NTK of a network of two hidden ReLU layers, in float64: a closed
form, so the answer depends on nothing but the data.

**Labels.** The classifier learns canonical images only. Scores are centred one-hot predictions. A moved image
$\rho(g) x$ of class a *passes for* b if b has the largest score, and that score is at least the `typical` quantile of
the scores that held-out genuine b get for b. Two classes a and b are **named as confused by g** if images of a moved by
g pass for b, and images of b moved by $g^{-1}$ pass for a: where the orbits of two classes meet, both ways must work,
while an image that looks like no class at all passes one way at most. Precisely, after subtracting those that pass
unmoved, the Clopper-Pearson lower bound of the share that passes, of both classes together, must exceed `share`, and
that of each alone `EACH_WAY`. The bounds hold at 95 % for all pairs and elements together (Bonferroni). The two
thresholds were chosen on digits, over five splits, such that 6 and 9 are named in all of them (pooled lower bound 0.48
to 0.56; the next pair, 3 and 5, at most 0.23): on other data they are a convention, not a calibrated test.

**Orientations.** If the law of the data is invariant, nothing tells $\rho(g) x$ from x. A classifier with |G| outputs
learns g from all images of the training examples, and judges each held-out example once, moved by a random element.
The share it gets right has a binomial law with chance 1/|G| for an invariant class; the p-value is its upper tail.
"""

import numpy as np

from ..data import one_hot_centred
from ..nets import Dense, Flatten, Relu, Serial
from .config import AuditRun
from .measure import binomial_interval
from .piece import Arrays, Piece
from .precision import matrices
from .problem import Problem, Symmetry, audit_images, file_name, moved

JUDGE = Serial(Flatten(), Dense(1), Relu(), Dense(1), Relu(), Dense(1))
RIDGE = 1e-3
EACH_WAY = 0.02


def audit_pieces(run: AuditRun, problem: Problem) -> list[Piece]:
    """One piece for each group."""

    def work(symmetry: Symmetry):
        return lambda get: audit(run, problem, symmetry)

    return [
        Piece(
            f"audit-{file_name(s.name)}",
            "audit",
            ("audit", run.train, run.held_out, run.typical, run.size, s.name),
            work(s),
            amount=s.order,
            model="data",
        )
        for s in problem.symmetries
    ]


def audit(run: AuditRun, problem: Problem, symmetry: Symmetry) -> Arrays:
    """Counts for both questions.

    Returns:
        passed: held-out images of class a that pass for b when moved by g, integers (|G|, classes, classes).
        held: held-out images of each class, (classes,).
        oriented: of each class, images whose orientation was told, (classes,).
        accuracy: of the classifier on held-out canonical images, shape ().
    """
    x, y, x_held, y_held = (np.asarray(a) for a in audit_images(problem, run))
    k, order = len(problem.dataset.classes), symmetry.order
    images = moved(symmetry.action, x_held)
    scores = regress(x, one_hot_centred(y, k), images.reshape(-1, *x.shape[1:])).reshape(order, -1, k)
    own = scores[symmetry.group.identity]
    genuine = own[np.arange(len(y_held)), y_held]
    floor = np.array([np.quantile(genuine[y_held == c], run.typical) for c in range(k)])
    best = scores.argmax(axis=-1)
    passes = np.take_along_axis(scores, best[..., None], axis=-1)[..., 0] >= floor[best]
    passed = np.zeros((order, k, k), np.int64)
    for g in range(order):
        np.add.at(passed[g], (y_held[passes[g]], best[g][passes[g]]), 1)

    orbits = moved(symmetry.action, x)
    labels = np.repeat(np.arange(order), len(x))
    element = np.random.default_rng(problem.config.seed + 3).integers(order, size=len(x_held))
    turned = images[element, np.arange(len(x_held))]
    told = regress(orbits.reshape(-1, *x.shape[1:]), one_hot_centred(labels, order), turned).argmax(axis=1) == element
    return {
        "passed": passed,
        "held": np.bincount(y_held, minlength=k),
        "oriented": np.bincount(y_held[told], minlength=k),
        "accuracy": np.array(np.mean(own.argmax(axis=1) == y_held)),
    }


def regress(x_train: np.ndarray, targets: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Kernel ridge regression with the NTK of `JUDGE`, float64."""
    import scipy.linalg

    first, second = x_train.astype(np.float64), x.astype(np.float64)
    gram, cross = matrices(JUDGE, first)[1], matrices(JUDGE, second, first)[1]
    ridge = RIDGE * np.mean(np.diagonal(gram))
    weights = scipy.linalg.solve(gram + ridge * np.eye(len(gram)), targets, assume_a="pos")
    return cross @ weights


def confused_pairs(run: AuditRun, symmetry: Symmetry, passed: np.ndarray, held: np.ndarray) -> list[tuple]:
    """The pairs (g, a, b, share, low, high) that the rule of this module names, a != b and g not the identity."""
    group, k = symmetry.group, len(held)
    level = 0.05 / max(1, (group.order - 1) * k * (k - 1) / 2)
    net = np.maximum(passed - passed[group.identity], 0)
    named = []
    for g in group.elements:
        for a, b in np.argwhere(~np.eye(k, dtype=bool)).tolist():
            there, back = int(net[g, a, b]), int(net[group.inverse[g], b, a])
            bounds = [binomial_interval(there, int(held[a]), level)[0], binomial_interval(back, int(held[b]), level)[0]]
            both = binomial_interval(there + back, int(held[a] + held[b]), level)[0]
            if g != group.identity and both > run.share and min(bounds) > EACH_WAY:
                named.append((g, a, b, there / held[a], *binomial_interval(there, int(held[a]))))
    return named
