"""The words and tables of the command `corrections`."""

import math
from typing import Any

from ..corrections.report import FiniteWidthReport
from .corrections_rows import ActivationRow, LayerRow

LAYER_HEADS = ("layer", "n", "K", "Θ", "G₁/n", "H₁/n", "√(V/n) / K", "√((A+2B)/n) / Θ", "quadrature")
ACTIVATION_HEADS = (
    "nonlinearity",
    "before layer",
    "class",
    "critical σ_w",
    "critical σ_b",
    "σ_w",
    "σ_b",
    "K",
    "χ_∥",
    "χ_⊥",
)


def verdict(report: FiniteWidthReport) -> str:
    """One sentence: what differs from the limit at this width."""
    if not report.known:
        return (
            f"What 1/width adds is not known: the quadrature is off by up to {report.quadrature:.1g}, relative. Scale "
            "the inputs down, or take a nonlinearity whose means are in closed form."
        )
    holds = (
        "holds"
        if report.holds
        else "is doubtful, as networks deviate by 30 % or more (sample it with corrections.sample_tensors)"
    )
    return (
        f"At width {report.width:,} the expansion in 1/width {holds}: averaged over networks the NNGP kernel of an "
        f"input is {percent(report.nngp_shift)} off its limit and the tangent kernel {percent(report.ntk_shift)}; "
        f"from network to network they deviate by {percent(math.sqrt(report.nngp_variance))} and "
        f"{percent(math.sqrt(report.ntk_variance))}."
    )


def needed(report: FiniteWidthReport) -> list[str]:
    """Which widths an accuracy asks for, and the expansion parameter."""
    return [
        f"Within {percent(report.accuracy)} of the limit: averages over networks from width "
        f"{report.width_for_means:,} on, each single network, within one standard deviation, from width "
        f"{report.width_for_one:,} on. All hidden layers are scaled alike.",
        f"Depth to width: the sum of 1/n over the hidden layers is {report.depth_to_width:.3g}; far below 1 if "
        "the expansion is to hold.",
    ]


def layer_cells(row: LayerRow) -> tuple[str, ...]:
    """In the order of `LAYER_HEADS`."""
    return (
        f"{row.layer}",
        f"{row.width:,}",
        *(number(value) for value in (row.kernel, row.ntk, row.kernel_shift, row.ntk_shift)),
        percent(row.kernel_deviation),
        percent(row.ntk_deviation),
        f"{row.error:.0e}" if row.error > 0 else "0",
    )


def activation_cells(row: ActivationRow) -> tuple[str, ...]:
    """In the order of `ACTIVATION_HEADS`."""
    critical = row.critical
    own = (row.sigma_w, row.sigma_b, row.variance, row.chi_parallel, row.chi_perp)
    return (
        row.phi,
        f"{row.layer}",
        critical.universality,
        *("–" if math.isnan(value) else number(value) for value in (critical.sigma_w, critical.sigma_b)),
        *map(number, own),
    )


def plain(result: Any) -> str:
    """The report as text."""
    return "\n".join(
        [
            repr(result.net),
            result.inputs,
            "",
            str(result.report),
            "",
            "of an input with itself; means over inputs, deviations and errors the largest over them",
            *columns(LAYER_HEADS, map(layer_cells, result.layers)),
            "",
            *columns(ACTIVATION_HEADS, map(activation_cells, result.activations)),
            "",
        ]
    )


def columns(heads: tuple[str, ...], rows: Any) -> list[str]:
    """Lines with cells under their heads, the first to the left."""
    lines = [heads, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return [
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]


def percent(share: float) -> str:
    """Two digits, three from 10 % on.

    >>> percent(0.01234), percent(0.2), percent(0.0)
    ('1.2 %', '20 %', '0 %')
    """
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:,.0f} %"


def number(value: float) -> str:
    """Four digits; 0 for rounding of what is none."""
    return "0" if abs(value) < 1e-12 else f"{value:.4g}".replace("-", "−")
