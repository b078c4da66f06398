"""The study of Chern numbers: parts add up to one training, pieces hold what the page says, bad settings are named."""

import dataclasses

import jax
import numpy as np
import pytest

from equitangents.gauge import Links, chern_number
from equitangents.gauge.chern import draw_bands, local_fluxes, start, train_steps
from equitangents.gauge.chern.checkpoint import from_arrays, to_arrays
from equitangents.studies.theory import find, read_theory_config, run_theory
from equitangents.studies.theory.chern.config import PRESETS, ChernConfig, Run, check
from equitangents.studies.theory.chern.results import accuracy, ensemble, weights
from equitangents.studies.theory.chern.work import last_part, pieces
from equitangents.studies.theory.run import theory_toml

ONE = Run("one", channels=(4,), steps=5, each=2, batch=8)
SMALL = ChernConfig(
    grid=3,
    runs=(ONE, Run("exact", "exact", 2, steps=0), Run("cnn", "cnn", links="axial", channels=(4,), steps=1, batch=8)),
    grids=(3, 4),
    count=20,
    insulators=10,
    phase_points=4,
    phase_grid=5,
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chern")
    run_theory(find("chern"), SMALL, folder)

    def get(name):
        with np.load(folder / "pieces" / f"{name}.npz") as archive:
            return {key: archive[key] for key in archive.files}

    return folder, get


def test_parts_of_a_training_are_the_training(done):
    training = ONE.training(3, 0)
    whole = to_arrays(train_steps(training, start(training), 5))
    parts = done[1](last_part(ONE, 0))
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array)
    assert parts["diverged"] == -1


def test_the_network_made_by_hand_is_right_and_sees_no_gauge(done):
    row = done[1]("measure-exact-s0-haar")
    assert row["row-3"][0] == 1 and row["turned"] < 1e-5 and "row-4" not in row
    assert abs(row["vacuum"]) < 1e-6
    cnn = done[1]("measure-cnn-s0-haar")
    assert cnn["turned"] > 0.01 and "row-axial" in cnn


def test_the_phase_diagram_holds_the_labels_of_its_grid(done):
    found = done[1]("phases")
    assert found["predicted"].shape == found["exact"].shape == found["label"].shape == (4, 4)
    assert set(np.unique(found["exact"])) == {-1, 0, 1}
    assert np.mean(found["label"] == found["exact"]) > 0.7
    np.testing.assert_array_equal(found["label"], found["label"][::-1])  # m -> -m


def test_what_the_network_says_of_the_vacuum_is_subtracted(done):
    training = ONE.training(3, 0)
    params = from_arrays(training, done[1](last_part(ONE, 0))).params
    links, chern = draw_bands("qwz", 1, (4, 4), 10)
    still = local_fluxes(training.net(), params, np.ones((1, 3, 3, 2, 1, 1), np.complex64))[0, 0, 0]
    assert done[1]("measure-one-s0-haar")["vacuum"] == pytest.approx(still)
    found = done[1]("measure-one-s0-qwz")
    sums = local_fluxes(training.net(), params, links).sum((1, 2)) - 16 * still
    label = chern_number(Links(links.astype(complex), "U(1)"))
    assert found["shifted-4"] == np.mean(np.rint(sums) == label) and found["resolved-4"] == np.mean(label == chern)


def test_the_page_has_all_figures_and_tables(done):
    text = (done[0] / "report.md").read_text()
    for name in ("phases", "flux-one", "grids", "losses"):
        assert f"figures/{name}.svg" in text and (done[0] / "figures" / f"{name}.svg").is_file()
    assert "| exact | by hand | U(2) |" in text and "100.0 % [" in text
    assert f"networks of {weights(ONE, 3)} weights" in text


def test_a_training_that_diverges_is_kept_and_said(monkeypatch):
    from equitangents.studies.theory.chern import work

    def fails(training, state, until):
        raise FloatingPointError

    monkeypatch.setattr(work, "train_steps", fails)
    first = work.train_part(SMALL, ONE, 0, "", 2, dict)
    second = work.train_part(SMALL, ONE, 0, "before", 4, lambda name: first)
    assert first["diverged"] == 0 and second is first


def test_intervals_over_seeds_are_at_least_those_over_lattices():
    one = np.array([[0.9, 0.88, 0.92, 0, 0, 0]])
    assert (accuracy(one).low, accuracy(one).high) == (0.88, 0.92)
    same = accuracy(np.repeat(one, 4, axis=0))
    assert same.value == pytest.approx(0.9) and same.high - same.low == pytest.approx(0.04 / 2)
    rows = np.array([[0.8, 0.79, 0.81, 0, 0, 0], [0.9, 0.89, 0.91, 0, 0, 0]])
    assert accuracy(rows).high == 1.0  # 0.85 + 12.7 x 0.05
    assert accuracy(rows).low == pytest.approx(0.85 - 12.706 * 0.05, abs=1e-3)


def test_an_ensemble_rounds_the_mean_of_its_members():
    answers = {"s0": [0.9, 1.4], "s1": [0.3, 1.9]}
    parts = {f"measure-x-{s}-haar": {"predicted": np.array(p), "chern": np.array([1, 1])} for s, p in answers.items()}
    assert ensemble(Run("x", seeds=2), parts.__getitem__).value == 0.5


def test_presets_go_through_toml(tmp_path):
    for config in PRESETS.values():
        path = tmp_path / "config.toml"
        path.write_text(theory_toml(find("chern"), config))
        assert read_theory_config(find("chern"), path) == config


def test_pieces_come_after_those_they_need():
    full = PRESETS["full"]
    work = pieces(full)
    seen: set[str] = set()
    for piece in work:
        assert set(piece.needs) <= seen
        seen.add(piece.name)
    assert work[0].name.startswith("train-one-band-s0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runs": ()}, "expected at least one"),
        ({"runs": (ONE, ONE)}, "names that differ"),
        ({"runs": (dataclasses.replace(ONE, bands=2),)}, "of one band first"),
        ({"runs": (ONE, Run("a/b"))}, "letters, digits and hyphens"),
        ({"runs": (ONE, Run("x", "transformer"))}, "expected network to be one of"),
        ({"runs": (ONE, Run("x", steps=0))}, "steps = 0 for exact alone"),
        ({"runs": (ONE, Run("x", label="both"))}, "expected label"),
        ({"grids": (4, 5)}, "3 among them"),
        ({"count": 1}, "choose more"),
    ],
)
def test_settings_that_make_no_sense_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(SMALL, **change))


def test_weights_are_counted():
    params = start(ONE.training(3, 0)).params
    assert weights(ONE, 3) == sum(leaf.size for leaf in jax.tree.leaves(params)) == 2 * 4 * 3 * 3 + 8 + 1
