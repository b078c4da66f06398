"""Three functions in the shape of neural-tangents, for one description."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import Dense, Relu, Serial, as_stax, nngp_and_ntk

NET = Serial(Dense(5, sigma_w=1.4, sigma_b=0.3), Relu(), Dense(2))


def test_parameters_outputs_and_kernels_are_those_of_the_description(getkey):
    init_fn, apply_fn, kernel_fn = as_stax(NET)
    key, x1, x2 = getkey(), jr.normal(getkey(), (3, 4)), jr.normal(getkey(), (2, 4))
    shape, params = init_fn(key, (-1, 4))
    assert shape == (-1, 2)
    expected = jnp.stack([NET.apply(NET.init(key, (4,))[1], x) for x in x1])
    np.testing.assert_allclose(apply_fn(params, x1), expected, atol=1e-14)
    old = init_fn(jr.key_data(key), (-1, 4))[1]
    np.testing.assert_array_equal(apply_fn(old, x1), apply_fn(params, x1))

    nngp, ntk = nngp_and_ntk(NET, x1, x2)
    both, turned = kernel_fn(x1, x2), kernel_fn(x1, x2, ("ntk", "nngp"))
    assert both._fields == ("nngp", "ntk") and turned._fields == ("ntk", "nngp")
    for got, said in ((both.nngp, nngp), (both.ntk, ntk), (turned.ntk, ntk), (kernel_fn(x1, x2, "ntk"), ntk)):
        np.testing.assert_allclose(got, said, atol=1e-14)
    np.testing.assert_allclose(kernel_fn(x1, get=("nngp",)).nngp, nngp_and_ntk(NET, x1)[0], atol=1e-14)
    assert jax.tree.structure(kernel_fn(x1)) == jax.tree.structure(both)


def test_mistakes_are_named():
    init_fn, _, kernel_fn = as_stax(NET)
    with pytest.raises(ValueError, match="batch axis of -1 first"):
        init_fn(jr.key(0), (4,))
    with pytest.raises(ValueError, match="got 'cov1'"):
        kernel_fn(jnp.ones((2, 4)), get="cov1")
    with pytest.raises(TypeError, match="expected a description"):
        as_stax(Relu)
