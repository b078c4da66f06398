"""Folders of images: pixels as saved, and one clear line that names the file for everything else."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from equitangents.data import load

RNG = np.random.default_rng(0)


def image(*shape, high=255, kind=np.uint8):
    return RNG.integers(0, high, shape, endpoint=True).astype(kind)


def folder(root, **classes):
    """root/class/0.png, ...; double underscores in a class name mean a deeper folder."""
    for name, images in classes.items():
        place = root.joinpath(*name.split("__"))
        place.mkdir(parents=True)
        for i, pixels in enumerate(images):
            Image.fromarray(pixels).save(place / f"{i}.png")
    return root


def test_grey_images_are_read_as_saved_in_the_order_of_names(tmp_path):
    cats, dogs = [image(4, 4), image(4, 4)], [image(4, 4)]
    (tmp_path / "README.txt").touch()
    data = load(folder(tmp_path, dog=dogs, cat=cats))
    assert data.classes == ("cat", "dog") and data.y.tolist() == [0, 0, 1] and data.split is None
    np.testing.assert_allclose(data.x[..., 0] * 255, np.stack(cats + dogs), rtol=1e-6)
    assert data.x.dtype == np.float32 and tmp_path.name in data.source and str(tmp_path) not in data.source


def test_colours_bits_palettes_and_sixteen_bits_are_read(tmp_path):
    rgb, deep = image(4, 4, 3), image(4, 4, high=65535, kind=np.uint16)
    root = folder(tmp_path, a=[rgb], b=[rgb])
    Image.fromarray(rgb).quantize(64).save(root / "b" / "1.png")
    Image.fromarray(np.dstack([rgb, np.full((4, 4), 255, np.uint8)])).save(root / "b" / "2.png")
    data = load(root)
    assert data.x.shape == (4, 4, 4, 3)
    for i in (0, 1, 2, 3):
        np.testing.assert_allclose(data.x[i] * 255, rgb, rtol=1e-6, atol=1e-5)
    grey = folder(tmp_path / "grey", a=[deep], b=[image(4, 4)])
    Image.fromarray(image(4, 4) > 99).save(grey / "b" / "1.png")
    data = load(grey)
    np.testing.assert_allclose(data.x[0, ..., 0] * 65535, deep, rtol=1e-6)
    assert set(np.unique(data.x[2])) <= {0.0, 1.0}


def test_train_and_test_folders_give_the_split(tmp_path):
    one = [image(4, 4)]
    data = load(folder(tmp_path, train__a=one * 2, train__b=one, test__a=one, test__b=one))
    assert data.split.tolist() == ["train"] * 3 + ["test"] * 2 and data.y.tolist() == [0, 0, 1, 0, 1]


def test_grey_and_colour_images_of_several_sizes_become_alike_on_request(tmp_path):
    root = folder(tmp_path, a=[image(4, 4), image(6, 5, 3)], b=[image(9, 3)])
    assert load(root, resize=4, channels=3).x.shape == (3, 4, 4, 3)
    assert load(root, resize=2, channels=1).x.shape == (3, 2, 2, 1)


def test_an_image_is_upright_as_a_viewer_shows_it(tmp_path):
    root = folder(tmp_path, a=[], b=[image(8, 8)])
    pixels = np.zeros((8, 8), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer turns it by 90 degrees clockwise
    Image.fromarray(pixels).save(root / "a" / "0.png", exif=exif)
    np.testing.assert_array_equal(load(root).x[0, :, -1, 0], 1)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb():
    header = struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


BYTES = {
    "empty": b"",
    "text": b"no image",
    "a format that is not allowed": b"GIF89a" + bytes(100),
    "a pickle": b"cos\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES)
def test_an_unreadable_image_is_named(tmp_path, content):
    root = folder(tmp_path, a=[image(4, 4)], b=[image(4, 4)])
    (root / "b" / "broken.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.png': expected a readable png or jpg image") as caught:
        load(root)
    assert "\n" not in str(caught.value)


def test_an_image_that_claims_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    root = folder(tmp_path, a=[image(4, 4)], b=[image(4, 4)])
    (root / "b" / "bomb.png").write_bytes(bomb())
    with pytest.raises(ValueError, match=r"bomb\.png': .*got: 81000000 pixels, more than 67108864"):
        load(root)


def test_truncated_and_damaged_images_are_named_or_read(tmp_path):
    root = folder(tmp_path, a=[image(40, 40)], b=[image(40, 40)])
    path = root / "b" / "0.png"
    whole = path.read_bytes()
    for length in (10, 40, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"0\.png"):
            load(root)
    for at in RNG.integers(len(whole), size=60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            load(root)
        except ValueError as error:
            assert "0.png" in str(error) and "\n" not in str(error)


def transparent(root):
    Image.fromarray(image(4, 4, 4)).save(root / "b" / "clear.png")


def transparent_palette(root):
    Image.fromarray(image(4, 4)).quantize(4).save(root / "b" / "clear.png", transparency=0)


def nested(root):
    (root / "b" / "deeper.png").mkdir()


def pipe(root):
    os.mkfifo(root / "b" / "pipe.png")


TREES = {
    "no classes": ({}, None, "at least 2 class folders with images in them, got 0"),
    "one class": ({"a": 1}, None, "at least 2 class folders .* got 1"),
    "an empty class": ({"a": 1, "b": 0}, None, "b': expected png or jpg images of this class, got none"),
    "another kind of file": (
        {"a": 1, "b": 1},
        lambda r: (r / "b" / "notes.txt").touch(),
        r"notes\.txt': expected only",
    ),
    "a folder in a class": ({"a": 1, "b": 1}, nested, r"deeper\.png': expected only"),
    "a pipe": ({"a": 1, "b": 1}, pipe, r"pipe\.png': expected only"),
    "transparency": ({"a": 1, "b": 1}, transparent, r"clear\.png': .*flatten it"),
    "a transparent colour": ({"a": 1, "b": 1}, transparent_palette, r"clear\.png': .*flatten it"),
    "a third side": ({"train__a": 1, "test__a": 1, "val__a": 1}, None, "got also 'val'"),
    "classes only in train": (
        {"train__a": 1, "train__b": 1, "test__a": 1},
        None,
        "same classes .* got 'b' in one only",
    ),
    "a line break in a class name": ({"a": 1, "b\n": 1}, None, "printable"),
}


@pytest.mark.parametrize("tree, spoil, message", TREES.values(), ids=TREES)
def test_a_wrong_folder_is_refused_in_one_line(tmp_path, tree, spoil, message):
    root = folder(tmp_path, **{name: [image(4, 4)] * count for name, count in tree.items()})
    if spoil:
        spoil(root)
    with pytest.raises(ValueError, match=message) as caught:
        load(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "odd, message",
    [
        (image(4, 5), "expected square images, got 4 x 5; .*set resize"),
        (image(5, 5), r"expected 4 x 4 as in '0\.png', got 5 x 5; set resize"),
        (image(4, 4, 3), r"expected 1 channels as in '0\.png', got 3; set channels"),
    ],
)
def test_an_image_unlike_the_others_is_named_with_the_option_to_set(tmp_path, odd, message):
    root = folder(tmp_path, a=[image(4, 4)], b=[image(4, 4), odd])
    with pytest.raises(ValueError, match=rf"b/1\.png': {message}"):
        load(root)
