"""What a data set is: inputs, labels, and the two things that keep a comparison honest, its split and its groups."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

MAX_BYTES = 4 * 2**30  # of the inputs as floats; a header that claims more is refused before memory is asked for


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled examples $(x_i, y_i)$, checked on construction; the arrays are read-only.

    Attributes:
        x: inputs, floats, images (n, height, width, channels) or vectors (n, d); finite.
        y: labels, integers (n,), indices into `classes`.
        classes: names, at least two, distinct.
        split: "train" or "test" for each example, shape (n,); None if the data have no split of their own.
        groups: integers (n,); examples of one group (one writer, one patient) are never on both sides of the split.
        name: short name.
        source: a sentence that says where the data came from.

    Raises:
        ValueError: shapes, lengths, labels or names that do not fit, numbers not finite, a group on both sides.
        TypeError: inputs that are not floats, labels or groups that are not integers.

    >>> import numpy as np
    >>> Dataset(np.zeros((3, 8, 8, 1)), np.array([0, 1, 1]), ("cat", "dog"), name="pets")
    Dataset('pets', 3 examples of shape (8, 8, 1), 2 classes, no split)
    """

    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    split: np.ndarray | None = None
    groups: np.ndarray | None = None
    name: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        check_inputs(self.x)
        check_labels(self.y, len(self.x), self.classes)
        if self.split is not None:
            check_split(self.split, len(self.x))
        if self.groups is not None:
            check_length("groups", self.groups, len(self.x))
            if self.groups.dtype.kind not in "iu":
                raise TypeError(f"groups: expected integers, got {self.groups.dtype}; number the groups.")
            check_groups(self.groups, self.split)
        for field in ("x", "y", "split", "groups"):
            array = getattr(self, field)
            if array is not None:
                view = array.view()  # the caller's own array stays writable
                view.flags.writeable = False
                object.__setattr__(self, field, view)

    @functools.cached_property
    def digest(self) -> str:
        """The sha256 of inputs, labels, classes, split and groups, in hexadecimal; not of name and source."""
        total = hashlib.sha256()
        names = np.array(self.classes)
        for array in (self.x, self.y, names, self.split, self.groups):
            if array is None:
                total.update(b"none")
                continue
            array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            total.update(f"{array.dtype.str} {array.shape}".encode())
            total.update(array.reshape(-1).view(np.uint8).data)
        return total.hexdigest()

    def __repr__(self) -> str:
        if self.split is None:
            sides = "no split"
        else:
            sides = f"{np.sum(self.split == 'train')} train and {np.sum(self.split == 'test')} test"
        shape = self.x.shape[1:]
        return f"Dataset({self.name!r}, {len(self.x)} examples of shape {shape}, {len(self.classes)} classes, {sides})"


def check_inputs(x: np.ndarray) -> None:
    if x.dtype.kind != "f":
        raise TypeError(f"x: expected floats, got {x.dtype}; convert with x.astype(numpy.float32).")
    if x.ndim not in (2, 4):
        raise ValueError(f"x: expected images (n, height, width, channels) or vectors (n, d), got shape {x.shape}.")
    if x.size == 0:
        raise ValueError(f"x: expected at least one example and one feature, got shape {x.shape}; the data are empty.")
    finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise ValueError(
            f"x: expected finite numbers, got NaN or infinity in {len(bad)} of {len(x)} examples, the first at index "
            f"{bad[0]}; remove or repair them."
        )


def check_labels(y: np.ndarray, n: int, classes: tuple[str, ...]) -> None:
    check_length("y", y, n)
    if y.dtype.kind not in "iu":
        raise TypeError(f"y: expected integer labels, got {y.dtype}; convert with y.astype(int).")
    if len(classes) < 2:
        raise ValueError(f"expected at least 2 classes, got {len(classes)}: {list(classes)}; add examples of another.")
    if len(set(classes)) < len(classes):
        raise ValueError(f"expected distinct class names, got {shortened(classes)}; rename the repeated ones.")
    for name in classes:
        if not name or not name.isprintable():
            raise ValueError(f"expected class names of printable characters, got {name!r}; rename that class.")
    if y.min() < 0 or y.max() >= len(classes):
        worst = y.min() if y.min() < 0 else y.max()
        raise ValueError(f"y: expected labels from 0 to {len(classes) - 1}, got {worst}; number the classes from 0.")


def check_split(split: np.ndarray, n: int) -> None:
    check_length("split", split, n)
    if split.dtype.kind != "U":
        raise TypeError(f"split: expected the strings 'train' and 'test', got {split.dtype}; write those words.")
    unknown = sorted(set(np.unique(split).tolist()) - {"train", "test"})
    if unknown:
        raise ValueError(f"split: expected only 'train' and 'test', got {shortened(unknown)}; rename or remove those.")
    for side in ("train", "test"):
        if not np.any(split == side):
            raise ValueError(f"split: expected both sides, got no example marked {side!r}; mark some, or drop split.")


def check_groups(groups: np.ndarray, split: np.ndarray | None) -> None:
    """Refuses a group with examples on both sides of the split: what the test would measure is then memory."""
    if split is None:
        return
    both = np.intersect1d(groups[split == "train"], groups[split == "test"])
    if both.size:
        raise ValueError(
            f"groups: expected each group on one side of the split, got {both.size} on both, the first "
            f"{both[0].item()!r}; move all its examples to one side."
        )


def check_length(what: str, array: np.ndarray, n: int) -> None:
    if array.shape != (n,):
        raise ValueError(f"{what}: expected shape ({n},), one entry an example, got {array.shape}; make them match.")


def check_size(values: int, itemsize: int, what: str) -> None:
    """Refuses inputs of more than MAX_BYTES before they are allocated."""
    if values * itemsize > MAX_BYTES:
        raise ValueError(
            f"{what}: expected at most {MAX_BYTES / 2**30:g} GiB of inputs as floats, got a claim of "
            f"{values * itemsize / 2**30:.4g} GiB; take fewer examples or smaller ones."
        )


def shortened(names: object, most: int = 5) -> str:
    """A list for an error message, cut after a few entries."""
    names = [str(name) for name in names]  # type: ignore[attr-defined]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more


def one_line(error: Exception) -> str:
    """The text of an error raised by another library, on one line and of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
