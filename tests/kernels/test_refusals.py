"""Networks whose kernel would be silently wrong are refused, and inputs of very different size lose no digits."""

import warnings

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from equitangents import nngp, nngp_and_ntk, ntk
from equitangents.kernels import kernel
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
    mup,
    standard,
)

VECTOR, IMAGE = (4,), (6, 6, 1)
BLOCK = Residual(Relu(), Dense(4))
REFUSED = {
    "norm beside its input": (Serial(Dense(4), Residual(LayerNorm()), Dense(1)), VECTOR, "independent"),
    "two pools of one field": (Serial(Conv(4, 3), Parallel(AvgPool(2), AvgPool(2))), (8, 1), "independent"),
    "two residual branches": (Serial(Dense(4), Parallel(BLOCK, BLOCK), Dense(1)), VECTOR, "independent"),
    "nonlinearity after flatten": (Serial(Conv(4, (3, 3)), Flatten(), Relu(), Dense(1)), IMAGE, "Flatten after it"),
    "two nonlinearities": (Serial(Dense(4), Relu(), Relu(), Dense(1)), VECTOR, "Gaussian preactivations"),
    "norm of raw inputs": (Serial(LayerNorm(), Dense(1)), VECTOR, "mean zero"),
}


@pytest.mark.parametrize("net, shape, said", REFUSED.values(), ids=REFUSED)
def test_networks_whose_kernel_would_be_wrong_are_refused(net, shape, said):
    with pytest.raises(ValueError, match=said):
        ntk(net, jnp.ones((2, *shape)))


def test_branches_that_end_in_weights_of_their_own_are_summed():
    branch = Serial(Conv(4, (3, 3)), Relu(), Conv(4, (3, 3)), AvgPool((2, 2)))
    net = Serial(Conv(4, (3, 3)), Relu(), Parallel(Serial(Conv(4, (3, 3)), AvgPool((2, 2))), branch), GlobalAvgPool())
    one = [Serial(Conv(4, (3, 3)), Relu(), inside, GlobalAvgPool()) for inside in net.layers[2].layers]
    x = jr.normal(jr.key(0), (2, *IMAGE))
    np.testing.assert_allclose(ntk(net, x), ntk(one[0], x) + ntk(one[1], x), rtol=1e-12)


@pytest.mark.optimised
@pytest.mark.parametrize("scale", [1e-2, 1e-6])
def test_convolutional_kernels_of_inputs_of_different_size_keep_their_digits(scale):
    net = Serial(Conv(1, (3, 3)), Relu(), Conv(1, (3, 3)), Relu(), Flatten(), Dense(1))
    x = jr.normal(jr.key(0), (2, *IMAGE), jnp.float32)
    small = x * jnp.float32(scale)
    exact = np.asarray(ntk(net, x.astype(jnp.float64), small.astype(jnp.float64)))
    np.testing.assert_allclose(np.asarray(ntk(net, x, small)), exact, rtol=1e-6)


TANH = Serial(Dense(1), Tanh(), Dense(1))


def of_size(variance, n=2, dtype=jnp.float64):
    x = jr.normal(jr.key(0), (n, 4), dtype)
    return x * jnp.sqrt(variance / jnp.mean(x**2, axis=-1, keepdims=True))


LARGE = {  # variance 10000 before a tanh, or 40000 E[tanh^2] = 15800, to the next power of two
    "x1": (lambda: ntk(TANH, of_size(1e4)), 16384),
    "x2": (lambda: ntk(TANH, of_size(1.0), of_size(1e4)), 16384),
    "a kernel of x2": (lambda: ntk(TANH, kernel(Serial(Dense(1)), of_size(1.0), of_size(1e4))), 16384),
    "a chain in a chain": (lambda: nngp(Serial(Serial(Dense(1), Serial(Tanh())), Dense(1)), of_size(1e4)), 16384),
    "weights between": (
        lambda: ntk(Serial(Dense(1), Tanh(), Dense(1, sigma_w=200.0), Tanh(), Dense(1)), of_size(1.0)),
        16384,
    ),
    "weights after a norm": (
        lambda: ntk(Serial(Dense(1), LayerNorm(), Dense(1, sigma_w=100.0), Tanh(), Dense(1)), of_size(1.0)),
        16384,
    ),
}


@pytest.mark.parametrize("call, variance", LARGE.values(), ids=LARGE)
def test_a_series_that_meets_too_large_a_variance_warns(call, variance):
    with pytest.warns(UserWarning, match=f"estimated error of .* at variance {variance}"):
        call()


QUIET = {
    "moderate inputs": (TANH, 100.0),
    "a norm before": (Serial(Dense(1, sigma_w=200.0), LayerNorm(), Tanh(), Dense(1)), 1.0),
    "weights after": (Serial(Dense(1), Tanh(), Dense(1, sigma_w=200.0)), 1.0),
}


@pytest.mark.parametrize("net, variance", QUIET.values(), ids=QUIET)
def test_no_false_alarm_is_raised(net, variance):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ntk(net, of_size(variance))


@pytest.mark.parametrize("dtype, worst", [(jnp.float32, "1e-05"), (jnp.float64, "1e-06")])
def test_the_warning_says_what_was_expected_and_advises_what_helps(dtype, worst):
    with pytest.warns(UserWarning, match=f"expected at most {worst}") as caught:
        ntk(TANH, of_size(1e4, dtype=dtype))
    assert ("use float64" in str(caught[0].message)) == (dtype == jnp.float32)


@pytest.mark.parametrize("function", [nngp, ntk, nngp_and_ntk, kernel])
def test_the_warning_points_at_the_caller(function):
    with pytest.warns(UserWarning, match="estimated error") as caught:
        function(TANH, of_size(1e4))
    assert [warning.filename for warning in caught] == [__file__]


def test_parameterisations_leave_absent_and_frozen_parameters_alone_and_do_not_stack():
    net = Serial(Dense(4, sigma_w=0.0), Relu(), Dense(4, lambda_w=0.0), Dense(1))
    assert standard(net, (2,)) == Serial(Dense(4, sigma_w=0.0), Relu(), Dense(4, lambda_w=0.0), Dense(1, lambda_w=4.0))
    with pytest.raises(ValueError, match="apply it once"):
        mup(mup(net, (2,)), (2,))
