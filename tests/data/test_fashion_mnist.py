"""Fashion-MNIST is found where it should be, in order, and only its own bytes are accepted."""

import gzip
import hashlib
import io
import urllib.error
import urllib.request

import numpy as np
import pytest

from equitangents.data import fashion_mnist, load

SHAPES = {"train-images": (6, 3, 3), "train-labels": (6,), "t10k-images": (4, 3, 3), "t10k-labels": (4,)}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A tiny stand-in for the four files, with no Debian package, an empty cache and no network; returns the files."""
    rng, packed, table = np.random.default_rng(0), {}, {}
    for name, (real, _) in zip(SHAPES, fashion_mnist.FILES.items(), strict=True):
        shape = SHAPES[name]
        content = b"\0\0\x08" + bytes([len(shape)]) + b"".join(side.to_bytes(4, "big") for side in shape)
        content += rng.integers(10, size=shape).astype(np.uint8).tobytes()
        packed[real] = gzip.compress(content)
        table[real] = (shape, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(fashion_mnist, "FILES", table)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("EQUITANGENTS_DATA", raising=False)
    serve(monkeypatch, {})
    return packed


def serve(monkeypatch, files):
    """A network that has these files and counts the requests."""
    asked = []

    def urlopen(url, timeout):
        asked.append(url)
        name = url.rsplit("/", 1)[1]
        if name not in files:
            raise urllib.error.URLError("no network")
        return io.BytesIO(files[name])

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def put(files, folder):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def test_the_real_data_have_their_published_shape_and_balance():
    if not fashion_mnist._complete(fashion_mnist.DEBIAN):
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    data = load("fashion-mnist")
    assert data.x.shape == (70000, 28, 28, 1) and data.x.dtype == np.float32
    assert np.bincount(data.y[data.split == "train"]).tolist() == [6000] * 10
    assert np.bincount(data.y[data.split == "test"]).tolist() == [1000] * 10
    assert data.classes[data.y[0]] == "Ankle boot"
    mean = data.x[:60000].mean(dtype=float)
    rms = np.sqrt(np.square(data.x[:60000]).mean(dtype=float))
    assert round(mean, 4) == 0.2860 and round(np.sqrt(rms**2 - mean**2), 4) == 0.3530  # widely used to normalise


def test_a_named_folder_comes_first_then_debian_then_the_cache(small, tmp_path, monkeypatch):
    put(small, tmp_path / "cache" / "equitangents" / "fashion-mnist")
    assert "downloaded" in load("fashion-mnist").source
    put(small, tmp_path / "debian")
    assert "Debian" in load("fashion-mnist").source
    put(small, tmp_path / "named" / "fashion-mnist")
    for folder in (tmp_path / "named", tmp_path / "named" / "fashion-mnist"):
        monkeypatch.setenv("EQUITANGENTS_DATA", str(folder))
        data = load("fashion-mnist")
        assert "EQUITANGENTS_DATA" in data.source
    assert data.x.shape == (10, 3, 3, 1) and data.split.tolist() == ["train"] * 6 + ["test"] * 4


def test_a_download_is_kept_so_that_the_network_is_asked_once(small, monkeypatch):
    asked = serve(monkeypatch, small)
    digest = load("fashion-mnist").digest
    assert len(asked) == 4
    assert load("fashion-mnist").digest == digest and len(asked) == 4
    assert sorted(p.name for p in fashion_mnist.cache_folder().iterdir()) == sorted(small)


def test_a_wrong_or_cut_download_leaves_nothing_behind(small, monkeypatch):
    last = list(small)[-1]
    for spoilt in (small[last][:-9], gzip.compress(b"a login page"), gzip.compress(bytes(10**6))):
        serve(monkeypatch, small | {last: spoilt})
        with pytest.raises(FileNotFoundError, match=r"got neither .*; install Debian's"):
            load("fashion-mnist")
        assert not (fashion_mnist.cache_folder() / last).exists()
    asked = serve(monkeypatch, small)
    load("fashion-mnist")
    assert len(asked) == 1  # the three good files were kept


def test_without_data_and_network_one_line_tells_the_three_ways(small):
    with pytest.raises(
        FileNotFoundError, match=r"dataset-fashion-mnist, set EQUITANGENTS_DATA .*, or go online"
    ) as caught:
        load("fashion-mnist")
    assert "\n" not in str(caught.value) and "no network" in str(caught.value)


def test_a_write_that_fails_leaves_nothing_behind_and_says_what_to_do(small, monkeypatch):
    serve(monkeypatch, small)

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fashion_mnist.os, "replace", full)
    with pytest.raises(ValueError, match=r"No space left on device.*XDG_CACHE_HOME"):
        load("fashion-mnist")
    assert list(fashion_mnist.cache_folder().iterdir()) == []


def test_a_cache_that_cannot_be_made_says_what_to_do(small, tmp_path, monkeypatch):
    serve(monkeypatch, small)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ValueError, match="expected a folder to keep the download in"):
        load("fashion-mnist")


def test_files_that_are_something_else_are_named(small, tmp_path, monkeypatch):
    name = next(iter(small))
    monkeypatch.setenv("EQUITANGENTS_DATA", str(tmp_path / "named"))
    with pytest.raises(FileNotFoundError, match="EQUITANGENTS_DATA: expected a folder"):
        load("fashion-mnist")
    put(small, tmp_path / "named")
    for content, message in ((b"no gzip", "expected a gzip file"), (gzip.compress(b"x"), "with sha256")):
        (tmp_path / "named" / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}': .*{message}"):
            load("fashion-mnist")
