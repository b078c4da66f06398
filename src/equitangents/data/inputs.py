"""Inputs without labels: an array in an npy, npz or csv file, or the first inputs of a data set."""

import os
import warnings
from pathlib import Path
from typing import IO

import numpy as np

from .dataset import check_size, one_line
from .loading import load
from .npz import read_arrays, read_npy


def load_inputs(data: str | os.PathLike[str]) -> np.ndarray:
    """Inputs (n, features) or (n, *sites, channels), float64, finite; uint8 is scaled to [0, 1], nothing else is.

    Args:
        data: an .npy file; an .npz file with x alone; a .csv file with one input in each line, numbers alone; or what
            `load` takes.

    Raises:
        ValueError, TypeError, FileNotFoundError: as `load`; an array that is none of inputs.
    """
    path = Path(data).expanduser()
    where = repr(os.fspath(data))
    kind = path.suffix.lower() if path.is_file() else ""

    def opened() -> IO[bytes]:
        return open(path, "rb")

    if kind == ".npy":
        x = read_npy(opened, path.stat().st_size, where)
    elif kind == ".csv":
        x = _read_csv(path, where)
    elif kind == ".npz":
        arrays = read_arrays(path, needed=("x",))
        x = load(data).x if "y" in arrays else arrays["x"]
    elif path.suffix.lower() in (".npy", ".csv") and not path.exists():
        raise FileNotFoundError(f"expected a file of inputs, got {where}, which does not exist; check the spelling.")
    else:
        x = load(data).x
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{where}: expected numbers, got {x.dtype}; save floats or 8-bit pixels.")
    x = x.astype(np.float64) / (255 if x.dtype == np.uint8 else 1)
    if x.ndim < 2 or x.size == 0:
        raise ValueError(
            f"{where}: expected inputs (n, features) or (n, *sites, channels), got shape {x.shape}; "
            "one example is x[None]."
        )
    if not np.isfinite(x).all():
        raise ValueError(f"{where}: expected finite numbers, got NaN or infinity; remove or repair those inputs.")
    return x


def _read_csv(path: Path, where: str) -> np.ndarray:
    check_size(path.stat().st_size, 8, where)  # at least one sign a number
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty file, which has no inputs
            return np.loadtxt(path, delimiter=",", ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{where}: expected lines of numbers with commas between them, no heading, got others ({one_line(error)})."
        ) from None
