"""The page of `wilson-loops`."""

import numpy as np

from .... import plots
from ...piece import Get
from ..study import Drawing, Page, Section, Table
from .config import LOOPS, LoopsConfig
from .networks import LEARNED
from .work import GROWN, KINDS, SLOW, network_name

NAMES = {"equivariant": "gauge equivariant (L-CB)", "plain": "convolutional, on link entries"}


def relative(arrays: list[dict[str, np.ndarray]], what: str, side: int) -> tuple[float, float, float]:
    """Mean squared error over the variance of the loop, and its least and largest value over networks."""
    values = [float(a[f"{what}-{side}"].mean() / a[f"variance-{side}"].mean()) for a in arrays]
    return float(np.mean(values)), min(values), max(values)


def page(config: LoopsConfig, get: Get) -> Page:
    """All numbers from the finished pieces."""
    loops = LOOPS[: config.loops]
    found = {
        (loop, kind): [get(network_name(loop, kind, seed)) for seed in range(config.seeds)]
        for loop in loops
        for kind in KINDS
    }
    head = ("loop", "network", "weights", *(f"{s} x {s}" for s in config.sides), "another gauge")
    rows = []
    for (loop, kind), arrays in found.items():
        cells = [shown(relative(arrays, "error", side)) for side in config.sides]
        gauge = shown(relative(arrays, "turned", config.sides[0]))
        rows.append((f"{loop[0]} x {loop[1]}", NAMES[kind], str(int(arrays[0]["weights"])), *cells, gauge))
    best = {kind: [relative(found[loop, kind], "error", config.sides[0])[0] for loop in loops] for kind in KINDS}
    larger = max(relative(found[loop, "equivariant"], "error", config.sides[-1])[0] for loop in loops)
    answer = (
        f"Loops of {', '.join(f'{a} x {b}' for a, b in loops)}: mean squared errors of the gauge equivariant networks "
        f"are {', '.join(f'{v:.1e}' for v in best['equivariant'])} of the variance of the loop, those of a "
        f"convolutional network on the same links {', '.join(f'{v:.2g}' for v in best['plain'])}. On "
        f"{config.sides[-1]} x {config.sides[-1]} sites, without further training, the equivariant ones "
        f"are off by at most {larger:.1e}."
    )
    drawing = Drawing(
        "found-against-true",
        plots.loops_found_against_true(
            [
                (f"{a} x {b}", kind, found[(a, b), kind][0]["true"], found[(a, b), kind][0]["found"])
                for a, b in loops
                for kind in KINDS
            ]
        ),
        "Half of the real trace of a Wilson loop at single sites of test configurations: network against truth, "
        "gauge equivariant above, convolutional below.",
    )
    on_the_way = "; ".join(
        f"{a} x {b} by way of {', '.join(f'{c} x {d}' for c, d in LEARNED[a, b][:-1])}"
        for a, b in loops
        if (a, b) in LEARNED
    )
    grown = (
        f" Some are learned after smaller ones, with as many steps for each and the layers of the one before to begin "
        f"with: {on_the_way}. There equivariant networks have a rate of {GROWN * config.rate:g}, old layers of "
        f"{GROWN * SLOW * config.rate:g}."
        if on_the_way
        else ""
    )
    text = (
        f"SU(2) links on {config.side} x {config.side} sites from the heat bath at beta = "
        f"{', '.join(f'{b:g}' for b in config.betas)}, each from its own chain of {config.sweeps} sweeps from a hot "
        f"start; {config.train} to train on, {config.test} to test. Both kinds predict half of the real trace of the "
        f"loop that starts at each site, by {config.steps} steps of Adam on the mean squared error, at rates of "
        f"{config.rate:g} (equivariant) and {config.plain_rate:g} (convolutional).{grown}",
        "Errors are mean squares over sites, in units of the variance of the loop over sites: 1 is what a constant "
        "gets. In the last column the links of the test are in another, random gauge, where no true answer has changed."
        + (" Brackets: the least and the largest of the networks." if config.seeds > 1 else ""),
    )
    table = Table("Relative mean squared error", head, tuple(rows))
    return Page(answer, (Section("Loops of growing size", text, (drawing,), (table,)),))


def shown(value: tuple[float, float, float]) -> str:
    """A mean, and its range where there is one."""
    mean, low, high = value
    return f"{mean:.2g}" if low == high else f"{mean:.2g} [{low:.2g}, {high:.2g}]"
