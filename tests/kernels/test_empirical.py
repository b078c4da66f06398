"""The tangent kernel of one finite network against plain Jacobians, and the memory it may take."""

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import empirical_ntk, ntk
from equitangents.kernels import empirical
from equitangents.nets import Conv, Dense, Flatten, Relu, Serial, Tanh

NET = Serial(Dense(5, 1.2, 0.3, 0.7, 2.0), Tanh(), Dense(3, sigma_b=0.2))
SIZE = 3 * 5 + 5 + 5 * 3 + 3


@pytest.fixture
def drawn(getkey):
    return NET.init(getkey(), (3,))[1], jr.normal(getkey(), (4, 3)), jr.normal(getkey(), (3, 3))


def by_jacobians(apply, params, x1, x2):
    """All pairs of outputs, written out: rows of the Jacobian with respect to one long vector."""
    flat, unflatten = jax.flatten_util.ravel_pytree(params)
    jacobian = [jnp.stack([jax.jacfwd(lambda p: apply(unflatten(p), x).ravel())(flat) for x in xs]) for xs in (x1, x2)]  # noqa: B023
    return np.einsum("iop,jqp->ijoq", *jacobian)


@pytest.mark.parametrize(
    ("both", "budget"),
    [
        (False, 1),
        (True, 40000),
        *(pytest.param(b, empirical.BUDGET, marks=pytest.mark.slow) for b in (True, False)),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [(True, 1), (False, 40000)]),
    ],
)
def test_it_is_the_product_of_jacobians_for_any_size_of_tile(drawn, both, budget):
    params, x1, x2 = drawn
    full = by_jacobians(NET.apply, params, x1, x2 if both else x1)
    second = x2 if both else None
    expected = {
        "full": full,
        "diagonal": np.einsum("ijoo->ijo", full),
        "trace": np.einsum("ijoo->ij", full) / 3,
    }
    for outputs, value in expected.items():
        found = empirical_ntk(NET.apply, params, x1, second, outputs=outputs, budget=budget)
        np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-13)


@pytest.mark.slow
def test_convolutions_have_the_product_of_jacobians(getkey):
    net = Serial(Conv(4, (2, 2), padding="CIRCULAR", sigma_b=0.3), Relu(), Flatten(), Dense(2))
    params, x = net.init(getkey(), (3, 3, 2))[1], jr.normal(getkey(), (3, 3, 3, 2))
    found = empirical_ntk(net.apply, params, x, outputs="full", budget=3000)
    np.testing.assert_allclose(found, by_jacobians(net.apply, params, x, x), rtol=1e-12, atol=1e-13)


def test_equinox_modules_with_leaves_that_are_no_arrays_are_networks(getkey):
    model = eqx.nn.MLP(3, 2, 4, 1, key=getkey())  # its activation is a leaf
    x = jr.normal(getkey(), (3, 3))
    found = empirical_ntk(lambda model, x: model(x), model, x, outputs="full")
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    expected = by_jacobians(lambda p, x: eqx.combine(p, rest)(x), arrays, x, x)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_arrays_of_integers_are_no_parameters_and_inputs_may_be_trees(getkey):
    params = {"table": jr.normal(getkey(), (4, 2)), "shift": jnp.array([1, 2]), "numpy": np.ones(2)}
    x = {"token": jnp.array([0, 3, 3]), "scale": jnp.array([1.0, 2.0, -1.0])}

    def apply(p, x):
        return jnp.sum(p["table"][x["token"]] * p["numpy"]) * x["scale"]

    rows = np.zeros((3, 4, 2))
    for i, (token, scale) in enumerate(zip(x["token"], x["scale"], strict=True)):
        rows[i, token] = scale
    sums = np.asarray(params["table"])[x["token"]] * np.asarray(x["scale"])[:, None]
    expected = np.einsum("itc,jtc->ij", rows, rows) + sums @ sums.T
    np.testing.assert_allclose(empirical_ntk(apply, params, x), expected, rtol=1e-12)


def test_it_may_be_jitted_and_differentiated(drawn):
    params, x1, x2 = drawn

    def total(x):
        return jnp.sum(empirical_ntk(NET.apply, params, x, x2, budget=16 * SIZE * 4))

    direction = jnp.ones_like(x1)
    slope = jnp.vdot(jax.jit(jax.grad(total))(x1), direction)
    h = 1e-5
    np.testing.assert_allclose(slope, (total(x1 + h * direction) - total(x1 - h * direction)) / (2 * h), rtol=1e-7)


@pytest.mark.slow
def test_it_converges_to_the_kernel_of_infinite_width(getkey):
    x = jr.normal(getkey(), (3, 3))
    distances = []
    for width in (16, 1024):
        net = Serial(Dense(width, 1.4, 0.2), Relu(), Dense(width, 1.4), Relu(), Dense(2))
        found = empirical_ntk(net.apply, net.init(getkey(), (3,))[1], x)
        distances.append(float(jnp.max(jnp.abs(found - ntk(net, x)) / jnp.max(ntk(net, x)))))
    assert distances[1] < min(0.3, distances[0])


@pytest.mark.optimised
@pytest.mark.parametrize("outputs", [pytest.param("trace", marks=pytest.mark.slow), "full"])
def test_temporary_memory_stays_within_the_budget(getkey, outputs):
    net = Serial(Dense(64), Relu(), Dense(64), Relu(), Dense(5))
    params, x = net.init(getkey(), (32,))[1], jnp.ones((64, 32))
    budget = 2**20  # gradients of all examples and outputs would take 20 times as much
    size = sum(p.nbytes for p in jax.tree.leaves(params))
    assert 64 * 5 * size > 15 * budget

    def compute(params, x):
        return empirical_ntk(net.apply, params, x, outputs=outputs, budget=budget)

    memory = jax.jit(compute).lower(params, x).compile().memory_analysis()
    if memory is None:
        pytest.skip("this backend does not tell its memory")
    assert memory.temp_size_in_bytes < 2 * budget + 3 * memory.output_size_in_bytes


def test_wrong_arguments_are_refused_before_tracing(drawn):
    params, x, _ = drawn
    with pytest.raises(ValueError, match="'trace', 'full' or 'diagonal', got 'traces'"):
        empirical_ntk(NET.apply, params, x, outputs="traces")
    with pytest.raises(ValueError, match="examples of one shape and dtype"):
        empirical_ntk(NET.apply, params, x, x[:, :2])
    with pytest.raises(ValueError, match="n >= 1 examples"):
        empirical_ntk(NET.apply, params, x[:0])
    with pytest.raises(TypeError, match="expected x1 to be an array"):
        empirical_ntk(NET.apply, params, [1.0, 2.0])
    with pytest.raises(TypeError, match="got none"):
        empirical_ntk(NET.apply, {}, x)
    with pytest.raises(ValueError, match="budget of at least 1 byte"):
        empirical_ntk(NET.apply, params, x, budget=0)
