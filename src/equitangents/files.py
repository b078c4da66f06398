"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Any]:
    """A binary file that appears under `path` complete, or not at all.

    Raises:
        OSError: a full disk, a folder that cannot be written; one line.
    """
    with explained(path):
        handle, temporary = tempfile.mkstemp(prefix=".part-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of the file system, said in one line with what to do."""
    advice = {
        errno.ENOSPC: "the disk is full: free some space and run the same command again, it continues",
        errno.EDQUOT: "the quota is used up: free some space and run the same command again, it continues",
        errno.EROFS: "the file system is read-only: choose another folder with --out",
        errno.EACCES: "there is no permission to write: choose another folder with --out",
        errno.EPERM: "there is no permission to write: choose another folder with --out",
        errno.EEXIST: "a file of that name is in the way: choose another folder with --out",
        errno.ENOTDIR: "part of that path is a file: choose another folder with --out",
    }
    try:
        yield
    except OSError as error:
        reason = advice.get(error.errno or 0)
        if reason is None or getattr(error, "explained", False):
            raise
        new = OSError(f"{path}: expected to write here, but {reason}.")
        new.errno, new.explained = error.errno, True  # type: ignore[attr-defined]
        raise new from None
