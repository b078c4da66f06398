r"""A diagram as strokes, spots and labels in a plane, to be written as SVG or TikZ.

Style: z solid, legs of NTKs dotted with one colour per NTK, dashed where they go on from a cubic vertex to a
blob; a factor differentiated twice has a double line, and so on.
"""

import math
from typing import NamedTuple

from .diagrams import Diagram, Leg
from .forest import Edge
from .formula import TEXT, decoration, labels
from .layout import Node, Point, beyond, layout, links_of, middle, normal, shifted, towards
from .tensors import TENSORS, tensor

OUTER = 62.0  # length of an external leg
RADIUS = {"cubic": 4.5, "blob": 16.0, "cumulant": 19.0}
NEAR, APART = 3.6, 8.0  # between strokes of one line, between lines side by side
OPENING = math.radians(30)


class Stroke(NamedTuple):
    """A line through two points, or a parabola by three control points; colour: number of an edge, -1 for black."""

    points: tuple[Point, ...]
    style: str  # "solid", "dotted" or "dashed"
    colour: int


class Spot(NamedTuple):
    """A vertex or a blob, with a short text inside."""

    at: Point
    kind: str
    text: str


class Label(NamedTuple):
    """Text, indices after _; side: -1 ends at the point, 0 is centred, 1 begins there."""

    at: Point
    text: str
    side: int
    size: float
    colour: int = -1


class Picture(NamedTuple):
    """Everything, in the order of painting, in a frame of width and height."""

    size: Point
    strokes: tuple[Stroke, ...]
    spots: tuple[Spot, ...]
    labels: tuple[Label, ...]


def picture(diagram: Diagram) -> Picture:
    """The parts of a diagram, placed."""
    links = links_of(diagram)
    place, heading = layout(links)
    colour = {edge: i for i, edge in enumerate(tensor(diagram.name).forest.edges)}
    ends: dict[int, Point] = {}
    strokes: list[Stroke] = []
    texts: list[Label] = []
    for c, cubic in enumerate(diagram.cubics):
        at, angle = place["cubic", c], heading["cubic", c]
        tips = sorted((towards(at, angle + turn, OUTER) for turn in (OPENING, -OPENING)), key=lambda p: (p[1], p[0]))
        for slot, tip in zip(cubic.slots, tips, strict=True):
            edges = tuple(edge for edge in colour if slot in edge)
            strokes += _line((at, tip), [edges], "dotted", colour)
            ends[slot] = tip
            texts.append(Label(beyond(at, tip, 12), str(slot), 0, 16))
        hub = place["blob", next(b for b, groups in enumerate(diagram.blobs) if any(c in group for group in groups))]
        nx, ny = normal(at, hub)
        going = sorted(cubic.lines, key=lambda line: round(ends[line[0]][0] * nx + ends[line[0]][1] * ny))
        inner = _line((at, hub), [edges for _, edges in going] or [()], "dashed", colour)
        strokes += inner
        texts.append(_beside(at, beyond(at, hub, -RADIUS["blob"]), decoration(cubic, TEXT), len(inner)))
    names = labels(diagram, TEXT.dummies)
    for k, cumulant in enumerate(diagram.cumulants):
        for b in {leg.blob for leg in cumulant.legs}:
            legs = [(leg, name) for leg, name in zip(cumulant.legs, names[k], strict=True) if leg.blob == b]
            for stroke, text in _arcs(place["blob", b], place["cumulant", k], legs, ends, colour):
                strokes += stroke
                texts.append(text)
    for b, groups in enumerate(diagram.blobs):
        texts += _thetas(diagram, {c for group in groups for c in group}, ("blob", b), links, place, colour)
    spots = [Spot(place["cubic", c], "cubic", "") for c in range(len(diagram.cubics))]
    spots += [Spot(place["blob", b], "blob", "⟨·⟩" + ("_c" if len(g) > 1 else "")) for b, g in enumerate(diagram.blobs)]
    spots += [Spot(place["cumulant", k], "cumulant", _short(c.name)) for k, c in enumerate(diagram.cumulants)]
    return _framed(strokes, spots, texts)


def _short(name: str) -> str:
    """What fits into a spot; the number of legs for a tensor without a name."""
    return {"G1": "G¹", "H1": "H¹", "V6": "V⁶"}.get(name, name if name in TENSORS else str(tensor(name).slots))


def _line(
    points: tuple[Point, ...], bundles: list[tuple[Edge, ...]], style: str, colour: dict[Edge, int]
) -> list[Stroke]:
    """Lines side by side: black and solid without an edge, else a stroke for each edge."""
    width = sum(NEAR * max(len(edges) - 1, 0) for edges in bundles) + APART * (len(bundles) - 1)
    shift, strokes = -width / 2, []
    for edges in bundles:
        for edge in edges or (None,):
            moved = shifted(points, shift)
            strokes.append(Stroke(moved, "solid", -1) if edge is None else Stroke(moved, style, colour[edge]))
            shift += NEAR
        shift += APART - NEAR
    return strokes


