"""The four numbers sigma_w, sigma_b, lambda_w, lambda_b: one parameterisation for all, finite and infinite."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import empirical_ntk, monte_carlo, nngp, nngp_and_ntk, ntk
from equitangents.nets import Conv, Dense, Flatten, Parallel, Relu, Residual, Serial, mup, standard

LAYERS = {"dense": (Dense, (4,)), "conv": (lambda width, **numbers: Conv(width, 2, **numbers), (3, 2))}


def drawn(net, shape, key):
    return net.init(key, shape)[1]


def weights_of(layer, params, shape):
    """W and b that the parameters stand for, read off the layer's outputs: b = f(0), W = f(unit vectors) - b."""
    b = layer.apply(params, jnp.zeros(shape))
    units = jnp.eye(int(np.prod(shape))).reshape(-1, *shape)
    return jax.vmap(lambda x: layer.apply(params, x) - b)(units), b


@pytest.mark.parametrize(
    "numbers", [{}, {"lambda_w": 0.0, "lambda_b": 0.0}, {"lambda_w": 2.5, "lambda_b": 0.3}], ids=repr
)
def test_the_function_at_initialisation_does_not_depend_on_the_rates(numbers, getkey):
    key = getkey()
    layer, plain = (Dense(3, 1.3, 0.4, **n) for n in (numbers, {}))
    for found, expected in zip(
        weights_of(layer, drawn(layer, (4,), key), (4,)), weights_of(plain, drawn(plain, (4,), key), (4,)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", LAYERS)
def test_weights_have_their_standard_deviations(kind, getkey):
    make, shape = LAYERS[kind]
    layer = make(2000, sigma_w=1.3, sigma_b=0.4, lambda_w=2.0, lambda_b=3.0)
    w, b = weights_of(layer, drawn(layer, shape, getkey()), shape)
    b = b.reshape(-1, 2000)[0]
    size = 4  # fan_in of both layers
    w = w[jnp.abs(w) > 0]  # a convolution reads few sites
    assert abs(jnp.std(w) / (1.3 / size**0.5) - 1) < 4 / (2 * 2000 * size) ** 0.5
    assert abs(jnp.std(b) / 0.4 - 1) < 5 / (2 * 2000) ** 0.5


@pytest.mark.parametrize("kind", LAYERS)
def test_plain_gradient_steps_move_weights_by_their_rates(kind, getkey):
    """One step of size h on a loss moves W by h (lambda_w / fan_in) dloss/dW, and b by h lambda_b dloss/db."""
    make, shape = LAYERS[kind]
    x, target = jr.normal(getkey(), shape), 2.0
    for numbers, rate_w, rate_b in (
        ({}, 1.3**2, 0.4**2),
        ({"lambda_w": 0.7, "lambda_b": 0.0}, 0.7, 0.0),
        ({"lambda_w": 0.0, "lambda_b": 2.0}, 0.0, 2.0),
    ):
        layer = make(1, sigma_w=1.3, sigma_b=0.4, **numbers)
        params = drawn(layer, shape, getkey())

        def outputs(p, layer=layer):
            return layer.apply(p, x).ravel()

        grads = jax.grad(lambda p: jnp.sum((outputs(p) - target) ** 2) / 2)(params)
        moved = jax.tree.map(lambda p, g: p - 1e-3 * g, params, grads)
        residual = outputs(params) - target
        (w0, b0), (w1, b1) = (weights_of(layer, p, shape) for p in (params, moved))
        np.testing.assert_allclose((b1 - b0).ravel(), -1e-3 * rate_b * jnp.sum(residual), rtol=1e-9, atol=1e-14)
        # weights are read off from outputs less biases, to rounding
        assert np.allclose(w1, w0, rtol=0, atol=1e-14) == (rate_w == 0)
        change = outputs(moved) - outputs(params)
        jacobian = kernel_of_linear(layer, x, rate_w, rate_b, shape)
        np.testing.assert_allclose(change, -1e-3 * jacobian @ residual, rtol=1e-9, atol=1e-13)


def kernel_of_linear(layer, x, rate_w, rate_b, shape):
    """The tangent kernel between sites of a linear layer, with all rates put in by hand."""
    if isinstance(layer, Dense):
        return jnp.full((1, 1), rate_w * jnp.sum(x**2) / 4 + rate_b)
    padded = jnp.concatenate([x, jnp.zeros_like(x[:1])])  # SAME, window 2: the last site also reads a zero
    windows = jnp.stack([padded[i : i + 2].ravel() for i in range(3)])
    return rate_w * windows @ windows.T / 4 + rate_b


def test_a_parameter_without_prior_and_rate_is_absent(getkey):
    assert set(drawn(Dense(3), (4,), getkey())) == {"w"}
    assert set(drawn(Dense(3, sigma_b=0.1), (4,), getkey())) == {"w", "b"}
    assert set(drawn(Dense(3, lambda_b=1.0), (4,), getkey())) == {"w", "b"}
    assert set(drawn(Dense(3, 0.0), (4,), getkey())) == set()
    assert set(drawn(Dense(3, 0.0, 0.2), (4,), getkey())) == {"b"}
    assert set(drawn(Dense(3, 0.0, lambda_w=0.0), (4,), getkey())) == set()
    assert not np.any(Dense(3, 0.0).apply({}, jnp.ones(4)))
    assert Conv(3, 2, sigma_w=0.0).apply({}, jnp.ones((4, 2))).shape == (4, 3)


# what the numbers of the last layer mean for both kernels, behind a random body
MEANINGS = {
    "none: squares of sigma": ({"sigma_w": 1.3, "sigma_b": 0.4}, {"lambda_w": 1.3**2, "lambda_b": 0.4**2}),
    "frozen": ({"sigma_w": 1.3, "sigma_b": 0.4, "lambda_w": 0.0, "lambda_b": 0.0}, None),
    "no parameter": ({"sigma_w": 1.3, "sigma_b": 0.0}, {"lambda_w": 1.3**2, "lambda_b": 0.0}),
    "trained from zero": ({"sigma_w": 0.0, "sigma_b": 0.0, "lambda_w": 1.5, "lambda_b": 0.6}, None),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_finite_and_infinite_tangent_kernels_give_the_numbers_one_meaning(name, getkey):
    numbers, same_as = MEANINGS[name]
    body = (Dense(2048, 1.2, 0.3), Relu())
    x = jr.normal(getkey(), (3, 4))
    net = Serial(*body, Dense(1, **numbers))
    infinite = ntk(net, x)
    finite = empirical_ntk(net.apply, drawn(net, (4,), getkey()), x)
    tolerance = 8 / 2048**0.5  # fluctuations at this width are about 3 / sqrt(width) of the diagonal
    assert jnp.max(jnp.abs(finite - infinite)) <= tolerance * jnp.max(infinite)
    covariance = nngp(Serial(*body, Dense(1)), x)
    last = numbers.get("lambda_w", 1.3**2) * covariance + numbers.get("lambda_b", numbers["sigma_b"] ** 2)
    through = numbers["sigma_w"] ** 2 * (ntk(Serial(*body, Dense(1)), x) - covariance)
    np.testing.assert_allclose(infinite, last + through, rtol=1e-10)
    if same_as is not None:
        np.testing.assert_allclose(ntk(Serial(*body, Dense(1, **numbers, **same_as)), x), infinite, rtol=1e-12)


def test_a_frozen_layer_has_a_gradient_of_zero_and_a_random_value(getkey):
    layer = Dense(3, 1.3, 0.4, 0.0, 0.0)
    params = drawn(layer, (4,), getkey())
    grads = jax.grad(lambda p: jnp.sum(layer.apply(p, jnp.ones(4)) ** 2))(params)
    assert all(not np.any(g) for g in jax.tree.leaves(grads))
    assert np.all(layer.apply(params, jnp.ones(4)) != 0)
    assert not np.any(ntk(Dense(1, 1.3, 0.4, 0.0, 0.0), jnp.ones((1, 4))))


def test_rates_that_are_arrays_mean_the_same_as_python_numbers(getkey):
    x, key = jr.normal(getkey(), (2, 4)), getkey()

    def both(rate):
        net = Serial(Dense(8, 1.2, 0.3, rate, rate), Relu(), Dense(1))
        params = drawn(net, (4,), key)
        return net.apply(params, x[0]), empirical_ntk(net.apply, params, x), ntk(net, x)

    for rate in (0.0, 1.7):
        for found, expected in zip(jax.jit(both)(jnp.asarray(rate)), both(rate), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


NET = Serial(Dense(64, 1.4, 0.2), Relu(), Residual(Dense(64), Relu(), Dense(64)), Dense(3, sigma_b=0.1))


def test_the_standard_parameterisation_has_rates_of_one_for_the_weights_used(getkey):
    net, key = standard(NET, (4,)), getkey()
    (first, _, inside, last) = net.layers
    assert [layer.lambda_w for layer in (first, inside.layer.layers[0], last)] == [4.0, 64.0, 64.0]
    assert [layer.lambda_b for layer in (first, inside.layer.layers[0], last)] == [1.0, None, 1.0]
    x = jr.normal(getkey(), (4,))
    same = [n.apply(drawn(n, (4,), key), x) for n in (net, NET)]
    np.testing.assert_allclose(*same, rtol=1e-10)
    np.testing.assert_allclose(nngp(net, x[None]), nngp(NET, x[None]), rtol=1e-12)


def test_the_tangent_kernel_of_the_standard_parameterisation_grows_with_the_width(getkey):
    x = jr.normal(getkey(), (1, 4))
    small, large = (float(ntk(standard(Serial(Dense(n), Relu(), Dense(1)), (4,)), x)[0, 0]) for n in (100, 10000))
    assert 50 < large / small < 100
    net = standard(Serial(Dense(64), Relu(), Dense(2)), (4,))
    finite = monte_carlo(net, x, key=getkey(), networks=500)
    assert abs(finite.ntk - ntk(net, x)) < 5 * finite.ntk_error


def test_standard_reads_the_fan_in_of_windows_and_branches():
    net = standard(
        Serial(Conv(8, (3, 2)), Relu(), Flatten(), Parallel(Dense(2), Serial(Dense(5), Dense(2)))), (4, 4, 3)
    )
    conv, _, _, branches = net.layers
    assert conv.lambda_w == 3 * 6
    assert branches.layers[0].lambda_w == branches.layers[1].layers[0].lambda_w == 8 * 16
    assert branches.layers[1].layers[1].lambda_w == 5


def test_maximal_update_moves_features_alike_at_any_width(getkey):
    """After one step of gradient descent at one rate the output moves by O(1), as do the hidden features."""
    x = jnp.ones(4)
    moves = []
    for width in (64, 1024):
        net = mup(Serial(Dense(width), Relu(), Dense(width), Relu(), Dense(1)), (4,))
        params = drawn(net, (4,), getkey())
        grads = jax.grad(lambda p, net=net: net.apply(p, x)[0])(params)
        moved = jax.tree.map(lambda p, g: p + 0.1 * g, params, grads)
        hidden = Serial(*net.layer.layers[:3])
        before, after = (hidden.apply(p[:3], x) for p in (params, moved))
        features = jnp.sqrt(jnp.mean((after - before) ** 2))
        moves.append((float(features), float(net.apply(moved, x)[0] - net.apply(params, x)[0])))
    for narrow, wide in zip(*moves, strict=True):
        assert 0.3 < wide / narrow < 3  # 4 or 16 if it grew with the width, 1/4 if it shrank


def test_maximal_update_has_no_kernel_at_infinite_width_and_says_so(getkey):
    net, x = mup(NET, (4,)), jnp.ones((2, 4))
    with pytest.raises(NotImplementedError, match="features move in that limit; use empirical_ntk"):
        ntk(net, x)
    assert empirical_ntk(net.apply, drawn(net, (4,), getkey()), x).shape == (2, 2)


def test_parameterisations_are_for_descriptions_and_their_shapes():
    with pytest.raises(ValueError, match="Conv expected one example"):
        standard(Conv(3, 2), (4,))
    first, second = nngp_and_ntk(standard(Dense(2), (4,)), jnp.ones((1, 4)))
    assert float(first[0, 0]) == 1.0
    assert float(second[0, 0]) == 4.0
