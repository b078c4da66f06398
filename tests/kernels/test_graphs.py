"""Graphs: one for all inputs is a map of the sites, and each input may have its own."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import kernel, nngp_and_ntk
from equitangents.kernels import aggregate
from equitangents.nets import Dense, Erf, GlobalAvgPool, Relu, Serial, SiteMap

BODY, HEAD = Serial(Dense(8, 1.2, 0.3), Relu()), Serial(Dense(8, 1.3, 0.2), Erf(), GlobalAvgPool(), Dense(1))


def test_one_graph_for_all_is_a_map_of_the_sites(getkey):
    x, a = jr.normal(getkey(), (2, 3, 2)), jr.normal(getkey(), (4, 3))
    k = aggregate(kernel(BODY, x), jnp.broadcast_to(a, (2, 4, 3)))
    for found, expected in zip(nngp_and_ntk(HEAD, k), nngp_and_ntk(Serial(BODY, SiteMap(a), HEAD), x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_linear_network_on_graphs_has_the_tangent_kernel_of_any_finite_one(getkey):
    """One layer with weights, a graph of its own for each example, and weights from the one into the other batch."""
    x1, x2 = jr.normal(getkey(), (2, 3, 2)), jr.normal(getkey(), (3, 3, 2))
    a1, a2 = jr.normal(getkey(), (2, 4, 3)), jr.normal(getkey(), (3, 4, 3))
    layer = Dense(1, 1.3, 0.4)
    params = layer.init(getkey(), (3, 2))[1]
    slope = jax.jit(jax.vmap(jax.jacrev(lambda p, x, a: (a @ layer.apply(p, x))[:, 0]), (None, 0, 0)))
    slopes = [slope(params, x, a) for x, a in ((x1, a1), (x2, a2))]
    flat = [jnp.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(s)], -1) for s in slopes]
    found = aggregate(kernel(layer, x1, x2), a1, a2)
    np.testing.assert_allclose(found.ntk, jnp.einsum("asp,btp->abst", *flat), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.k12, found.ntk, rtol=1e-12, atol=1e-12)
    size = jnp.sqrt(jnp.einsum("ass,btt->abst", found.k11, found.k22))
    np.testing.assert_allclose(found.d, 1 - found.k12 / size, atol=1e-12)


def test_equal_examples_with_equal_graphs_have_no_angle(getkey):
    x, a = jr.normal(getkey(), (2, 3, 2)), jr.normal(getkey(), (2, 4, 3))
    d = aggregate(kernel(Dense(1, 1.3, 0.4), x), a).d
    assert jnp.all(jnp.diagonal(jnp.diagonal(d), axis1=0, axis2=1) == 0)


def test_graphs_of_other_sizes_are_refused():
    k = kernel(Dense(1), jnp.ones((2, 3, 2)))
    with pytest.raises(ValueError, match=r"a1 of shape \(2, new nodes, 3\), got \(2, 4, 4\)"):
        aggregate(k, jnp.ones((2, 4, 4)))
    with pytest.raises(ValueError, match="as many new nodes"):
        aggregate(k, jnp.ones((2, 4, 3)), jnp.ones((2, 5, 3)))
    with pytest.raises(ValueError, match="one axis of nodes"):
        aggregate(kernel(Dense(1), jnp.ones((2, 3))), jnp.ones((2, 4, 3)))
