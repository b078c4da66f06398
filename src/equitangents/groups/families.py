"""The groups one names: cyclic, dihedral, symmetric, and products of groups."""

import itertools
from typing import Any

import numpy as np

from .finite_group import FiniteGroup, check_group


def check_count(what: str, count: Any, largest: int | None = None, *, low: int = 1) -> None:
    """A ValueError unless low <= count <= largest; a TypeError where it is no integer."""
    bound = f"at least {low}" if largest is None else f"from {low} to {largest}"
    if isinstance(count, bool) or not hasattr(count, "__index__"):
        raise TypeError(f"expected {what} {bound}; got {count!r}; pass a whole number.")
    if count < low or (largest is not None and count > largest):
        raise ValueError(f"expected {what} {bound}; got {count}; choose another.")


def power_label(letter: str, k: int) -> str:
    """The letter to the power k: "", "r", "r2", ..."""
    return "" if k == 0 else letter if k == 1 else f"{letter}{k}"


def cyclic(n: int) -> FiniteGroup:
    """The cyclic group of order n; element k is $r^k$.

    >>> cyclic(4), cyclic(4).labels
    (cyclic(4), ('e', 'r', 'r2', 'r3'))
    """
    check_count("an order n", n)
    k = np.arange(n)
    return FiniteGroup((k[:, None] + k) % n, f"cyclic({n})", [power_label("r", i) or "e" for i in range(n)])


def dihedral(n: int) -> FiniteGroup:
    """The dihedral group of order 2n; element k < n is the rotation $r^k$, element n + k is $r^k s$ (s acts first).

    >>> dihedral(3).labels, dihedral(3).order
    (('e', 'r', 'r2', 's', 'rs', 'r2s'), 6)
    """
    check_count("a number of rotations n", n)
    flip, k = np.divmod(np.arange(2 * n), n)
    rotation = (k[:, None] + np.where(flip, -1, 1)[:, None] * k) % n  # r^k s r^l = r^(k - l) s
    table = n * (flip[:, None] ^ flip) + rotation
    labels = [(power_label("r", int(i)) + "s" * int(f)) or "e" for f, i in zip(flip, k, strict=True)]
    return FiniteGroup(table, f"dihedral({n})", labels)


def symmetric(n: int) -> FiniteGroup:
    """The symmetric group of n points, n <= 6; element i is the i-th of `itertools.permutations(range(n))`.

    A permutation p maps point j to p[j]; in a product $ab$, b acts first. Labels are cycles.

    >>> symmetric(3).labels
    ('e', '(1 2)', '(0 1)', '(0 1 2)', '(0 2 1)', '(0 2)')
    """
    check_count("a number of points n", n, largest=6)
    points = np.array(list(itertools.permutations(range(n))))
    place = n ** np.arange(n)[::-1]
    table = np.searchsorted(points @ place, points[:, points] @ place)  # they come sorted
    return FiniteGroup(table, f"symmetric({n})", [_cycles(p) for p in points.tolist()])


def direct_product(g: FiniteGroup, h: FiniteGroup) -> FiniteGroup:
    """Pairs (a, b) multiplied componentwise; the pair is element a |H| + b.

    >>> direct_product(cyclic(2), cyclic(3)).order
    6
    """
    check_group(g)
    check_group(h)
    a, b = np.divmod(np.arange(g.order * h.order), h.order)
    table = g.table[a[:, None], a] * h.order + h.table[b[:, None], b]
    labels = [f"({x}, {y})" for x in g.labels for y in h.labels]
    return FiniteGroup(table, f"direct_product({g}, {h})", labels)


def semidirect_product(n: FiniteGroup, h: FiniteGroup, automorphisms: Any) -> FiniteGroup:
    r"""$N \rtimes H$: products (x, a)(y, b) = $(x\, \alpha_a(y), ab)$; the pair (x, a) is element a |N| + x.

    Args:
        n, h: the normal factor and the factor that acts on it.
        automorphisms: $\alpha_a(x)$ at [a, x], integers, shape (|H|, |N|).

    Raises:
        ValueError: a row is no automorphism of N, or a -> row a is no homomorphism.

    >>> semidirect_product(cyclic(3), cyclic(2), [[0, 1, 2], [0, 2, 1]]) == dihedral(3)
    True
    """
    check_group(n)
    check_group(h)
    alpha = np.asarray(automorphisms)
    if alpha.shape != (h.order, n.order) or alpha.dtype.kind not in "iu":
        raise ValueError(
            f"expected automorphisms as integers of shape {(h.order, n.order)}, one row for each element of {h}; "
            f"got {alpha.dtype} of shape {alpha.shape}."
        )
    for i, row in enumerate(alpha):
        if not np.array_equal(np.sort(row), np.arange(n.order)) or (row[n.table] != n.table[row[:, None], row]).any():
            raise ValueError(
                f"expected automorphisms of {n}; got row {i} = {row.tolist()}, which is none; "
                "it must permute the elements and keep products."
            )
    for i, j in itertools.product(h.elements, h.elements):
        if not np.array_equal(alpha[h.table[i, j]], alpha[i][alpha[j]]):
            raise ValueError(
                f"expected automorphisms of {n} that compose as {h} does; row {h.table[i, j]} is not row {i} after "
                f"row {j}; check the order of the rows."
            )
    a, x = np.divmod(np.arange(h.order * n.order), n.order)
    table = h.table[a[:, None], a] * n.order + n.table[x[:, None], alpha[a[:, None], x]]
    labels = [f"({x}, {y})" for y in h.labels for x in n.labels]
    return FiniteGroup(table, f"semidirect_product({n}, {h}, ...)", labels)


def _cycles(permutation: list[int]) -> str:
    left, text = set(range(len(permutation))), ""
    while left:
        cycle = [min(left)]
        while (image := permutation[cycle[-1]]) != cycle[0]:
            cycle.append(image)
        left -= set(cycle)
        text += f"({' '.join(map(str, cycle))})" if len(cycle) > 1 else ""
    return text or "e"
