"""One function that loads data by name or by path."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..spelling import suggestion
from .dataset import Dataset, check_inputs, check_size
from .fashion_mnist import read_fashion_mnist
from .folder import read_folder
from .images import check_square, resize_images, with_channels
from .npz import read_npz

NAMES = ("digits", "fashion-mnist")


def load(data: str | os.PathLike[str], *, resize: int | None = None, channels: int | None = None) -> Dataset:
    """Labelled data, checked, their pixels in [0, 1] where they come as images or as 8-bit numbers.

    `data` is one of

    - "digits": scikit-learn's 1797 handwritten digits, 8 x 8 x 1; no split.
    - "fashion-mnist": 60,000 training and 10,000 test images, 28 x 28 x 1, from the folder in the environment variable
      EQUITANGENTS_DATA, else Debian's package dataset-fashion-mnist, else the user's cache, else a download.
    - a folder `class/*.png` (or jpg), one sub-folder for each class; or `train/class/*.png` and `test/class/*.png`.
    - an `.npz` file of arrays: x (n, h, w), (n, h, w, c) or (n, d); y (n,) of integers or strings; optionally split
      ("train" or "test") and groups (integers or strings), both (n,). uint8 is scaled to [0, 1], nothing else is.

    Nothing that is loaded is executed. Inputs are float32; float64 or wide integers in an npz give float64.

    Args:
        data: name or path; write "./digits" for a folder of that name.
        resize: side in pixels that all images get; required if they are not square, or of several sizes.
        channels: 1 or 3 to make all images grey or RGB; None keeps them as they are.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: data that are unreadable, empty, hostile, or do not fit together.
        TypeError: arrays of a wrong kind.
        FileNotFoundError: no such name, folder or file.

    >>> load("digits")
    Dataset('digits', 1797 examples of shape (8, 8, 1), 10 classes, no split)
    """
    if resize is not None and resize < 1:
        raise ValueError(f"resize: expected a side of at least 1 pixel, got {resize}; choose a positive one.")
    if channels not in (None, 1, 3):
        raise ValueError(f"channels: expected 1 (grey) or 3 (RGB), got {channels}; choose one of them.")
    name = os.fspath(data)
    if name == "digits":
        dataset = read_digits()
    elif name == "fashion-mnist":
        dataset = read_fashion_mnist()
    else:
        path = Path(name).expanduser()
        if path.is_dir():
            dataset = read_folder(path, resize, channels)
        elif path.is_file() and path.suffix == ".npz":
            dataset = read_npz(path)
        elif path.exists():
            raise ValueError(f"expected an .npz file or a folder of classes, got {name!r}; convert it to one of these.")
        else:
            raise FileNotFoundError(
                f"expected one of {', '.join(NAMES)}, a folder or an .npz file, got {name!r}, which does not exist; "
                f"{suggested(path)}"
            )
    return _shaped(dataset, resize, channels)


def read_digits() -> Dataset:
    """Handwritten digits of scikit-learn: x (1797, 8, 8, 1) from 0 to 1, ten classes."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Dataset(
        x=(digits.images / 16).astype(np.float32)[..., None],
        y=digits.target.astype(np.int64),
        classes=tuple(str(c) for c in range(10)),
        name="digits",
        source="scikit-learn's load_digits: 1797 handwritten digits, the test part of UCI's Optical Recognition of "
        "Handwritten Digits (doi:10.24432/C50P49), pixels divided by 16.",
    )


def _shaped(dataset: Dataset, resize: int | None, channels: int | None) -> Dataset:
    """The same data at the size and with the channels asked for, square in any case."""
    x, source = dataset.x, dataset.source
    if x.ndim == 2:
        if resize is not None or channels is not None:
            raise ValueError(
                f"resize and channels expected images, got vectors of shape {x.shape}; leave them unset, or save x as "
                f"(n, height, width, channels)."
            )
        return dataset
    if resize is None:
        check_square(x, dataset.name)
    if channels is not None and channels != x.shape[-1]:
        x = with_channels(x, channels)
        source += f" Converted to {'grey' if channels == 1 else 'RGB'}."
    if resize is not None and x.shape[1:3] != (resize, resize):
        check_size(len(x) * resize**2 * x.shape[-1], x.itemsize, f"resize={resize}")
        source += f" Resized from {x.shape[1]} x {x.shape[2]} to {resize} x {resize}."
        x = resize_images(x, resize)
    if x is dataset.x:
        return dataset
    check_inputs(x)
    return Dataset(x, dataset.y, dataset.classes, dataset.split, dataset.groups, dataset.name, source)


def suggested(data: str | Path, more: Iterable[str] = ()) -> str:
    """The nearest of the known names, of `more`, and of what lies beside the missing path, as the end of a message."""
    path = Path(data)
    try:
        beside = [str(path.parent / p.name) for p in path.parent.iterdir() if p.is_dir() or p.suffix == ".npz"]
    except OSError:
        beside = []
    return suggestion(str(path), [*NAMES, *more, *beside])
