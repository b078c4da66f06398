"""Arrays from a file: what is good is read as saved, what is wrong or hostile is one clear line."""

import io
import struct
import zipfile

import numpy as np
import pytest

from equitangents.data import load

X = (np.arange(4 * 9) % 256).astype(np.uint8).reshape(4, 3, 3)
Y = np.array([0, 1, 0, 1])


def saved(path, **arrays):
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def with_header(path, shape, descr="<f8", content=b"\0" * 8, key="x"):
    """An npz whose member `key` has a handwritten header."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    y = io.BytesIO()
    np.save(y, Y)
    with zipfile.ZipFile(path / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{key}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content)
        archive.writestr("y.npy" if key == "x" else "x.npy", y.getvalue())
    return path / "data.npz"


def test_eight_bit_images_are_scaled_and_get_a_channel(tmp_path):
    data = load(saved(tmp_path, x=X, y=Y))
    assert data.x.shape == (4, 3, 3, 1) and data.x.dtype == np.float32 and data.name == "data"
    np.testing.assert_allclose(data.x[..., 0], X / 255, rtol=1e-6)
    assert data.classes == ("0", "1")


@pytest.mark.parametrize(
    "given, held",
    [
        ("bool", "float32"),
        ("int16", "float32"),
        ("int64", "float64"),
        ("float16", "float32"),
        ("float32", "float32"),
        (">f4", "float32"),
        ("float64", "float64"),
    ],
)
def test_numbers_other_than_bytes_keep_their_values(tmp_path, given, held):
    x = (np.arange(8).reshape(4, 2) % 2).astype(given)
    data = load(saved(tmp_path, x=x, y=Y))
    assert data.x.dtype == held and data.x.dtype.isnative
    np.testing.assert_array_equal(data.x, x.astype(float))


def test_strings_and_gaps_in_labels_are_numbered_in_order(tmp_path):
    x = np.ones((4, 2))
    assert load(saved(tmp_path, x=x, y=np.array(["b", "a", "b", "é"]))).classes == ("a", "b", "é")
    assert load(saved(tmp_path, x=x, y=np.array([b"b", b"a", b"b", b"a"]))).y.tolist() == [1, 0, 1, 0]
    data = load(saved(tmp_path, x=x, y=np.array([30, 4, 4, 30], np.uint8)))
    assert data.classes == ("4", "30") and data.y.tolist() == [1, 0, 0, 1]
    assert load(saved(tmp_path, x=x, y=Y.astype(bool))).classes == ("False", "True")


def test_split_and_groups_are_kept(tmp_path):
    split, groups = np.array(["train", "test", "train", "test"]), np.array(["p1", "p2", "p1", "p3"])
    data = load(saved(tmp_path, x=X, y=Y, split=split, groups=groups))
    assert data.split.tolist() == split.tolist() and data.groups.tolist() == [0, 1, 0, 2]
    assert load(saved(tmp_path, x=X, y=Y, split=split.astype("S"))).split.tolist() == split.tolist()


def test_images_that_are_not_square_need_resize(tmp_path):
    path = saved(tmp_path, x=np.ones((4, 3, 5, 3)), y=Y)
    with pytest.raises(ValueError, match="expected square images, got 3 x 5"):
        load(path)
    data = load(path, resize=4, channels=1)
    assert data.x.shape == (4, 4, 4, 1)
    np.testing.assert_allclose(data.x, 1)


SPLIT = np.array(["train", "train", "test", "test"])
BAD = {
    "no labels": ({"x": X}, ValueError, "expected arrays x and y, got 'x'"),
    "a misspelt key": ({"x": X, "y": Y, "gruops": Y}, ValueError, "got also 'gruops'"),
    "one class": ({"x": X, "y": Y * 0}, ValueError, "at least 2 classes, got 1"),
    "lengths": ({"x": X, "y": Y[:3]}, ValueError, r"y: expected shape \(4,\).*got \(3,\)"),
    "float labels": ({"x": X, "y": Y * 1.0}, TypeError, "integers or strings, got float64"),
    "negative labels": ({"x": X, "y": Y - 1}, ValueError, "from 0, got -1"),
    "label that is no UTF-8": ({"x": X, "y": np.array([b"\xff", b"a", b"a", b"a"])}, ValueError, "UTF-8"),
    "label that is no text": ({"x": X, "y": np.array(["a", "b\x1b[2J", "a", "a"])}, ValueError, "printable"),
    "NaN": ({"x": np.full((4, 2), np.nan), "y": Y}, ValueError, "NaN or infinity in 4 of 4"),
    "float64 beyond its range": ({"x": np.full((4, 2), np.inf), "y": Y}, ValueError, "NaN or infinity"),
    "empty": ({"x": X[:0], "y": Y[:0]}, ValueError, "empty|at least"),
    "a number": ({"x": np.float64(3), "y": Y}, ValueError, "x:"),
    "text as inputs": ({"x": np.array(["a"] * 4), "y": Y}, TypeError, "x: expected numbers, got <U1"),
    "complex": ({"x": np.ones((4, 2), complex), "y": Y}, ValueError, "expected numbers or strings, got complex128"),
    "records": ({"x": np.zeros(4, [("a", "i4")]), "y": Y}, ValueError, "expected numbers or strings"),
    "objects": ({"x": X, "y": np.array(["a", 1, None, {}], object)}, ValueError, "y: .*Python objects"),
    "five dimensions": ({"x": np.ones((4, 1, 2, 2, 1)), "y": Y}, ValueError, r"got shape \(4, 1, 2, 2, 1\)"),
    "a group on both sides": ({"x": X, "y": Y, "split": SPLIT, "groups": np.array(list("abbc"))}, ValueError, "'b'"),
    "split as numbers": ({"x": X, "y": Y, "split": Y}, TypeError, "'train' and 'test'"),
    "split with a third word": ({"x": X, "y": Y, "split": np.array(list("abcd"))}, ValueError, "'train' and 'test'"),
}


@pytest.mark.parametrize("arrays, kind, message", BAD.values(), ids=BAD)
def test_wrong_arrays_are_refused_in_one_line(tmp_path, arrays, kind, message):
    path = saved(tmp_path, **arrays)
    with pytest.raises(kind, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value) and "data.npz" in str(caught.value)


def test_vectors_cannot_be_resized(tmp_path):
    with pytest.raises(ValueError, match="expected images, got vectors"):
        load(saved(tmp_path, x=np.ones((4, 9)), y=Y), resize=3)


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    path = saved(tmp_path, x=X, y=np.array([Trap()] * 4, object))
    with pytest.raises(ValueError, match="Python objects"):
        load(path)
    assert not (tmp_path / "sprung").exists()
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "sprung").encode() + b"'\ntR.")
    with pytest.raises(ValueError, match="no whole zip"):
        load(path)
    assert not (tmp_path / "sprung").exists()


HEADERS = {
    "terabytes": ("(1000000000000,)", "<f8", "at most 4 GiB of inputs"),
    "more than 64 bits can count": ("(1000000, 1000000, 1000000, 1000000, 1000000)", "<f8", "at most 4 GiB"),
    "bytes that are too many as floats": ("(2000000000,)", "|u1", "at most 4 GiB"),
    "endless strings": ("(4,)", "<U400000000", "at most 4 GiB"),
    "more than the file holds": ("(100, 100)", "<f8", "expected 80000 bytes .* got 8 in the file"),
    "negative sides": ("(-1, -1)", "<f8", "bytes for shape"),
    "objects": ("(1,)", "|O", "Python objects"),
    "no dtype": ("(1,)", "<q9", "plain array"),
    "code": ("__import__('os')", "<f8", "plain array"),
    "deep nesting": ("(" * 3000 + ")" * 3000, "<f8", "plain array"),
    "a long header": ("(" + "1," * 20000 + ")", "<f8", "plain array"),
}


@pytest.mark.parametrize("shape, descr, message", HEADERS.values(), ids=HEADERS)
def test_a_header_that_lies_is_refused_before_memory_is_asked_for(tmp_path, shape, descr, message):
    for key in ("x", "y"):
        path = with_header(tmp_path, shape, descr, key=key)
        with pytest.raises(ValueError, match=f"{key}: .*{message}") as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_a_bomb_of_zeros_is_refused_by_its_claim(tmp_path):
    claimed = 2**21
    path = with_header(tmp_path, f"({claimed},)", content=bytes(8 * 2**15))  # far fewer bytes than claimed
    with pytest.raises(ValueError, match=f"expected {8 * claimed} bytes"):
        load(path)


def test_every_truncation_and_a_flipped_bit_are_noticed(tmp_path):
    x = np.random.default_rng(0).random((4, 99, 99))
    path = saved(tmp_path, x=x, y=Y)
    whole = path.read_bytes()
    for length in [0, 1, 30, len(whole) // 2, len(whole) - 30, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="no whole zip"):
            load(path)
    at = whole.index(x[3, -1].tobytes())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(ValueError, match="x: expected whole data"):
        load(path)


def test_random_damage_gives_an_error_of_ours_or_the_data(tmp_path):
    path = saved(tmp_path, x=X, y=Y)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        hurt = whole.copy()
        hurt[rng.integers(len(hurt), size=3)] = rng.integers(256, size=3)
        path.write_bytes(hurt.tobytes())
        try:
            load(path)
        except (ValueError, TypeError) as error:
            refused += 1
            assert "\n" not in str(error) and "data.npz" in str(error)
    assert refused > 200


def test_a_locked_member_is_refused(tmp_path):
    path = saved(tmp_path, x=X, y=Y)
    raw = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says "encrypted", in both headers
        raw[raw.index(mark) + offset] |= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(ValueError, match="password"):
        load(path)
