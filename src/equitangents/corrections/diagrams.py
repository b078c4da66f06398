r"""The diagrams of a recursion: its summands before the derivatives are carried out, those of one graph together.

External legs meet in pairs at cubic vertices. What the pair becomes, a function of one neuron, is its decoration; with
$\omega_{ab} = \lambda_W \sigma_a \sigma_b + C_W \Theta_{ab} \sigma'_a \sigma'_b$, the two ways in which an NTK can end
on a pair are one decoration, $\omega$ or a derivative of it. Cubic vertices hang on blobs, Gaussian means over one
neuron. Cumulants of the older layer join blobs; each undecorated line is a derivative $\partial_\rho$ on its blob.

References:
    Guillen, Misof and Gerken (2025), arXiv:2508.11522, section 4; Banta, Cai, Craig and Zhang (2023), arXiv:2305.02334.
"""

import functools
import itertools
from fractions import Fraction
from typing import NamedTuple

from .average import Contribution, contributions
from .forest import Edge, components
from .generate import combined, expanded
from .tensors import tensor
from .term import Term

Line = tuple[int, tuple[Edge, ...]]  # a slot, and the edges of the wanted forest that end there


class Cubic(NamedTuple):
    r"""Where two external legs meet.

    Attributes:
        slots: the legs.
        orders: derivatives (i, j) of the decoration: $\sigma^{(i)}_a \sigma^{(j)}_b$, or that of omega.
        omega: whether it is omega; else it has a factor C_W.
        lines: the legs of older trees that go on from it.
    """

    slots: tuple[int, int]
    orders: tuple[int, int]
    omega: bool
    lines: tuple[Line, ...]


class Leg(NamedTuple):
    """A line between a blob and a cumulant of the older layer.

    Attributes:
        blob: which.
        slot: the sample; None for a derivative on the blob.
        edges: of the wanted forest, those that it carries.
    """

    blob: int
    slot: int | None
    edges: tuple[Edge, ...]


class Cumulant(NamedTuple):
    """A tensor of the older layer, a leg for each of its indices."""

    name: str
    legs: tuple[Leg, ...]


class Diagram(NamedTuple):
    """One graph of a recursion.

    Attributes:
        name: the wanted tensor; its forest and pairing are the external legs.
        cubics: one per pair.
        blobs: the cubics on each blob, in groups; the mean over several groups is their joint cumulant.
        cumulants: of the older layer.
        thetas: NTKs between different cubics, at their mean.
        factor: the symmetry factor.
        terms: what it stands for, its derivatives carried out.
    """

    name: str
    cubics: tuple[Cubic, ...]
    blobs: tuple[tuple[tuple[int, ...], ...], ...]
    cumulants: tuple[Cumulant, ...]
    thetas: tuple[Edge, ...]
    factor: Fraction
    terms: tuple[Term, ...]

    def __str__(self) -> str:
        from .formula import TEXT, formula  # which, as drawing below, is about these values

        return formula(self, TEXT)

    def latex(self) -> str:
        r"""Its formula, with dummy indices; $\langle f ; g \rangle$ is a covariance over one neuron."""
        from .formula import LATEX, formula

        return formula(self, LATEX)

    def draw(self) -> str:
        """The figure, as SVG."""
        from .picture import picture
        from .svg import svg

        return svg(picture(self))

    def tikz(self) -> str:
        """The figure, as a TikZ picture."""
        from .picture import picture
        from .tikz import tikz

        return tikz(picture(self))

    def _repr_svg_(self) -> str:  # for notebooks
        return self.draw()


