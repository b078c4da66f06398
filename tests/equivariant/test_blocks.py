"""Kernels of pooled group convolutions, one turn after the other, are those with all blocks of covariances."""

import dataclasses

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import GradientFlow
from equitangents.equivariant import GroupConv, GroupPool, Lift
from equitangents.equivariant.blocks import TurnMean
from equitangents.groups import image_action, point_group
from equitangents.kernels import kernel, nngp, nngp_and_ntk, ntk
from equitangents.kernels.shortcut import shortened
from equitangents.nets import (
    AvgPool,
    Concatenate,
    Conv,
    Dense,
    Dropout,
    Erf,
    Flatten,
    Gelu,
    GlobalAvgPool,
    LayerNorm,
    Parallel,
    Product,
    Relu,
    Residual,
    Serial,
    Shared,
)
from equitangents.symmetry import group_average

CROSS = ((0, 1, 0), (1, 1, 1), (0, 1, 0))
CIRCULAR = {"padding": "CIRCULAR", "sigma_b": 0.2}


def with_all_blocks(net):
    """The same network, of which nothing may be assumed: its kernels come from the tables of the group."""
    planar = lambda layer: isinstance(layer, Lift | GroupConv)  # noqa: E731

    def change(layer):
        return dataclasses.replace(layer, negative_control=True) if planar(layer) else layer

    return jax.tree.map(change, net, is_leaf=planar)


def taken(net, size):
    """How many times the kernel goes turn by turn, on images of size x size."""
    return [type(layer) for layer in shortened(net, (size, size, 2)).layers].count(TurnMean)


def block(group, phi, **options):
    return Residual(phi, GroupConv(group, 1, 3, sigma_w=0.8, **options))


# network, size of the images
NETS = {
    "C4, relu": (
        Serial(
            Lift("C4", 1, 3, sigma_b=0.3), Relu(), GroupConv("C4", 1, 3, lambda_w=0.7), Relu(), GroupPool(), Dense(1)
        ),
        5,
    ),
    "D4, erf, even": (Serial(Lift("D4", 1, 3), Erf(), GroupConv("D4", 1, 3, sigma_b=0.1), Erf(), GroupPool()), 4),
    "C2, torus": (
        Serial(Lift("C2", 1, 3, **CIRCULAR), Erf(), GroupConv("C2", 1, 3, **CIRCULAR), Relu(), GroupPool()),
        4,
    ),
    "D1, torus, odd": (Serial(Lift("D1", 1, 3, **CIRCULAR), Relu(), GroupPool(), Dense(1, sigma_b=0.1)), 5),
    "D2, strides": (
        Serial(Lift("D2", 1, 3, strides=2), Relu(), GroupConv("D2", 1, (2, 2), padding="VALID"), Gelu(), GroupPool()),
        5,
    ),
    "C4, strides on a torus": (
        Serial(
            Lift("C4", 1, (2, 2), strides=2, padding="VALID"), Relu(), GroupConv("C4", 1, 3, **CIRCULAR), GroupPool()
        ),
        6,
    ),
    "C4, cross": (Serial(Lift("C4", 1, 3, footprint=CROSS), Relu(), GroupConv("C4", 1, 3), Relu(), GroupPool()), 4),
    "D4, residual": (
        Serial(
            Lift("D4", 1, 3),
            block("D4", Relu()),
            block("D4", Relu()),
            block("D4", Relu()),
            Relu(),
            GroupPool(),
            Dense(1),
        ),
        3,
    ),
    "C4, normalised, averaged": (
        Serial(
            Lift("C4", 1, 3),
            LayerNorm(),
            Relu(),
            AvgPool((1, 2, 2)),
            GroupConv("C4", 1, 3),
            Erf(),
            GlobalAvgPool(),
            Dense(1),
        ),
        4,
    ),
    "C4, branches": (
        Serial(
            Lift("C4", 1, 3),
            Parallel(Serial(Relu(), GroupConv("C4", 1, 3)), GroupConv("C4", 1, 1)),
            Concatenate(Serial(Erf(), GroupConv("C4", 1, 1)), Dense(1)),
            GroupConv("C4", 1, 1),
            Product(Serial(Relu(), Dense(1)), Dense(1)),
            Dense(1),
            Shared(Relu(), Dense(1), times=2),
            GroupPool(),
        ),
        3,
    ),
    "C4, all of the image": (
        Serial(
            Lift("C4", 1, 3), Relu(), GroupConv("C4", 1, "all"), Erf(), GroupConv("C4", 1, 1), GroupPool(), Dense(1)
        ),
        4,
    ),
    "D4, nonlinear head": (
        Serial(Lift("D4", 1, 3), Relu(), GroupConv("D4", 1, 3), Relu(), GroupPool(), Dense(1), Relu(), Dense(1)),
        4,
    ),
    "C4, an image again": (
        Serial(
            Lift("C4", 1, 3), Erf(), GroupPool("point"), Conv(1, (3, 3)), Relu(), Conv(1, (2, 2)), Flatten(), Dense(1)
        ),
        4,
    ),
    "C4 and D2, lifted twice": (
        Serial(
            Serial(Lift("C4", 1, 3), Relu()),
            GroupPool("point"),
            Lift("D2", 1, 3),
            Relu(),
            GroupPool(),
            Dense(1),
            Erf(),
            Dense(1),
        ),
        3,
    ),
    "after a convolution": (Serial(Conv(1, (2, 3)), Relu(), Lift("C4", 1, 3), Relu(), GroupPool()), 4),
}


