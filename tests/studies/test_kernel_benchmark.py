"""The benchmark of equivariant kernels: its parts against direct computation, and the whole on tiny data."""

from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.data import Molecules, qm9, read_qm9
from equitangents.groups import point_group
from equitangents.kernels import nngp_and_ntk
from equitangents.sphere import random_rotations, rotate
from equitangents.studies.theory import kernel_benchmark_audit as audit
from equitangents.studies.theory import kernel_benchmark_images as images
from equitangents.studies.theory import kernel_benchmark_learning as learning
from equitangents.studies.theory import kernel_benchmark_molecules as molecules
from equitangents.studies.theory import run_theory
from equitangents.studies.theory.kernel_benchmark import STUDY
from equitangents.studies.theory.kernel_benchmark_config import check

FOLDER = Path(__file__).parent.parent / "data" / "qm9"
TINY = replace(
    STUDY.presets["quick"],
    draws=2,
    resamples=20,
    ridges=(1e-4, 1e-2),
    explicit=64,
    images="digits",
    image_side=4,
    image_pool=12,
    image_test=10,
    image_sizes=(4, 8),
    texture_side=5,
    texture_classes=2,
    texture_pool=8,
    texture_test=4,
    texture_sizes=(2, 4),
    molecule_pool=0,
)


def test_leave_one_out_errors_are_those_of_leaving_one_out():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 3))
    k, y = np.exp(x @ x.T / 3), rng.standard_normal((12, 2))
    ridges, errors = (1e-3, 1e-1, 10.0), []
    for ridge in ridges:
        left = []
        for i in range(12):
            kept = np.arange(12) != i
            gram = k[np.ix_(kept, kept)] + ridge * np.mean(np.diagonal(k)) * np.eye(11)
            left.append(y[i] - k[i, kept] @ np.linalg.solve(gram, y[kept]))
        errors.append(np.mean(np.square(left)))
    found = learning.fit(k, y, ridges)
    assert found.ridge == ridges[int(np.argmin(errors))] * np.mean(np.diagonal(k))
    np.testing.assert_allclose(learning.solved(k.copy(), found.ridge, y), found.coefficients, rtol=1e-9)


def test_the_factor_between_power_laws_is_found_with_its_interval():
    sizes, rng = (8, 16, 32, 64, 128), np.random.default_rng(0)
    n = np.array(sizes, float)[None, :, None]
    noise = 1 + 0.1 * rng.standard_normal((2, 10, 5, 40))
    plain, other = n**-0.5 * noise[0], (3 * n) ** -0.5 * noise[1]
    found = learning.data_efficiency(plain, other, sizes, 300, rng)
    assert found.bound.tolist() == [True, True, False, False, False]
    assert (found.low[2:] < 3).all() and (found.high[2:] > 3).all() and (found.high[2:] < 4).all()
    assert (found.low <= found.value).all() and (found.value <= found.high).all()


def test_beyond_its_largest_size_a_curve_goes_on_with_its_slope_and_no_farther_than_four_times():
    n = np.array([8.0, 16.0, 32.0])
    value, bound = learning.horizontal(1 / n, 2 / n, n)
    np.testing.assert_allclose(value, 0.5)
    assert not bound.any()
    np.testing.assert_allclose(learning.horizontal(0.01 / n, 2 / n, n)[0][-1], 1 / 4)


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_tables_give_the_gram_matrix_of_moved_images(name):
    rng = np.random.default_rng(0)
    x, tests = rng.standard_normal((3, 4, 4, 1)), rng.standard_normal((2, 4, 4, 1))
    every = [images.moved(images.LARGEST, g, np.concatenate([x, tests])) for g in range(8)]
    table = np.stack([np.asarray(nngp_and_ntk(images.DENSE, jnp.asarray(x), jnp.asarray(m))[1]) for m in every])
    train, cross = table[:, :, :3], table[:, :, 3:]
    inside, group = images.Inside(name), point_group(name)
    turns, turn_test = rng.integers(group.order, size=3), rng.integers(group.order, size=2)
    x_turned = np.concatenate([images.moved(group, int(g), one[None]) for g, one in zip(turns, x, strict=True)])
    t_turned = np.concatenate([images.moved(group, int(g), one[None]) for g, one in zip(turn_test, tests, strict=True)])
    full = np.asarray(
        nngp_and_ntk(images.DENSE, jnp.asarray(x_turned), jnp.asarray(np.concatenate([x_turned, t_turned])))[1]
    )
    i, t = np.arange(3), np.arange(2)
    np.testing.assert_allclose(train[inside.between(turns, turns), i[:, None], i[None]], full[:, :3], rtol=1e-12)
    np.testing.assert_allclose(cross[inside.between(turns, turn_test), i[:, None], t[None]], full[:, 3:], rtol=1e-12)
    y = rng.standard_normal((3, 2))
    mean = [k[inside.members].mean(0) for k in (train, cross)]
    equal = mean[1].T @ learning.solved(mean[0].copy(), 1e-3, y)
    augmented = inside.augmented(train, cross, i, y, turn_test, 1e-3)
    np.testing.assert_allclose(augmented, equal, rtol=0, atol=1e-10 * np.abs(equal).max())


def two_molecules():
    return read_qm9(path=FOLDER).take(np.array([0, 3]))


