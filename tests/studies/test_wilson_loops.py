"""The study `wilson-loops`, tiny."""

import dataclasses

import jax
import numpy as np
import pytest

from equitangents.gauge import Links, plaquettes
from equitangents.studies.theory import find, run_theory
from equitangents.studies.theory.loops.config import LoopsConfig, check
from equitangents.studies.theory.loops.networks import loop_network
from equitangents.studies.theory.loops.work import begun, drawn, targets, turned

TINY = LoopsConfig(betas=(2.0,), side=4, sides=(4, 6), train=8, test=2, sweeps=2, loops=1, steps=200, batch=4, width=4)


def test_targets_are_traces_of_loops_and_do_not_depend_on_the_gauge():
    links = drawn(TINY, "train", 4, 4, lambda name: {})["links"]
    w = np.asarray(plaquettes(Links(links, "SU(2)")))[..., 0, :, :]
    np.testing.assert_allclose(targets(links, (1, 1)), np.trace(w, axis1=-2, axis2=-1).real / 2, atol=1e-6)
    other = np.asarray(turned(links, 0))
    assert np.abs(other - links).max() > 0.1
    np.testing.assert_allclose(targets(other, (1, 1)), targets(links, (1, 1)), atol=1e-5)


def test_equivariant_networks_learn_plaquettes_and_plain_ones_depend_on_the_gauge(tmp_path):
    study = find("wilson-loops")
    run_theory(study, TINY, tmp_path)
    with (
        np.load(tmp_path / "pieces" / "equivariant-1x1-0.npz") as good,
        np.load(tmp_path / "pieces" / "plain-1x1-0.npz") as bad,
    ):
        assert good["error-6"].mean() < 0.05 * good["variance-6"].mean()
        np.testing.assert_allclose(good["turned-4"], good["error-4"], rtol=0.01, atol=1e-6)
        assert np.abs(bad["turned-4"] - bad["error-4"]).max() > 0.01 * bad["error-4"].mean()
    assert "| 1 x 1 | gauge equivariant (L-CB) |" in (tmp_path / "report.md").read_text()


def test_a_network_that_grows_keeps_its_layers_and_begins_without_a_bias():
    small, large = loop_network((2, 2)), loop_network((2, 4))
    first, learned = begun(small, (4, 4, 2, 2, 2), 0, None)
    assert learned == 0
    grown, learned = begun(large, (4, 4, 2, 2, 2), 1, first)
    assert (len(grown), learned) == (len(first) + 1, 3)
    for k in range(learned):
        for one, other in zip(jax.tree.leaves(first[k]), jax.tree.leaves(grown[k]), strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.any(grown[-1]["b"])
    assert begun(large, (4, 4, 2, 2, 2), 2, grown)[1] == len(grown)


@pytest.mark.slow
def test_loops_of_four_by_four_are_learned_by_way_of_smaller_ones(tmp_path):
    config = dataclasses.replace(TINY, loops=4, steps=400, train=64, side=8, sides=(8,))
    run_theory(find("wilson-loops"), config, tmp_path)
    with np.load(tmp_path / "pieces" / "equivariant-4x4-0.npz") as found:
        assert found["error-8"].mean() < 0.1 * found["variance-8"].mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"side": 5}, "even numbers"), ({"loops": 9}, "loops: expected 1 to 4"), ({"train": 0}, "train: expected")],
)
def test_configurations_that_make_no_sense_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        check(dataclasses.replace(TINY, **change))
