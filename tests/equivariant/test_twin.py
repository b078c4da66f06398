"""The twin of a plain network has the group average of its kernel, and is invariant at finite width."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import pytest

from equitangents.equivariant.twin import impose
from equitangents.groups import cyclic, image_action, permutation_action, point_group
from equitangents.kernels import nngp_and_ntk
from equitangents.nets import AvgPool, Conv, Dense, Erf, Flatten, GlobalAvgPool, Relu, Serial
from equitangents.symmetry import group_average

SHIFT = permutation_action(cyclic(5), [[(i + k) % 5 for i in range(5)] for k in range(5)], axis=-2)
PAIRS = {
    "pooled": (
        Serial(Conv(6, (3, 3)), Relu(), Conv(6, (3, 3), sigma_b=0.3), Relu(), GlobalAvgPool(), Dense(1)),
        "C4",
        (4, 4, 2),
    ),
    "flattened": (
        Serial(Conv(6, (2, 2), padding="VALID"), Relu(), Conv(6, (3, 3)), Erf(), Flatten(), Dense(1, sigma_b=0.2)),
        "D4",
        (4, 4, 1),
    ),
    "dense": (Serial(Flatten(), Dense(6), Relu(), Dense(6, sigma_b=0.1), Relu(), Dense(1)), "C4", (3, 3, 1)),
    "permuted": (Serial(Flatten(), Dense(6), Erf(), Dense(6), Erf(), Dense(1, sigma_w=1.3)), SHIFT, (5, 1)),
}


def acting(group):
    return image_action(point_group(group)) if isinstance(group, str) else group


@pytest.mark.parametrize("net, group, shape", PAIRS.values(), ids=PAIRS)
def test_kernel_of_the_twin_is_the_group_average_of_the_plain_one(net, group, shape, getkey):
    x1, x2 = jr.normal(getkey(), (2, *shape)), jr.normal(getkey(), (3, *shape))
    twin = nngp_and_ntk(impose(net, group, shape), x1, x2)
    for imposed, averaged in zip(twin, group_average(net, acting(group))(x1, x2), strict=True):
        assert jnp.max(jnp.abs(imposed - averaged)) < 1e-10


@eqx.filter_jit  # one program in place of one for each operation
def of_random_network(net, key, x):
    return jax.vmap(net.apply, (None, 0))(net.init(key, x.shape[1:])[1], x)


@pytest.mark.parametrize("net, group, shape", PAIRS.values(), ids=PAIRS)
def test_finite_twin_is_invariant(net, group, shape, getkey):
    twin, x = impose(net, group, shape, width=0.5), jr.normal(getkey(), shape)
    outputs = of_random_network(twin, getkey(), acting(group).orbit(x))
    assert outputs.shape[1:] == (1,)
    assert jnp.max(jnp.abs(outputs - outputs[:1])) < 1e-12


def test_half_the_width_keeps_the_parameters_of_hidden_layers_under_four_rotations(getkey):
    net = Serial(Flatten(), Dense(8), Relu(), Dense(8), Relu(), Dense(1))
    twin = impose(net, "C4", (3, 3, 1), width=0.5)
    sizes = [
        sum(leaf.size for leaf in jax.tree.leaves(n.init(getkey(), (3, 3, 1))[1][k])) for n, k in ((net, 3), (twin, 2))
    ]
    assert sizes == [64, 64]


BAD = {
    "no head": (Serial(Conv(4, (3, 3)), Relu(), GlobalAvgPool()), "ends with Dense"),
    "pool inside": (Serial(Conv(4, (3, 3)), AvgPool((2, 2)), GlobalAvgPool(), Dense(1)), "one last Dense, got AvgPool"),
    "nonlinear head": (
        Serial(Conv(4, (3, 3)), GlobalAvgPool(), Dense(4), Relu(), Dense(1)),
        "one last Dense, got GlobalAvgPool",
    ),
    "no hidden layer": (Serial(Flatten(), Dense(1)), "no hidden Dense"),
}


@pytest.mark.parametrize("net, message", BAD.values(), ids=BAD)
def test_networks_without_a_twin_are_refused_in_one_line(net, message):
    with pytest.raises(ValueError, match=message) as caught:
        impose(net, "C4", (4, 4, 1))
    assert "\n" not in str(caught.value)


def test_a_permutation_of_vectors_needs_a_network_that_flattens():
    with pytest.raises(ValueError, match="starts with Flatten"):
        impose(Serial(Dense(4), Relu(), Dense(1)), SHIFT, (5, 1))
