import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equitangents.numerics import materialise

SHAPES = [(), (0,), (3,), (2, 3)]


def curve(x):
    return jnp.exp(materialise({"twice": 2 * x})["twice"])


def plain(x):
    return jnp.exp(2 * x)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_derivatives_are_kept_to_the_last_bit(shape, getkey):
    x = jax.random.normal(getkey(), (4, *shape))
    np.testing.assert_array_equal(curve(x[0]), plain(x[0]))
    np.testing.assert_array_equal(jax.vmap(curve)(x), plain(x))

    def slope(f):
        return jax.grad(lambda x: jax.grad(lambda x: f(x).sum())(x).sum())(x[0])

    np.testing.assert_allclose(slope(curve), slope(plain), rtol=1e-15)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if 0 not in shape])
def test_the_compiler_keeps_the_loop(shape):
    x = jnp.zeros((4, *shape))
    assert " while(" in jax.jit(jax.vmap(curve)).lower(x).compile().as_text()
    assert " while(" not in jax.jit(plain).lower(x).compile().as_text()
