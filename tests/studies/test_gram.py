"""The commands kernel and fit: the predictions of plain linear algebra, and clear refusals."""

import json

import numpy as np
import pytest

from equitangents import cli
from equitangents.studies import gram

NET = "Serial(Flatten(), Dense(1, sigma_w=1.4), Relu(), Dense(1))"


def run(capsys, *arguments):
    """Exit code, standard output and standard error of a command in this process."""
    code = 0
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code or 0
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """NNGP and NTK of 200 digits."""
    folder = tmp_path_factory.mktemp("made") / "gram"
    gram.make_gram("digits", folder, net=NET, kernels=("nngp", "ntk"), side=64, limit=200)
    return folder


def test_a_fit_is_kernel_regression_with_the_ridge_of_least_held_out_error(made, capsys):
    code, out, _ = run(capsys, "fit", made, "--ridge", 0.01, "--ridge", 10, "--tolerance", 1e-6)
    fit = json.loads((made / "fit.json").read_text())
    store, examples = gram.GramStore(made), gram.read_examples(gram.GramStore(made))
    k = store.matrix().to_array().astype(np.float64)
    y, targets = examples["y_train"], np.eye(10)[examples["y_train"]] - 0.1
    unit = np.mean(np.diagonal(k))
    scores = []
    for ridge in (0.01, 10):
        a = np.linalg.solve(k[:180, :180] + ridge * unit * np.eye(180), targets[:180])
        scores.append(np.mean(np.argmax(k[180:, :180] @ a, axis=1) == y[180:]))
    a = np.linalg.solve(k + fit["ridge"] * unit * np.eye(200), targets)
    with np.load(made / "model.npz", allow_pickle=False) as model:
        np.testing.assert_allclose(model["coefficients"], a, atol=1e-4 * np.abs(a).max())
    assert code == 0 and fit["kernel"] == "ntk" and fit["residual"] <= 1e-6
    np.testing.assert_allclose(fit["scores"], scores)
    assert fit["ridge"] == (0.01, 10)[int(np.argmax(scores))]
    assert fit["accuracy"] > 0.85 and f"test accuracy {100 * fit['accuracy']:.2f} %" in out


def log_density(columns, covariance):
    """Of independent columns, each N(0, covariance); by eigenvalues."""
    values, vectors = np.linalg.eigh(covariance)
    whitened = (vectors.T @ columns) / np.sqrt(values)[:, None]
    return -np.sum(whitened**2 + np.log(2 * np.pi * values)[:, None]) / 2


def test_the_likelihood_is_that_of_a_gaussian_with_the_best_scale(made):
    ridges = (0.01, 1.0)
    fit = gram.fit_gram(made, ridges=ridges, kernel="nngp", choose="likelihood", tolerance=1e-6)
    store = gram.GramStore(made)
    k = store.matrix("nngp").to_array().astype(np.float64)
    targets = np.eye(10)[gram.read_examples(store)["y_train"]] - 0.1
    for ridge, score in zip(ridges, fit.scores, strict=True):
        shifted = k + ridge * np.mean(np.diagonal(k)) * np.eye(200)
        best = np.sum(targets * np.linalg.solve(shifted, targets)) / targets.size
        densities = [log_density(targets, scale * best * shifted) / targets.size for scale in (0.9, 1.0, 1.1)]
        assert np.argmax(densities) == 1
        assert score == pytest.approx(densities[1], rel=1e-5)


def test_kernel_given_again_continues_and_a_hole_is_named(made, capsys):
    hole = made / "ntk.zarr" / "c" / "0" / "1"
    content = hole.read_bytes()
    hole.unlink()
    code, _, err = run(capsys, "fit", made)
    assert code == 2 and "without 1 of its tiles" in err and "it continues" in err
    options = ("--net", NET, "--kernel", "both", "--tile", 64, "--limit", 200)
    code, out, err = run(capsys, "kernel", "digits", "--out", made, *options)
    assert code == 0 and "Continuing the matrix" in out and "200 x 200 nngp and ntk in 10 tiles" in out
    assert hole.read_bytes() == content
    code, _, err = run(capsys, "kernel", "digits", "--out", made, *options[:-1], 100)
    assert code == 2 and "choose another folder" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kernel", "digits", "--out", "new", "--kernel", "rbf"), "expected ntk, nngp or both"),
        (("kernel", "digits", "--out", "new", "--net", "Dense(1"), "expected a description"),
        (("kernel", "digits", "--out", "new", "--average", "C5"), "C5"),
        (("kernel", "digits", "--out", "new", "--net", "Conv(1, (9, 9), padding='VALID')"), "window"),
        (("fit", "nowhere"), "expected a folder with a Gram matrix"),
        (("fit", "MADE", "--choose", "dice"), "expected one of held-out, likelihood"),
        (("fit", "MADE", "--ridge", "-1"), "expected numbers of at least zero"),
        (("fit", "MADE", "--kernel", "rbf"), "expected one of the kernels"),
        (("fit", "MADE", "--solver", "cg", "--choose", "likelihood"), "a solver with a determinant"),
    ],
)
def test_mistakes_are_said_in_one_line(made, capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *(made if a == "MADE" else a for a in arguments))
    assert code == 2 and message in err and len(err.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_without_the_extra_its_name_is_said(made, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "zarr", None)
    code, _, err = run(capsys, "fit", made)
    assert code == 2 and "expected the package zarr, which the extra `scale` installs" in err
