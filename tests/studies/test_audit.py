"""The audit names 6 and 9 of the digits under the half turn and no other pair, and no fault where there is none."""

import dataclasses

import numpy as np
import pytest

from equitangents.studies.audit import audit, confused_pairs
from equitangents.studies.config import AuditRun, Config, KernelRun
from equitangents.studies.measure import binomial_interval
from equitangents.studies.problem import read_problem

RUN = KernelRun(train_sizes=(20,), test=20, off=10)


def named(problem, found, run):
    symmetry, names = problem.symmetries[0], problem.dataset.classes
    pairs = confused_pairs(run, symmetry, found["passed"], found["held"])
    return {(symmetry.group.labels[g], names[a], names[b]) for g, a, b, *_ in pairs}


@pytest.mark.parametrize("seed", [0, 1])
def test_digits_under_rotations_confuse_six_and_nine_by_the_half_turn_only(seed):
    problem = read_problem(Config(seed=seed, audit=AuditRun(train=500, held_out=800), kernels=(RUN,)))
    found = audit(problem.config.audit, problem, problem.symmetries[0])
    assert found["accuracy"] > 0.95
    assert named(problem, found, problem.config.audit) == {("r2", "6", "9"), ("r2", "9", "6")}
    assert (found["oriented"] / found["held"] > 0.6).all()  # no digit looks alike in all orientations


def blobs(n, rng, asymmetry):
    """Images of two radii, invariant in law; `asymmetry` brightens the top."""
    row, column = np.mgrid[:6, :6] - 2.5
    radius = np.hypot(row, column)
    y = rng.integers(2, size=n)
    x = np.exp(-((radius - 1.0 - 1.2 * y[:, None, None]) ** 2)) + 0.3 * rng.normal(size=(n, 6, 6))
    x[:, 0] += asymmetry
    return x[..., None], y


@pytest.mark.parametrize("asymmetry, told", [(0.0, False), (0.5, True)])
def test_orientations_are_told_apart_exactly_where_the_law_is_not_invariant(tmp_path, asymmetry, told):
    x, y = blobs(600, np.random.default_rng(0), asymmetry)
    np.savez(tmp_path / "blobs.npz", x=x, y=y)
    config = Config(data=str(tmp_path / "blobs.npz"), audit=AuditRun(train=150, held_out=300), kernels=(RUN,))
    problem = read_problem(config)
    found = audit(config.audit, problem, problem.symmetries[0])
    low, high = binomial_interval(int(found["oriented"].sum()), int(found["held"].sum()), 0.001)
    assert (low > 0.25) == told and (told or high > 0.25)
    assert named(problem, found, config.audit) == set()


def test_a_pair_that_passes_one_way_only_is_not_named():
    problem = read_problem(Config(audit=dataclasses.replace(AuditRun(), train=20, held_out=20), kernels=(RUN,)))
    passed, held = np.zeros((4, 10, 10), int), np.full(10, 80)
    passed[1, 1, 4] = 70
    assert named(problem, {"passed": passed, "held": held}, AuditRun()) == set()
    passed[3, 4, 1] = 70  # the way back
    assert named(problem, {"passed": passed, "held": held}, AuditRun()) == {("r", "1", "4"), ("r3", "4", "1")}


def test_intervals_of_shares_are_those_of_clopper_and_pearson():
    from scipy.stats import binomtest

    exact = binomtest(7, 40).proportion_ci(0.95, method="exact")
    assert np.allclose(binomial_interval(7, 40), (exact.low, exact.high), atol=1e-9)
    assert binomial_interval(0, 5)[0] == 0 and binomial_interval(5, 5)[1] == 1
