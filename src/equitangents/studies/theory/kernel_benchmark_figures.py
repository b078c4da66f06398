"""Figures of the page, from finished pieces."""

from typing import Any

import numpy as np

from ... import plots
from ...groups import spatial_group
from ...plots.data_efficiency import ErrorCurve, ErrorPanel, ErrorSheet, FactorRow, FactorSheet, OrbitSheet
from ..piece import Get
from .kernel_benchmark_config import KernelBenchmark
from .kernel_benchmark_images import ARMS, CASES, sizes_of
from .kernel_benchmark_learning import interval
from .kernel_benchmark_qm9 import SOLIDS, TARGETS
from .kernel_benchmark_tables import NAMES, Line

SHOWN = "ntk"
LOOKS = {  # arm of a piece -> arm of the house style, label, control
    ARMS[0]: ("plain", "plain", False),
    ARMS[1]: ("plain", "plain, trained as in the data", True),
    ARMS[2]: ("plain", "plain", False),
    ARMS[3]: ("augmented", "augmented", False),
    ARMS[4]: ("equivariant", "equivariant", False),
}
OWN, RANDOM = (ARMS[0], ARMS[4]), (ARMS[1], ARMS[2], ARMS[3], ARMS[4])


def panel(
    config: KernelBenchmark,
    losses: dict,
    key: str,
    sizes: tuple[int, ...],
    arms: tuple[str, ...],
    title: str,
    scale: float = 1.0,
    solved: Any = None,
) -> ErrorPanel:
    """One panel; `solved`: at which sizes augmented training was."""
    curves = []
    for arm in arms:
        look, label, control = LOOKS[arm]
        rng = np.random.default_rng(config.seed)
        value, low, high = (scale * a for a in interval(losses[key + arm].astype(float), config.resamples, rng))
        if arm == ARMS[3] and solved is not None:
            value = np.where(solved, value, np.nan)
        curves.append(ErrorCurve(look, label, np.array(sizes, float), value, low, high, control))
    return ErrorPanel(title, curves)


def image_curves(config: KernelBenchmark, get: Get) -> Any:
    """A row for each data set and network, columns: own orientation, random orientation under C4 and under D4."""
    rows = []
    for case in CASES:
        losses, sizes = get(f"{case.name}-{SHOWN}-curves"), sizes_of(config, case)
        name = NAMES[case.name]
        row = [panel(config, losses, "C4/", sizes, OWN, f"{name}: as in the data, C4", 100)]
        for j, group in enumerate(("C4", "D4")):
            title = f"{name}: random in {group}"
            row.append(panel(config, losses, f"{group}/", sizes, RANDOM, title, 100, losses["explicit"][j]))
        rows.append(("test error, %", row))
    return plots.error_curves(ErrorSheet("Test error against the number of training images", rows))


def molecule_curves(config: KernelBenchmark, get: Get) -> Any:
    """A row for each target, columns: own and random orientation."""
    losses, rows = get("qm9-curves"), []
    for target, unit in TARGETS.items():
        key, sizes = f"{target}/{SHOWN}/", config.molecule_sizes
        row = [
            panel(config, losses, key, sizes, OWN, f"{target}: as in the data"),
            panel(config, losses, key, sizes, RANDOM, f"{target}: random in SO(3)"),
        ]
        rows.append((f"mean absolute error, {unit}", row))
    return plots.error_curves(ErrorSheet("QM9: error against the number of training molecules", rows, "molecules"))


def factors(lines: list[Line]) -> Any:
    """NTK, all data sets; grey: examples as they are in the data."""
    rows = [
        FactorRow(
            f"{one.what}, {one.group}, {'random' if one.orientation == 'random' else 'as in the data'}",
            one.factor,
            one.low,
            one.high,
            one.bound,
            "equivariant" if one.orientation == "random" else "plain",
            one.open_end,
        )
        for orientation in ("random", "own")
        for one in lines
        if one.kernel == SHOWN and one.orientation == orientation
    ]
    return plots.data_factors(FactorSheet("How many times more examples the plain kernel needs", rows))


def orbits(config: KernelBenchmark, get: Get) -> Any:
    """Energies; a draw of training molecules for each piece."""
    pieces = [get(f"qm9-orbits-{d:02d}") for d in range(config.orbit_draws)]
    found, r = np.array([one["found"] for one in pieces]), len(config.rotations)
    sheet = OrbitSheet(
        f"Several rotations of each of {config.orbit_size} molecules",
        np.array(config.rotations, float),
        found[:, :r, 0],
        found[:, :r, 1],
        [(name, spatial_group(name).order) for name in SOLIDS],
        found[:, r:, 0],
        found[:, r:, 1],
        np.array([one["equivariant"] for one in pieces]),
        TARGETS["energy"],
    )
    return plots.orbit_curves(sheet)
