"""Fashion-MNIST from a folder, Debian's package, the user's cache or the network; its sha256 decides."""

import contextlib
import gzip
import hashlib
import io
import os
import sys
import tempfile
import urllib.request
from pathlib import Path

import numpy as np

from .dataset import Dataset, one_line

VARIABLE = "EQUITANGENTS_DATA"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
URLS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
# file: shape and sha256 of what is inside the gzip; Debian packs it anew, so the packed bytes differ between sources
FILES = {
    "train-images-idx3-ubyte.gz": (
        (60000, 28, 28),
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train-labels-idx1-ubyte.gz": ((60000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "t10k-images-idx3-ubyte.gz": (
        (10000, 28, 28),
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "t10k-labels-idx1-ubyte.gz": ((10000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def read_fashion_mnist() -> Dataset:
    """60,000 training and 10,000 test images of clothes, 28 x 28 x 1; see `load`.

    Raises:
        FileNotFoundError: the data are nowhere, and no network gives them.
        ValueError: a file whose content is not Fashion-MNIST's.
    """
    folder, kind = _locate()
    arrays = {name: _unpack((folder / name).read_bytes(), name, str(folder / name)) for name in FILES}
    train_x, train_y, test_x, test_y = arrays.values()
    x = np.concatenate([train_x, test_x]).astype(np.float32)
    x /= 255
    return Dataset(
        x[..., None],
        np.concatenate([train_y, test_y]).astype(np.int64),
        CLASSES,
        np.repeat(["train", "test"], [len(train_y), len(test_y)]),
        name="fashion-mnist",
        source=f"Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747), from {kind}, pixels divided by 255.",
    )


def cache_folder() -> Path:
    """Where downloads are kept: XDG_CACHE_HOME, or the platform's own folder for caches."""
    if os.environ.get("XDG_CACHE_HOME"):
        base = Path(os.environ["XDG_CACHE_HOME"])
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        base = Path(os.environ["LOCALAPPDATA"])
    else:
        base = Path.home() / ".cache"
    return base / "equitangents" / "fashion-mnist"


def _locate() -> tuple[Path, str]:
    """The first folder that holds all four files, and what kind of place it is; downloads if there is none."""
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_dir():
            raise FileNotFoundError(f"{VARIABLE}: expected a folder, got {named!r}; correct or unset it.")
        for folder in (Path(named), Path(named) / "fashion-mnist"):
            if _complete(folder):
                return folder, f"the folder in {VARIABLE}"
    if _complete(DEBIAN):
        return DEBIAN, "Debian's package dataset-fashion-mnist"
    folder = cache_folder()
    for name in FILES:
        if not (folder / name).is_file():
            _download(name, folder)
    return folder, "its authors' files, downloaded"


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FILES)


def _unpack(packed: bytes, name: str, where: str) -> np.ndarray:
    """The array inside a gzipped idx file, its content checked; never more bytes than expected are unpacked."""
    shape, expected = FILES[name]
    header = 4 + 4 * len(shape)
    size = header + int(np.prod(shape))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            content = stream.read(size + 1)
    except Exception as error:  # gzip, zlib and struct each raise their own
        raise ValueError(f"{where!r}: expected a gzip file, got {one_line(error)!r}; delete it, retry.") from None
    came = hashlib.sha256(content).hexdigest()
    if came != expected:
        raise ValueError(
            f"{where!r}: expected Fashion-MNIST with sha256 {expected[:12]}... unpacked, got {came[:12]}...; "
            f"delete it and retry."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _download(name: str, folder: Path) -> None:
    """One file into `folder`, checked, whole or not at all."""
    shape, _ = FILES[name]
    limit = 2 * int(np.prod(shape)) + 1024
    failure = ""
    for url in URLS:
        try:
            with urllib.request.urlopen(url + name, timeout=30) as response:
                packed = response.read(limit)
            _unpack(packed, name, url + name)
            break
        except Exception as error:  # no network has many names: URLError, timeouts, HTTP and TLS errors
            failure = one_line(error)
    else:
        raise FileNotFoundError(
            f"expected Fashion-MNIST on this machine or a network to fetch it, got neither ({failure}); install "
            f"Debian's package dataset-fashion-mnist, set {VARIABLE} to a folder with its four .gz files, or go online."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, packed)
    except OSError as error:
        raise ValueError(
            f"{str(folder)!r}: expected a folder to keep the download in, got: {one_line(error)}; free it, or set "
            f"XDG_CACHE_HOME to another."
        ) from None


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside `path` and renames, so that the file is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
