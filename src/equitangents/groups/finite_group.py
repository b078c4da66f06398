"""A finite group is its multiplication table; everything else follows from that."""

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .axioms import check_associative, closed_table, find_identity, find_inverses, generated, generating_set
from .value import Value, content, frozen

Index = int | np.integer
MAX_LISTED = 48  # the order up to which all subgroups are listed


class FiniteGroup(Value):
    r"""A finite group of elements $0, \dots, n-1$ with `table[a, b]` = $ab$.

    Groups are equal when their tables are; the name and the labels only serve printing.

    Args:
        table: integers, shape (n, n); any element may be the identity.
        name: what is printed, best the expression that makes the group.
        labels: names of the elements, n different strings; "e", "g1", ... by default.

    Attributes:
        table: the same, read-only.
        identity: index of the identity.
        inverse: index of the inverse of each element, shape (n,), read-only.
        labels: names of the elements.

    Raises:
        ValueError: the table is not that of a group; the message names the axiom and the elements.

    >>> group = FiniteGroup([[0, 1], [1, 0]])
    >>> group, group.order, group.multiply(1, 1), group.is_abelian
    (FiniteGroup(<order 2>), 2, 0, True)
    """

    table: np.ndarray
    name: str | None
    identity: int
    inverse: np.ndarray
    labels: tuple[str, ...]

    def __init__(self, table: Any, name: str | None = None, labels: Sequence[str] | None = None):
        table = closed_table(table)
        identity = find_identity(table)
        inverse = find_inverses(table, identity)
        check_associative(table)
        if labels is None:
            labels = ["e" if a == identity else f"g{a}" for a in range(len(table))]
        if len(labels) != len(table) or len(set(labels)) != len(table):
            raise ValueError(f"expected {len(table)} different labels, one for each element; got {tuple(labels)}.")
        self._set(table=frozen(table), name=name, identity=identity, inverse=frozen(inverse), labels=tuple(labels))

    def __repr__(self) -> str:
        return self.name or f"{type(self).__name__}(<order {self.order}>)"

    def _key(self) -> tuple[Any, ...]:
        return content(self.table)

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.table)

    @property
    def elements(self) -> range:
        """The elements, 0 to order - 1."""
        return range(self.order)

    @property
    def is_abelian(self) -> bool:
        """Whether $ab = ba$ for all a and b."""
        return bool(np.array_equal(self.table, self.table.T))

    def multiply(self, a: Index, b: Index) -> int:
        """The product $ab$: as maps, b acts first."""
        return int(self.table[self.check_element(a), self.check_element(b)])

    def check_element(self, a: Any) -> int:
        """`a` as a Python integer, or a ValueError where the group has no such element."""
        a = operator.index(a)
        if not 0 <= a < self.order:
            raise ValueError(f"expected an element of {self}, from 0 to {self.order - 1}; got {a}.")
        return a

    def element_order(self, a: Index) -> int:
        """The smallest k >= 1 with $a^k = e$."""
        return self._element_orders[self.check_element(a)]

    @functools.cached_property
    def _element_orders(self) -> tuple[int, ...]:
        return tuple(len(generated(self.table, [a])) for a in self.elements)

    def generators(self) -> tuple[int, ...]:
        """A small generating set, greedy from the elements of highest order; empty for the trivial group."""
        return self._generators

    @functools.cached_property
    def _generators(self) -> tuple[int, ...]:
        by_order = sorted(self.elements, key=lambda a: -self.element_order(a))  # sorted keeps ties in place
        return tuple(a for a in generating_set(self.table, by_order) if a != self.identity)

    def conjugacy_classes(self) -> tuple[tuple[int, ...], ...]:
        r"""The classes $\{g a g^{-1}\}$, each sorted, in the order of their first elements."""
        conjugates = self.table[self.table, self.inverse[:, None]]  # [g, a] -> g a g^-1
        return tuple(sorted({tuple(np.unique(conjugates[:, a]).tolist()) for a in self.elements}))

    def subgroup(self, generators: Iterable[Index]) -> "Subgroup":
        """The smallest subgroup that contains `generators`."""
        chosen = [self.identity, *(self.check_element(a) for a in generators)]
        return Subgroup(self, generated(self.table, chosen))

    def subgroups(self) -> tuple["Subgroup", ...]:
        """All subgroups, by order and then by elements.

        Raises:
            ValueError: the order is above 48, where the list may be very long.
        """
        if self.order > MAX_LISTED:
            raise ValueError(
                f"expected a group of order at most {MAX_LISTED} to list all subgroups; got {self} of order "
                f"{self.order}; use subgroup(generators) for the ones you need."
            )
        found: set[tuple[int, ...]] = {(self.identity,)}
        frontier = list(found)
        while frontier:
            smaller = frontier.pop()
            for a in set(self.elements) - set(smaller):
                larger = generated(self.table, [*smaller, a])
                if larger not in found:
                    found.add(larger)
                    frontier.append(larger)
        return tuple(Subgroup(self, elements) for elements in sorted(found, key=lambda s: (len(s), s)))

    def cosets(self, subgroup: "Subgroup", side: str = "left") -> tuple[tuple[int, ...], ...]:
        """The cosets aH (left) or Ha (right), each sorted, in the order of their first elements."""
        self.check_subgroup(subgroup)
        if side not in ("left", "right"):
            raise ValueError(f"expected side 'left' (aH) or 'right' (Ha); got {side!r}.")
        table = self.table if side == "left" else self.table.T
        return tuple(sorted({tuple(sorted(row.tolist())) for row in table[:, list(subgroup.elements)]}))

    def check_subgroup(self, subgroup: "Subgroup") -> None:
        """A ValueError unless `subgroup` is one of this group."""
        if subgroup.parent != self:
            raise ValueError(
                f"expected a subgroup of {self}; got one of {subgroup.parent}; make it with its method subgroup."
            )

    def _restricted(self, elements: tuple[int, ...]) -> "FiniteGroup":
        """The group of these elements, numbered anew in their order."""
        return FiniteGroup(self._restricted_table(elements), labels=[self.labels[a] for a in elements])

    def _restricted_table(self, elements: tuple[int, ...]) -> np.ndarray:
        return np.searchsorted(elements, self.table[np.ix_(elements, elements)])


