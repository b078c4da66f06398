"""Solvers of large symmetric systems against dense linear algebra in float64."""

import sys

import numpy as np
import pytest

from equitangents.scale import DenseMatrix, DiskFactor, NotConvergedError, Nystrom, conjugate_gradients, solve
from equitangents.scale.cholesky import DenseFactor

N, SIDE = 150, 32
RIDGES = np.array([1e-2, 1.0])


def problem(dtype=np.float32, tail=0.05):
    """A matrix with a decaying spectrum of condition 1e4, and right-hand sides."""
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.normal(size=(N, N)))[0]
    k = (q * (500 * np.arange(1, N + 1) ** -2.0 + tail)) @ q.T
    return DenseMatrix(((k + k.T) / 2).astype(dtype), SIDE), rng.normal(size=(N, 3))


def exact(matrix, b, ridge):
    return np.linalg.solve(matrix.array.astype(np.float64) + ridge * np.eye(N), b)


@pytest.mark.parametrize("solver", ["dense", "cholesky", "cg"])
def test_every_solver_reaches_the_residual_that_it_states(solver, tmp_path):
    matrix, b = problem()
    found = solve(matrix, b, RIDGES, solver=solver, tolerance=1e-9, folder=tmp_path, rank=30)
    assert found.solver == solver and found.residuals.max() <= 1e-9
    for x, stated, ridge in zip(found.x, found.residuals, RIDGES, strict=True):
        residual = b - matrix.array.astype(np.float64) @ x - ridge * x
        measured = np.linalg.norm(residual, axis=0) / np.linalg.norm(b, axis=0)
        np.testing.assert_allclose(measured, stated, rtol=1e-3, atol=1e-12)
        np.testing.assert_allclose(x, exact(matrix, b, ridge), atol=1e-9 * 1e4 * np.abs(x).max())


def test_log_determinants_are_those_of_the_eigenvalues(tmp_path):
    matrix, _ = problem(np.float64)
    expected = np.sum(np.log(np.linalg.eigvalsh(matrix.array) + 0.1))
    assert DenseFactor(matrix, 0.1).log_det == pytest.approx(expected, rel=1e-12)
    assert DiskFactor(matrix, 0.1, tmp_path / "l").log_det == pytest.approx(expected, rel=1e-12)


def test_a_factor_on_disk_continues_where_it_was_killed(tmp_path, monkeypatch):
    matrix, b = problem()
    whole = DiskFactor(matrix, 0.1, tmp_path / "whole")
    column, done = DiskFactor._column, []

    def killed_at_the_third(self, j, ridge):
        done.append(j)
        if len(done) == 3:
            raise KeyboardInterrupt
        return column(self, j, ridge)

    monkeypatch.setattr(DiskFactor, "_column", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        DiskFactor(matrix, 0.1, tmp_path / "cut")
    again = DiskFactor(matrix, 0.1, tmp_path / "cut")
    assert done == [0, 1, 2, 2, 3, 4]
    np.testing.assert_array_equal(again.solve(b), whole.solve(b))
    again.tiles.path(4, 3).write_bytes(b"damage")
    DiskFactor(matrix, 0.1, tmp_path / "cut")
    assert done[6:] == [3, 4]


def test_nystrom_saves_most_of_the_iterations():
    matrix, b = problem(np.float64)
    ridges = np.full(3, 1e-2)
    plain = conjugate_gradients(matrix, b, ridges, lambda v, _: v, tolerance=1e-8)
    helped = conjugate_gradients(matrix, b, ridges, Nystrom(matrix, 75).solve, tolerance=1e-8)
    assert helped.iterations < plain.iterations / 2


def test_nystrom_of_full_rank_is_the_inverse():
    matrix, b = problem(np.float64)
    preconditioner = Nystrom(matrix, N)
    found = preconditioner.solve(b, RIDGES[[0, 1, 0]])
    for i, ridge in enumerate(RIDGES[[0, 1, 0]]):
        expected = exact(matrix, b[:, i], ridge + preconditioner.rest)
        np.testing.assert_allclose(found[:, i], expected, rtol=1e-2, atol=1e-2 * np.abs(expected).max())


def test_a_residual_out_of_reach_is_an_error_or_a_warning():
    matrix, b = problem()
    call = lambda **given: conjugate_gradients(matrix, b, np.zeros(3), lambda v, _: v, most=3, **given)  # noqa: E731
    with pytest.raises(NotConvergedError, match=r"residuals of at most 1e-05, got .* after 3 iter"):
        call()
    with pytest.warns(UserWarning, match="expected relative residuals"):
        found = call(strict=False)
    assert found.iterations == 3 and found.residuals.max() > 1e-5


def test_a_right_hand_side_of_zeros_and_a_good_start_cost_nothing():
    matrix, b = problem()
    assert not solve(matrix, np.zeros((N, 2)), [0.1], solver="cg").x.any()
    start = exact(matrix, b, 0.1)[None]
    assert solve(matrix, b, [0.1], solver="cg", start=start, tolerance=1e-8).iterations == 0


def test_the_solver_is_chosen_by_memory(tmp_path):
    matrix, b = problem()
    assert solve(matrix, b, [0.1]).solver == "dense"
    assert solve(matrix, b, [0.1], memory=1e5).solver == "cg"


def test_where_iterations_do_not_converge_the_factor_on_disk_takes_over(tmp_path, monkeypatch):
    def never(*_, **__):
        raise NotConvergedError("no")

    real = sys.modules["equitangents.scale.solve"]
    matrix, b = problem()
    patched = iter([never])
    iterate = real.conjugate_gradients
    monkeypatch.setattr(real, "conjugate_gradients", lambda *a, **k: next(patched, iterate)(*a, **k))
    found = solve(matrix, b, [0.1], memory=1e5, folder=tmp_path)
    assert found.solver == "cholesky" and found.residuals.max() <= 1e-5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ridges": [-1.0]}, "ridges of at least zero"),
        ({"solver": "lu"}, "expected a solver out of"),
        ({"solver": "cholesky"}, "expected a folder"),
        ({"b": np.ones((3, 1))}, "expected right-hand sides"),
    ],
)
def test_bad_arguments_are_refused(given, message):
    matrix, b = problem()
    with pytest.raises(ValueError, match=message):
        solve(**({"matrix": matrix, "b": b, "ridges": [0.1]} | given))


@pytest.mark.parametrize("solver", ["dense", "cholesky"])
def test_an_indefinite_matrix_is_refused(solver, tmp_path):
    matrix = DenseMatrix(np.diag([1.0] * 40 + [-1.0]), SIDE)
    with pytest.raises(ValueError, match="take a larger ridge"):
        solve(matrix, np.ones((41, 1)), [0.1], solver=solver, folder=tmp_path)
