"""What is studied: the examples of a run, the groups that are compared, and how they act."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import Dataset, block_mean, load, noise_like, one_hot_centred, resize_images, split, standardise
from ..groups import Action, FiniteGroup, cyclic, image_action, image_groups, permutation_action, point_group, symmetric
from .config import AuditRun, Config, EnsembleRun, KernelRun
from .precision import double

IMAGE_GROUPS = ("C1", "C2", "C4", "D1", "D2", "D4")
MAX_ORDER = 24


@dataclass(frozen=True, eq=False)
class Symmetry:
    """A group of the study inside the largest one.

    Attributes:
        name: as the user writes it.
        action: on one example.
        inside: for each element, its index in the largest group.
    """

    name: str
    action: Action
    inside: tuple[int, ...]

    @property
    def group(self) -> FiniteGroup:
        return self.action.group

    @property
    def order(self) -> int:
        return self.group.order


@dataclass(frozen=True, eq=False)
class Items:
    """Examples of a run, standardised, in float32; vectors are (d, 1).

    Attributes:
        x_train, y_train: every beginning of them is a training set, its classes in proportion.
        x_test, y_test: test items.
        x_off: inputs off the data's manifold.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    x_off: np.ndarray
    classes: tuple[str, ...]

    def targets(self, n: int) -> np.ndarray:
        """One-hot labels of the first n training examples, centred, shape (n, classes)."""
        return one_hot_centred(self.y_train[:n], len(self.classes))


@dataclass(frozen=True, eq=False)
class Problem:
    """Data and groups of a study; made by `read_problem`.

    Attributes:
        largest: the group of which all others are subgroups.
        symmetries: the groups compared.
    """

    config: Config
    dataset: Dataset
    largest: Symmetry
    symmetries: tuple[Symmetry, ...]

    def items(self, run: KernelRun | EnsembleRun) -> Items:
        """The examples of a run: the first ones of those that all runs share."""
        whole, n = _items(self, run.size), run.train_sizes[-1]
        return Items(
            whole.x_train[:n],
            whole.y_train[:n],
            whole.x_test[: run.test],
            whole.y_test[: run.test],
            whole.x_off[: run.off],
            whole.classes,
        )

    def images(self, size: int) -> np.ndarray:
        """All inputs, images reduced to this side (0 keeps them), vectors as (n, d, 1)."""
        return _images(self.dataset.x, size)

    def shape(self, size: int) -> tuple[int, ...]:
        """The shape of one input, images reduced to this side (0 keeps them), vectors as (d, 1)."""
        return _images(self.dataset.x[:1], size).shape[1:]


def read_problem(config: Config) -> Problem:
    """Load the data and check, in one line each, that groups and sizes fit them, before any work starts."""
    dataset = load(config.data, resize=config.resize or None)
    if dataset.x.ndim == 4:
        largest, symmetries = image_symmetries(config.group)
    else:
        largest, symmetries = vector_symmetries(config.group, dataset.x.shape[1])
    problem = Problem(config, dataset, largest, symmetries)
    for run in config.runs:
        _check_size(run.name, run.size, dataset)
        problem.items(run)
    _check_size("audit", config.audit.size, dataset)
    _split(dataset, config.audit.train, config.audit.held_out, config.seed)
    return problem


def image_symmetries(name: str) -> tuple[Symmetry, tuple[Symmetry, ...]]:
    """The largest group, and those that are compared, for square images."""
    if name != "auto" and name not in IMAGE_GROUPS:
        raise ValueError(
            f"group: expected one of {', '.join(IMAGE_GROUPS)} or auto for images, got {name!r}; choose one."
        )
    if name == "C1":
        raise ValueError("group: expected more than the identity, got C1, of which nothing can be learned; try C4.")
    top = point_group("D4" if name == "auto" else name)
    names = [n for n in image_groups("D4") if n != "C1"] if name == "auto" else [name]
    found = []
    for n in names:
        group = point_group(n)
        found.append(Symmetry(n, image_action(group), tuple(top.labels.index(label) for label in group.labels)))
    largest = Symmetry(top.name or "", image_action(top), tuple(top.elements))
    return largest, tuple(found)


def vector_symmetries(name: str, d: int) -> tuple[Symmetry, tuple[Symmetry, ...]]:
    """The same for vectors of d entries: Z<n>, S<n>, or a JSON file of permutations."""
    if name.endswith(".json"):
        group, rows = read_permutations(name, d)
    elif name[:1] in ("Z", "S") and name[1:].isdigit():
        n = int(name[1:])
        if n != d:
            raise ValueError(f"group: expected {name[0]}{d}, as the vectors have {d} entries, got {name!r}; change it.")
        if name[0] == "S" and n > 4:
            raise ValueError(f"group: expected at most S4, of 24 elements, got {name!r}; use Z{n} or a file of fewer.")
        if n > MAX_ORDER:
            raise ValueError(f"group: expected at most {MAX_ORDER} elements, got {name!r}; use a file of fewer.")
        if name[0] == "Z":
            group, rows = cyclic(n), (np.arange(n)[:, None] + np.arange(n)) % n
        else:
            import itertools

            group, rows = symmetric(n), np.array(list(itertools.permutations(range(n))))
    else:
        raise ValueError(
            f"group: expected Z{d}, S{d} or a .json file of permutations for vectors of {d} entries, got {name!r}."
        )
    if group.order < 2:
        raise ValueError(f"group: expected more than the identity, got {name!r}; choose a larger group.")
    one = Symmetry(name, permutation_action(group, rows, axis=-2), tuple(group.elements))
    return one, (one,)


