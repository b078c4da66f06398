r"""A picture as TikZ, to be put into a LaTeX document with \usepackage{tikz}."""

import re

from .picture import RADIUS, Label, Picture, Point, Stroke
from .svg import COLOURS

SIGNS = {
    "σ": r"\sigma", "ω": r"\omega", "Θ": r"\Theta", "ρ": r"\rho", "κ": r"\kappa", "μ": r"\mu", "ν": r"\nu",
    "τ": r"\tau", "χ": r"\chi", "ξ": r"\xi", "η": r"\eta", "ζ": r"\zeta", "φ": r"\varphi", "ψ": r"\psi", "π": r"\pi",
    "ε": r"\varepsilon", "γ": r"\gamma", "δ": r"\delta", "ι": r"\iota",
    "⟨": r"\langle", "⟩": r"\rangle", "·": r"\cdot", "⁽": "^{(", "⁾": ")}", "¹": "^1", "⁴": "4", "⁵": "5", "⁶": "^6",
}  # fmt: skip


def tikz(picture: Picture) -> str:
    """The picture as a tikzpicture environment, with its colours defined in front."""
    used = sorted({stroke.colour for stroke in picture.strokes if stroke.colour >= 0})
    lines = [rf"\definecolor{{ntk{i}}}{{HTML}}{{{COLOURS[i % len(COLOURS)][1:].upper()}}}" for i in used]
    lines.append(r"\begin{tikzpicture}[x=0.75pt, y=-0.75pt, line width=0.9pt]")
    lines += [_stroke(stroke) for stroke in picture.strokes]
    for spot in picture.spots:
        fill = {"cubic": "black", "blob": "white", "cumulant": "black!15"}[spot.kind]
        lines.append(rf"\filldraw[fill={fill}] {_point(spot.at)} circle[radius={0.75 * RADIUS[spot.kind]:.2f}pt];")
        if spot.text:
            lines.append(rf"\node at {_point(spot.at)} {{\small ${_math(spot.text)}$}};")
    lines += [_label(label) for label in picture.labels]
    return "\n".join([*lines, r"\end{tikzpicture}"])


def _point(point: Point) -> str:
    return f"({point[0]:.1f}, {point[1]:.1f})"


def _colour(number: int) -> str:
    return "black" if number < 0 else f"ntk{number}"


def _stroke(stroke: Stroke) -> str:
    start, end = stroke.points[0], stroke.points[-1]
    style = {"solid": "", "dotted": ", densely dotted, line width=1.3pt", "dashed": ", dashed"}[stroke.style]
    between = "--"
    if len(stroke.points) == 3:  # a parabola as a cubic curve
        controls = (
            tuple(p + 2 / 3 * (q - p) for p, q in zip(at, stroke.points[1], strict=True)) for at in (start, end)
        )
        between = ".. controls {} and {} ..".format(*(f"({x:.1f}, {y:.1f})" for x, y in controls))
    return rf"\draw[{_colour(stroke.colour)}{style}] {_point(start)} {between} {_point(end)};"


def _label(label: Label) -> str:
    anchor = {-1: "east", 0: "center", 1: "west"}[label.side]
    size = r"\normalsize" if label.size > 14 else r"\footnotesize"
    return (
        rf"\node[anchor={anchor}, inner sep=0pt, {_colour(label.colour)}] at {_point(label.at)} "
        rf"{{{size} ${_math(label.text)}$}};"
    )


def _math(text: str) -> str:
    text = re.sub(r"_(\w+)", r"_{\1}", text)
    text = re.sub(r"\^\((\d,\d)\)", r"^{(\1)}", text)
    return "".join(
        f"{SIGNS[sign]} " if sign in SIGNS and SIGNS[sign][0] == "\\" else SIGNS.get(sign, sign) for sign in text
    )
