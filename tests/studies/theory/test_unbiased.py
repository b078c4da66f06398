"""Estimates without the bias of noise, and their errors, against samples whose truth is known."""

import numpy as np
import pytest

from equitangents.studies.theory.unbiased import Estimate, mean_of, mean_square, power, root


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_squared_distance_of_means_is_unbiased_and_its_error_is_that_of_repetitions(shift):
    rng = np.random.default_rng(0)
    found = [mean_square(rng.normal(shift, 1, (40, 30)), rng.normal(0, 1, (50, 30))) for _ in range(400)]
    values = mean_of(np.array([f.value for f in found]))
    assert abs(values.value - shift**2) < 4 * values.error
    naive = shift**2 + 1 / 40 + 1 / 50
    assert abs(values.value - naive) > 20 * values.error  # the bias would be seen
    spread = np.std([f.value for f in found])
    assert abs(np.sqrt(np.mean([f.error**2 for f in found])) / spread - 1) < 0.15  # 400 repetitions: 4 % each


def test_of_one_sample_it_is_the_product_of_different_members():
    x = np.random.default_rng(1).normal(0.3, 1, (6, 4))
    pairs = [x[i] @ x[j] / 4 for i in range(6) for j in range(6) if i != j]
    assert mean_square(x).value == pytest.approx(np.mean(pairs), rel=1e-12)


def test_roots_and_powers_carry_errors_over():
    assert root(Estimate(4.0, 0.4)) == pytest.approx((2.0, 0.1))
    assert root(Estimate(-1.0, 0.5))[0] == 0.0 < root(Estimate(-1.0, 0.5))[1] < np.inf
    rng, x = np.random.default_rng(2), np.array([4.0, 8.0, 16.0, 32.0])
    found = [power(x, [Estimate(v * (1 + 0.05 * rng.normal()), 0.05 * v) for v in 3 / x]) for _ in range(400)]
    z = np.array([(f.value + 1) / f.error for f in found])
    assert abs(z.mean()) < 0.25 and abs(z.std() - 1) < 0.15
