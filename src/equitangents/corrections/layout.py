"""Where the vertices of a diagram go: a tree, its centre in the middle, its ends at equal angles around it."""

import math

from .diagrams import Diagram

Point = tuple[float, float]  # y points down
Node = tuple[str, int]  # ("cubic" | "blob" | "cumulant", number)

INNER, JOINED = 88.0, 92.0  # lengths: cubic vertex to blob, blob to cumulant


def links_of(diagram: Diagram) -> dict[Node, list[Node]]:
    """The neighbours of each vertex."""
    links: dict[Node, list[Node]] = {}

    def join(a: Node, b: Node) -> None:
        links.setdefault(a, []).append(b)
        links.setdefault(b, []).append(a)

    for b, groups in enumerate(diagram.blobs):
        for c in sorted(c for group in groups for c in group):
            join(("blob", b), ("cubic", c))
    for k, cumulant in enumerate(diagram.cumulants):
        for b in sorted({leg.blob for leg in cumulant.legs}):
            join(("blob", b), ("cumulant", k))
    return links


def layout(links: dict[Node, list[Node]]) -> tuple[dict[Node, Point], dict[Node, float]]:
    """Points, and the directions in which one comes to them from the centre."""

    def depth(node: Node, parent: Node | None) -> int:
        return 1 + max((depth(child, node) for child in links[node] if child != parent), default=0)

    def leaves(node: Node, parent: Node | None) -> list[Node]:
        children = [child for child in links[node] if child != parent]
        found = [leaf for child in children for leaf in leaves(child, node)] or [node]
        return sorted(found, key=lambda leaf: (leaf[0] != "cubic", leaf[1]))

    centre = min((node for node in links if node[0] != "cubic"), key=lambda node: depth(node, None))
    order: list[Node] = []
    place, heading = {centre: (0.0, 0.0)}, {centre: 0.0}

    def ordered(node: Node, parent: Node | None) -> list[Node]:
        children = [child for child in links[node] if child != parent]
        return sorted(children, key=lambda child: (leaves(child, node)[0][0] != "cubic", leaves(child, node)[0][1]))

    def walk(node: Node, parent: Node | None) -> None:
        children = ordered(node, parent)
        if not children:
            order.append(node)
        for child in children:
            walk(child, node)

    def put(node: Node, parent: Node | None) -> None:
        for child in ordered(node, parent):
            below = [angle[leaf] for leaf in leaves(child, node)]
            heading[child] = sum(below) / len(below)
            length = INNER if child[0] == "cubic" else JOINED
            place[child] = towards(place[node], heading[child], length)
            put(child, node)

    walk(centre, None)
    angle = {leaf: math.pi - 2 * math.pi * i / len(order) for i, leaf in enumerate(order)}
    put(centre, None)
    return place, heading


def towards(start: Point, angle: float, length: float) -> Point:
    """From a point so far in a direction, counted from the right against the clock."""
    return start[0] + length * math.cos(angle), start[1] - length * math.sin(angle)


def beyond(a: Point, b: Point, length: float) -> Point:
    """On the line from a to b, so much beyond b."""
    scale = 1 + length / math.dist(a, b)
    return a[0] + scale * (b[0] - a[0]), a[1] + scale * (b[1] - a[1])


def middle(a: Point, b: Point) -> Point:
    """Halfway."""
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def normal(a: Point, b: Point) -> Point:
    """A unit vector across the line from a to b."""
    length = math.dist(a, b)
    return (a[1] - b[1]) / length, (b[0] - a[0]) / length


def shifted(points: tuple[Point, ...], shift: float) -> tuple[Point, ...]:
    """A line moved sideways."""
    nx, ny = normal(points[0], points[-1])
    return tuple((x + shift * nx, y + shift * ny) for x, y in points)
