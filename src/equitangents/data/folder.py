"""Images from a folder with one sub-folder for each class."""

import warnings
from pathlib import Path

import numpy as np

from .dataset import Dataset, check_size, one_line, shortened
from .images import check_square, resize_images, with_channels

SUFFIXES = (".png", ".jpg", ".jpeg")
CLUTTER = ("thumbs.db", "desktop.ini")  # what file managers leave behind, besides hidden files
MAX_PIXELS = 64 * 2**20  # of one image; a header that claims more is refused before it is decoded


def read_folder(folder: Path, resize: int | None = None, channels: int | None = None) -> Dataset:
    """The data set in `class/*.png`, or in `train/class/*.png` and `test/class/*.png`; see `load`.

    Raises:
        ValueError: no classes, an empty class, a file that is no image, images of several sizes without `resize`.
    """
    names = _folders(folder)
    sides: tuple[str, ...] = ("train", "test") if {"train", "test"} <= set(names) else ("",)
    if sides != ("",) and len(names) > 2:
        others = shortened(set(names) - {"train", "test"})
        raise ValueError(f"{str(folder)!r}: expected only train/ and test/, got also {others}; move them elsewhere.")
    classes = {side: _folders(folder / side) for side in sides}
    for side in sides:
        if classes[side] != classes[sides[0]]:
            odd = shortened(sorted(set(classes[side]) ^ set(classes[sides[0]])))
            raise ValueError(f"{str(folder)!r}: expected the same classes in train/ and test/, got {odd} in one only.")
    names = classes[sides[0]]
    if len(names) < 2:
        raise ValueError(
            f"{str(folder)!r}: expected at least 2 class folders with images in them, got {len(names)}; make one "
            f"folder for each class."
        )
    files = [(file, y, side) for side in sides for y, c in enumerate(names) for file in _files(folder / side / c)]
    x = _read_all([file for file, _, _ in files], resize, channels)
    return Dataset(
        x,
        np.array([y for _, y, _ in files]),
        tuple(names),
        np.array([side for _, _, side in files]) if len(sides) == 2 else None,
        name=folder.resolve().name or "folder",
        source=f"The folder {folder.resolve().name}, given by the user, {len(files)} images.",
    )


def _folders(folder: Path) -> list[str]:
    return sorted(entry.name for entry in _entries(folder) if entry.is_dir())


def _files(folder: Path) -> list[Path]:
    """The images of one class by name; anything else is refused, so that nothing is lost quietly."""
    files = sorted(entry for entry in _entries(folder) if entry.name.lower() not in CLUTTER)
    if not files:
        raise ValueError(f"{str(folder)!r}: expected png or jpg images of this class, got none; add some or remove it.")
    for file in files:
        if file.suffix.lower() not in SUFFIXES or not file.is_file():
            raise ValueError(f"{str(file)!r}: expected only png and jpg files in a class folder; convert or move it.")
    return files


def _entries(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise ValueError(f"{str(folder)!r}: expected a folder that can be read, got: {one_line(error)}.") from None


def _read_all(files: list[Path], resize: int | None, channels: int | None) -> np.ndarray:
    x, first = np.empty((0, 0, 0, 0), np.float32), files[0]
    for i, file in enumerate(files):
        image = _read(file)[None]
        if channels is not None:
            image = with_channels(image, channels)
        if resize is not None:
            image = resize_images(image, resize)
        check_square(image, repr(str(file)))
        if i == 0:
            check_size(len(files) * image.size, image.itemsize, repr(str(file.parent.parent)))
            x = np.empty((len(files), *image.shape[1:]), np.float32)
        elif image.shape[1:3] != x.shape[1:3]:
            raise ValueError(
                f"{str(file)!r}: expected {x.shape[1]} x {x.shape[2]} as in {first.name!r}, got {image.shape[1]} x "
                f"{image.shape[2]}; set resize to a side in pixels."
            )
        elif image.shape[1:] != x.shape[1:]:
            raise ValueError(
                f"{str(file)!r}: expected {x.shape[3]} channels as in {first.name!r}, got {image.shape[3]}; set "
                f"channels to 1 (grey) or 3 (RGB)."
            )
        x[i] = image[0]
    return x


def _read(file: Path) -> np.ndarray:
    """One image (height, width, 1 or 3), float32 in [0, 1], upright as a viewer shows it."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, lower limit of size
            with Image.open(file, formats=("PNG", "JPEG")) as image:
                pixels = image.width * image.height
                if pixels > MAX_PIXELS:
                    raise ValueError(f"{pixels} pixels, more than {MAX_PIXELS}")
                image.load()
                upright = ImageOps.exif_transpose(image)
            clear = upright.mode in ("LA", "PA", "RGBA") or "transparency" in upright.info
            if clear and np.asarray(upright.convert("RGBA"))[..., 3].min() < 255:
                raise ValueError("transparent pixels; flatten it onto a background first")
            deep = upright.mode.startswith("I")
            grey = upright.mode in ("1", "L", "LA") or deep
            values = np.asarray(upright if deep else upright.convert("L" if grey else "RGB"), np.float32)
    except Exception as error:  # the file is hostile input, and Pillow documents no complete list
        raise ValueError(
            f"{str(file)!r}: expected a readable png or jpg image, got: {one_line(error)}; replace or remove it."
        ) from None
    values = values / np.float32(65535 if deep else 255)
    return values[..., None] if grey else values
