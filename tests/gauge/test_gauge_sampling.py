"""Heat bath and HMC against exact results in two dimensions, against each other in more, and the laws of HMC."""

from inspect import unwrap as unchecked  # without the checks of annotations that tests make

import exact_2d
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.linalg
import scipy.special
from gauge_cases import close, draw_gauge, draw_links

from equitangents.gauge import (
    Links,
    algebra_part,
    autocorrelation_time,
    average_plaquette,
    chain_mean,
    dagger,
    exponential,
    force,
    gauge_transform,
    haar,
    heat_bath,
    hmc,
    identity_links,
    leapfrog,
    random_algebra,
    random_links,
    rectangle,
    reunitarise,
    run_chain,
    staples,
    wilson_action,
    wilson_loop,
)
from equitangents.gauge.algebra import series_exponential
from equitangents.gauge.heat_bath import first_component
from equitangents.gauge.hmc import energy


def sweeps(beta):
    return lambda key, links: heat_bath(key, links, beta)


def trajectories(beta, step_size=0.25, steps=4):
    return lambda key, links: hmc(key, links, beta, step_size, steps).links


def means(update, links, key, steps, measure=average_plaquette):
    """After a tenth of the chain, which starts hot; the autocorrelation times here are below 2 steps."""
    series = np.asarray(run_chain(key, update, links, steps, measure)[1])[steps // 10 :]
    return chain_mean(series)


CHAINS = {
    "SU(2), heat bath": (sweeps(2.0), "SU(2)", 2.0, (4, 4), 150),
    "SU(2), heat bath, strong coupling": (sweeps(0.1), "SU(2)", 0.1, (4, 2), 150),
    "SU(2), heat bath, 4 plaquettes": (sweeps(3.0), "SU(2)", 3.0, (2, 2), 150),
    "SU(3), heat bath": (sweeps(5.0), "SU(3)", 5.0, (4, 4), 150),
    "U(1), hmc": (trajectories(1.5), "U(1)", 1.5, (4, 3), 300),
    "SU(2), hmc": (trajectories(2.0), "SU(2)", 2.0, (4, 3), 300),
    "SU(3), hmc": (trajectories(5.0), "SU(3)", 5.0, (4, 3), 300),
    "U(2), hmc": (trajectories(3.0), "U(2)", 3.0, (3, 3), 300),
}


@pytest.mark.parametrize("update, group, beta, sites, steps", CHAINS.values(), ids=CHAINS)
def test_plaquettes_in_two_dimensions_are_exact(update, group, beta, sites, steps, getkey):
    found = means(update, random_links(getkey(), group, sites, (16,)), getkey(), steps)
    assert abs(found.mean - exact_2d.average_plaquette(group, beta, sites[0] * sites[1])) < 5 * found.error < 0.05


def test_the_exact_results_are_ratios_of_bessel_functions():
    for beta in (0.1, 2.0, 4.0):
        for group, order in (("SU(2)", 1), ("U(1)", 0)):
            expected = scipy.special.iv(order + 1, beta) / scipy.special.iv(order, beta)
            assert abs(exact_2d.average_plaquette(group, beta, 400) - expected) < 1e-12


def test_the_exact_results_hold_on_small_tori():
    """Z = sum_j (2 I_{2j + 1}(beta) / beta)^area for SU(2), and <P> its logarithmic derivative."""

    def log_z(beta, area):
        return np.log(np.sum((2 * scipy.special.iv(np.arange(1, 14), beta) / beta) ** area))

    for beta, area in ((3.0, 4), (2.0, 1)):
        slope = (log_z(beta + 1e-4, area) - log_z(beta - 1e-4, area)) / 2e-4
        assert abs(slope / area - exact_2d.average_plaquette("SU(2)", beta, area)) < 1e-8 * area


def test_larger_loops_have_the_area_law_of_two_dimensions(getkey):
    """Each plaquette of an infinite lattice is independent: <W> is <P> to the power of the area."""
    areas = {(1, 1): 1, (2, 1): 2, (1, 2): 2, (2, 2): 4}

    def loops(links):
        return [
            jnp.trace(wilson_loop(links, rectangle(0, 1, *size)), axis1=-2, axis2=-1).real.mean((-2, -1)) / 2
            for size in areas
        ]

    series = run_chain(getkey(), sweeps(3.0), random_links(getkey(), "SU(2)", (6, 6), (16,)), 150, loops)[1]
    one = scipy.special.iv(2, 3.0) / scipy.special.iv(1, 3.0)
    for values, area in zip(series, areas.values(), strict=True):
        found = chain_mean(values[15:])
        assert abs(found.mean - one**area) < 5 * found.error < 0.05


DIMENSIONS = {
    "SU(2), 3": ("SU(2)", 1.5, (4, 2, 2)),
    "SU(2), 4": ("SU(2)", 1.8, (2, 2, 2, 4)),
    "SU(3), 3": ("SU(3)", 4.0, (2, 2, 4)),
    "SU(3), 4": ("SU(3)", 5.0, (2, 2, 2, 2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("group, beta, sites", DIMENSIONS.values(), ids=DIMENSIONS)
def test_heat_bath_and_hmc_agree_in_more_dimensions(group, beta, sites, getkey):
    links = random_links(getkey(), group, sites, (8,))
    one = means(sweeps(beta), links, getkey(), 400)
    two = means(trajectories(beta, 0.1, 10), links, getkey(), 400)
    assert abs(one.mean - two.mean) < 5 * np.hypot(one.error, two.error) < 0.05


@pytest.mark.parametrize("group, dim", [("SU(3)", 3), pytest.param("SU(2)", 4, marks=pytest.mark.slow)])
def test_strong_coupling_in_more_dimensions(group, dim, getkey):
    """<P> of one plaquette; closed surfaces of more than one, on sides of 4, add less than beta^5."""
    beta = 0.25
    found = means(sweeps(beta), random_links(getkey(), group, (4,) * dim, (4,)), getkey(), 60)
    assert abs(found.mean - exact_2d.average_plaquette(group, beta, 400)) < 5 * found.error + beta**5


@pytest.mark.parametrize("group", ["U(2)", "SU(2)", "SU(3)"])
def test_hmc_is_reversible(group, getkey):
    links = random_links(getkey(), group, (4, 3))
    momenta = random_algebra(getkey(), group, links.array.shape, links.array.dtype)
    there, p = leapfrog(links, momenta, 2.5, 0.1, 15)
    back, q = leapfrog(there, -p, 2.5, 0.1, 15)
    assert close(back.array, links.array) and close(-q, momenta) and not close(there.array, links.array, 0.1)


@pytest.mark.parametrize("group", ["SU(2)", "SU(3)"])
def test_hmc_conserves_energy_to_second_order(group, getkey):
    links = random_links(getkey(), group, (4, 4))
    momenta = random_algebra(getkey(), group, links.array.shape, links.array.dtype)
    ends = [leapfrog(links, momenta, 3.0, 1 / steps, steps) for steps in (40, 80, 160)]
    changes = [float(energy(*end, 3.0) - energy(links, momenta, 3.0)) for end in ends]
    ratios = np.array(changes[:-1]) / np.array(changes[1:])
    assert abs(ratios[1] - 4) < 0.02 and abs(ratios[1] - 4) < abs(ratios[0] - 4) / 3  # the next order is the fourth


def test_the_mean_of_exp_of_minus_delta_h_is_one(getkey):
    """Volume is conserved (Creutz), also with steps so large that H is not; its mean change is positive."""

    def keep(key, state):
        step = hmc(key, state, 2.0, 0.25, 3)
        return step.links, (step.delta_h, step.accepted)

    start = run_chain(getkey(), sweeps(2.0), random_links(getkey(), "SU(2)", (4, 4), (64,)), 20)[0]
    changes, accepted = jax.jit(lambda links, keys: jax.lax.scan(lambda l, k: keep(k, l), links, keys))(
        start, jr.split(getkey(), 60)
    )[1]
    found = chain_mean(np.exp(-changes))
    assert abs(found.mean - 1) < 5 * found.error < 0.1
    assert 0.5 < np.mean(accepted) < 0.98 and np.mean(changes) > 5 * chain_mean(changes).error


@pytest.mark.parametrize("group", ["U(1)", "U(2)", "SU(3)"])
def test_the_force_is_the_gradient_of_the_action(group, getkey):
    links = random_links(getkey(), group, (3, 2, 2))
    x = random_algebra(getkey(), group, links.array.shape, links.array.dtype)
    slope = jax.jvp(lambda u: wilson_action(Links(u, group), 1.7), (links.array,), (x @ links.array,))[1]
    f = force(links, 1.7)
    assert abs(slope + jnp.sum((x.conj() * f).real)) < 1e-10 < abs(slope)
    assert close(algebra_part(f, group), f)


def test_staples_hold_all_plaquettes_of_a_link(getkey):
    """Each plaquette has four links."""
    links = draw_links("SU(3)", (3, 2, 4), (2,), getkey())
    total = sum(
        np.trace(links.direction(mu) @ staples(links, mu), axis1=-2, axis2=-1).real.sum((1, 2, 3)) for mu in range(3)
    )
    plaquettes = 3 * 24
    assert close(total / 4 / 3, average_plaquette(links) * plaquettes, 1e-11)
    assert close(wilson_action(links, 2.0), 2.0 * plaquettes * (1 - average_plaquette(links)), 1e-11)


def test_actions_are_gauge_invariant_and_forces_covariant(getkey):
    links = draw_links("SU(3)", (3, 2, 2), (), getkey())
    omega = draw_gauge(links, getkey())
    moved = gauge_transform(links, omega)
    assert close(wilson_action(moved, 5.0), wilson_action(links, 5.0))
    for mu in range(3):
        assert close(
            force(moved, 5.0)[..., mu, :, :], dagger(omega) @ np.asarray(force(links, 5.0))[..., mu, :, :] @ omega
        )


def test_the_first_component_has_its_moments(getkey):
    r"""E x = I_2 / I_1 and E x^2 = 1 - 3 I_2 / (alpha I_1), on both sides of the change of method and at its ends."""
    alpha, draws = np.array([0.0, 0.01, 1.0, 1.999, 2.001, 10.0, 300.0]), 4000
    x = np.asarray(jax.jit(first_component)(getkey(), jnp.broadcast_to(jnp.asarray(alpha), (draws, 7))))
    safe = np.maximum(alpha, 1e-9)
    first = scipy.special.ive(2, safe) / scipy.special.ive(1, safe)
    for sample, expected in [(x, first), (x**2, 1 - 3 * first / safe)]:
        expected = np.where((alpha == 0) & (expected > 0.1), 0.25, expected)
        assert np.all(np.abs(sample.mean(0) - expected) < 5 * sample.std(0) / draws**0.5)


@pytest.mark.parametrize("group, generators", [("U(1)", 1), ("U(3)", 9), ("SU(2)", 3), ("SU(3)", 8)])
def test_momenta_are_normal_in_the_lie_algebra(group, generators, getkey):
    n = int(group.strip("SU()"))
    p = random_algebra(getkey(), group, (3000, n, n), jnp.dtype(complex))
    assert close(p, -dagger(p)) and close(algebra_part(p, group), p)
    if group[0] == "S":
        assert close(jnp.trace(p, axis1=-2, axis2=-1), jnp.zeros(3000))
    norm = jnp.sum(jnp.abs(p) ** 2, (-2, -1))  # chi-squared
    assert abs(norm.mean() - generators) < 5 * np.sqrt(2 * generators / 3000)
    x = algebra_part(haar(getkey(), f"U({n})"), group)
    along = jnp.einsum("ij,kij->k", x.conj(), p).real
    variance = jnp.sum(jnp.abs(x) ** 2)
    assert abs(jnp.mean(along**2) - variance) < 5 * variance * np.sqrt(2 / 3000)


@pytest.mark.parametrize("group", ["U(1)", "U(3)", "SU(2)", "SU(3)"])
def test_exponentials_and_reunitarised_matrices_are_in_the_group(group, getkey):
    n = int(group.strip("SU()"))
    p = 3 * random_algebra(getkey(), group, (5, n, n), jnp.dtype(complex))
    u = exponential(p)
    exact = np.array([scipy.linalg.expm(one) for one in np.array(p)])  # that of JAX misses 1e-9
    assert close(u, exact, 1e-12) and close(series_exponential(p), exact, 1e-12)
    assert close(u @ dagger(u), jnp.broadcast_to(jnp.eye(n), u.shape))
    off = u * (1 + 1e-7)
    fixed = reunitarise(off, group)
    assert close(fixed, u, 1e-12) and not close(off, u, 1e-8)


def test_a_link_that_is_nan_does_not_hang_the_heat_bath(getkey):
    links = random_links(getkey(), "SU(2)", (2, 2))
    broken = Links(links.array.at[0, 0].set(jnp.nan), "SU(2)")
    assert bool(jnp.isnan(jax.jit(lambda u: heat_bath(jr.key(0), u, 1.0).array)(broken)).any())


def test_single_precision_stays_in_the_group(getkey):
    start = identity_links("SU(3)", (4, 4))
    start = Links(start.array.astype(jnp.complex64), "SU(3)")
    end = run_chain(getkey(), sweeps(jnp.float32(5.0)), start, 200, lambda links: jnp.zeros(()))[0]
    assert end.array.dtype == jnp.complex64
    assert close(end.array @ dagger(end.array), np.broadcast_to(np.eye(3), end.array.shape), 1e-5)
    assert close(np.linalg.det(end.array), np.ones(end.array.shape[:-2]), 1e-5)


def test_autocorrelation_time_of_an_autoregressive_chain():
    """(1 + r) / (1 - r) / 2, and an error of the mean that holds the truth; that of independent draws would not."""
    rng, r, steps, chains = np.random.default_rng(7), 0.9, 4000, 20
    x = np.zeros((steps, chains))
    x[0] = rng.normal(size=chains) / np.sqrt(1 - r**2)
    for t in range(1, steps):
        x[t] = r * x[t - 1] + rng.normal(size=chains)
    expected = (1 + r) / (1 - r) / 2
    time = autocorrelation_time(x)
    window = 5 * expected
    assert abs(time / expected - 1) < 5 * np.sqrt(2 * (2 * window + 1) / x.size)  # Madras and Sokal, equation (3.19)
    found = [chain_mean(x[:, i]) for i in range(chains)]
    pulls = np.array([one.mean / one.error for one in found])
    assert abs(np.mean(pulls**2) - 1) < 5 * np.sqrt(2 / chains)
    assert abs(chain_mean(x).mean) < 5 * chain_mean(x).error
    assert chain_mean(np.ones(10)) == (1.0, 0.0, 0.5)


REFUSED = {
    "U(N)": (lambda u: heat_bath(jr.key(0), u, 1.0), "use hmc"),
    "an odd side": (lambda u: heat_bath(jr.key(0), Links(u.array, "SU(2)"), 1.0), "even sides"),
    "negative beta": (lambda u: heat_bath(jr.key(0), Links(u.array[:, :2], "SU(2)"), -1.0), "at least 0"),
    "no steps": (lambda u: leapfrog(u, jnp.asarray(u.array), 1.0, 0.1, 0), "at least one step"),
    "steps below 0": (lambda u: run_chain(jr.key(0), sweeps(1.0), u, -1), "at least 0 steps, got -1"),
    "a ring": (lambda u: staples(Links(u.array[:, 0, :1], "U(2)"), 0), "two dimensions"),
    "a short series": (lambda u: chain_mean([1.0, 2.0]), "at least 8 steps"),
}


@pytest.mark.parametrize("call, message", REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(call, message, getkey):
    links = draw_links("SU(2)", (4, 3), (), getkey())
    with pytest.raises(ValueError, match=message):
        call(Links(links.array, "U(2)"))


START = identity_links("SU(2)", (2, 2))
KINDS = {
    "links before the update": ((jr.key(0), START, sweeps(1.0), 3), "update to be a function .* got Links of SU"),
    "the update first": ((sweeps(1.0), jr.key(0), START, 3), "random key first, got a function; call run_chain"),
    "a seed": ((0, sweeps(1.0), START, 3), "random key first, got 0"),
    "steps before links": ((jr.key(0), sweeps(1.0), 3, START), "Links to start from, got 3"),
    "an array": (
        (jr.key(0), sweeps(1.0), START.array, 3),
        r"Links to start from, got an array of shape \(2, 2, 2, 2, 2\)",
    ),
    "half a step": ((jr.key(0), sweeps(1.0), START, 3.5), "steps to be an integer, got 3.5"),
    "nothing to measure": ((jr.key(0), sweeps(1.0), START, 3, 4), "measure to be a function of links, got 4"),
    "a step of hmc": (
        (jr.key(0), lambda key, links: hmc(key, links, 1.0, 0.1, 1), START, 3),
        "update to return Links, got a HMCStep; of hmc",
    ),
}


@pytest.mark.parametrize("arguments, message", KINDS.values(), ids=KINDS)
def test_swapped_arguments_of_a_chain_are_named_with_their_order(arguments, message):
    with pytest.raises(TypeError, match=message):
        unchecked(run_chain)(*arguments)


UPDATES = {
    "heat_bath": lambda a, b: unchecked(heat_bath)(a, b, 1.0),
    "hmc": lambda a, b: unchecked(hmc)(a, b, 1.0, 0.1, 1),
}


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_updates_name_a_key_in_place_of_links_and_an_array(update):
    with pytest.raises(TypeError, match="expected Links, got a random key; the key comes first, then the links"):
        update(START, jr.key(0))
    with pytest.raises(TypeError, match="expected Links, got an array of shape"):
        update(jr.key(0), START.array)