class Subgroup(Value):
    """A subgroup, as elements of its parent; made by `FiniteGroup.subgroup`.

    Attributes:
        parent: the group it lies in.
        elements: sorted indices in the parent; element i of `group` is `elements[i]` of the parent.
        group: the same as a group of its own.
        index: number of cosets, parent order / order.
    """

    parent: FiniteGroup
    elements: tuple[int, ...]

    def __init__(self, parent: FiniteGroup, elements: Iterable[int]):
        chosen = tuple(sorted({parent.check_element(a) for a in elements}))
        if not chosen or not np.isin(parent.table[np.ix_(chosen, chosen)], chosen).all():
            raise ValueError(
                f"expected elements of {parent} closed under multiplication; got {chosen}; "
                "use subgroup(generators) for the subgroup they generate."
            )
        self._set(parent=parent, elements=chosen)

    def __repr__(self) -> str:
        return f"Subgroup({self.parent}, {self.elements})"

    def _key(self) -> tuple[Any, ...]:
        return self.parent, self.elements

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @property
    def index(self) -> int:
        """Number of cosets."""
        return self.parent.order // self.order

    @functools.cached_property
    def group(self) -> FiniteGroup:
        """The subgroup as a group of its own, of the parent's kind where that has a meaning (point groups)."""
        return self.parent._restricted(self.elements)


def check_group(group: Any) -> None:
    """A TypeError where it is no group, such as the name of one."""
    if not isinstance(group, FiniteGroup):
        raise TypeError(
            f"expected a FiniteGroup, such as point_group('D4') or spatial_group('O'); got {group!r}, "
            f"of type {type(group).__name__}."
        )
