"""Finite roto-translational layers are equivariant, and refuse what would not be."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.equivariant import GroupConv, GroupPool, Lift
from equitangents.groups import cyclic, image_action, p4, point_group
from equitangents.kernels import nngp
from equitangents.nets import Conv, GlobalAvgPool, Relu, Serial, output_shape, standard

GROUPS = ["C1", "C2", "C4", "D1", "D2", "D4"]


def turned(group, g, z):
    """Regular representation: (rho(g) z)(r, t) = z(g^-1 r, g^-1 t)."""
    return image_action(group)(g, z[group.table[group.inverse[g]]])


@pytest.mark.parametrize("name", GROUPS)
def test_networks_turn_with_their_input_and_pool_to_invariants(name, getkey):
    group = point_group(name)
    body = Serial(
        Lift(name, 3, 3, strides=2, sigma_b=0.5), Relu(), GroupConv(group, 4, (2, 2), padding="VALID", sigma_b=0.5)
    )
    x = jr.normal(getkey(), (7, 7, 2))
    shape, params = body.init(getkey(), x.shape)
    assert shape == (group.order, 3, 3, 4)
    z = jax.jit(body.apply)(params, x)
    for g in group.elements:
        moved = jax.jit(body.apply)(params, image_action(group)(g, x))
        np.testing.assert_allclose(moved, turned(group, g, z), rtol=0, atol=1e-12)
        point = GroupPool("point").apply({}, moved)
        np.testing.assert_allclose(point, image_action(group)(g, GroupPool("point").apply({}, z)), rtol=0, atol=1e-12)
        np.testing.assert_allclose(GroupPool().apply({}, moved), GroupPool().apply({}, z), rtol=0, atol=1e-12)
    assert jnp.std(z) > 0.1


@pytest.mark.parametrize(
    "layer",
    [
        Lift("D4", 3, 3, padding="CIRCULAR"),
        Lift("D4", 3, 4, padding="CIRCULAR", strides=2),
        Lift("D4", 3, "all"),
        Lift("C4", 3, 2, padding="VALID", strides=2),
        Lift("C4", 3, 3, footprint=((0, 1, 0), (1, 0, 1), (0, 1, 0))),
        Lift("C4", 3, 3, footprint=((1, 1, 0), (0, 1, 0), (0, 0, 0)), negative_control=True),
        Lift("D2", 3, (3, 1)),
    ],
    ids=repr,
)
def test_lifting_turns_with_its_input(layer, getkey):
    x = jr.normal(getkey(), (6, 6, 2))
    _, params = layer.init(getkey(), x.shape)
    z = layer.apply(params, x)
    for g in layer.group.generators():
        moved = layer.apply(params, image_action(layer.group)(g, x))
        np.testing.assert_allclose(moved, turned(layer.group, g, z), rtol=0, atol=1e-12)


def test_layers_are_the_sums_as_they_are_written(getkey):
    lift, conv = Lift("C4", 2, 3, sigma_w=1.5, padding="VALID"), GroupConv("C4", 2, 3, padding="VALID")
    x = jr.normal(getkey(), (5, 5, 1))
    lifted, convolved = lift.init(getkey(), (5, 5, 1))[1]["w"], conv.init(getkey(), (4, 3, 3, 2))[1]["w"]
    z = lift.apply({"w": lifted}, x)
    out = conv.apply({"w": convolved}, z)
    offsets = [np.array([i, j]) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    turn = [np.linalg.matrix_power([[0, -1], [1, 0]], r) for r in range(4)]
    for r in range(4):
        places = [turn[r] @ offset for offset in offsets]
        direct = sum(x[tuple(np.array([2, 1]) + p)] @ w for p, w in zip(places, lifted, strict=True))
        np.testing.assert_allclose(z[r, 1, 0], 1.5 / 3 * direct, rtol=0, atol=1e-12)
        direct = sum(
            z[(r + q) % 4][tuple(np.array([1, 1]) + p)] @ convolved[q, s]
            for q in range(4)
            for s, p in enumerate(places)
        )
        np.testing.assert_allclose(out[r, 0, 0], direct / np.sqrt(4 * 9 * 2), rtol=0, atol=1e-12)


def test_trivial_group_gives_an_ordinary_convolution(getkey):
    x = jr.normal(getkey(), (4, 5, 2))
    layer, conv = Lift("C1", 3, 2, sigma_b=0.3), Conv(3, (2, 2), sigma_b=0.3)
    _, params = layer.init(getkey(), x.shape)
    np.testing.assert_allclose(layer.apply(params, x)[0], conv.apply(params, x), rtol=0, atol=1e-13)


def test_even_circular_windows_shift_the_sites_but_not_the_average(getkey):
    layer = Lift("C4", 1, 2, padding="CIRCULAR", negative_control=True)
    x = jr.normal(getkey(), (1, 4, 4, 1))
    action = image_action(layer.group)
    _, params = layer.init(getkey(), x.shape[1:])
    z, moved = layer.apply(params, x[0]), layer.apply(params, action(1, x[0]))
    assert jnp.abs(moved - turned(layer.group, 1, z)).max() > 0.1
    net = Serial(layer, Relu(), GroupPool())
    np.testing.assert_allclose(nngp(net, action(1, x), x), nngp(net, x, x), rtol=0, atol=1e-12)


def test_even_windows_with_zeros_lose_the_symmetry(getkey):
    net = Serial(Lift("C4", 1, 2, negative_control=True), Relu(), GroupPool())
    x = jr.normal(getkey(), (1, 4, 4, 1))
    assert jnp.abs(nngp(net, image_action(point_group("C4"))(1, x), x) - nngp(net, x, x)).max() > 1e-4


def test_layers_print_hash_and_compare():
    layer = Lift(point_group("C4"), 8, 3, padding="CIRCULAR", sigma_w=1.5)
    assert repr(layer) == "Lift('C4', 8, (3, 3), padding='CIRCULAR', sigma_w=1.5)"
    assert layer == eval(repr(layer)) and hash(layer) == hash(eval(repr(layer)))
    control = GroupConv("D4", 8, (1, 3), negative_control=True)
    assert repr(control) == "GroupConv('D4', 8, (1, 3), negative_control=True)"
    assert repr(GroupPool()) == "GroupPool()" and repr(GroupPool("point")) == "GroupPool(over='point')"
    assert repr(Lift("C4", 8, "all")) == "Lift('C4', 8, 'all')"


def test_standard_parameterisation_knows_the_fan_in():
    net = standard(Serial(Lift("C4", 8, 3), Relu(), GroupConv("C4", 5, 1)), (4, 4, 2))
    assert [net.layers[0].lambda_w, net.layers[2].lambda_w] == [18.0, 32.0]


CORNER = ((0, 1, 1), (1, 1, 1), (1, 1, 1))
REFUSED_AT_ONCE = {
    "unknown group": (lambda: Lift("C3", 8, 3), ValueError, "expected one of the groups C1"),
    "abstract group": (lambda: Lift(cyclic(4), 8, 3), TypeError, "Lift: expected a group of rotations and flips"),
    "torus group": (lambda: GroupConv(p4(3), 8, 3), TypeError, "GroupConv: expected a group of rotations and flips"),
    "open footprint": (
        lambda: Lift("C4", 8, 3, footprint=CORNER),
        ValueError,
        "footprint closed under C4, got one that",
    ),
    "footprint size": (lambda: Lift("C4", 8, 5, footprint=CORNER), ValueError, "for each place of the window"),
    "empty footprint": (lambda: Lift("C4", 8, 1, footprint=((0,),)), ValueError, "and true somewhere"),
    "oblong window": (lambda: GroupConv("C4", 8, (3, 1)), ValueError, "expected a square window, as C4 maps rows"),
    "oblong strides": (lambda: Lift("D4", 8, 3, strides=(1, 2)), ValueError, "expected equal strides, as D4 maps rows"),
    "window of lines": (lambda: Lift("C4", 8, (3,)), ValueError, "expected window to be one integer or two"),
    "window of words": (lambda: Lift("C4", 8, "whole"), ValueError, "an integer, a pair or 'all', got 'whole'"),
    "all with strides": (lambda: Lift("C4", 8, "all", strides=2), ValueError, "with window='all'"),
    "negative window": (lambda: Lift("C4", 8, -3), ValueError, "expected window to be positive integers"),
    "padding": (lambda: Lift("C4", 8, 3, padding="same"), ValueError, "expected padding 'SAME', 'VALID' or 'CIRCULAR'"),
    "width": (lambda: Lift("C4", 0, 3), ValueError, "expected width >= 1, got 0"),
    "sigma": (lambda: Lift("C4", 1, 3, sigma_w=-1.0), ValueError, "expected sigma_w to be a finite number >= 0"),
    "pool": (lambda: GroupPool("sites"), ValueError, "expected over to be 'all' or 'point', got 'sites'"),
}


@pytest.mark.parametrize("case", REFUSED_AT_ONCE.values(), ids=REFUSED_AT_ONCE)
def test_constructors_refuse_what_breaks_the_symmetry(case):
    make, kind, message = case
    with pytest.raises(kind, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


REFUSED_ON_USE = {
    "oblong image": (Lift("C4", 8, 3), (4, 5, 1), "expected square images, as C4 maps rows to columns, got 4 x 5"),
    "oblong image, all": (Lift("C4", 8, "all"), (4, 5, 1), "expected square images"),
    "even window": (Lift("C2", 8, 2), (4, 4, 1), "margins 0 and 1, 0 left over"),
    "even circular window": (Lift("D1", 8, 2, padding="CIRCULAR"), (4, 4, 1), "lie symmetrically on the image"),
    "strides left over": (Lift("C4", 8, 3, strides=2, padding="VALID"), (6, 6, 1), "margins 0 and 0, 1 left over"),
    "uneven margins": (Lift("C4", 8, 3, strides=2), (6, 6, 1), "margins 0 and 1"),
    "torus strides": (Lift("C4", 8, 3, strides=2, padding="CIRCULAR"), (5, 5, 1), "strides that divide the torus"),
    "large window": (Lift("C4", 8, 5, padding="VALID"), (4, 4, 1), "at least as large as its window"),
    "vector": (Lift("C4", 8, 3), (4,), "expected one example of shape"),
    "not lifted": (GroupConv("C4", 8, 3), (5, 5, 1), r"expected sites \(4, height, width\), got \(5, 5\); lift"),
    "other order": (GroupConv("D4", 8, 3), (4, 5, 5, 1), "acts on functions over D4"),
    "pooled vector": (GroupPool(), (4,), "expected a function on a group"),
}


@pytest.mark.parametrize("case", REFUSED_ON_USE.values(), ids=REFUSED_ON_USE)
def test_networks_and_kernels_refuse_examples_that_do_not_tile(case):
    layer, shape, message = case
    with pytest.raises(ValueError, match=message) as caught:
        output_shape(layer, shape)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=message):
        nngp(layer, jnp.ones((1, *shape)))


def test_negative_controls_are_allowed_by_name():
    shapes = [((4, 5, 1), 3, "SAME"), ((4, 4, 1), 2, "SAME"), ((6, 6, 1), (1, 3), "VALID")]
    for shape, window, padding in shapes:
        layer = Lift("C4", 2, window, padding=padding, negative_control=True)
        assert jnp.isfinite(nngp(Serial(layer, Relu(), GlobalAvgPool()), jnp.ones((1, *shape)))).all()
        assert "negative_control=True" in repr(layer)
