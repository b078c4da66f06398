"""The report against closed forms of scale-invariant networks."""

import math

import jax.numpy as jnp
import pytest

from equitangents.corrections import finite_width_report
from equitangents.nets import Dense, Identity, Relu, Serial, Tanh

X = jnp.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.5]])


def network(phi, width, depth, c_w):
    dense = Dense(width, math.sqrt(c_w), 0.0, 1.0 if c_w == 1 else 2.0, 0.0)
    return Serial(*[dense, phi] * (depth - 1), dense)


def test_a_linear_network(depth=4, width=60):
    """V / K^2 = 2 (l - 1), (A + 2B) / Theta^2 = 4 s_2 / l^2, s_2 = (l - 1) l (2l - 1) / 6; no shifts of means."""
    found = finite_width_report(network(Identity(), width, depth, 1.0), X, accuracy=0.1)
    ntk = 4 * (depth - 1) * depth * (2 * depth - 1) / 6 / depth**2
    assert found.nngp_variance * width == pytest.approx(2 * (depth - 1), rel=1e-6)
    assert found.ntk_variance * width == pytest.approx(ntk, rel=1e-6)
    assert (found.nngp_shift, found.ntk_shift) == pytest.approx((0, 0), abs=1e-9)
    assert found.depth_to_width == pytest.approx((depth - 1) / width)
    assert (found.width_for_means, found.width_for_one) == (1, math.ceil(max(6, ntk) / 0.1**2 - 1e-6))


def test_relu_without_biases(depth=5, width=40):
    """rho = 2, w = nu: A + 2B = w^2 (5 s_2 + s_2 + s_1 + s_2 + 4 s_2)."""
    found = finite_width_report(network(Relu(), width, depth, 2.0), X)
    s_1, s_2 = depth * (depth - 1) / 2, (depth - 1) * depth * (2 * depth - 1) / 6
    assert found.nngp_variance * width == pytest.approx(5 * (depth - 1), rel=1e-6)
    assert found.ntk_variance * width == pytest.approx((11 * s_2 + s_1) / depth**2, rel=1e-6)
    assert "the expansion in 1/width is doubtful" in str(found)


def test_a_wide_network_is_trusted_and_an_accuracy_must_be_positive():
    net = network(Identity(), 1000, 3, 1.0)
    assert "the expansion in 1/width holds" in str(finite_width_report(net, X))
    with pytest.raises(ValueError, match="expected a positive relative accuracy"):
        finite_width_report(net, X, 0.0)


def test_a_report_says_where_the_quadrature_is_too_coarse():
    net = Serial(Dense(64, 1.4), Tanh(), Dense(64), Tanh(), Dense(1))
    found = finite_width_report(net, 30 * X)
    assert not found.known and not found.holds
    assert "not known, as the quadrature is off" in str(found)
