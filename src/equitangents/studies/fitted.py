r"""The predictor that `fit` left in a folder: $f(x) = \sum_i k(x, x_i)\, a_i$ over the inputs of a Gram matrix."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..equivariant.text import parse_net
from ..files import whole_file
from ..scale import GramSpec, GramStore
from ..scale.compute import Progress
from ..scale.predict import predict as scores_of
from ..scale.store import manifest_digest
from .predict import Prediction, prepare
from .store import checksum

FORMAT = 1
NAME = "model.npz"
ARRAYS = ("format", "coefficients", "ridge", "kernel", "classes", "mean", "std", "gram", "manifest")


@dataclass(frozen=True, eq=False)
class FittedGram:
    """Coefficients with the matrix whose inputs they belong to, and all that is done to raw inputs.

    Attributes:
        store: with the training inputs; its tiles are not needed.
        kernel: "ntk" or "nngp".
        coefficients: a, shape (n, classes).
        classes: names, in the order of the scores.
        mean, std: subtracted from raw inputs, then divided by.
    """

    store: GramStore
    kernel: str
    coefficients: np.ndarray
    classes: tuple[str, ...]
    mean: float
    std: float

    size = 0  # as in `predict.Model`: images are not reduced beyond `resize`

    @property
    def resize(self) -> int:
        """Side of all images; 0 keeps them."""
        return int(self.store.manifest["about"]["resize"])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input, as in `predict.Model`: vectors are (d, 1)."""
        shape = self.store.inputs.shape[1:]
        return shape if len(shape) == 3 else (*shape, 1)

    @property
    def channels(self) -> int:
        """Of images; 0 for vectors."""
        return self.shape[-1] if len(self.shape) == 3 else 0


def save_fit(
    folder: str | Path,
    store: GramStore,
    *,
    kernel: str,
    coefficients: np.ndarray,
    ridge: float,
    classes: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
) -> None:
    """Write model.npz, whole or not at all, with a checksum and the way from `folder` to the matrix.

    Raises:
        OSError: a full disk, a folder that cannot be written; one line.
    """
    folder = Path(folder)
    arrays = {
        "format": np.array(FORMAT),
        "coefficients": coefficients,
        "ridge": np.array(ridge),
        "kernel": np.array(kernel),
        "classes": classes,
        "mean": mean,
        "std": std,
        "gram": np.array(os.path.relpath(store.folder.resolve(), folder.resolve())),
        "manifest": np.array(manifest_digest(store.manifest)),
    }
    with whole_file(folder / NAME) as file:
        np.savez(file, checksum=np.array(checksum(arrays)), **arrays)  # type: ignore[arg-type]


def load_fit(folder: str | Path) -> FittedGram:
    """The predictor in a folder where `fit` wrote; reads numbers and text, executes nothing.

    Raises:
        ValueError: there is none, it is damaged, or belongs to another matrix; one line.
        FileNotFoundError: its matrix is not where it was.
    """
    path = Path(folder) / NAME
    again = "give the command `equitangents fit` again"
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ARRAYS}
            whole = str(archive["checksum"][()]) == checksum(arrays)
    except Exception as error:  # hostile bytes: zipfile and NumPy document no complete list
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ValueError(f"{path}: expected a fitted model, got none that can be read ({reason}); {again}.") from None
    if not whole or int(arrays["format"]) != FORMAT:
        raise ValueError(f"{path}: expected a model of format {FORMAT} as it was written, got another; {again}.")
    store = GramStore(os.path.normpath(Path(folder) / str(arrays["gram"][()])))
    if manifest_digest(store.manifest) != str(arrays["manifest"][()]):
        raise ValueError(f"{path}: expected the matrix that it was fitted to in {store.folder}, got another; {again}.")
    return FittedGram(
        store,
        str(arrays["kernel"][()]),
        arrays["coefficients"],
        tuple(map(str, arrays["classes"])),
        float(arrays["mean"]),
        float(arrays["std"]),
    )


def predict_fit(
    model: FittedGram, x: np.ndarray, *, workers: int | None = None, progress: Progress = lambda *_: None
) -> Prediction:
    """Labels and scores for raw inputs, images (n, height, width, channels) or vectors (n, d), as `data.load` gives.

    Args:
        model: as `load_fit` gives it.
        x: of the sides that the training inputs had, unless these were resized.
        workers: threads; the number of cores by default. Each holds one tile.
        progress: called as (what, done, total, seconds left).

    Raises:
        ValueError: inputs of another shape, or not finite.
    """
    x = prepare(model, x).reshape(len(x), *model.store.inputs.shape[1:])
    manifest = model.store.manifest
    spec = GramSpec(parse_net(manifest["net"]), model.store.kernels, manifest["average"])
    scores = scores_of(
        model.store, spec, model.kernel, model.coefficients, x, workers=workers, progress=timed("predict", progress)
    )
    return Prediction(scores.argmax(axis=1), scores)


def timed(what: str, progress: Progress) -> Any:
    """A progress without times as one with the time that is left."""
    begin = time.monotonic()

    def tick(_: str, done: int, total: int) -> None:
        left = (time.monotonic() - begin) * (total - done) / done if done else float("nan")
        progress(what, done, total, left)

    return tick
