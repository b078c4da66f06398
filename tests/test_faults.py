"""Bad inputs: each gives one line that says what was expected, what came and what to do."""

import errno
import json
import os
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equitangents import Conv, Dense, GlobalAvgPool, Relu, Serial, nngp, ntk
from equitangents.corrections import expand, gradient_step, sample_tensors
from equitangents.data import block_mean, load, one_hot_centred, split, standardise
from equitangents.dynamics import GradientFlow
from equitangents.groups import FiniteGroup, cyclic, image_action, matrix_action, permutation_action, point_group
from equitangents.nets import AvgPool
from equitangents.studies import Result, parse_net, read_net
from equitangents.studies.config import parse_config, preset_config, read_config
from equitangents.studies.predict import load_model
from equitangents.studies.problem import read_problem
from equitangents.studies.store import Store

NET = Serial(Dense(8), Relu(), Dense(1))
IMAGES = Serial(Conv(4, (3, 3)), Relu(), GlobalAvgPool(), Dense(1))
RUN = '[[kernels]]\nname = "a"\n'


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def npz(folder: Path, **arrays) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def no_zip_bomb(folder: Path) -> Path:
    """A header that claims 2^60 numbers, and no data."""
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,), }"
    with zipfile.ZipFile(folder / "bomb.npz", "w") as archive:
        archive.writestr("x.npy", header + text.ljust(117) + b"\n")
        archive.writestr("y.npy", header + text.ljust(117) + b"\n")
    return folder / "bomb.npz"


def pets(folder: Path, *classes: str) -> Path:
    from PIL import Image

    for name in classes:
        (folder / name).mkdir()
        Image.new("L", (4, 4)).save(folder / name / "0.png")
    return folder


def config(**entries):
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in entries.items())
    return parse_config(f"{text}\n{RUN}")


def flow(**given):
    x = jnp.ones((2, 3))
    return GradientFlow(NET, x, jnp.array([[1.0], [0.0]]), **({"loss": "sum"} | given))