def test_the_kernel_of_molecules_is_the_sum_over_pairs_of_atoms_of_one_element():
    found = read_qm9(4, path=FOLDER)
    f, scale = molecules.signals(found, 2)
    np.testing.assert_allclose(molecules.signals(found, 2, scale)[0], f)
    heavy = f[found.charges > 1]
    there = np.abs(heavy).max((0, 1)) > 0
    np.testing.assert_allclose(np.mean(np.sum(heavy**2, axis=1), axis=0)[there] / (4 * np.pi), 1)
    net, places = molecules.plain_net(2), found.charges.shape[1]
    batch = molecules.batch(f, found.charges)
    k = molecules.between(net, batch, batch, 3)  # tiles that cut molecules
    direct = np.zeros((2, 4, 4))
    for a in range(4):
        for b in range(4):
            pairs = [
                (i, j)
                for i in range(places)
                for j in range(places)
                if found.charges[a, i] == found.charges[b, j] and found.charges[a, i] > 1
            ]
            if pairs:
                i, j = np.array(pairs).T
                both = np.asarray(nngp_and_ntk(net, jnp.asarray(f[a]), jnp.asarray(f[b])))
                direct[:, a, b] = both[:, i, j].sum(1)
    np.testing.assert_allclose(k, direct, rtol=1e-10)


def test_the_plain_kernel_of_molecules_is_the_rotational_one_averaged():
    """Over the nodes of SO(3), with their weights: no lift, no pool."""
    found = two_molecules()
    f, _ = molecules.signals(found, 1)
    net, plain = molecules.pooled_net(2), molecules.plain_net(1)
    group = net.layers[0].group
    first = molecules.batch(f, found.charges)
    pooled = molecules.between(net, first, first, 4)
    matrices = np.stack([np.eye(3)[[1, 2, 0]].T @ m @ np.eye(3)[[1, 2, 0]] for m in group.irreps(1)])  # y, z, x
    copies = molecules.turned(np.tile(f, (group.size, 1, 1, 1)), np.repeat(matrices, 2, axis=0))
    every = molecules.batch(copies, np.tile(found.charges, (group.size, 1)))
    each = molecules.between(plain, first, every, 64).reshape(2, 2, group.size, 2)
    np.testing.assert_allclose(np.einsum("kanb,n->kab", each, group.weights), pooled, rtol=1e-10)


def test_signals_turn_with_their_molecule():
    found = two_molecules()
    turns = np.asarray(random_rotations(jr.key(0), 2))
    moved = replace(found, positions=np.einsum("nij,naj->nai", turns, found.positions))
    f, scale = molecules.signals(found, 3)
    turned = molecules.turned(f, turns)
    np.testing.assert_allclose(molecules.signals(moved, 3, scale)[0], turned, atol=1e-12)
    np.testing.assert_allclose(rotate(jnp.asarray(f[1]), turns[1]), turned[1], atol=1e-12)


def aligned(n):
    """Molecules like water, all in one orientation, whose tensors have the axes of their atoms."""
    positions = np.tile([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.8, -0.5]], (n, 1, 1))
    tensors = np.tile(np.diag([5.0, 8.0, 6.0]), (n, 1, 1))
    zeros = np.zeros(n)
    return Molecules(np.arange(n), np.tile([8, 1, 1], (n, 1)), positions, zeros, zeros, tensors)


def test_the_audit_finds_alignment_and_foreign_frames():
    n = 100
    found = aligned(n)
    turns, others = (molecules.haar([0, i], n) for i in (1, 2))
    turns_of = lambda r: replace(found, positions=np.einsum("nij,naj->nai", r, found.positions))  # noqa: E731
    near = audit.alignment(found, others)
    assert near["bond"] > 0.99 and near["bond_random"] < 3 * near["bond_expected"]
    assert near["axis"] > 0.5 and near["axis_random"] < 3 * near["axis_expected"]
    far = audit.alignment(turns_of(turns), others)
    assert far["bond"] < 3 * far["bond_expected"] and far["axis"] < 3 * far["axis_expected"]
    same = audit.frames(found, others)
    assert len(same["own"]) == n and same["own"].max() < 1e-12 and np.median(same["random"]) > 0.5
    foreign = audit.frames(turns_of(turns), others)
    assert np.median(foreign["own"]) > 0.5 and foreign["axes"].max() < 1e-12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": "cats"}, "images: expected fashion-mnist or digits"),
        ({"draws": 1}, "expected at least 2 draws"),
        ({"ridges": (0.0,)}, "ridges: expected positive"),
        ({"image_sizes": (8, 4)}, "image_sizes: expected at least two increasing"),
        ({"image_test": 6}, "image_test: expected at least 10"),
        ({"texture_sizes": (4, 16)}, "texture_sizes: expected"),
        ({"texture_side": 2}, "textures: expected"),
        ({"molecule_pool": 40, "order": 1}, "molecules: expected order > lmax / 2"),
    ],
)
def test_configurations_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        check(replace(TINY, **change))


def test_without_molecules_the_page_says_so(tmp_path):
    run_theory(STUDY, TINY, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "Left out, as its pool is empty" in text and "| textures | D4 | NTK | random | 4 |" in text
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["factors.svg", "images.svg"]


@pytest.mark.slow
def test_with_molecules_all_sections_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(qm9, "qm9_folder", lambda path=None: FOLDER)
    config = replace(
        TINY,
        molecule_pool=5,
        molecule_test=3,
        molecule_sizes=(2, 4),
        audited=8,
        lmax=2,
        order=2,
        orbit_size=3,
        orbit_draws=2,
        rotations=(1, 2),
    )
    run_theory(STUDY, config, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "Are the molecules aligned?" in text and "| polarisability | SO(3) | NTK | random | 4 |" in text
    assert "figures/orbits.svg" in text and "figures/molecules.svg" in text
