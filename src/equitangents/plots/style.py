"""One look for all figures: a colour and a marker for each arm, legends outside the data, files without dates."""

import functools
import io
import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from .rows import Rows


class Look(NamedTuple):
    """How an arm is drawn and named."""

    colour: str
    marker: str
    label: str


ARMS = {  # colours of Okabe and Ito (2008), told apart with any colour vision; markers for prints without colour
    "plain": Look("#4d4d4d", "o", "plain"),
    "augmented": Look("#d55e00", "s", "augmented"),
    "averaged": Look("#009e73", "^", "orbit average"),
    "equivariant": Look("#0072b2", "D", "equivariant"),
}
INPUTS = {
    "canonical": "as in the data",
    "rotated": "random orientation",
    "off-manifold": "off-manifold inputs",
}
GREY, LIGHT = "#6b6b6b", "#e3e3e3"
STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "normal",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "#222222",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT,
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "#333333",
    "ytick.labelcolor": "#333333",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes the font of the page
    "svg.hashsalt": "equitangents",
    "text.parse_math": False,  # class names come from users and may hold a dollar sign
    "axes.formatter.use_mathtext": False,
}
WIDTH = 7.0  # inches at 100 pixels an inch: 700 px


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Runs a function that makes a figure under our style, and leaves the user's settings alone."""

    @functools.wraps(draw)
    def drawn(result: Any) -> Figure:
        with matplotlib.rc_context(STYLE):
            return draw(result)

    return drawn


def panels(rows: int, columns: int, height: float, title: str, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure 700 px wide with its title and `rows` x `columns` axes, shape (rows, columns)."""
    figure = Figure(figsize=(WIDTH, height), dpi=100, layout="constrained")
    figure.suptitle(title, x=0.004, ha="left", fontsize=11, fontweight="bold", color="#222222")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def curve(axes: Any, rows: Rows, x: str, arm: str, scale: float = 1.0, **options: Any) -> None:
    """Values against a column with their 95 % intervals as a band (bars where there is one point)."""
    rows = rows.by(x)
    if not len(rows):
        return
    look = ARMS[arm]
    style = {"color": look.colour, "marker": look.marker, "label": look.label} | options
    xs, ys, low, high = (rows[name].astype(float) for name in (x, "value", "low", "high"))
    axes.plot(xs, scale * ys, **style)
    known = np.isfinite(low) & np.isfinite(high)
    if known.sum() > 1:
        axes.fill_between(xs[known], scale * low[known], scale * high[known], color=style["color"], alpha=0.13, lw=0)
    elif known.any():
        axes.vlines(xs[known], scale * low[known], scale * high[known], color=style["color"], lw=1.2)


def legend(figure: Figure, axes: np.ndarray, columns: int = 5) -> None:
    """One legend for all panels, under them, each label once."""
    entries: dict[str, Any] = {}
    for panel in axes.flat:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        order = [look.label for look in ARMS.values()]
        labels = sorted(entries, key=lambda label: order.index(label) if label in order else len(order))
        figure.legend([entries[label] for label in labels], labels, loc="outside lower center", ncols=columns)


def error_axis(axes: np.ndarray, smallest: float) -> None:
    """A logarithmic axis in per cent for panels that share it, so that 3 % and 60 % can both be read."""
    smallest = max(smallest, 0.02)
    for panel in axes.flat:
        panel.set_yscale("log")
    low, high = (bound(float(panel.get_ylim()[i]) for panel in axes.flat) for i, bound in ((0, min), (1, max)))
    low, high = max(low, 0.6 * smallest), min(high, 100.0)
    for panel in axes.flat:
        panel.set_ylim(low, high)
        decades(panel)


def decades(panel: Any) -> None:
    """Plain numbers on a logarithmic y axis."""
    low, high = panel.get_ylim()
    span = math.log10(high / low)
    steps = (1,) if span > 2.5 else (1, 3) if span > 1.6 else (1, 2, 5) if span > 0.5 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [s * 10.0**e for e in exponents for s in steps if low <= s * 10.0**e <= high]
    panel.yaxis.set_major_locator(FixedLocator(values))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}" if value < 1e3 else f"{value:,.0f}"))
    panel.yaxis.set_minor_locator(FixedLocator([]))
    panel.set_ylim(low, high)


def ticks_at(axis: Any, values: Any) -> None:
    """Ticks at the values that were measured, as plain numbers, at most seven."""
    values = sorted({float(v) for v in values})
    while len(values) > 7:
        values = values[:1] + values[1:-1][1::2] + values[-1:]
    near = max(1.7, (values[-1] / values[0]) ** 0.12) if values[0] > 0 else 1.7
    if len(values) > 3 and values[-1] < near * values[-2]:  # on a logarithmic axis their labels would touch
        del values[-2]
    axis.set_major_locator(FixedLocator(values))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}" if value < 1e3 else f"{value:,.0f}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(FixedLocator([]))


def powers_of_ten(values: list[float]) -> list[float]:
    """Those between the least and the largest value; the values themselves if there are fewer than two.

    >>> powers_of_ten([6.0, 70.0, 1765.0])
    [10.0, 100.0, 1000.0]
    """
    if not values:
        return []
    inside = [10.0**e for e in range(math.ceil(math.log10(min(values))), math.floor(math.log10(max(values))) + 1)]
    return inside if len(inside) > 1 else values


def nothing(title: str, why: str) -> Figure:
    """A figure that says why it is empty; `why_empty` tells it from others."""
    figure, axes = panels(1, 1, 1.2, title)
    axes[0, 0].set_axis_off()
    axes[0, 0].text(0, 0.5, why, color=GREY, va="center")
    figure.set_label(why)
    return figure


def why_empty(figure: Figure) -> str:
    """Why there is nothing in the figure; "" if there is something."""
    return str(figure.get_label())


def to_svg(figure: Figure) -> str:
    """The figure as SVG text; the same figure gives the same text."""
    out = io.BytesIO()
    _print(figure, FigureCanvasSVG(figure), out, "svg")
    return out.getvalue().decode()


def to_png(figure: Figure, dpi: int = 200) -> bytes:
    """The figure as PNG, without date and program."""
    out = io.BytesIO()
    _print(figure, FigureCanvasAgg(figure), out, "png", dpi=dpi)
    return out.getvalue()


def to_inline(figure: Figure, name: str, description: str) -> str:
    """The SVG for a page that holds several: no prolog, ids of its own, scales with the page, described for readers.

    Args:
        figure: the figure.
        name: prefix of ids, letters and hyphens.
        description: what a screen reader says; escaped here.
    """
    text = to_svg(figure)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"(<style[^>]*>)\*", rf"\1#{name} *", text)  # else it is for all lines of the page
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    label = description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    head, rest = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} id="{name}" role="img" aria-label="{label}">{rest}'


def save(figure: Figure, stem: Path) -> None:
    """Writes `stem`.svg and `stem`.png."""
    stem.with_suffix(".svg").write_text(to_svg(figure), encoding="utf-8")
    stem.with_suffix(".png").write_bytes(to_png(figure))


def _print(figure: Figure, canvas: Any, out: io.BytesIO, kind: str, **options: Any) -> None:
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs of class names that our font lacks: the reader's has them
        figure.set_canvas(canvas)
        canvas.print_figure(out, format=kind, metadata=metadata, **options)
