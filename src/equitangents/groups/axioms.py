"""The axioms of a group, checked on its multiplication table; each failure is one line that names the elements."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def generated(table: np.ndarray, generators: Sequence[int]) -> tuple[int, ...]:
    """All products (..(a b) c ..) of generators, sorted."""
    reached = np.zeros(len(table), bool)
    new = np.unique(generators)
    while new.size:
        reached[new] = True
        products = np.unique(table[new][:, list(generators)])
        new = products[~reached[products]]
    return tuple(np.flatnonzero(reached).tolist())


def generating_set(table: np.ndarray, candidates: Iterable[int]) -> list[int]:
    """Those of the candidates that are no products of the ones before."""
    chosen: list[int] = []
    reached: set[int] = set()
    for a in candidates:
        if a not in reached:
            chosen.append(a)
            reached = set(generated(table, chosen))
        if len(reached) == len(table):
            break
    return chosen


def closed_table(table: Any) -> np.ndarray:
    """The table as integers, square and with products among its elements."""
    try:
        table = np.asarray(table)
    except ValueError:
        raise ValueError(
            "expected a square multiplication table; got rows of different lengths; fill them in."
        ) from None
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.size == 0:
        raise ValueError(
            f"expected a square multiplication table of at least one element; got shape {table.shape}; "
            "give table[a, b] = index of a*b for all pairs."
        )
    if table.dtype.kind not in "iu":
        raise ValueError(
            f"expected a table of integers; got {table.dtype}; give the index of each product, 0 to {len(table) - 1}."
        )
    outside = np.argwhere((table < 0) | (table >= len(table)))
    if outside.size:
        a, b = outside[0]
        raise ValueError(
            f"expected products from 0 to {len(table) - 1}; got table[{a}, {b}] = {table[a, b]}; "
            "a group is closed, so number its elements from 0."
        )
    return table.astype(np.int32)


def find_identity(table: np.ndarray) -> int:
    """The element e with ea = ae = a for all a."""
    order = np.arange(len(table))
    found = np.flatnonzero((table == order).all(1) & (table == order[:, None]).all(0))
    if not found.size:
        raise ValueError(
            f"expected an identity e with e*a = a*e = a; got a table of {len(table)} elements with none; "
            "check that table[a, b] is a*b."
        )
    return int(found[0])


def find_inverses(table: np.ndarray, identity: int) -> np.ndarray:
    """The inverse of each element, from both sides."""
    inverse = np.argmax(table == identity, axis=1)
    order = np.arange(len(table))
    missing = np.flatnonzero((table[order, inverse] != identity) | (table[inverse, order] != identity))
    if missing.size:
        raise ValueError(
            f"expected an inverse of each element; got none for element {missing[0]} "
            f"(identity {identity}); each row and column must hold each element once."
        )
    return inverse


def check_associative(table: np.ndarray) -> None:
    """Light's test: (x a) y = x (a y) for all x, y and a in a generating set implies it for all a."""
    for a in generating_set(table, range(len(table))):
        wrong = table[table[:, a]] != table[:, table[a]]
        if wrong.any():
            x, y = np.argwhere(wrong)[0]
            raise ValueError(
                f"expected an associative table; got ({x}*{a})*{y} = {table[table[x, a], y]} but "
                f"{x}*({a}*{y}) = {table[x, table[a, y]]}; check these products."
            )
