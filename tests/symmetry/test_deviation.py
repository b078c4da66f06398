"""Bounds on finite ensembles: the numbers of Lemma B.4, coverage by Gaussian draws, and networks that were trained."""

import functools
import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats

from equitangents.groups import image_action, point_group
from equitangents.nets import Dense, Erf, Flatten, Serial
from equitangents.symmetry import (
    augment,
    deviation_probability,
    ensemble_deviation_bound,
    gap_variance,
    members_for,
)
from equitangents.testing import assert_matches_monte_carlo


@pytest.mark.parametrize("z, bound, exact", [(1, 0.484, 0.317), (2, 0.0540, 0.0455), (3, 0.00295, 0.00270)])
def test_probabilities_are_those_of_the_lemma(z, bound, exact):
    got = deviation_probability(4.0, 16, z / 2)  # s = 1/2
    for value, stated in ((got.bound, bound), (got.exact, exact)):
        assert abs(float(value) - stated) < 0.6 * 10 ** (math.floor(math.log10(stated)) - 2)  # its third digit
    np.testing.assert_allclose(got.exact, 2 * scipy.stats.norm.sf(z), rtol=1e-13)


@pytest.mark.parametrize("confidence", [0.1, 0.68, 0.95, 1 - 1e-9])
def test_deviation_and_probability_are_inverse_and_in_order(confidence):
    delta = ensemble_deviation_bound(jnp.array([0.3, 7.0]), 5, confidence)
    for law in ("exact", "bound", "any_law"):
        p = getattr(deviation_probability(jnp.array([0.3, 7.0]), 5, getattr(delta, law)), law)
        np.testing.assert_allclose(p, 1 - confidence, rtol=1e-7)
    assert (delta.exact <= delta.bound).all() and (delta.exact <= delta.any_law).all()


@pytest.mark.parametrize("law", ["exact", "bound", "any_law"])
@pytest.mark.parametrize("numbers", [1, 12])
def test_number_of_members_is_the_smallest_that_is_enough(law, numbers):
    needed = int(getattr(members_for(2.3, 0.17, 0.9, numbers=numbers), law))
    enough, fewer = (
        float(getattr(ensemble_deviation_bound(2.3, m, 0.9, numbers=numbers), law)) for m in (needed, needed - 1)
    )
    assert enough <= 0.17 < fewer
    back = members_for(2.3, enough, 0.9, numbers=numbers)
    assert int(getattr(back, law)) == needed  # rounding does not ask for one more


def test_gaussian_ensembles_are_covered_at_the_stated_rate(getkey):
    draws = jnp.abs(jr.normal(getkey(), (20000, 6, 16)).mean(-1))  # ensembles of 16, six independent numbers of each
    for numbers in (1, 6):
        delta = ensemble_deviation_bound(1.0, 16, 0.9, numbers=numbers)
        inside = {law: jnp.all(draws[:, :numbers] <= getattr(delta, law), axis=1) for law in ("exact", "bound")}
        assert_matches_monte_carlo(inside["exact"].astype(float), 0.9)
        assert inside["bound"].mean() > 0.9  # conservative: exactly 1 - erfc
    one = float(ensemble_deviation_bound(1.0, 16, 0.9).exact)
    together = jnp.all(draws <= one, axis=1).mean()
    assert abs(together - 0.9**6) < 5 * math.sqrt(0.9**6 / len(draws))  # without `numbers`, far fewer


def test_dependent_numbers_are_covered_at_least_as_often(getkey):
    mixing = jr.normal(getkey(), (4, 4))
    draws = jnp.abs(jr.normal(getkey(), (20000, 4)) @ mixing)
    delta = ensemble_deviation_bound(jnp.sum(mixing**2, axis=0), 1, 0.8, numbers=4)
    inside = jnp.all(draws <= delta.exact[None], axis=1).mean()
    assert inside > 0.8 - 5 * math.sqrt(0.16 / len(draws))


def test_members_of_another_law_need_the_bound_for_any_law(getkey):
    rare = jnp.where(jr.uniform(getkey(), (20000,)) < 0.02, 5.0, 0.0)  # mean 0.1, variance 0.49
    delta = ensemble_deviation_bound(0.49, 1, 0.99)
    off = jnp.abs(rare - 0.1)
    assert (off > delta.exact).mean() > 0.015 and (off <= delta.any_law).mean() >= 0.99


