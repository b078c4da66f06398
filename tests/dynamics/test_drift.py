"""Networks expanded in their parameters, and how far their kernels move."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import empirical_ntk, ntk
from equitangents.dynamics import descent, kernel_drift, linearize, taylor_expand, train
from equitangents.nets import Dense, Serial, Tanh

NET = Serial(Dense(6, 1.3, 0.2), Tanh(), Dense(2))


def moved(params, step, key):
    keys = jr.split(key, len(jax.tree.leaves(params)))
    noise = jax.tree.unflatten(jax.tree.structure(params), list(keys))
    return jax.tree.map(lambda p, k: p + step * jr.normal(k, p.shape), params, noise)


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_the_error_of_an_expansion_falls_with_its_degree_plus_one(degree, getkey):
    params, x, key = NET.init(getkey(), (3,))[1], jr.normal(getkey(), (3,)), getkey()
    expanded = jax.jit(taylor_expand(NET.apply, params, degree))
    errors = []
    for step in (0.02, 0.01):
        there = moved(params, step, key)
        errors.append(float(jnp.linalg.norm(expanded(there, x) - NET.apply(there, x))))
    assert errors[1] > 1e-13
    assert abs(np.log2(errors[0] / errors[1]) - degree - 1) < 0.2


def test_the_tangent_kernel_of_the_linear_network_is_that_of_the_network_everywhere(getkey):
    params, x = NET.init(getkey(), (3,))[1], jr.normal(getkey(), (4, 3))
    found = empirical_ntk(linearize(NET.apply, params), moved(params, 1.0, getkey()), x, outputs="full")
    np.testing.assert_allclose(found, empirical_ntk(NET.apply, params, x, outputs="full"), rtol=1e-10, atol=1e-12)


def test_expansions_refuse_what_is_no_degree():
    with pytest.raises(ValueError, match="degree to be an integer >= 0"):
        taylor_expand(NET.apply, {}, -1)


def test_descent_takes_the_steps_of_train(getkey):
    params, x, y = NET.init(getkey(), (3,))[1], jr.normal(getkey(), (4, 3)), jr.normal(getkey(), (4, 2))
    recorded = list(descent(NET, params, (x, y), loss="mean", learning_rate=0.1, record=(0, 2, 5)))
    expected = train(NET, params, (x, y), loss="mean", learning_rate=0.1, steps=5).params
    for a, b in zip(jax.tree.leaves(recorded[2]), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (recorded[0], params)), strict=True))


def test_drift_is_that_of_the_kernels_and_falls_with_width(getkey):
    x, y = jr.normal(getkey(), (4, 3)), jr.normal(getkey(), (4, 1))
    changes = []
    for width in (32, 2048):
        net = Serial(Dense(width, 0.8, 0.2), Tanh(), Dense(1))
        params = net.init(getkey(), (3,))[1]
        path = list(descent(net, params, (x, y), loss="sum", learning_rate=0.05, record=(0, 30)))
        infinite = ntk(net, x)
        drift = kernel_drift(net.apply, iter(path), x, reference=infinite)
        first, last = (np.asarray(empirical_ntk(net.apply, p, x)) for p in path)
        np.testing.assert_allclose(drift.change, [0, np.linalg.norm(last - first) / np.linalg.norm(first)], rtol=1e-9)
        cosine = np.vdot(last, infinite) / np.linalg.norm(last) / np.linalg.norm(infinite)
        np.testing.assert_allclose(drift.reference_alignment[1], cosine, rtol=1e-9)
        np.testing.assert_allclose(drift.alignment[0], 1, rtol=1e-12)
        changes.append((drift.change[1], drift.distance[0]))
    assert changes[1][0] < changes[0][0] / 3  # theory: 1 / width with this parameterisation, at least its root
    assert changes[1][1] < changes[0][1] / 2
    with pytest.raises(ValueError, match="at least one set of parameters"):
        kernel_drift(net.apply, [], x)
    with pytest.raises(ValueError, match=r"reference of shape \(4, 4\)"):
        kernel_drift(net.apply, path, x, reference=infinite[:2])
