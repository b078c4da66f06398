"""The public assertions: what passes, what fails, and that a failure says what was measured."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.groups import cyclic, permutation_action, trivial_action
from equitangents.testing import assert_equivariant, assert_matches_monte_carlo, assert_positive_semidefinite

SHIFTS = permutation_action(cyclic(3), [[0, 1, 2], [1, 2, 0], [2, 0, 1]])


def test_equivariant_functions_pass_and_others_fail_with_the_worst_element(getkey):
    x = jr.normal(getkey(), (4, 3))
    assert_equivariant(jnp.cos, x, SHIFTS, SHIFTS, tolerance=0)
    assert_equivariant(lambda x: x.sum(1), x, SHIFTS, trivial_action(cyclic(3)), tolerance=1e-14)

    def broken(x):
        return x + jnp.array([[0.0, 0.25, 0.0]])

    with pytest.raises(AssertionError, match=r"error 0.25 at element 1 \(r\), tolerance 0.2, largest output"):
        assert_equivariant(broken, x, SHIFTS, SHIFTS, tolerance=0.2)
    assert_equivariant(broken, x, SHIFTS, SHIFTS, tolerance=0.3)


def test_nan_is_not_equivariant():
    with pytest.raises(AssertionError, match="error nan"):
        assert_equivariant(lambda x: x * jnp.nan, jnp.ones((2, 3)), SHIFTS, SHIFTS, tolerance=1.0)


def test_means_pass_within_their_own_errors_and_fail_outside(getkey):
    draws = jr.normal(getkey(), (400, 2)) + jnp.array([[1.0, 5.0]])
    assert_matches_monte_carlo(draws, jnp.array([1.0, 5.0]))
    with pytest.raises(AssertionError, match=r"expected 6, measured .* at \(1,\) of \(2,\): off by .*, 5 allowed"):
        assert_matches_monte_carlo(draws, jnp.array([1.0, 6.0]))
    with pytest.raises(AssertionError, match=r"0\.5 allowed"):
        assert_matches_monte_carlo((1.0, 0.1), 1.1, z=0.5)
    assert_matches_monte_carlo((1.0, 0.1), 1.1)


def test_right_values_fail_as_rarely_as_promised(getkey):
    fails = 0
    for draws in np.asarray(jr.normal(getkey(), (400, 200))):
        try:
            assert_matches_monte_carlo(draws, 0.0, z=2)
        except AssertionError:
            fails += 1
    assert 2 < fails < 45  # 4.6 % of 400, with 5 standard deviations of the count


def test_draws_without_scatter_must_be_right_to_rounding():
    assert_matches_monte_carlo(jnp.full(10, 0.1), 0.1)
    with pytest.raises(AssertionError, match="off by inf"):
        assert_matches_monte_carlo(jnp.full(10, 0.1), 0.1001)
    with pytest.raises(AssertionError, match="off by nan"):
        assert_matches_monte_carlo(jnp.full(10, jnp.nan), 0.1)


@pytest.mark.optimised
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, jnp.complex128])
def test_gram_matrices_are_positive_semidefinite_to_rounding(dtype, getkey):
    x = jr.normal(getkey(), (3, 20, 4), dtype)  # rank 4 of 20, three matrices
    gram = x @ x.conj().swapaxes(1, 2)
    assert_positive_semidefinite(gram)
    with pytest.raises(AssertionError, match="smallest eigenvalue -"):
        assert_positive_semidefinite(gram - 0.01 * jnp.eye(20, dtype=dtype)[None])
    assert_positive_semidefinite(gram - 0.01 * jnp.eye(20, dtype=dtype)[None], tolerance=0.01)


def test_asymmetry_and_missing_numbers_fail():
    with pytest.raises(AssertionError, match=r"not Hermitian: .* up to 1"):
        assert_positive_semidefinite(np.array([[2, 1], [0, 2]]))
    with pytest.raises(AssertionError, match="1 entries are not finite"):
        assert_positive_semidefinite(np.array([[1.0, 0.0], [0.0, np.nan]]))


BAD = {
    "a negative tolerance": lambda: assert_equivariant(jnp.cos, jnp.ones((1, 3)), SHIFTS, SHIFTS, tolerance=-1.0),
    "an infinite tolerance": lambda: assert_positive_semidefinite(np.eye(2), tolerance=np.inf),
    "a rectangle": lambda: assert_positive_semidefinite(np.ones((2, 3))),
    "an empty matrix": lambda: assert_positive_semidefinite(np.ones((0, 0))),
    "one draw": lambda: assert_matches_monte_carlo(jnp.ones(1), 1.0),
    "shapes that differ": lambda: assert_matches_monte_carlo(jnp.ones((5, 2)), 1.0),
    "three numbers": lambda: assert_matches_monte_carlo((1.0, 2.0, 3.0), 1.0),
    "a negative standard error": lambda: assert_matches_monte_carlo((1.0, -0.1), 1.0),
    "no tolerance at all": lambda: assert_matches_monte_carlo((1.0, 0.1), 1.0, z=0),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_bad_arguments_are_errors_of_their_own_and_no_failures(call):
    with pytest.raises(ValueError, match="expected"):
        call()
