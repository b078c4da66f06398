"""Augmentation and orbits: what is where, and what is refused."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents.groups import cyclic, image_action, matrix_action, permutation_action, point_group, trivial_action
from equitangents.symmetry import augment, orbit, outputs_on_orbit
from equitangents.symmetry.checks import check_action, check_count

C4 = image_action(point_group("C4"))
TURNS = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in np.pi / 2 * np.arange(4)])
VECTORS = matrix_action(point_group("C4"), TURNS)


@pytest.fixture
def data(getkey):
    return jr.normal(getkey(), (3, 4, 4, 1)), jr.normal(getkey(), (3, 2))


def test_orbit_is_the_turned_images_with_the_identity_first(data):
    x, _ = data
    expected = [np.rot90(np.asarray(x), k, axes=(1, 2)) for k in range(4)]
    np.testing.assert_array_equal(orbit(C4, x), expected)
    np.testing.assert_array_equal(orbit(C4, x[0]), orbit(C4, x)[:, 0])


def test_full_augmentation_has_the_element_as_slow_index_and_starts_with_the_data(data):
    x, y = data
    x_all, y_all = augment(x, y, C4, target=VECTORS)
    np.testing.assert_array_equal(x_all, orbit(C4, x).reshape(12, 4, 4, 1))
    np.testing.assert_array_equal(x_all[:3], x)
    np.testing.assert_allclose(y_all.reshape(4, 3, 2), np.einsum("gij,nj->gni", TURNS, y), atol=1e-15)


def test_chosen_elements_are_used_in_the_order_given(data):
    x, y = data
    x_some, y_some = augment(x, y, C4, elements=(2, 0))
    np.testing.assert_array_equal(x_some, jnp.concatenate([C4(2, x), x]))
    np.testing.assert_array_equal(y_some, jnp.concatenate([y, y]))


def test_random_elements_are_different_for_each_example_and_move_targets_along(data, getkey):
    x, y = data
    every = np.asarray(orbit(C4, x)), np.asarray(VECTORS.orbit(y))
    x_some, y_some = augment(x, y, C4, target=VECTORS, random=3, key=getkey())
    for i in range(3):
        found = [next(g for g in range(4) if np.array_equal(every[0][g, i], x_some[3 * a + i])) for a in range(3)]
        assert len(set(found)) == 3
        np.testing.assert_allclose(y_some[i::3], every[1][found, i], atol=1e-15)


def test_random_elements_are_uniform_and_reproducible(getkey):
    shift = permutation_action(cyclic(3), [[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    x, key = jnp.broadcast_to(jnp.array([1.0, 0.0, 0.0]), (6000, 3)), getkey()
    moved, _ = augment(x, jnp.zeros(6000), shift, random=1, key=key)
    error = np.sqrt(6000 * 2 / 9)
    assert np.abs(np.asarray(moved.sum(0)) - 2000).max() < 5 * error
    np.testing.assert_array_equal(moved, augment(x, jnp.zeros(6000), shift, random=1, key=key)[0])
    only, _ = augment(x, jnp.zeros(6000), shift, elements=(0, 2), random=1, key=key)
    assert only[:, 1].sum() == 0 and only[:, 2].sum() > 2500


def test_augmentation_keeps_precision_and_kinds_and_runs_under_jit(data):
    x, y = data
    x_all, y_all = augment(x.astype(jnp.float32), jnp.arange(3), C4)
    assert x_all.dtype == jnp.float32 and y_all.dtype == jnp.arange(3).dtype
    np.testing.assert_array_equal(jax.jit(lambda x: augment(x, y, C4)[0])(x), augment(x, y, C4)[0])


def test_outputs_on_orbit_of_an_equivariant_function_do_not_depend_on_the_element(getkey):
    x = jr.normal(getkey(), (5, 2))
    outputs = outputs_on_orbit(lambda x: x * (x**2).sum(-1, keepdims=True), x, VECTORS, VECTORS)
    np.testing.assert_allclose(outputs, np.broadcast_to(outputs[0], (4, 5, 2)), atol=1e-14)


BAD = {
    "targets without an axis of examples": (lambda x, y: augment(x, 1.0, C4), "expected y as a batch"),
    "no example": (lambda x, y: augment(x[:0], y[:0], C4), "expected x as a batch"),
    "inputs and targets of different number": (lambda x, y: augment(x, y[:2], C4), "3 inputs and 2 targets"),
    "images without channels": (lambda x, y: augment(x[..., 0], y, C4), "add an axis of channels"),
    "targets that are no vectors": (lambda x, y: augment(x, y[:, 0], C4, target=VECTORS), "expected vectors of 2"),
    "actions of two groups": (
        lambda x, y: augment(x, y, C4, target=trivial_action(cyclic(3))),
        "expected action and target of one group",
    ),
    "an element twice": (lambda x, y: augment(x, y, C4, elements=(0, 0)), "expected different elements"),
    "an element that is none": (lambda x, y: augment(x, y, C4, elements=(4,)), "from 0 to 3; got 4"),
    "no element": (lambda x, y: augment(x, y, C4, elements=()), "at least one"),
    "random without a key": (lambda x, y: augment(x, y, C4, random=2), "expected a key"),
    "a key without random": (lambda x, y: augment(x, y, C4, key=jr.key(0)), "only with random"),
    "more random elements than there are": (lambda x, y: augment(x, y, C4, random=5, key=jr.key(0)), "at most 4"),
    "no random element": (lambda x, y: augment(x, y, C4, random=0, key=jr.key(0)), "at least 1"),
    "a function of single examples": (lambda x, y: outputs_on_orbit(jnp.sum, x, C4), "expected a function of batches"),
}


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(call, message, data):
    with pytest.raises(ValueError, match=message) as caught:
        call(*data)
    assert "\n" not in str(caught.value)


def test_wrong_kinds_are_refused():
    with pytest.raises(TypeError, match="expected action as an Action"):
        check_action("action", point_group("C4"))
    with pytest.raises(TypeError, match="as an integer"):
        check_count("members", 2.5)