OFTEN = {
    "C4, relu",
    "D2, strides",
    "D4, residual",
    "C4, normalised, averaged",
    "D4, nonlinear head",
    "C4, an image again",
}
EACH = [pytest.param(*NETS[name], id=name, marks=[] if name in OFTEN else pytest.mark.slow) for name in NETS]


@pytest.mark.parametrize(("net", "size"), EACH)
def test_turn_by_turn_is_with_all_blocks(net, size, getkey):
    x1, x2 = jr.normal(getkey(), (2, size, size, 2)), jr.normal(getkey(), (3, size, size, 2))
    whole = with_all_blocks(net)
    assert (taken(net, size), taken(whole, size)) == (str(net).count("Lift("), 0)
    for found, expected in zip(nngp_and_ntk(net, x1, x2), nngp_and_ntk(whole, x1, x2), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * jnp.max(jnp.abs(expected)))


POOLED, _ = NETS["C4, relu"]


def test_one_batch_with_itself_is_symmetric_and_the_same(getkey):
    x = jr.normal(getkey(), (3, 5, 5, 2))
    x = jnp.concatenate([x, image_action(point_group("C4"))(1, x[:1])])  # of the same orbit
    for k, whole in zip(nngp_and_ntk(POOLED, x), nngp_and_ntk(with_all_blocks(POOLED), x), strict=True):
        np.testing.assert_array_equal(k, k.T)
        np.testing.assert_allclose(k, whole, rtol=0, atol=1e-12)


def test_predictions_take_it_too(getkey):
    x, y = jr.normal(getkey(), (3, 5, 5, 2)), jr.normal(getkey(), (3, 1))
    flows = [GradientFlow(net, x, y, loss="sum") for net in (POOLED, with_all_blocks(POOLED))]
    means = [flow.mean(x[:1] + 1, 10.0) for flow in flows]
    np.testing.assert_allclose(*means, rtol=0, atol=1e-10)


def test_gradients_of_inputs_and_scales_are_those_with_all_blocks(getkey):
    net = Serial(Lift("C2", 1, 3, sigma_b=0.3), Erf(), GroupConv("C2", 1, 3), Relu(), GroupPool())
    x1, x2 = jr.normal(getkey(), (2, 1, 3, 3, 2))
    weights = jr.normal(getkey(), (2,))

    def number(net, x1):
        return sum(w * k[0, 0] for w, k in zip(weights, nngp_and_ntk(net, x1, x2), strict=True))

    for wrt in (0, 1):
        found, expected = (jax.grad(number, wrt)(n, x1) for n in (net, with_all_blocks(net)))
        for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)


