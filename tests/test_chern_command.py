"""The commands `chern`: they train, go on, refuse other folders, and print what they measure."""

import sys

import numpy as np
import pytest

from command import run
from equitangents import cli
from equitangents.gauge.chern import load_state

TRAIN = ("chern", "train", "--grid", "3", "--channels", "4", "--batch", "16", "--steps", "4")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chern") / "run"
    cli.main([*TRAIN, "--trivial", "--out", str(folder)])
    return folder


def test_a_training_that_is_stopped_is_kept_and_continued(capsys, monkeypatch, tmp_path, trained):
    module = sys.modules["equitangents.gauge.chern"]
    real, calls = module.train_steps, []

    def stopped(training, state, until):
        if calls:
            raise KeyboardInterrupt
        calls.append(until)
        return real(training, state, until)

    monkeypatch.setattr(module, "train_steps", stopped)
    code, _, err = run(capsys, *TRAIN, "--trivial", "--out", tmp_path / "run")
    assert code == 130 and "stopped at step 1" in err and load_state(tmp_path / "run")[1].step == 1
    monkeypatch.setattr(module, "train_steps", real)
    code, out, err = run(capsys, *TRAIN, "--trivial", "--out", tmp_path / "run")
    assert code == 0 and "Continuing at step 1 of 4" in out and "1/4 loss" in err
    np.testing.assert_array_equal(load_state(tmp_path / "run")[1].losses, load_state(trained)[1].losses)


def test_another_training_is_not_written_over(capsys, trained):
    code, _, err = run(capsys, *TRAIN, "--out", trained)
    assert code == 2 and "got one with" in err and len(err.splitlines()) == 1


def test_an_evaluation_prints_accuracy_error_and_prediction(capsys, trained):
    code, out, _ = run(capsys, "chern", "evaluate", trained, "--count", 40, "--grid", 4)
    assert code == 0 and "outputs are divided by" in out and "40 random lattices, 4 x 4 sites, U(1)" in out
    assert all(f"\n{word} " in out for word in ("accuracy", "guess", "site error", "predicted"))
    code, out, _ = run(capsys, "chern", "evaluate", trained, "--count", 40, "--grid", 4, "--model", "qwz")
    assert code == 0 and "40 qwz" in out and "% of the labels on this grid" in out and "\nvacuum " in out


def test_models_are_listed_with_their_numbers(capsys):
    code, out, _ = run(capsys, "chern", "models")
    rows = [line.split() for line in out.splitlines()[1:]]
    assert code == 0 and len(rows) > 20 and all(row[-1] == row[-3] for row in rows)


@pytest.mark.parametrize("command", ["train", "evaluate", "models"])
def test_every_command_has_an_example(capsys, command):
    code, out, _ = run(capsys, "chern", command, "--help")
    assert code == 0 and f"Example: equitangents chern {command}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--out", "x", "--channels", "many"), "--channels: expected integers"),
        (("train", "--out", "x", "--label", "both"), "expected label 'trlog' or 'det'"),
        (("evaluate", "nowhere"), "expected a training, got none"),
    ],
)
def test_mistakes_are_named_in_one_line(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "chern", *arguments)
    assert code == 2 and message in err and len(err.splitlines()) == 1