FAULTS = {
    # networks
    "a width of zero": (lambda d: Dense(0), ValueError, "width"),
    "a window of no pixels": (lambda d: Conv(2, (0, 3)), ValueError, "window"),
    "a window of one size for images": (
        lambda d: nngp(Serial(Conv(4, 3), GlobalAvgPool()), jnp.ones((1, 8, 8, 1))),
        ValueError,
        "window of two sizes",
    ),
    "a negative sigma": (lambda d: Dense(2, sigma_w=-1.0), ValueError, "sigma_w"),
    "an unknown padding": (lambda d: Conv(2, (3, 3), padding="REFLECT"), (ValueError, TypeError), "padding"),
    "a window larger than the image": (
        lambda d: nngp(Serial(AvgPool((9, 9)), GlobalAvgPool()), jnp.ones((1, 4, 4, 1))),
        ValueError,
        "4|window",
    ),
    # kernels
    "inputs without a batch": (lambda d: nngp(NET, jnp.ones(3)), ValueError, "expected"),
    "two batches of different shapes": (lambda d: ntk(NET, jnp.ones((2, 3)), jnp.ones((2, 4))), ValueError, "expected"),
    "integers as inputs": (lambda d: ntk(NET, jnp.ones((2, 3), int)), TypeError, "float"),
    "vectors for a convolution": (lambda d: nngp(IMAGES, jnp.ones((2, 3))), ValueError, "expected"),
    # dynamics
    "a loss that does not exist": (lambda d: flow(loss="hinge"), ValueError, "sum"),
    "no loss": (lambda d: flow(loss=None), (TypeError, ValueError), "loss"),
    "a negative ridge": (lambda d: flow(ridge=-1.0), ValueError, "ridge"),
    "a negative time": (lambda d: flow().mean(jnp.ones((1, 3)), -1.0), ValueError, "time|t"),
    "a learning rate that diverges": (lambda d: flow().descent(1e6), ValueError, "learning rate below"),
    "labels of another length": (
        lambda d: GradientFlow(NET, jnp.ones((2, 3)), jnp.ones((3, 1)), loss="sum"),
        ValueError,
        "expected",
    ),
    # corrections
    "training without its tensors": (
        lambda d: gradient_step(expand(NET, jnp.ones((1, 3)), ["V"])[-1], jnp.ones((1, 1)), 0.1),
        ValueError,
        "none named Theta, H1.*NEEDED",
    ),
    "one string as names of tensors": (
        lambda d: sample_tensors(NET, jnp.ones((1, 3)), "V", 100, jax.random.key(0)),
        TypeError,
        "several names",
    ),
    # groups
    "a group of order zero": (lambda d: cyclic(0), ValueError, "at least 1"),
    "a table that is no group": (lambda d: FiniteGroup([[0, 1], [1, 1]], "none"), ValueError, "expected|group"),
    "a point group that does not exist": (lambda d: point_group("C3"), ValueError, "expected one of"),
    "rotations of an oblong image": (
        lambda d: image_action(point_group("C4")).orbit(jnp.ones((1, 2, 3, 1))),
        ValueError,
        "square",
    ),
    "permutations that are no action": (
        lambda d: permutation_action(cyclic(2), [[0, 1, 2], [1, 2, 0]]),
        ValueError,
        r"rho\(g\) rho\(h\) = rho\(gh\)",
    ),
    "rows that are no permutations": (lambda d: permutation_action(cyclic(2), [[0, 1], [1, 1]]), ValueError, "permut"),
    "matrices that are no action": (
        lambda d: matrix_action(cyclic(2), np.array([np.eye(2), 2 * np.eye(2)])),
        ValueError,
        "rho",
    ),
    # data
    "data that do not exist": (lambda d: load("digtis"), FileNotFoundError, "did you mean 'digits'"),
    "an npz file without labels": (lambda d: load(npz(d, x=np.ones((4, 2)))), ValueError, "expected arrays x and y"),
    "an npz file with NaN": (
        lambda d: load(npz(d, x=np.full((4, 2), np.nan), y=np.array([0, 1, 0, 1]))),
        ValueError,
        "finite numbers",
    ),
    "an npz file with objects": (
        lambda d: load(npz(d, x=np.array([{}, {}], object), y=np.array([0, 1]))),
        ValueError,
        "expected",
    ),
    "an npz file that claims more than there is": (lambda d: load(no_zip_bomb(d)), ValueError, "expected"),
    "an npz file that is no zip": (lambda d: load(write(d, "a.npz", "hello")), ValueError, "save it again"),
    "a text file as data": (lambda d: load(write(d, "a.txt", "hello")), ValueError, "npz file or a folder"),
    "an empty folder": (lambda d: load(d), ValueError, "at least 2 class folders"),
    "a class without images": (lambda d: ((pets(d, "cat", "dog") / "bird").mkdir(), load(d)), ValueError, "png or jpg"),
    "an image that is none": (
        lambda d: (write(pets(d, "cat", "dog") / "cat", "1.png", "no image"), load(d)),
        ValueError,
        "readable png or jpg",
    ),
    "a negative size": (lambda d: load("digits", resize=-1), ValueError, "at least 1 pixel"),
    "blocks that do not fit": (lambda d: block_mean(np.ones((1, 8, 8, 1)), 3), ValueError, "divides"),
    "more training examples than there are": (
        lambda d: split(load("digits"), train=5000, test=100, seed=0),
        ValueError,
        "ask for fewer",
    ),
    "inputs that are constant": (lambda d: standardise(np.ones((3, 2))), ValueError, "inputs that vary"),
    "a label outside the classes": (lambda d: one_hot_centred(np.array([0, 5]), 3), ValueError, "from 0 to 2"),
    # descriptions of networks as text
    "code instead of a network": (
        lambda d: parse_net("__import__('os').system('true')"),
        ValueError,
        "expected|net",
    ),
    "a layer that does not exist": (lambda d: parse_net("Serial(Dens(3))"), ValueError, "Dense"),
    "a network file that does not exist": (lambda d: read_net(d / "net.txt"), ValueError, "readable file"),
    "a number instead of a network": (lambda d: parse_net("3"), ValueError, "expected a layer"),
    # configurations
    "a wrong key": (lambda d: config(gruop="C4"), ValueError, "did you mean 'group'"),
    "a text for a number": (lambda d: config(seed="one"), ValueError, "expected an integer"),
    "a configuration that is no TOML": (lambda d: parse_config("data = "), ValueError, "expected TOML"),
    "a configuration without runs": (lambda d: parse_config('data = "digits"'), ValueError, "at least one"),
    "training sizes that fall": (
        lambda d: parse_config(RUN + "train_sizes = [80, 40]"),
        ValueError,
        "increasing numbers",
    ),
    "an arm that does not exist": (
        lambda d: parse_config(RUN + 'arms = ["plane"]'),
        ValueError,
        "did you mean 'plain'",
    ),
    "a configuration that does not exist": (lambda d: read_config(d / "none.toml"), ValueError, "readable TOML"),
    "a preset that does not exist": (lambda d: preset_config("fast"), ValueError, "expected one of quick, full"),
    "a group that does not exist": (lambda d: read_problem(config(group="C3")), ValueError, "expected one of C1"),
    "the group of one element": (lambda d: read_problem(config(group="C1")), ValueError, "more than the identity"),
    # results and models
    "a folder without a result": (lambda d: Result.load(d), ValueError, "run `equitangents study` first"),
    "a result that is damaged": (
        lambda d: (
            write(d, "config.toml", RUN),
            write(d, "results.parquet", "PAR1"),
            Result.load(d),
        ),
        ValueError,
        "readable Parquet",
    ),
    "a folder without a model": (lambda d: load_model(d), ValueError, "expected a model"),
    "a file where a folder should be": (
        lambda d: Store(write(d, "pieces", "")),
        OSError,
        "choose another folder",
    ),
}


