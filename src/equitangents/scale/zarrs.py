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
        """One chunk; those at the end without what fills them up.

        Raises:
            DamagedError: it is not there whole.
        """
        try:
            if self.path(*index).stat().st_size == self._bytes:
                return self._array.blocks[index]
        except (OSError, ValueError):
            pass
        raise DamagedError(f"{self.path(*index)}: expected a whole tile, got a missing or a damaged one.")

    def has(self, *index: int) -> bool:
        """Whether the chunk is there, and its checksum fits."""
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
