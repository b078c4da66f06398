"""Filter supports: which are symmetric, orbits of one start on them, and the page."""

import dataclasses

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.groups import image_action, point_group
from equitangents.nets import Conv
from equitangents.studies.theory import run_theory
from equitangents.studies.theory.support_numbers import measured, measures, orbit_gap
from equitangents.studies.theory.support_page import symmetric
from equitangents.studies.theory.support_symmetry import STUDY, SupportConfig, check
from equitangents.studies.theory.support_train import closed_orbit
from equitangents.studies.theory.supports import SQUARE, SUPPORTS, SiteNorm, SupportConv
from equitangents.symmetry import orbit_closed_ensemble

TINY = SupportConfig(
    preset="tiny", supports=("SYM", "SYMINIT", "ASYM"), channels=2, train=8, test=4, off="noise", n_off=3, members=6,
    each=3, sizes=(1, 2, 6), resamples=4, steps=3, batch=4, closed_train=3, closed_steps=(0, 6),
)  # fmt: skip


def test_the_cross_and_the_square_are_symmetric():
    assert [symmetric(name) for name in SUPPORTS] == [True, False, False, True]


def test_on_the_whole_window_the_layer_is_a_convolution(getkey):
    x, layer = jr.normal(getkey(), (4, 4, 2)), SupportConv(3, SQUARE, sigma_w=1.3)
    shape, params = layer.init(getkey(), x.shape)
    same = Conv(3, (3, 3), sigma_w=1.3).apply({"w": params["w"].reshape(3, 3, 2, 3)}, x)
    assert shape == same.shape
    np.testing.assert_allclose(layer.apply(params, x), same, atol=1e-14)


def test_weights_outside_the_start_are_zero_and_learn(getkey):
    layer, x = SupportConv(3, *SUPPORTS["SYMINIT"]), jr.normal(getkey(), (4, 4, 2))
    params = layer.init(getkey(), x.shape)[1]
    corner = [place.tolist() for place in layer.places].index([0, 0])
    zero = ~np.asarray(params["w"]).any((1, 2))
    assert zero.tolist() == [i == corner for i in range(5)]
    gradient = jax.grad(lambda p: jnp.sum(layer.apply(p, x) ** 2))(params)
    assert np.abs(gradient["w"][corner]).min() > 0


def test_the_norm_is_over_sites(getkey):
    y = SiteNorm(0.0).apply({}, jr.normal(getkey(), (4, 3, 2)))
    np.testing.assert_allclose([y.mean((0, 1)), y.std((0, 1))], [[0, 0], [1, 1]], atol=1e-14)


def test_filters_that_leave_their_support_form_no_orbit():
    with pytest.raises(ValueError, match="take up the group"):
        orbit_closed_ensemble(
            SupportConv(2, SUPPORTS["ASYM"][0]), (4, 4, 1), image_action(point_group("C4")), jr.key(0)
        )


@pytest.mark.slow
def test_mean_of_an_orbit_stays_invariant_on_a_symmetric_support_only():
    sym, start, none = (closed_orbit(TINY, name) for name in TINY.supports)
    assert orbit_gap(sym["closed"]).max() < 1e-12
    assert orbit_gap(start["closed"])[0] < 1e-12 and orbit_gap(start["closed"])[1] > 1e-3
    assert none["closed"].size == 0
    assert min(orbit_gap(found["independent"]).min() for found in (sym, start, none)) > 1e-2


def test_noise_and_plateau_are_told_apart():
    rng = np.random.default_rng(0)
    for plateau in (0.0, 0.1):
        outputs = rng.normal(0, 1, (200, 4, 30, 10))
        outputs[:, 0] += plateau * 4 / 3**0.5
        found = measured(TINY, outputs, None)
        assert abs(found.plateau.value - plateau**2) < 4 * found.plateau.error
        assert abs(found.noise.value - 0.75) < 4 * found.noise.error + 1e-12
        deviation = found.values["deviation"][0]
        assert abs(deviation.value - 0.75 - plateau**2) < 4 * deviation.error
    invariant = measures(np.broadcast_to(outputs[0, :1], (4, 30, 10)))
    assert invariant == {"same": 4.0, "kl": 0.0, "deviation": 0.0}


def invented(name, config):
    """Pieces as if SYM had an invariant mean and ASYM not, by 0.2 on the unmoved inputs."""
    rng = np.random.default_rng(len(name))
    inputs = config.test + config.n_off
    if name.startswith("closed"):
        both = rng.normal(size=(2, len(config.closed_steps), 4, inputs, 10))
        return {
            "closed": both[0] if "ASYM" not in name else np.zeros(0),
            "independent": both[1],
            "rounding": np.zeros(9),
        }
    outputs = rng.normal(size=(1, 1, inputs, 10)) + rng.normal(size=(config.each, 4, inputs, 10))
    if "ASYM" in name:
        outputs[:, 0] += 0.2
    return {"outputs": outputs, "diverged": np.arange(config.each) == 0}


def test_the_page_finds_what_was_put_in():
    config = dataclasses.replace(TINY, supports=("SYM", "ASYM"), members=120, each=120, sizes=(1, 5, 40))
    page = STUDY.page(config, lambda name: invented(name, config))
    assert "resolved for ASYM, not for SYM" in page.answer
    tables = {t.caption: t for s in page.sections for t in s.tables}
    supports = next(iter(tables.values()))
    assert supports.rows[0] == ("SYM", "·x· xxx ·x·", "·x· xxx ·x·", "yes", "yes")
    assert supports.rows[1] == ("ASYM", "xx· x·x ·x·", "xx· x·x ·x·", "no", "no")
    plateau = next(t for t in tables.values() if "plateau a" in t.head)
    value, error = map(float, plateau.rows[-1][4].replace("−", "-").split(" ± "))
    assert abs(value - 0.2**2 * 3 / 16) < 4 * error < 0.02
    assert [d.name for s in page.sections for d in s.drawings] == ["members-kl", "members-deviation", "members-same"]


@pytest.mark.slow
def test_one_command_makes_the_page(tmp_path):
    run_theory(STUDY, TINY, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert text.count("](figures/") == 3 and "nan" not in text


BAD = {
    "support": ({"supports": ("SYM", "ROW")}, "expected some of SYM"),
    "off": ({"off": "mnist"}, "expected one of fashion-mnist"),
    "train": ({"train": 5000}, "at most 1797 digits"),
    "batch": ({"batch": 600}, "at most train = 512"),
    "sizes": ({"sizes": (10, 5)}, "increasing numbers"),
    "too large": ({"sizes": (1, 101)}, "at most members = 100"),
    "steps": ({"steps": 0}, "steps: expected at least 1"),
    "rate": ({"rate": 0.0}, "positive"),
}


@pytest.mark.parametrize("change, message", BAD.values(), ids=BAD)
def test_what_makes_no_sense_is_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        check(dataclasses.replace(SupportConfig(), **change))
    assert "\n" not in str(caught.value)