@pytest.mark.slow
def test_what_is_known_after_the_pool_can_be_passed_on(getkey):
    net, _ = NETS["D4, nonlinear head"]
    body, head = Serial(*net.layers[:5]), Serial(*net.layers[5:])
    x1, x2 = jr.normal(getkey(), (2, 2, 4, 4, 2))
    k, whole = kernel(body, x1, x2), kernel(with_all_blocks(body), x1, x2)
    for a, b in zip(jax.tree.leaves(k), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ntk(head, k), ntk(net, x1, x2), rtol=0, atol=1e-12)


def test_it_is_the_group_average_of_a_plain_network_and_invariant_in_each_argument(getkey):
    net, size = NETS["C4, relu"]
    action = image_action(point_group("C4"))
    x1, x2 = jr.normal(getkey(), (2, 2, size, size, 2))
    window = {"window": (3, 3)}
    plain = Serial(
        Conv(1, **window, sigma_b=0.3), Relu(), Conv(1, **window, lambda_w=0.7), Relu(), GlobalAvgPool(), Dense(1)
    )
    for k, mean, turned in zip(
        nngp_and_ntk(net, x1, x2),
        group_average(plain, action)(x1, x2),
        nngp_and_ntk(net, action(1, x1), action(2, x2)),
        strict=True,
    ):
        np.testing.assert_allclose(k, mean, rtol=0, atol=1e-12)
        np.testing.assert_allclose(k, turned, rtol=0, atol=1e-12)


CORNER = ((0, 1, 1), (1, 1, 1), (1, 1, 1))
OPEN = {"footprint": CORNER, "negative_control": True}
# networks of which the blocks are not all equal, or not known to be: network, size
WHOLE = {
    "open footprint": (Serial(Lift("C4", 1, 3, **OPEN), Relu(), GroupPool()), 4),
    "open footprint after lifting": (Serial(Lift("C4", 1, 3), Relu(), GroupConv("C4", 1, 3, **OPEN), GroupPool()), 4),
    "another group": (Serial(Lift("C4", 1, 3), Relu(), GroupConv("D2", 1, 3), GroupPool()), 4),
    "pool off centre": (Serial(Lift("C4", 1, 3), AvgPool((1, 2, 2)), GroupPool()), 5),
    "pool over turns": (Serial(Lift("C4", 1, 3), AvgPool((2, 1, 1)), GroupPool()), 4),
    "pool of unequal strides": (Serial(Lift("C4", 1, 3), AvgPool((1, 1, 1), (1, 2, 1)), GroupPool()), 5),
    "dropout": (Serial(Lift("C4", 1, 3), Relu(), Dropout(0.5), GroupPool()), 4),
    "no pool": (Serial(Lift("C4", 1, 3), Relu(), GroupConv("C4", 1, 3)), 4),
    "flattened": (Serial(Lift("C4", 1, 3), Relu(), Flatten(), Dense(1)), 4),
}


@pytest.mark.parametrize(("net", "size"), WHOLE.values(), ids=WHOLE)
def test_other_networks_are_left_as_they_are(net, size):
    assert shortened(net, (size, size, 2)) is net or shortened(net, (size, size, 2)) == net


def test_turns_alone_are_wrong_for_an_open_footprint(getkey):
    """What the condition guards against: one block for each h is not enough where the footprint is open."""
    x1, x2 = jr.normal(getkey(), (2, 1, 4, 4, 2))
    net, trivial = (
        Serial(Lift(group, 1, 3, **OPEN), Relu(), GroupConv(group, 1, 3, **OPEN), Relu(), GroupPool())
        for group in ("C4", "C1")
    )
    turn_by_turn = TurnMean(Serial(*trivial.layers[:-1]), point_group("C4"), "all")
    assert abs(nngp(net, x1, x2) - nngp(turn_by_turn, x1, x2))[0, 0] > 1e-4


def test_a_kernel_without_pairs_of_sites_is_refused(getkey):
    x = jr.normal(getkey(), (1, 4, 4, 2))
    k = kernel(Dense(1), x)
    diagonal = jnp.einsum("abijij->abij", k.k12)
    k = dataclasses.replace(k, k12=diagonal, d=jnp.einsum("abijij->abij", k.d), ntk=diagonal)
    with pytest.raises(ValueError, match="different sites"):
        nngp(POOLED, k)
