"""Gram matrices on disk: inputs, tiles of the symmetric half, and a manifest that says what they are."""

import hashlib
import json
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..files import explained, whole_file
from .matrix import SymmetricMatrix
from .tile import GramSpec, check_inputs, gram_tile
from .zarrs import ChunkedArray, DamagedError

FORMAT = 1


class GramMatrix(SymmetricMatrix):
    """One kernel of a store; see `SymmetricMatrix` for products, diagonal and tiles."""

    def __init__(self, chunks: ChunkedArray, name: str):
        self.chunks, self.name = chunks, name
        self.n, self.side, self.dtype = chunks.shape[0], chunks.chunks[0], chunks.dtype

    def upper_tile(self, i: int, j: int) -> np.ndarray:
        try:
            return self.chunks.read(i, j)
        except DamagedError as error:
            raise DamagedError(f"{error} Compute it again with the command that made the matrix.") from None

    def digest(self) -> str:
        """The sha256 of all tiles of the upper half; the same for the same matrix, bit by bit."""
        return self.chunks.digest(self.upper())


class GramStore:
    """A folder with the Gram matrices of one batch of inputs: manifest.json, x.zarr, and one .zarr for each kernel.

    Made by `GramStore.create`; tiles are computed by `compute_gram`. A tile that is there has a checksum that fits:
    the store can be continued after any interruption.

    Args:
        folder: as `create` made it.

    Raises:
        FileNotFoundError: there is no manifest.
        ValueError: a manifest of another format.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        self.n, self.side = int(self.manifest["n"]), int(self.manifest["tile"])
        self.kernels: tuple[str, ...] = tuple(self.manifest["kernels"])
        self.inputs = ChunkedArray(self.folder / "x.zarr")
        self._matrices = {name: GramMatrix(ChunkedArray(self.folder / f"{name}.zarr"), name) for name in self.kernels}

    @classmethod
    def create(
        cls, folder: str | Path, spec: GramSpec, x: np.ndarray, side: int = 2000, about: dict[str, Any] | None = None
    ) -> "GramStore":
        """The store of these kernels on these inputs; that which is there, if it is the same.

        Args:
            folder: made if it does not exist.
            spec: which kernels.
            x: (n, *sites, channels), float32 or float64.
            side: rows and columns of a tile; at most n is used.
            about: whatever else must be the same when the store is continued, as JSON writes it.

        Raises:
            ValueError: the folder holds matrices of something else, or `x` does not fit the network.
        """
        if x.dtype not in (np.float32, np.float64):
            raise TypeError(f"expected x in float32 or float64, got {x.dtype}; convert it.")
        if side < 1:
            raise ValueError(f"expected tiles of at least one row, got {side}.")
        folder, side = Path(folder), min(side, len(x))
        manifest = {"format": FORMAT, **spec.text(), "n": len(x), "shape": list(x.shape[1:]), "tile": side}
        manifest |= {"dtype": str(x.dtype), "data": hashlib.sha256(np.ascontiguousarray(x).data).hexdigest()}
        manifest |= {"about": about or {}, "versions": versions()}
        if (folder / "manifest.json").is_file():
            check_same(folder, read_manifest(folder), manifest)
            return cls(folder)
        check_inputs(spec, x[: 8 if spec.average else 1])  # says here what does not fit, not in every worker
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        rows = ChunkedArray.create(folder / "x.zarr", x.shape, (side, *x.shape[1:]), x.dtype)
        for i in range(-(-len(x) // side)):
            rows.write((i, *(0,) * (x.ndim - 1)), filled(x[i * side : (i + 1) * side], side))
        for name in spec.kernels:
            ChunkedArray.create(folder / f"{name}.zarr", (len(x), len(x)), (side, side), x.dtype)
        with whole_file(folder / "manifest.json") as file:
            file.write(json.dumps(manifest, indent=1).encode())
        return cls(folder)

    def matrix(self, name: str | None = None) -> GramMatrix:
        """One of the kernels; the NTK, if there is one, where none is named."""
        name = name or ("ntk" if "ntk" in self.kernels else self.kernels[0])
        if name not in self.kernels:
            raise ValueError(f"{self.folder}: expected one of the kernels {self.kernels}, got {name!r}.")
        return self._matrices[name]

    def missing(self) -> list[tuple[int, int]]:
        """Rows and columns of tiles that are not there, cut short, or do not fit their checksum."""
        upper = self._matrices[self.kernels[0]].upper()
        return [t for t in upper if not all(m.chunks.has(*t) for m in self._matrices.values())]

    def compute(self, spec: GramSpec, i: int, j: int) -> None:
        """Compute one tile of each kernel and write it; whoever does so, when and how often, gets the same bits."""
        x1 = self.block(i)
        tiles = gram_tile(spec, x1, x1 if i == j else self.block(j))
        for name, tile in zip(self.kernels, tiles, strict=True):
            if i == j:
                tile = np.triu(tile) + np.triu(tile, 1).T  # symmetric to the last bit
            self._matrices[name].chunks.write((i, j), tile)

    def block(self, i: int) -> np.ndarray:
        """The i-th rows of inputs, filled up to a whole tile by repeating the last: one shape, one program."""
        return filled(self.inputs.read(i, *(0,) * (len(self.inputs.shape) - 1)), self.side)


def filled(x: np.ndarray, side: int) -> np.ndarray:
    """x with its last row repeated until there are `side`."""
    return np.concatenate([x, np.repeat(x[-1:], side - len(x), axis=0)]) if len(x) < side else x


def versions() -> dict[str, str]:
    """What the bits of a tile depend on beside its inputs."""
    from .. import __version__

    return {"equitangents": __version__, "jax": jax.__version__, "jaxlib": version("jaxlib")}


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a store says it is.

    Raises:
        FileNotFoundError: there is no manifest.
        ValueError: it cannot be read, or has another format.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{folder}: expected a folder with a Gram matrix, got no manifest.json in it."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path}: expected a manifest of format {FORMAT}, got another text; remove {folder}."
        ) from None
    return manifest


def check_same(folder: Path, there: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise where a store was made from something else, and say from what."""
    for key, value in wanted.items():
        if there.get(key) != value:
            raise ValueError(
                f"{folder}: expected a Gram matrix with {key} = {value}, got one with {there.get(key)}; choose another "
                "folder, or remove this one."
            )


_OPEN: dict[str, GramStore] = {}
_LOCK = threading.Lock()


def opened(folder: str, digest: str) -> GramStore:
    """The store of a folder, opened once in each process, if its manifest is the one that is meant."""
    with _LOCK:
        if folder not in _OPEN or manifest_digest(_OPEN[folder].manifest) != digest:
            _OPEN[folder] = GramStore(folder)
        store = _OPEN[folder]
    if manifest_digest(store.manifest) != digest:
        raise ValueError(f"{folder}: expected the store that the driver writes to, got another one; share that folder.")
    if store.manifest["versions"] != versions():
        raise ValueError(
            f"expected a worker with {store.manifest['versions']}, got {versions()}; install the same everywhere."
        )
    return store


def manifest_digest(manifest: dict[str, Any]) -> str:
    """The sha256 of a manifest, whatever the order of its entries."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