C4 = image_action(point_group("C4"))
NET = Serial(Flatten(), Dense(16, sigma_w=1.4, sigma_b=0.1), Erf(), Dense(1))
MEMBERS, SIZES = 4096, (1, 4, 16, 64)


@functools.cache
def outputs_of_trained_members():
    """Networks of width 16, trained by 40 steps on full orbits; on the orbit of one input, (members, |G|)."""
    x_key, y_key, test_key, key = jr.split(jr.key(0), 4)
    x, y = augment(jr.normal(x_key, (3, 3, 3, 1)), jr.normal(y_key, (3, 1)), C4)
    on_orbit = C4.orbit(jr.normal(test_key, (3, 3, 1)))
    predict = jax.vmap(NET.apply, (None, 0))
    slope = jax.grad(lambda p: jnp.sum((predict(p, x) - y) ** 2) / 2)

    def run(key):
        params = NET.init(key, (3, 3, 1))[1]
        params, _ = jax.lax.scan(
            lambda p, _: (jax.tree.map(lambda a, b: a - 0.05 * b, p, slope(p)), None), params, None, length=40
        )
        return predict(params, on_orbit)[:, 0]

    return np.asarray(jax.jit(jax.vmap(run))(jr.split(key, MEMBERS)))


def test_gaps_of_trained_ensembles_fall_as_the_root_of_the_number_within_the_confidence_band():
    outputs = outputs_of_trained_members()
    gap = outputs[:, 1:] - outputs[:, :1]
    variance = np.var(gap, axis=0, ddof=1)
    rms = []
    for size in SIZES:
        means = gap.reshape(-1, size, 3).mean(1)
        squares = (means**2 / variance * size).mean(1)
        assert_matches_monte_carlo(squares, 1.0)
        rms.append(np.sqrt((means**2).mean()))
    # chi-square of all gaps: the relative error of a mean square over n ensembles is at most sqrt(2 / n)
    errors = [np.sqrt(2 / (MEMBERS // size)) / 2 for size in SIZES]
    (slope, _), covariance = np.polyfit(np.log(SIZES), np.log(rms), 1, w=1 / np.array(errors), cov="unscaled")
    assert abs(slope + 0.5) < 5 * np.sqrt(covariance[0, 0]) < 0.2
    assert rms[0] > 0.1  # single members are far from invariant


@pytest.mark.parametrize("size", [4, 16, 64])
def test_gaps_of_trained_ensembles_are_covered(size):
    outputs = outputs_of_trained_members()
    half = MEMBERS // 2  # the variance from one half, coverage on the other
    variance = gap_variance(jnp.cov(outputs[:half].T))[1:]
    means = (outputs[half:, 1:] - outputs[half:, :1]).reshape(-1, size, 3).mean(1)
    delta = ensemble_deviation_bound(variance, size, 0.9)
    for law, least in (("bound", 0.9), ("any_law", 0.9)):
        inside = np.abs(means) <= np.asarray(getattr(delta, law))
        assert inside.mean() > least - 5 * np.sqrt(0.09 / len(means))
    inside = np.all(np.abs(means) <= np.asarray(ensemble_deviation_bound(variance, size, 0.9, numbers=3).exact), axis=1)
    assert inside.mean() > 0.9 - 5 * np.sqrt(0.09 / len(means))


BAD = {
    "no member": (lambda: ensemble_deviation_bound(1.0, 0, 0.9), "members"),
    "certainty": (lambda: ensemble_deviation_bound(1.0, 1, 1.0), "confidence between 0 and 1"),
    "a negative variance": (lambda: ensemble_deviation_bound(-1.0, 1, 0.9), "variances from 0"),
    "no number": (lambda: members_for(1.0, 0.1, 0.9, numbers=0), "numbers"),
    "no deviation": (lambda: members_for(1.0, 0.0, 0.9), "deviation above 0"),
    "a negative deviation": (lambda: deviation_probability(1.0, 1, -1.0), "deviation above 0"),
    "a deviation of 0 among others": (lambda: deviation_probability(1.0, 1, jnp.array([1.0, 0.0])), "deviation above"),
    "no number as a deviation": (lambda: deviation_probability(1.0, 1, math.nan), "deviation above 0"),
    "a covariance that is not square": (lambda: gap_variance(jnp.ones((4, 3))), "covariances over orbits"),
    "no such identity": (lambda: gap_variance(jnp.eye(3), 3), "covariances over orbits"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=rf"expected .*{message}.* got ") as caught:
        call()
    assert "\n" not in str(caught.value)
