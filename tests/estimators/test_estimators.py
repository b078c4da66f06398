"""scikit-learn's own checks, its tools around our estimators, the closed forms behind them, and files."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from equitangents import Dense, Erf, Relu, Serial
from equitangents.dynamics import GradientFlow, nngp_posterior
from equitangents.estimators import NNGPRegressor, NTKClassifier, NTKRegressor, load
from equitangents.nets import Activation, Conv, GlobalAvgPool

NET = Serial(Dense(1, sigma_w=1.3, sigma_b=0.2), Erf(), Dense(1))


# the message of a warning of scikit-learn itself about the classes of the checks
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([NTKRegressor(depth=1), NNGPRegressor(depth=1), NTKClassifier(depth=1)])
def test_scikit_learn_finds_nothing_to_complain_about(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, 3))
    return x, np.sin(x[:, 0]) + x[:, 1], rng.normal(size=(5, 3))


@pytest.mark.parametrize("loss", ["sum", "mean"])
@pytest.mark.parametrize("t, ridge", [(np.inf, 0.1), (2.0, 0.1), (np.inf, 0.0), (0.0, 0.0)])
def test_the_regressor_is_the_flow(data, t, ridge, loss):
    x, y, new = data
    mean, std = NTKRegressor(NET, ridge=ridge, t=t, loss=loss).fit(x, y).predict(new, return_std=True)
    expected = GradientFlow(NET, x, y, loss=loss, ridge=ridge).predict(new, t)
    np.testing.assert_allclose(mean, expected.mean, atol=1e-8)
    np.testing.assert_allclose(std**2, np.diagonal(expected.covariance), atol=1e-8)


def test_the_gaussian_process_is_the_posterior_and_outputs_are_independent(data):
    x, y, new = data
    both = np.stack([y, -2 * y], axis=1)
    mean, std = NNGPRegressor(NET, ridge=0.1).fit(x, both).predict(new, return_std=True)
    expected = nngp_posterior(NET, x, both, new, ridge=0.1)
    np.testing.assert_allclose(mean, expected.mean, atol=1e-9)
    np.testing.assert_allclose(std[:, 1] ** 2, np.diagonal(expected.covariance), atol=1e-9)


def test_repeated_examples_with_different_labels_predict_their_mean(data):
    x, y, _ = data
    twice = NTKRegressor(ridge=0.0).fit(np.concatenate([x, x]), np.concatenate([y - 1, y + 1]))
    np.testing.assert_allclose(twice.predict(x), y, atol=1e-6)


def test_votes_are_those_of_draws_from_the_ensemble(data):
    x, _, new = data
    labels = np.array(["a", "b", "c"])[np.arange(24) % 3]
    classifier = NTKClassifier(ridge=0.5, depth=1).fit(x, labels)
    votes = classifier.predict_proba(new)
    mean, nngp, cross = classifier._mean(new)
    std = np.sqrt(classifier._variance(new, nngp, cross))
    draws = mean[None] + std[None, :, None] * np.random.default_rng(1).normal(size=(20000, *mean.shape))
    counted = (draws.argmax(axis=2)[..., None] == np.arange(3)).mean(axis=0)
    assert (np.abs(votes - counted) < 5 * np.sqrt(0.25 / 20000)).all()
    assert (classifier.classes_[votes.argmax(axis=1)] == classifier.predict(new)).all()


@pytest.mark.optimised
def test_precision_is_that_of_the_inputs_whatever_the_flags(data):
    x, y, new = (a.astype(np.float32) for a in data)
    single = NTKRegressor(NET, ridge=0.1).fit(x, y).predict(new)
    double = NTKRegressor(NET, ridge=0.1).fit(*data[:2]).predict(data[2])
    assert single.dtype == np.float32 and double.dtype == np.float64
    np.testing.assert_allclose(single, double, atol=1e-4)


def test_it_works_in_pipelines_searches_and_with_frames(data):
    x, y, new = data
    frame, later = pd.DataFrame(x, columns=list("abc")), pd.DataFrame(new, columns=list("abc"))
    nets = [None, "Serial(Dense(1), Erf(), Dense(1))", NET]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NTKRegressor(depth=1)),
        {"ntkregressor__ridge": [1e-3, 10.0], "ntkregressor__net": nets},
        cv=2,
        error_score="raise",
    ).fit(frame, y)
    assert search.best_params_["ntkregressor__ridge"] == 1e-3
    assert search.predict(later).shape == (5,)
    depths = GridSearchCV(NTKRegressor(), {"depth": [0, 1], "sigma_w": [1.0, 1.5]}, cv=2, error_score="raise")
    assert depths.fit(x, y).best_params_["depth"] in (0, 1)
    fitted = NTKRegressor(depth=1).fit(frame, y)
    assert fitted.feature_names_in_.tolist() == list("abc")


@pytest.mark.slow  # compiles the kernel of a convolution
def test_images_come_in_rows_and_take_their_shape(data):
    x = np.random.default_rng(2).normal(size=(6, 16))
    net = Serial(Conv(1, (3, 3)), Relu(), GlobalAvgPool(), Dense(1))
    mean = NTKRegressor(net, shape=(4, 4, 1), ridge=0.1).fit(x, x[:, 0]).predict(x[:2])
    images = jnp.asarray(x).reshape(6, 4, 4, 1)
    flow = GradientFlow(net, images, x[:, 0], loss="mean", ridge=0.1)
    np.testing.assert_allclose(mean, flow.mean(images[:2], jnp.inf), atol=1e-10)


@pytest.mark.parametrize("make", [NTKRegressor, NNGPRegressor, NTKClassifier])
def test_a_file_gives_the_same_predictions_and_holds_no_pickle(data, tmp_path, make):
    x, y, new = data
    frame = pd.DataFrame(x, columns=list("abc"))
    y = np.where(y > 0, "up", "down") if make is NTKClassifier else y
    fitted = make(NET, ridge=0.1).fit(frame, y)
    fitted.save(tmp_path / "file.npz")
    again, later = load(tmp_path / "file.npz"), pd.DataFrame(new, columns=list("abc"))
    assert again.get_params() == fitted.get_params()
    np.testing.assert_array_equal(again.predict(later), fitted.predict(later))
    if make is NTKClassifier:
        np.testing.assert_array_equal(again.predict_proba(later), fitted.predict_proba(later))
    else:
        np.testing.assert_array_equal(
            again.predict(later, return_std=True)[1], fitted.predict(later, return_std=True)[1]
        )
    with np.load(tmp_path / "file.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


def test_a_damaged_file_and_a_network_without_a_text_are_refused(data, tmp_path):
    x, y, _ = data
    path = tmp_path / "file.npz"
    NTKRegressor(NET).fit(x, y).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="expected a file that"):
        load(path)
    unnamed = Serial(Dense(1), Activation(jnp.sin), Dense(1))
    with pytest.raises(ValueError, match="a description that its text determines"):
        NTKRegressor(unnamed).fit(x, y).save(path)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"ridge": -1.0}, "ridge to be finite"),
        ({"t": -1.0}, "t from 0 to inf"),
        ({"loss": "mse"}, "got 'mse'"),
        ({"activation": "step"}, "got 'step'"),
        ({"depth": 1.5}, "whole number of hidden layers"),
        ({"shape": (2, 2)}, "to hold 3 features"),
        ({"net": "Serial(Dens(1))"}, "did you mean Dense"),
    ],
)
def test_a_mistake_gets_one_clear_line(data, parameters, message):
    with pytest.raises(ValueError, match=message) as caught:
        NTKRegressor(**parameters).fit(*data[:2])
    assert "\n" not in str(caught.value)