@functools.cache
def diagrams(name: str) -> tuple[Diagram, ...]:
    """The diagrams of a recursion, that of one blob first.

    >>> for diagram in diagrams("Q"):
    ...     print(diagram)
    C_W Θ_02 ⟨u_01 σ'_2 σ_3⟩
    r C_W F_ρ0κ2 ⟨∂_ρ u_01⟩ ⟨∂_κ(σ'_2 σ_3)⟩
    r C_W² Q_012ρ ⟨σ'_0 σ'_1⟩ ⟨∂_ρ(σ'_2 σ_3)⟩

    Raises:
        ValueError: an unknown name, or a key of no forest and pairing.
    """
    wanted = tensor(name).name
    if wanted != name:
        return diagrams(wanted)
    graphs: dict[tuple, list[Contribution]] = {}
    for contribution in contributions(name):
        graphs.setdefault(_graph(contribution), []).append(contribution)
    found = [_diagram(name, members) for members in graphs.values()]
    return tuple(sorted(found, key=lambda diagram: (len(diagram.blobs), len(diagram.cumulants))))


def _graph(contribution: Contribution) -> tuple:
    """What the contributions to one diagram share: clusters, cumulants, the ends of their trees and open legs."""
    clusters = tuple(tuple(sorted(itertools.chain.from_iterable(cluster))) for cluster in contribution.clusters)
    cluster_of = [slots for slots, cluster in zip(clusters, contribution.clusters, strict=True) for _ in cluster]
    vertices = []
    for name, legs, carried in contribution.vertices:
        ends = sorted(end for end in zip(legs, carried, strict=True) if end[0] >= 0)
        vertices.append((name, ends, sorted(cluster_of[-1 - leg] for leg in legs if leg < 0)))
    return tuple(sorted(clusters)), repr(sorted(vertices))


def _diagram(name: str, members: list[Contribution]) -> Diagram:
    pairs = tensor(name).pairing
    pair_of = {slot: p for p, pair in enumerate(pairs) for slot in pair}
    whole = [member for member in members if all(len(cluster) == 1 for cluster in member.clusters)]
    first = whole[0]
    place = sorted(range(len(first.clusters)), key=lambda b: first.blobs[b])
    cumulants = tuple(
        Cumulant(
            vertex.name,
            tuple(
                Leg(place.index(-1 - leg), None, ()) if leg < 0 else Leg(_at(first, place, leg), leg, edges)
                for leg, edges in zip(vertex.legs, vertex.carried, strict=True)
            ),
        )
        for vertex in first.vertices
    )
    thetas = tuple(theta for theta in first.thetas if pair_of[theta[0]] != pair_of[theta[1]])
    lines = [(leg.slot, leg.edges) for c in cumulants for leg in c.legs if leg.slot is not None]
    lines += [(slot, (theta,)) for theta in thetas for slot in theta]
    cubics = []
    for a, b in pairs:
        choices = {((a, b) not in member.last, member.orders[a], member.orders[b]) for member in whole}
        _, *orders = min(choices)
        on = tuple(sorted(line for line in lines if line[0] in (a, b)))
        cubics.append(Cubic((a, b), (orders[0], orders[1]), len(choices) == 2, on))
    return Diagram(
        name=name,
        cubics=tuple(cubics),
        blobs=tuple(_groups(first.blobs[b], members, pair_of) for b in place),
        cumulants=cumulants,
        thetas=thetas,
        factor=sum((member.coefficient for member in whole if member.orders == first.orders), Fraction(0)),
        terms=combined(term for member in members for term in expanded(member)),
    )


def _at(contribution: Contribution, place: list[int], slot: int) -> int:
    return next(i for i, b in enumerate(place) if slot in contribution.blobs[b])


def _groups(
    slots: tuple[int, ...], members: list[Contribution], pair_of: dict[int, int]
) -> tuple[tuple[int, ...], ...]:
    """The pairs of a cluster, together where no member splits them."""
    pairs = sorted({pair_of[slot] for slot in slots})
    kept = set(itertools.combinations(pairs, 2))
    for member in members:
        blob_of = {pair_of[slot]: b for b, blob in enumerate(member.blobs) for slot in blob}
        kept = {(p, q) for p, q in kept if blob_of[p] == blob_of[q]}
    return components(pairs, sorted(kept))
