"""Gram matrices on disk: the same as in memory, continued after any accident, and bit by bit the same."""

import errno
import json
import os
import tempfile

import jax.numpy as jnp
import numpy as np
import pytest
import zarr

from equitangents import Dense, Flatten, Relu, Serial, nngp_and_ntk, ntk
from equitangents.scale import DamagedError, GramSpec, GramStore, Leading, compute_gram
from equitangents.scale.predict import predict
from equitangents.scale.store import manifest_digest, opened, versions

pytestmark = pytest.mark.optimised  # float32, bit by bit
NET = Serial(Dense(1, sigma_w=1.4, sigma_b=0.1), Relu(), Dense(1))
SPEC = GramSpec(NET, ("nngp", "ntk"))
X = np.random.default_rng(0).normal(size=(23, 5)).astype(np.float32)
SIDE = 6  # four rows of tiles, the last not full


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished store, which tests only read."""
    store = GramStore.create(tmp_path_factory.mktemp("gram"), SPEC, X, SIDE)
    assert compute_gram(store, SPEC, workers=2) == 10
    return store


@pytest.fixture
def begun(tmp_path):
    return GramStore.create(tmp_path / "gram", SPEC, X, SIDE)


def digests(store):
    return [store.matrix(name).digest() for name in store.kernels]


def test_both_kernels_are_those_in_memory(whole):
    for name, expected in zip(("nngp", "ntk"), nngp_and_ntk(NET, jnp.asarray(X)), strict=True):
        found = whole.matrix(name).to_array()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(found, found.T)


def test_products_diagonal_and_columns_are_those_of_the_whole_array(whole):
    matrix, v = whole.matrix(), np.random.default_rng(1).normal(size=(23, 3))
    array = matrix.to_array().astype(np.float64)
    np.testing.assert_allclose(matrix.matvec(v), array @ v, rtol=1e-13)
    np.testing.assert_allclose(matrix.matvec(v.astype(np.float32)), array @ v, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(matrix.diagonal(), np.diagonal(matrix.to_array()))
    np.testing.assert_array_equal(matrix.columns(8), matrix.to_array()[:, :8])
    np.testing.assert_array_equal(matrix.tile(3, 1), matrix.to_array()[18:, 6:12])
    np.testing.assert_allclose(Leading(matrix, 14).matvec(v[:14]), array[:14, :14] @ v[:14], rtol=1e-13)


def test_zarr_itself_reads_the_upper_half_and_finds_nothing_below(whole):
    array = zarr.open_array(str(whole.folder / "ntk.zarr"), mode="r")
    np.testing.assert_array_equal(array[:6, 6:], whole.matrix().to_array()[:6, 6:])
    assert np.isnan(array[18:, :18]).all()
    assert len(list((whole.folder / "ntk.zarr" / "c").glob("*/*"))) == 10


def test_predictions_are_products_with_the_cross_kernel(whole):
    a, new = np.random.default_rng(2).normal(size=(23, 2)), X[:8] + np.float32(0.1)
    expected = np.asarray(nngp_and_ntk(NET, jnp.asarray(new), jnp.asarray(X))[1], np.float64) @ a
    np.testing.assert_allclose(predict(whole, SPEC, "ntk", a, new), expected, rtol=1e-4, atol=1e-4)


def test_the_bits_depend_neither_on_threads_nor_on_the_order(whole, begun):
    for tile in reversed(begun.missing()):
        begun.compute(SPEC, *tile)
    assert digests(begun) == digests(whole)


def test_a_finished_store_is_left_as_it_is(whole):
    again = GramStore.create(whole.folder, SPEC, X, SIDE)
    assert compute_gram(again, SPEC) == 0


def shorten(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[17] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [shorten, flip_a_bit, os.unlink])
def test_a_damaged_tile_is_noticed_and_computed_again(begun, whole, damage):
    compute_gram(begun, SPEC)
    damage(begun.matrix("ntk").chunks.path(1, 2))
    with pytest.raises(DamagedError, match="expected a whole tile"):
        begun.matrix("ntk").to_array()
    assert begun.missing() == [(1, 2)]
    assert compute_gram(begun, SPEC) == 1
    assert digests(begun) == digests(whole)


def test_a_full_disk_stops_with_advice_and_the_same_command_continues(begun, whole, monkeypatch):
    real, count = tempfile.mkstemp, iter(range(100))

    def on_a_full_disk(*arguments, **named):
        handle, path = real(*arguments, **named)
        if next(count) >= 7:  # the device /dev/full is a disk without room
            os.dup2(os.open("/dev/full", os.O_WRONLY), handle)
        return handle, path

    monkeypatch.setattr(tempfile, "mkstemp", on_a_full_disk)
    with pytest.raises(OSError, match="the disk is full: free some space and run the same command again") as caught:
        compute_gram(begun, SPEC, workers=1)
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert not list(begun.folder.rglob(".part-*"))
    assert 0 < compute_gram(begun, SPEC) < 10
    assert digests(begun) == digests(whole)


@pytest.mark.parametrize(
    ("spec", "x", "side", "named"),
    [
        (SPEC, X[:-1], SIDE, "n = 22"),
        (SPEC, X + np.float32(1), SIDE, "data = "),
        (SPEC, X, 7, "tile = 7"),
        (GramSpec(NET), X, SIDE, "kernels = "),
        (GramSpec(Serial(Dense(1), Relu(), Dense(1)), SPEC.kernels), X, SIDE, "net = "),
    ],
    ids=["size", "inputs", "tile", "kernel", "network"],
)
def test_another_matrix_is_not_mixed_in(whole, spec, x, side, named):
    with pytest.raises(ValueError, match=f"expected a Gram matrix with {named}.*choose another folder"):
        GramStore.create(whole.folder, spec, x, side)


def test_a_worker_refuses_another_store_and_other_versions(tmp_path):
    store = GramStore.create(tmp_path / "a", GramSpec(NET), X[:4], 4)
    with pytest.raises(ValueError, match="share that folder"):
        opened(str(store.folder), "0")
    manifest = store.manifest | {"versions": versions() | {"jax": "0.0"}}
    (store.folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="install the same everywhere"):
        opened(str(store.folder), manifest_digest(manifest))


def test_a_second_driver_is_refused(begun):
    from equitangents.files import locked

    with locked(begun.folder), pytest.raises(RuntimeError, match="one is at work"):
        compute_gram(begun, SPEC)


def test_the_averaged_kernel_is_the_mean_over_both_orbits(tmp_path):
    images = np.random.default_rng(3).normal(size=(5, 4, 4, 1)).astype(np.float32)
    net = Serial(Flatten(), *NET.layers)
    spec = GramSpec(net, ("ntk",), "C4")
    store = GramStore.create(tmp_path, spec, images, 5)
    compute_gram(store, spec)
    turned = np.rot90(images[3:], axes=(1, 2))
    found = store.matrix().to_array()
    flat = lambda x: jnp.asarray(x.reshape(-1, 16))  # noqa: E731
    orbit = [np.rot90(images, k, axes=(1, 2)) for k in range(4)]
    expected = np.mean([ntk(NET, flat(a), flat(b)) for a in orbit for b in orbit], axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    a = np.eye(5)
    np.testing.assert_allclose(predict(store, spec, "ntk", a, turned), found[3:], rtol=1e-5)  # it is invariant


def test_an_average_that_is_not_symmetric_is_refused(tmp_path):
    from equitangents import Conv

    net = Serial(Conv(1, (1, 2)), Flatten(), Dense(1))
    images = np.random.default_rng(3).normal(size=(3, 4, 4, 1)).astype(np.float32)
    with pytest.raises(ValueError, match="expected a kernel that C4 leaves as it is"):
        GramStore.create(tmp_path, GramSpec(net, ("ntk",), "C4"), images, 3)
