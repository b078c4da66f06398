"""Costs, against counts by hand."""

import jax
import jax.random as jr
import pytest

from equitangents.dynamics import count_parameters, flops
from equitangents.nets import Conv, Dense, Flatten, Relu, Serial

NETS = {
    "dense": (Serial(Dense(64), Relu(), Dense(10, sigma_b=0.1)), (32,), 32 * 64 + 64 * 10 + 10, 32 * 64 + 64 * 10),
    "conv": (
        Serial(Conv(16, (3, 3), padding="VALID"), Relu(), Flatten(), Dense(10)),
        (8, 8, 4),
        9 * 4 * 16 + 36 * 16 * 10,
        36 * 9 * 4 * 16 + 36 * 16 * 10,
    ),
}


@pytest.mark.parametrize("net, shape, parameters, products", NETS.values(), ids=NETS)
def test_parameters_and_operations_are_those_counted_by_hand(net, shape, parameters, products):
    assert count_parameters(net.init(jr.key(0), shape)[1]) == parameters
    assert count_parameters(jax.eval_shape(lambda key: net.init(key, shape)[1], jr.key(0))) == parameters
    assert 2 * products <= flops(net, shape) <= 2.3 * products