@pytest.mark.parametrize(("action", "kind", "words"), FAULTS.values(), ids=FAULTS)
def test_a_bad_input_gives_one_line(action, kind, words, tmp_path):
    with pytest.raises(kind, match=words) as caught:
        action(tmp_path)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert len(text) < 400


COMMANDS = {
    "an unknown command": (["studdy"], "No such command"),
    "an unknown option": (["study", "--grop", "C4"], "--group"),
    "a size that is no number": (["study", "--resize", "large"], "--resize"),
    "unknown data": (["study", "digtis"], "did you mean 'digits'"),
    "an unknown group": (["study", "digits", "--group", "C5"], "C4"),
    "an unknown preset": (["study", "--preset", "fast"], "expected one of quick, full"),
    "both a preset and a configuration": (["study", "--preset", "quick", "--config", "a.toml"], "drop one"),
    "a configuration that is not there": (["study", "--config", "none.toml"], "readable TOML"),
    "a network that is not there": (["study", "--net", "none.txt"], "readable file"),
    "a report of nothing": (["report", "nowhere"], "equitangents study"),
    "a prediction of nothing": (["predict", "nowhere", "digits"], "expected a model"),
    "a prediction without data": (["predict", "nowhere"], "Missing argument"),
}


def command(arguments, capsys):
    from equitangents import cli

    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    out = capsys.readouterr()
    assert stop.value.code == 2
    assert len(out.err.splitlines()) == 1 and "Traceback" not in out.err
    assert out.err.startswith("equitangents: error: ")
    return out.err


@pytest.mark.parametrize(("arguments", "words"), COMMANDS.values(), ids=COMMANDS)
def test_a_bad_command_gives_one_line_and_code_2(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in command(arguments, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission")],
    ids=["a full disk", "a read-only folder", "no permission"],
)
def test_a_study_that_cannot_write_says_why(number, words, capsys, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    path = write(
        tmp_path, "a.toml", f'{RUN}net = "Serial(Flatten(), Dense(1))"\ntrain_sizes = [40]\ntest = 40\noff = 5'
    )
    monkeypatch.setattr(os, "replace", refuse)
    text = command(["study", "--config", str(path), "--out", str(tmp_path / "out")], capsys)
    assert words in text and "out" in text
