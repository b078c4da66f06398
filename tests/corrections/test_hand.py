"""Generated recursions against the same written by hand: every component over two inputs, layers 1 to 4."""

import math

import hand
import jax.random as jr
import numpy as np
import pytest
from scipy.special import erf

from equitangents.corrections import FOUR_LEGS, expand
from equitangents.nets import Dense, Erf, Serial, Sin

NAMES = ("K", "Theta", "G1", "H1", *FOUR_LEGS)
B = 1 / math.sqrt(2)


def erf_derivative(order, z):
    """Of erf(b z) + 0.3."""
    if order == 0:
        return erf(B * z) + 0.3
    hermite = np.polynomial.hermite.hermval(B * z, [0] * (order - 1) + [1])
    return (-B) ** (order - 1) * hermite * 2 * B / math.sqrt(math.pi) * np.exp(-((B * z) ** 2))


CASES = {
    "erf with a shift": (Erf(1.0, B, 0.3), erf_derivative),
    "sin with a phase": (
        Sin(1.2, 0.8, 0.4),
        lambda order, z: 1.2 * 0.8**order * np.sin(0.8 * z + 0.4 + order * np.pi / 2),
    ),
}


@pytest.mark.parametrize("phi, derivative", CASES.values(), ids=CASES)
def test_generated_recursions_are_those_written_by_hand(phi, derivative):
    x = jr.normal(jr.key(1), (2, 4))
    widths = (4, 20, 30, 25)
    numbers = [(1.1, 0.1, 0.7, 0.3), (0.8, 0.2, 1.3, 0.0), (0.9, 0.05, 0.6, 0.4), (0.7, 0.1, 1.1, 0.2)]
    dense = [
        Dense(width, c_w**0.5, c_b**0.5, lambda_w, lambda_b)
        for width, (c_w, c_b, lambda_w, lambda_b) in zip((*widths[1:], 2), numbers, strict=True)
    ]
    net = Serial(dense[0], phi, dense[1], phi, dense[2], phi, dense[3])
    expected = hand.layers(np.asarray(x), widths, numbers, derivative)
    for record, by_hand in zip(expand(net, x, NAMES, nodes=(240, 40)), expected, strict=True):
        for name in NAMES:
            size = max(1e-300, float(np.max(np.abs(by_hand[name]))))
            found = np.asarray(record.tensors[name])
            np.testing.assert_allclose(
                found, by_hand[name], rtol=0, atol=1e-12 * size, err_msg=f"{name}, {record.layer}"
            )
