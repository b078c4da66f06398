"""The chosen model: written and read whole, refused where it was changed, and equal to what the study measured."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

import small_study
from equitangents.data import split
from equitangents.studies import Result, parse_net
from equitangents.studies.advice import advise
from equitangents.studies.predict import Model, chosen_model, images_of, load_model, predict, read_inputs, save_model
from equitangents.studies.problem import read_problem


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    folder = small_study.folder(tmp_path_factory)
    return Result.load(folder), folder


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    net = "Serial(Flatten(), Dense(3), Relu(), Dense(2))"
    _, params = parse_net(net).init(jax.random.key(0), (2, 2, 1))
    leaves = [np.stack([np.asarray(leaf)] * 2) for leaf in jax.tree.leaves(params)]
    return Model(
        net=net, kind="ensemble", arm="averaged", group="C2", data="made", n_train=4, classes=("a", "b"),
        shape=(2, 2, 1), channels=1, resize=0, size=0, mean=0.5, std=2.0, average=True, imposed=0.0,
        images=np.array([[0, 1, 2, 3], [3, 2, 1, 0]]),
        arrays={f"leaf-{i:04d}": leaf + rng.normal(size=leaf.shape) for i, leaf in enumerate(leaves)},
    )  # fmt: skip


@pytest.mark.parametrize("arm", ["plain", "augmented", "averaged", "equivariant"])
@pytest.mark.parametrize("kind", ["kernel", "ensemble"])
def test_predictions_of_new_data_have_the_error_that_the_study_measured(studied, tmp_path, kind, arm):
    result, folder = studied
    advice = replace(advise(result), model=kind, net="tiny", arm=arm)
    save_model(tmp_path, chosen_model(result, advice, folder))
    problem = read_problem(result.config)
    _, test = split(problem.dataset, train=40, test=60, seed=0)
    found = predict(load_model(tmp_path), problem.dataset.x[test])
    rows = result.select(metric="error", model=kind, arm=arm, n_train=40, inputs="canonical", seed=[-1, 0])
    last = rows.columns["time"] == rows.columns["time"].max()
    last &= rows.columns["members"] == rows.columns["members"].max()
    measured = rows.columns["value"][last][0]
    assert np.mean(found.labels != problem.dataset.y[test]) == pytest.approx(measured, abs=1e-9)


def test_a_model_comes_back_as_it_was_written(model, tmp_path):
    save_model(tmp_path, model)
    back = load_model(tmp_path)
    assert (back.net, back.classes, back.shape, back.std) == (model.net, model.classes, model.shape, model.std)
    x = np.random.default_rng(1).normal(size=(5, 2, 2, 1)).astype(np.float32)
    np.testing.assert_array_equal(predict(back, x).scores, predict(model, x).scores)


@pytest.mark.optimised
def test_an_averaged_model_is_invariant(model):
    x = np.random.default_rng(1).normal(size=(5, 2, 2, 1)).astype(np.float32)
    turned = predict(model, images_of(model, x)[1])
    np.testing.assert_allclose(turned.scores, predict(model, x).scores, rtol=1e-6)
    plain = replace(model, average=False)
    assert np.abs(predict(plain, images_of(model, x)[1]).scores - predict(plain, x).scores).max() > 0.01


@pytest.mark.parametrize("file", ["net.txt", "params.npz", "meta.json"])
def test_a_changed_or_cut_model_is_refused(model, tmp_path, file):
    save_model(tmp_path, model)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="run the study again"):
        load_model(tmp_path)


def test_a_model_with_another_net_is_refused_without_running_it(model, tmp_path):
    save_model(tmp_path, model)
    (tmp_path / "net.txt").write_text("__import__('os').system('touch hacked')")
    with pytest.raises(ValueError, match="as they were written"):
        load_model(tmp_path)
    meta = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps(meta | {"classes": "ab"}))
    with pytest.raises(ValueError, match="expected classes as list, got 'ab'"):
        load_model(tmp_path)


def test_inputs_without_labels_are_read(model, tmp_path):
    x = np.zeros((3, 2, 2), np.uint8)
    np.savez(tmp_path / "bare.npz", x=x)
    found, labels, names = read_inputs(tmp_path / "bare.npz", model)
    assert found.shape == (3, 2, 2, 1) and labels is None and names == ["0", "1", "2"]


def test_inputs_of_another_shape_are_refused(model):
    with pytest.raises(ValueError, match="expected images"):
        predict(model, np.zeros((3, 4)))
    with pytest.raises(ValueError, match="expected inputs of shape"):
        predict(model, np.zeros((3, 2, 2, 3)))
    with pytest.raises(ValueError, match="images of 2 x 2, as the model was trained on, got 4 x 4"):
        predict(model, np.zeros((3, 4, 4, 1)))
    with pytest.raises(ValueError, match="finite"):
        predict(model, np.full((3, 2, 2, 1), np.nan))
