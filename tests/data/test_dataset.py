"""A Dataset refuses what would make a comparison meaningless, and its digest is that of its content."""

import dataclasses

import numpy as np
import pytest

from equitangents.data import Dataset, load

GOOD = {
    "x": np.linspace(0, 1, 4 * 9).reshape(4, 3, 3, 1),
    "y": np.array([0, 1, 0, 1]),
    "classes": ("a", "b"),
    "split": np.array(["train", "train", "test", "test"]),
    "groups": np.array([0, 0, 1, 2]),
}
NAN = GOOD["x"].copy()
NAN[2, 0, 0, 0] = np.nan
BAD = {
    "integers": ({"x": np.ones((4, 2), int)}, TypeError, "expected floats, got int64"),
    "no examples": ({"x": np.ones((0, 2))}, ValueError, "data are empty"),
    "no features": ({"x": np.ones((4, 0))}, ValueError, "data are empty"),
    "images without channels": ({"x": np.ones((4, 3, 3))}, ValueError, r"got shape \(4, 3, 3\)"),
    "NaN": ({"x": NAN}, ValueError, "1 of 4 examples, the first at index 2"),
    "infinity": ({"x": np.full((4, 2), np.inf)}, ValueError, "4 of 4 examples"),
    "labels too few": ({"y": np.array([0, 1])}, ValueError, r"y: expected shape \(4,\)"),
    "labels as a column": ({"y": np.array([[0], [1], [0], [1]])}, ValueError, r"y: expected shape \(4,\)"),
    "negative label": ({"y": np.array([0, -1, 0, 1])}, ValueError, "from 0 to 1, got -1"),
    "label beyond the classes": ({"y": np.array([0, 2, 0, 1])}, ValueError, "from 0 to 1, got 2"),
    "float labels": ({"y": np.array([0.0, 1, 0, 1])}, TypeError, "integer labels, got float64"),
    "one class": ({"y": np.zeros(4, int), "classes": ("a",)}, ValueError, "at least 2 classes, got 1"),
    "a class twice": ({"classes": ("a", "a")}, ValueError, "distinct class names"),
    "a class that is a line break": ({"classes": ("a", "b\n")}, ValueError, "printable"),
    "split too short": ({"split": np.array(["train", "test"])}, ValueError, "split: expected shape"),
    "a third side": ({"split": np.array(["train", "test", "val", "test"])}, ValueError, "'val'"),
    "no test": ({"split": np.array(["train"] * 4)}, ValueError, "no example marked 'test'"),
    "split as numbers": ({"split": np.array([0, 0, 1, 1])}, TypeError, "'train' and 'test'"),
    "groups as floats": ({"groups": np.array([0.0, 0, 1, 1])}, TypeError, "groups: expected integers"),
    "a group on both sides": ({"groups": np.array([0, 7, 7, 1])}, ValueError, "1 on both, the first 7"),
}


@pytest.mark.parametrize("change, kind, message", BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused_in_one_line(change, kind, message):
    with pytest.raises(kind, match=message) as caught:
        Dataset(**(GOOD | change))
    assert "\n" not in str(caught.value)


def test_good_data_are_accepted_and_cannot_be_changed():
    dataset = Dataset(**GOOD)
    with pytest.raises(ValueError, match="read-only"):
        dataset.x[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"
    assert GOOD["x"].flags.writeable
    assert repr(dataset) == "Dataset('', 4 examples of shape (3, 3, 1), 2 classes, 2 train and 2 test)"


def test_the_digest_sees_every_part_of_the_content_and_nothing_else():
    digest = Dataset(**GOOD).digest
    moved = GOOD["x"].copy()
    moved[0, 0, 0, 0] = 1e-9
    changes = [
        {"x": moved},
        {"x": GOOD["x"].reshape(4, 9)},
        {"x": GOOD["x"].astype(np.float32)},
        {"y": np.array([1, 0, 0, 1])},
        {"classes": ("a", "c")},
        {"split": None},
        {"groups": None},
    ]
    digests = {Dataset(**(GOOD | change)).digest for change in changes}
    assert len(digests | {digest}) == len(changes) + 1
    same = {"x": np.asfortranarray(GOOD["x"]).astype(">f8"), "name": "n", "source": "s"}
    assert Dataset(**(GOOD | same)).digest == digest


def test_digits_are_scikit_learns_divided_by_16():
    from sklearn.datasets import load_digits

    digits, raw = load("digits"), load_digits()
    assert digits.x.shape == (1797, 8, 8, 1) and digits.split is None
    np.testing.assert_array_equal(digits.x[..., 0] * 16, raw.images)
    np.testing.assert_array_equal(digits.y, raw.target)
    assert digits.classes[6] == "6" and (digits.x.min(), digits.x.max()) == (0, 1)


def test_digits_resized_and_in_colour_say_so():
    digits = load("digits", resize=16, channels=3)
    assert digits.x.shape == (1797, 16, 16, 3) and digits.x.dtype == np.float32
    assert "RGB" in digits.source and "8 x 8 to 16 x 16" in digits.source
    assert digits.digest != load("digits").digest


@pytest.mark.parametrize(
    "data, options, kind, message",
    [
        ("digitz", {}, FileNotFoundError, "did you mean 'digits'"),
        ("fashion_mnist", {}, FileNotFoundError, "did you mean 'fashion-mnist'"),
        ("", {"resize": 0}, ValueError, "at least 1 pixel, got 0"),
        ("digits", {"resize": 100_000}, ValueError, "at most 4 GiB"),
        ("digits", {"channels": 2}, ValueError, "expected 1 .* or 3"),
    ],
)
def test_wrong_requests_are_refused_in_one_line(data, options, kind, message):
    with pytest.raises(kind, match=message) as caught:
        load(data, **options)
    assert "\n" not in str(caught.value)


def test_a_misspelt_path_is_answered_with_what_lies_beside_it(tmp_path):
    (tmp_path / "leaves.npz").touch()
    with pytest.raises(FileNotFoundError, match=r"did you mean '.*leaves.npz'\?"):
        load(tmp_path / "leafs.npz")
    (tmp_path / "leaves.csv").touch()
    with pytest.raises(ValueError, match=r"expected an \.npz file or a folder"):
        load(tmp_path / "leaves.csv")
