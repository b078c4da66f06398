r"""The average over layer l: blobs, one neuron each, joined by cumulants of layer l as vertices.

Given the layers below, neurons are independent. So the joint cumulant of sums over neurons is a sum over clusters of
pairs, each with one factor n_l and the joint cumulant over one neuron: $\sum \pm \langle\cdot\rangle \cdots
\langle\cdot\rangle$ over the ways to split the cluster into blobs. Vertices join blobs. A vertex has trees of layer l
and open legs; each open leg is a derivative $\partial_\rho$ on its blob, with $1/k!$ for k of them on one blob
(Edgeworth). With 2m legs it costs $n_{l-1}^{1-m}$. A graph of clusters and vertices with c loops is of order
$n^{1-m-c}$: at leading order a tree, in which every vertex puts two legs or none on each cluster. The means of z z and
of the NTK have one correction more.
"""

import functools
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from .forest import Edge, Forest, Pairing, components, pairings, set_partitions
from .forward import Local, Tree, forward
from .tensors import Tensor, identify, tensor

Slots = tuple[int, ...]


class Vertex(NamedTuple):
    """A cumulant of layer l.

    Attributes:
        name: of the tensor.
        legs: for each of its indices a slot, or -1 - b: open, a derivative on blob b.
        carried: for each of its indices the edges of the wanted forest that end there; none where it is open.
    """

    name: str
    legs: tuple[int, ...]
    carried: tuple[tuple[Edge, ...], ...]


class Contribution(NamedTuple):
    """A summand of a recursion before its derivatives are carried out.

    Attributes:
        coefficient: the number in front.
        last: the edges that are weights of the new layer, a factor lambda_W each; every other pair has a C_W.
        orders: the derivative of sigma at each slot.
        thetas: NTKs of layer l at their mean.
        clusters: the slots of each blob of each cluster.
        vertices: cumulants of layer l, their open legs counting the blobs of all clusters through.
    """

    coefficient: Fraction
    last: tuple[Edge, ...]
    orders: tuple[int, ...]
    thetas: tuple[tuple[int, int], ...]
    clusters: tuple[tuple[Slots, ...], ...]
    vertices: tuple[Vertex, ...]

    @property
    def blobs(self) -> tuple[Slots, ...]:
        """The slots of each blob."""
        return tuple(itertools.chain.from_iterable(self.clusters))


@functools.cache
def contributions(name: str) -> tuple[Contribution, ...]:
    """All summands of the recursion of a tensor, by name or key."""
    wanted = tensor(name)
    locals_ = forward(wanted.forest, wanted.pairing)
    average = _mean if wanted.order > 0 and wanted.slots == 2 else _leading
    return tuple(c for local in locals_ for c in average(wanted, local))


def _leading(wanted: Tensor, local: Local) -> Iterator[Contribution]:
    for groups in set_partitions(wanted.pairing):
        for splits in itertools.product(*(list(set_partitions(group)) for group in groups)):
            clusters = tuple(
                tuple(tuple(sorted(itertools.chain.from_iterable(blob))) for blob in split) for split in splits
            )
            sign = math.prod((-1) ** (len(split) - 1) * math.factorial(len(split) - 1) for split in splits)
            for sites in _trees_of_vertices([len(split) for split in splits]):
                for thetas, vertices, weight in _filled(local.trees, clusters, sites):
                    yield Contribution(sign * weight, local.last, local.orders, thetas, clusters, vertices)


def _trees_of_vertices(sizes: list[int]) -> Iterator[tuple[Slots, ...]]:
    """All sets of vertices that join the clusters into a tree, each vertex as the blobs that it touches."""
    number = range(len(sizes))
    first = [sum(sizes[:c]) for c in number]
    vertices = [v for size in range(2, len(sizes) + 1) for v in itertools.combinations(number, size)]
    for count in range(len(sizes)):
        for chosen in itertools.combinations(vertices, count):
            links = [(v[0], other) for v in chosen for other in v[1:]]
            if len(links) == len(sizes) - 1 and len(components(number, links)) == 1:
                blobs = [itertools.product(*(range(first[c], first[c] + sizes[c]) for c in v)) for v in chosen]
                yield from itertools.product(*blobs)


