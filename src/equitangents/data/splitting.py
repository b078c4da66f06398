"""Training and test examples: the same for the same seed, stratified by class, and no group on both sides."""

import numpy as np

from .dataset import Dataset, check_groups, check_length

ATTEMPTS = 50  # random orders of the groups that are tried before a split counts as impossible


def split(
    dataset: Dataset, *, train: int, test: int, seed: int, by: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of `train` training and `test` test examples, each class in proportion to its share of the data.

    The test examples are drawn first. Without groups they do not depend on `train`, so learning curves are paired.
    Data with a split of their own are subsampled inside it.

    Args:
        dataset: n examples.
        train, test: numbers of examples, each at least one per class.
        seed: of NumPy's default generator; the same seed gives the same indices.
        by: labels of groups (n,), no group on both sides; `dataset.groups` if None.

    Returns:
        Sorted indices, shapes (train,) and (test,).

    Raises:
        ValueError: too few examples, or too few groups.
    """
    groups = dataset.groups if by is None else by
    n, k = len(dataset.y), len(dataset.classes)
    if groups is not None:
        check_length("by", groups, n)
        check_groups(groups, dataset.split)
    for side, wanted in (("train", train), ("test", test)):
        if wanted < k:
            raise ValueError(f"split: expected {side} of at least {k}, one for each class, got {wanted}; ask for more.")
    rng = np.random.default_rng(seed)
    if dataset.split is not None:
        order = rng.permutation(n)
        sides = dataset.split[order]
        return (
            _take(dataset, order[sides == "train"], train, "train"),
            _take(dataset, order[sides == "test"], test, "test"),
        )
    if groups is None:
        order = rng.permutation(n)
        chosen = _take(dataset, order, test, "test")
        return _take(dataset, order[~np.isin(order, chosen)], train, "train"), chosen
    test_quotas = _quotas(dataset, np.arange(n), test, "test")
    failure = ValueError()
    for _ in range(ATTEMPTS):
        order = rng.permutation(n)
        in_test = _test_groups(dataset.y, groups, test_quotas, rng)[order]
        chosen = _first(dataset.y, order[in_test], test_quotas)
        try:
            return _take(dataset, order[~in_test], train, "train"), chosen
        except ValueError as error:
            failure = error
    count = len(np.unique(groups))
    raise ValueError(f"{str(failure)[:-1]}, or use smaller groups: none of the {count} may be on both sides.")


def _take(dataset: Dataset, pool: np.ndarray, wanted: int, side: str) -> np.ndarray:
    """The first examples of `pool` in each class, as many as its share of the pool, sorted."""
    return _first(dataset.y, pool, _quotas(dataset, pool, wanted, side))


def _first(y: np.ndarray, pool: np.ndarray, quotas: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate([pool[y[pool] == c][:quota] for c, quota in enumerate(quotas)]))


def _quotas(dataset: Dataset, pool: np.ndarray, wanted: int, side: str) -> np.ndarray:
    """Shares of `wanted` as the classes have in `pool`, rounded by largest remainders; never more than there are."""
    counts = np.bincount(dataset.y[pool], minlength=len(dataset.classes))
    total = len(pool)
    if wanted > total:
        raise ValueError(f"split: expected at least {wanted} examples for {side}, got {total}; ask for fewer.")
    quotas, remainders = np.divmod(wanted * counts.astype(np.int64), total)
    largest = np.argsort(-remainders, kind="stable")[: wanted - quotas.sum()]
    quotas[largest] += 1
    if quotas.min() == 0:
        name, have = dataset.classes[int(quotas.argmin())], int(counts[quotas.argmin()])
        raise ValueError(
            f"split: expected at least one {side} example of class {name!r}, got none ({have} of {total} examples are "
            f"of that class); ask for more or drop it."
        )
    return quotas


def _test_groups(y: np.ndarray, groups: np.ndarray, needed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which examples (n,) go to the test side: whole groups, first those of which every example is needed."""
    k = len(needed)
    _, members = np.unique(groups, return_inverse=True)
    table = np.bincount(members * k + y, minlength=(members.max() + 1) * k).reshape(-1, k)
    chosen = np.zeros(len(table), bool)
    shuffled = rng.permutation(len(table))
    for g in shuffled:
        if np.all(table[g] <= needed):
            chosen[g] = True
            needed = needed - table[g]
    while needed.any():
        useful = np.minimum(table[shuffled], needed).sum(axis=1) * ~chosen[shuffled]
        best = shuffled[np.argmax(useful / table[shuffled].sum(axis=1))]
        chosen[best] = True
        needed = np.maximum(needed - table[best], 0)
    return chosen[members]
