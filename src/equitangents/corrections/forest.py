r"""Contraction forests: every tensor of the finite-width hierarchy as a graph.

A node v is a factor z_{i_v}(x_v). An edge is a parameter by which the factors at both its ends are differentiated,
summed over all parameters with their learning rates. So z is an isolated node, the empirical NTK one edge,
$\sum \lambda_\mu \lambda_\nu\, \partial_\mu \partial_\nu z_0\, \partial_\mu z_1\, \partial_\nu z_2$, the
dNTK, the path 1 - 0 - 2. A pairing of the nodes says which of them share their neuron. Both together name a tensor.

References:
    Dyer and Gur-Ari (2019), arXiv:1909.11304 (cluster graphs); Huang and Yau (2019), arXiv:1909.08156 (grafting).
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

Edge = tuple[int, int]
Pairing = tuple[tuple[int, int], ...]
T = TypeVar("T")


class Forest(NamedTuple):
    """Trees over the nodes 0, ..., nodes - 1.

    Attributes:
        nodes: how many.
        edges: sorted pairs of nodes, without a cycle.
    """

    nodes: int
    edges: tuple[Edge, ...] = ()

    def trees(self) -> tuple[tuple[int, ...], ...]:
        """The nodes of each tree, sorted; each tree is one observable.

        >>> Forest(4, ((0, 2),)).trees()
        ((0, 2), (1,), (3,))
        """
        return components(range(self.nodes), self.edges)


def components(nodes: Sequence[int], links: Sequence[Edge]) -> tuple[tuple[int, ...], ...]:
    """The sets of nodes that the links join, each sorted, in the order of their first nodes."""
    label = {node: node for node in nodes}
    for a, b in links:
        old, new = label[a], label[b]
        label = {node: new if at == old else at for node, at in label.items()}
    groups: dict[int, list[int]] = {}
    for node in nodes:
        groups.setdefault(label[node], []).append(node)
    return tuple(tuple(sorted(group)) for group in groups.values())


def check_forest(forest: Forest) -> None:
    """Raise unless the edges are distinct pairs of nodes without a cycle."""
    nodes, edges = forest
    if not all(0 <= a < nodes and 0 <= b < nodes for a, b in edges):
        raise ValueError(f"expected edges between the nodes 0 to {nodes - 1}; got {edges}. Add nodes or relabel.")
    if len(forest.trees()) != nodes - len(edges):
        raise ValueError(f"expected a forest; got edges {edges}, which close a cycle. No correlator of z has one.")


def pairings(nodes: Sequence[int]) -> Iterator[Pairing]:
    """All ways to pair up the nodes: 1, 3, 15, 105, ... of them for 2, 4, 6, 8, ... nodes.

    >>> len(list(pairings(range(6))))
    15
    """
    if len(nodes) == 0:
        yield ()
        return
    first, *rest = nodes
    for i, other in enumerate(rest):
        for pairs in pairings(rest[:i] + rest[i + 1 :]):
            yield ((first, other), *pairs)


def set_partitions(items: Sequence[T]) -> Iterator[tuple[tuple[T, ...], ...]]:
    """All ways to split the items into blocks: 1, 1, 2, 5, 15, ... of them."""
    if len(items) == 0:
        yield ()
        return
    first, *rest = items
    for blocks in set_partitions(rest):
        yield ((first,), *blocks)
        for i, block in enumerate(blocks):
            yield (*blocks[:i], (first, *block), *blocks[i + 1 :])


def relabelled(edges: Sequence[Edge], place: Sequence[int]) -> tuple[Edge, ...]:
    """The sorted edges after node v has become node place[v]."""
    return tuple(sorted((min(place[a], place[b]), max(place[a], place[b])) for a, b in edges))


def canonical(forest: Forest, pairing: Pairing) -> tuple[tuple[Edge, ...], tuple[int, ...]]:
    """The least edges over all relabellings with pairs (0, 1), (2, 3), ..., and the first order that gives them.

    Returns:
        The edges, and `order`: node p of the canonical form is node order[p] of the given one.

    >>> canonical(Forest(4, ((1, 3),)), ((0, 1), (2, 3)))  # z_a with leg b of an NTK, z_c with leg d
    (((0, 2),), (1, 0, 3, 2))
    """
    best: tuple[tuple[Edge, ...], tuple[int, ...]] | None = None
    for pairs in itertools.permutations(pairing):
        for flips in itertools.product((False, True), repeat=len(pairs)):
            order = tuple(v for (a, b), flip in zip(pairs, flips, strict=True) for v in ((b, a) if flip else (a, b)))
            place = {v: p for p, v in enumerate(order)}
            edges = relabelled(forest.edges, [place[v] for v in range(forest.nodes)])
            if best is None or edges < best[0]:
                best = edges, order
    assert best is not None
    return best


def symmetries(forest: Forest, pairing: Pairing) -> tuple[tuple[int, ...], ...]:
    """The relabellings that leave forest and pairing as they are, as permutations: T_{0 1 ..} = T_{p[0] p[1] ..}."""
    pairs = relabelled(pairing, range(forest.nodes))
    edges = relabelled(forest.edges, range(forest.nodes))
    found = set()
    for blocks in itertools.permutations(pairing):
        for flips in itertools.product((False, True), repeat=len(blocks)):
            place = [0] * forest.nodes
            for (a, b), (c, d), flip in zip(pairing, blocks, flips, strict=True):
                place[a], place[b] = (d, c) if flip else (c, d)
            if relabelled(forest.edges, place) == edges and relabelled(pairing, place) == pairs:
                found.add(tuple(place))
    return tuple(sorted(found))


def graft(forest: Forest, tree: tuple[int, ...]) -> tuple[Forest, ...]:
    r"""The forests whose sum is minus the time derivative of a tree under gradient flow, one per node of it.

    $\frac{d}{dt} O = -\sum_v O[\text{new leaf at } v]\; \varepsilon_{\text{leaf}}$, $\varepsilon$ the residual; the
    leaf is the node with the highest number.

    >>> graft(Forest(2, ((0, 1),)), (0, 1))  # the NTK: dNTK_{01 2} + dNTK_{10 2}
    (Forest(nodes=3, edges=((0, 1), (0, 2))), Forest(nodes=3, edges=((0, 1), (1, 2))))
    """
    if tree not in forest.trees():
        raise ValueError(f"expected one of the trees {forest.trees()}; got {tree}. Each observable moves by itself.")
    return tuple(Forest(forest.nodes + 1, tuple(sorted((*forest.edges, (v, forest.nodes))))) for v in tree)
