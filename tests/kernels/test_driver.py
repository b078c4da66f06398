"""Matrices of kernels: tiles, symmetry, transformations of JAX, kernels that compose."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from cases import NETS
from equitangents import kernel, nngp, nngp_and_ntk, ntk
from equitangents.kernels import Needs, driver, needs
from equitangents.kernels.inputs import batch
from equitangents.nets import (
    Abs,
    Activation,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    Gelu,
    GlobalAvgPool,
    LayerNorm,
    Relu,
    Residual,
    Serial,
)

MLP = Serial(Dense(1, 1.3, 0.3), Relu(), Dense(1, 1.1))
SITES = Serial(Conv(1, 2, sigma_b=0.2), Relu(), Conv(1, 2))  # the output has sites


def forget():
    for compiled in driver._compiled.values():
        compiled.clear_cache()


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of two rows and two columns; what was compiled with others is forgotten."""
    forget()
    monkeypatch.setattr(driver, "tile_rows", lambda backend, entries, n1, n2, itemsize: (min(n1, 2), min(n2, 2)))
    yield
    forget()


@pytest.mark.parametrize(("net", "shape"), [(MLP, (3,)), (SITES, (3, 2))], ids=["vectors", "sites"])
def test_tiles_and_the_symmetric_half_give_the_same_matrix_as_one_pass(net, shape, getkey, request):
    x1, x2 = jr.normal(getkey(), (5, *shape)), jr.normal(getkey(), (4, *shape))
    whole = nngp_and_ntk(net, x1, x2), nngp_and_ntk(net, x1, x1)
    request.getfixturevalue("small_tiles")
    tiled = nngp_and_ntk(net, x1, x2), nngp_and_ntk(net, x1)
    for found, expected in zip(jax.tree.leaves(tiled), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_one_kernel_alone_is_that_of_both(small_tiles, getkey):
    x1, x2 = jr.normal(getkey(), (5, 3)), jr.normal(getkey(), (4, 3))
    for one, both in zip((nngp(MLP, x1, x2), ntk(MLP, x1, x2)), nngp_and_ntk(MLP, x1, x2), strict=True):
        np.testing.assert_allclose(one, both, rtol=1e-12, atol=1e-14)


@pytest.mark.optimised
def test_matrices_are_symmetric_and_positive(getkey):
    x = jr.normal(getkey(), (6, 3))
    for k in nngp_and_ntk(MLP, x):
        np.testing.assert_array_equal(k, k.T)
        assert np.linalg.eigvalsh(k).min() > 0


def test_matrices_are_symmetric_to_the_last_bit_where_products_of_single_precision_are_computed_twice():
    """Mirrored from memory: written from one tile, the halves of this one differed by 1e-7."""
    block = (Conv(1, (3, 3), sigma_w=2**0.5, sigma_b=0.1), Relu())
    x = np.random.default_rng(1).standard_normal((40, 6, 6, 3), np.float32)
    for k in nngp_and_ntk(Serial(*block, *block, Flatten(), Dense(1, sigma_b=0.1)), jnp.asarray(x)):
        np.testing.assert_array_equal(k, k.T)


@pytest.mark.parametrize("phi", [Relu(), Erf(), Gelu()], ids=str)
def test_few_rows_at_a_time_give_the_same_matrix(phi, monkeypatch, getkey):
    """GELU also hands on what rounding took from variances of single precision."""
    x = jr.normal(getkey(), (12, 3), jnp.float32)
    net = Serial(Dense(1, 1.5, 0.3), phi, Dense(1, 1.5, 0.3), phi, Dense(1))
    whole = nngp_and_ntk(net, x)
    forget()
    monkeypatch.setattr(driver, "piece_entries", lambda backend: 48)
    shapes = []
    propagated = driver._propagated
    monkeypatch.setattr(driver, "_propagated", lambda net, k: shapes.append(k.d.shape) or propagated(net, k))
    for one, two in zip(whole, nngp_and_ntk(net, x), strict=True):
        size = float(jnp.max(jnp.abs(one)))
        np.testing.assert_allclose(one, two, rtol=0, atol=20 * float(jnp.finfo(jnp.float32).eps) * size)
    forget()
    assert set(shapes) == {(4, 12)}


@pytest.mark.parametrize("symmetric", [True, False])
def test_gradients_go_through_tiles_and_coincident_inputs(symmetric, small_tiles, getkey):
    x, direction = jr.normal(getkey(), (3, 3)), jr.normal(getkey(), (3, 3))

    @jax.jit
    def total(x):
        return jnp.sum(jnp.sin(ntk(MLP, x) if symmetric else ntk(MLP, x, x)))

    slope, h = jnp.vdot(jax.jit(jax.grad(total))(x), direction), 1e-5
    np.testing.assert_allclose(slope, (total(x + h * direction) - total(x - h * direction)) / (2 * h), rtol=1e-6)


def test_the_symmetric_half_is_computed_once(small_tiles, monkeypatch):
    """Seen in the number of tiles: 3 rows of tiles make 6 of 9; 3 are then mirrored, and 3 on the diagonal averaged."""
    corners = []
    scan = jax.lax.scan

    def counted(f, init, xs, *rest, **options):
        if isinstance(xs, jax.Array) and xs.ndim == 2 and xs.shape[1] == 2:
            corners.append(xs.shape[0])
        return scan(f, init, xs, *rest, **options)

    monkeypatch.setattr(jax.lax, "scan", counted)
    x = jnp.arange(18.0).reshape(6, 3)
    nngp(MLP, x)
    nngp(MLP, x, x)
    assert corners == [6, 3, 3, 9]


def test_kernels_compose_with_jit_vmap_and_grad(getkey):
    x1, x2 = jr.normal(getkey(), (3, 2, 3)), jr.normal(getkey(), (3, 4, 3))
    mapped = jax.jit(jax.vmap(lambda a, b: ntk(MLP, a, b)))(x1, x2)
    np.testing.assert_allclose(mapped, jnp.stack([ntk(MLP, *pair) for pair in zip(x1, x2, strict=True)]), rtol=1e-12)


def test_a_phase_diagram_is_one_line():
    x = jnp.ones((1, 3))

    def variance(sigma_w, sigma_b):
        net = Serial(Dense(1, sigma_w, sigma_b), Relu(), Dense(1, sigma_w, sigma_b))
        return nngp(net, x)[0, 0]

    w, b = jnp.linspace(0.5, 2, 4), jnp.linspace(0, 1, 3)
    found = eqx.filter_vmap(eqx.filter_vmap(variance, in_axes=(None, 0)), in_axes=(0, None))(w, b)
    w, b = w[:, None] ** 2, b[None, :] ** 2
    np.testing.assert_allclose(found, w * (jnp.broadcast_to(w, (4, 3)) + b) / 2 + b, rtol=1e-12)


def test_mapped_descriptions_are_networks(getkey):
    x = jr.normal(getkey(), (2, 3))
    nets = eqx.filter_vmap(lambda s: Serial(Dense(1, s), Relu(), Dense(1, lambda_w=s)))(jnp.array([0.5, 1.5]))
    found = eqx.filter_vmap(lambda net: ntk(net, x))(nets)
    expected = [ntk(Serial(Dense(1, s), Relu(), Dense(1, lambda_w=s)), x) for s in (0.5, 1.5)]
    np.testing.assert_allclose(found, jnp.stack(expected), rtol=1e-12)


def test_a_users_nonlinearity_may_be_read_inside_jit(getkey):
    x = jr.normal(getkey(), (2, 3))
    net = Serial(Dense(1), Activation(lambda z: jnp.tanh(z) + 0), Dense(1))
    inside = jax.jit(lambda x: ntk(net, x))(x)
    np.testing.assert_allclose(inside, ntk(net, x), rtol=1e-12)


@pytest.mark.optimised
@pytest.mark.parametrize(("cut", "same"), [(1, True), (2, False), pytest.param(3, True, marks=pytest.mark.slow)])
def test_a_kernel_in_place_of_inputs_continues_where_it_ended(cut, same, getkey):
    layers = (Conv(1, 2, sigma_b=0.2), Relu(), AvgPool(2), Conv(1, 2), Erf(), GlobalAvgPool(), Dense(1))
    x1 = jr.normal(getkey(), (2, 4, 2))
    x2 = None if same else jr.normal(getkey(), (3, 4, 2))
    middle = kernel(Serial(*layers[:cut]), x1, x2)
    found = nngp_and_ntk(Serial(*layers[cut:]), middle)
    expected = nngp_and_ntk(Serial(*layers), x1, x2)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    end = kernel(Serial(*layers[cut:]), middle)
    np.testing.assert_array_equal(end.ntk, found[1])


@pytest.mark.parametrize(
    "name", ["dense at sites", pytest.param("conv 2d valid", marks=pytest.mark.slow), "avg pool", "residual conv"]
)
def test_what_is_not_needed_does_not_change_the_numbers(name, getkey):
    make, shape = NETS[name].make, NETS[name].shape
    x1, x2 = jr.normal(getkey(), (2, *shape)), jr.normal(getkey(), (2, *shape))
    k12, tangent = nngp_and_ntk(make(1), x1, x2)  # what needs(net) says
    wanted = Needs(True, "pairs")
    everything = driver._inputs(*(batch(make(1), x, wanted) for x in (x1, x2)), wanted)
    full = jax.jit(driver._propagated)(make(1), everything)
    np.testing.assert_allclose(k12, full.k12, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(tangent, full.ntk, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (Serial(Conv(1, 3), Relu(), Flatten(), Dense(1)), Needs(False, "sites")),
        (Serial(Conv(1, 3), LayerNorm(), Relu(), Flatten(), Dense(1)), Needs(False, "sites")),
        (Serial(Conv(1, 3), Residual(Relu(), Conv(1, 3)), Flatten(), Dense(1)), Needs(False, "sites")),
        (Serial(Conv(1, 3), Relu(), GlobalAvgPool(), Dense(1)), Needs(True, "sites")),
        (Serial(Conv(1, 3), Relu(), AvgPool(2), Flatten(), Dense(1)), Needs(True, "sites")),
        (Serial(Conv(1, 3), Relu(), AvgPool(2), Relu(), Flatten(), Dense(1)), Needs(True, "pairs")),
        (Serial(Conv(1, 3), Conv(1, 3)), Needs(True, "none")),
    ],
    ids=repr,
)
def test_different_sites_are_compared_only_where_something_later_mixes_them(net, expected):
    assert needs(net, Needs(not isinstance(net.layers[-1], Dense), "none")) == expected


def test_results_have_the_precision_of_the_inputs(getkey):
    x = jr.normal(getkey(), (3, 4, 2), jnp.float32)
    net = Serial(Conv(1, 2, sigma_b=0.1), Abs(), AvgPool(2), Conv(1, 2), Flatten(), Dense(1))
    assert all(k.dtype == jnp.float32 for k in nngp_and_ntk(net, x))


def test_nonlinearities_and_norms_refuse_what_is_not_gaussian():
    x = jnp.ones((1, 3))
    with pytest.raises(ValueError, match="Relu expected Gaussian preactivations"):
        nngp(Serial(Relu(), Dense(1)), x)
    with pytest.raises(ValueError, match="LayerNorm expected channels of mean zero"):
        nngp(Serial(Dense(1), Relu(), LayerNorm(), Dense(1)), x)
    with pytest.raises(ValueError, match="expected all branches but one to end in a layer with its own weights"):
        nngp(Serial(Dense(1), Relu(), Residual(Dense(1), Relu()), Dense(1)), x)


def test_wrong_inputs_are_refused_before_tracing():
    x = jnp.ones((2, 3))
    with pytest.raises(ValueError, match="add a batch axis"):
        nngp(MLP, x[0])
    with pytest.raises(ValueError, match=r"examples of one shape, got \(3,\) and \(2,\)"):
        nngp(MLP, x, x[:, :2])
    with pytest.raises(ValueError, match="NaN or infinity"):
        ntk(MLP, x.at[0, 0].set(jnp.nan))
    with pytest.raises(TypeError, match="floating point"):
        ntk(MLP, jnp.ones((2, 3), int))
    with pytest.raises(TypeError, match="of one dtype"):
        ntk(MLP, x, x.astype(jnp.float32))
    with pytest.raises(ValueError, match="leave x2 out"):
        ntk(MLP, kernel(Dense(1), x), x)


@pytest.mark.parametrize("net", [MLP, SITES], ids=["vectors", "sites"])
def test_kernels_of_constants_may_stand_in_any_program(net, getkey):
    x = jr.normal(getkey(), (3, 3) if net is MLP else (3, 3, 2))
    expected = nngp(net, x)
    np.testing.assert_allclose(jax.jit(lambda a: a * nngp(net, x))(1.0), expected, rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(lambda a: a * nngp(net, x))(jnp.ones(2))[1], expected, rtol=1e-12)
    scanned = jax.lax.scan(lambda total, a: (total + a * nngp(net, x), None), 0 * expected, jnp.ones(2))[0]
    np.testing.assert_allclose(scanned, 2 * expected, rtol=1e-12)