def _arcs(
    blob: Point, cumulant: Point, legs: list[tuple[Leg, str]], ends: dict[int, Point], colour: dict[Edge, int]
) -> list[tuple[list[Stroke], Label]]:
    """The legs of a cumulant on one blob, bent apart, with the names of their indices; samples on their own side."""
    (x, y), (nx, ny) = middle(blob, cumulant), normal(blob, cumulant)
    if (round(ny, 6), nx) < (0, 0):
        nx, ny = -nx, -ny  # down, so that names run from top to bottom

    def height(leg: Leg) -> float:
        if leg.slot is None:
            return 0.0
        end = ends[leg.slot]
        return (end[0] - x) * nx + (end[1] - y) * ny

    found = []
    for i, (leg, name) in enumerate(sorted(legs, key=lambda pair: height(pair[0]))):
        bend = (i - (len(legs) - 1) / 2) * 34.0
        control = (x + 2 * bend * nx * 0.8, y + 2 * bend * ny * 0.8)
        top = (x + 0.8 * bend * nx, y + 0.8 * bend * ny)
        strokes = _line((blob, control, cumulant), [leg.edges], "dotted", colour)
        away = math.copysign(10.0 + 1.8 * max(len(leg.edges), 1), bend)
        label_at = (top[0] + away * nx, top[1] + away * ny)
        hue = colour[leg.edges[0]] if len(leg.edges) == 1 else -1
        found.append((strokes, Label(label_at, name, 0, 13, hue)))
    return found


def _thetas(
    diagram: Diagram, on: set[int], hub: Node, links: dict[Node, list[Node]], place: dict[Node, Point], colour: dict
) -> list[Label]:
    """The NTKs that take their mean on a blob, in its widest gap."""
    slots = {slot for c in on for slot in diagram.cubics[c].slots}
    thetas = [theta for theta in diagram.thetas if theta[0] in slots]
    x, y = place[hub]
    angles = sorted(math.atan2(y - place[to][1], place[to][0] - x) % (2 * math.pi) for to in links[hub])
    gaps = [(round(b - a, 3), (a + b) / 2) for a, b in zip(angles, [*angles[1:], angles[0] + 2 * math.pi], strict=True)]
    _, angle = max(gaps, key=lambda gap: (gap[0], round(math.cos(gap[1])), -math.sin(gap[1])))
    left, top = towards((x, y), angle, RADIUS["blob"] + 18)
    left += 17.0 * (len(thetas) - 1) * (round(math.cos(angle)) - 1)  # the row begins, is centred or ends there
    return [Label((left + 34.0 * i, top), f"Θ_{a}{b}", 0, 14, colour[a, b]) for i, (a, b) in enumerate(thetas)]


def _beside(a: Point, b: Point, text: str, strokes: int) -> Label:
    """A label beside the middle of a line of so many strokes: above it, or to its right where it is steep."""
    (x, y), (nx, ny) = middle(a, b), normal(a, b)
    steep = abs(nx) > 0.5
    sign = math.copysign(1.0, nx) if steep else -math.copysign(1.0, ny)
    away = (9 if steep else 14) + 2.5 * strokes
    return Label((x + away * sign * nx, y + away * sign * ny), text, 1 if steep else 0, 15)


def _framed(strokes: list[Stroke], spots: list[Spot], texts: list[Label], margin: float = 12.0) -> Picture:
    """The picture moved into its frame."""
    points = [point for stroke in strokes for point in (stroke.points[0], stroke.points[-1])]
    for spot in spots:
        reach = RADIUS[spot.kind]
        points += [(spot.at[0] - reach, spot.at[1] - reach), (spot.at[0] + reach, spot.at[1] + reach)]
    for label in texts:
        wide = 0.55 * label.size * len(label.text.replace("_", ""))
        left = label.at[0] - wide * (0.5 if label.side == 0 else 1.0 if label.side < 0 else 0.0)
        points += [(left, label.at[1] - label.size / 2), (left + wide, label.at[1] + label.size / 2)]
    x0, y0 = (min(point[i] for point in points) - margin for i in (0, 1))
    x1, y1 = (max(point[i] for point in points) + margin for i in (0, 1))

    def move(point: Point) -> Point:
        return point[0] - x0, point[1] - y0

    return Picture(
        (x1 - x0, y1 - y0),
        tuple(stroke._replace(points=tuple(map(move, stroke.points))) for stroke in strokes),
        tuple(spot._replace(at=move(spot.at)) for spot in spots),
        tuple(label._replace(at=move(label.at)) for label in texts),
    )
