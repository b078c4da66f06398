r"""The model that a study chose, kept as text and arrays, and its predictions for new data.

A model is either a kernel predictor, $f(x) = \sum_i \Theta(x, x_i)\, a_i$ with $\Theta$ the NTK of the plain network
and $a = (\Theta(X, X) + \lambda)^{-1} Y$, or an ensemble, $f(x) = M^{-1} \sum_m f_{\theta_m}(x)$. With a symmetry
imposed on a kernel, or averaged at test time, the prediction is the mean of f over the images $\rho(g) x$ of an input:
where $\Theta(\rho(g) x, \rho(g) x') = \Theta(x, x')$ that is the predictor of the group-averaged kernel.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..equivariant.text import parse_net
from .precision import single
from .store import checksum, explained, whole_file

FORMAT = 1
ROWS = 200  # inputs predicted at once
FIELDS = {
    "kind": str, "arm": str, "group": str, "data": str, "n_train": int, "classes": list, "shape": list,
    "channels": int, "resize": int, "size": int, "mean": float, "std": float, "average": bool, "imposed": float,
}  # fmt: skip


@runtime_checkable
class Inputs(Protocol):
    """What raw inputs become before a model sees them; the attributes are those of `Model`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def channels(self) -> int: ...
    @property
    def resize(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def mean(self) -> float: ...
    @property
    def std(self) -> float: ...


@dataclass(frozen=True, eq=False)
class Model:
    """A trained predictor with all that it does to its inputs.

    Attributes:
        net: the description as text.
        kind: "kernel" or "ensemble".
        arm, group, data, n_train: where it comes from.
        classes: names, in the order of the scores.
        shape: of one input of the network, sites and channels; vectors are (d, 1).
        channels, resize, size: of images before (`resize`) and after (`size`) they are reduced; 0 keeps them. For
            vectors `channels` is 0.
        mean, std: subtracted, then divided by.
        average: whether the prediction is averaged over the images of an input.
        imposed: of an ensemble of group-convolutional networks, their width over that in `net`; else 0.
        images: permutations of sites (|G|, sites): image g of x is x[images[g]].
        arrays: kernel: `x` (n, *shape), `coefficients` (n, classes). Ensemble: `leaf-0000` ... (members, ...), the
            leaves of the stacked parameters.
    """

    net: str
    kind: str
    arm: str
    group: str
    data: str
    n_train: int
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    channels: int
    resize: int
    size: int
    mean: float
    std: float
    average: bool
    imposed: float
    images: np.ndarray
    arrays: dict[str, np.ndarray]


class Prediction(NamedTuple):
    """Labels (n,), indices into the classes of the model, and scores (n, classes)."""

    labels: np.ndarray
    scores: np.ndarray


def save_model(folder: str | Path, model: Model) -> None:
    """Write net.txt, params.npz and meta.json, each whole or not at all, meta.json with the digest last.

    Raises:
        OSError: a full disk, a folder that cannot be written; one line.
    """
    folder = Path(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    arrays = {"images": model.images, **model.arrays}
    with whole_file(folder / "net.txt") as file:
        file.write((model.net + "\n").encode())
    with whole_file(folder / "params.npz") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    meta = {"format": FORMAT, "digest": _digest(model.net, arrays)}
    meta |= {name: getattr(model, name) for name in FIELDS}
    with whole_file(folder / "meta.json") as file:
        file.write((json.dumps(meta, indent=1, sort_keys=True) + "\n").encode())


def load_model(folder: str | Path) -> Model:
    """The model in a folder that `save_model` wrote; reads numbers and text, executes nothing.

    Raises:
        ValueError: there is none, or it is damaged or was changed; one line.
    """
    folder = Path(folder)
    if not (folder / "meta.json").is_file():
        raise ValueError(
            f"{folder}: expected a model with meta.json, got none; finish `equitangents study` or "
            "`equitangents fit` first."
        )
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        net = (folder / "net.txt").read_text(encoding="utf-8").strip()
        with open(folder / "params.npz", "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # hostile bytes: json, zipfile and NumPy document no complete list
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ValueError(f"{folder}: expected a readable model, got damage ({reason}); run the study again.") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ValueError(f"{folder}: expected a model of format {FORMAT}, got another; run the study again.")
    for name, kind in FIELDS.items():
        if not isinstance(meta.get(name), kind):
            got = str(meta.get(name))[:60]
            raise ValueError(f"{folder}: expected {name} as {kind.__name__}, got {got!r}; run the study again.")
    if meta.get("digest") != _digest(net, arrays):
        raise ValueError(
            f"{folder}: expected net.txt and params.npz as they were written, got others; run the study again."
        )
    fields = {name: meta[name] for name in FIELDS}
    fields["classes"], fields["shape"] = tuple(map(str, meta["classes"])), tuple(map(int, meta["shape"]))
    images = arrays.pop("images")
    return Model(net=net, images=images, arrays=arrays, **fields)


def predict(model: Model, x: np.ndarray) -> Prediction:
    """Labels and scores for raw inputs, images (n, height, width, channels) or vectors (n, d), as `data.load` gives.

    Raises:
        ValueError: inputs of another shape, or not finite.
    """
    x = prepare(model, x)
    scores = np.concatenate([_scores(model, x[i : i + ROWS]) for i in range(0, len(x), ROWS)])
    return Prediction(scores.argmax(axis=1), scores)


def prepare(model: Inputs, x: np.ndarray) -> np.ndarray:
    """Inputs reduced and standardised as those that the model was trained on."""
    from ..data import resize_images

    dims = 4 if model.channels else 2
    if x.ndim != dims or not len(x):
        kind = "images (n, height, width, channels)" if dims == 4 else "vectors (n, d)"
        raise ValueError(f"expected {kind} as the model was trained on, got shape {x.shape}; pass such inputs.")
    if not np.isfinite(x).all():
        raise ValueError("expected finite inputs, got NaN or infinity; remove or repair those examples.")
    x = x.astype(np.float32)
    if dims == 4 and not model.resize and not model.size and x.shape[1:3] != model.shape[:2]:
        sides, got = (f"{a} x {b}" for a, b in (model.shape[:2], x.shape[1:3]))
        raise ValueError(f"expected images of {sides}, as the model was trained on, got {got}; pass such images.")
    if model.resize:
        x = resize_images(x, model.resize)
    x = _reduced(x, model.size or (model.shape[0] if dims == 4 and x.shape[1] == x.shape[2] else 0))
    if x.shape[1:] != model.shape:
        raise ValueError(
            f"expected inputs of shape {model.shape} after resizing, got {x.shape[1:]}; check sides and channels."
        )
    return (x - np.float32(model.mean)) / np.float32(model.std)


def _reduced(x: np.ndarray, size: int) -> np.ndarray:
    """Images of this side (0 keeps them), by block means where it divides theirs; vectors as (n, d, 1)."""
    from ..data import block_mean, resize_images

    if x.ndim == 2:
        return x[..., None]
    if size in (0, x.shape[1]):
        return x
    return block_mean(x, size) if x.shape[1] % size == 0 else resize_images(x, size)


def images_of(model: Model, x: np.ndarray) -> np.ndarray:
    """All images of a batch, shape (|G|, n, *shape)."""
    flat = x.reshape(len(x), -1, x.shape[-1])
    return np.stack([flat[:, sites].reshape(x.shape) for sites in model.images])


def _scores(model: Model, x: np.ndarray) -> np.ndarray:
    if not model.average:
        return _plain_scores(model, x)
    moved = images_of(model, x)
    scores = _plain_scores(model, moved.reshape(-1, *x.shape[1:]))
    return scores.reshape(len(moved), len(x), -1).mean(axis=0)


def _plain_scores(model: Model, x: np.ndarray) -> np.ndarray:
    import jax
    import jax.numpy as jnp

    from ..equivariant.twin import impose
    from ..kernels import ntk

    with single():
        net = parse_net(model.net)
        if model.kind == "kernel":
            cross = np.asarray(ntk(net, jnp.asarray(x), jnp.asarray(model.arrays["x"], jnp.float32)), np.float64)
            return cross @ model.arrays["coefficients"]
        if model.imposed:
            net = impose(net, action_of(model), model.shape, width=model.imposed)
        params = jax.eval_shape(lambda key: net.init(key, model.shape)[1], jax.random.key(0))
        leaves = [model.arrays[f"leaf-{i:04d}"] for i in range(len(jax.tree.leaves(params)))]
        stacked = jax.tree.unflatten(jax.tree.structure(params), leaves)
        one = jax.jit(jax.vmap(net.apply, in_axes=(None, 0)))
        members = len(leaves[0])
        outputs = [one(jax.tree.map(lambda leaf, m=m: leaf[m], stacked), x) for m in range(members)]
        return np.mean(np.asarray(outputs, np.float64), axis=0)


def action_of(model: Model) -> Any:
    """The group of a model with its action on inputs of the network."""
    from ..groups import FiniteGroup, permutation_action
    from .problem import image_symmetries

    if len(model.shape) == 3:
        return image_symmetries(model.group)[0].action
    rows = np.argsort(model.images, axis=1)  # point i of x goes to rows[g, i]
    index = {tuple(row): g for g, row in enumerate(rows.tolist())}
    table = [[index[tuple(a[b])] for b in rows] for a in rows]
    return permutation_action(FiniteGroup(table, model.group), rows, axis=-2)


def _digest(net: str, arrays: dict[str, np.ndarray]) -> str:
    return checksum({**arrays, "net": np.array(net)})


def chosen_model(result: Any, advice: Any, out: str | Path) -> Model:
    """The model that the advice names, at the largest training set, from the finished pieces of a study.

    Args:
        result, advice: of the study.
        out: its folder.

    Raises:
        ValueError: the study has no such run or group.
        RuntimeError: pieces are missing.
    """
    from .run import plan
    from .store import Store
    from .work import Reader

    planned = plan(result.config)
    problem = planned.problem
    config = result.config
    runs = {run.name: run for run in (config.kernels if advice.model == "kernel" else config.ensembles)}
    symmetries = {symmetry.name: symmetry for symmetry in problem.symmetries}
    if advice.net not in runs or advice.group not in symmetries:
        raise ValueError(
            f"expected a run among {', '.join(runs) or 'none'} and a group among {', '.join(symmetries)}, got "
            f"{advice.model} {advice.net!r} and {advice.group!r}; run the study again."
        )
    get = Reader(Store(Path(out) / "pieces"), planned.digests())
    make = kernel_model if advice.model == "kernel" else ensemble_model
    return make(problem, runs[advice.net], symmetries[advice.group], advice.arm, get)


def kernel_model(problem: Any, run: Any, symmetry: Any, arm: str, get: Any) -> Model:
    """The predictor of gradient flow without end; at infinite width "augmented" is the same as "equivariant"."""
    import scipy.linalg

    from .kernel_arms import assemble, gram_pieces, network

    blocks = assemble(run, problem, gram_pieces(run, problem), get).train[1]
    items = problem.items(run)
    n = len(items.x_train)
    own = blocks[symmetry.inside[symmetry.group.identity]].astype(np.float64)
    imposed = arm in ("augmented", "equivariant")
    gram = blocks[list(symmetry.inside)].astype(np.float64).mean(axis=0) if imposed else own
    ridge = run.ridge * float(np.mean(np.diagonal(own)))
    coefficients = scipy.linalg.lstsq(gram + ridge * np.eye(n), items.targets(n))[0]
    return Model(
        net=repr(network(run, problem)),
        kind="kernel",
        average=arm != "plain",
        imposed=0.0,
        arrays={"x": items.x_train, "coefficients": coefficients},
        **_context(problem, run, symmetry, arm),
    )


def ensemble_model(problem: Any, run: Any, symmetry: Any, arm: str, get: Any) -> Model:
    """The members that were trained at the largest width with the first seed; those that diverged are left out."""
    from .ensemble_arms import Training
    from .kernel_arms import network

    trained = "plain" if arm == "averaged" else arm
    group = problem.largest if trained == "plain" else symmetry
    training = Training(run, trained, group, run.train_sizes[-1], run.widths[-1], run.seeds[0])
    parts = [get(name) for name, _ in training.parts()]
    names = sorted(name for name in parts[0] if name.startswith("param"))
    leaves = [np.concatenate([part[name][~part["diverged"]] for part in parts]) for name in names]
    factor = symmetry.order**-0.5 if run.twin_width == "parameters" else 1.0
    return Model(
        net=repr(network(run, problem, training.width, len(problem.dataset.classes))),
        kind="ensemble",
        average=arm == "averaged",
        imposed=factor if arm == "equivariant" else 0.0,
        arrays={f"leaf-{i:04d}": leaf for i, leaf in enumerate(leaves)},
        **_context(problem, run, symmetry, arm),
    )


def _context(problem: Any, run: Any, symmetry: Any, arm: str) -> dict[str, Any]:
    """What a model keeps of the study beside its network."""
    from .problem import moved

    items = problem.items(run)
    shape = items.x_train.shape[1:]
    mean, std = _constants(problem, run.size)
    sites = np.arange(math.prod(shape[:-1]), dtype=np.float64).reshape(1, *shape[:-1], 1)
    return {
        "arm": arm,
        "group": symmetry.name,
        "data": problem.config.data,
        "n_train": len(items.x_train),
        "classes": tuple(items.classes),
        "shape": tuple(shape),
        "channels": shape[-1] if len(shape) == 3 else 0,
        "resize": problem.config.resize,
        "size": run.size,
        "mean": mean,
        "std": std,
        "images": moved(symmetry.action, sites).reshape(symmetry.order, -1).astype(np.int64),
    }


def _constants(problem: Any, size: int) -> tuple[float, float]:
    """Mean and standard deviation by which the inputs of a study were standardised."""
    from ..data import split, standardise

    config = problem.config
    runs = (*config.kernels, *config.ensembles)
    train, test = max(r.train_sizes[-1] for r in runs), max(r.test for r in runs)
    first, _ = split(problem.dataset, train=train, test=test, seed=config.seed)
    x = _reduced(problem.dataset.x[first], size)
    zero, one = (float(v) for v in standardise(x, np.array([0.0, 1.0]))[1])
    return -zero / (one - zero), 1 / (one - zero)


def read_inputs(path: str | Path, model: Inputs) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """New inputs, their labels as class names if they have any, and a name for each.

    Reads all that `data.load` reads, and also inputs without labels: a folder of images, or an npz file with x alone.

    Raises:
        ValueError, FileNotFoundError: as `data.load`; one line.
    """
    from ..data import load
    from ..data.folder import SUFFIXES, _read_all

    where = Path(path).expanduser()
    channels = model.channels if model.channels in (1, 3) else None
    if where.is_dir() and not any(entry.is_dir() for entry in where.iterdir()):
        files = sorted(entry for entry in where.iterdir() if entry.suffix.lower() in SUFFIXES)
        if not files:
            raise ValueError(f"{str(where)!r}: expected png or jpg images or class folders, got none; add some.")
        x = _read_all(files, model.resize or model.size or None, channels)
        return x, None, [file.name for file in files]
    if where.suffix == ".npz" and where.is_file() and (bare := _bare(where)) is not None:
        return bare, None, [str(i) for i in range(len(bare))]
    dataset = load(str(path), resize=model.resize or None, channels=channels)
    labels = np.array(dataset.classes)[dataset.y]
    return dataset.x, labels, [str(i) for i in range(len(labels))]


def _bare(path: Path) -> np.ndarray | None:
    """The array x of an npz file that holds nothing else; None if it holds more."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            if archive.files != ["x"]:
                return None
            x = archive["x"]
    except Exception:  # not a plain npz file: `data.load` says what is wrong with it
        return None
    if x.dtype == np.uint8:
        return x.astype(np.float32).reshape(*x.shape, *((1,) if x.ndim == 3 else ())) / np.float32(255)
    if x.dtype.kind != "f":
        raise ValueError(f"{str(path)!r}: expected x of floats or uint8, got {x.dtype}; convert it.")
    return x[..., None] if x.ndim == 3 else x
