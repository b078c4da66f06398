"""Arrays from an npz file that may be wrong or hostile: headers are read and judged before memory is asked for."""

import math
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from .dataset import Dataset, check_groups, check_inputs, check_length, check_size, one_line, shortened

KEYS = ("x", "y", "split", "groups")


def read_npz(path: Path) -> Dataset:
    """The data set in an npz file with x, y, and optionally split and groups; see `load`.

    Raises:
        ValueError: the file is no zip, is truncated, holds object arrays, other keys, or claims an absurd size.
        TypeError: an array of a wrong kind.
    """
    arrays = read_arrays(path)
    where = f"{str(path)!r}"
    try:
        return _dataset(arrays, path)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{where}: {error}") from None


def read_arrays(path: Path, needed: tuple[str, ...] = ("x", "y")) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name; never unpickles."""
    where = f"{str(path)!r}"
    try:
        archive = zipfile.ZipFile(path)
    except PermissionError:
        raise ValueError(f"{where}: expected a file that can be read, got no permission; check its mode.") from None
    except Exception as error:  # the zip directory is hostile input, and zipfile documents no complete list
        raise ValueError(
            f"{where}: expected an npz file, got one that is no whole zip ({one_line(error)}); save it again with "
            f"numpy.savez."
        ) from None
    with archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        missing = [key for key in needed if key not in members]
        if missing:
            got, save = shortened(members) if members else "none", ", ".join(f"{key}={key}" for key in needed)
            arrays = "an array" if len(needed) == 1 else "arrays"
            raise ValueError(
                f"{where}: expected {arrays} {' and '.join(needed)}, got {got}; use numpy.savez(path, {save})."
            )
        unknown = sorted(set(members) - set(KEYS))
        if unknown:
            raise ValueError(
                f"{where}: expected only the arrays {', '.join(KEYS)}, got also {shortened(unknown)}; rename or drop."
            )
        return {key: _read_member(archive, info, f"{where}: {key}") for key, info in members.items()}


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> np.ndarray:
    return read_npy(lambda: archive.open(info), info.file_size, what)


def read_npy(opened: Callable[[], IO[bytes]], size: int, what: str) -> np.ndarray:
    """The array in a stream of so many bytes, its header judged first; never unpickles."""
    try:
        with opened() as stream:
            shape, dtype = _header(stream)
            start = stream.tell()
        judged = _judge(shape, dtype, size - start, what)
    except Exception as error:  # as above: any exception here means bytes that are not an array
        judged = (
            f"{what}: expected a plain array, got bytes that cannot be read as one ({one_line(error)}); save it again."
        )
    if judged:
        raise ValueError(judged)
    try:
        with opened() as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in _header
            return npy.read_array(stream, allow_pickle=False)
    except Exception as error:
        raise ValueError(f"{what}: expected whole data, got damage ({one_line(error)}); copy it again.") from None


def _header(stream) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"npy version {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's advice on files of Python 2
        shape, _, dtype = readers[version](stream)
    return shape, dtype


def _judge(shape: tuple[int, ...], dtype: np.dtype, held: int, what: str) -> str:
    """The message of refusal for a header, or an empty string."""
    if dtype.hasobject:
        return f"{what}: expected numbers or strings, got Python objects, which may run code; save a plain dtype."
    if dtype.kind not in "biufUS":
        return f"{what}: expected numbers or strings, got {one_line(ValueError(dtype))}; save with a plain dtype."
    values = math.prod(shape)
    itemsize = max(dtype.itemsize, _float(dtype).itemsize if dtype.kind in "biuf" else 0)
    try:
        check_size(values, itemsize, what)
    except ValueError as error:
        return str(error)
    if min(shape, default=0) < 0 or values * dtype.itemsize != held:
        return (
            f"{what}: expected {values * dtype.itemsize} bytes for shape {shape} of {dtype}, got {held} in the file; "
            f"save it again."
        )
    return ""


def _float(dtype: np.dtype) -> np.dtype:
    """The float type that holds every value of a numeric type, float32 where it is enough and float64 at most."""
    return np.dtype(np.float64) if dtype.itemsize > 8 else np.promote_types(dtype, np.float32)


def _dataset(arrays: dict[str, np.ndarray], path: Path) -> Dataset:
    x = _inputs(arrays["x"])
    y, names = _labels("y", arrays["y"], len(x))
    split = groups = None
    if "split" in arrays:
        split = _text("split", arrays["split"])
        check_length("split", split, len(x))
        if split.dtype.kind != "U":
            raise TypeError(f"split: expected the strings 'train' and 'test', got {split.dtype}; write those words.")
    if "groups" in arrays:
        groups, labels = _labels("groups", arrays["groups"], len(x))
        check_groups(labels[groups], split)
    source = f"The file {os.path.basename(path)}, given by the user."
    return Dataset(x, y, tuple(str(name) for name in names), split, groups, path.stem, source)


def _inputs(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x: expected numbers, got {x.dtype}; save floats or 8-bit pixels.")
    if x.ndim == 3:
        x = x[..., None]
    floats = x.astype(_float(x.dtype))
    if x.dtype == np.uint8:
        floats /= 255
    check_inputs(floats)
    return floats


def _labels(what: str, labels: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels numbered from 0, and their names in order."""
    check_length(what, labels, n)
    if labels.dtype.kind == "f":
        raise TypeError(f"{what}: expected integers or strings, got {labels.dtype}; convert with {what}.astype(int).")
    labels = _text(what, labels)
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise ValueError(f"{what}: expected labels from 0, got {labels.min()}; number them from 0, or use strings.")
    names, numbers = np.unique(labels, return_inverse=True)
    return numbers.astype(np.int64), names


def _text(what: str, array: np.ndarray) -> np.ndarray:
    """Byte strings decoded; everything else unchanged."""
    if array.dtype.kind != "S":
        return array
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{what}: expected text in UTF-8, got other bytes; save it as an array of str.") from None
