"""Pieces of work are whole or absent, and known by what they were made from."""

import errno
import os

import numpy as np
import pytest

from equitangents.studies.store import Store, digest_of, locked, whole_file

ARRAYS = {"a": np.arange(5.0), "b": np.array(["x", "y"])}


def test_a_piece_is_read_back_with_its_meta(tmp_path):
    store = Store(tmp_path / "new")
    store.save("one", "d", ARRAYS, {"seconds": 1.5})
    arrays, meta = store.load("one", "d")
    assert meta == {"seconds": 1.5} and list(arrays) == ["a", "b"]
    assert (arrays["a"] == ARRAYS["a"]).all()


def test_a_piece_made_from_something_else_is_not_there(tmp_path):
    store = Store(tmp_path)
    store.save("one", digest_of("old"), ARRAYS, {})
    assert store.load("one", digest_of("new")) is None and store.load("two", digest_of("old")) is None


@pytest.mark.parametrize("place", [0, 60, 200, -30])
def test_a_damaged_piece_is_noticed(tmp_path, place):
    store = Store(tmp_path)
    store.save("one", "d", ARRAYS, {})
    content = bytearray(store.path("one").read_bytes())
    content[place] ^= 0xFF
    store.path("one").write_bytes(bytes(content))
    found = store.load("one", "d")
    assert found is None or all((found[0][k] == ARRAYS[k]).all() for k in ARRAYS)
    store.path("one").write_bytes(bytes(content[: len(content) // 2]))
    assert store.load("one", "d") is None


def test_a_piece_with_pickled_objects_is_not_loaded(tmp_path):
    store = Store(tmp_path)
    np.savez(store.path("one"), __header__=np.array({"digest": "d"}, dtype=object), allow_pickle=True)
    assert store.load("one", "d") is None


def test_what_is_cut_short_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "file") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number, message", [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only")])
def test_a_full_disk_and_a_read_only_folder_are_said_in_one_line(tmp_path, monkeypatch, number, message):
    store = Store(tmp_path)

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=message) as caught:
        store.save("one", "d", ARRAYS, {})
    assert "\n" not in str(caught.value) and caught.value.errno == number
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_the_folder_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"in the way|part of that path"):
        Store(tmp_path / "file" / "pieces")


def test_two_runs_do_not_share_a_folder(tmp_path):
    with locked(tmp_path), pytest.raises(RuntimeError, match="no other run"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass
