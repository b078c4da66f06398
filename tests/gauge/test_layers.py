"""Every gauge equivariant layer commutes with gauge transformations; hand-made weights give known loops."""

from inspect import unwrap as unchecked  # without the checks of annotations that tests make

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import Conv, GlobalSumPool, Serial, empirical_ntk, nngp, nngp_and_ntk, ntk
from equitangents.gauge import (
    Links,
    gauge_transform,
    plaquettes,
    random_gauge,
    random_links,
    rectangle,
    transform_matrices,
    wilson_loop,
)
from equitangents.gauge.layers import (
    GEBL,
    LCB,
    Covariant,
    GEAct,
    GEConv,
    LinkExp,
    Plaquettes,
    Trace,
    TrNorm,
    bilinear,
    enlarged,
)
from equitangents.kernels import Kernel, propagate

LAYERS = {
    "GEBL": GEBL(3),
    "GEBL of two branches": GEBL(3, one=GEConv(2), two=Serial(GEBL(4), GEAct())),
    "GEAct": GEAct(),
    "GEAct, sigmoid": GEAct(jax.nn.sigmoid),
    "TrNorm": TrNorm(),
    "GEConv": GEConv(3),
    "GEConv, reach 2, both ways": GEConv(3, 2, both=True),
    "GEConv, reach 0": GEConv(3, 0),
    "LCB": LCB(3),
    "LCB, reach 2, forwards": LCB(3, 2, both=False),
}
GROUPS = {"U(1)": (4, 3), "U(3)": (3, 4), "SU(2)": (2, 3, 2)}


def example(key, group):
    sites = GROUPS[group]
    keys = jr.split(key, 3)
    n = int(group[-2])
    w = jr.normal(keys[2], (*sites, 2, n, n, 2))
    return (
        random_links(keys[0], group, sites),
        random_gauge(keys[1], group, sites),
        jax.lax.complex(w[..., 0], w[..., 1]),
    )


def moved(matrices, omega):
    over_channels = jnp.broadcast_to(omega[..., None, :, :], matrices.shape)
    return transform_matrices(matrices, over_channels)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_commute_with_gauge_transformations(name, group, getkey):
    links, omega, w = example(getkey(), group)
    layer = LAYERS[name]
    shape, params = layer.init(getkey(), w.shape)
    out = layer.apply(params, Covariant(links.array, w)).matrices
    assert out.shape == shape
    turned = layer.apply(params, Covariant(gauge_transform(links, omega).array, moved(w, omega))).matrices
    scale = float(jnp.abs(out).max())
    np.testing.assert_allclose(turned / scale, moved(out, omega) / scale, atol=1e-12)


@pytest.mark.parametrize("group", GROUPS)
def test_moved_links_are_links_of_the_same_group_that_transform_alike(group, getkey):
    links, omega, w = example(getkey(), group)
    layer = LinkExp(special=group.startswith("S"), scale=1.0)
    _, params = layer.init(getkey(), w.shape)
    out = layer.apply(params, Covariant(links.array, w)).links
    turned = layer.apply(params, Covariant(gauge_transform(links, omega).array, moved(w, omega))).links
    np.testing.assert_allclose(turned, gauge_transform(Links(out, group), omega).array, atol=1e-12)
    one = np.broadcast_to(np.eye(links.n), out.shape)
    np.testing.assert_allclose(out @ out.conj().swapaxes(-1, -2), one, atol=1e-12)
    if group.startswith("S"):
        np.testing.assert_allclose(np.linalg.det(out), 1, atol=1e-12)
    assert jnp.abs(out - links.array).max() > 0.1


@pytest.mark.parametrize("polyakov", [False, True])
@pytest.mark.parametrize("group", GROUPS)
def test_outputs_of_a_network_are_invariant(group, polyakov, getkey):
    links, omega, _ = example(getkey(), group)
    net = Serial(Plaquettes(polyakov), LCB(4), GEAct(), TrNorm(), GEBL(3), Trace())
    _, params = net.init(getkey(), links.array.shape)
    out = net.apply(params, links.array)
    turned = net.apply(params, gauge_transform(links, omega).array)
    np.testing.assert_allclose(turned, out, rtol=0, atol=1e-12 * float(jnp.abs(out).max()))


def test_a_layer_that_ignores_the_links_is_not_equivariant(getkey):
    """A negative control: neighbours without transport."""
    links, omega, w = example(getkey(), "U(3)")
    layer = GEConv(3)
    _, params = layer.init(getkey(), w.shape)
    one = jnp.broadcast_to(jnp.eye(3, dtype=w.dtype), links.array.shape)
    out, turned = (layer.apply(params, Covariant(one, v)).matrices for v in (w, moved(w, omega)))
    assert jnp.abs(turned - moved(out, omega)).max() > 0.01 * jnp.abs(out).max()


@pytest.mark.parametrize("group", GROUPS)
def test_bilinear_is_the_sum_over_pairs(group, getkey):
    _, _, w = example(getkey(), group)
    one, two = enlarged(w), w
    a = jr.normal(getkey(), (2, 3, one.shape[-3], 2))
    expected = jnp.einsum("omn,...mij,...njk->...oik", jax.lax.complex(a[0], a[1]), one, two)
    np.testing.assert_allclose(bilinear(a, one, two), expected, atol=1e-12)


def weights(layer, shape, entries):
    """Parameters of a layer that are 0 but for these entries: {(out, m, n): complex}."""
    _, params = layer.init(jr.key(0), shape)
    (name,) = params
    a = np.zeros(params[name].shape)
    for place, value in entries.items():
        a[(0, *place)], a[(1, *place)] = complex(value).real, complex(value).imag
    return {name: jnp.asarray(a)}


def test_by_hand_two_layers_hold_the_wilson_loop_of_two_by_two(getkey):
    """W(x) P W(x + mu) P^+ is the loop of 2 x 1 with the right order of steps; twice that is 2 x 2."""
    links = random_links(getkey(), "SU(2)", (4, 5))
    first = LCB(1, both=False)
    x = Covariant(links.array, plaquettes(links))
    p = weights(first, x.matrices.shape, {(0, 0, 1): 1.0})  # W(x) U_0 W(x + 0) U_0^+
    wide = first.apply(p, x).matrices[..., 0, :, :]
    # around the near plaquette, then around the far one: as long a loop, with a link there and back
    np.testing.assert_allclose(wide, wilson_loop(links, (1, 2, -1, -2, 1, 1, 2, -1, -2, -1)), atol=1e-12)
    # the other order, P W(x + 0) P^+ W(x), is the rectangle itself
    second = GEBL(1, one=GEConv(1), two=GEConv(1))
    moved_0 = weights(GEConv(1), x.matrices.shape, {(0, 1): 1.0})
    same = weights(GEConv(1), x.matrices.shape, {(0, 0): 1.0})
    _, drawn = second.init(jr.key(0), x.matrices.shape)
    a = np.zeros(drawn["a"].shape)
    a[0, 0, 0, 0] = 1.0
    down = Covariant(x.links, second.apply({"one": moved_0, "two": same, "a": jnp.asarray(a)}, x).matrices)
    np.testing.assert_allclose(down.matrices[..., 0, :, :], wilson_loop(links, rectangle(0, 1, 2, 1)), atol=1e-12)
    moved_1 = weights(GEConv(1), x.matrices.shape, {(0, 2): 1.0})
    square = second.apply({"one": same, "two": moved_1, "a": jnp.asarray(a)}, down).matrices
    np.testing.assert_allclose(square[..., 0, :, :], wilson_loop(links, rectangle(0, 1, 2, 2)), atol=1e-12)


