"""Arrays on disk in Zarr's format, version 3: one file a chunk, a checksum in each, each whole or absent."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ..files import explained, whole_file

MISSING = "which the extra `scale` installs: pip install 'equitangents[scale]'"


class DamagedError(RuntimeError):
    """A chunk is missing, cut short, or does not fit its checksum."""


def load_zarr() -> Any:
    """The package zarr, which only large matrices need."""
    try:
        import zarr
    except ImportError:
        raise ImportError(f"expected the package zarr, {MISSING}.") from None
    return zarr


class ChunkedArray:
    """An array whose chunks are computed, kept and checked one by one; any reader of Zarr opens its folder.

    Args:
        folder: as `create` made it.

    Raises:
        DamagedError: the folder holds no such array.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            self._array = load_zarr().open_array(str(folder), mode="r")
        except (OSError, ValueError, KeyError) as error:  # zarr's own errors are among these
            raise DamagedError(f"{folder}: expected a Zarr array, got none that can be read ({error}).") from None
        self.shape: tuple[int, ...] = self._array.shape
        self.chunks: tuple[int, ...] = self._array.chunks
        self.dtype: np.dtype = self._array.dtype
        self._checked: dict[tuple[int, ...], tuple[int, int]] = {}

    @classmethod
    def create(cls, folder: Path, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: Any) -> "ChunkedArray":
        """An array without a chunk, in place of what is there."""
        zarr = load_zarr()
        with explained(folder):
            zarr.create_array(
                str(folder),
                shape=shape,
                chunks=chunks,
                dtype=np.dtype(dtype).newbyteorder("<"),
                compressors=[zarr.codecs.Crc32cCodec()],  # numbers like these do not get smaller, only checked
                fill_value=float("nan"),
                overwrite=True,
            )
        return cls(folder)

    def path(self, *index: int) -> Path:
        return self.folder.joinpath("c", *map(str, index))

    def read(self, *index: int) -> np.ndarray:
        """One chunk, read-only; those at the end without what fills them up.

        The checksum is computed when this object first sees the file, and again when the file has changed.

        Raises:
            DamagedError: it is not there whole.
        """
        path = self.path(*index)
        try:
            found = path.stat()
            state = (found.st_mtime_ns, found.st_ino)
            if self._checked.get(index) == state:
                whole = np.memmap(path, self.dtype.newbyteorder("<"), mode="r", shape=self.chunks)
                ends = zip(index, self.chunks, self.shape, strict=True)
                return np.asarray(whole)[tuple(slice(min(side, n - i * side)) for i, side, n in ends)]
            if found.st_size == self._bytes:
                chunk = self._array.blocks[index]
                self._checked[index] = state
                return chunk
        except (OSError, ValueError):
            pass
        raise DamagedError(f"{path}: expected a whole tile, got a missing or a damaged one.")

    def has(self, *index: int) -> bool:
        """Whether the chunk is there, and its checksum fits, computed anew."""
        self._checked.pop(index, None)
        try:
            self.read(*index)
        except DamagedError:
            return False
        return True

    def write(self, index: tuple[int, ...], chunk: np.ndarray) -> None:
        """Put a whole chunk, filled up at the ends of the array, in its place, at once.

        Raises:
            ValueError: another shape or dtype than that of chunks.
            OSError: a full disk and the like; one line.
        """
        import google_crc32c  # zarr's own

        if chunk.shape != self.chunks or chunk.dtype != self.dtype:
            raise ValueError(
                f"expected a chunk {self.chunks} of {self.dtype}, got {chunk.shape} of {chunk.dtype}; fill it up."
            )
        content = np.ascontiguousarray(chunk, self.dtype.newbyteorder("<")).tobytes()
        path = self.path(*index)
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, durable=False) as file:
            file.write(content)
            file.write(google_crc32c.value(content).to_bytes(4, "little"))

    def digest(self, indices: Any) -> str:
        """The sha256 of the files of these chunks, in order."""
        total = hashlib.sha256()
        for index in indices:
            total.update(self.path(*index).read_bytes())
        return total.hexdigest()

    @property
    def _bytes(self) -> int:
        return int(np.prod(self.chunks)) * self.dtype.itemsize + 4
