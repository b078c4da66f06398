r"""The tensors of the 1/width expansion by name: their forest and pairing, hence number of indices and symmetries.

$E^c[\ldots] = n_{l-1}^{1-m} \sum_{\text{pairings}} \prod_{\text{pairs}} \delta_{i_a i_b}\, T$ for 2m legs. Slots are
the positions of a tensor's indices, in the order of the literature: F_{abcd}: z_a shares its neuron with leg b of the
NTK, z_c with leg d; B_{abcd}: the NTKs are (a, c) and (b, d), the neurons those of (a, b) and (c, d); T_{1342}.

References:
    Roberts, Yaida and Hanin (2022), arXiv:2106.10165, chapters 4, 8, 11 and appendix infinity;
    Guillen, Misof and Gerken (2025), arXiv:2508.11522, section 4.
"""

import functools
import itertools
import re
from typing import NamedTuple

from .forest import Edge, Forest, Pairing, canonical, check_forest, symmetries


class Tensor(NamedTuple):
    """A name and what it stands for.

    Attributes:
        name: as in the literature, or a key "edges|pairs" such as "01,23|02,13,45".
        forest: its observables, over the slots.
        pairing: which slots share their neuron.
        order: the power of 1/n_{l-1} in front of it.
    """

    name: str
    forest: Forest
    pairing: Pairing
    order: int

    @property
    def slots(self) -> int:
        """How many indices it has."""
        return self.forest.nodes

    @property
    def symmetries(self) -> tuple[tuple[int, ...], ...]:
        """Permutations p of the slots with T_{0 1 2 ..} = T_{p[0] p[1] p[2] ..}.

        >>> tensor("P").symmetries  # P_{0123} = P_{0213}
        ((0, 1, 2, 3), (0, 2, 1, 3))
        """
        return symmetries(self.forest, self.pairing)


def _pairs(text: str) -> tuple[Edge, ...]:
    return tuple((int(word[0]), int(word[1])) for word in text.split(",") if word)


def _named(name: str, edges: str, pairs: str, order: int) -> Tensor:
    pairing = _pairs(pairs)
    return Tensor(name, Forest(2 * len(pairing), _pairs(edges)), pairing, order)


TENSORS = {
    tensor.name: tensor
    for tensor in (
        _named("K", "", "01", 0),
        _named("Theta", "01", "01", 0),
        _named("G1", "", "01", 1),
        _named("H1", "01", "01", 1),
        _named("V", "", "01,23", 1),
        _named("D", "23", "01,23", 1),
        _named("F", "13", "01,23", 1),
        _named("A", "01,23", "01,23", 1),
        _named("B", "02,13", "01,23", 1),
        _named("P", "01,02", "03,12", 1),
        _named("Q", "01,02", "01,23", 1),
        _named("R", "01,02,03", "01,23", 1),
        _named("S", "01,02,13", "01,23", 1),
        _named("T", "01,03,23", "01,23", 1),
        _named("U", "02,03,12", "01,23", 1),
        _named("V6", "", "01,23,45", 2),
    )
}
FOUR_LEGS = tuple(name for name, tensor in TENSORS.items() if tensor.slots == 4)
KEY = re.compile(r"((\d\d,)*\d\d)?\|(\d\d,)*\d\d")


def _form(tensor: Tensor) -> tuple[int, tuple[Edge, ...]]:
    return tensor.slots, canonical(tensor.forest, tensor.pairing)[0]


_BY_FORM = {_form(tensor): tensor for tensor in TENSORS.values() if tensor.slots > 2}


@functools.cache
def tensor(name: str) -> Tensor:
    """The tensor of a name, or of a key "edges|pairs"; equal tensors have one name, whatever key is given.

    >>> tensor("13|01,23").name  # z_0 with leg 1, z_2 with leg 3 of one NTK
    'F'

    Raises:
        ValueError: no name of a tensor, and no key of a forest with a pairing of its nodes.
    """
    if name in TENSORS:
        return TENSORS[name]
    if not KEY.fullmatch(name):
        raise ValueError(
            f"expected one of {', '.join(TENSORS)}, or a key of edges and pairs such as '01,23|02,13,45'; got {name!r}."
        )
    edges, pairs = map(_pairs, name.split("|"))
    nodes = sorted(itertools.chain.from_iterable(pairs))
    if nodes != list(range(len(nodes))) or len(nodes) < 4:
        raise ValueError(
            f"expected each of the nodes 0, 1, 2, 3, ... in one of at least two pairs; got {pairs} in {name!r}. "
            "Tensors with two legs are K, Theta, G1 and H1."
        )
    forest = Forest(len(nodes), edges)
    check_forest(forest)
    return TENSORS[found] if (found := identify(forest, pairs)[0]) in TENSORS else _keyed(found)


def _keyed(key: str) -> Tensor:
    edges, pairs = map(_pairs, key.split("|"))
    return Tensor(key, Forest(2 * len(pairs), edges), pairs, len(pairs) - 1)


def identify(forest: Forest, pairing: Pairing) -> tuple[str, tuple[int, ...]]:
    """The tensor that a forest of at least four nodes and a pairing are.

    Returns:
        Its name, and `order`: its index at position p belongs to node order[p] of the forest.
    """
    edges, order = canonical(forest, pairing)
    known = _BY_FORM.get((forest.nodes, edges))
    if known is None:
        pairs = ",".join(f"{a}{a + 1}" for a in range(0, forest.nodes, 2))
        return f"{','.join(f'{a}{b}' for a, b in edges)}|{pairs}", order
    places = canonical(known.forest, known.pairing)[1]  # the canonical node p is the tensor's slot places[p]
    node = dict(zip(places, order, strict=True))
    return known.name, tuple(node[slot] for slot in range(forest.nodes))


def tensors_with(legs: int) -> tuple[str, ...]:
    """All tensors with so many indices, by name or key: every forest with every pairing, once.

    >>> tensors_with(4)
    ('V', 'D', 'F', 'A', 'B', 'P', 'Q', 'R', 'S', 'T', 'U')
    >>> len(tensors_with(6))
    103
    """
    if legs < 4 or legs % 2:
        raise ValueError(f"expected an even number of at least 4 legs; got {legs}. With two there are K and Theta.")
    pairing = tuple((a, a + 1) for a in range(0, legs, 2))
    links = list(itertools.combinations(range(legs), 2))
    found: dict[str, None] = {}
    for count in range(legs):
        for edges in itertools.combinations(links, count):
            forest = Forest(legs, edges)
            if len(forest.trees()) == legs - count:
                found[identify(forest, pairing)[0]] = None
    known = [name for name in TENSORS if name in found]
    return (*known, *(name for name in found if name not in TENSORS))
