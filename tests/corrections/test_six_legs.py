"""Tensors of order 1/width squared."""

from fractions import Fraction

from by_hand import C, d, mean, old, r, s

from equitangents.corrections import merged, recursion
from equitangents.corrections.generate import combined


def test_six_point_function_of_one_input_is_that_of_the_delta_method():
    """The chain G -> G' = C_b + C_W sum_j sigma(z_j)^2 / n of the covariance, expanded to second order by hand."""
    f = s(0) * s(0)
    second, fourth = mean(d(f, 0, 0)), mean(d(f, 0, 0, 0, 0))
    four, six = old("V", 0, 0, 0, 0), old("V6", 0, 0, 0, 0, 0, 0)
    third_cumulant = mean(f * f * f) - 3 * mean(f * f) * mean(f) + 2 * mean(f) * mean(f) * mean(f)
    variance = mean(d(f * f, 0, 0)) - 2 * mean(f) * second
    chain = Fraction(1, 8) * six * second * second * second
    chain = chain + Fraction(3, 16) * four * four * fourth * second * second
    typed = C * C * C * (third_cumulant + Fraction(3, 4) * r * four * second * variance + r * r * chain)
    assert merged(recursion("V6"), (0,) * 6).terms == combined(typed.terms())


def test_symmetric_under_relabelling():
    ours = merged(recursion("V6"))
    for permutation in [(1, 0, 2, 3, 4, 5), (2, 3, 0, 1, 4, 5), (0, 1, 4, 5, 2, 3)]:
        assert merged(ours, permutation).terms == ours.terms
