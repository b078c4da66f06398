"""Orbits of one initialisation: an exactly invariant mean at finite width, through training, and what breaks it."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.dynamics import predict_ensemble, train
from equitangents.equivariant import Lift
from equitangents.groups import cyclic, image_action, matrix_action, permutation_action, point_group, spatial_group
from equitangents.nets import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    Parallel,
    Relu,
    Residual,
    Serial,
    Tanh,
)
from equitangents.symmetry import augment, equivariance_error, invariance_gap, orbit_closed_ensemble

C4, D4 = (image_action(point_group(name)) for name in ("C4", "D4"))
SCALES = {"sigma_w": 1.4, "sigma_b": 0.2}
DENSE = Serial(Flatten(), Dense(32, **SCALES), Tanh(), Dense(32, **SCALES), Tanh(), Dense(1))
CNN = Serial(Conv(6, (3, 3), **SCALES), Tanh(), Conv(6, (3, 3), **SCALES), Tanh(), Flatten(), Dense(1))
ICOSAHEDRON = spatial_group("I")
TETRAHEDRON = matrix_action(spatial_group("T"), spatial_group("T").matrices)
SHIFTS = permutation_action(cyclic(3), [[0, 1, 2], [1, 2, 0], [2, 0, 1]], axis=-2)

NETS = {  # network, shape of an example, action
    "dense, C4": (DENSE, (4, 4, 1), C4),
    "dense, D4": (DENSE, (3, 3, 2), D4),
    "dense on vectors": (Serial(Dense(8, **SCALES), Tanh(), Dense(2)), (3,), TETRAHEDRON),
    "dense on point clouds": (Serial(Dense(8, **SCALES), Tanh(), GlobalAvgPool(), Dense(2)), (5, 3), TETRAHEDRON),
    "dense on flat point clouds": (Serial(Flatten(), Dense(8), Tanh(), Dense(2)), (5, 3), TETRAHEDRON),
    "dense on sets": (Serial(Dense(8), Tanh(), Flatten(), Dense(2)), (3, 2), SHIFTS),
    "convolutions and Flatten": (CNN, (4, 4, 1), C4),
    "all kinds of convolution": (
        Serial(
            Conv(6, (3, 3), padding="CIRCULAR"), LayerNorm(), Tanh(), Residual(Conv(6, (3, 3), **SCALES)),
            AvgPool((2, 2), (2, 2), padding="VALID"), Parallel(Conv(4, (1, 1)), Conv(4, (3, 3), **SCALES)), Dense(3),
            Relu(), GlobalAvgPool(), Dense(1),
        ),
        (4, 4, 2),
        D4,
    ),
    "strides and holes": (
        Serial(
            Conv(4, (3, 3), strides=(2, 2), padding="VALID"), Tanh(), Conv(4, (3, 3), dilation=(2, 2)), Flatten(),
            Dense(1),
        ),
        (7, 7, 1),
        C4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("net, shape, action", NETS.values(), ids=NETS)
def test_members_are_the_network_on_moved_inputs_and_their_mean_is_invariant(net, shape, action, getkey):
    params = orbit_closed_ensemble(net, shape, action, getkey())
    x = jr.normal(getkey(), (3, *shape))
    first = jax.tree.map(lambda leaf: leaf[action.group.identity], params)
    apply = jax.jit(jax.vmap(net.apply, (None, 0)))
    outputs = jax.vmap(apply, (0, None))(params, x)
    np.testing.assert_allclose(
        outputs, jnp.stack([apply(first, action(g, x)) for g in action.group.elements]), atol=1e-13
    )
    assert float(invariance_gap(lambda x: predict_ensemble(net, params, x), x, action)) < 1e-13
    assert float(invariance_gap(lambda x: apply(first, x), x, action)) > 1e-2


def test_outputs_that_are_moved_make_the_mean_equivariant(getkey):
    net = Serial(Conv(6, (3, 3), **SCALES), Tanh(), Conv(2, (3, 3)))
    params = orbit_closed_ensemble(net, (4, 4, 1), C4, getkey())
    error = equivariance_error(lambda x: predict_ensemble(net, params, x), jr.normal(getkey(), (2, 4, 4, 1)), C4, C4)
    assert float(error) < 1e-13


TRAINED = {"dense": (DENSE, 0.05), "convolutions": (CNN, 0.1)}
STEPS = (0, 10, 200, 2000)


@functools.cache
def outputs_in_training(name, elements=(0, 1, 2, 3)):
    """Of each member, on the orbits of inputs that have nothing to do with training: (members, steps, |G|, inputs)."""
    net, rate = TRAINED[name]
    x_key, y_key, test_key, key = jr.split(jr.key(0), 4)
    x, y = jr.normal(x_key, (4, 4, 4, 1)), jr.normal(y_key, (4, 1))
    data = augment(x, y, C4, elements=elements)
    on_orbits = C4.orbit(jr.normal(test_key, (5, 4, 4, 1))).reshape(-1, 4, 4, 1)
    members = orbit_closed_ensemble(net, (4, 4, 1), C4, key)
    options = {"loss": "mean", "learning_rate": rate, "steps": STEPS[-1], "record": STEPS, "x_record": on_orbits}
    done = [train(net, jax.tree.map(lambda leaf: leaf[g], members), data, **options) for g in range(4)]  # noqa: B023
    assert all(float(d.losses[-1]) < 0.1 * float(d.losses[0]) for d in done)  # they do learn
    return np.stack([d.outputs for d in done]).reshape(4, len(STEPS), 4, 5)


def gaps(outputs):
    """Largest difference from the unmoved input, for each step."""
    return np.abs(outputs - outputs[..., :1, :]).max((-1, -2))


@pytest.mark.parametrize("name", TRAINED)
def test_mean_of_the_orbit_is_invariant_through_two_thousand_steps_at_finite_width(name):
    outputs = outputs_in_training(name)
    assert (gaps(outputs.mean(0)) < 1e-12).all()
    assert (gaps(outputs) > 0.1).all()  # each member, at each step


@pytest.mark.parametrize("name", [pytest.param("dense"), pytest.param("convolutions", marks=pytest.mark.slow)])
def test_mean_is_not_invariant_without_augmentation_or_with_three_of_four_rotations(name):
    none, three = (gaps(outputs_in_training(name, elements).mean(0)) for elements in ((0,), (0, 1, 2)))
    assert none[0] < 1e-13 and three[0] < 1e-13  # before training nothing is lost
    assert none[-1] > 0.1 and three[-1] > 0.1


def test_members_have_the_law_of_the_prior(getkey):
    params = orbit_closed_ensemble(DENSE, (4, 4, 1), C4, getkey())
    first = params[1]["w"]
    assert first.shape == (4, 16, 32)
    np.testing.assert_allclose(np.sort(first.reshape(4, -1)), np.broadcast_to(np.sort(first[0].ravel()), (4, 512)))
    assert np.abs(first[0] - first[1]).max() > 0.1
    np.testing.assert_array_equal(params[3]["w"], np.broadcast_to(params[3]["w"][:1], (4, 32, 32)))


def closed(net, shape=(4, 4, 1), action=C4):
    return orbit_closed_ensemble(net, shape, action, jr.key(0))


REFUSED = {
    "a layer without a rule": (lambda: closed(Lift("C4", 4, 3)), NotImplementedError, "Lift has no rule"),
    "convolution of a set": (lambda: closed(Conv(4, 3), (3, 2), SHIFTS), NotImplementedError, "has no rule for permu"),
    "an even window": (lambda: closed(Serial(Conv(4, (2, 2)), Flatten(), Dense(1))), ValueError, "use odd windows"),
    "an oblong window": (lambda: closed(Conv(4, (1, 3))), ValueError, "square"),
    "strides off the centre": (
        lambda: closed(Serial(Conv(4, (3, 3), strides=(2, 2)), Flatten(), Dense(1))),
        ValueError,
        "symmetrically",
    ),
    "nonlinearities of vectors": (
        lambda: closed(Serial(Tanh(), Dense(1)), (3,), matrix_action(ICOSAHEDRON, ICOSAHEDRON.matrices)),
        ValueError,
        "take up the group",
    ),
    "an action that is not orthogonal": (
        lambda: closed(Dense(1), (2,), matrix_action(cyclic(2), [np.eye(2), [[1, 3], [0, -1]]])),
        ValueError,
        "orthogonal action",
    ),
    "inputs of another size": (lambda: closed(DENSE, (4, 3, 1)), ValueError, "square"),
    "branches that differ": (
        lambda: closed(Parallel(Serial(Flatten(), Dense(4)), Serial(Flatten(), Tanh())), (2, 2, 1)),
        ValueError,
        "branch that takes up",
    ),
    "no network": (lambda: closed(jnp.ones(3)), TypeError, "expected a description"),
}


@pytest.mark.parametrize("call, kind, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_take_up_the_group_is_refused_in_one_line(call, kind, message):
    with pytest.raises(kind, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
