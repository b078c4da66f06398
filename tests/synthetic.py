"""A study's result made up of known numbers, with the columns and row kinds of a real one."""

import math

from equitangents.studies.config import Config, EnsembleRun, KernelRun
from equitangents.studies.result import COLUMNS, TIMINGS, Result, as_columns

EMPTY = {
    "arm": "", "model": "", "net": "", "group": "C4", "n_train": 320, "width": 0, "members": 0, "seed": -1,
    "time": math.inf, "inputs": "", "metric": "", "element": "", "true": "", "predicted": "", "against": "",
    "value": math.nan, "low": math.nan, "high": math.nan,
}  # fmt: skip
DIGITS = tuple(str(c) for c in range(10))
ARMS = ("plain", "augmented", "averaged", "equivariant")
ELEMENTS = ("e", "r", "r2", "r3")


class Maker:
    """Collects rows; `result()` gives the table."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def add(self, metric: str, value: float, half: float = math.nan, **columns) -> None:
        row = EMPTY | {"metric": metric, "value": value, "low": value - half, "high": value + half} | columns
        assert set(row) == set(COLUMNS)
        self.rows.append(row)

    def result(self, config: Config) -> Result:
        parts = [("kernel", "mlp", 3.0), ("kernel", "cnn", 21.0), ("ensemble", "cnn", 40.0)]
        timings = [
            {"piece": f"{net}-{arm}", "arm": arm, "model": model, "cpu_seconds": s, "wall_seconds": s / 2}
            for model, net, s in parts
            for arm in ARMS
        ]
        return Result(config, as_columns(self.rows, COLUMNS), as_columns(timings, TIMINGS))


def study(
    *,
    canonical: dict[str, float] | None = None,
    rotated: dict[str, float] | None = None,
    half: float = 0.01,
    confused: tuple[tuple[str, str, str], ...] = (("r2", "6", "9"), ("r2", "9", "6")),
    classes: tuple[str, ...] = DIGITS,
    lost: dict[str, float] | None = None,
    sizes: tuple[int, ...] = (80, 160, 320),
    gap: dict[int, float] | None = None,
    data: str = "digits",
) -> Result:
    """A study of two kernel families and one of ensembles.

    Args:
        canonical, rotated: error of each arm at the largest training set.
        half: half-width of the intervals of errors and of their differences.
        confused: triples (element, true, predicted) of the audit.
        classes: names.
        lost: recall that the equivariant arm loses on canonical images, by class.
        sizes: of training sets.
        gap: error of the augmented minus that of the equivariant ensemble on rotated images, by training-set size.
    """
    canonical = canonical or {"plain": 0.03, "augmented": 0.061, "averaged": 0.07, "equivariant": 0.06}
    rotated = rotated or {"plain": 0.55, "augmented": 0.061, "averaged": 0.2, "equivariant": 0.06}
    lost = {"6": 0.2, "9": 0.15} if lost is None else lost
    m = Maker()
    for model, net, offset in (("kernel", "mlp", 0.01), ("kernel", "cnn", 0.0), ("ensemble", "cnn", 0.005)):
        common = {"model": model, "net": net} | ({} if model == "kernel" else {"width": 32, "time": 20.0})
        for inputs, errors in (("canonical", canonical), ("rotated", rotated)):
            for n in sizes:
                grow = (max(sizes) / n) ** 0.5
                for members in (0,) if model == "kernel" else (1, 2, 5, 10, 20):
                    where = common | {"inputs": inputs, "n_train": n, "members": members}
                    shrink = 1 + (0.3 / members if members else 0)
                    for arm in ARMS:
                        value = min(errors[arm] * grow * shrink + offset, 0.9)
                        if gap and arm == "augmented" and inputs == "rotated" and model == "ensemble":
                            value = errors["equivariant"] * grow * shrink + offset + gap[n]
                        m.add("error", value, half * grow, arm=arm, **where)
                        m.add("balanced_accuracy", 1 - value, half * grow, arm=arm, **where)
                    for arm, against in (
                        ("augmented", "plain"), ("averaged", "plain"), ("equivariant", "plain"),
                        ("equivariant", "augmented"),
                    ):  # fmt: skip
                        difference = (errors[arm] - errors[against]) * grow * shrink
                        if gap and against == "augmented" and inputs == "rotated" and model == "ensemble":
                            difference = -gap[n]
                        m.add("error_difference", difference, half * grow, arm=arm, against=against, **where)
        _classes(m, common, canonical, lost, classes, max(sizes))
    _ensembles(m, max(sizes))
    _audit(m, confused, classes, max(sizes))
    for n in sizes:
        for net in ("mlp", "cnn"):
            m.add("kernel_agreement", 3e-13, arm="augmented", against="equivariant", model="kernel", net=net, n_train=n)
    return m.result(
        Config(
            data=data,
            kernels=(KernelRun(name="mlp", train_sizes=sizes), KernelRun(name="cnn", train_sizes=sizes)),
            ensembles=(EnsembleRun(name="cnn", train_sizes=sizes, widths=(32,), members=20),),
        )
    )


def _classes(m: Maker, common: dict, canonical: dict, lost: dict, classes: tuple[str, ...], n: int) -> None:
    where = common | {"n_train": n, "members": 0 if common["model"] == "kernel" else 20}
    for inputs in ("canonical", "rotated"):
        for arm in ARMS:
            for i, name in enumerate(classes):
                loss = lost.get(name, 0.0) if arm != "plain" and inputs == "canonical" else 0.0
                recall = (0.97 if inputs == "canonical" or arm != "plain" else 0.4) - loss
                m.add("class_recall", recall, 0.02, arm=arm, inputs=inputs, true=name, **where)
                if arm != "plain":
                    plain = 0.97 if inputs == "canonical" else 0.4
                    paired = {"arm": arm, "against": "plain", "inputs": inputs, "true": name} | where
                    m.add("class_recall_difference", recall - plain, 0.02, **paired)
                other = classes[(i + 1) % len(classes)]
                m.add("confusion", recall, arm=arm, inputs=inputs, true=name, predicted=name, **where)
                m.add("confusion", 1 - recall, arm=arm, inputs=inputs, true=name, predicted=other, **where)


def _ensembles(m: Maker, n: int) -> None:
    common = {"model": "ensemble", "net": "cnn", "width": 32, "n_train": n}
    start = {"plain": 1.8, "augmented": 2.9, "averaged": 4.0, "equivariant": 4.0}
    for members in (1, 2, 5, 10, 20):
        for inputs, spread in (("canonical", 0.2), ("rotated", 0.22), ("off-manifold", 0.5)):
            for time in (0.5, 2.0, 8.0, 20.0):
                where = common | {"inputs": inputs, "members": members, "time": time}
                for arm in ARMS:
                    exact = arm in ("averaged", "equivariant")
                    floor = 0.4 if arm == "plain" else 0.0
                    same = 4 if exact else start[arm] + (0 if arm == "plain" else 1.05 * (1 - members**-0.5))
                    deviation = 1e-8 if exact else math.hypot(floor, spread * (time / 20) ** 0.2 / members**0.5)
                    m.add("orbit_same_prediction", same, 0.05, arm=arm, **where)
                    m.add("orbit_deviation", deviation, 0.05 * deviation, arm=arm, **where)
                line = spread * (time / 20) ** 0.2 / members**0.5
                m.add("predicted_orbit_deviation", line, arm="augmented", **where | {"model": "kernel", "width": 0})
        for arm, cost in (("plain", 1), ("augmented", 4), ("averaged", 1), ("equivariant", 4.2)):
            for size in (80, 160, 320):
                where = common | {"n_train": size, "members": members, "arm": arm, "time": 20.0}
                m.add("flops_training", 1e9 * cost * members * size / 320, **where)
                m.add("flops_per_image", 2e5 * cost, **where)
                m.add("parameters", 5e3 * members, **where)


def _audit(m: Maker, confused: tuple, classes: tuple[str, ...], n: int) -> None:
    common = {"arm": "", "model": "data", "n_train": n, "time": math.inf}
    for element in ELEMENTS:
        for name in classes:
            survives = 0.97 if element == "e" else 0.45
            pairs = [p for e, t, p in confused if e == element and t == name]
            kept = 0.05 if pairs else survives
            m.add("audit_label", kept, 0.03, element=element, true=name, predicted=name, **common)
            for predicted in pairs:
                m.add("audit_label", 0.9, 0.03, element=element, true=name, predicted=predicted, **common)
    for element, true, predicted in confused:
        m.add("audit_confused", 1.0, element=element, true=true, predicted=predicted, **common)
    for name in classes:
        m.add("audit_law", 0.6 if name in "018" else 0.95, 0.05, true=name, **common)
        m.add("audit_law_p", 0.001, true=name, **common)
