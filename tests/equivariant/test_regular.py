"""Convolutions over abstract finite groups, finite and infinite."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.equivariant import ActionLift, GroupPool, RegularConv
from equitangents.groups import (
    cyclic,
    image_action,
    matrix_action,
    permutation_action,
    point_group,
    symmetric,
    trivial_action,
)
from equitangents.kernels import nngp, nngp_and_ntk
from equitangents.nets import Dense, Erf, Flatten, Relu, Serial, output_shape


def regular(group, axis):
    return permutation_action(group, group.table, axis=axis)


def rotations(n):
    angles = 2 * np.pi * np.arange(n) / n
    return np.moveaxis(np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]), 2, 0)


ACTIONS = {
    "S3 on sites": (regular(symmetric(3), -2), (6, 2)),
    "S3 on entries": (regular(symmetric(3), -1), (6,)),
    "Z5 on sites": (regular(cyclic(5), -2), (5, 1)),
    "Z5 by matrices": (matrix_action(cyclic(5), rotations(5)), (2,)),
    "D4 on images": (image_action(point_group("D4")), (3, 3, 2)),
}


@pytest.mark.parametrize(("action", "shape"), ACTIONS.values(), ids=ACTIONS)
def test_networks_are_equivariant_and_pool_to_invariants(action, shape, getkey):
    group = action.group
    net = Serial(
        ActionLift(action, 4, sigma_b=0.3), Erf(), RegularConv(group, 3, (0, 1)), Relu(), RegularConv(group, 2)
    )
    x = jr.normal(getkey(), shape)
    out, params = net.init(getkey(), shape)
    assert out == (group.order, 2)
    images = action.orbit(x)
    z, *rest = jax.jit(jax.vmap(net.apply, (None, 0)))(params, jnp.concatenate([x[None], images]))
    for g, moved in zip(group.elements, rest, strict=True):
        np.testing.assert_allclose(moved, z[group.table[group.inverse[g]]], rtol=0, atol=1e-12)
        np.testing.assert_allclose(GroupPool().apply({}, moved), z.mean(axis=0), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "support"),
    [
        ("S3 on sites", (1,)),
        pytest.param("Z5 on sites", (1,), marks=pytest.mark.slow),
        pytest.param("D4 on images", (1,), marks=pytest.mark.slow),
        ("S3 on sites", None),
        ("Z5 on sites", None),
        ("D4 on images", None),
    ],
    ids=str,
)
def test_kernel_is_the_average_of_the_fully_connected_one_for_any_support(name, support, getkey):
    action, shape = ACTIONS[name]
    group = action.group
    x1, x2 = jr.normal(getkey(), (2, 2, *shape))
    net = Serial(
        ActionLift(action, 1, sigma_b=0.2),
        Relu(),
        RegularConv(group, 1, support, sigma_w=1.3, lambda_w=0.5),
        Erf(),
        GroupPool(),
        Dense(1),
    )
    plain = Serial(Flatten(), Dense(1, sigma_b=0.2), Relu(), Dense(1, sigma_w=1.3, lambda_w=0.5), Erf(), Dense(1))
    orbit = action.orbit(x2).reshape(-1, *shape)
    turned = action(group.order - 1, x1)
    for found, moved, all_pairs in zip(
        nngp_and_ntk(net, x1, x2), nngp_and_ntk(net, turned, x2), nngp_and_ntk(plain, x1, orbit), strict=True
    ):
        expected = all_pairs.reshape(2, group.order, 2).mean(axis=1)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(moved, found, rtol=0, atol=1e-12)


def test_kernel_over_a_group_matches_random_networks(getkey):
    action, shape = ACTIONS["S3 on sites"]
    net = Serial(ActionLift(action, 512), Relu(), RegularConv(action.group, 64, (0, 1, 3)))
    x = jr.normal(getkey(), (2, *shape))

    def draw(key):
        z = jax.vmap(net.apply, (None, 0))(net.init(key, shape)[1], x)
        return jnp.einsum("gc,hc->gh", z[0], z[1]) / 64

    draws = jax.jit(lambda keys: jax.lax.map(draw, keys))(jr.split(getkey(), 500))
    error = jnp.std(draws, axis=0) / np.sqrt(500)
    exact = nngp(net, x[:1], x[1:])[0, 0]
    assert (jnp.abs(draws.mean(axis=0) - exact) < 4.5 * error).all()
    assert (error < 0.03 * jnp.abs(exact).max()).all()


def test_sites_that_are_never_mixed_need_no_pairs(getkey):
    action, shape = ACTIONS["S3 on sites"]
    body = (ActionLift(action, 1), Relu(), RegularConv(action.group, 1, (0, 2)))
    x1, x2 = jr.normal(getkey(), (2, 1, *shape))
    flat = nngp(Serial(*body, Flatten(), Dense(1)), x1, x2)[0, 0]
    np.testing.assert_allclose(flat, jnp.trace(nngp(Serial(*body), x1, x2)[0, 0]) / 6, rtol=0, atol=1e-13)


REFUSED = {
    "no action": (lambda: ActionLift(cyclic(3), 2), TypeError, "expected an action such as"),
    "no group": (lambda: RegularConv("C4", 2), TypeError, "expected a finite group such as cyclic"),
    "no element": (lambda: RegularConv(cyclic(3), 2, (3,)), ValueError, "expected an element of"),
    "empty support": (lambda: RegularConv(cyclic(3), 2, ()), ValueError, "expected different elements"),
    "repeated support": (lambda: RegularConv(cyclic(3), 2, (1, 1)), ValueError, "expected different elements"),
    "shape": (lambda: output_shape(ActionLift(regular(cyclic(3), -2), 2), (4, 1)), ValueError, "expected 3 entries"),
    "not lifted": (lambda: output_shape(RegularConv(cyclic(3), 2), (4, 1)), ValueError, r"expected sites \(3,\)"),
    "entries at infinite width": (
        lambda: nngp(ActionLift(regular(cyclic(3), -1), 2), jnp.ones((1, 3))),
        NotImplementedError,
        "expected an action that permutes sites",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_no_action_group_or_support_is_refused(case):
    make, kind, message = case
    with pytest.raises(kind, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_layers_print_as_one_would_write_them():
    assert repr(RegularConv(cyclic(5), 3, (0, 1))) == "RegularConv(cyclic(5), 3, support=(0, 1))"
    assert repr(ActionLift(trivial_action(cyclic(2)), 3)).startswith("ActionLift(trivial_action(cyclic(2)), 3")
