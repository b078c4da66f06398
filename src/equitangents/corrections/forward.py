r"""One layer of a network acting on a contraction forest: the chain rule, for all trees at once.

$z'_{i\alpha} = b_i + \sum_j W_{ij} \sigma(z_{j\alpha})$. Every edge is a parameter of the new layer ("last") or of an
older one. A node has at most one last edge, z' being linear in the new layer; a partition of its other edges into
blocks (Faà di Bruno) turns the node into $\sigma^{(\#\text{blocks})}(z_{j\alpha})$ and one node of layer l per block.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from .forest import Edge, Forest, Pairing, components, relabelled, set_partitions


class Tree(NamedTuple):
    """A tree of layer l in a forest of layer l+1.

    Attributes:
        legs: the slot at which each of its nodes sits: its sample, and its neuron, that of the slot's pair.
        edges: between positions in `legs`.
        origin: the edges of the forest of layer l+1 that it carries.
    """

    legs: tuple[int, ...]
    edges: tuple[Edge, ...]
    origin: tuple[Edge, ...]


class Local(NamedTuple):
    """One summand of a forest of layer l+1 in terms of layer l.

    Attributes:
        last: the edges that are weights of the new layer; each brings lambda_W / n.
        orders: the derivative of sigma at each slot.
        trees: what is differentiated at layer l.
    """

    last: tuple[Edge, ...]
    orders: tuple[int, ...]
    trees: tuple[Tree, ...]


def forward(forest: Forest, pairing: Pairing) -> Iterator[Local]:
    """The summands that survive the mean over the new weights, when the nodes' neurons agree as in `pairing`.

    A last edge makes the neurons of its ends agree, so it is a pair; all other pairs are contracted by Wick's theorem.
    In both cases the pair shares one neuron of layer l.

    >>> len(list(forward(Forest(2, ((0, 1),)), ((0, 1),))))  # the NTK: lambda_W sigma sigma + C_W sigma' sigma' NTK
    2
    """
    pairs = relabelled(pairing, range(forest.nodes))
    optional = [edge for edge in forest.edges if edge in pairs]
    for count in range(len(optional) + 1):
        for last in itertools.combinations(optional, count):
            older = [edge for edge in forest.edges if edge not in last]
            choices = [list(set_partitions([e for e in older if v in e])) for v in range(forest.nodes)]
            for blocks in itertools.product(*choices):
                yield Local(last, tuple(map(len, blocks)), _trees(older, blocks))


def _trees(edges: list[Edge], blocks: tuple[tuple[tuple[Edge, ...], ...], ...]) -> tuple[Tree, ...]:
    nodes = [(slot, block) for slot, partition in enumerate(blocks) for block in partition]

    def node(slot: int, edge: Edge) -> int:
        return next(i for i, (at, block) in enumerate(nodes) if at == slot and edge in block)

    links = [(node(a, (a, b)), node(b, (a, b))) for a, b in edges]
    trees = []
    for group in components(range(len(nodes)), links):
        place = {v: p for p, v in enumerate(group)}
        inside = [(edge, link) for edge, link in zip(edges, links, strict=True) if link[0] in place]
        trees.append(
            Tree(
                tuple(nodes[v][0] for v in group),
                tuple((place[a], place[b]) for _, (a, b) in inside),
                tuple(edge for edge, _ in inside),
            )
        )
    return tuple(trees)
