"""The arms at infinite width, from blocks of one kernel, against kernels evaluated directly."""

import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.groups import image_action, point_group
from equitangents.studies.config import Config, KernelRun
from equitangents.studies.kernel_arms import (
    assemble,
    augmented_gram,
    check_pieces,
    gram_pieces,
    network,
    predict_pieces,
    scale_piece,
)
from equitangents.studies.precision import matrices
from equitangents.studies.problem import moved, read_problem

CONV = "Serial(Conv(W, (3, 3)), Relu(), Flatten(), Dense(1))"
RUN = KernelRun("conv", CONV, size=4, train_sizes=(20, 30), test=20, off=7, times=(1.0,), check=6)


@pytest.fixture(scope="module")
def study():
    problem = read_problem(Config(group="D4", kernels=(RUN,)))
    done: dict = {}
    pieces = gram_pieces(RUN, problem)
    for piece in (scale_piece(RUN, problem), *pieces, *check_pieces(RUN, problem)):
        done[piece.name] = piece.work(done.__getitem__)
    return problem, pieces, done


def test_blocks_are_the_kernels_of_moved_images(study):
    problem, pieces, done = study
    items, blocks = problem.items(RUN), assemble(RUN, problem, pieces, done.__getitem__)
    net, symmetry = network(RUN, problem), problem.symmetries[0]
    orbit = moved(symmetry.action, items.x_train)
    rest = np.concatenate([items.x_test, items.x_off])
    direct = np.stack(matrices(net, orbit.reshape(-1, 4, 4, 1)))
    assert np.allclose(augmented_gram(blocks.train, symmetry), direct, atol=1e-5)
    for g in symmetry.group.elements:
        assert np.allclose(blocks.cross[:, g], matrices(net, rest, orbit[g]), atol=1e-5)
        own = np.diagonal(matrices(net, rest, moved(symmetry.action, rest)[g])[0])
        assert np.allclose(blocks.own[:, g], own, atol=1e-5)


def test_predictors_are_those_of_gradient_flow_and_the_arms_agree_as_the_theorem_says(study):
    problem, pieces, done = study
    items, order = problem.items(RUN), 8
    piece = predict_pieces(RUN, problem, pieces, RUN.times)[0]
    found, n = piece.work(done.__getitem__), 20
    net, action = network(RUN, problem), image_action(point_group("D4"))
    nngp, ntk = (k.astype(np.float64) for k in matrices(net, items.x_train[:n]))
    ridge = RUN.ridge * np.mean(np.diagonal(ntk))
    flow = GradientFlow.from_gram((nngp + nngp.T) / 2, (ntk + ntk.T) / 2, items.targets(n), loss="mean", ridge=ridge)
    turned = np.asarray(action(3, items.x_test))
    mean = flow.mean_from(matrices(net, turned, items.x_train[:n])[1].astype(np.float64), found["time"])
    assert found["plain"].shape == (2, order, 27, 10)
    assert np.allclose(found["plain"][:, 3, :20], mean, atol=1e-4)
    assert (found["agreement"] < 1e-10).all()
    assert np.ptp(found["augmented"], axis=1).max() < 1e-5 < np.ptp(found["plain"], axis=1).max()


def test_the_second_evaluation_in_float64_agrees_to_rounding(study):
    problem, _, done = study
    (piece,) = check_pieces(RUN, problem)
    assert done[piece.name]["agreement"] < 1e-10
