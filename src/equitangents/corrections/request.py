r"""What is asked of a Gaussian vector: means $\langle X \rangle$ and covariances $\langle X Y \rangle_c$.

X and Y are products of derivatives of the nonlinearity. A `Request` is a pair of blobs (X, Y), each a sorted tuple of
(sample, order) for the factors $\sigma^{(order)}(z_{sample})$; an empty Y asks for the mean of X. Covariances are asked
for as such: for tiny K both terms agree in most digits.
"""

import functools
from collections import Counter
from typing import NamedTuple

import numpy as np

from .term import Blob

Request = tuple[Blob, Blob]
Sum = dict[Request, float]


def samples_of(request: Request) -> tuple[int, ...]:
    """The distinct samples, sorted.

    >>> samples_of((((3, 1), (5, 0)), ((3, 0),)))
    (3, 5)
    """
    return tuple(sorted({sample for blob in request for sample, _ in blob}))


def relabel(request: Request) -> Request:
    """The same with samples called 0, 1, ... in their order."""
    position = {sample: i for i, sample in enumerate(samples_of(request))}
    x, y = (tuple((position[sample], order) for sample, order in blob) for blob in request)
    return x, y


def _derivative(blob: Blob, sample: int) -> Counter[Blob]:
    r"""$\partial_{sample}$ of the product, as blobs with multiplicities."""
    terms: Counter[Blob] = Counter()
    for place, (at, order) in enumerate(blob):
        if at == sample:
            terms[tuple(sorted((*blob[:place], (at, order + 1), *blob[place + 1 :])))] += 1
    return terms


def _second(blob: Blob, i: int, j: int) -> Counter[Blob]:
    terms: Counter[Blob] = Counter()
    for first, count in _derivative(blob, i).items():
        for second, times in _derivative(first, j).items():
            terms[second] += count * times
    return terms


def price(request: Request, i: int, j: int) -> Sum:
    r"""Derivative of the value with respect to $K_{ij}$, $i \le j$ (one variable with $K_{ji}$), in requests again.

    $\partial \langle f \rangle / \partial K_{ij} = \langle \partial_i \partial_j f \rangle$, half of it for i = j.
    References: Price (1958), IRE Transactions on Information Theory 4, 69.
    """
    x, y = request
    total: Sum = {}

    def add(key: Request, coefficient: float) -> None:
        total[key] = total.get(key, 0.0) + (coefficient / 2 if i == j else coefficient)

    for blob, count in _second(x, i, j).items():
        add((blob, y), count)
    for blob, count in _second(y, i, j).items():
        add((x, blob), count)
    for one, two in ((i, j), (j, i)):
        for dx, count in _derivative(x, one).items():
            for dy, times in _derivative(y, two).items():
                add((tuple(sorted(dx + dy)), ()), count * times)
    return total


class Group(NamedTuple):
    """Requests over equally many distinct samples.

    Attributes:
        subsets: (number, size) the samples.
        patterns: what is asked of each subset, its samples called 0, 1, ...
    """

    subsets: np.ndarray
    patterns: tuple[Request, ...]


class Plan(NamedTuple):
    """How a list of requests is evaluated: every pattern of a group at every subset, and where each request is then.

    Attributes:
        groups: of 1, 2, ... distinct samples.
        where: position of each request among the values of all groups, one after the other.
    """

    groups: tuple[Group, ...]
    where: np.ndarray


def plan(requests: tuple[Request, ...]) -> Plan:
    """Group the requests by the number of their samples."""
    names = [(samples_of(request), relabel(request)) for request in requests]
    groups, where, offset = [], np.zeros(len(requests), int), 0
    for size in sorted({len(samples) for samples, _ in names}):
        subsets = sorted({samples for samples, _ in names if len(samples) == size})
        patterns = sorted({pattern for samples, pattern in names if len(samples) == size})
        row = {samples: i for i, samples in enumerate(subsets)}
        column = {pattern: i for i, pattern in enumerate(patterns)}
        for place, (samples, pattern) in enumerate(names):
            if len(samples) == size:
                where[place] = offset + row[samples] * len(patterns) + column[pattern]
        groups.append(Group(np.array(subsets).reshape(len(subsets), size), tuple(patterns)))
        offset += len(subsets) * len(patterns)
    return Plan(tuple(groups), where)


class Tangent(NamedTuple):
    """Derivatives of the values of `patterns` with respect to K: sums of values of `raised`.

    Attributes:
        raised: requests.
        entries: rows (pattern, i, j, place in raised).
        coefficients: one for each row.
    """

    raised: tuple[Request, ...]
    entries: np.ndarray
    coefficients: np.ndarray


@functools.lru_cache(maxsize=256)
def tangent(patterns: tuple[Request, ...]) -> Tangent:
    """Price's theorem for all patterns at once."""
    places: dict[Request, int] = {}
    rows, coefficients = [], []
    for number, pattern in enumerate(patterns):
        samples = samples_of(pattern)
        for i in samples:
            for j in samples:
                for request, coefficient in price(pattern, i, j).items() if i <= j else ():
                    rows.append((number, i, j, places.setdefault(request, len(places))))
                    coefficients.append(coefficient)
    return Tangent(tuple(places), np.array(rows).reshape(-1, 4), np.array(coefficients))
