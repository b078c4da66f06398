"""Training on disk: one npz file without pickle, written whole, that knows what it is the training of."""

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from ...files import explained, whole_file
from .data import ChernData
from .train import ChernTraining, State, start

FILE = "training.npz"


def to_arrays(state: State) -> dict[str, np.ndarray]:
    """All numbers of a state, by name: those of the network and of Adam in the order of their trees."""
    leaves = {f"leaf-{i:03}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state[1:3]))}
    return {"step": np.asarray(state.step), "losses": state.losses} | leaves


def from_arrays(training: ChernTraining, arrays: Mapping[str, np.ndarray]) -> State:
    """The state that `to_arrays` wrote.

    Raises:
        ValueError: arrays of another network.
    """
    first = start(training)
    old, tree = jax.tree.flatten(first[1:3])
    names = [f"leaf-{i:03}" for i in range(len(old))]
    shapes = [arrays[name].shape if name in arrays else None for name in names]
    if shapes != [leaf.shape for leaf in old]:
        raise ValueError(f"expected the arrays of {training.net()}, got others; train it again.")
    params, inner = jax.tree.unflatten(tree, [jnp.asarray(arrays[name]) for name in names])
    return State(int(arrays["step"]), params, inner, np.asarray(arrays["losses"]))


def save_state(folder: str | Path, training: ChernTraining, state: State) -> Path:
    """Write `training.npz` into a folder, which is made: complete, or not at all.

    Raises:
        OSError: a folder that cannot be written, a full disk; one line.
    """
    path = Path(folder) / FILE
    with explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        header = np.array(json.dumps(dataclasses.asdict(training)))
        np.savez(file, training=header, **to_arrays(state))  # type: ignore[arg-type]
    return path


def load_state(folder: str | Path) -> tuple[ChernTraining, State]:
    """What `save_state` wrote.

    Raises:
        ValueError: no such file, or a damaged one; one line.
    """
    path = Path(folder) / FILE
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        table = json.loads(str(arrays["training"][()]))
        data = table.pop("data")
        training = ChernTraining(
            data=ChernData(**data | {"sites": tuple(data["sites"])}), **table | {"channels": tuple(table["channels"])}
        )
        return training, from_arrays(training, arrays)
    except FileNotFoundError:
        raise ValueError(f"{path}: expected a training, got none; `equitangents chern train` writes one.") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected a training, got a damaged file ({error}); remove it.") from None


def resume(folder: str | Path, training: ChernTraining) -> State:
    """Where the training in a folder is; its start where there is none.

    Raises:
        ValueError: the folder holds another training, or a damaged one.
    """
    if not (Path(folder) / FILE).exists():
        return start(training)
    there, state = load_state(folder)
    if there != training:
        fields = [f.name for f in dataclasses.fields(training) if getattr(there, f.name) != getattr(training, f.name)]
        name = fields[0]
        raise ValueError(
            f"{folder}: expected a training with {name} = {getattr(training, name)}, got one with "
            f"{getattr(there, name)}; choose another --out, or remove the folder."
        )
    return state
