"""Actions are homomorphisms, agree with the operations of NumPy, and refuse what is no action."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equitangents.groups import (
    Action,
    cyclic,
    dihedral,
    image_action,
    matrix_action,
    p4,
    permutation_action,
    point_group,
    symmetric,
    translations,
    trivial_action,
)


def normal(shape):
    return np.random.default_rng(0).normal(size=shape)  # NumPy, as there is nothing to compile


def rotations(n):
    angles = 2 * np.pi * np.arange(n) / n
    return np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])


def shears(n):
    """An equivalent of rotations that is not orthogonal."""
    shear = np.array([[1.0, 0.7], [0.0, 1.0]])
    return shear @ rotations(n) @ np.linalg.inv(shear)


S3 = list(itertools.permutations(range(3)))
ACTIONS = {  # how it is made, and the shape of an example
    "images under C4": (lambda: image_action(point_group("C4")), (5, 5, 2)),
    "images under D4, even size": (lambda: image_action(point_group("D4")), (4, 4, 1)),
    "oblong images under D2": (lambda: image_action(point_group("D2")), (3, 4, 2)),
    "images on a torus": (lambda: image_action(p4(3)), (3, 3, 2)),
    "translated images": (lambda: image_action(translations(2, 3)), (2, 3, 1)),
    "coordinates": (lambda: permutation_action(symmetric(3), S3), (3,)),
    "leading axis": (lambda: permutation_action(symmetric(3), S3, axis=-2), (3, 4)),
    "functions on the group": (lambda: permutation_action(dihedral(3), dihedral(3).table, axis=-2), (6, 2)),
    "rotated vectors": (lambda: matrix_action(cyclic(5), rotations(5)), (2,)),
    "vectors, not orthogonal": (lambda: matrix_action(cyclic(5), shears(5)), (2,)),
    "offsets under D4": (lambda: matrix_action(point_group("D4"), point_group("D4").matrices), (2,)),
    "nothing": (lambda: trivial_action(dihedral(3)), (4, 2)),
}
cases = pytest.mark.parametrize("make, shape", ACTIONS.values(), ids=ACTIONS)


@cases
def test_acting_twice_is_acting_with_the_product(make, shape):
    action, x = make(), normal((2, *shape))
    orbit = np.asarray(action.orbit(x))  # [h] -> rho(h) x
    assert orbit.shape == (action.group.order, *x.shape)
    np.testing.assert_allclose(orbit[action.group.identity], x, rtol=0, atol=1e-15)
    for g in action.group.generators():
        np.testing.assert_allclose(action(g, orbit), orbit[action.group.table[g]], rtol=0, atol=1e-14)
    norms = np.linalg.norm(orbit.reshape(action.group.order, -1), axis=1)
    assert action.is_orthogonal == np.allclose(norms, norms[0], rtol=1e-12)


@cases
def test_batches_python_integers_and_traced_elements_agree(make, shape):
    action, x = make(), normal((2, 3, *shape))
    g = action.group.generators()[-1]
    by_batch = action(g, x)
    for result in (action(np.int64(g), x), jax.jit(action)(g, x)):
        np.testing.assert_allclose(result, by_batch, rtol=0, atol=1e-14)
    np.testing.assert_allclose(action(g, x[1, 2]), by_batch[1, 2], rtol=0, atol=1e-14)


@cases
def test_restriction_acts_as_the_elements_of_the_subgroup(make, shape):
    action, x = make(), normal(shape)
    subgroup = action.group.subgroup(action.group.generators()[-1:])
    restricted = action.restrict(subgroup)
    assert restricted.group == subgroup.group and type(restricted) is type(action)
    for i, g in enumerate(subgroup.elements):
        np.testing.assert_array_equal(restricted(i, x), action(g, x))


@cases
def test_actions_are_values_and_static_arguments(make, shape):
    action, again = make(), make()
    assert isinstance(action, Action) and action == again and hash(action) == hash(again)
    assert action.restrict(action.group.subgroup([])) != action
    jitted = jax.jit(lambda a, x: a(0, x), static_argnums=0)
    assert jax.eval_shape(lambda x: jitted(action, x), jnp.ones(shape)).shape == shape
    with pytest.raises(AttributeError, match="immutable"):
        action.group = cyclic(1)


@cases
def test_precision_is_that_of_the_input(make, shape):
    assert jax.eval_shape(make().orbit, jnp.ones(shape, jnp.float32)).dtype == jnp.float32


@pytest.mark.parametrize("size", [4, 5])
def test_image_action_is_rot90_and_fliplr(size):
    x = normal((3, size, size, 2))
    action = image_action(point_group("D4"))
    for k in range(4):
        np.testing.assert_array_equal(action(k, x), jnp.rot90(x, k, axes=(1, 2)))
        np.testing.assert_array_equal(action(4 + k, x), jnp.rot90(jnp.flip(x, 2), k, axes=(1, 2)))
    np.testing.assert_array_equal(action(6, x), jnp.flip(x, 1))
    for name in ("C1", "C2", "C4", "D1", "D2"):
        subgroup = next(s for s in point_group("D4").subgroups() if repr(s.group) == name)
        assert action.restrict(subgroup) == image_action(point_group(name))


def test_translations_of_the_torus_roll_images():
    x = normal((3, 4, 2))
    for g, (i, j) in enumerate(itertools.product(range(3), range(4))):
        np.testing.assert_array_equal(image_action(translations(3, 4))(g, x), jnp.roll(x, (i, j), (0, 1)))


def test_images_are_functions_so_the_inverse_moves_their_argument():
    f, action = normal((5, 5, 1)), image_action(point_group("D4"))
    group = action.group
    for g, (i, j) in itertools.product(group.elements, itertools.product(range(5), range(5))):
        row, column = group.matrices[group.inverse[g]] @ [i - 2, j - 2] + 2
        assert action(g, f)[i, j, 0] == f[row, column, 0]


def test_random_elements_augment_a_batch_under_jit_and_grad():
    action, x = image_action(point_group("C4")), normal((6, 4, 4, 1))
    g = jnp.array([0, 1, 2, 3, 1, 3])
    turned = jax.jit(jax.vmap(action))(g, x)
    for one, k, expected in zip(turned, g.tolist(), x, strict=True):
        np.testing.assert_array_equal(one, jnp.rot90(expected, k))
    slope = jax.grad(lambda x: jnp.sum(turned * jax.vmap(action)(g, x)))(x)
    np.testing.assert_array_equal(slope, x)  # the adjoint of a permutation is its inverse


def test_images_of_integers_stay_exact():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    np.testing.assert_array_equal(image_action(point_group("C4"))(1, image), np.rot90(image))


def test_complex_representations_act_on_complex_vectors():
    phases = np.exp(2j * np.pi * np.arange(4) / 4).reshape(4, 1, 1)
    action = matrix_action(cyclic(4), phases)
    np.testing.assert_allclose(action(1, jnp.array([1.0 + 0j])), [1j], atol=1e-15)
    assert action.is_orthogonal
    with pytest.raises(TypeError, match="complex"):
        action(1, jnp.ones(1))


def test_actions_print_the_call_that_makes_them():
    assert repr(image_action(point_group("C4"))) == "image_action(C4)"
    assert repr(trivial_action(cyclic(2))) == "trivial_action(cyclic(2))"
    assert repr(permutation_action(symmetric(3), S3)) == "permutation_action(symmetric(3), <3 points>, axis=-1)"
    assert repr(matrix_action(cyclic(5), rotations(5))) == "matrix_action(cyclic(5), <2 x 2>)"


INVERSES = np.argsort(S3, axis=1)
NAN = np.full((2, 1, 1), np.nan)
BAD = {
    "inverses of permutations": (
        lambda: permutation_action(symmetric(3), INVERSES),
        ValueError,
        r"\(g, h\) = \(3, 1\)",
    ),
    "rotations out of order": (lambda: matrix_action(cyclic(4), rotations(4)[[0, 2, 1, 3]]), ValueError, r"\(1, 1\)"),
    "three rotations of four": (lambda: matrix_action(cyclic(4), rotations(4)[:3]), ValueError, r"\(4, d, d\)"),
    "a projector for the identity": (lambda: matrix_action(cyclic(2), np.zeros((2, 2, 2))), ValueError, "unit matrix"),
    "matrices not square": (lambda: matrix_action(cyclic(2), np.zeros((2, 2, 3))), ValueError, r"\(2, d, d\)"),
    "matrices of NaN": (lambda: matrix_action(cyclic(2), NAN), ValueError, "finite"),
    "matrices of words": (lambda: matrix_action(cyclic(1), [[["one"]]]), ValueError, "finite numbers"),
    "rows that repeat points": (lambda: permutation_action(cyclic(2), [[0, 1], [0, 0]]), ValueError, "row 1"),
    "permutations of floats": (lambda: permutation_action(cyclic(1), [[0.0]]), ValueError, "integers"),
    "too few permutations": (lambda: permutation_action(cyclic(2), [[0, 1]]), ValueError, r"\(2, points\)"),
    "axis from the front": (lambda: permutation_action(symmetric(3), S3, axis=0), ValueError, "negative axis"),
    "images of an abstract group": (lambda: image_action(cyclic(4)), TypeError, "square grid"),
    "oblong images": (lambda: image_action(point_group("C4"))(1, jnp.ones((3, 4, 1))), ValueError, "square images"),
    "images without channels": (
        lambda: image_action(point_group("C4")).orbit(jnp.ones((4, 4))),
        ValueError,
        "channels",
    ),
    "vectors of other length": (lambda: ACTIONS["coordinates"][0]()(1, jnp.ones(4)), ValueError, "3 entries"),
    "scalars": (lambda: ACTIONS["rotated vectors"][0]()(1, jnp.ones(())), ValueError, "2 entries"),
    "too few axes": (lambda: ACTIONS["leading axis"][0]().orbit(jnp.ones(3)), ValueError, "axis -2"),
    "integer vectors": (lambda: ACTIONS["rotated vectors"][0]()(1, jnp.ones(2, int)), TypeError, "inexact"),
    "no such element": (lambda: trivial_action(cyclic(4))(4, jnp.ones(1)), ValueError, "from 0 to 3"),
    "negative element": (lambda: trivial_action(cyclic(4))(-1, jnp.ones(1)), ValueError, "from 0 to 3"),
    "another group's subgroup": (
        lambda: trivial_action(cyclic(4)).restrict(cyclic(6).subgroup([3])),
        ValueError,
        "subgroup of",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_action_is_refused_in_one_line(name):
    call, kind, words = BAD[name]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
