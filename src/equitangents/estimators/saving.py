"""Fitted estimators in files: arrays and JSON in one .npz, which nothing in it can make execute anything."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..equivariant.text import parse_net
from ..files import whole_file
from ..nets import AbstractLayer

FORMAT = 1
ARRAYS = ("X_fit_", "dual_coef_", "classes_", "feature_names_in_")
NUMBERS = ("n_features_in_", "_one_output")


def save(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator; see `AbstractKernelEstimator.save`."""
    arrays = {name: _plain(name, getattr(estimator, name)) for name in ARRAYS if hasattr(estimator, name)}
    header = {
        "format": FORMAT,
        "class": type(estimator).__name__,
        "parameters": {name: _written(name, value) for name, value in estimator.get_params(deep=False).items()},
        "numbers": {name: int(getattr(estimator, name)) for name in NUMBERS if hasattr(estimator, name)},
        "checksum": _checksum(arrays),
    }
    with whole_file(Path(path)) as file:
        np.savez(file, __header__=np.array(json.dumps(header)), **cast(Any, arrays))  # its stubs take these for flags


def load(path: str | Path) -> Any:
    """The fitted estimator that `save` wrote.

    Raises:
        ValueError: the file is damaged, or no such file of ours; one line.
        OSError: it cannot be read.
    """
    from . import classifier, regressor

    known = {c.__name__: c for c in (regressor.NTKRegressor, regressor.NNGPRegressor, classifier.NTKClassifier)}
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop("__header__")[()]))
        kind, saved = known[header["class"]], header["checksum"]
        parameters = {name: _read(value) for name, value in header["parameters"].items()}
        estimator = kind(**parameters)
        numbers = {name: int(header["numbers"][name]) for name in NUMBERS if name in header["numbers"]}
        if header["format"] != FORMAT or set(arrays) - set(ARRAYS) or saved != _checksum(arrays):
            raise ValueError("its contents do not fit its header")
        arrays["X_fit_"], arrays["dual_coef_"]  # must be there
    except (
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        AttributeError,
        zipfile.BadZipFile,
        NotImplementedError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: expected a file that save() wrote, whole; got {reason}. Save it again.") from None
    for name, array in arrays.items():
        setattr(estimator, name, array.astype(object) if name == "feature_names_in_" else array)
    for name, number in numbers.items():
        setattr(estimator, name, bool(number) if name == "_one_output" else number)
    return estimator


def _plain(name: str, array: Any) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype == object:
        if not all(isinstance(entry, str) for entry in array):
            raise ValueError(f"expected {name} of numbers or strings; got objects of other kinds. Convert the labels.")
        return array.astype(str)
    return array


def _written(name: str, value: Any) -> Any:
    if isinstance(value, AbstractLayer):
        text = repr(value)
        try:
            same = parse_net(text) == value
        except ValueError:
            same = False
        if not same:
            raise ValueError(
                f"expected {name} as a description that its text determines; got {text}. Use named layers."
            )
        return {"net": text}
    if isinstance(value, tuple | list):
        return {"tuple": [_written(name, entry) for entry in value]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"expected {name} as a number, text, tuple or description; got {type(value).__name__}.")


def _read(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return parse_net(value["net"]) if "net" in value else tuple(map(_read, value["tuple"]))


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape};".encode() + array.tobytes())
    return total.hexdigest()
