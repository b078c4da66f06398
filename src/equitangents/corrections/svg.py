"""A picture as SVG: text that a browser draws as it stands, in a page, a notebook or a file; no plotting library."""

import html
import re

from .picture import RADIUS, Label, Picture, Spot, Stroke

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")  # Okabe and Ito: told apart by all readers
DASHES = {"solid": "", "dotted": ' stroke-dasharray="0.1 4.6"', "dashed": ' stroke-dasharray="8 4.5"'}


def colour(number: int) -> str:
    """Of an edge of the wanted forest; black for none."""
    return "#111" if number < 0 else COLOURS[number % len(COLOURS)]


def svg(picture: Picture) -> str:
    """The picture as one <svg> element, its text in the reader's serif font."""
    width, height = (f"{length:.0f}" for length in picture.size)
    parts = [_stroke(stroke) for stroke in picture.strokes]
    parts += [_spot(spot) for spot in picture.spots]
    parts += [_label(label) for label in picture.labels]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="STIX Two Text, Latin Modern Roman, Times New Roman, Times, serif">'
    )
    return "\n".join([head, *parts, "</svg>"])


def _stroke(stroke: Stroke) -> str:
    start, *rest = (f"{x:.1f} {y:.1f}" for x, y in stroke.points)
    path = f"M{start} {'L' if len(rest) == 1 else 'Q'}{' '.join(rest)}"
    wide = 2.6 if stroke.style == "dotted" else 1.8
    return (
        f'<path d="{path}" fill="none" stroke="{colour(stroke.colour)}" stroke-width="{wide}" '
        f'stroke-linecap="{"butt" if stroke.style == "dashed" else "round"}"{DASHES[stroke.style]}/>'
    )


def _spot(spot: Spot) -> str:
    x, y = spot.at
    fill = {"cubic": "#111", "blob": "#fff", "cumulant": "#d9d9d9"}[spot.kind]
    circle = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS[spot.kind]}" fill="{fill}" stroke="#111" stroke-width="1.5"/>'
    )
    return circle + (_label(Label(spot.at, spot.text, 0, 15 if spot.kind == "cumulant" else 12)) if spot.text else "")


def _label(label: Label) -> str:
    x, y = label.at
    anchor = {-1: "end", 0: "middle", 1: "start"}[label.side]
    return (
        f'<text x="{x:.1f}" y="{y + 0.34 * label.size:.1f}" font-size="{label.size:g}" text-anchor="{anchor}" '
        f'fill="{colour(label.colour)}">{_set(label.text, label.size)}</text>'
    )


def _set(text: str, size: float) -> str:
    """Signs after _ below the line, ^(..) above it; by dy, for not every browser knows baseline-shift."""
    parts, off = [], 0.0
    for piece in re.split(r"(_\w+|\^\([\d,]+\))", text.replace("'", "′")):
        if not piece:
            continue
        want = {"_": 0.22, "^": -0.38}.get(piece[0], 0.0) * size
        small = f' font-size="{0.72 * size:.1f}"' if want else ""
        parts.append(f'<tspan dy="{want - off:.1f}"{small}>{html.escape(piece[1:] if want else piece)}</tspan>')
        off = want
    return "".join(parts)
