"""Networks that learn Chern numbers: the loss, the links they see, going on after a stop, what is measured."""

import dataclasses

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from gauge_cases import draw_gauge

from equitangents.gauge import Links, chern_number, flux, gauge_transform, links_from_bands, plaquettes
from equitangents.gauge.chern import (
    ChernData,
    ChernTraining,
    chern_loss,
    draw_bands,
    evaluate,
    load_state,
    local_fluxes,
    rescaling,
    resume,
    save_state,
    start,
    train_steps,
    transfer_accuracy,
    vacuum_output,
)
from equitangents.gauge.chern.baselines import LinkEntries, Spectrum, axial, exact_network
from equitangents.gauge.chern.evaluate import error_of_accuracy, fresh
from equitangents.gauge.chern.families import families, from_origin, hofstadter_chern
from equitangents.gauge.models import hofstadter, qwz

TINY = ChernTraining(ChernData(1, (3, 3), batch=16), channels=(4,), steps=80, rate=1e-2)


def test_the_loss_is_the_mean_error_and_the_missing_spread():
    y = jnp.array([[1.0, 3.0], [0.25, 0.25]])  # standard deviations sqrt(2) and 0
    labels = jnp.array([1.0, 2.0])
    assert chern_loss(y, labels, 0.0) == (3 + 1.5) / 2
    assert chern_loss(y, labels, 0.5) == (3 + 1.5) / 2 + (0 + 0.5) / 2
    assert chern_loss(y, labels, 0.5, 3.0) == (3 + 1.5) / 2 + 3 * (0 + 0.5) / 2
    assert chern_loss(y, labels, 2.0) == pytest.approx((3 + 1.5) / 2 + (2 - 2**0.5 + 2) / 2)


def test_the_loss_of_sites_in_two_axes_is_that_of_all_of_them(getkey):
    y = jr.normal(getkey(), (3, 2, 4))
    assert chern_loss(y, jnp.zeros(3)) == chern_loss(y.reshape(3, 8), jnp.zeros(3))


def test_the_gradient_at_flat_outputs_is_finite_and_grows_spread_elsewhere():
    y = jnp.array([[0.1, 0.1, 0.1], [0.1, -0.1, 0.0]])
    flat, step = -2 * np.asarray(jax.jit(jax.grad(chern_loss))(y, jnp.full(2, 5.0))) - 1  # less that of the first term
    assert not flat.any() and step @ np.asarray(y[1]) > 0.05


@pytest.mark.parametrize("trivial", [False, True])
@pytest.mark.parametrize("label", ["trlog", "det"])
def test_the_same_batch_comes_from_the_same_seed_and_number(trivial, label):
    data = ChernData(2, (3, 4), label, trivial, 16)
    links, chern = data.draw(7, 3)
    again = data.draw(7, 3)
    assert links.shape == (16, 3, 4, 2, 2, 2) and links.dtype == np.complex64 and chern.dtype == np.float32
    assert np.array_equal(links, again[0]) and np.array_equal(chern, again[1])
    assert not np.array_equal(links, data.draw(7, 4)[0]) and not np.array_equal(links, data.draw(8, 3)[0])
    np.testing.assert_array_equal(chern, chern_number(Links(links.astype(complex), "U(2)"), label))
    assert (not chern.any()) == trivial


def test_a_share_of_smooth_links_reaches_down_to_the_vacuum_and_all_others_are_as_they_were():
    rough, mixed = (ChernData(3, (4, 4), batch=100, smooth=share).draw(0, 3)[0] for share in (0.0, 0.4))
    np.testing.assert_array_equal(mixed[40:], rough[40:])
    one = np.broadcast_to(np.eye(3), mixed.shape)
    np.testing.assert_allclose(mixed @ mixed.swapaxes(-1, -2).conj(), one, atol=1e-5)
    away = [np.abs(plaquettes(Links(u[:40], "U(3)")) - np.eye(3)).mean((1, 2, 3, 4, 5)) for u in (mixed, rough)]
    assert away[0].min() < 0.1 and np.mean(away[0]) < away[1].min()
    assert ChernData(3, (4, 4), batch=10, smooth=0.4).haar() == ChernData(3, (4, 4), batch=10)


