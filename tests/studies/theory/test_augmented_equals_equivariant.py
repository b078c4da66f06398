"""Augmented and equivariant networks: closed forms agree where the theorem says so; the page says what was found."""

import dataclasses
import functools
import re

import numpy as np
import pytest

from equitangents.studies.theory import run_theory
from equitangents.studies.theory.augmented_equals_equivariant import STUDY, TwinsConfig, check
from equitangents.studies.theory.twins import CASES, data, pair
from equitangents.studies.theory.twins_kernel import closed_forms
from equitangents.studies.theory.twins_numbers import pair_variances
from equitangents.studies.theory.twins_train import trained_pairs

TINY = TwinsConfig(
    preset="tiny", group="C2", classes=2, train=3, test=2, off="noise", n_off=1, moments=(0, 1, 4),
    widths=(2, 3), pairs=(6, 6), control_widths=(2, 3), control_pairs=(4, 4),
)  # fmt: skip


@functools.cache
def limit(case):
    return closed_forms(pair(case, "C2", 1, 2), "C2", data(TINY), TINY.rate, TINY.moments)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if "head" in case else case for case in CASES]
)
def test_means_and_averaged_covariances_agree_for_the_theorem_and_not_for_the_controls(case):
    found = limit(case)
    means = np.abs(found["mean"] - found["mean_imposed"]).max()
    covariances = np.abs(found["covariance"] - found["covariance_imposed"]).max()
    invariance = np.abs(found["on_orbits"] - found["on_orbits"][:, :1]).max()
    if case == "theorem":
        assert max(means, covariances, invariance) < 1e-12
        assert np.abs(found["mean"] - found["mean_unmatched"]).max() > 1e-3
        assert (np.diagonal(found["covariance"], axis1=1, axis2=2) < found["variance"] - 1e-4).all()
    else:
        assert min(means, covariances) > 1e-4
        assert (invariance < 1e-12) == (case == "nonlinear-head")


def test_pairs_start_opposite_and_wide_ones_follow_the_limit():
    found = limit("theorem")
    wide = pair("theorem", "C2", 256, 2)
    for augmented, net in enumerate(reversed(wide)):
        rate = float(found["rate" if augmented else "matched"])
        outputs = trained_pairs(net, "C2", data(TINY), bool(augmented), rate, TINY.moments, range(6), 0)["averaged"]
        assert outputs.shape == (6, 2, 3, 3, 2)
        np.testing.assert_allclose(outputs[:, 0, 0], -outputs[:, 1, 0], atol=1e-6)
        means = outputs.mean(1)
        error = means.std(0, ddof=1) / 6**0.5
        assert (np.abs(means.mean(0) - found["mean_imposed"])[1:] < 5 * error[1:] + 0.02).all()
        assert np.abs(found["mean_imposed"][-1]).max() > 0.1


def test_pieces_of_members_are_those_of_the_whole():
    net, rate = pair("theorem", "C2", 2, 2).plain, 0.01
    whole, rest = (
        trained_pairs(net, "C2", data(TINY), True, rate, TINY.moments, members, 5)["raw"]
        for members in (range(4), range(2, 4))
    )
    np.testing.assert_array_equal(whole[2:], rest)


