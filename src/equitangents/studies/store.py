"""Pieces of work on disk: each written whole or not at all, known by the digest of what it was made from."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..files import explained as explained
from ..files import locked as locked
from ..files import whole_file as whole_file

Arrays = dict[str, np.ndarray]


class Store:
    """A folder of pieces. A piece is a set of named arrays, and a small dictionary `meta` of numbers and texts.

    Args:
        folder: made if it does not exist.

    Raises:
        OSError: the folder cannot be made or written to; one line.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(".part-*"):  # of a run that was killed while it wrote
                left.unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def load(self, name: str, digest: str) -> tuple[Arrays, dict[str, Any]] | None:
        """The piece, or None where it is missing, damaged, or was made from something else."""
        try:
            with open(self.path(name), "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
            header = json.loads(str(arrays.pop("__header__")[()]))
            if header["digest"] != digest or header["checksum"] != checksum(arrays):
                return None
            return arrays, header["meta"]
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, NotImplementedError):
            return None

    def has(self, name: str, digest: str) -> bool:
        """Whether the piece is there, undamaged."""
        return self.load(name, digest) is not None

    def save(self, name: str, digest: str, arrays: Arrays, meta: dict[str, Any]) -> None:
        """Write the piece: to a file beside it, flushed to the disk, then renamed."""
        header = {"digest": digest, "checksum": checksum(arrays), "meta": meta}
        with whole_file(self.path(name)) as file:
            np.savez(file, __header__=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]


def checksum(arrays: Arrays) -> str:
    """The sha256 of names, types, shapes and contents."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape};".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def digest_of(*parts: Any) -> str:
    """The sha256 of anything that JSON can write."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=list).encode()).hexdigest()
