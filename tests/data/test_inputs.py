"""Inputs without labels, from files that may be wrong."""

import numpy as np
import pytest

from equitangents.data import load_inputs

X = np.array([[0.5, -1.0], [2.0, 0.25], [1.0, 3.0]])


def test_one_array_is_the_same_from_every_kind_of_file(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", x=X)
    np.savez(tmp_path / "labelled.npz", x=X, y=np.array([0, 1, 1]))
    np.savetxt(tmp_path / "x.csv", X, delimiter=",")
    for name in ("x.npy", "x.npz", "labelled.npz", "x.csv"):
        found = load_inputs(tmp_path / name)
        np.testing.assert_array_equal(found, X)
        assert found.dtype == np.float64


def test_eight_bit_pixels_are_scaled_and_data_sets_known_by_name(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[0, 255]], np.uint8))
    np.testing.assert_array_equal(load_inputs(tmp_path / "x.npy"), [[0, 1]])
    assert load_inputs("digits").shape == (1797, 8, 8, 1)


WRONG = {
    "objects": ("x.npy", lambda path: np.save(path, np.array([[{}]]), allow_pickle=True), "may run code"),
    "one example": ("x.npy", lambda path: np.save(path, X[0]), r"one example is x\[None\]"),
    "text": ("x.npy", lambda path: np.save(path, np.array([["a"]])), "expected numbers"),
    "not finite": ("x.npy", lambda path: np.save(path, X * np.nan), "expected finite numbers"),
    "cut": ("x.npy", lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), "expected a plain array"),
    "no x": ("x.npz", lambda path: np.savez(path, z=X), "expected an array x"),
    "a heading": ("x.csv", lambda path: path.write_text("a,b\n1,2\n"), "no heading"),
    "ragged": ("x.csv", lambda path: path.write_text("1,2\n1\n"), "expected lines of numbers"),
    "empty": ("x.csv", lambda path: path.write_text(""), "expected inputs"),
    "missing": ("x.npy", lambda path: None, "does not exist"),
    "missing data": ("nothing", lambda path: None, "does not exist"),
}


@pytest.mark.parametrize("name, write, message", WRONG.values(), ids=WRONG)
def test_anything_else_is_refused_in_one_line(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message) as caught:
        load_inputs(tmp_path / name)
    assert "\n" not in str(caught.value)