def _filled(
    trees: tuple[Tree, ...], clusters: tuple[tuple[Slots, ...], ...], sites: tuple[Slots, ...]
) -> Iterator[tuple[tuple[tuple[int, int], ...], tuple[Vertex, ...], Fraction]]:
    """All ways to give each tree its mean or a place in a vertex, two legs of a vertex on each blob that it touches."""
    blob_of = {slot: b for b, blob in enumerate(itertools.chain.from_iterable(clusters)) for slot in blob}
    options: list[list[int | None]] = []
    for tree in trees:
        touched = {blob_of[slot] for slot in tree.legs}
        places: list[int | None] = [v for v, site in enumerate(sites) if touched <= set(site)]
        options.append([None, *places] if len(tree.legs) == 2 and len(touched) == 1 else places)
    for choice in itertools.product(*options):
        vertices, weight = [], Fraction(1)
        for v, site in enumerate(sites):
            inside = [tree for tree, at in zip(trees, choice, strict=True) if at == v]
            legs = [slot for tree in inside for slot in tree.legs]
            missing = {b: 2 - sum(blob_of[slot] == b for slot in legs) for b in site}
            if min(missing.values()) < 0:
                break
            weight /= math.prod(math.factorial(k) for k in missing.values())
            legs += [-1 - b for b in site for _ in range(missing[b])]
            where = [blob_of[leg] if leg >= 0 else -1 - leg for leg in legs]
            pairing = tuple((where.index(b), len(where) - 1 - where[::-1].index(b)) for b in sorted(set(where)))
            vertices.append(_vertex(inside, legs, pairing))
        else:
            yield _means(trees, choice), tuple(vertices), weight


def _means(trees: tuple[Tree, ...], choice: tuple[int | None, ...]) -> tuple[tuple[int, int], ...]:
    at_mean = (tree.legs for tree, at in zip(trees, choice, strict=True) if at is None)
    return tuple(sorted((min(a, b), max(a, b)) for a, b in at_mean))


def _vertex(trees: list[Tree], legs: list[int], pairing: Pairing) -> Vertex:
    edges: list[Edge] = []
    carried: list[tuple[Edge, ...]] = [()] * len(legs)
    start = 0
    for tree in trees:
        for (a, b), origin in zip(tree.edges, tree.origin, strict=True):
            edges.append((start + a, start + b))
            carried[start + a] += (origin,)
            carried[start + b] += (origin,)
        start += len(tree.legs)
    name, order = identify(Forest(len(legs), tuple(edges)), pairing)
    return Vertex(name, tuple(legs[p] for p in order), tuple(carried[p] for p in order))


def _mean(wanted: Tensor, local: Local) -> Iterator[Contribution]:
    """G1 and H1: one blob, with a correction of a mean or with all four legs of a vertex on it."""
    clusters = (((0, 1),),)
    make = functools.partial(Contribution, last=local.last, orders=local.orders, clusters=clusters)
    trees = local.trees
    thetas = tuple((0, 1) for _ in trees)  # at most one
    yield make(Fraction(1, 2), thetas=thetas, vertices=(Vertex("G1", (-1, -1), ((), ())),))
    if trees:
        yield make(Fraction(1), thetas=(), vertices=(Vertex("H1", (0, 1), (trees[0].origin,) * 2),))
    for inside in [trees, ()] if trees else [()]:
        legs = [slot for tree in inside for slot in tree.legs]
        opened = 4 - len(legs)
        for pairing in pairings(range(4)):
            vertex = _vertex(list(inside), legs + [-1] * opened, pairing)
            yield make(Fraction(1, math.factorial(opened)), thetas=() if inside else thetas, vertices=(vertex,))