def test_the_trace_goes_on_to_layers_of_the_library(getkey):
    links = random_links(getkey(), "U(2)", (3, 3), (4,))
    net = Serial(Plaquettes(), GEBL(3), GEAct(), TrNorm(), Trace(), Conv(1, (1, 1)), GlobalSumPool())
    shape, params = net.init(getkey(), links.array.shape[1:])
    assert shape == (1,)
    kernel = empirical_ntk(net.apply, params, links.array)

    def outputs(p):
        return jax.vmap(lambda u: net.apply(p, u)[0])(links.array)

    flat = jnp.concatenate([g.reshape(4, -1) for g in jax.tree.leaves(jax.jacrev(outputs)(params))], axis=1)
    np.testing.assert_allclose(kernel, flat @ flat.T, rtol=1e-10)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Plaquettes(), (5, 5, 3, 2, 2), "expected links of one lattice"),
        (GEBL(2), (5, 5, 8), "put Plaquettes"),
        (GEConv(2), (5, 5, 3, 2, 1), "expected matrices at each site"),
    ],
)
def test_shapes_that_do_not_fit_are_named(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.init(jr.key(0), shape)


LINKS = random_links(jr.key(0), "U(2)", (3, 3), (2,))
NET = Serial(Plaquettes(), GEAct(), Trace())
KINDS = {
    "links in place of their shape": (
        lambda: unchecked(Plaquettes.init)(NET.layers[0], jr.key(0), LINKS),
        "give links.array.shape",
    ),
    "an array in place of its shape": (
        lambda: unchecked(GEBL.init)(GEBL(2), jr.key(0), LINKS.array),
        "expected the shape",
    ),
    "Plaquettes after others": (
        lambda: unchecked(Plaquettes.apply)(Plaquettes(), {}, NET.layers[0].apply({}, LINKS.array[0])),
        "put it first, and once",
    ),
    **{
        f"{name} without Plaquettes": (
            lambda layer=layer: unchecked(type(layer).apply)(layer, {}, LINKS.array[0]),
            rf"^{type(layer).__name__} expected .* got an array of shape \(3, 3, 2, 2, 2\); put Plaquettes\(\) first",
        )
        for name, layer in {**LAYERS, "Trace": Trace(), "LinkExp": LinkExp()}.items()
    },
    "links without Plaquettes": (lambda: unchecked(GEAct.apply)(GEAct(), {}, LINKS), "got Links of .*put Plaquettes"),
}


@pytest.mark.parametrize("call, message", KINDS.values(), ids=KINDS)
def test_what_is_of_another_kind_is_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_a_batch_needs_vmap():
    with pytest.raises(ValueError, match=r"without a batch axis, which jax\.vmap takes"):
        NET.apply([{}, {}, {}], LINKS.array)


def test_networks_take_links_as_they_take_arrays():
    params = [{}, {}, {}]
    for given in (LINKS, LINKS.array):
        out = jax.vmap(NET.apply, (None, 0))(params, given)
        np.testing.assert_array_equal(out[1], NET.apply(params, Links(LINKS.array[1], "U(2)")))


@pytest.mark.parametrize("kernel", [nngp, ntk, nngp_and_ntk])
@pytest.mark.parametrize("x", [LINKS.array, LINKS.array.real], ids=["links", "real numbers"])
def test_kernels_at_infinite_width_are_refused_and_the_empirical_one_is_named(kernel, x):
    with pytest.raises(NotImplementedError, match=r"gauge layers have no kernel at infinite width.*empirical_ntk\("):
        kernel(Serial(*NET.layers, Conv(1, (1, 1)), GlobalSumPool()), x)


def test_a_rule_asked_for_by_itself_is_refused_alike():
    with pytest.raises(NotImplementedError, match="GEBL is a gauge layer"):
        propagate(GEBL(2), Kernel(None, jnp.ones(()), None, None, jnp.ones(()), ()))


def test_numbers_that_make_no_sense_are_named():
    with pytest.raises(ValueError, match="reach"):
        GEConv(3, -1)
    with pytest.raises(ValueError, match="channels >= 1"):
        GEBL(0)
