"""Files that are whole or absent, errors of the disk in one line, and one run at a time in a folder."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def whole_file(path: Path, durable: bool = True) -> Iterator[Any]:
    """A binary file that appears under `path` complete, or not at all.

    Args:
        path: its name; its folder exists.
        durable: wait until the disk has it, so that it outlives a loss of power; not needed where a checksum inside
            tells a whole file from a cut one.

    Raises:
        OSError: a full disk, a folder that cannot be written; one line.
    """
    with explained(path):
        handle, temporary = tempfile.mkstemp(prefix=".part-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """The folder is there, made with its parents where it was not; an error removes those again that it leaves empty.

    Raises:
        OSError: it cannot be made; one line.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in new:  # the innermost first
            with contextlib.suppress(OSError):
                path.rmdir()
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


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one run at a time in a folder; the lock ends with the process, however it ends.

    Raises:
        RuntimeError: another run has it.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / "lock", "a")  # noqa: SIM115
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(
                f"{folder}: expected no other run in this folder, but one is at work; wait, or choose another --out."
            ) from None
        yield
