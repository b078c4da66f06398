"""Splits are reproducible, stratified, and never put one group on both sides."""

import numpy as np
import pytest

from equitangents.data import Dataset, load, split


def labelled(y, **parts):
    y = np.asarray(y)
    return Dataset(np.ones((len(y), 1)), y, tuple(str(c) for c in range(y.max() + 1)), **parts)


def counts(dataset, indices):
    return np.bincount(dataset.y[indices], minlength=len(dataset.classes))


@pytest.mark.parametrize("train, test", [(100, 50), (1000, 797), (10, 10), (333, 1464)])
def test_sides_have_the_sizes_asked_for_share_nothing_and_are_stratified(train, test):
    digits = load("digits")
    a, b = split(digits, train=train, test=test, seed=0)
    assert (len(set(a)), len(set(b))) == (train, test) and not set(a) & set(b)
    share = counts(digits, np.arange(1797)) / 1797
    assert np.all(np.abs(counts(digits, a) - train * share) < 2) and np.all(
        np.abs(counts(digits, b) - test * share) < 1
    )


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    digits = load("digits")
    first, again, other = (split(digits, train=90, test=50, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert set(first[1]) != set(other[1]) and np.all(np.diff(first[0]) > 0)


def test_test_examples_do_not_depend_on_the_number_of_training_examples():
    digits = load("digits")
    small, large = (split(digits, train=train, test=200, seed=3) for train in (100, 1000))
    np.testing.assert_array_equal(small[1], large[1])
    assert len(set(small[0]) - set(large[0])) == 0


def test_a_split_of_the_data_is_respected():
    side = np.array(["train", "test", "train"] * 40)
    data = labelled(np.arange(120) % 2, split=side)
    train, test = split(data, train=60, test=20, seed=0)
    assert set(side[train]) == {"train"} and set(side[test]) == {"test"} and (len(train), len(test)) == (60, 20)
    with pytest.raises(ValueError, match="at least 41 examples for test, got 40"):
        split(data, train=60, test=41, seed=0)


@pytest.mark.parametrize("seed", range(8))
def test_groups_never_straddle_and_the_classes_keep_their_shares(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(40, size=1000)
    data = labelled(rng.integers(5, size=1000), groups=groups)
    train, test = split(data, train=500, test=200, seed=seed)
    assert not set(groups[train]) & set(groups[test])
    share = counts(data, np.arange(1000)) / 1000
    assert np.all(np.abs(counts(data, test) - 200 * share) < 1)
    assert np.all(np.abs(counts(data, train) - 500 * share) < 25)


def test_groups_of_one_class_each_can_be_split_without_waste():
    y = np.repeat(np.arange(4), 20)
    data = labelled(y)
    groups = np.arange(80) // 5  # four groups of five in each class
    train, test = split(data, train=60, test=20, seed=0, by=groups)
    assert counts(data, train).tolist() == [15] * 4 and counts(data, test).tolist() == [5] * 4
    assert not set(groups[train]) & set(groups[test])


RARE = labelled([0] * 99 + [1])
PAIR = labelled([0, 1] * 10)
BAD = {
    "more than there are": (PAIR, {"train": 15, "test": 6}, "at least 15 examples for train, got 14"),
    "fewer than classes": (PAIR, {"train": 1, "test": 2}, "train of at least 2"),
    "a rare class": (RARE, {"train": 50, "test": 20}, "example of class '1', got none"),
    "two groups, both needed": (
        PAIR,
        {"train": 12, "test": 6, "by": np.arange(20) // 10},
        "none of the 2 may be on both",
    ),
    "one group": (PAIR, {"train": 6, "test": 6, "by": np.zeros(20, int)}, "none of the 1 may be on both"),
    "groups of another length": (PAIR, {"train": 6, "test": 6, "by": np.zeros(3, int)}, r"expected shape \(20,\)"),
}


@pytest.mark.parametrize("data, options, message", BAD.values(), ids=BAD)
def test_what_cannot_be_split_is_refused_in_one_line(data, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        split(data, seed=0, **options)
    assert "\n" not in str(caught.value)


def test_given_groups_must_not_contradict_the_split_of_the_data():
    data = labelled([0, 1, 0, 1], split=np.array(["train", "train", "test", "test"]))
    with pytest.raises(ValueError, match="1 on both, the first 5"):
        split(data, train=2, test=2, seed=0, by=np.array([1, 5, 5, 2]))