def read_permutations(path: str, d: int) -> tuple[FiniteGroup, np.ndarray]:
    """A group from a JSON file `[[0, 1, 2], [1, 2, 0], ...]`: point i goes to the i-th number of a row."""
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"group: expected a readable file, got {path!r}: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise ValueError(f"group: expected JSON in {path!r}, got another text; write [[0, 1, 2], [1, 2, 0]].") from None
    rows = rows.get("permutations") if isinstance(rows, dict) else rows
    wanted = list(range(d))
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"group: expected a list of permutations in {path!r}, got none; write [[0, 1, 2], [1, 2, 0]].")
    for row in rows:
        if not isinstance(row, list) or any(type(i) is not int for i in row) or sorted(row) != wanted:
            raise ValueError(
                f"group: expected permutations of 0 to {d - 1} in {path!r}, got {str(row)[:60]}; correct it."
            )
    elements = {tuple(wanted), *map(tuple, rows)}
    while True:  # the group they generate
        products = {tuple(a[i] for i in b) for a in elements for b in elements}
        if len(products | elements) > MAX_ORDER:
            raise ValueError(f"group: expected at most {MAX_ORDER} elements, got more from {path!r}; use fewer.")
        if products <= elements:
            break
        elements |= products
    ordered = sorted(elements)  # the identity comes first
    index = {p: i for i, p in enumerate(ordered)}
    table = [[index[tuple(a[i] for i in b)] for b in ordered] for a in ordered]
    return FiniteGroup(table, Path(path).stem), np.array(ordered)


def moved(action: Action, x: np.ndarray) -> np.ndarray:
    """All images of a batch, shape (|G|, n, ...), exact, in the precision of `x`."""
    with double():
        return np.asarray(action.orbit(x))


@functools.lru_cache(maxsize=8)
def _items(problem: Problem, size: int) -> Items:
    """All examples that any run uses, so that runs share their training sets and their test items."""
    dataset, config = problem.dataset, problem.config
    runs = config.runs
    train, test, off = max(r.train_sizes[-1] for r in runs), max(r.test for r in runs), max(r.off for r in runs)
    first, second = _split(dataset, train, test, config.seed)
    rng = np.random.default_rng(config.seed + 1)
    first, second = first[_interleaved(dataset.y[first], rng)], second[_interleaved(dataset.y[second], rng)]
    x_train, x_test = standardise(_images(dataset.x[first], size), _images(dataset.x[second], size))
    if config.off_manifold == "noise":
        copies = -(-off // len(x_test))
        x_off = noise_like(np.concatenate([x_test] * copies)[:off], config.seed + 2)
    else:
        x_off = _other(config, x_train.shape[1:], off)
    single = [np.ascontiguousarray(a, np.float32) for a in (x_train, x_test, x_off)]
    return Items(single[0], dataset.y[first], single[1], dataset.y[second], single[2], dataset.classes)


def _split(dataset: Dataset, train: int, test: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return split(dataset, train=train, test=test, seed=seed)


def _images(x: np.ndarray, size: int) -> np.ndarray:
    if x.ndim == 2:
        return x[..., None]
    if size in (0, x.shape[1]):
        return x
    return block_mean(x, size) if x.shape[1] % size == 0 else resize_images(x, size)


def _check_size(name: str, size: int, dataset: Dataset) -> None:
    if size and dataset.x.ndim == 2:
        raise ValueError(f"{name}: expected size = 0 for vectors, got {size}; leave it out.")
    if size and size > dataset.x.shape[1]:
        raise ValueError(
            f"{name}: expected size of at most {dataset.x.shape[1]}, as the images, got {size}; choose less."
        )


def _interleaved(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order in which every beginning has the classes in proportion."""
    shuffled = rng.permutation(len(y))
    place = np.empty(len(y))
    for c in np.unique(y):
        members = shuffled[y[shuffled] == c]
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")


def _other(config: Config, shape: tuple[int, ...], off: int) -> np.ndarray:
    """Inputs from another data set, of the shape of ours, standardised by themselves."""
    if len(shape) == 2:
        raise ValueError(f"off_manifold: expected 'noise' for vectors, got {config.off_manifold!r}; change it.")
    other = load(config.off_manifold, resize=shape[0], channels=shape[-1] if shape[-1] in (1, 3) else None)
    if off > len(other.x):
        raise ValueError(
            f"off: expected at most {len(other.x)} inputs of {config.off_manifold!r}, got {off}; use fewer."
        )
    chosen = np.sort(np.random.default_rng(config.seed + 2).choice(len(other.x), off, replace=False))
    return standardise(other.x[chosen])[0]


def audit_images(problem: Problem, run: AuditRun) -> tuple[np.ndarray, ...]:
    """Standardised (x, y) to learn from and (x, y) held out for the audit."""
    first, second = _split(problem.dataset, run.train, run.held_out, problem.config.seed)
    chosen = (_images(problem.dataset.x[rows], run.size).astype(np.float32) for rows in (first, second))
    x_train, x_test = standardise(*chosen)
    return x_train, problem.dataset.y[first], x_test, problem.dataset.y[second]


def file_name(name: str) -> str:
    """The name of a group, as part of the name of a file."""
    return "".join(c if c.isalnum() else "_" for c in Path(name).stem)
