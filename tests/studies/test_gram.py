"""The commands kernel, fit and predict: those of plain linear algebra, and clear refusals."""

import csv
import io
import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from command import run
from equitangents import nngp
from equitangents.data import load
from equitangents.nets.text import parse_net
from equitangents.studies import gram

NET = "Serial(Flatten(), Dense(1, sigma_w=1.4), Relu(), Dense(1))"


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


@pytest.fixture(scope="module")
def fitted(made, tmp_path_factory):
    """A fit to the NNGP beside the matrix, and the test images as they are in the data."""
    out = tmp_path_factory.mktemp("fitted") / "fit"
    fit = gram.fit_gram(made, out=out, kernel="nngp", ridges=(0.01,))
    dataset = load("digits")
    chosen = gram.sides(dataset, 200, None, 0)[1]
    return out, fit, dataset.x[chosen], dataset.y[chosen]


def test_a_fit_labels_new_data_as_it_labelled_the_test_inputs(made, fitted, capsys, tmp_path):
    out, fit, x, y = fitted
    assert sorted(path.name for path in out.iterdir()) == ["fit.json", "model.npz"]
    np.savez(tmp_path / "new.npz", x=x)
    code, said, _ = run(capsys, "predict", out, tmp_path / "new.npz", "--out", tmp_path / "labels.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "labels.csv").read_text())))
    assert code == 0 and f"{len(x)} predictions of the nngp, trained on 200 inputs" in said
    assert rows[0] == ["input", "label", "margin", *(f"score {c}" for c in range(10))]
    assert np.mean([int(row[1]) for row in rows[1:]] == y) == fit.accuracy

    store = gram.GramStore(made)
    new, old = gram.read_examples(store)["x_test"], np.concatenate([store.block(i) for i in range(4)])[:200]
    with np.load(out / "model.npz", allow_pickle=False) as model:
        scores = np.asarray(nngp(parse_net(NET), *map(jnp.asarray, (new, old)))) @ model["coefficients"]
    found = np.array([[float(score) for score in row[3:]] for row in rows[1:]])
    np.testing.assert_allclose(found, scores, atol=2e-5 * np.abs(scores).max())


def test_a_fit_names_its_error_where_labels_are_known(fitted, capsys, tmp_path):
    out, fit, x, y = fitted
    np.savez(tmp_path / "new.npz", x=x, y=y)
    code, said, err = run(capsys, "predict", out, tmp_path / "new.npz")
    assert code == 0 and said.count("\n") == 1 + len(x)
    assert f"{100 * (1 - fit.accuracy):.2f} %" in err


def test_a_fit_refuses_images_of_other_sizes_and_what_was_changed(made, fitted, capsys, tmp_path):
    out, _, x, _ = fitted
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "new.png")
    np.savez(tmp_path / "new.npz", x=x[:, :6, :6])
    for data in (tmp_path / "new.npz", tmp_path):
        code, _, err = run(capsys, "predict", out, data)
        assert code == 2 and "expected images of 8 x 8" in err and len(err.splitlines()) == 1

    np.savez(tmp_path / "new.npz", x=x[:3])
    copy = out.parent / "copy"
    copy.mkdir()
    content = bytearray((out / "model.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.npz").write_bytes(content)
    code, _, err = run(capsys, "predict", copy, tmp_path / "new.npz")
    assert code == 2 and "give the command `equitangents fit` again" in err and len(err.splitlines()) == 1

    with np.load(out / "model.npz", allow_pickle=False) as model:
        assert all(model[name].dtype != object for name in model.files)
        arrays = dict(model)
    arrays["coefficients"] = arrays["coefficients"] * 2
    np.savez(copy / "model.npz", **arrays)
    assert "as it was written" in run(capsys, "predict", copy, tmp_path / "new.npz")[2]

    manifest = (made / "manifest.json").read_text()
    try:
        (made / "manifest.json").write_text(manifest.replace('"seed": 0', '"seed": 1'))
        assert "expected the matrix that it was fitted to" in run(capsys, "predict", out, tmp_path / "new.npz")[2]
    finally:
        (made / "manifest.json").write_text(manifest)


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
