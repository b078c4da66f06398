"""The rows of the table of results, from the pieces of a study."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .audit import confused_pairs
from .config import EnsembleRun, KernelRun
from .ensemble_arms import Training, outputs_of, recorded_times, trainings
from .measure import Number, Outputs, Resampling, binomial_interval, confusion, correct
from .piece import Arrays, Get
from .problem import Items, Problem, Symmetry

Row = dict[str, Any]
INPUTS = ("canonical", "rotated")


def orientations(problem: Problem, symmetry: Symmetry, m: int) -> np.ndarray:
    """A random element for each test item."""
    return np.random.default_rng(problem.config.seed + 5).integers(symmetry.order, size=m)


def audit_rows(problem: Problem, symmetry: Symmetry, piece: Arrays) -> Iterator[Row]:
    """What the audit of one group found; see `studies.audit`."""
    from scipy.stats import binomtest

    group, classes = symmetry.group, problem.dataset.classes
    base = {"model": "data", "group": symmetry.name, "n_train": problem.config.audit.train, "seed": -1}
    passed, held, oriented = piece["passed"], piece["held"], piece["oriented"]
    for g, a, b in np.argwhere(passed):
        value = passed[g, a, b] / held[a]
        yield make_row(
            base | {"element": group.labels[g], "true": classes[a], "predicted": classes[b]},
            "audit_label",
            (value, *binomial_interval(int(passed[g, a, b]), int(held[a]))),
        )
    for g, a, b, value, low, high in confused_pairs(problem.config.audit, symmetry, passed, held):
        named = base | {"element": group.labels[g], "true": classes[a], "predicted": classes[b]}
        yield make_row(named, "audit_confused", (float(value), low, high))
    for c, name in [*enumerate(classes), (None, "")]:
        right, all_ = (int(a.sum() if c is None else a[c]) for a in (oriented, held))
        low, high = binomial_interval(right, all_)
        yield make_row(base | {"true": name}, "audit_law", (right / all_, low, high))
        p = binomtest(right, all_, 1 / symmetry.order, alternative="greater").pvalue
        yield make_row(base | {"true": name}, "audit_law_p", (float(p), math.nan, math.nan))
    yield make_row(base, "audit_law_chance", (1 / symmetry.order, math.nan, math.nan))
    yield make_row(base, "audit_accuracy", (float(piece["accuracy"]), math.nan, math.nan))


def arm_rows(
    base: Row,
    symmetry: Symmetry,
    items: Items,
    resampling: Resampling,
    orbits: dict[str, np.ndarray],
    element: np.ndarray,
    *,
    detailed: bool,
) -> Iterator[Row]:
    """What is measured of all arms at one moment, from outputs on orbits (draws, |G|, test and off inputs, classes).

    Confusions, recalls and differences between arms are `detailed`.
    """
    identity, m = symmetry.group.identity, len(items.y_test)
    hits: dict[tuple[str, str], np.ndarray] = {}
    for arm, orbit in orbits.items():
        row = base | {"arm": arm}
        test, off = (Outputs(part, identity, element) for part in (orbit[:, :, :m], orbit[:, :, m:]))
        for inputs in INPUTS:
            at = row | {"inputs": inputs}
            outputs = test.at(inputs)
            right = hits[arm, inputs] = correct(outputs, items.y_test)
            yield make_row(at, "error", resampling.mean(1 - right))
            yield make_row(at, "balanced_accuracy", resampling.balanced(right))
            yield make_row(at, "orbit_same_prediction", resampling.mean(test.same_prediction(inputs)))
            if detailed:
                yield from _class_rows(at, items, resampling, outputs, right)
        yield make_row(row | {"inputs": "canonical"}, "orbit_deviation", resampling.root_mean(test.squared_deviation()))
        outside = row | {"inputs": "off-manifold"}
        same, squares = off.same_prediction("canonical"), off.squared_deviation()
        yield make_row(outside, "orbit_same_prediction", _normal(same))
        value, low, high = _normal(squares)  # of the squares
        yield make_row(outside, "orbit_deviation", (math.sqrt(value), math.sqrt(max(low, 0)), math.sqrt(high)))
    for (arm, inputs), right in hits.items():
        for other in ("plain", "augmented", "equivariant"):
            if other == arm or (other, inputs) not in hits:
                continue
            against = base | {"arm": arm, "against": other, "inputs": inputs}
            yield make_row(against, "error_difference", resampling.mean(hits[other, inputs] - right))
            if detailed and other == "plain":
                recalls = resampling.by_class(right - hits[other, inputs])
                for name, number in zip(items.classes, recalls, strict=True):
                    yield make_row(against | {"true": name}, "class_recall_difference", number)


def _class_rows(at: Row, items: Items, resampling: Resampling, outputs: np.ndarray, right: np.ndarray) -> Iterator[Row]:
    for name, number in zip(items.classes, resampling.by_class(right), strict=True):
        yield make_row(at | {"true": name}, "class_recall", number)
    shares = confusion(outputs, items.y_test, len(items.classes))
    for a, b in np.argwhere(shares > 0):
        pair = {"true": items.classes[a], "predicted": items.classes[b]}
        yield make_row(at | pair, "confusion", (float(shares[a, b]), math.nan, math.nan))


def kernel_rows(problem: Problem, run: KernelRun, symmetry: Symmetry, n: int, piece: Arrays) -> Iterator[Row]:
    """The predictors at infinite width, for one group and training size."""
    items = problem.items(run)
    resampling = resampling_of(problem, items)
    element = orientations(problem, symmetry, len(items.y_test))
    base = {"model": "kernel", "net": run.name, "group": symmetry.name, "n_train": n, "seed": -1}
    for i, time in enumerate(piece["time"]):
        orbits: dict[str, np.ndarray] = {
            arm: piece[arm][i][None] for arm in ("plain", "augmented", "equivariant") if arm in piece
        }
        if "averaged" in run.arms:
            orbits["averaged"] = averaged(orbits["plain"])
        yield from arm_rows(
            base | {"time": float(time)}, symmetry, items, resampling, orbits, element, detailed=bool(np.isinf(time))
        )
        if "agreement" in piece:
            row = base | {"time": float(time), "arm": "augmented", "against": "equivariant"}
            yield make_row(row, "kernel_agreement", (float(piece["agreement"][i]), math.nan, math.nan))


def check_row(run: KernelRun, symmetry: Symmetry, piece: Arrays) -> Row:
    """How far augmented and equivariant predictors differ in float64, each from its own kernels; `element` says so."""
    base: Row = {
        "arm": "augmented",
        "against": "equivariant",
        "model": "kernel",
        "net": run.name,
        "group": symmetry.name,
    }
    base |= {"n_train": int(piece["n"]), "seed": -1, "time": math.inf, "element": "float64"}
    return make_row(base, "kernel_agreement", (float(piece["agreement"]), math.nan, math.nan))


def sizes_up_to(members: int) -> list[int]:
    """Ensemble sizes 1, 2, 4, ..., and the whole ensemble."""
    return sorted({*(2**k for k in range(members.bit_length()) if 2**k <= members), members})


def ensemble_rows(
    problem: Problem, run: EnsembleRun, symmetry: Symmetry, n: int, width: int, seed: int, scale: float, get: Get
) -> Iterator[Row]:
    """The ensembles of all arms, for one group, training size, width and seed, at all moments and ensemble sizes."""
    items = problem.items(run)
    resampling = resampling_of(problem, items)
    element = orientations(problem, symmetry, len(items.y_test))
    base = {"model": "ensemble", "net": run.name, "group": symmetry.name, "n_train": n, "width": width, "seed": seed}
    outputs = {}
    for arm in ("plain", "augmented", "equivariant"):
        if arm in run.arms:
            owner = problem.largest if arm == "plain" else symmetry
            outputs[arm] = outputs_of(Training(run, arm, owner, n, width, seed), get)
    if "plain" in outputs:
        outputs["plain"] = outputs["plain"][:, :, list(symmetry.inside)]
    for arm, kept in outputs.items():
        if len(kept) < run.members:
            yield make_row(base | {"arm": arm}, "diverged", (run.members - len(kept), math.nan, math.nan))
    most = min(map(len, outputs.values()))
    for i, time in enumerate(recorded_times(run)):
        last = i == len(recorded_times(run)) - 1
        for members in sizes_up_to(most) if last else sorted({1, most}):
            orbits: dict[str, np.ndarray] = {arm: means(kept[:most, i], members) for arm, kept in outputs.items()}
            if "averaged" in run.arms:
                orbits["averaged"] = averaged(orbits["plain"])
            at = base | {"time": time / scale, "members": members}
            yield from arm_rows(at, symmetry, items, resampling, orbits, element, detailed=last and members == most)


def means(outputs: np.ndarray, members: int) -> np.ndarray:
    """The means of disjoint ensembles of so many members, from outputs (members, ...)."""
    count = len(outputs) // members
    return outputs[: count * members].reshape(count, members, *outputs.shape[1:]).mean(axis=1, dtype=np.float64)


def predicted_rows(
    problem: Problem, run: EnsembleRun, symmetry: Symmetry, n: int, scale: float, piece: Arrays
) -> Iterator[Row]:
    """The orbit deviation that the kernels foretell for ensembles of each size, at the moments of the ensembles."""
    items, k = problem.items(run), len(problem.dataset.classes)
    base = {"model": "kernel", "net": run.name, "group": symmetry.name, "n_train": n, "seed": -1}
    m = len(items.y_test)
    for arm in ("plain", "augmented"):
        if f"{arm} violation" not in piece or arm not in run.arms:
            continue
        for tau in recorded_times(run):
            i = int(np.flatnonzero(piece["time"] == tau / scale)[0])
            orbit, variance = piece[arm][i].astype(np.float64), piece[f"{arm} violation"][i].astype(np.float64)
            squares = ((orbit - orbit.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0)
            inside = len(variance) - len(items.x_off)
            for inputs, chosen in (("canonical", slice(0, m)), ("off-manifold", slice(inside, None))):
                for members in sizes_up_to(run.members):
                    value = math.sqrt(float(np.mean(squares[chosen] + k * variance[chosen] / members)))
                    row = base | {"arm": arm, "time": tau / scale, "members": members, "inputs": inputs}
                    yield make_row(row, "predicted_orbit_deviation", (value, math.nan, math.nan))


def cost_rows(problem: Problem, run: EnsembleRun, piece: Arrays) -> Iterator[Row]:
    """Operations and parameters of ensembles; those of the averaged arm follow from the plain one."""
    kinds = [t for t in trainings(run, problem) if t.n == run.train_sizes[0] and t.seed == run.seeds[0]]
    for training, forward, parameters in zip(kinds, piece["flops"], piece["parameters"], strict=True):
        plain = training.arm == "plain"
        for symmetry in problem.symmetries if plain else (training.symmetry,):
            for n in run.train_sizes:
                images = run.batch or n * (symmetry.order if training.arm == "augmented" else 1)
                for members in sizes_up_to(run.members):
                    base = {"model": "ensemble", "net": run.name, "group": symmetry.name, "n_train": n, "seed": -1}
                    base |= {"width": training.width, "members": members}
                    trained = 3 * forward * images * run.steps * members
                    for arm in ("plain", "averaged") if plain and "averaged" in run.arms else (training.arm,):
                        once = forward * members * (symmetry.order if arm == "averaged" else 1)
                        numbers = {
                            "flops_per_image": once,
                            "flops_training": trained,
                            "parameters": parameters * members,
                        }
                        for metric, value in numbers.items():
                            yield make_row(base | {"arm": arm}, metric, (float(value), math.nan, math.nan))


def averaged(orbit: np.ndarray) -> np.ndarray:
    """The test-time orbit average of outputs (draws, |G|, items, classes): equal on the whole orbit."""
    return np.broadcast_to(orbit.mean(axis=1, keepdims=True), orbit.shape)


def resampling_of(problem: Problem, items: Items) -> Resampling:
    return Resampling.make(items.y_test, len(items.classes), problem.config.resamples, problem.config.seed)


def make_row(base: Row, metric: str, number: Number) -> Row:
    value, low, high = number
    return base | {"metric": metric, "value": float(value), "low": float(low), "high": float(high)}


def _normal(values: np.ndarray) -> Number:
    """A mean over inputs with its normal interval."""
    value, error = (
        float(values.mean()),
        float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan,
    )
    return value, value - 1.96 * error, value + 1.96 * error