def invented(name, rng, config):
    """Pieces as if the finite means were 1 - 0.8 / width (augmented) and 1 - 0.4 / width (imposed) times the limit."""
    times, tests = len(config.moments), config.test + config.n_off
    mu = np.linspace(0, 1, times * tests * 2).reshape(times, tests, 2)
    kind, rest = name.split("-", 1)
    control = not rest.startswith("theorem")
    if kind == "limit":
        eye = np.broadcast_to(np.eye(tests), (times, tests, tests))
        return {
            "rate": np.array(0.1), "matched": np.array(0.2), "mean": mu, "mean_imposed": mu + 0.1 * control,
            "mean_unmatched": mu / 2, "on_orbits": np.stack([mu, mu], 1), "covariance": 0.01 * eye,
            "covariance_imposed": 0.01 * eye, "variance": np.full((times, tests), 0.02),
        }  # fmt: skip
    width = int(rest.split("-w")[1].split("-m")[0])
    augmented = "augmented" in rest
    mean = mu * (1 - (0.8 if augmented else 0.4) / width) + 0.1 * (control and not augmented)
    shape, noise = (64, 2, times, tests, 2), lambda size: size * rng.normal(size=(64, 2, times, tests, 2))
    found = {"averaged": mean + noise(0.1), "diverged": np.zeros(64, bool)}
    assert found["averaged"].shape == shape
    return found | ({"raw": mean + noise(0.02**0.5)} if augmented else {})


def test_the_page_finds_what_was_put_in():
    config = dataclasses.replace(
        TINY, test=8, n_off=8, widths=(2, 4, 8), pairs=(64, 64, 64), control_widths=(2, 4), control_pairs=(64, 64)
    )
    rng = np.random.default_rng(0)
    page = STUDY.page(config, functools.cache(lambda name: invented(name, rng, config)))
    assert "differ by at most 0e+00" in page.answer and "root" not in page.answer
    power, error = map(float, re.search("power −([0-9.]+) ± ([0-9.]+)", page.answer).groups())
    assert abs(power - 1) < 4 * error < 1
    table = next(t for s in page.sections for t in s.tables if "in errors" in t.head)
    for row in table.rows[:3]:
        value, error = (float(v) for v in row[3].replace("−", "-").removesuffix(" %").split(" ± "))
        assert abs(value + 40 / int(row[1])) < 4 * error + 0.05
    assert [row[2] for row in table.rows] == ["64"] * 7
    ratios = next(t for s in page.sections for t in s.tables if t.caption.startswith("Variance"))
    for cell in ratios.rows[-1][2:]:
        value, error = map(float, cell.split(" ± "))
        assert abs(value - 1) < 4 * error < 0.1
    assert [d.name for s in page.sections for d in s.drawings] == ["along-training", "against-width", "against-members"]


@pytest.mark.slow
def test_one_command_makes_the_page(tmp_path):
    run_theory(STUDY, TINY, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "At infinite width the two mean predictors differ by at most" in text
    assert text.count("](figures/") == 3 and "nan" not in text


BAD = {
    "off": ({"off": "mnist"}, "expected one of fashion-mnist, noise"),
    "too many digits": ({"train": 2000}, "expected at most 537 digits"),
    "rate": ({"rate": 1.0}, "between 0 and 1"),
    "moments": ({"moments": (3, 1)}, "increasing numbers of steps"),
    "one width": ({"widths": (4,), "pairs": (8,)}, "at least two increasing widths"),
    "pairs": ({"control_pairs": (8,)}, "a number of pairs for each"),
    "group": ({"group": "C3"}, "C3"),
}


@pytest.mark.parametrize("change, message", BAD.values(), ids=BAD)
def test_what_makes_no_sense_is_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        check(dataclasses.replace(TwinsConfig(), **change))
    assert "\n" not in str(caught.value)


def test_pairs_of_opposite_sign_give_the_variance_of_one_network():
    """Pairs p + h, p - h with variances 1/4 and 1: 5/4, also where p is 0 and a mean over all networks is known."""
    rng = np.random.default_rng(0)
    p, h = 0.5 * rng.standard_normal((400, 1, 50, 1)), rng.standard_normal((400, 1, 50, 1))
    signs = np.array([1.0, -1.0]).reshape(1, 2, 1, 1)
    squares = pair_variances(3 + p + signs * h)
    assert abs(squares.mean() - 1.25) < 4 * squares.std() / 20
    np.testing.assert_allclose(pair_variances(3 + signs * h).mean(), np.mean(h**2), rtol=1e-12)