def test_trivial_links_that_do_not_come_are_an_error(monkeypatch):
    monkeypatch.setattr("equitangents.gauge.chern.data.TRIES", 1)
    with pytest.raises(RuntimeError, match="expected 8 trivial links"):
        ChernData(1, (3, 3), trivial=True, batch=8).draw(0, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChernData(0), "at least 1 band"),
        (lambda: ChernData(sites=(1, 5)), "at least 2 x 2"),
        (lambda: ChernData(label="both"), "expected label 'trlog' or 'det'"),
        (lambda: ChernData(smooth=1.5), "expected a share of smooth links from 0 to 1"),
        (lambda: ChernData(smooth=0.5, trivial=True), "expected smooth links or trivial ones alone"),
        (lambda: ChernTraining(steps=0), "expected steps >= 1"),
        (lambda: ChernTraining(piece=5), "expected pieces that divide the batch of 64, got 5"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_training_that_stops_goes_on_with_the_same_numbers(tmp_path):
    whole = train_steps(TINY, start(TINY), 6)
    save_state(tmp_path, TINY, train_steps(TINY, resume(tmp_path, TINY), 2))
    kept = resume(tmp_path, TINY)
    assert kept.step == 2 and len(kept.losses) == 2
    parts = train_steps(TINY, kept, 6)
    for one, two in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(one, two)
    other = dataclasses.replace(TINY, seed=1)
    with pytest.raises(ValueError, match="expected a training with seed = 1, got one with 0"):
        resume(tmp_path, other)
    assert load_state(tmp_path)[0] == TINY


def test_damaged_and_missing_trainings_are_named(tmp_path):
    with pytest.raises(ValueError, match="expected a training, got none"):
        load_state(tmp_path)
    (tmp_path / "training.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match="got a damaged file"):
        resume(tmp_path, TINY)


def test_a_loss_that_is_not_finite_is_said():
    state = start(TINY)
    bad = state._replace(params=jax.tree.map(lambda a: jnp.full_like(a, jnp.nan), state.params))
    with pytest.raises(FloatingPointError, match="the loss is nan from step 0 on"):
        train_steps(TINY, bad, 1)


def test_the_loss_falls():
    losses = train_steps(TINY, start(TINY), 80).losses
    before, after = losses[:20], losses[-20:]
    error = np.sqrt(before.var() / 20 + after.var() / 20)
    assert before.mean() - after.mean() > 5 * error


@pytest.mark.parametrize("planted", [1.8, -0.7])
def test_rescaling_finds_a_planted_factor(planted):
    rng = np.random.default_rng(0)
    chern = np.rint(rng.normal(0, 1.5, 4000))
    found = rescaling(planted * chern + rng.normal(0, 0.3, 4000), chern)
    expected = 0.3 / np.sqrt((chern**2).sum())
    assert abs(found.factor - planted) < 5 * expected and found.error == pytest.approx(expected, rel=0.1)
    with pytest.raises(ValueError, match="labels that are not all 0"):
        rescaling(chern, np.zeros(4000))


@pytest.mark.parametrize(("error", "sites"), [(0.05, 25), (0.05, 100), (0.12, 49)])
def test_transfer_accuracy_is_that_of_sums_of_normal_errors(error, sites):
    sums = error * np.sqrt(sites) * np.random.default_rng(0).normal(size=40_000)
    right = np.mean(np.abs(sums) < 0.5)
    predicted = float(transfer_accuracy(error, sites))
    assert abs(right - predicted) < 5 * np.sqrt(predicted * (1 - predicted) / 40_000)
    assert error_of_accuracy(predicted, sites) == pytest.approx(error)


@pytest.mark.parametrize(("bands", "label"), [(1, "trlog"), (2, "det"), (2, "trlog"), (3, "trlog")])
def test_the_network_made_by_hand_is_always_right(bands, label):
    net = exact_network(label)
    params = net.init(jr.key(0), (4, 3, 2, bands, bands))[1]
    links = fresh(ChernData(bands, (4, 3), batch=64), 100, 0)
    found = evaluate(net, params, links, label)
    assert found.accuracy == 1 and found.high == 1 and found.site_error < 1e-4 and found.correlation > 0.9999
    assert found.low == pytest.approx(0.025 ** (1 / 100))  # Clopper and Pearson, all of 100 right
    wrong = evaluate(net, params, links, label, factor=-1.0)
    assert wrong.accuracy == np.mean(found.chern == 0) and wrong.correlation < -0.9999
    assert wrong.site_error == pytest.approx(2 * np.sqrt(np.mean(local_fluxes(net, params, links) ** 2)), rel=1e-3)


def test_the_vacuum_is_subtracted_at_each_site():
    state = start(TINY)
    still = vacuum_output(TINY.net(), state.params, 1)
    one = np.ones((1, 4, 5, 2, 1, 1), np.complex64)
    np.testing.assert_allclose(local_fluxes(TINY.net(), state.params, one), still)
    links = np.concatenate([one, fresh(TINY.data.on((4, 5)), 1, 0)])
    raw, less = (evaluate(TINY.net(), state.params, links, factor=2.0, vacuum=v).predicted for v in (0.0, still))
    assert less[0] == pytest.approx(0, abs=1e-5) and raw[1] - less[1] == pytest.approx(20 * still / 2)


def test_axial_gauge_changes_no_flux_and_leaves_as_few_links_as_it_can(getkey):
    links = fresh(ChernData(2, (3, 4)), 5, 0).astype(complex)
    fixed = axial(links)
    one = np.eye(2)
    assert np.abs(fixed[:, :, :-1, 1] - one).max() < 1e-6 and np.abs(fixed[:, :-1, 0, 0] - one).max() < 1e-6
    np.testing.assert_allclose(flux(Links(fixed, "U(2)")), flux(Links(links, "U(2)")), atol=1e-5)


def test_axial_gauge_forgets_the_gauge_it_came_from(getkey):
    links = Links(fresh(ChernData(1, (3, 4)), 5, 0).astype(complex), "U(1)")
    moved = gauge_transform(links, draw_gauge(links, getkey()))
    np.testing.assert_allclose(axial(np.asarray(moved.array)), axial(np.asarray(links.array)), atol=1e-6)


def test_baselines_see_entries_and_eigenvalues(getkey):
    links = jnp.asarray(fresh(ChernData(2, (3, 4)), 1, 0)[0])
    shape, _ = LinkEntries().init(getkey(), links.shape)
    entries = LinkEntries().apply({}, links)
    assert entries.shape == shape == (3, 4, 16) and jnp.abs(jnp.sum(entries**2) - 3 * 4 * 2 * 2) < 1e-4
    shape, _ = Spectrum().init(getkey(), links.shape)
    seen = Spectrum().apply({}, links)
    assert seen.shape == shape == (3, 4, 2, 2)
    phases = np.arctan2(seen[..., 1], seen[..., 0])
    np.testing.assert_allclose(phases.sum(-1), flux(Links(np.asarray(links, complex), "U(2)")), atol=1e-4)


@pytest.mark.parametrize("bands", [1, 2, 3])
def test_band_models_have_the_numbers_of_their_formulas_on_fine_grids(bands):
    for name in families(bands):
        links, exact = draw_bands(name, bands, (20, 20), 12, 5)
        assert links.shape == (12, 20, 20, 2, bands, bands)
        np.testing.assert_array_equal(chern_number(Links(links.astype(complex), f"U({bands})")), exact)
        assert len(set(exact.tolist())) > 1
        assert np.array_equal(links, draw_bands(name, bands, (20, 20), 12, 5)[0])


def test_another_origin_of_momentum_moves_the_hamiltonian():
    k, q = np.array([0.3, 1.1]), np.array([2.0, -0.4])
    np.testing.assert_allclose(from_origin(qwz(0.7), k)(q), qwz(0.7)(k + q), atol=1e-12)


def test_hofstadter_numbers_are_those_of_a_fine_grid():
    for p, q in ((1, 4), (3, 8), (2, 9)):
        for r in (r for r in range(1, q) if 2 * r != q):
            assert chern_number(links_from_bands(hofstadter(p, q), (24, 24), r)) == hofstadter_chern(p, q, r)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diamond", 1), "expected a model haldane"),
        (("qwz", 2), "expected one filled band"),
        (("hofstadter", 9), "at most 8"),
    ],
)
def test_models_that_do_not_exist_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_bands(*arguments, (5, 5), 1)
